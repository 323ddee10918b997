// The decoder of bus messages. Input: a byte for the direction, 32 bytes of header, the body. What decodes must encode again to
// the same header and decode to the same value.
#include "base/mem.h"
#include "wire/wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum wire_sender sender = data[0] & 1 ? WIRE_FROM_WORKER : WIRE_FROM_ENGINE;
    const uint8_t *header = data + 1;
    size_t header_len = size - 1 < WIRE_HEADER_BYTES ? size - 1 : WIRE_HEADER_BYTES;
    const uint8_t *body = header + header_len;
    size_t body_len = size - 1 - header_len;
    struct wire_message m, again;
    struct err err;
    if (wire_decode(header, header_len, body, body_len, sender, &m, &err) < 0) {
        must(err.text[0] != '\0');
        return 0;
    }
    unsigned char out[WIRE_HEADER_BYTES];
    char *text = NULL;
    size_t len = 0;
    must(wire_encode(m.type, m.lease, m.sequence, m.body, sender, out, &text, &len, &err) == 0);
    must(memcmp(out, header, 12) == 0 && memcmp(out + 16, header + 16, 16) == 0);
    must(wire_decode(out, sizeof(out), text, len, sender, &again, &err) == 0);
    must(json_equal(m.body, again.body));
    mem_free(text);
    wire_message_free(&m);
    wire_message_free(&again);
    return 0;
}

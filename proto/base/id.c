#include "base/id.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <sodium.h>
#include <stdio.h>

static void ready(void)
{
    must(sodium_init() >= 0);
}

void id_random(void *out, size_t len)
{
    ready();
    randombytes_buf(out, len);
}

uint64_t id_random_u64(void)
{
    uint64_t v;
    id_random(&v, sizeof(v));
    return v;
}

void id_uuid7(int64_t wall_ns, char out[ID_UUID_TEXT])
{
    unsigned char b[16];
    id_random(b, sizeof(b));
    uint64_t ms = (uint64_t)(wall_ns / NS_PER_MS);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(out, ID_UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void id_short(char out[ID_SHORT_TEXT])
{
    static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char b[ID_SHORT_TEXT - 1];
    id_random(b, sizeof(b));
    for (size_t i = 0; i < sizeof(b); i++)
        out[i] = ALPHABET[b[i] & 31];
    out[sizeof(b)] = '\0';
}

struct hash {
    struct sha256 state;
};

static void finish(struct sha256 *state, char out[HASH_TEXT])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char digest[SHA256_BYTES];
    sha256_finish(state, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = DIGITS[digest[i] >> 4];
        out[2 * i + 1] = DIGITS[digest[i] & 15];
    }
    out[HASH_TEXT - 1] = '\0';
}

void hash_bytes(const void *data, size_t len, char out[HASH_TEXT])
{
    struct sha256 state;
    sha256_init(&state);
    sha256_add(&state, data, len);
    finish(&state, out);
}

struct hash *hash_new(void)
{
    struct hash *h = mem_alloc(sizeof(*h));
    sha256_init(&h->state);
    return h;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
    sha256_add(&h->state, data, len);
}

void hash_finish(struct hash *h, char out[HASH_TEXT])
{
    finish(&h->state, out);
    mem_free(h);
}

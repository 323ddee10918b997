// Encoder and decoder share check_body(), so that neither side can send what the other refuses. The rules of a body are
// the words in tbl/messages.def; they are read anew for each message (a dozen bytes), which keeps one table and no
// set-up.
#include "wire/wire.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum direction { WORKER = WIRE_FROM_WORKER, ENGINE = WIRE_FROM_ENGINE, BOTH = WIRE_FROM_WORKER | WIRE_FROM_ENGINE };
enum lease_rule { NONE, LEASE, EITHER };

struct rule {
    const char *name;
    const char *keys;
    enum direction direction;
    enum lease_rule lease;
};

static const struct rule RULES[] = {
#define X(id, number, text, sender, lease_use, body_keys)                                                              \
    [number] = {.name = text, .keys = body_keys, .direction = sender, .lease = lease_use},
#include "tbl/messages.def"
#undef X
};

static const unsigned char MAGIC[4] = {'B', 'A', 'T', 'N'};

static const struct rule *rule_of(unsigned type)
{
    return type < ARRAY_LEN(RULES) && RULES[type].name ? &RULES[type] : NULL;
}

static void put(unsigned char *p, uint64_t value, size_t bytes)
{
    while (bytes--) {
        p[bytes] = (unsigned char)(value & 0xFF);
        value >>= 8;
    }
}

static uint64_t get(const unsigned char *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static bool all_strings(const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v) {
        if (!json_is_string(v) || json_string_length(v) > WIRE_TEXT_MAX)
            return false;
    }
    return true;
}

static const char *wanted(char kind, const json_t *v)
{
    switch (kind) {
    case 's':
        if (!json_is_string(v))
            return "a string";
        return json_string_length(v) > WIRE_TEXT_MAX ? "a shorter string (8192 bytes)" : NULL;
    case 'i':
        return json_is_integer(v) ? NULL : "an integer";
    case 'n':
        return json_is_number(v) ? NULL : "a number";
    case 'l':
        return json_is_array(v) && json_array_size(v) <= 64 && all_strings(v) ? NULL : "a list of up to 64 strings";
    case 'o':
        return json_is_object(v) ? NULL : "an object";
    default:
        return "a kind of the table"; // a mistake in messages.def; the unit test walks the whole table
    }
}

// Checks one word of the table ("name:s?"). *seen counts the members that are accounted for.
static int check_key(const char *word, size_t len, const struct rule *rule, const json_t *body, size_t *seen,
                     struct err *err)
{
    bool optional = word[len - 1] == '?';
    size_t name_len = len - 2 - (optional ? 1 : 0);
    char kind = word[name_len + 1];
    char name[32];
    must(name_len < sizeof(name));
    memcpy(name, word, name_len);
    name[name_len] = '\0';
    const json_t *v = json_object_get(body, name);
    if (!v)
        return optional ? 0 : err_set(err, ERR_INVALID, "message '%s' lacks the key '%s'", rule->name, name);
    (*seen)++;
    const char *want = wanted(kind, v);
    return want ? err_set(err, ERR_INVALID, "message '%s': '%s' must be %s", rule->name, name, want) : 0;
}

static bool key_listed(const char *keys, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = keys; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len > n && strncmp(p, key, n) == 0 && p[n] == ':')
            return true;
        p += len;
    }
    return false;
}

static int check_body(const struct rule *rule, const json_t *body, struct err *err)
{
    if (!json_is_object(body))
        return err_set(err, ERR_INVALID, "the body of message '%s' must be an object", rule->name);
    size_t seen = 0;
    for (const char *p = rule->keys; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        int r = check_key(p, len, rule, body, &seen, err);
        if (r < 0)
            return r;
        p += len;
    }
    if (seen == json_object_size(body))
        return 0;
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) { // Jansson iterates without const, and changes nothing
        if (!key_listed(rule->keys, key))
            return err_set(err, ERR_INVALID, "message '%s' has the unknown key '%.80s', expected '%s'", rule->name, key,
                           rule->keys);
    }
    return err_set(err, ERR_INVALID, "message '%s' has keys twice", rule->name);
}

static int check_frame(const struct rule *rule, uint64_t lease, enum wire_sender sender, struct err *err)
{
    if (!((unsigned)rule->direction & (unsigned)sender))
        return err_set(err, ERR_INVALID, "message '%s' is not for %s to send", rule->name,
                       sender == WIRE_FROM_WORKER ? "a worker" : "the engine");
    if (rule->lease == LEASE && lease == 0)
        return err_set(err, ERR_INVALID, "message '%s' needs a lease", rule->name);
    if (rule->lease == NONE && lease != 0)
        return err_set(err, ERR_INVALID, "message '%s' belongs to no lease, but names one", rule->name);
    return 0;
}

const char *wire_name(enum wire_type type)
{
    const struct rule *rule = rule_of((unsigned)type);
    return rule ? rule->name : "unknown";
}

static int write_header(enum wire_type type, uint64_t lease, uint64_t sequence, size_t len,
                        unsigned char header[WIRE_HEADER_BYTES], struct err *err)
{
    if (len > WIRE_BODY_MAX)
        return err_set(err, ERR_LIMIT,
                       "message '%s' has %zu bytes, at most %zu can be sent; put large values into files",
                       wire_name(type), len, WIRE_BODY_MAX);
    memcpy(header, MAGIC, sizeof(MAGIC));
    put(header + 4, WIRE_VERSION, 2);
    put(header + 6, (uint64_t)type, 2);
    put(header + 8, 0, 4);
    put(header + 12, len, 4);
    put(header + 16, lease, 8);
    put(header + 24, sequence, 8);
    return 0;
}

int wire_encode_text(enum wire_type type, uint64_t lease, uint64_t sequence, size_t len, enum wire_sender sender,
                     unsigned char header[WIRE_HEADER_BYTES], struct err *err)
{
    const struct rule *rule = rule_of((unsigned)type);
    must(rule != NULL);
    int r = check_frame(rule, lease, sender, err);
    return r < 0 ? r : write_header(type, lease, sequence, len, header, err);
}

int wire_encode(enum wire_type type, uint64_t lease, uint64_t sequence, const json_t *body, enum wire_sender sender,
                unsigned char header[WIRE_HEADER_BYTES], char **ret_body, size_t *ret_len, struct err *err)
{
    const struct rule *rule = rule_of((unsigned)type);
    must(rule != NULL);
    int r = check_frame(rule, lease, sender, err);
    if (r == 0)
        r = check_body(rule, body, err);
    if (r < 0)
        return r;
    char *text = json_compact(body);
    size_t len = strlen(text);
    r = write_header(type, lease, sequence, len, header, err);
    if (r < 0) {
        mem_free(text);
        return r;
    }
    *ret_body = text;
    *ret_len = len;
    return 0;
}

// Everything about the header but the rules of its type.
static int check_header(const unsigned char *h, size_t header_len, size_t body_len, struct err *err)
{
    if (header_len != WIRE_HEADER_BYTES)
        return err_set(err, ERR_INVALID, "the header frame has %zu bytes, expected %d", header_len, WIRE_HEADER_BYTES);
    if (memcmp(h, MAGIC, sizeof(MAGIC)) != 0)
        return err_set(err, ERR_INVALID, "the frame does not begin with 'BATN': the sender is not a baton program");
    if (get(h + 4, 2) != WIRE_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "the sender speaks version %u of the bus, this program version %d; use programs of one release",
                       (unsigned)get(h + 4, 2), WIRE_VERSION);
    if (get(h + 8, 4) != 0)
        return err_set(err, ERR_UNSUPPORTED, "unknown flags 0x%x in a frame, expected none", (unsigned)get(h + 8, 4));
    if (body_len > WIRE_BODY_MAX)
        return err_set(err, ERR_LIMIT, "the body has %zu bytes, at most %zu are accepted", body_len, WIRE_BODY_MAX);
    if (get(h + 12, 4) != body_len)
        return err_set(err, ERR_INVALID, "the body has %zu bytes, its header says %u", body_len,
                       (unsigned)get(h + 12, 4));
    return 0;
}

void wire_lease_text(uint64_t lease, char out[WIRE_LEASE_TEXT])
{
    static const char DIGITS[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, lease >>= 4)
        out[i] = DIGITS[lease & 15];
    out[16] = '\0';
}

uint64_t wire_lease_read(const char *text)
{
    uint64_t lease = 0;
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return 0;
    for (; *text; text++)
        lease = lease << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    return lease;
}

int wire_decode(const void *header, size_t header_len, const void *body, size_t body_len, enum wire_sender sender,
                struct wire_message *ret, struct err *err)
{
    const unsigned char *h = header;
    int r = check_header(h, header_len, body_len, err);
    if (r < 0)
        return r;
    unsigned type = (unsigned)get(h + 6, 2);
    uint64_t lease = get(h + 16, 8);
    const struct rule *rule = rule_of(type);
    if (!rule)
        return err_set(err, ERR_UNSUPPORTED, "unknown message type %u", type);
    r = check_frame(rule, lease, sender, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *value = json_parse_new(body, body_len, "the body of a message", err);
    if (!value)
        return -ERR_PARSE;
    r = check_body(rule, value, err);
    if (r < 0)
        return err_wrap(err, "bus");
    *ret = (struct wire_message){(enum wire_type)type, lease, get(h + 24, 8), json_incref(value)};
    return 0;
}

void wire_message_free(struct wire_message *message)
{
    if (message) {
        json_decref(message->body);
        message->body = NULL;
    }
}

// proto/wire: round trip of every message of the table, and what the decoder refuses.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "wire/wire.h"

#include <string.h>

struct frame {
    unsigned char header[WIRE_HEADER_BYTES];
    char *body;
    size_t len;
};

static struct frame encode(enum wire_type type, uint64_t lease, const char *text, enum wire_sender sender)
{
    struct err err;
    struct frame f = {0};
    AUTO_JSON json_t *body = json_parse_new(text, strlen(text), "test body", &err);
    assert_non_null(body);
    assert_ok(wire_encode(type, lease, 7, body, sender, f.header, &f.body, &f.len, &err), &err);
    return f;
}

static int decode(const struct frame *f, enum wire_sender sender, struct err *err)
{
    struct wire_message m;
    int r = wire_decode(f->header, sizeof(f->header), f->body, f->len, sender, &m, err);
    if (r == 0)
        wire_message_free(&m);
    return r;
}

// Builds the smallest body for a key list of the table.
static json_t *sample_body(const char *keys)
{
    json_t *body = json_object();
    char **words = str_split(keys, " ", true, NULL);
    for (char **w = words; *w; w++) {
        char *colon = strchr(*w, ':');
        assert_non_null(colon);
        *colon = '\0';
        switch (colon[1]) {
        case 's':
            json_put_str(body, *w, "grün");
            break;
        case 'i':
            json_put_int(body, *w, 3);
            break;
        case 'n':
            json_put_num(body, *w, 0.5);
            break;
        case 'l':
            json_put(body, *w, json_pack("[ss]", "a", "b"));
            break;
        case 'o':
            json_put(body, *w, json_pack("{si}", "x", 1));
            break;
        default:
            fail_msg("kind '%c' in messages.def", colon[1]);
        }
        assert_true(colon[2] == '\0' || str_eq(colon + 2, "?"));
    }
    str_list_free(words);
    return body;
}

static void check_message(enum wire_type type, const char *name, const char *direction, const char *lease_rule,
                          const char *keys)
{
    struct err err;
    assert_string_equal(wire_name(type), name);
    AUTO_JSON json_t *body = sample_body(keys);
    uint64_t lease = str_eq(lease_rule, "NONE") ? 0 : UINT64_C(0xFEDCBA9876543210);
    enum wire_sender sender = str_eq(direction, "ENGINE") ? WIRE_FROM_ENGINE : WIRE_FROM_WORKER;
    enum wire_sender other = sender == WIRE_FROM_ENGINE ? WIRE_FROM_WORKER : WIRE_FROM_ENGINE;
    struct frame f = {0};
    assert_ok(wire_encode(type, lease, UINT64_MAX, body, sender, f.header, &f.body, &f.len, &err), &err);
    struct wire_message m;
    assert_ok(wire_decode(f.header, sizeof(f.header), f.body, f.len, sender, &m, &err), &err);
    assert_int_equal(m.type, type);
    assert_true(m.lease == lease && m.sequence == UINT64_MAX);
    assert_true(json_equal(m.body, body));
    wire_message_free(&m);
    if (!str_eq(direction, "BOTH"))
        assert_int_equal(decode(&f, other, &err), -ERR_INVALID);
    mem_free(f.body);
    // One key too many is refused on both sides.
    json_put_int(body, "surplus", 1);
    assert_int_equal(wire_encode(type, lease, 1, body, sender, f.header, &f.body, &f.len, &err), -ERR_INVALID);
    assert_non_null(strstr(err.text, "surplus"));
}

static void test_wire_every_message_round_trips(void **state)
{
    (void)state;
#define X(id, number, name, direction, lease, keys) check_message(WIRE_##id, name, #direction, #lease, keys);
#include "tbl/messages.def"
#undef X
}

static void test_wire_header_is_checked(void **state)
{
    (void)state;
    struct err err;
    struct frame good = encode(WIRE_CANCEL, 9, "{\"reason\":\"x\"}", WIRE_FROM_ENGINE);
    static const struct {
        size_t at;
        unsigned char value;
        int code;
        const char *word;
    } BAD[] = {
        {0, 'X', ERR_INVALID, "BATN"},       {5, 9, ERR_UNSUPPORTED, "version 9"}, {7, 99, ERR_UNSUPPORTED, "type 99"},
        {7, 0, ERR_UNSUPPORTED, "type 0"},   {11, 1, ERR_UNSUPPORTED, "flags"},    {15, 1, ERR_INVALID, "header says"},
        {6, 255, ERR_UNSUPPORTED, "unknown"}, {23, 0, ERR_INVALID, "needs a lease"},
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct frame f = good;
        f.header[BAD[i].at] = BAD[i].value;
        assert_int_equal(decode(&f, WIRE_FROM_ENGINE, &err), -BAD[i].code);
        if (!strstr(err.text, BAD[i].word))
            fail_msg("'%s' does not say '%s'", err.text, BAD[i].word);
    }
    struct wire_message m;
    for (size_t n = 0; n < WIRE_HEADER_BYTES; n++)
        assert_int_equal(wire_decode(good.header, n, good.body, good.len, WIRE_FROM_ENGINE, &m, &err), -ERR_INVALID);
    for (size_t n = 0; n < good.len; n++)
        assert_int_equal(wire_decode(good.header, WIRE_HEADER_BYTES, good.body, n, WIRE_FROM_ENGINE, &m, &err), -ERR_INVALID);
    mem_free(good.body);
}

static void test_wire_body_is_checked(void **state)
{
    (void)state;
    struct err err;
    static const struct {
        enum wire_type type;
        const char *body;
    } BAD[] = {
        {WIRE_CANCEL, "{}"},
        {WIRE_CANCEL, "{\"reason\":1}"},
        {WIRE_CANCEL, "[]"},
        {WIRE_PROGRESS, "{\"text\":\"a\",\"fraction\":\"b\"}"},
        {WIRE_RESULT, "{\"draft\":[]}"},
        {WIRE_PROGRESS, "{\"text\":null}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        AUTO_JSON json_t *body = json_parse_new(BAD[i].body, strlen(BAD[i].body), "body", &err);
        struct frame f = {0};
        enum wire_sender from = BAD[i].type == WIRE_CANCEL ? WIRE_FROM_ENGINE : WIRE_FROM_WORKER;
        assert_int_equal(wire_encode(BAD[i].type, 1, 1, body, from, f.header, &f.body, &f.len, &err), -ERR_INVALID);
    }
    char *text = mem_alloc(WIRE_TEXT_MAX + 2);
    memset(text, 'a', WIRE_TEXT_MAX + 1);
    AUTO_JSON json_t *body = json_pack("{ss}", "reason", text);
    struct frame f = {0};
    assert_int_equal(wire_encode(WIRE_CANCEL, 1, 1, body, WIRE_FROM_ENGINE, f.header, &f.body, &f.len, &err), -ERR_INVALID);
    mem_free(text);
}

static void test_wire_body_size_is_bounded(void **state)
{
    (void)state;
    struct err err;
    char *text = mem_alloc(WIRE_BODY_MAX + 1);
    memset(text, 'a', WIRE_BODY_MAX);
    AUTO_JSON json_t *body = json_pack("{s{ss}}", "draft", "summary", text);
    struct frame f = {0};
    assert_int_equal(wire_encode(WIRE_RESULT, 1, 1, body, WIRE_FROM_WORKER, f.header, &f.body, &f.len, &err), -ERR_LIMIT);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_every_message_round_trips),
        cmocka_unit_test(test_wire_header_is_checked),
        cmocka_unit_test(test_wire_body_is_checked),
        cmocka_unit_test(test_wire_body_size_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

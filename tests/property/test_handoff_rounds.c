// Random drafts seal within the byte budget and resolve back to what they were; random handoffs survive Markdown and
// YAML.
#include "support/support.h"

#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "handoff/handoff_md.h"
#include "handoff/handoff_read.h"

#include <string.h>

#define ROUNDS 400

static uint64_t seed = 0x243F6A8885A308D3u;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 33) % n);
}

static const char *const PIECES[] = {
    "a",
    "fast",
    " ",
    "  ",
    "ü",
    "→",
    "😀",
    "\"",
    "'",
    "\\",
    "\\n",
    ":",
    ": ",
    " #",
    "#",
    "## ",
    "**",
    "**Label**",
    "---",
    "- ",
    "* ",
    "1. ",
    "[x",
    "]",
    "{",
    "}",
    "```",
    "`",
    "|",
    ">",
    "%",
    "&a",
    "*a",
    "!t",
    "null",
    "true",
    "12",
    "1e3",
    "~",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "\n## Output\n",
    "\n**Review Status**: approved\n",
    "\n---\n",
    "\n    code\n",
    "\xC2\x85",
    "\xE2\x80\xA8",
    "\xEF\xBB\xBF",
    "\x01",
    "\x7F",
    "Approved",
    "changes_requested",
    ",",
    "@",
    "=",
    "\n ",
    "\n- [ ] x",
    "2026-01-01T00-00-00-review",
};

static char *random_text(unsigned max_pieces)
{
    struct buf b = BUF_INIT;
    for (unsigned n = pick(max_pieces + 1); n > 0; n--)
        buf_str_add(&b, PIECES[pick(ARRAY_LEN(PIECES))]);
    return buf_steal(&b);
}

static void put_text(json_t *object, const char *key, unsigned max_pieces)
{
    AUTO_FREE char *text = random_text(max_pieces);
    json_put_str(object, key, text);
}

static json_t *random_value(int depth)
{
    unsigned kind = pick(depth > 0 ? 8 : 6);
    if (kind == 0)
        return json_integer((json_int_t)(int64_t)id_random_u64() >> pick(63));
    if (kind == 1)
        return json_real((double)pick(100000) / (1 + pick(999)));
    if (kind == 2)
        return pick(3) ? json_boolean(pick(2)) : json_null();
    if (kind < 6) {
        AUTO_FREE char *text = random_text(pick(12) ? 6 : 900);
        return json_string(text);
    }
    json_t *v = kind == 6 ? json_array() : json_object();
    for (unsigned n = pick(pick(10) ? 4 : 60); n > 0; n--) {
        AUTO_FREE char *key = random_text(3);
        if (kind == 6)
            json_array_append_new(v, random_value(depth - 1));
        else
            json_object_set_new(v, key, random_value(depth - 1));
    }
    return v;
}

static json_t *random_sections(unsigned max_pieces)
{
    static const char *const labels[] = {"Findings", "Benchmarks", "Review Status", "Verdict", "Memory / Build Time",
                                         "x: y",     "# odd",      "Größe"};
    json_t *list = json_array();
    for (unsigned n = pick(5); n > 0; n--) {
        json_t *section = json_object();
        json_put_str(section, "label", labels[pick(ARRAY_LEN(labels))]);
        put_text(section, "text", max_pieces);
        json_array_append_new(list, section);
    }
    return list;
}

static const char *random_role(void)
{
    static const char *const roles[] = {"review", "performance", "developer", "testing", "critic",
                                        "debug",  "live-tester", "sdd",       "echo"};
    return roles[pick(ARRAY_LEN(roles))];
}

static json_t *random_draft(const char *role, bool small)
{
    static const char *const statuses[] = {"completed", "blocked", "needs_discussion"};
    json_t *d = json_object(), *output = json_object(), *acceptance = json_array();
    json_put_str(d, "status", statuses[pick(3)]);
    AUTO_FREE char *some = random_text(small ? 6 : 60);
    AUTO_FREE char *summary = str_printf("s%s", some);
    json_put_str(d, "summary", summary);
    if (str_eq(role, "review") || str_eq(role, "critic"))
        json_put_str(d, "verdict", pick(3) ? "approved" : NULL);
    if (pick(2))
        json_put_str(d, "next_agent", pick(2) ? "rust-developer" : "dev-agents:true: x");
    put_text(d, "next_task", small ? 6 : 60);
    for (unsigned n = pick(small ? 4 : 12); n > 0; n--) {
        AUTO_FREE char *key = random_text(3);
        json_object_set_new(output, key, random_value(small ? 2 : 4));
    }
    json_put(d, "output", output);
    json_put(d, "sections", random_sections(small ? 12 : 900));
    if (pick(2))
        put_text(d, "blockers", small ? 6 : 200);
    for (unsigned n = pick(4); n > 0; n--) {
        AUTO_FREE char *item = random_text(5);
        json_add_str(acceptance, item);
    }
    json_put(d, "acceptance", acceptance);
    return d;
}

static int put(void *context, const void *data, size_t len, char hash[65], struct err *err)
{
    (void)err;
    hash_bytes(data, len, hash);
    json_put(context, hash, json_stringn(data, len));
    return 0;
}

static int get(void *context, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    const json_t *v = json_object_get(context, hash);
    if (!v)
        return err_set(err, ERR_NOT_FOUND, "no artifact '%s'", hash);
    *ret_len = json_string_length(v);
    *ret = mem_copy(json_string_value(v), *ret_len + 1);
    return 0;
}

static json_t *seal(json_t *draft, const char *role, json_t *store)
{
    struct err err = {0};
    const char *parents[] = {pick(2) ? "2026-01-02T03-04-05-review" : NULL, "2026-01-02T03-04-05-live-tester", NULL};
    struct handoff_facts facts = {.wall_ns = (int64_t)pick(2000000000) * INT64_C(1000000000),
                                  .role = role,
                                  .parents = parents,
                                  .run = "relay-7f3k2q",
                                  .stage = pick(9),
                                  .attempt = 1 + pick(2)};
    struct handoff_store s = {put, NULL, store};
    json_t *h = NULL;
    assert_ok(handoff_seal(draft, &facts, &s, &h, &err), &err);
    return h;
}

static void test_random_drafts_fit_and_resolve(void **state)
{
    (void)state;
    unsigned moved = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct err err = {0};
        const char *role = random_role();
        AUTO_JSON json_t *store = json_object(), *draft = random_draft(role, false), *before = json_deep_copy(draft),
                         *back = NULL;
        AUTO_JSON json_t *h = seal(draft, role, store);
        AUTO_FREE char *text = json_canonical(h);
        assert_true(strlen(text) <= HANDOFF_BYTES_MAX);
        assert_true(json_equal(draft, before)); // the draft is left alone
        struct handoff_load load = {get, store};
        assert_ok(handoff_resolve_new(json_object_get(h, "output"), &load, &back, &err), &err);
        if (!json_equal(back, json_obj(draft, "output")))
            fail_msg("the output changed: %s", text);
        moved += json_object_size(store) > 0;
    }
    assert_true(moved > ROUNDS / 10 && moved < ROUNDS);
}

static void check_same(const json_t *got, const json_t *h, const char *text)
{
    static const char *const keys[] = {"id",         "parent",     "agent",     "status",   "verdict",
                                       "summary",    "next_agent", "next_task", "sections", "blockers",
                                       "acceptance", "run",        "stage",     "attempt"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!json_equal(json_object_get(got, keys[i]), json_object_get(h, keys[i]))) {
            AUTO_FREE char *a = json_dumps(json_object_get(got, keys[i]), JSON_ENCODE_ANY);
            AUTO_FREE char *b = json_dumps(json_object_get(h, keys[i]), JSON_ENCODE_ANY);
            fail_msg("%s: %s\ncame back as %s\nfrom:\n%s", keys[i], b, a ? a : "nothing", text);
        }
}

static json_t *read_back(const char *text, const json_t *h, const char *extension)
{
    struct err err = {0};
    AUTO_FREE char *name = str_printf("%s%s", json_str(h, "id", ""), extension);
    json_t *v = handoff_read_new(text, strlen(text), name, &err);
    if (!v)
        fail_msg("%s\n%s", err.text, text);
    const json_t *first = json_array_get(json_list(v, "diagnostics"), 0);
    for (size_t i = 0; (first = json_array_get(json_list(v, "diagnostics"), i)) != NULL; i++)
        if (!strstr(json_str(first, "text", ""), "no verdict found"))
            fail_msg("%s\n%s", json_str(first, "text", ""), text);
    return v;
}

// The Markdown writer cuts long bodies; the property is about what it does not cut.
static size_t lines_of(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static bool is_short(const json_t *h)
{
    size_t lines = 10 + 3 + json_array_size(json_list(h, "acceptance"));
    for (size_t i = 0; i < json_array_size(json_list(h, "sections")); i++)
        lines += 3 + lines_of(json_str(json_array_get(json_list(h, "sections"), i), "text", ""));
    if (json_str(h, "blockers", NULL))
        lines += 3 + lines_of(json_str(h, "blockers", ""));
    return lines <= HANDOFF_BODY_LINES;
}

static void test_random_handoffs_survive_their_files(void **state)
{
    (void)state;
    unsigned done = 0;
    for (unsigned i = 0; i < 4 * ROUNDS; i++) {
        const char *role = random_role();
        AUTO_JSON json_t *store = json_object(), *draft = random_draft(role, true);
        AUTO_JSON json_t *h = seal(draft, role, store);
        // Without a verdict a reader looks for one in the text, which here is random.
        if (!json_str(h, "verdict", NULL) &&
            (str_eq(role, "review") || str_eq(role, "critic") || str_eq(role, "debug")))
            continue;
        AUTO_FREE char *yaml = handoff_yaml_new(h);
        AUTO_JSON json_t *b = read_back(yaml, h, ".yaml");
        check_same(b, h, yaml);
        json_t *output = json_obj(b, "output");
        const json_t *given = json_obj(h, "output");
        if (!json_object_get(given, "summary"))
            json_object_del(output, "summary");
        if (!json_object_get(given, "review_status"))
            json_object_del(output, "review_status");
        if (!json_equal(output, given))
            fail_msg("the output changed in:\n%s", yaml);
        if (!is_short(h))
            continue;
        AUTO_FREE char *text = handoff_md_new(h);
        AUTO_JSON json_t *d = read_back(text, h, ".md");
        check_same(d, h, text);
        AUTO_FREE char *again = handoff_md_new(d); // context comes back as text and is written as such
        AUTO_JSON json_t *e = read_back(again, h, ".md");
        check_same(e, h, again);
        done++;
    }
    assert_true(done > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_drafts_fit_and_resolve),
        cmocka_unit_test(test_random_handoffs_survive_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

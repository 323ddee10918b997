// proto/handoff: sealing drafts, the byte budget, references, claims, ids.
#include "support/support.h"

#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"

#include <string.h>

// A store in memory: hash -> text, as a JSON object.
static int put(void *context, const void *data, size_t len, char hash[65], struct err *err)
{
    (void)err;
    hash_bytes(data, len, hash);
    json_put(context, hash, json_stringn(data, len));
    return 0;
}

static int put_file(void *context, const char *path, char hash[65], int64_t *ret_bytes, struct err *err)
{
    if (!str_starts(path, "/spool/"))
        return err_set(err, ERR_DENIED, "'%s' is not in the spool", path);
    *ret_bytes = (int64_t)strlen(path);
    return put(context, path, strlen(path), hash, err);
}

static int get(void *context, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    const char *text = json_str(context, hash, NULL);
    if (!text)
        return err_set(err, ERR_NOT_FOUND, "no artifact '%s'", hash);
    *ret = str_dup(text);
    *ret_len = strlen(text);
    return 0;
}

static json_t *draft_of(const char *text)
{
    struct err err = {0};
    json_t *v = json_parse_new(text, strlen(text), "draft", &err);
    if (!v)
        fail_msg("%s", err.text);
    return v;
}

static const struct handoff_facts facts = {.wall_ns = INT64_C(1764000000000000000),
                                           .role = "performance",
                                           .parents = (const char *const[]){"2026-01-02T03-04-05-review", NULL},
                                           .run = "relay-7f3k2q",
                                           .stage = 2,
                                           .attempt = 1};

static int seal(json_t *draft, json_t *store, json_t **ret, struct err *err)
{
    struct handoff_store s = {put, put_file, store};
    int r = handoff_seal(draft, &facts, &s, ret, err);
    json_decref(draft);
    return r;
}

static void refuse(const char *draft, enum err_code code, const char *part)
{
    struct err err = {0};
    AUTO_JSON json_t *store = json_object();
    json_t *h = NULL;
    assert_int_equal(seal(draft_of(draft), store, &h, &err), -(int)code);
    assert_null(h);
    if (!strstr(err.text, part))
        fail_msg("'%s' lacks '%s'", err.text, part);
}

static void test_seal_fills_what_the_engine_knows(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *store = json_object(), *h = NULL;
    assert_ok(seal(draft_of("{\"status\":\"completed\",\"summary\":\" 2 hot\\npaths \",\"output\":{\"n\":1},"
                            "\"artifacts\":[{\"name\":\"f.svg\",\"path\":\"/spool/f\",\"media\":\"image/svg+xml\"}],"
                            "\"sections\":[{\"label\":\"Findings\",\"text\":\"\\nx\\r\\ny\\n\\n\"}]}"),
                   store, &h, &err),
              &err);
    assert_true(handoff_id_valid(json_str(h, "id", NULL)));
    assert_string_equal(handoff_id_suffix(json_str(h, "id", NULL)), "performance");
    assert_string_equal(json_str(h, "agent_name", NULL), "rust-performance-engineer");
    assert_string_equal(json_str(h, "summary", NULL), "2 hot paths");
    assert_string_equal(json_str(h, "run", NULL), "relay-7f3k2q");
    assert_int_equal(json_int(h, "stage", 0), 2);
    assert_string_equal(json_string_value(json_array_get(json_list(h, "parent"), 0)), "2026-01-02T03-04-05-review");
    assert_string_equal(json_str(json_array_get(json_list(h, "sections"), 0), "text", NULL), "x\ny");
    assert_int_equal(json_int(json_array_get(json_list(h, "artifacts"), 0), "bytes", 0), 8);
    assert_true(json_is_null(json_object_get(h, "verdict")));
    assert_true(json_is_null(json_object_get(h, "blockers")));
}

static void test_seal_refuses_bad_drafts(void **state)
{
    (void)state;
    refuse("[]", ERR_INVALID, "not an object");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"colour\":1}", ERR_INVALID, "unknown key 'colour'");
    refuse("{\"status\":\"done\",\"summary\":\"x\"}", ERR_INVALID, "'status' is 'done'");
    refuse("{\"summary\":\"x\"}", ERR_INVALID, "'status'");
    refuse("{\"status\":\"completed\",\"summary\":\" \\n\"}", ERR_INVALID, "'summary' is empty");
    refuse("{\"status\":\"completed\",\"summary\":7}", ERR_INVALID, "'summary' must be a string");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"output\":[]}", ERR_INVALID, "'output' must be an object");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"verdict\":\"fine\"}", ERR_INVALID, "'verdict' is 'fine'");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"sections\":[{\"label\":\"a*b\",\"text\":\"\"}]}", ERR_INVALID,
           "label");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"sections\":[{\"label\":\"a\",\"body\":\"\"}]}", ERR_INVALID,
           "unknown key");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"artifacts\":[{\"name\":\"a\"}]}", ERR_INVALID,
           "must name a file");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"artifacts\":[{\"name\":\"a\",\"path\":\"/etc/passwd\"}]}",
           ERR_DENIED, "not in the spool");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"acceptance\":[1]}", ERR_INVALID, "acceptance criterion 1");
    refuse("{\"status\":\"completed\",\"summary\":\"x\",\"receipts\":[1]}", ERR_INVALID, "receipt 0");
    AUTO_BUF struct buf b = BUF_INIT;
    buf_str_add(&b, "{\"status\":\"completed\",\"summary\":\"x\",\"acceptance\":[");
    for (int i = 0; i <= HANDOFF_ITEMS_MAX; i++)
        buf_str_add(&b, i ? ",\"a\"" : "\"a\"");
    buf_str_add(&b, "]}");
    refuse(buf_str(&b), ERR_LIMIT, "acceptance");
}

static void test_seal_cuts_the_summary_at_a_character(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *store = json_object(), *h = NULL, *draft = json_object();
    AUTO_BUF struct buf b = BUF_INIT;
    for (int i = 0; i < 200; i++)
        buf_str_add(&b, "ü");
    json_put_str(draft, "status", "completed");
    json_put_str(draft, "summary", buf_str(&b));
    assert_ok(seal(json_incref(draft), store, &h, &err), &err);
    const char *summary = json_str(h, "summary", "");
    assert_true(strlen(summary) <= HANDOFF_SUMMARY_MAX && strlen(summary) > HANDOFF_SUMMARY_MAX - 4);
    assert_true(str_ends(summary, "ü…"));
}

static void test_seal_moves_large_values_out_and_resolves_them(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *store = json_object(), *h = NULL, *draft = json_object(), *output = json_object(),
                     *rows = json_array();
    for (int i = 0; i < 2000; i++) {
        json_t *row = json_object();
        json_put_int(row, "line", i);
        json_put_str(row, "function", "parser::next_token");
        json_array_append_new(rows, row);
    }
    json_put(output, "hot_paths", json_incref(rows));
    json_put_int(output, "improved", 7);
    json_put_str(draft, "status", "completed");
    json_put_str(draft, "summary", "x");
    json_put(draft, "output", json_incref(output));
    assert_ok(seal(json_incref(draft), store, &h, &err), &err);
    AUTO_FREE char *text = json_canonical(h);
    assert_true(strlen(text) <= HANDOFF_BYTES_MAX);
    const json_t *ref = json_object_get(json_obj(h, "output"), "hot_paths");
    assert_true(handoff_is_reference(ref));
    assert_int_equal(json_int(ref, "count", 0), 2000);
    assert_int_equal(json_array_size(json_list(ref, "head")), 3);
    assert_int_equal(json_int(json_obj(h, "output"), "improved", 0), 7);

    struct handoff_load load = {get, store};
    AUTO_JSON json_t *one = NULL, *all = NULL;
    assert_ok(handoff_resolve_new(ref, &load, &one, &err), &err);
    assert_true(json_equal(one, rows));
    assert_ok(handoff_resolve_new(json_obj(h, "output"), &load, &all, &err), &err);
    assert_true(json_equal(all, output));
    assert_true(
        handoff_is_reference(json_object_get(json_obj(h, "output"), "hot_paths"))); // the handoff itself is as it was

    json_put_str(store, json_str(ref, "$artifact", ""), "[]");
    json_t *none = NULL;
    assert_int_equal(handoff_resolve_new(ref, &load, &none, &err), -ERR_INVALID);
    json_object_clear(store);
    assert_int_equal(handoff_resolve_new(ref, &load, &none, &err), -ERR_NOT_FOUND);
}

static void test_seal_fits_whatever_comes(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *store = json_object(), *h = NULL, *draft = json_object(), *output = json_object(),
                     *sections = json_array();
    AUTO_JSON json_t *acceptance = json_array(), *artifacts = json_array();
    AUTO_BUF struct buf big = BUF_INIT;
    for (int i = 0; i < 300; i++)
        buf_str_add(&big, "\"quoted\" \\ text\n");
    for (int i = 0; i < 400; i++) {
        AUTO_FREE char *key = str_printf("a rather long key number %d", i);
        json_put_str(output, key, "small value");
    }
    for (int i = 0; i < HANDOFF_SECTIONS_MAX; i++) {
        AUTO_FREE char *label =
            str_printf("Section with a very long label, as long as is allowed, or nearly so: %d", i);
        json_t *section = json_object();
        json_put_str(section, "label", label);
        json_put_str(section, "text", buf_str(&big));
        json_array_append_new(sections, section);
    }
    for (int i = 0; i < HANDOFF_ITEMS_MAX; i++)
        json_add_str(acceptance, buf_str(&big));
    for (int i = 0; i < HANDOFF_ARTIFACTS_MAX; i++) {
        AUTO_FREE char *name = str_printf("an artifact with a long name, which is allowed up to a limit %d", i);
        json_t *a = json_object();
        json_put_str(a, "name", name);
        json_put_str(a, "path", "/spool/a");
        json_array_append_new(artifacts, a);
    }
    json_put_str(draft, "status", "blocked");
    json_put_str(draft, "summary", buf_str(&big));
    json_put_str(draft, "next_task", buf_str(&big));
    json_put_str(draft, "blockers", buf_str(&big));
    json_put(draft, "output", json_incref(output));
    json_put(draft, "sections", json_incref(sections));
    json_put(draft, "acceptance", json_incref(acceptance));
    json_put(draft, "artifacts", json_incref(artifacts));
    assert_ok(seal(json_incref(draft), store, &h, &err), &err);
    AUTO_FREE char *text = json_canonical(h);
    assert_true(strlen(text) <= HANDOFF_BYTES_MAX);
    struct handoff_load load = {get, store};
    AUTO_JSON json_t *back = NULL;
    assert_ok(handoff_resolve_new(json_object_get(h, "output"), &load, &back, &err), &err);
    assert_true(json_equal(back, output));
    json_t *none = NULL;
    assert_int_equal(
        handoff_seal(draft, &facts, &(struct handoff_store){.put_file = put_file, .context = store}, &none, &err),
        -ERR_LIMIT);
    assert_null(none);
}

static void test_blocked_draft_can_be_sealed(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *store = json_object(), *h = NULL;
    assert_ok(
        seal(handoff_blocked_draft_new("worker killed by signal 9", "line 1\n\xFF\x01 line 2\n"), store, &h, &err),
        &err);
    assert_string_equal(json_str(h, "status", NULL), "blocked");
    assert_string_equal(json_str(h, "summary", NULL), "Blocked: worker killed by signal 9");
    assert_non_null(strstr(json_str(h, "blockers", ""), "\xEF\xBF\xBD line 2"));
    AUTO_JSON json_t *store2 = json_object(), *h2 = NULL;
    assert_ok(seal(handoff_blocked_draft_new(NULL, NULL), store2, &h2, &err), &err);
    assert_non_null(strstr(json_str(h2, "blockers", ""), "no handoff"));
}

static size_t claims_of(const char *text)
{
    AUTO_JSON json_t *draft = draft_of(text);
    AUTO_JSON json_t *claims = handoff_check_draft_claims(draft);
    return json_array_size(claims);
}

static void test_claims_need_evidence(void **state)
{
    (void)state;
#define BENCH(rest) "{\"output\":{\"benchmarks\":[{\"name\":\"p\",\"improvement_pct\":12.5" rest
#define PROOF       "\"artifacts\":[{\"name\":\"raw.json\"}],\"receipts\":[{\"argv\":[\"cargo\",\"bench\"],\"exit\":0}]"
    assert_int_equal(claims_of(BENCH("}]}}")), 1);
    assert_int_equal(claims_of(BENCH(",\"evidence\":0}]}," PROOF "}")), 0);
    assert_int_equal(claims_of(BENCH(",\"evidence\":1}]}," PROOF "}")), 1);
    assert_int_equal(claims_of(BENCH(",\"evidence\":\"raw.json\"}]}," PROOF "}")), 0);
    assert_int_equal(claims_of(BENCH(",\"evidence\":\"other.json\"}]}," PROOF "}")), 1);
    assert_int_equal(claims_of(BENCH(",\"evidence\":[0,\"raw.json\"]}]}," PROOF "}")), 0);
    assert_int_equal(claims_of(BENCH(",\"evidence\":[]}]}," PROOF "}")), 1);
    assert_int_equal(claims_of(BENCH(",\"evidence\":{\"receipt\":0}}]}," PROOF "}")), 0);
    assert_int_equal(claims_of(BENCH("}],\"evidence\":0}," PROOF "}")), 0);
    assert_int_equal(claims_of("{\"output\":{\"results\":[\"parse is 3x faster\",\"12 %\",\"plain\"]}}"), 2);
    assert_int_equal(claims_of("{\"output\":{\"results\":[{\"name\":\"p\",\"before_ms\":3}]}}"), 0);
}

static void test_claims_of_tests_need_a_test_run(void **state)
{
    (void)state;
#define TESTS "\"output\":{\"tests\":{\"passed\":3}}"
    assert_int_equal(claims_of("{" TESTS "}"), 1);
    assert_int_equal(claims_of("{" TESTS ",\"receipts\":[{\"argv\":[\"cargo\",\"test\"],\"exit\":0}]}"), 0);
    assert_int_equal(claims_of("{" TESTS ",\"receipts\":[{\"argv\":[\"cargo\",\"test\"],\"exit\":101}]}"), 1);
    assert_int_equal(claims_of("{" TESTS ",\"receipts\":[{\"argv\":[\"cargo\",\"test\"],\"exit\":null}]}"), 1);
    assert_int_equal(claims_of("{" TESTS ",\"receipts\":[{\"argv\":[\"cargo\",\"build\"],\"exit\":0}]}"), 1);
    assert_int_equal(claims_of("{" TESTS ",\"receipts\":[{\"argv\":[\"cargo\",\"nextest\",\"run\"],\"exit\":0}]}"), 0);
    assert_int_equal(
        claims_of(
            "{\"output\":{\"tests\":{\"passed\":true,\"evidence\":0}},\"receipts\":[{\"argv\":[\"ls\"],\"exit\":0},"
            "{\"argv\":[\"cargo\",\"test\"],\"exit\":0}]}"),
        1);
    assert_int_equal(claims_of("{\"output\":{\"tests\":{\"passed\":false}}}"), 0);
    assert_int_equal(claims_of("{\"summary\":\"all tests pass\"}"), 1);
    assert_int_equal(claims_of("{\"summary\":\"12 % faster\"}"), 1);
}

static void test_ids_follow_the_grammar(void **state)
{
    (void)state;
    assert_true(handoff_id_valid("2026-11-22T21-30-00-live-tester"));
    assert_string_equal(handoff_id_suffix("2026-11-22T21-30-00-live-tester"), "live-tester");
    assert_false(handoff_id_valid("2026-11-22T21-30-00-"));
    assert_false(handoff_id_valid("2026-11-22T21-30-00-Review"));
    assert_false(handoff_id_valid("2026-02-30T21-30-00-review"));
    assert_false(handoff_id_valid("2026-11-22T21:30:00-review"));
    assert_false(handoff_id_valid("review-2026-11-22T21-30-00"));
    char id[HANDOFF_ID_MAX];
    handoff_id_next("2026-12-31T23-59-59-review", id);
    assert_string_equal(id, "2027-01-01T00-00-00-review");
    handoff_id_make(0, "Web3 Dev!", id);
    assert_string_equal(handoff_id_suffix(id), "web-dev");
    handoff_id_make(0, "", id);
    assert_string_equal(handoff_id_suffix(id), "agent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_fills_what_the_engine_knows),
        cmocka_unit_test(test_seal_refuses_bad_drafts),
        cmocka_unit_test(test_seal_cuts_the_summary_at_a_character),
        cmocka_unit_test(test_seal_moves_large_values_out_and_resolves_them),
        cmocka_unit_test(test_seal_fits_whatever_comes),
        cmocka_unit_test(test_blocked_draft_can_be_sealed),
        cmocka_unit_test(test_claims_need_evidence),
        cmocka_unit_test(test_claims_of_tests_need_a_test_run),
        cmocka_unit_test(test_ids_follow_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

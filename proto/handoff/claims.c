// A claim counts when something that our own runner recorded stands behind it. Only claims that a machine can recognise
// for sure are looked at: too many false alarms would teach people to ignore the list.
#include "handoff/handoff.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLAIMS_MAX 100

static void add_claim(json_t *claims, const char *fmt, ...) ATTR_PRINTF(2, 3);

static void add_claim(json_t *claims, const char *fmt, ...)
{
    if (json_array_size(claims) >= CLAIMS_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    char text[512];
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    AUTO_FREE char *line = text_line_new(text, 400);
    json_add_str(claims, line);
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool has_word(const char *text, const char *word)
{
    for (const char *p = text; (p = strcasestr(p, word)) != NULL; p++)
        if ((p == text || !is_word_byte(p[-1])) && !is_word_byte(p[strlen(word)]))
            return true;
    return false;
}

// "12 %", "12.5%", "3x faster", "slower"
static bool text_claims_speed(const char *text)
{
    if (has_word(text, "faster") || has_word(text, "slower"))
        return true;
    for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%')) {
        const char *q = p;
        while (q > text && q[-1] == ' ')
            q--;
        if (q > text && q[-1] >= '0' && q[-1] <= '9')
            return true;
    }
    return false;
}

static bool key_claims_speed(const char *key)
{
    return strcasestr(key, "percent") || str_ends(key, "_pct") || str_eq(key, "pct") ||
           strcasestr(key, "improvement") || strcasestr(key, "speedup") || str_eq_nocase(key, "faster") ||
           str_eq_nocase(key, "change");
}

static bool entry_claims_speed(const json_t *entry)
{
    if (json_is_string(entry))
        return text_claims_speed(json_string_value(entry));
    void *it = json_is_object(entry) ? json_object_iter((json_t *)(uintptr_t)entry) : NULL;
    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)entry, it)) {
        const json_t *v = json_object_iter_value(it);
        if (json_is_string(v) ? text_claims_speed(json_string_value(v)) || key_claims_speed(json_object_iter_key(it))
                              : (json_is_number(v) || json_is_true(v)) && key_claims_speed(json_object_iter_key(it)))
            return true;
    }
    return false;
}

// Does `evidence` name something of the draft: an artifact by name or hash, a receipt by index, or a list or object of
// these?
static bool names_evidence(const json_t *draft, const json_t *evidence)
{
    const json_t *artifacts = json_list(draft, "artifacts");
    if (json_is_integer(evidence))
        return json_integer_value(evidence) >= 0 &&
               (size_t)json_integer_value(evidence) < json_array_size(json_list(draft, "receipts"));
    if (json_is_string(evidence)) {
        const char *name = json_string_value(evidence);
        for (size_t i = 0; i < json_array_size(artifacts); i++) {
            const json_t *a = json_array_get(artifacts, i);
            if (str_eq(json_str(a, "name", NULL), name) || str_eq(json_str(a, "hash", NULL), name))
                return true;
        }
        return false;
    }
    if (json_is_object(evidence)) {
        const json_t *artifact = json_object_get(evidence, "artifact"), *receipt = json_object_get(evidence, "receipt");
        if (handoff_is_reference(evidence))
            return true;
        return (json_is_string(artifact) && names_evidence(draft, artifact)) ||
               (json_is_integer(receipt) && names_evidence(draft, receipt));
    }
    if (!json_is_array(evidence) || json_array_size(evidence) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(evidence); i++) {
        const json_t *one = json_array_get(evidence, i);
        if (json_is_array(one) || !names_evidence(draft, one))
            return false;
    }
    return true;
}

static const json_t *evidence_in(const json_t *object)
{
    static const char *const keys[] = {"evidence", "artifact", "receipt"};
    const json_t *v = NULL;
    for (size_t i = 0; !v && i < ARRAY_LEN(keys); i++)
        v = json_object_get(object, keys[i]);
    return v;
}

static void check_entry(const json_t *draft, const char *list, const json_t *entry, size_t i, const char *key,
                        json_t *claims)
{
    if (!entry_claims_speed(entry))
        return;
    const json_t *own = json_is_object(entry) ? evidence_in(entry) : NULL;
    const json_t *common = json_object_get(json_obj(draft, "output"), "evidence");
    if (names_evidence(draft, own ? own : common))
        return;
    const char *name =
        json_is_object(entry) ? json_str(entry, "name", json_str(entry, "id", key)) : json_string_value(entry);
    add_claim(claims, "output.%s[%zu] '%.120s' states a change of speed, but %s", list, i, name ? name : "",
              own ? "its evidence is no artifact or receipt of this stage"
                  : "names no artifact or receipt of this stage as evidence");
}

static void check_speed(const json_t *draft, json_t *claims)
{
    static const char *const lists[] = {"benchmarks", "results"};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const json_t *v = json_object_get(json_obj(draft, "output"), lists[k]);
        for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++)
            check_entry(draft, lists[k], json_array_get(v, i), i, NULL, claims);
        size_t i = 0;
        void *it = json_is_object(v) && !handoff_is_reference(v) ? json_object_iter((json_t *)(uintptr_t)v) : NULL;
        for (; it; it = json_object_iter_next((json_t *)(uintptr_t)v, it))
            check_entry(draft, lists[k], json_object_iter_value(it), i++, json_object_iter_key(it), claims);
    }
}

// `test` as a word of the command: "cargo test", "cargo nextest run", "ctest", "pytest", "./run-test"; not the value of
// an option.
static bool runs_tests(const json_t *receipt)
{
    const json_t *argv = json_list(receipt, "argv");
    const json_t *exit = json_object_get(receipt, "exit");
    if (!json_is_integer(exit) || json_integer_value(exit) != 0 || json_int(receipt, "signal", 0) != 0 ||
        json_flag(receipt, "timed_out", false))
        return false;
    for (size_t i = 0; i < json_array_size(argv); i++) {
        const char *arg = json_string_value(json_array_get(argv, i));
        if (arg && *arg != '-' && str_ends(arg, "test"))
            return true;
    }
    return false;
}

static bool tests_are_grounded(const json_t *draft, const json_t *evidence)
{
    const json_t *receipts = json_list(draft, "receipts");
    if (json_is_object(evidence) && json_object_get(evidence, "receipt"))
        evidence = json_object_get(evidence, "receipt");
    if (json_is_integer(evidence))
        return names_evidence(draft, evidence) &&
               runs_tests(json_array_get(receipts, (size_t)json_integer_value(evidence)));
    if (json_is_array(evidence) && json_array_size(evidence) > 0 && json_is_integer(json_array_get(evidence, 0))) {
        for (size_t i = 0; i < json_array_size(evidence); i++)
            if (json_is_integer(json_array_get(evidence, i)) && tests_are_grounded(draft, json_array_get(evidence, i)))
                return true;
        return false;
    }
    for (size_t i = 0; i < json_array_size(receipts); i++)
        if (runs_tests(json_array_get(receipts, i)))
            return true;
    return false;
}

static void check_tests(const json_t *draft, json_t *claims)
{
    const json_t *tests = json_obj(json_obj(draft, "output"), "tests");
    const json_t *passed = json_object_get(tests, "passed");
    if (!tests) {
        tests = json_obj(json_obj(draft, "output"), "test_results");
        passed = json_object_get(tests, "passed");
    }
    if ((json_is_true(passed) || json_number_value(passed) > 0) && !tests_are_grounded(draft, evidence_in(tests)))
        add_claim(
            claims,
            "output.tests says that tests passed, but no receipt of this stage shows a test command that ended with 0");
    const char *summary = json_str(draft, "summary", "");
    bool said = strcasestr(summary, "tests pass") || strcasestr(summary, "tests green") ||
                strcasestr(summary, "tests are green");
    if (said && !tests_are_grounded(draft, NULL))
        add_claim(
            claims,
            "the summary says that tests pass, but no receipt of this stage shows a test command that ended with 0");
}

static void check_summary(const json_t *draft, json_t *claims)
{
    const char *summary = json_str(draft, "summary", "");
    bool claims_speed = (has_word(summary, "faster") || has_word(summary, "slower")) && strpbrk(summary, "0123456789");
    if (claims_speed && json_array_size(json_list(draft, "artifacts")) == 0 &&
        json_array_size(json_list(draft, "receipts")) == 0)
        add_claim(claims, "the summary states a change of speed, but this stage has no artifact and no receipt");
}

json_t *handoff_check_draft_claims(const json_t *draft)
{
    json_t *claims = json_array();
    check_speed(draft, claims);
    check_tests(draft, claims);
    check_summary(draft, claims);
    return claims;
}

#include "reviewer/finding.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *lint, *kind, *scope, *severity, *confidence, *why;
} CHECKS[] = {
#define X(id, lint, kind, scope, severity, confidence, why) {lint, kind, scope, severity, confidence, why},
#include "reviewer/checks.def"
#undef X
};

// Where clippy and we would say the same about one line, clippy's finding stays: it knows the types.
static const struct {
    const char *clippy, *ours;
} SAME[] = {
    {"clippy::map_entry", "baton::double_lookup"},          {"clippy::needless_collect", "baton::collect_then_iterate"},
    {"clippy::redundant_clone", "baton::clone_in_loop"},    {"clippy::unnecessary_to_owned", "baton::clone_in_loop"},
    {"clippy::format_push_string", "baton::string_growth"}, {"clippy::set_contains_or_insert", "baton::double_lookup"},
    {"clippy::same_item_push", "baton::vec_growth"},
};

void findings_init(struct findings *f)
{
    *f = (struct findings){.list = json_array()};
}

void findings_free(struct findings *f)
{
    json_decref(f->list);
    *f = (struct findings){0};
}

void finding_add_json(struct findings *f, json_t *finding_consumed)
{
    if (json_array_size(f->list) >= FINDINGS_MAX) {
        f->left_out++;
        json_decref(finding_consumed);
        return;
    }
    json_array_append_new(f->list, finding_consumed);
}

json_t *finding_place_new(const struct place *at)
{
    json_t *v = json_object();
    json_put_str(v, "file", at->file);
    json_put_int(v, "line", at->line);
    json_put_int(v, "column", at->column ? at->column : 1);
    json_put_int(v, "line_end", at->line_end > at->line ? at->line_end : at->line);
    json_put_str(v, "function", at->function);
    return v;
}

void finding_add(struct findings *f, enum check check, const struct place *at, const char *suggestion,
                 const char *message_fmt, ...)
{
    char message[400];
    va_list args;
    va_start(args, message_fmt);
    vsnprintf(message, sizeof(message), message_fmt, args);
    va_end(args);
    message[str_utf8_cut(message, sizeof(message) - 1)] = '\0';
    json_t *v = finding_place_new(at);
    json_put_str(v, "kind", CHECKS[check].kind);
    json_put_str(v, "lint", CHECKS[check].lint);
    json_put_str(v, "message", message);
    json_put_str(v, "why", CHECKS[check].why);
    json_put_str(v, "suggestion", suggestion);
    json_t *fix = json_object();
    json_put_str(fix, "applicability", "none");
    json_put(fix, "edits", json_array());
    json_put(v, "fix", fix);
    json_put_str(v, "scope", CHECKS[check].scope);
    json_put_str(v, "confidence", CHECKS[check].confidence);
    json_put_str(v, "severity", CHECKS[check].severity);
    finding_add_json(f, v);
}

static int severity_rank(const json_t *v)
{
    const char *s = json_str(v, "severity", "suggestion");
    return str_eq(s, "critical") ? 0 : str_eq(s, "important") ? 1 : 2;
}

static int order(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int r = severity_rank(x) - severity_rank(y);
    if (r == 0)
        r = strcmp(json_str(x, "file", ""), json_str(y, "file", ""));
    const char *const numbers[] = {"line", "column"};
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(numbers); i++) {
        int64_t m = json_int(x, numbers[i], 0), n = json_int(y, numbers[i], 0);
        r = m < n ? -1 : m > n;
    }
    return r != 0 ? r : strcmp(json_str(x, "lint", ""), json_str(y, "lint", ""));
}

static bool says_the_same(const char *stays, const char *goes)
{
    if (str_eq(stays, goes))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(SAME); i++)
        if (str_eq(stays, SAME[i].clippy) && str_eq(goes, SAME[i].ours))
            return true;
    return false;
}

// lints_at: "file:line" -> array of lints there.
static bool is_double(const json_t *lints_at, const json_t *v, const char *key, bool exact_column_taken)
{
    size_t i;
    json_t *lint;
    json_array_foreach (json_list(lints_at, key), i, lint) {
        const char *other = json_string_value(lint), *own = json_str(v, "lint", "");
        if (str_eq(other, own) ? exact_column_taken : says_the_same(other, own))
            return true;
    }
    return false;
}

static void drop_doubles(struct findings *f)
{
    AUTO_JSON json_t *lints_at = json_object();
    AUTO_JSON json_t *exact = json_object();
    json_t *kept = json_array(), *v;
    size_t i;
    json_array_foreach (f->list, i, v) {
        if (!str_starts(json_str(v, "lint", ""), "clippy::"))
            continue;
        char *key = str_printf("%s:%lld", json_str(v, "file", ""), (long long)json_int(v, "line", 0));
        if (!json_list(lints_at, key))
            json_put(lints_at, key, json_array());
        json_add_str(json_list(lints_at, key), json_str(v, "lint", ""));
        mem_free(key);
    }
    json_array_foreach (f->list, i, v) {
        char *key = str_printf("%s:%lld", json_str(v, "file", ""), (long long)json_int(v, "line", 0));
        char *whole = str_printf("%s:%lld %s %s", key, (long long)json_int(v, "column", 0), json_str(v, "lint", ""),
                                 json_str(v, "kind", "")[0] == 'b' ? json_str(v, "message", "") : "");
        bool taken = json_object_get(exact, whole) != NULL;
        if (!taken && !is_double(lints_at, v, key, false))
            json_array_append(kept, v);
        json_put(exact, whole, json_true());
        mem_free(whole);
        mem_free(key);
    }
    json_decref(f->list);
    f->list = kept;
}

void findings_finish(struct findings *f)
{
    drop_doubles(f);
    size_t n = json_array_size(f->list);
    json_t **items = mem_array(n + 1, sizeof(items[0]));
    for (size_t i = 0; i < n; i++)
        items[i] = json_incref(json_array_get(f->list, i));
    qsort(items, n, sizeof(items[0]), order);
    json_array_clear(f->list);
    for (size_t i = 0; i < n; i++) {
        char id[24];
        snprintf(id, sizeof(id), "F%zu", i + 1);
        json_t *v = json_object();
        json_put_str(v, "id", id);
        json_object_update(v, items[i]);
        json_array_append_new(f->list, v);
        json_decref(items[i]);
    }
    mem_free(items);
}

size_t findings_count(const struct findings *f, const char *key, const char *value)
{
    size_t n = 0, i;
    json_t *v;
    json_array_foreach (f->list, i, v)
        n += str_eq(json_str(v, key, NULL), value);
    return n;
}

#include "rust/cargo_messages.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

typedef VEC(struct cargo_span) span_list;

static char *dup_member(const json_t *object, const char *key)
{
    return str_dup(json_str(object, key, NULL));
}

static void add_spans(const json_t *spans, bool suggestions, span_list *out)
{
    size_t i;
    json_t *v;
    json_array_foreach (spans, i, v) {
        const char *replacement = json_str(v, "suggested_replacement", NULL);
        if (suggestions && !replacement)
            continue;
        struct cargo_span s = {.file = str_dup(json_str(v, "file_name", "")),
                               .line = json_int(v, "line_start", 0),
                               .line_end = json_int(v, "line_end", 0),
                               .column = json_int(v, "column_start", 0),
                               .column_end = json_int(v, "column_end", 0),
                               .byte_start = json_int(v, "byte_start", -1),
                               .byte_end = json_int(v, "byte_end", -1),
                               .is_primary = json_flag(v, "is_primary", false),
                               .from_macro = json_is_object(json_object_get(v, "expansion")),
                               .replacement = str_dup(replacement),
                               .applicability = dup_member(v, "suggestion_applicability")};
        vec_push(out, s);
    }
}

static bool has_suggestion(const json_t *child)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_list(child, "spans"), i, v)
        if (json_str(v, "suggested_replacement", NULL))
            return true;
    return false;
}

// Rustc emits one child per suggestion; several parts of one suggestion are several spans of one child.
static void read_children(const json_t *message, struct cargo_diagnostic *d, span_list *spans)
{
    const char *help = NULL;
    bool help_suggests = false;
    size_t i;
    json_t *child;
    json_array_foreach (json_list(message, "children"), i, child) {
        bool suggests = has_suggestion(child);
        if (str_eq(json_str(child, "level", ""), "help") && (!help || (suggests && !help_suggests))) {
            help = json_str(child, "message", NULL);
            help_suggests = suggests;
        }
        if (!suggests)
            continue;
        if (d->suggestion_count == 0) {
            size_t before = spans->len;
            add_spans(json_list(child, "spans"), true, spans);
            d->suggestion_count = spans->len - before;
        } else {
            d->alternative_count++;
        }
    }
    d->help = str_dup(help);
}

static const char *kind_of(const json_t *target)
{
    const char *first = json_string_value(json_array_get(json_list(target, "kind"), 0));
    static const char *const OTHER[] = {"bin", "example", "bench", "test", "custom-build"};
    for (size_t i = 0; i < ARRAY_LEN(OTHER); i++)
        if (str_eq(first, OTHER[i]))
            return OTHER[i];
    return "lib";
}

static void read_diagnostic(const json_t *line, struct cargo_diagnostic *d)
{
    const json_t *message = json_obj(line, "message"), *target = json_obj(line, "target");
    *d = (struct cargo_diagnostic){.package_id = dup_member(line, "package_id"),
                                   .target_name = dup_member(target, "name"),
                                   .target_kind = str_dup(kind_of(target)),
                                   .code = dup_member(json_obj(message, "code"), "code"),
                                   .level = str_dup(json_str(message, "level", "")),
                                   .message = str_dup(json_str(message, "message", "")),
                                   .rendered = dup_member(message, "rendered")};
    span_list spans = {0};
    add_spans(json_list(message, "spans"), false, &spans);
    d->span_count = spans.len;
    read_children(message, d, &spans);
    d->spans = spans.items;
}

static void read_artifact(const json_t *line, struct cargo_artifact *a)
{
    const json_t *target = json_obj(line, "target"), *profile = json_obj(line, "profile");
    const json_t *debug = json_object_get(profile, "debuginfo");
    *a = (struct cargo_artifact){.package_id = dup_member(line, "package_id"),
                                 .target_name = dup_member(target, "name"),
                                 .target_kind = str_dup(kind_of(target)),
                                 .src_path = dup_member(target, "src_path"),
                                 .executable = dup_member(line, "executable"),
                                 .is_test_profile = json_flag(profile, "test", false),
                                 .opt_level = dup_member(profile, "opt_level"),
                                 .fresh = json_flag(line, "fresh", false)};
    if (json_is_integer(debug))
        a->debuginfo = str_printf("%lld", (long long)json_integer_value(debug));
    else
        a->debuginfo = str_dup(json_is_string(debug) ? json_string_value(debug) : "0");
    const json_t *names = json_list(line, "filenames");
    a->filenames = mem_array(json_array_size(names) + 1, sizeof(char *));
    size_t i, n = 0;
    json_t *v;
    json_array_foreach (names, i, v)
        if (json_is_string(v))
            a->filenames[n++] = str_dup(json_string_value(v));
}

struct lists {
    VEC(struct cargo_diagnostic) diagnostics;
    VEC(struct cargo_artifact) artifacts;
};

static void read_line(const char *s, size_t len, struct lists *lists, struct cargo_messages *m)
{
    AUTO_JSON json_t *v = len <= CARGO_LINE_MAX && s[0] == '{' ? json_parse_new(s, len, "a line of cargo", NULL) : NULL;
    const char *reason = json_str(v, "reason", NULL);
    if (!reason) {
        m->bad_lines++;
    } else if (str_eq(reason, "build-finished")) {
        m->finished = true;
        m->succeeded = json_flag(v, "success", false);
    } else if (str_eq(reason, "compiler-message") && json_obj(v, "message")) {
        struct cargo_diagnostic d;
        if (lists->diagnostics.len >= CARGO_MESSAGES_MAX) {
            m->left_out++;
            return;
        }
        read_diagnostic(v, &d);
        vec_push(&lists->diagnostics, d);
    } else if (str_eq(reason, "compiler-artifact")) {
        struct cargo_artifact a;
        if (lists->artifacts.len >= CARGO_MESSAGES_MAX) {
            m->left_out++;
            return;
        }
        read_artifact(v, &a);
        vec_push(&lists->artifacts, a);
    }
}

void cargo_messages_parse(const char *text, size_t len, struct cargo_messages *ret)
{
    *ret = (struct cargo_messages){0};
    struct lists lists = {0};
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len, blank = 0;
        while (blank < n && (text[blank] == ' ' || text[blank] == '\r' || text[blank] == '\t'))
            blank++;
        if (blank < n)
            read_line(text + blank, n - blank, &lists, ret);
        n += end ? 1 : 0;
        text += n;
        len -= n;
    }
    ret->diagnostics = lists.diagnostics.items;
    ret->diagnostic_count = lists.diagnostics.len;
    ret->artifacts = lists.artifacts.items;
    ret->artifact_count = lists.artifacts.len;
}

static void free_diagnostic(struct cargo_diagnostic *d)
{
    for (size_t i = 0; i < d->span_count + d->suggestion_count; i++) {
        mem_free(d->spans[i].file);
        mem_free(d->spans[i].replacement);
        mem_free(d->spans[i].applicability);
    }
    mem_free(d->spans);
    mem_free(d->package_id);
    mem_free(d->target_name);
    mem_free(d->target_kind);
    mem_free(d->code);
    mem_free(d->level);
    mem_free(d->message);
    mem_free(d->rendered);
    mem_free(d->help);
}

void cargo_messages_free(struct cargo_messages *m)
{
    for (size_t i = 0; i < m->diagnostic_count; i++)
        free_diagnostic(&m->diagnostics[i]);
    for (size_t i = 0; i < m->artifact_count; i++) {
        struct cargo_artifact *a = &m->artifacts[i];
        str_list_free(a->filenames);
        mem_free(a->package_id);
        mem_free(a->target_name);
        mem_free(a->target_kind);
        mem_free(a->src_path);
        mem_free(a->executable);
        mem_free(a->opt_level);
        mem_free(a->debuginfo);
    }
    mem_free(m->diagnostics);
    mem_free(m->artifacts);
    *m = (struct cargo_messages){0};
}

const struct cargo_span *cargo_primary_span(const struct cargo_diagnostic *d)
{
    for (size_t i = 0; i < d->span_count; i++)
        if (d->spans[i].is_primary)
            return &d->spans[i];
    return NULL;
}

bool cargo_from_macro(const struct cargo_diagnostic *d)
{
    for (size_t i = 0; i < d->span_count + d->suggestion_count; i++)
        if (d->spans[i].from_macro)
            return true;
    return false;
}

const char *cargo_executable(const struct cargo_messages *m, const char *target, const char *kind)
{
    for (size_t i = 0; i < m->artifact_count; i++) {
        const struct cargo_artifact *a = &m->artifacts[i];
        if (a->executable && str_eq(a->target_name, target) && str_eq(a->target_kind, kind))
            return a->executable;
    }
    return NULL;
}

#include "reviewer/clippy.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/source.h"

#include <string.h>

static const struct lint {
    const char *name;
    char group;
    const char *severity, *confidence, *why;
} LINTS[] = {
#define X(name, group, severity, confidence, why) {name, group, severity, confidence, why},
#include "reviewer/lints.def"
#undef X
};

// "clippy::x" of the lints that are not in the perf group, as -W arguments.
static const char *const SELECTED[] = {
#define X(name, group, severity, confidence, why) group != 'p' ? "-Wclippy::" name : NULL,
#include "reviewer/lints.def"
#undef X
};

// The file that was looked at last: diagnostics come grouped by file.
struct open_file {
    char *path; // below the root
    char *text;
    size_t len;
    struct source source;
};

const char **clippy_argv(bool whole_workspace, bool locked)
{
    const char **argv = mem_array(ARRAY_LEN(SELECTED) + 16, sizeof(argv[0]));
    size_t n = 0;
    argv[n++] = "cargo";
    argv[n++] = "clippy";
    if (whole_workspace)
        argv[n++] = "--workspace";
    if (locked)
        argv[n++] = "--locked";
    argv[n++] = "--message-format=json";
    argv[n++] = "--";
    argv[n++] = "--cap-lints";
    argv[n++] = "warn";
    argv[n++] = "-Aclippy::all";
    argv[n++] = "-Wclippy::perf";
    for (size_t i = 0; i < ARRAY_LEN(SELECTED); i++)
        if (SELECTED[i])
            argv[n++] = SELECTED[i];
    return argv;
}

// Removes the word "-W<lint>"; whether it was there.
static bool drop_word(const char **argv, const char *lint, size_t lint_len)
{
    for (; *argv; argv++) {
        if (strncmp(*argv, "-W", 2) != 0 || strlen(*argv) != lint_len + 2 || strncmp(*argv + 2, lint, lint_len) != 0)
            continue;
        for (; *argv; argv++)
            argv[0] = argv[1];
        return true;
    }
    return false;
}

char *clippy_drop_unknown(const struct cargo_messages *messages, const char **argv)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < messages->diagnostic_count; i++) {
        const struct cargo_diagnostic *d = &messages->diagnostics[i];
        const char *lint = str_eq(d->code, "E0602") ? strchr(d->message, '`') : NULL; // unknown lint: `clippy::x`
        size_t len = lint ? strcspn(++lint, "`") : 0;
        if (len > 0 && drop_word(argv, lint, len))
            buf_printf(&names, "%s%.*s", names.len ? ", " : "", (int)len, lint);
    }
    return names.len ? buf_steal(&names) : NULL;
}

static const struct lint *find_lint(const char *code)
{
    if (!code || !str_starts(code, "clippy::"))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(LINTS); i++)
        if (str_eq(code + strlen("clippy::"), LINTS[i].name))
            return &LINTS[i];
    return NULL;
}

static void close_file(struct open_file *f)
{
    source_close(&f->source);
    mem_free(f->path);
    mem_free(f->text);
    *f = (struct open_file){0};
}

static bool open_file(struct open_file *f, struct files *files, const char *below)
{
    if (str_eq(f->path, below))
        return f->source.t.count > 0;
    close_file(f);
    f->path = str_dup(below);
    if (files_read(files, below, RUST_SOURCE_MAX, &f->text, &f->len, NULL) < 0)
        return false;
    return source_open(f->path, f->text, f->len, &f->source, NULL) == 0 && f->source.t.count > 0;
}

// File of a span below the checkout root, owned by the caller; NULL when it lies elsewhere.
static char *file_below(const struct clippy_scope *scope, const char *file)
{
    AUTO_FREE char *joined = path_join(scope->workspace_root, file);
    AUTO_FREE char *path = strstr(joined, "/../") ? path_real(joined, NULL) : str_dup(joined);
    const char *below = path ? path_below(path, scope->root) : NULL;
    if (!below || !*below || str_starts(below, "target/") || strstr(below, "/target/") || str_starts(below, "/"))
        return NULL;
    return str_dup(below);
}

static bool in_test(const struct source *s, int64_t line)
{
    for (uint32_t i = 0; i < s->t.count; i++) {
        if (s->t.items[i].line >= line)
            return s->items.excluded[i];
    }
    return false;
}

// Whether anything on the line, from the column on, is run by a loop.
static bool in_loop(const struct source *s, const struct cargo_span *span)
{
    for (uint32_t i = 0; i < s->t.count && s->t.items[i].line <= span->line; i++)
        if (s->t.items[i].line == span->line && rust_column(&s->t, i) >= span->column)
            return s->items.loop_of[i] != RUST_NONE;
    return false;
}

static json_t *fix_of(const struct cargo_diagnostic *d, const struct clippy_scope *scope, size_t file_len,
                      const char *file)
{
    json_t *fix = json_object(), *edits = json_array();
    const char *applicability = d->suggestion_count ? "machine" : "none";
    for (size_t i = d->span_count; i < d->span_count + d->suggestion_count; i++) {
        const struct cargo_span *s = &d->spans[i];
        AUTO_FREE char *below = file_below(scope, s->file);
        bool valid = s->byte_start >= 0 && s->byte_end >= s->byte_start && str_eq(below, file) &&
                     (size_t)s->byte_end <= file_len;
        if (!valid || s->from_macro)
            applicability = "none";
        else if (str_eq(s->applicability, "MaybeIncorrect") && !str_eq(applicability, "none"))
            applicability = "maybe";
        else if (!str_eq(s->applicability, "MachineApplicable") && !str_eq(applicability, "maybe"))
            applicability = "none";
        json_t *edit = json_object();
        json_put_str(edit, "file", file);
        json_put_int(edit, "byte_start", s->byte_start);
        json_put_int(edit, "byte_end", s->byte_end);
        json_put_str(edit, "text", s->replacement);
        json_array_append_new(edits, edit);
    }
    if (str_eq(applicability, "machine") && d->alternative_count > 0)
        applicability = "maybe"; // somebody has to choose
    if (str_eq(applicability, "none"))
        json_array_clear(edits);
    json_put_str(fix, "applicability", applicability);
    json_put(fix, "edits", edits);
    return fix;
}

static char *suggestion_of(const struct cargo_diagnostic *d)
{
    if (d->suggestion_count == 1 && d->help) {
        const char *text = d->spans[d->span_count].replacement;
        return *text && strlen(text) < 200 ? str_printf("%s: `%s`", d->help, text) : str_dup(d->help);
    }
    return str_dup(d->help ? d->help : "see the lint's documentation");
}

// Whether what is collected is only asked for its length or the like. Where it is walked over later, the lint does not see that
// the collection ends a borrow or gives the iterator a name, and is wrong more often than right.
static bool collects_to_ask(const struct cargo_diagnostic *d)
{
    static const char *const ANSWERS[] = {"count()", "any(", "next()", "is_empty"};
    const char *text = d->suggestion_count == 1 ? d->spans[d->span_count].replacement : NULL;
    for (size_t i = 0; text && i < ARRAY_LEN(ANSWERS); i++)
        if (strstr(text, ANSWERS[i]))
            return true;
    return false;
}

static void add_finding(const struct cargo_diagnostic *d, const struct clippy_scope *scope, struct open_file *open,
                        struct findings *ret)
{
    const struct lint *lint = find_lint(d->code);
    const struct cargo_span *span = cargo_primary_span(d);
    if (!lint || !span || cargo_from_macro(d) || (!str_eq(d->target_kind, "lib") && !str_eq(d->target_kind, "bin")))
        return;
    AUTO_FREE char *file = file_below(scope, span->file);
    if (!file || !open_file(open, scope->files, file) || in_test(&open->source, span->line))
        return;
    if (lint->group == 'l' && !in_loop(&open->source, span))
        return;
    if (str_eq(d->code, "clippy::needless_collect") && !collects_to_ask(d))
        return;
    AUTO_FREE char *function =
        rust_function_label(&open->source.items, rust_function_at_line(&open->source.items, (uint32_t)span->line));
    struct place at = {.file = file,
                       .line = (uint32_t)span->line,
                       .column = (uint32_t)span->column,
                       .line_end = (uint32_t)span->line_end,
                       .function = function};
    json_t *v = finding_place_new(&at);
    AUTO_FREE char *suggestion = suggestion_of(d);
    json_put_str(v, "kind", "clippy");
    json_put_str(v, "lint", d->code);
    json_put_str(v, "message", d->message);
    json_put_str(v, "why", lint->why);
    json_put_str(v, "suggestion", suggestion);
    json_put(v, "fix", fix_of(d, scope, open->len, file));
    json_put_str(v, "scope", "runtime");
    json_put_str(v, "confidence", lint->confidence);
    json_put_str(v, "severity", lint->severity);
    finding_add_json(ret, v);
}

void clippy_findings(const struct cargo_messages *messages, const struct clippy_scope *scope, struct findings *ret)
{
    struct open_file open = {0};
    for (size_t i = 0; i < messages->diagnostic_count; i++)
        add_finding(&messages->diagnostics[i], scope, &open, ret);
    close_file(&open);
}

char *clippy_compile_error(const struct cargo_messages *messages)
{
    for (size_t i = 0; i < messages->diagnostic_count; i++) {
        const struct cargo_diagnostic *d = &messages->diagnostics[i];
        if (!str_eq(d->level, "error") || str_starts(d->message, "aborting due to") ||
            (d->code && str_starts(d->code, "clippy::")))
            continue;
        const struct cargo_span *span = cargo_primary_span(d);
        return span ? str_printf("%s:%lld: %s", span->file, (long long)span->line, d->message) : str_dup(d->message);
    }
    return NULL;
}

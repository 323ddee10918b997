// Before and after of every touched file, by the lexer: what may not come (unsafe) and what may not go (tests,
// assertions, public items of libraries, checks in profiles). Counts are over all touched files together, so that
// moving code is not held against it.
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/source.h"
#include "reviewer/verify.h"
#include "rust/manifest.h"

#include <string.h>

struct facts {
    size_t unsafes, assertions, ignores;
    json_t *tests;   // name -> how many
    json_t *publics; // name -> how many
    json_t *where;   // name of either -> [file, line] where it was seen first
};

static void facts_init(struct facts *f)
{
    *f = (struct facts){.tests = json_object(), .publics = json_object(), .where = json_object()};
}

static void facts_free(struct facts *f)
{
    json_decref(f->tests);
    json_decref(f->publics);
    json_decref(f->where);
}

static void count_name(struct facts *f, json_t *names, const char *name, const char *file, uint32_t line)
{
    json_put_int(names, name, json_int(names, name, 0) + 1);
    if (!json_object_get(f->where, name)) {
        json_t *place = json_array();
        json_add_str(place, file);
        json_array_append_new(place, json_integer(line));
        json_put(f->where, name, place);
    }
}

// `#[…test]` at token i: the function behind its attributes.
static void note_test(const struct rust_tokens *t, uint32_t i, const char *file, struct facts *f)
{
    uint32_t last = i + 2;
    while (rust_is_any_ident(t, last) && rust_is_op(t, last + 1, "::"))
        last += 3;
    if (!rust_is_one_of(t, last, "test bench rstest test_case quickcheck"))
        return;
    for (uint32_t k = rust_skip_group(t, i + 1), n = 0; k < t->count && n < 40; n++) {
        if (rust_is_ident(t, k, "fn") && rust_is_any_ident(t, k + 1)) {
            AUTO_FREE char *name = rust_token_text(t, k + 1);
            count_name(f, f->tests, name, file, t->items[k].line);
            return;
        }
        if (rust_is_punct(t, k, '{') || rust_is_punct(t, k, ';'))
            return;
        k = rust_skip_group(t, k);
    }
}

static void gather(const char *file, const char *text, size_t len, bool publics, struct facts *f)
{
    struct source s;
    if (source_open(file, text, len, &s, NULL) < 0) {
        source_close(&s);
        return;
    }
    const struct rust_tokens *t = &s.t;
    for (uint32_t i = 0; i < t->count; i++) {
        f->unsafes += rust_is_ident(t, i, "unsafe");
        f->assertions +=
            rust_is_punct(t, i + 1, '!') && rust_is_one_of(t, i,
                                                           "assert assert_eq assert_ne debug_assert debug_assert_eq "
                                                           "debug_assert_ne assert_matches prop_assert prop_assert_eq");
        if (rust_is_punct(t, i, '#') && rust_is_punct(t, i + 1, '[')) {
            f->ignores += rust_is_ident(t, i + 2, "ignore");
            note_test(t, i, file, f);
        }
    }
    for (size_t i = 0; publics && i < s.items.public_count; i++)
        count_name(f, f->publics, s.items.publics[i].name, file, s.items.publics[i].line);
    source_close(&s);
}

// What may not be read cannot be approved.
static char *read_side(const struct verify_request *request, struct verification *v, bool work, const char *file,
                       size_t *len)
{
    char *text = NULL;
    struct err err;
    int r = files_read(work ? request->work_files : request->base_files, file, RUST_SOURCE_MAX, &text, len, &err);
    if (r == -ERR_DENIED)
        verify_ask(v, request, NULL, file, 1, "critical", "let the reviewer read it, or take the change back", "%.400s",
                   err.text);
    if (r < 0)
        *len = 0;
    return text;
}

static bool is_library_file(const struct workplace *work, const char *file)
{
    if (!work || !work->has_metadata)
        return true;
    AUTO_FREE char *path = path_join(work->root, file);
    const struct cargo_package *p = cargo_package_of_path(&work->metadata, path);
    return p && cargo_package_has_target(p, "lib");
}

// `before` and `after` are the same member of both sides.
static void ask_lost_names(const struct verify_request *request, struct verification *v, const struct facts *seen,
                           const json_t *before, const json_t *after, const char *fix, const char *what)
{
    void *it = json_object_iter((json_t *)(uintptr_t)before);
    for (size_t n = 0; it && n < 20; it = json_object_iter_next((json_t *)(uintptr_t)before, it)) {
        const char *name = json_object_iter_key(it);
        if (json_int(after, name, 0) >= json_integer_value(json_object_iter_value(it)))
            continue;
        const json_t *place = json_list(seen->where, name);
        verify_ask(v, request, NULL, json_string_value(json_array_get(place, 0)),
                   (uint32_t)json_integer_value(json_array_get(place, 1)), "critical", fix, "%s `%s` is gone", what,
                   name);
        n++;
    }
}

static bool profile_of(const char *text, size_t len, const char *file, const char *name, struct profile *ret)
{
    struct manifest m;
    if (!text || manifest_parse(text, len, file, &m, NULL) < 0)
        return false;
    int r = manifest_profile(&m, name, ret, NULL);
    manifest_free(&m);
    return r == 0;
}

static void check_manifest(const struct verify_request *request, const struct diff_file *f, struct verification *v)
{
    static const char *const PROFILES[] = {"dev", "test", "release", "bench"};
    size_t before_len = 0, after_len = 0;
    AUTO_FREE char *before = read_side(request, v, false, f->path, &before_len);
    AUTO_FREE char *after = read_side(request, v, true, f->path, &after_len);
    for (size_t i = 0; i < ARRAY_LEN(PROFILES); i++) {
        struct profile old, new;
        if (!profile_of(before, before_len, f->path, PROFILES[i], &old) ||
            !profile_of(after, after_len, f->path, PROFILES[i], &new))
            continue;
        if (old.overflow_checks && !new.overflow_checks)
            verify_ask(v, request, NULL, f->path, diff_line_with(f, "overflow-checks"), "critical",
                       "keep overflow-checks as they were", "overflow checks are switched off in profile %s",
                       PROFILES[i]);
        if (old.debug_assertions && !new.debug_assertions)
            verify_ask(v, request, NULL, f->path, diff_line_with(f, "debug-assertions"), "critical",
                       "keep debug-assertions as they were", "debug assertions are switched off in profile %s",
                       PROFILES[i]);
    }
}

void verify_content(const struct verify_request *request, const struct diff *diff, const struct workplace *work,
                    struct verification *v)
{
    struct facts before, after;
    const struct diff_file *more_unsafe = NULL, *less_asserted = NULL, *more_ignored = NULL; // to point at
    facts_init(&before);
    facts_init(&after);
    for (size_t i = 0; i < diff->files.len; i++) {
        const struct diff_file *f = &diff->files.items[i];
        if (str_eq(path_base(f->path), "Cargo.toml"))
            check_manifest(request, f, v);
        if (f->binary || !str_ends(f->path, ".rs"))
            continue;
        size_t old_len = 0, new_len = 0;
        struct facts b = before, a = after; // counts up to here
        AUTO_FREE char *old = read_side(request, v, false, f->path, &old_len);
        AUTO_FREE char *new = f->deleted ? NULL : read_side(request, v, true, f->path, &new_len);
        bool library = is_library_file(work, f->path);
        if (old)
            gather(f->path, old, old_len, library, &before);
        if (new)
            gather(f->path, new, new_len, library, &after);
        if (!more_unsafe && after.unsafes - a.unsafes > before.unsafes - b.unsafes)
            more_unsafe = f;
        if (!less_asserted && after.assertions - a.assertions < before.assertions - b.assertions)
            less_asserted = f;
        if (!more_ignored && after.ignores - a.ignores > before.ignores - b.ignores)
            more_ignored = f;
    }
    if (more_unsafe && after.unsafes > before.unsafes)
        verify_ask(v, request, NULL, more_unsafe->path, diff_line_with(more_unsafe, "unsafe"), "critical",
                   "do it without unsafe, or leave it to a person", "`unsafe` is added (%zu more)",
                   after.unsafes - before.unsafes);
    if (less_asserted && after.assertions < before.assertions)
        verify_ask(v, request, NULL, less_asserted->path, diff_line_with(less_asserted, NULL), "critical",
                   "put the assertions back", "assertions are gone (%zu fewer)", before.assertions - after.assertions);
    if (more_ignored && after.ignores > before.ignores)
        verify_ask(v, request, NULL, more_ignored->path, diff_line_with(more_ignored, "ignore"), "critical",
                   "let the test run", "tests are newly ignored (%zu more)", after.ignores - before.ignores);
    ask_lost_names(request, v, &before, before.tests, after.tests, "put the test back", "the test");
    ask_lost_names(request, v, &before, before.publics, after.publics, "keep the item: others may use it",
                   "the public item");
    facts_free(&before);
    facts_free(&after);
}

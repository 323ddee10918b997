#include "reviewer/source.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define WALK_MAX 20000 // tokens one question looks at in one direction

// Methods that take &self on the types that are expensive to copy (strings, vectors, maps, paths, options).
static const char READING_METHODS[] =
    "len is_empty as_str as_bytes as_slice as_ref as_deref as_path as_os_str iter chars bytes char_indices lines split "
    "split_whitespace trim trim_start trim_end starts_with ends_with contains contains_key get first last find rfind "
    "parse "
    "to_string to_owned to_vec to_lowercase to_uppercase to_ascii_lowercase to_ascii_uppercase eq ne cmp partial_cmp "
    "hash is_some "
    "is_none is_ok is_err keys values windows chunks binary_search repeat join concat clone exists is_file is_dir "
    "display "
    "to_str to_string_lossy file_name extension eq_ignore_ascii_case matches strip_prefix strip_suffix";

static const char FORMAT_MACROS[] =
    "format println print eprintln eprint write writeln panic assert assert_eq assert_ne "
    "debug_assert debug_assert_eq debug_assert_ne format_args todo unreachable trace debug info warn error";

int source_open(const char *file, const char *text, size_t len, struct source *ret, struct err *err)
{
    *ret = (struct source){.file = file};
    int r = rust_lex(text, len, &ret->t, err);
    if (r < 0)
        return r;
    rust_items_find(&ret->t, &ret->items);
    return 0;
}

void source_close(struct source *s)
{
    rust_items_free(&s->items);
    rust_tokens_free(&s->t);
}

void source_finding(const struct source *s, struct findings *f, enum check check, uint32_t i, const char *suggestion,
                    const char *message)
{
    AUTO_FREE char *function = rust_function_label(&s->items, s->items.function_of[i]);
    struct place at = {
        .file = s->file, .line = s->t.items[i].line, .column = rust_column(&s->t, i), .function = function};
    finding_add(f, check, &at, suggestion, "%s", message);
}

bool source_in_loop(const struct source *s, uint32_t i)
{
    return s->items.loop_of[i] != RUST_NONE && !s->items.excluded[i] && s->items.function_of[i] != RUST_NONE;
}

uint32_t place_start(const struct source *s, uint32_t last)
{
    const struct rust_tokens *t = &s->t;
    uint32_t i = last;
    while (rust_is_any_ident(t, i) || (i < t->count && t->items[i].kind == RUST_NUMBER)) {
        if (i < 2 || !rust_is_punct(t, i - 1, '.'))
            return rust_is_any_ident(t, i) && (i < 2 || !rust_is_op(t, i - 2, "::")) ? i : RUST_NONE;
        i -= 2;
    }
    return RUST_NONE;
}

bool same_tokens(const struct rust_tokens *t, uint32_t a, uint32_t a_end, uint32_t b, uint32_t b_end)
{
    if (a_end < a || b_end < b || a_end - a != b_end - b)
        return false;
    for (uint32_t k = 0; k <= a_end - a; k++)
        if (!rust_same(t, a + k, b + k))
            return false;
    return true;
}

static uint32_t step_back(const struct rust_tokens *t, uint32_t i)
{
    uint32_t partner = t->items[i].partner;
    return partner != RUST_NONE && partner < i ? partner : i;
}

uint32_t block_around(const struct rust_tokens *t, uint32_t i)
{
    for (uint32_t n = 0; i > 0 && n < WALK_MAX; n++) {
        uint32_t before = step_back(t, i - 1);
        if (before == i - 1 && rust_is_punct(t, before, '{'))
            return t->items[before].partner != RUST_NONE ? before : RUST_NONE;
        i = before;
    }
    return RUST_NONE;
}

void statement_around(const struct rust_tokens *t, uint32_t i, uint32_t *first, uint32_t *last)
{
    uint32_t a = i;
    for (uint32_t n = 0; a > 0 && n < WALK_MAX; n++) {
        if (rust_is_punct(t, a - 1, ';') || rust_is_punct(t, a - 1, '{') || rust_is_punct(t, a - 1, '}'))
            break;
        a = step_back(t, a - 1);
    }
    uint32_t b = i;
    for (uint32_t n = 0; b + 1 < t->count && n < WALK_MAX; n++) {
        if (rust_is_punct(t, b, ';') || rust_is_punct(t, b + 1, '}'))
            break;
        uint32_t next = rust_skip_group(t, b + 1);
        b = next > b + 2 ? next - 1 : b + 1;
    }
    *first = a;
    *last = b;
}

static bool in_format_macro(const struct rust_tokens *t, uint32_t i)
{
    for (uint32_t n = 0; i > 0 && n < 200; n++) {
        uint32_t before = step_back(t, i - 1);
        bool stepped_over = before != i - 1;
        i = before;
        if (stepped_over)
            continue;
        if (rust_is_punct(t, i, ';') || rust_is_punct(t, i, '{'))
            return false;
        if ((rust_is_punct(t, i, '(') || rust_is_punct(t, i, '[')) && i >= 2 && rust_is_punct(t, i - 1, '!') &&
            rust_is_one_of(t, i - 2, FORMAT_MACROS))
            return true;
    }
    return false;
}

static bool is_assignment(const struct rust_tokens *t, uint32_t i)
{
    if (rust_is_punct(t, i, '='))
        return !rust_is_op(t, i, "==") && !rust_is_op(t, i, "=>");
    return i + 1 < t->count && t->items[i].kind == RUST_PUNCT && strchr("+-*/%|&^", t->items[i].first) &&
           rust_is_punct(t, i + 1, '=') && t->items[i + 1].start == t->items[i].end;
}

// Behind the name at i: walks over fields and index brackets, then says whether what follows only reads.
static bool chain_reads(const struct rust_tokens *t, uint32_t i, bool borrowed)
{
    uint32_t k = i + 1;
    bool indexed = false;
    for (int n = 0; n < 32; n++) {
        if (rust_is_punct(t, k, '[')) {
            k = rust_skip_group(t, k);
            indexed = true;
        } else if (rust_is_punct(t, k, '.') && !rust_is_op(t, k, "..")) {
            if (rust_is_punct(t, k + 2, '(') || rust_is_op(t, k + 2, "::"))
                return rust_is_one_of(t, k + 1, READING_METHODS);
            k += 2;
        } else {
            break;
        }
    }
    if (is_assignment(t, k) || rust_is_punct(t, k, '(') || rust_is_punct(t, k, '?'))
        return false;
    if (borrowed || indexed || rust_is_op(t, k, "==") || rust_is_op(t, k, "!=") || in_format_macro(t, i))
        return true;
    return i > 2 && (rust_is_op(t, i - 2, "==") || rust_is_op(t, i - 2, "!="));
}

enum name_use name_use_at(const struct rust_tokens *t, uint32_t i)
{
    if (i > 0 && rust_is_punct(t, i - 1, '.') && !(i > 1 && rust_is_op(t, i - 2, "..")))
        return USE_NONE;
    if (rust_is_op(t, i + 1, "::") || (i > 1 && rust_is_op(t, i - 2, "::")) ||
        (rust_is_punct(t, i + 1, '!') && !rust_is_op(t, i + 1, "!=")))
        return USE_NONE;
    // a closure's parameter `|name|`: a binding, and what is bound there is judged by its own uses
    if (i > 0 && rust_is_punct(t, i - 1, '|') && (rust_is_punct(t, i + 1, '|') || rust_is_punct(t, i + 1, ',')))
        return USE_NONE;
    // `&name`: the ampersand must be a borrow or `&&` (a comparison, reads too), never `& mut`
    bool borrowed = i > 0 && rust_is_punct(t, i - 1, '&');
    return chain_reads(t, i, borrowed) ? USE_READ : USE_OTHER;
}

struct name_uses name_uses_in(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last)
{
    struct name_uses uses = {0};
    for (uint32_t i = first; i <= last && i < t->count; i++) {
        if (t->items[i].kind != RUST_IDENT || !rust_same(t, i, name))
            continue;
        enum name_use use = name_use_at(t, i);
        uses.reads += use == USE_READ;
        uses.others += use == USE_OTHER;
    }
    return uses;
}

bool name_captured_in(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last)
{
    size_t n = t->items[name].end - t->items[name].start;
    const char *word = t->text + t->items[name].start;
    for (uint32_t i = first; i <= last && i < t->count; i++) {
        if (t->items[i].kind != RUST_STRING)
            continue;
        const char *s = t->text + t->items[i].start, *end = t->text + t->items[i].end;
        while ((s = memchr(s, '{', (size_t)(end - s))) != NULL) {
            s++;
            if ((size_t)(end - s) > n && memcmp(s, word, n) == 0 && (s[n] == '}' || s[n] == ':'))
                return true;
        }
    }
    return false;
}

bool has_ident(const struct rust_tokens *t, uint32_t first, uint32_t last, const char *words)
{
    for (uint32_t i = first; i <= last && i < t->count; i++)
        if (rust_is_one_of(t, i, words))
            return true;
    return false;
}

bool self_may_change(const struct source *s, uint32_t at)
{
    const struct rust_tokens *t = &s->t;
    uint32_t fn = s->items.function_of[at];
    if (fn == RUST_NONE)
        return true;
    uint32_t p = s->items.functions[fn].params + 1; // `&self`, `&'a self`
    if (!rust_is_punct(t, p, '&'))
        return true;
    if (t->items[p + 1].kind == RUST_LIFETIME)
        p++;
    return !rust_is_ident(t, p + 1, "self");
}

static bool type_begins(const struct rust_tokens *t, uint32_t i, const char *type)
{
    for (int n = 0; n < 4; n++) {
        if (rust_is_punct(t, i, '&') || rust_is_ident(t, i, "mut") ||
            (i < t->count && t->items[i].kind == RUST_LIFETIME))
            i++;
    }
    while (rust_is_any_ident(t, i) && rust_is_op(t, i + 1, "::"))
        i += 3;
    if (str_eq(type, "["))
        return rust_is_punct(t, i, '[');
    return rust_is_ident(t, i, type);
}

static bool value_begins(const struct rust_tokens *t, uint32_t i, const char *type)
{
    if (str_eq(type, "Vec") && (rust_is_ident(t, i, "vec") && rust_is_punct(t, i + 1, '!')))
        return true;
    if (str_eq(type, "String") && rust_is_ident(t, i, "format") && rust_is_punct(t, i + 1, '!'))
        return true;
    return rust_is_ident(t, i, type) && rust_is_op(t, i + 1, "::");
}

bool declared_as(const struct source *s, uint32_t place_first, uint32_t place_last, const char *type)
{
    const struct rust_tokens *t = &s->t;
    uint32_t fn = s->items.function_of[place_first];
    bool field = place_last != place_first;
    if (fn == RUST_NONE || (field && !(rust_is_ident(t, place_first, "self") && place_last == place_first + 2)))
        return false;
    uint32_t first = field ? 0 : s->items.functions[fn].params, last = field ? t->count - 1 : place_first;
    bool found = false;
    for (uint32_t i = first; i <= last && i < t->count; i++) {
        if (!rust_is_any_ident(t, i) || !rust_same(t, i, place_last) || (i > 0 && rust_is_punct(t, i - 1, '.')))
            continue;
        if (rust_is_punct(t, i + 1, ':') && !rust_is_op(t, i + 1, "::")) {
            if (field && s->items.function_of[i] != RUST_NONE)
                continue;
            if (!type_begins(t, i + 2, type))
                return false; // declared as something else too: not sure
            found = true;
        } else if (!field && rust_is_punct(t, i + 1, '=') && !rust_is_op(t, i + 1, "==") &&
                   (rust_is_ident(t, i - 1, "let") ||
                    (rust_is_ident(t, i - 1, "mut") && rust_is_ident(t, i - 2, "let")))) {
            if (!value_begins(t, i + 2, type))
                return false;
            found = true;
        }
    }
    return found;
}

uint32_t let_of(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last && i < t->count; i++) {
        if (!rust_is_ident(t, i, "let"))
            continue;
        for (uint32_t k = i + 1; k <= last && k < i + 32 && !rust_is_punct(t, k, '=') && !rust_is_punct(t, k, ';'); k++)
            if (rust_same(t, k, name))
                return i;
    }
    return RUST_NONE;
}

char *full_path(const struct source *s, uint32_t i)
{
    const struct rust_tokens *t = &s->t;
    uint32_t first = i;
    for (int n = 0; n < 16 && first >= 3 && rust_is_op(t, first - 2, "::") && rust_is_any_ident(t, first - 3); n++)
        first -= 3;
    struct buf b = BUF_INIT;
    char *head = rust_token_text(t, first);
    const char *imported = rust_import_path(&s->items, head);
    buf_str_add(&b, imported ? imported : head);
    for (uint32_t k = first + 3; k <= i; k += 3) {
        buf_str_add(&b, "::");
        buf_add(&b, t->text + t->items[k].start, t->items[k].end - t->items[k].start);
    }
    mem_free(head);
    return buf_steal(&b);
}

// Clone in a loop. Most clones in loops are needed (each element owns its copy), so only these three are reported,
// where the copy is visibly not needed:
// - CLONE_TEMP: `f(&x.clone())` or `x.clone().as_str()`: the copy dies at the end of the statement and was only
// borrowed.
// - CLONE_READ: `let k = x.clone();` and k is only borrowed in its whole scope, and so is x (else the copy may be there
// to
//   satisfy the borrow checker or to keep the old value).
// - CLONE_ARGUMENT: `f(x.clone())` where f is a function of this file that takes the parameter by value and only reads
// it. Left alone: places behind `self` in methods that may change self (borrow conflicts), places whose root has any
// other use in the statement, methods that iterators have too (`it.clone().next()` is a cheap look ahead), and
// everything that is moved into closures, tasks or threads.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

// &self methods of strings, vectors and maps that neither iterators nor readers have.
static const char OWNED_METHODS[] =
    "iter as_str as_bytes as_slice starts_with ends_with contains contains_key trim trim_start "
    "trim_end chars split_whitespace to_lowercase to_uppercase keys values windows as_path";

// `dot` is the dot of `.clone()`. The place cloned, or false when it is not a simple place or self may change.
static bool cloned_place(const struct source *s, uint32_t dot, uint32_t *first, uint32_t *last)
{
    const struct rust_tokens *t = &s->t;
    if (dot == 0)
        return false;
    *last = dot - 1;
    *first = place_start(s, *last);
    if (*first == RUST_NONE || (*first > 0 && rust_is_punct(t, *first - 1, '*')))
        return false;
    return !(rust_is_ident(t, *first, "self") && self_may_change(s, dot));
}

// The other uses of the place's root between two tokens are all reads.
static bool root_only_read(const struct source *s, uint32_t root, uint32_t first, uint32_t last)
{
    struct name_uses uses = name_uses_in(&s->t, root, first, last);
    return uses.others == 0;
}

static void report(const struct source *s, struct findings *f, enum check check, uint32_t first, uint32_t last,
                   uint32_t at, const char *format, const char *suggestion_format)
{
    AUTO_FREE char *place = rust_range_text(&s->t, first, last);
    AUTO_FREE char *message = str_printf("`%.80s.clone()` in a loop: %s", place, format);
    AUTO_FREE char *suggestion = str_printf("%s `%.80s`", suggestion_format, place);
    source_finding(s, f, check, at, suggestion, message);
}

static bool check_temp(const struct source *s, struct findings *f, uint32_t dot, uint32_t first, uint32_t last)
{
    const struct rust_tokens *t = &s->t;
    uint32_t begin, end, behind = dot + 4;
    bool borrowed = first > 0 && rust_is_punct(t, first - 1, '&') && !(first > 1 && rust_is_op(t, first - 2, "&&"));
    if (borrowed && first > 1) // a borrow, not `a & b`
        borrowed = rust_is_punct(t, first - 2, '(') || rust_is_punct(t, first - 2, ',');
    if (borrowed)
        borrowed = rust_is_punct(t, behind, ')') || rust_is_punct(t, behind, ',');
    bool method = rust_is_punct(t, behind, '.') && rust_is_one_of(t, behind + 1, OWNED_METHODS) &&
                  rust_is_punct(t, behind + 2, '(');
    statement_around(t, first, &begin, &end);
    if ((!borrowed && !method) || has_ident(t, begin, end, "move async spawn") || !root_only_read(s, first, begin, end))
        return false;
    report(s, f, CHECK_CLONE_TEMP, first, last, first,
           borrowed ? "the copy is only borrowed" : "the copy is only looked at",
           "drop the `.clone()` and use the original:");
    return true;
}

static void check_read(const struct source *s, struct findings *f, uint32_t dot, uint32_t first, uint32_t last)
{
    const struct rust_tokens *t = &s->t;
    if (!rust_is_punct(t, dot + 4, ';') || first < 3 || !rust_is_punct(t, first - 1, '=') ||
        !rust_is_any_ident(t, first - 2) || !rust_is_ident(t, first - 3, "let"))
        return;
    uint32_t name = first - 2, block = block_around(t, name), scope = dot + 5;
    if (block == RUST_NONE || scope >= t->items[block].partner)
        return;
    uint32_t end = t->items[block].partner - 1;
    if (has_ident(t, scope, end, "move async spawn await yield drop") || let_of(t, first, scope, end) != RUST_NONE)
        return;
    struct name_uses uses = name_uses_in(t, name, scope, end);
    bool used = uses.reads > 0 || name_captured_in(t, name, scope, end);
    if (!used || uses.others > 0)
        return;
    bool same_name = rust_same(t, name, first); // `let x = x.clone();`: the original is out of sight behind it
    if (!same_name && !root_only_read(s, first, scope, end))
        return;
    report(s, f, CHECK_CLONE_READ, first, last, first, "the copy is only borrowed afterwards",
           "borrow instead of copying: `&` before");
}

// The only function of the file with this name that has a body, or RUST_NONE.
static uint32_t only_function(const struct source *s, uint32_t name)
{
    uint32_t found = RUST_NONE;
    AUTO_FREE char *text = rust_token_text(&s->t, name);
    for (uint32_t n = 0; n < s->items.function_count; n++) {
        if (!str_eq(s->items.functions[n].name, text))
            continue;
        if (found != RUST_NONE || s->items.functions[n].body == RUST_NONE)
            return RUST_NONE;
        found = n;
    }
    return found;
}

static bool parameter_only_read(const struct source *s, const struct rust_function *fn, uint32_t index)
{
    const struct rust_tokens *t = &s->t;
    uint32_t i = fn->params + 1, end = t->items[fn->params].partner;
    for (uint32_t n = 0; n < index && i < end; n++) {
        int angles = 0;
        for (; i < end && !(angles == 0 && rust_is_punct(t, i, ',')); i = rust_skip_group(t, i))
            angles += rust_is_punct(t, i, '<') ? 1 : rust_is_punct(t, i, '>') && !rust_is_op(t, i - 1, "->") ? -1 : 0;
        i++;
    }
    // a plain name with a type that owns something: String, Vec<…>, HashMap<…>, PathBuf
    if (i + 2 >= end || !rust_is_any_ident(t, i) || !rust_is_punct(t, i + 1, ':') ||
        !rust_is_one_of(t, i + 2, "String Vec HashMap BTreeMap HashSet BTreeSet VecDeque PathBuf OsString"))
        return false;
    uint32_t body = fn->body, last = t->items[body].partner;
    struct name_uses uses = name_uses_in(t, i, body, last);
    return uses.others == 0 && (uses.reads > 0 || name_captured_in(t, i, body, last)) &&
           !has_ident(t, body, last, "move async spawn");
}

static void check_argument(const struct source *s, struct findings *f, uint32_t dot, uint32_t first, uint32_t last)
{
    const struct rust_tokens *t = &s->t;
    uint32_t i = first, commas = 0;
    if (!rust_is_punct(t, dot + 4, ')') && !rust_is_punct(t, dot + 4, ','))
        return;
    for (uint32_t n = 0; i > 0 && n < 200; n++) { // back to the call's bracket
        uint32_t partner = t->items[--i].partner;
        if (partner != RUST_NONE && partner < i)
            i = partner;
        else if (rust_is_punct(t, i, '('))
            break;
        else if (rust_is_punct(t, i, ','))
            commas++;
        else if (partner != RUST_NONE || rust_is_punct(t, i, ';') || rust_is_punct(t, i, '|'))
            return;
        else if (commas == 0) // something stands between the comma or bracket and the place
            return;
    }
    if (i < 2 || !rust_is_punct(t, i, '(') || !rust_is_any_ident(t, i - 1) || rust_is_punct(t, i - 2, '.') ||
        rust_is_punct(t, i - 2, ':') || rust_is_ident(t, i - 2, "fn"))
        return;
    uint32_t callee = only_function(s, i - 1);
    if (callee == RUST_NONE || s->items.functions[callee].owner ||
        !parameter_only_read(s, &s->items.functions[callee], commas))
        return;
    AUTO_FREE char *message =
        str_printf("copied for each call of `%s`, which only reads it", s->items.functions[callee].name);
    AUTO_FREE char *suggestion =
        str_printf("let `%s` take a reference, and pass a borrow of", s->items.functions[callee].name);
    report(s, f, CHECK_CLONE_ARGUMENT, first, last, first, message, suggestion);
}

void check_clones(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 1; i + 3 < t->count; i++) {
        uint32_t first = 0, last = 0;
        if (!rust_is_punct(t, i, '.') || !rust_is_ident(t, i + 1, "clone") || !rust_is_punct(t, i + 2, '(') ||
            !rust_is_punct(t, i + 3, ')') || !source_in_loop(s, i) || !cloned_place(s, i, &first, &last))
            continue;
        if (check_temp(s, f, i, first, last))
            continue;
        check_read(s, f, i, first, last);
        check_argument(s, f, i, first, last);
    }
}

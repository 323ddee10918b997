// Collect, then iterate: a vector that is built only to be walked over once. Reported only when laziness cannot change
// what happens: the chain before `collect` is pure as far as one can see (no calls of free functions, no macros but
// format!, no locks, channels, `?`, `&mut` …), and nothing the chain reads is mentioned where the elements are used (a
// loop that changes the map whose keys were collected needs the copy). Only Vec: collecting into sets removes doubles,
// maps index.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

#include <string.h>

static const char IMPURE[] =
    "await spawn lock borrow borrow_mut read write recv try_recv send next next_back drain take pop push "
    "insert remove execute query load store swap run open read_dir read_line env args stdin walk "
    "par_iter into_par_iter par_bridge par_chunks par_lines unwrap_or_else mut unsafe return join sort dedup "
    "rev filter_map_ok inspect lines";

// Between first and last (inclusive): an iterator chain without visible side effects.
static bool is_pure_chain(const struct rust_tokens *t, uint32_t first, uint32_t last)
{
    if (last <= first || last - first > 400 || has_ident(t, first, last, IMPURE))
        return false;
    bool adapter = false;
    for (uint32_t i = first; i <= last; i++) {
        if (rust_is_punct(t, i, '?') || rust_is_punct(t, i, ';'))
            return false;
        if (rust_is_punct(t, i, '!') && rust_is_any_ident(t, i - 1) && !rust_is_op(t, i, "!=") &&
            !rust_is_ident(t, i - 1, "format"))
            return false;
        if (!rust_is_any_ident(t, i) || !rust_is_punct(t, i + 1, '('))
            continue;
        char c = t->items[i].first;
        if (i > first && rust_is_punct(t, i - 1, '.'))
            adapter = adapter ||
                      rust_is_one_of(t, i,
                                     "map filter filter_map enumerate zip cloned copied flat_map split chars bytes "
                                     "split_whitespace iter into_iter keys values");
        else if (c >= 'a' && c <= 'z' && !rust_is_one_of(t, i, "from new if while match in"))
            return false; // a function: nobody knows what it does
    }
    return adapter;
}

static bool is_closure_parameter(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last)
{
    bool inside = false;
    for (uint32_t i = first; i <= last; i++) {
        if (rust_is_punct(t, i, '|') && !rust_is_op(t, i, "||"))
            inside = !inside;
        else if (inside && rust_same(t, i, name))
            return true;
    }
    return false;
}

// No variable that the chain reads is mentioned in the tokens where the elements are used.
static bool independent(const struct rust_tokens *t, uint32_t first, uint32_t last, uint32_t use, uint32_t use_end)
{
    for (uint32_t i = first; i <= last; i++) {
        bool variable = rust_is_any_ident(t, i) && !(i > 0 && rust_is_punct(t, i - 1, '.')) &&
                        !rust_is_op(t, i + 1, "::") && !(i > 1 && rust_is_op(t, i - 2, "::")) &&
                        !rust_is_punct(t, i + 1, '!');
        if (!variable || is_closure_parameter(t, i, first, last))
            continue;
        for (uint32_t k = use; k <= use_end && k < t->count; k++)
            if (rust_same(t, i, k) && !(rust_is_punct(t, k - 1, '.') && !rust_is_op(t, k - 2, "..")))
                return false;
    }
    return true;
}

// `dot` is the dot of `.collect`. Returns the token behind the call and whether its turbofish says Vec (or nothing).
static uint32_t collect_call(const struct rust_tokens *t, uint32_t dot, bool *says_vec)
{
    uint32_t i = dot + 2;
    *says_vec = false;
    if (rust_is_op(t, i, "::") && rust_is_punct(t, i + 2, '<')) {
        *says_vec = rust_is_ident(t, i + 3, "Vec") && rust_is_punct(t, i + 4, '<');
        int depth = 0;
        for (i += 2; i < t->count; i++) {
            depth += rust_is_punct(t, i, '<') ? 1 : rust_is_punct(t, i, '>') ? -1 : 0;
            if (depth == 0)
                break;
        }
        i++;
    }
    return rust_is_punct(t, i, '(') && rust_is_punct(t, i + 1, ')') ? i + 2 : RUST_NONE;
}

// The loop whose source is exactly `name`, `&name`, `name.iter()` or `name.into_iter()`.
static const struct rust_loop *loop_over(const struct source *s, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    for (size_t n = 0; n < s->items.loop_count; n++) {
        const struct rust_loop *loop = &s->items.loops[n];
        if (loop->kind != RUST_LOOP_FOR || loop->source > name || loop->source_end < name)
            continue;
        uint32_t first = rust_is_punct(t, loop->source, '&') ? loop->source + 1 : loop->source;
        bool bare = loop->source_end == name;
        bool call = rust_is_punct(t, name + 1, '.') && rust_is_one_of(t, name + 2, "iter into_iter") &&
                    loop->source_end == name + 4;
        return first == name && (bare || call) ? loop : NULL;
    }
    return NULL;
}

// let v: Vec<_> = CHAIN.collect(); … for x in v { … }, v used nowhere else.
static void check_let(const struct source *s, struct findings *f, uint32_t dot, uint32_t behind, bool says_vec)
{
    const struct rust_tokens *t = &s->t;
    uint32_t begin, end, name, equals;
    statement_around(t, dot, &begin, &end);
    name = begin + 1;
    if (!rust_is_punct(t, behind, ';') || !rust_is_ident(t, begin, "let") || !rust_is_any_ident(t, name))
        return;
    for (equals = name + 1; equals < dot && !rust_is_punct(t, equals, '='); equals++)
        if (rust_is_ident(t, equals, "Vec") && equals == name + 2)
            says_vec = true;
    uint32_t block = block_around(t, begin);
    if (!says_vec || block == RUST_NONE || !is_pure_chain(t, equals + 1, dot - 1))
        return;
    uint32_t use = RUST_NONE, last = t->items[block].partner;
    for (uint32_t i = behind; i < last; i++) {
        if (!rust_same(t, i, name) || rust_is_punct(t, i - 1, '.'))
            continue;
        if (use != RUST_NONE)
            return;
        use = i;
    }
    const struct rust_loop *loop = use != RUST_NONE ? loop_over(s, use) : NULL;
    if (!loop || s->items.loop_of[use] != s->items.loop_of[dot] || name_captured_in(t, name, behind, last) ||
        !independent(t, equals + 1, dot - 1, behind, loop->body_end))
        return;
    AUTO_FREE char *v = rust_token_text(t, name);
    AUTO_FREE char *message = str_printf("`%s` is collected and then only iterated over once", v);
    source_finding(s, f, CHECK_COLLECT_ITERATE, name, "iterate over the chain directly, without `.collect()`", message);
}

// The for loop in whose header the collect stands as the last thing (but for `.iter()` or `.into_iter()`).
static const struct rust_loop *loop_of_header(const struct source *s, uint32_t dot, uint32_t last)
{
    for (size_t i = 0; i < s->items.loop_count; i++) {
        const struct rust_loop *l = &s->items.loops[i];
        if (l->kind == RUST_LOOP_FOR && l->source <= dot && l->source_end == last)
            return l;
    }
    return NULL;
}

// Start of the expression that the chain is: behind `=`, `in` or `return` of the statement.
static uint32_t expression_start(const struct rust_tokens *t, uint32_t begin, uint32_t dot)
{
    uint32_t start = begin;
    for (uint32_t i = begin; i < dot; i = rust_skip_group(t, i))
        if ((rust_is_punct(t, i, '=') && !rust_is_op(t, i, "==") && !rust_is_op(t, i, "=>")) ||
            rust_is_one_of(t, i, "in return"))
            start = i + 1;
    return start;
}

// CHAIN.collect::<Vec<_>>() walked over where it stands: in the header of a for loop, or with `.into_iter()` and a
// consumer behind.
static void check_chained(const struct source *s, struct findings *f, uint32_t dot, uint32_t behind)
{
    static const char CONSUMERS[] =
        "sum count fold for_each max min product any all collect last max_by min_by max_by_key "
        "min_by_key position find";
    const struct rust_tokens *t = &s->t;
    uint32_t begin, end;
    bool walked = rust_is_punct(t, behind, '.') && rust_is_one_of(t, behind + 1, "iter into_iter len") &&
                  rust_is_punct(t, behind + 2, '(');
    const struct rust_loop *loop = loop_of_header(s, dot, walked ? behind + 3 : behind - 1);
    bool consumed = loop != NULL, len = walked && rust_is_ident(t, behind + 1, "len");
    if (!walked && !loop)
        return;
    statement_around(t, dot, &begin, &end);
    begin = loop ? loop->source : expression_start(t, begin, dot);
    if (loop)
        end = loop->body_end;
    consumed = consumed || len;
    for (uint32_t i = behind + 4; i < end && !consumed; i = rust_skip_group(t, i)) {
        if (rust_is_ident(t, i, "rev") || rust_is_punct(t, i, ')') || rust_is_punct(t, i, ','))
            return;
        consumed = rust_is_punct(t, i - 1, '.') && rust_is_one_of(t, i, CONSUMERS);
    }
    if (!consumed || !is_pure_chain(t, begin, dot - 1) || !independent(t, begin, dot - 1, behind, end))
        return;
    source_finding(s, f, CHECK_COLLECT_ITERATE, dot + 1,
                   len ? "use `.count()` instead of collecting" : "drop the `.collect()` and go on with the iterator",
                   loop ? "a vector is collected in the header of a loop that walks over it once"
                        : "a vector is collected and consumed in the same expression");
}

void check_collects(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 1; i + 3 < t->count; i++) {
        if (!rust_is_punct(t, i, '.') || !rust_is_ident(t, i + 1, "collect") || s->items.excluded[i] ||
            s->items.function_of[i] == RUST_NONE)
            continue;
        bool says_vec = false;
        uint32_t behind = collect_call(t, i, &says_vec);
        if (behind == RUST_NONE)
            continue;
        if (says_vec)
            check_chained(s, f, i, behind);
        check_let(s, f, i, behind, says_vec);
    }
}

// Growth. Three checks:
// - STRING_GROWTH, VEC_GROWTH: `let mut s = String::new();` followed in the same block by a `for` loop over something
// whose length
//   is known before (a slice, a range, characters), with an append at the top level of its body, so in every round. Not
//   reported when the append is conditional, or the buffer is touched in any way between the two.
// - STRING_REBUILD: `s = format!("{}…", s, …)` or `s = s.clone() + …` in a loop, with s from outside the loop: each
//   round copies all that was written so far. (`s = s + x` reuses the buffer, so it is not reported.)
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

static const char SIZED_METHODS[] =
    "iter iter_mut into_iter enumerate chars bytes char_indices rev copied cloned keys values zip "
    "windows chunks";

// Token behind `String::new()` at i, RUST_NONE when something else stands there.
static uint32_t empty_value(const struct rust_tokens *t, uint32_t i, const char *type)
{
    bool is = rust_is_ident(t, i, type) && rust_is_op(t, i + 1, "::") && rust_is_one_of(t, i + 3, "new default") &&
              rust_is_punct(t, i + 4, '(') && rust_is_punct(t, i + 5, ')');
    return is ? i + 6 : RUST_NONE;
}

static bool parameter_is_sequence(const struct source *s, uint32_t name)
{
    return declared_as(s, name, name, "Vec") || declared_as(s, name, name, "[");
}

// The loop's source is a range, or a place with methods that keep a known length: `&xs`, `xs.iter().enumerate()`,
// `text.chars()`.
static bool length_known(const struct source *s, const struct rust_loop *loop)
{
    const struct rust_tokens *t = &s->t;
    uint32_t i = loop->source, end = loop->source_end;
    for (uint32_t k = i; k < end; k++) {
        if (rust_is_op(t, k, "..")) // a..b with simple bounds
            return !rust_is_punct(t, end, '.') && !has_ident(t, i, end, "pop next recv read");
    }
    bool borrowed = rust_is_punct(t, i, '&');
    i += borrowed ? 1 : 0;
    if (rust_is_ident(t, i, "mut"))
        i++;
    uint32_t name = i;
    while (i < end && rust_is_any_ident(t, i) && rust_is_punct(t, i + 1, '.') && !rust_is_punct(t, i + 3, '('))
        i += 2;
    if (!rust_is_any_ident(t, i))
        return false;
    if (i == end)
        return borrowed || (i == name && parameter_is_sequence(s, name));
    bool method = false;
    for (i++; i < end; i = rust_skip_group(t, i + 2)) {
        if (!rust_is_punct(t, i, '.') || !rust_is_one_of(t, i + 1, SIZED_METHODS) || !rust_is_punct(t, i + 2, '('))
            return false;
        method = true;
    }
    return method;
}

// A statement of the loop's own body that appends to the name: s.push_str(…), s.push(…), s += …, write!(s, …).
static bool appends_each_round(const struct rust_tokens *t, const struct rust_loop *loop, uint32_t name, bool string)
{
    for (uint32_t i = loop->body + 1; i < loop->body_end; i = rust_skip_group(t, i)) {
        bool begins = rust_is_punct(t, i - 1, ';') || rust_is_punct(t, i - 1, '{') || rust_is_punct(t, i - 1, '}');
        if (rust_is_one_of(t, i, "continue break return"))
            return false; // not in every round
        if (!begins)
            continue;
        if (rust_same(t, i, name)) {
            if (rust_is_punct(t, i + 1, '.') && rust_is_one_of(t, i + 2, string ? "push_str push" : "push"))
                return true;
            if (string && (rust_is_op(t, i + 1, "+=") ||
                           (rust_is_punct(t, i + 1, '=') && rust_same(t, i + 2, name) && rust_is_punct(t, i + 3, '+'))))
                return true;
        }
        if (string && rust_is_one_of(t, i, "write writeln") && rust_is_punct(t, i + 1, '!')) {
            uint32_t k = i + 3;
            while (rust_is_punct(t, k, '&') || rust_is_ident(t, k, "mut"))
                k++;
            if (rust_same(t, k, name) && rust_is_punct(t, k + 1, ','))
                return true;
        }
    }
    return false;
}

static bool mentioned(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++)
        if (rust_same(t, i, name))
            return true;
    return false;
}

static bool skips_rounds(const struct rust_tokens *t, const struct rust_loop *loop)
{
    return has_ident(t, loop->body, loop->body_end, "continue break return") ||
           has_ident(t, loop->body, loop->body_end, "clear truncate take reserve with_capacity");
}

static void check_new(const struct source *s, struct findings *f, uint32_t let, const char *type)
{
    const struct rust_tokens *t = &s->t;
    uint32_t name = let + 2, i = name + 1;
    if (!rust_is_ident(t, let + 1, "mut") || !rust_is_any_ident(t, name))
        return;
    while (i < name + 24 && i < t->count && !rust_is_punct(t, i, '=') && !rust_is_punct(t, i, ';'))
        i++;
    uint32_t behind = rust_is_punct(t, i, '=') ? empty_value(t, i + 1, type) : RUST_NONE;
    if (behind == RUST_NONE || !rust_is_punct(t, behind, ';'))
        return;
    uint32_t block = block_around(t, let);
    for (size_t n = 0; n < s->items.loop_count && block != RUST_NONE; n++) {
        const struct rust_loop *loop = &s->items.loops[n];
        if (loop->keyword < behind || loop->keyword > t->items[block].partner || loop->kind == RUST_LOOP_CLOSURE)
            continue;
        bool string = str_eq(type, "String");
        if (loop->kind != RUST_LOOP_FOR || block_around(t, loop->keyword) != block ||
            mentioned(t, name, behind, loop->body - 1) || !length_known(s, loop) || skips_rounds(t, loop) ||
            !appends_each_round(t, loop, name, string))
            return; // the first loop behind the declaration decides
        AUTO_FREE char *text = rust_token_text(t, name);
        AUTO_FREE char *message = str_printf("`%s` starts empty and grows in every round of the loop in line %u", text,
                                             t->items[loop->keyword].line);
        AUTO_FREE char *suggestion =
            str_printf("start with `%s::with_capacity(…)`, sized from what the loop walks over", type);
        source_finding(s, f, string ? CHECK_STRING_GROWTH : CHECK_VEC_GROWTH, name, suggestion, message);
        return;
    }
}

// `name = format!("…{}…", name …)` or with {name} inside the text, or `name = name.clone() + …`, at token `name`.
static bool rebuilds(const struct rust_tokens *t, uint32_t name)
{
    uint32_t i = name + 2;
    if (rust_same(t, i, name))
        return rust_is_punct(t, i + 1, '.') && rust_is_one_of(t, i + 2, "clone to_string to_owned") &&
               rust_is_punct(t, i + 3, '(') && rust_is_punct(t, i + 4, ')') && rust_is_punct(t, i + 5, '+');
    if (!rust_is_ident(t, i, "format") || !rust_is_punct(t, i + 1, '!') || !rust_is_punct(t, i + 2, '('))
        return false;
    uint32_t end = rust_skip_group(t, i + 2);
    if (i + 3 < t->count && t->items[i + 3].kind == RUST_STRING && name_captured_in(t, name, i + 3, i + 3))
        return true;
    for (uint32_t k = i + 4; k + 1 < end; k = rust_skip_group(t, k)) {
        bool argument = rust_is_punct(t, k - 1, ',') || (rust_is_punct(t, k - 1, '&') && rust_is_punct(t, k - 2, ','));
        if (argument && rust_same(t, k, name) && (rust_is_punct(t, k + 1, ',') || rust_is_punct(t, k + 1, ')')))
            return true;
    }
    return false;
}

static void check_rebuild(const struct source *s, struct findings *f, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    bool statement = name > 0 && (rust_is_punct(t, name - 1, ';') || rust_is_punct(t, name - 1, '{') ||
                                  rust_is_punct(t, name - 1, '}'));
    if (!statement || !rust_is_punct(t, name + 1, '=') || !source_in_loop(s, name) || !rebuilds(t, name))
        return;
    const struct rust_loop *loop = &s->items.loops[s->items.loop_of[name]];
    if (loop->kind == RUST_LOOP_CLOSURE || let_of(t, name, loop->body, name) != RUST_NONE ||
        (loop->pattern != RUST_NONE && mentioned(t, name, loop->pattern, loop->pattern_end)))
        return; // a new string in each round
    AUTO_FREE char *text = rust_token_text(t, name);
    AUTO_FREE char *message = str_printf("`%s` is built anew from itself in each round of a loop", text);
    AUTO_FREE char *suggestion = str_printf("append instead: `%s.push_str(…)` or `write!(%s, …)`", text, text);
    source_finding(s, f, CHECK_STRING_REBUILD, name, suggestion, message);
}

void check_growth(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 0; i < t->count; i++) {
        if (s->items.excluded[i] || s->items.function_of[i] == RUST_NONE)
            continue;
        if (rust_is_ident(t, i, "let")) {
            check_new(s, f, i, "String");
            check_new(s, f, i, "Vec");
        } else if (rust_is_any_ident(t, i)) {
            check_rebuild(s, f, i);
        }
    }
}

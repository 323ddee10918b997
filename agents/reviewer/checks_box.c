// Boxed trait objects in loops:
// - BOX_DYN_LOOP: `let x: Box<dyn T> = Box::new(…);` in a loop's body where x is only called or borrowed in its scope.
// When it
//   is moved (stored, returned, passed on) the box may be needed: not reported.
// - DYN_NESTED: elements of a `Vec<Box<dyn T>>` or `[Box<dyn T>]` (as declared in this file) whose methods are called
// two loops
//   deep. One loop deep is what such vectors are for: not reported.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

static bool is_box_dyn(const struct rust_tokens *t, uint32_t i)
{
    return rust_is_ident(t, i, "Box") && rust_is_punct(t, i + 1, '<') && rust_is_ident(t, i + 2, "dyn");
}

static void check_boxed_let(const struct source *s, struct findings *f, uint32_t let)
{
    const struct rust_tokens *t = &s->t;
    uint32_t name = rust_is_ident(t, let + 1, "mut") ? let + 2 : let + 1;
    if (!rust_is_any_ident(t, name) || !rust_is_punct(t, name + 1, ':') || !is_box_dyn(t, name + 2))
        return;
    uint32_t begin, end, block = block_around(t, let);
    statement_around(t, let, &begin, &end);
    bool made = false;
    for (uint32_t i = name; i < end; i++) // directly: not in the arms of a match, where the type is not known
        if (rust_is_punct(t, i, '=') && rust_is_ident(t, i + 1, "Box") && rust_is_op(t, i + 2, "::") &&
            rust_is_ident(t, i + 4, "new"))
            made = true;
    if (!made || block == RUST_NONE)
        return;
    bool used = false;
    for (uint32_t i = end + 1; i < t->items[block].partner; i++) {
        if (!rust_same(t, i, name) || rust_is_punct(t, i - 1, '.'))
            continue;
        bool looked_at =
            rust_is_punct(t, i + 1, '(') || (rust_is_punct(t, i + 1, '.') && !rust_is_op(t, i + 1, "..")) ||
            rust_is_punct(t, i - 1, '&') || (rust_is_ident(t, i - 1, "mut") && rust_is_punct(t, i - 2, '&')) ||
            rust_is_punct(t, i - 1, '*');
        if (!looked_at)
            return;
        used = true;
    }
    if (!used)
        return;
    AUTO_FREE char *text = rust_token_text(t, name);
    AUTO_FREE char *message =
        str_printf("`%s` is boxed as a trait object in each round of a loop and only used there", text);
    source_finding(s, f, CHECK_BOX_DYN_LOOP, name,
                   "let it keep its own type (drop `Box<dyn …>`), or make the box before the loop", message);
}

// Whether the file declares `name` (a parameter, a local or a field) as a sequence of boxed trait objects.
static bool declared_boxes(const struct rust_tokens *t, uint32_t name)
{
    for (uint32_t i = 0; i + 4 < t->count; i++) {
        if (!rust_same(t, i, name) || !rust_is_punct(t, i + 1, ':') || rust_is_op(t, i + 1, "::"))
            continue;
        uint32_t k = i + 2;
        while (rust_is_punct(t, k, '&') || rust_is_ident(t, k, "mut") ||
               (k < t->count && t->items[k].kind == RUST_LIFETIME))
            k++;
        if (rust_is_ident(t, k, "Vec") && rust_is_punct(t, k + 1, '<'))
            k += 2;
        else if (rust_is_punct(t, k, '['))
            k++;
        else
            return false; // of another type in another place: not sure
        if (!is_box_dyn(t, k))
            return false;
        return true;
    }
    return false;
}

static void check_nested(const struct source *s, struct findings *f, const struct rust_loop *loop)
{
    const struct rust_tokens *t = &s->t;
    if (loop->kind != RUST_LOOP_FOR || loop->pattern != loop->pattern_end || s->items.excluded[loop->keyword] ||
        loop->function == RUST_NONE)
        return;
    uint32_t last = loop->source_end; // `&boxes`, `boxes.iter()`, `&self.boxes`, `self.boxes.iter_mut()`
    if (rust_is_punct(t, last, ')') && last >= loop->source + 4 && rust_is_one_of(t, last - 2, "iter iter_mut"))
        last -= 4;
    uint32_t first = rust_is_punct(t, loop->source, '&') ? loop->source + 1 : loop->source;
    if (rust_is_ident(t, first, "mut"))
        first++;
    if (!rust_is_any_ident(t, last) || place_start(s, last) != first || !declared_boxes(t, last))
        return;
    for (uint32_t i = loop->body; i + 2 < loop->body_end; i++) {
        uint32_t inner = s->items.loop_of[i];
        if (!rust_same(t, i, loop->pattern) || !rust_is_punct(t, i + 1, '.') || !rust_is_punct(t, i + 3, '(') ||
            rust_is_punct(t, i - 1, '.') || inner == RUST_NONE || s->items.loops[inner].depth < 2)
            continue;
        AUTO_FREE char *text = rust_token_text(t, i + 2);
        AUTO_FREE char *message = str_printf("`%s` is called through `Box<dyn …>` in nested loops", text);
        source_finding(
            s, f, CHECK_DYN_NESTED, i,
            "where the set of types is closed, use an enum; else group the elements by type before the loops", message);
        return;
    }
}

void check_boxes(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 0; i < t->count; i++)
        if (rust_is_ident(t, i, "let") && source_in_loop(s, i))
            check_boxed_let(s, f, i);
    if (!has_ident(t, 0, t->count, "dyn"))
        return;
    for (size_t n = 0; n < s->items.loop_count; n++)
        check_nested(s, f, &s->items.loops[n]);
}

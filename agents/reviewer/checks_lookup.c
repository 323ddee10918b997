// Searching twice or from the start, in loops:
// - DOUBLE_LOOKUP: `if m.contains_key(&k) { … m.get(&k) / m.get_mut(&k) / m[&k] … }` with the same map and key, text
// for text.
// - LINEAR_CONTAINS: `v.contains(…)` and `v.push(…)` in one loop, v declared as Vec outside of it.
// - FRONT_REMOVE: `v.remove(0)` or `v.insert(0, …)` in a loop, v declared as Vec (a VecDeque does this cheaply).
// - CHARS_NTH: `s.chars().nth(i)` in a loop with an index that is not a constant.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

// `name` is a method's name: `PLACE.name(`. The place before its dot.
static bool method_place(const struct source *s, uint32_t name, uint32_t *first, uint32_t *last)
{
    const struct rust_tokens *t = &s->t;
    if (name < 2 || !rust_is_punct(t, name - 1, '.') || !rust_is_punct(t, name + 1, '(') ||
        t->items[name + 1].partner == RUST_NONE)
        return false;
    *last = name - 2;
    *first = place_start(s, *last);
    return *first != RUST_NONE;
}

static bool same_place_method(const struct source *s, uint32_t i, const char *names, uint32_t first, uint32_t last)
{
    uint32_t a = 0, b = 0;
    return rust_is_one_of(&s->t, i, names) && method_place(s, i, &a, &b) && same_tokens(&s->t, a, b, first, last);
}

static void check_double_lookup(const struct source *s, struct findings *f, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    uint32_t first = 0, last = 0;
    if (!method_place(s, name, &first, &last))
        return;
    uint32_t key = name + 2, key_end = t->items[name + 1].partner - 1, then = key_end + 2;
    if (key > key_end || first == 0 || !rust_is_ident(t, first - 1, "if") || !rust_is_punct(t, then, '{'))
        return; // exactly: if m.contains_key(K) {
    for (uint32_t i = then; i < t->items[then].partner && t->items[then].partner != RUST_NONE; i++) {
        if (same_place_method(s, i, "remove insert clear retain", first, last))
            return; // the map changes in between
        bool get = same_place_method(s, i, "get get_mut", first, last) &&
                   same_tokens(t, i + 2, t->items[i + 1].partner - 1, key, key_end);
        uint32_t len = last - first;
        bool index = rust_is_punct(t, i, '[') && i > len && same_tokens(t, i - 1 - len, i - 1, first, last) &&
                     t->items[i].partner != RUST_NONE && same_tokens(t, i + 1, t->items[i].partner - 1, key, key_end);
        if (!get && !index)
            continue;
        AUTO_FREE char *map = rust_range_text(t, first, last);
        AUTO_FREE char *message = str_printf("`%.80s` is searched for the same key twice", map);
        source_finding(s, f, CHECK_DOUBLE_LOOKUP, name,
                       "ask once: `if let Some(value) = map.get_mut(&key) { … }`, or the `entry` API", message);
        return;
    }
}

static void check_contains(const struct source *s, struct findings *f, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    uint32_t first = 0, last = 0;
    if (!method_place(s, name, &first, &last) || !declared_as(s, first, last, "Vec"))
        return;
    const struct rust_loop *loop = &s->items.loops[s->items.loop_of[name]];
    if (let_of(t, first, loop->body, loop->body_end) != RUST_NONE)
        return; // a new vector in each round
    for (uint32_t i = loop->body; i < loop->body_end; i++) {
        if (!same_place_method(s, i, "push", first, last) || s->items.loop_of[i] != s->items.loop_of[name])
            continue;
        AUTO_FREE char *v = rust_range_text(t, first, last);
        AUTO_FREE char *message = str_printf("`%.80s` is searched with `contains` in the loop that fills it", v);
        source_finding(s, f, CHECK_LINEAR_CONTAINS, name,
                       "keep a `HashSet` (or a sorted vector) beside it for the search", message);
        return;
    }
}

static void check_front(const struct source *s, struct findings *f, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    uint32_t first = 0, last = 0, zero = name + 2;
    bool insert = rust_is_ident(t, name, "insert");
    if (zero >= t->count || t->items[zero].kind != RUST_NUMBER || t->items[zero].first != '0' ||
        t->items[zero].end - t->items[zero].start != 1)
        return;
    if (!rust_is_punct(t, zero + 1, insert ? ',' : ')') || !method_place(s, name, &first, &last) ||
        !declared_as(s, first, last, "Vec"))
        return;
    const struct rust_loop *loop = &s->items.loops[s->items.loop_of[name]];
    if (let_of(t, first, loop->body, loop->body_end) != RUST_NONE)
        return;
    AUTO_FREE char *v = rust_range_text(t, first, last);
    AUTO_FREE char *message =
        str_printf("`%.80s.%s` in a loop moves all elements each time", v, insert ? "insert(0, …)" : "remove(0)");
    source_finding(s, f, CHECK_FRONT_REMOVE, name,
                   insert ? "push at the end and reverse once, or use a `VecDeque`"
                          : "use a `VecDeque` (`pop_front`), or `drain(..)`",
                   message);
}

static void check_nth(const struct source *s, struct findings *f, uint32_t name)
{
    const struct rust_tokens *t = &s->t;
    if (name < 6 || !rust_is_punct(t, name - 1, '.') || !rust_is_punct(t, name - 2, ')') ||
        !rust_is_punct(t, name - 3, '(') || !rust_is_ident(t, name - 4, "chars") || !rust_is_punct(t, name - 5, '.') ||
        !rust_is_punct(t, name + 1, '('))
        return;
    uint32_t i = name + 2, end = t->items[name + 1].partner;
    bool variable = false;
    for (; end != RUST_NONE && i < end; i++)
        variable = variable || rust_is_any_ident(t, i);
    // the string must be the same in each round: its name is not bound by the loop
    uint32_t root = place_start(s, name - 6);
    const struct rust_loop *loop = &s->items.loops[s->items.loop_of[name]];
    if (!variable || root == RUST_NONE || let_of(t, root, loop->body, loop->body_end) != RUST_NONE)
        return;
    for (uint32_t k = loop->pattern; loop->pattern != RUST_NONE && k <= loop->pattern_end; k++)
        if (rust_same(t, k, root))
            return;
    if (loop->kind == RUST_LOOP_CLOSURE) // closure parameters stand between the first two bars
        for (uint32_t k = loop->body + 1; k < loop->body_end && !rust_is_punct(t, k, '|'); k++)
            if (rust_same(t, k, root))
                return;
    source_finding(s, f, CHECK_CHARS_NTH, name,
                   "walk over `.chars()` once, index bytes, or collect the characters before the loop",
                   "`.chars().nth(…)` with a variable index in a loop");
}

void check_lookups(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 2; i < t->count; i++) {
        if (!rust_is_any_ident(t, i) || !source_in_loop(s, i))
            continue;
        if (rust_is_ident(t, i, "contains_key"))
            check_double_lookup(s, f, i);
        else if (rust_is_ident(t, i, "contains"))
            check_contains(s, f, i);
        else if (rust_is_one_of(t, i, "remove insert"))
            check_front(s, f, i);
        else if (rust_is_ident(t, i, "nth"))
            check_nth(s, f, i);
    }
}

// One walk over the tokens per kind of item; nesting is filled in afterwards by one walk with a stack of open ranges.
// Look-ahead inside headers is limited to HEADER_MAX tokens, so hostile input stays linear.
#include "rust/items.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "rust/imports.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_MAX 512 // tokens of a function or loop header outside of brackets
#define CHAIN_MAX  64  // steps back along a method chain

struct finder {
    const struct rust_tokens *t;
    struct rust_items *out;
    VEC(struct rust_function) functions;
    VEC(struct rust_loop) loops;
    VEC(struct rust_public) publics;
    VEC(char *) test_modules;
};

struct open_range {
    uint32_t end, id;
};

typedef VEC(struct open_range) range_stack;

static uint32_t innermost(range_stack *stack, uint32_t token)
{
    while (stack->len > 0 && stack->items[stack->len - 1].end < token)
        stack->len--;
    return stack->len > 0 ? stack->items[stack->len - 1].id : RUST_NONE;
}

// --- attributes and test code ---

static bool group_has_word(const struct rust_tokens *t, uint32_t open, const char *word)
{
    uint32_t end = rust_skip_group(t, open);
    for (uint32_t i = open + 1; i < end && i - open < HEADER_MAX; i++)
        if (rust_is_ident(t, i, word))
            return true;
    return false;
}

// `open` is the `[` of an attribute: cfg(test) in any combination without `not`, #[test], #[tokio::test], #[bench] …
static bool attribute_means_test(const struct rust_tokens *t, uint32_t open)
{
    if (rust_is_ident(t, open + 1, "cfg"))
        return group_has_word(t, open, "test") && !group_has_word(t, open, "not");
    uint32_t last = open + 1;
    while (rust_is_any_ident(t, last) && rust_is_op(t, last + 1, "::"))
        last += 3;
    return rust_is_one_of(t, last, "test bench rstest test_case quickcheck proptest wasm_bindgen_test");
}

// Last token of the item, statement or field that begins at i.
static uint32_t item_end(const struct rust_tokens *t, uint32_t i)
{
    bool item = false;
    for (uint32_t n = 0; i < t->count && n < HEADER_MAX; n++) {
        if (rust_is_one_of(t, i, "fn mod struct enum union trait impl use static const type extern let macro_rules"))
            item = true;
        if (rust_is_punct(t, i, ';') || (rust_is_punct(t, i, ',') && !item))
            return i;
        if (rust_is_punct(t, i, '}') || rust_is_punct(t, i, ')') || rust_is_punct(t, i, ']'))
            return i > 0 ? i - 1 : 0;
        uint32_t next = rust_skip_group(t, i);
        if (rust_is_punct(t, i, '{'))
            return next - 1;
        i = next;
    }
    return i < t->count ? i : t->count - 1;
}

static void note_test_module(struct finder *f, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i + 2 <= last; i++)
        if (rust_is_ident(f->t, i, "mod") && rust_is_punct(f->t, i + 2, ';'))
            vec_push(&f->test_modules, rust_token_text(f->t, i + 1));
}

static void exclude_tests_and_macros(struct finder *f)
{
    const struct rust_tokens *t = f->t;
    bool *excluded = f->out->excluded;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t first = i, last = 0;
        if (rust_is_op(t, i, "#!") && rust_is_punct(t, i + 2, '[')) {
            f->out->is_test_file = f->out->is_test_file || attribute_means_test(t, i + 2);
            continue;
        }
        if (rust_is_punct(t, i, '#') && rust_is_punct(t, i + 1, '[')) {
            if (!attribute_means_test(t, i + 1))
                continue;
            uint32_t begin = i;
            while (rust_is_punct(t, begin, '#') && rust_is_punct(t, begin + 1, '['))
                begin = rust_skip_group(t, begin + 1);
            last = item_end(t, begin);
            note_test_module(f, begin, last);
        } else if (rust_is_ident(t, i, "macro_rules") && rust_is_punct(t, i + 1, '!')) {
            last = rust_skip_group(t, i + 3) - 1;
        } else {
            continue;
        }
        if (last >= t->count || last < first)
            continue;
        for (uint32_t k = first; k <= last; k++)
            excluded[k] = true;
        i = last;
    }
    if (f->out->is_test_file)
        for (uint32_t i = 0; i < t->count; i++)
            excluded[i] = true;
}

// --- impl and trait blocks ---

static uint32_t skip_angles(const struct rust_tokens *t, uint32_t i, uint32_t *budget)
{
    if (!rust_is_punct(t, i, '<'))
        return i;
    int depth = 0;
    for (; i<t->count && * budget> 0; (*budget)--) {
        if (rust_is_punct(t, i, '<'))
            depth++;
        else if (rust_is_punct(t, i, '>') && !rust_is_op(t, i - 1, "->") && !rust_is_op(t, i - 1, "=>") && --depth == 0)
            return i + 1;
        i = rust_is_punct(t, i, '{') ? i + 1 : rust_skip_group(t, i);
    }
    return i;
}

// Name of the type an `impl` or `trait` header speaks of; *ret_brace is its `{` or RUST_NONE.
static char *block_owner(const struct rust_tokens *t, uint32_t keyword, uint32_t *ret_brace)
{
    uint32_t budget = HEADER_MAX, i = skip_angles(t, keyword + 1, &budget), name = RUST_NONE;
    bool done = false;
    *ret_brace = RUST_NONE;
    for (; i < t->count && budget > 0; budget--) {
        if (rust_is_punct(t, i, '{')) {
            *ret_brace = i;
            break;
        }
        if (rust_is_punct(t, i, ';') || rust_is_punct(t, i, '}') || rust_is_punct(t, i, ')'))
            return NULL;
        if (rust_is_ident(t, i, "for") && !rust_is_punct(t, i + 1, '<'))
            name = RUST_NONE;
        else if (rust_is_ident(t, i, "where") ||
                 (rust_is_punct(t, i, ':') && !rust_is_op(t, i, "::") && !rust_is_op(t, i - 1, "::")))
            done = true;
        else if (!done && rust_is_any_ident(t, i) && !rust_is_one_of(t, i, "dyn mut const unsafe for"))
            name = i;
        i = rust_is_punct(t, i, '<') && budget > 1 ? skip_angles(t, i, &budget) : rust_skip_group(t, i);
        if (budget == 0)
            break;
    }
    return *ret_brace != RUST_NONE && name != RUST_NONE ? rust_token_text(t, name) : NULL;
}

// --- functions ---

static bool has_modifier(const struct rust_tokens *t, uint32_t keyword, const char *word)
{
    for (uint32_t i = keyword, n = 0; i > 0 && n < 6; n++) {
        i--;
        if (rust_is_ident(t, i, word))
            return true;
        if (!rust_is_one_of(t, i, "pub async const unsafe extern default") && t->items[i].kind != RUST_STRING)
            return false;
    }
    return false;
}

static bool is_public(const struct rust_tokens *t, uint32_t keyword)
{
    for (uint32_t i = keyword, n = 0; i > 0 && n < 6; n++) {
        i--;
        if (rust_is_ident(t, i, "pub"))
            return true;
        if (!rust_is_one_of(t, i, "async const unsafe extern default") && t->items[i].kind != RUST_STRING)
            return false; // also the `)` of pub(crate)
    }
    return false;
}

static void add_function(struct finder *f, uint32_t i, const char *owner)
{
    const struct rust_tokens *t = f->t;
    uint32_t budget = HEADER_MAX, p = skip_angles(t, i + 2, &budget);
    if (!rust_is_punct(t, p, '(') || t->items[p].partner == RUST_NONE)
        return;
    struct rust_function fn = {
        .keyword = i, .params = p, .body = RUST_NONE, .line = t->items[i].line, .parent = RUST_NONE};
    uint32_t k = rust_skip_group(t, p);
    for (uint32_t n = 0; k < t->count && n < HEADER_MAX; n++) {
        if (rust_is_punct(t, k, '{')) {
            if (t->items[k].partner != RUST_NONE)
                fn.body = k;
            break;
        }
        if (rust_is_punct(t, k, ';') || rust_is_punct(t, k, '}'))
            break;
        k = rust_skip_group(t, k);
    }
    fn.line_end = fn.body != RUST_NONE ? t->items[t->items[fn.body].partner].line : fn.line;
    fn.is_async = has_modifier(t, i, "async");
    fn.is_public = is_public(t, i);
    fn.is_test = f->out->excluded[i];
    fn.name = rust_token_text(t, i + 1);
    fn.owner = str_dup(owner);
    vec_push(&f->functions, fn);
}

static void find_functions(struct finder *f)
{
    const struct rust_tokens *t = f->t;
    VEC(uint32_t) ends = {0};
    VEC(char *) owners = {0};
    for (uint32_t i = 0; i < t->count; i++) {
        while (ends.len > 0 && i > ends.items[ends.len - 1]) {
            mem_free(owners.items[--owners.len]);
            ends.len--;
        }
        if (rust_is_one_of(t, i, "impl trait")) {
            uint32_t brace = RUST_NONE;
            char *owner = block_owner(t, i, &brace);
            // `-> impl Trait {` is not a block: those begin a statement
            bool begins = i == 0 || rust_is_one_of(t, i - 1, "pub unsafe default auto const") ||
                          rust_is_punct(t, i - 1, ';') || rust_is_punct(t, i - 1, '}') ||
                          rust_is_punct(t, i - 1, '{') || rust_is_punct(t, i - 1, ']') || rust_is_punct(t, i - 1, ')');
            if (owner && begins && t->items[brace].partner != RUST_NONE) {
                vec_push(&ends, t->items[brace].partner);
                vec_push(&owners, owner);
            } else {
                mem_free(owner);
            }
        }
        if (rust_is_ident(t, i, "fn") && rust_is_any_ident(t, i + 1))
            add_function(f, i, owners.len ? owners.items[owners.len - 1] : NULL);
    }
    while (owners.len > 0)
        mem_free(owners.items[--owners.len]);
    vec_free(&owners);
    vec_free(&ends);
    f->out->functions = f->functions.items;
    f->out->function_count = f->functions.len;
}

// Functions stand in order of their start.
static void place_functions(struct finder *f)
{
    range_stack stack = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->t->count; i++) {
        uint32_t now = innermost(&stack, i);
        for (; n < f->functions.len && f->functions.items[n].keyword == i; n++) {
            struct rust_function *fn = &f->functions.items[n];
            fn->parent = now;
            if (fn->body == RUST_NONE)
                continue;
            vec_push(&stack, (struct open_range){.end = f->t->items[fn->body].partner, .id = n});
            now = n;
        }
        f->out->function_of[i] = now;
    }
    vec_free(&stack);
}

// --- loops ---

static const char ALWAYS_LOOPS[] =
    "for_each try_for_each fold try_fold flat_map filter_map find_map scan take_while skip_while "
    "map_while retain any all position rposition partition";
static const char LOOPS_ON_ITERATORS[] = "map filter find inspect";
static const char ITERATOR_SOURCES[] =
    "iter iter_mut into_iter drain chars char_indices bytes lines split_whitespace "
    "split_ascii_whitespace keys values values_mut into_keys into_values windows chunks chunks_exact enumerate zip "
    "rev par_iter into_par_iter par_chunks step_by cycle skip";

// `dot` is the dot before the method: is the receiver visibly an iterator (a source method or a range in parentheses)?
static bool receiver_iterates(const struct rust_tokens *t, uint32_t dot)
{
    uint32_t i = dot;
    for (int n = 0; n < CHAIN_MAX && i > 0; n++) {
        i--;
        if (rust_is_punct(t, i, ')') || rust_is_punct(t, i, ']')) {
            if (t->items[i].partner == RUST_NONE)
                return false;
            uint32_t open = t->items[i].partner;
            for (uint32_t k = open + 1; n == 0 && k < i && k - open < CHAIN_MAX; k = rust_skip_group(t, k))
                if (rust_is_op(t, k, "..") && (open == 0 || !rust_is_any_ident(t, open - 1)))
                    return true;
            i = open;
        } else if (rust_is_any_ident(t, i)) {
            if (rust_is_one_of(t, i, ITERATOR_SOURCES) && rust_is_punct(t, i + 1, '('))
                return true;
        } else if (!rust_is_punct(t, i, '.') && !rust_is_punct(t, i, '?') && !rust_is_punct(t, i, ':')) {
            return false;
        }
    }
    return false;
}

static bool closure_loop(const struct rust_tokens *t, uint32_t i, struct rust_loop *loop)
{
    if (i == 0 || !rust_is_punct(t, i - 1, '.') || !rust_is_punct(t, i + 1, '(') ||
        t->items[i + 1].partner == RUST_NONE)
        return false;
    if (!rust_is_one_of(t, i, ALWAYS_LOOPS) &&
        !(rust_is_one_of(t, i, LOOPS_ON_ITERATORS) && receiver_iterates(t, i - 1)))
        return false;
    uint32_t end = t->items[i + 1].partner, bar = i + 2;
    while (bar < end && !rust_is_punct(t, bar, '|'))
        bar = rust_skip_group(t, bar);
    if (bar >= end)
        return false;
    *loop = (struct rust_loop){.kind = RUST_LOOP_CLOSURE,
                               .keyword = i,
                               .pattern = RUST_NONE,
                               .pattern_end = RUST_NONE,
                               .source = RUST_NONE,
                               .source_end = RUST_NONE,
                               .body = bar,
                               .body_end = end - 1};
    return true;
}

// The `{` of the body: the first brace outside of brackets that another brace does not follow (`for x in unsafe { y }
// {`).
static uint32_t loop_brace(const struct rust_tokens *t, uint32_t i)
{
    for (uint32_t n = 0; i < t->count && n < HEADER_MAX; n++) {
        if (rust_is_punct(t, i, ';') || rust_is_punct(t, i, '}') || rust_is_punct(t, i, ')'))
            return RUST_NONE;
        uint32_t next = rust_skip_group(t, i);
        if (rust_is_punct(t, i, '{') && !rust_is_punct(t, next, '{'))
            return t->items[i].partner != RUST_NONE ? i : RUST_NONE;
        i = next;
    }
    return RUST_NONE;
}

static bool keyword_loop(const struct rust_tokens *t, uint32_t i, struct rust_loop *loop)
{
    *loop = (struct rust_loop){
        .keyword = i, .pattern = RUST_NONE, .pattern_end = RUST_NONE, .source = RUST_NONE, .source_end = RUST_NONE};
    uint32_t from = i + 1;
    if (rust_is_ident(t, i, "for")) {
        loop->kind = RUST_LOOP_FOR;
        uint32_t in = i + 1;
        for (uint32_t n = 0; !rust_is_ident(t, in, "in"); n++) {
            if (in >= t->count || n > 64 || rust_is_punct(t, in, ';') || rust_is_punct(t, in, '<'))
                return false;
            in = rust_is_punct(t, in, '{') || rust_is_punct(t, in, '(') || rust_is_punct(t, in, '[')
                     ? rust_skip_group(t, in)
                     : in + 1;
        }
        if (in == i + 1)
            return false;
        loop->pattern = i + 1;
        loop->pattern_end = in - 1;
        from = in + 1;
    } else if (rust_is_ident(t, i, "while")) {
        loop->kind = RUST_LOOP_WHILE;
    } else if (rust_is_ident(t, i, "loop") && rust_is_punct(t, i + 1, '{')) {
        loop->kind = RUST_LOOP_ENDLESS;
    } else {
        return false;
    }
    uint32_t brace = loop_brace(t, from);
    if (brace == RUST_NONE)
        return false;
    if (loop->kind != RUST_LOOP_ENDLESS && brace > from) {
        loop->source = from;
        loop->source_end = brace - 1;
    }
    loop->body = brace;
    loop->body_end = t->items[brace].partner;
    return true;
}

static void find_loops(struct finder *f)
{
    const struct rust_tokens *t = f->t;
    for (uint32_t i = 0; i < t->count; i++) {
        struct rust_loop loop;
        if (!rust_is_any_ident(t, i) || (!keyword_loop(t, i, &loop) && !closure_loop(t, i, &loop)))
            continue;
        loop.function = f->out->function_of[i];
        vec_push(&f->loops, loop);
    }
    f->out->loops = f->loops.items;
    f->out->loop_count = f->loops.len;
}

static int by_body(const void *a, const void *b)
{
    const struct rust_loop *x = a, *y = b;
    return x->body != y->body ? (x->body < y->body ? -1 : 1) : (x->keyword < y->keyword ? -1 : 1);
}

// In order of the bodies, because a header (`for x in v.iter().map(|y| …) {`) may hold a loop of its own. A function
// inside a loop's body is not run by that loop.
static void place_loops(struct finder *f)
{
    if (f->loops.len > 0)
        qsort(f->loops.items, f->loops.len, sizeof(f->loops.items[0]), by_body);
    range_stack stack = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->t->count; i++) {
        uint32_t now = innermost(&stack, i);
        for (; n < f->loops.len && f->loops.items[n].body == i; n++) {
            struct rust_loop *loop = &f->loops.items[n];
            loop->parent = f->out->loop_of[loop->keyword];
            loop->depth = loop->parent == RUST_NONE ? 1 : f->loops.items[loop->parent].depth + 1;
            vec_push(&stack, (struct open_range){.end = loop->body_end, .id = n});
            now = n;
        }
        bool same = now != RUST_NONE && f->loops.items[now].function == f->out->function_of[i];
        f->out->loop_of[i] = same ? now : RUST_NONE;
    }
    vec_free(&stack);
}

// --- public items ---

static void find_publics(struct finder *f)
{
    const struct rust_tokens *t = f->t;
    for (size_t n = 0; n < f->functions.len; n++) {
        const struct rust_function *fn = &f->functions.items[n];
        if (!fn->is_public || fn->is_test || fn->parent != RUST_NONE)
            continue;
        struct rust_public p = {.line = fn->line};
        p.name = fn->owner ? str_printf("fn %s::%s", fn->owner, fn->name) : str_printf("fn %s", fn->name);
        vec_push(&f->publics, p);
    }
    for (uint32_t i = 0; i + 2 < t->count; i++) {
        if (!rust_is_ident(t, i, "pub") || f->out->excluded[i] || f->out->function_of[i] != RUST_NONE)
            continue;
        uint32_t k = rust_is_ident(t, i + 1, "unsafe") ? i + 2 : i + 1;
        if (!rust_is_one_of(t, k, "struct enum union trait type const static mod") || !rust_is_any_ident(t, k + 1) ||
            rust_is_one_of(t, k + 1, "fn unsafe async extern"))
            continue;
        struct rust_public p = {.line = t->items[i].line, .name = rust_range_text(t, k, k + 1)};
        vec_push(&f->publics, p);
    }
    f->out->publics = f->publics.items;
    f->out->public_count = f->publics.len;
}

void rust_items_find(const struct rust_tokens *t, struct rust_items *ret)
{
    *ret = (struct rust_items){0};
    struct finder f = {.t = t, .out = ret};
    ret->function_of = mem_array(t->count + 1, sizeof(uint32_t));
    ret->loop_of = mem_array(t->count + 1, sizeof(uint32_t));
    ret->excluded = mem_array(t->count + 1, sizeof(bool));
    memset(ret->function_of, 0xFF, (t->count + 1) * sizeof(uint32_t)); // RUST_NONE
    memset(ret->loop_of, 0xFF, (t->count + 1) * sizeof(uint32_t));
    exclude_tests_and_macros(&f);
    find_functions(&f);
    place_functions(&f);
    find_loops(&f);
    place_loops(&f);
    find_publics(&f);
    rust_imports_find(t, ret);
    ret->test_modules = f.test_modules.items;
    ret->test_module_count = f.test_modules.len;
}

void rust_items_free(struct rust_items *items)
{
    for (size_t i = 0; i < items->function_count; i++) {
        mem_free(items->functions[i].name);
        mem_free(items->functions[i].owner);
    }
    for (size_t i = 0; i < items->public_count; i++)
        mem_free(items->publics[i].name);
    for (size_t i = 0; i < items->import_count; i++) {
        mem_free(items->imports[i].name);
        mem_free(items->imports[i].path);
    }
    for (size_t i = 0; i < items->test_module_count; i++)
        mem_free(items->test_modules[i]);
    mem_free(items->functions);
    mem_free(items->loops);
    mem_free(items->publics);
    mem_free(items->imports);
    mem_free(items->test_modules);
    mem_free(items->function_of);
    mem_free(items->loop_of);
    mem_free(items->excluded);
    *items = (struct rust_items){0};
}

char *rust_function_label(const struct rust_items *items, uint32_t function)
{
    if (function == RUST_NONE)
        return NULL;
    const struct rust_function *fn = &items->functions[function];
    return fn->owner ? str_printf("%s::%s", fn->owner, fn->name) : str_dup(fn->name);
}

uint32_t rust_function_at_line(const struct rust_items *items, uint32_t line)
{
    uint32_t best = RUST_NONE;
    for (uint32_t n = 0; n < items->function_count; n++)
        if (items->functions[n].line <= line && line <= items->functions[n].line_end)
            best = n; // later ones begin later: the innermost wins
    return best;
}

const char *rust_import_path(const struct rust_items *items, const char *name)
{
    for (size_t i = 0; i < items->import_count; i++)
        if (str_eq(items->imports[i].name, name))
            return items->imports[i].path;
    return NULL;
}

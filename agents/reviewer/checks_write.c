// Unbuffered formatted output: a local made from File::create/open in a `let` without BufWriter or LineWriter in that
// statement, never handed to one later, and written to with write!/writeln! in a loop that begins behind the `let`.
// Only the macros count: `write_all` of large blocks needs no buffer.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

static bool makes_file(const struct source *s, uint32_t first, uint32_t last)
{
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = first; i <= last; i++) {
        if (!rust_is_one_of(t, i, "create create_new open options") || !rust_is_punct(t, i + 1, '(') ||
            !rust_is_op(t, i - 2, "::"))
            continue;
        char *path = full_path(s, i);
        bool is = str_starts(path, "std::fs::File::") || str_starts(path, "std::fs::OpenOptions::");
        mem_free(path);
        if (is)
            return true;
    }
    return false;
}

static void check_file(const struct source *s, struct findings *f, uint32_t let)
{
    const struct rust_tokens *t = &s->t;
    uint32_t name = let + 2, begin, end, block = block_around(t, let);
    if (!rust_is_ident(t, let + 1, "mut") || !rust_is_any_ident(t, name) || block == RUST_NONE)
        return;
    statement_around(t, let, &begin, &end);
    if (has_ident(t, let, end, "BufWriter LineWriter BufReader new_buf") || !makes_file(s, let, end))
        return;
    uint32_t write = RUST_NONE, last = t->items[block].partner;
    for (uint32_t i = end; i < last; i++) {
        if (!rust_same(t, i, name) || rust_is_punct(t, i - 1, '.'))
            continue;
        uint32_t k = i - 1; // back over `&mut` and `(` to the macro
        while (rust_is_punct(t, k, '&') || rust_is_ident(t, k, "mut"))
            k--;
        bool macro =
            rust_is_punct(t, k, '(') && rust_is_punct(t, k - 1, '!') && rust_is_one_of(t, k - 2, "write writeln");
        bool method = rust_is_punct(t, i + 1, '.');
        if (!macro && !method)
            return; // handed on: perhaps to a BufWriter
        uint32_t loop = s->items.loop_of[i];
        if (macro && write == RUST_NONE && loop != RUST_NONE && s->items.loops[loop].body > end)
            write = k - 2;
    }
    if (write == RUST_NONE)
        return;
    AUTO_FREE char *text = rust_token_text(t, name);
    AUTO_FREE char *message = str_printf("`%s` is a file without a buffer, written to piece by piece in a loop", text);
    AUTO_FREE char *suggestion =
        str_printf("wrap it: `let mut %s = std::io::BufWriter::new(…)`, and flush it at the end", text);
    source_finding(s, f, CHECK_UNBUFFERED, write, suggestion, message);
}

void check_writes(const struct source *s, struct findings *f)
{
    for (uint32_t i = 1; i < s->t.count; i++)
        if (rust_is_ident(&s->t, i, "let") && !s->items.excluded[i] && s->items.function_of[i] != RUST_NONE)
            check_file(s, f, i);
}

void check_source(const struct source *s, struct findings *f)
{
    static void (*const ALL[])(const struct source *, struct findings *) = {
        check_clones, check_collects, check_growth, check_blocking, check_boxes, check_lookups, check_writes};
    for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
        ALL[i](s, f);
}

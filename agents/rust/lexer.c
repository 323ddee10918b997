// Rules a reader would not guess: a quote starts a character literal when the character behind it is followed by a
// quote, else a lifetime; `1..2` and `1.max(2)` end the number before the dot; block comments nest.
#include "rust/lexer.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

struct lexer {
    const char *s;
    size_t len, pos;
    uint32_t line;
    VEC(struct rust_token) tokens;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_ident_part(char c)
{
    return is_ident_start(c) || is_digit(c);
}

static char at(const struct lexer *l, size_t offset)
{
    return l->pos + offset < l->len ? l->s[l->pos + offset] : '\0';
}

static void advance(struct lexer *l, size_t n)
{
    for (; n > 0 && l->pos < l->len; n--)
        if (l->s[l->pos++] == '\n')
            l->line++;
}

static void skip_line(struct lexer *l)
{
    while (l->pos < l->len && l->s[l->pos] != '\n')
        l->pos++;
}

static void skip_block_comment(struct lexer *l)
{
    unsigned depth = 0;
    while (l->pos < l->len) {
        if (at(l, 0) == '/' && at(l, 1) == '*') {
            depth++;
            advance(l, 2);
        } else if (at(l, 0) == '*' && at(l, 1) == '/') {
            advance(l, 2);
            if (--depth == 0)
                return;
        } else {
            advance(l, 1);
        }
    }
}

// Behind the opening quote; handles escapes.
static void skip_quoted(struct lexer *l, char quote)
{
    while (l->pos < l->len) {
        char c = at(l, 0);
        advance(l, c == '\\' ? 2 : 1);
        if (c == quote)
            return;
    }
}

// Behind the opening quote of r##"…"##.
static void skip_raw(struct lexer *l, size_t hashes)
{
    while (l->pos < l->len) {
        bool quote = at(l, 0) == '"';
        advance(l, 1);
        if (!quote)
            continue;
        size_t n = 0;
        while (n < hashes && at(l, n) == '#')
            n++;
        if (n == hashes) {
            advance(l, n);
            return;
        }
    }
}

static void skip_number(struct lexer *l)
{
    bool hex = at(l, 0) == '0' && (at(l, 1) == 'x' || at(l, 1) == 'o' || at(l, 1) == 'b');
    bool dot = false;
    for (;;) {
        char c = at(l, 0);
        if (!hex && (c == 'e' || c == 'E') && (at(l, 1) == '+' || at(l, 1) == '-') && is_digit(at(l, 2))) {
            advance(l, 2);
        } else if (is_ident_part(c)) {
            advance(l, 1);
        } else if (c == '.' && !dot && !hex && at(l, 1) != '.' && !is_ident_start(at(l, 1))) {
            dot = true;
            advance(l, 1);
        } else {
            return;
        }
    }
}

static size_t char_bytes(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 0x80 ? 1 : u < 0xE0 ? 2 : u < 0xF0 ? 3 : 4;
}

// At a quote: skips a character literal or a lifetime and says which.
static enum rust_kind skip_quote(struct lexer *l)
{
    char c = at(l, 1);
    if (c == '\\') {
        advance(l, 1);
        skip_quoted(l, '\'');
        return RUST_CHAR;
    }
    if (c != '\'' && c != '\n' && c != '\0' && at(l, 1 + char_bytes(c)) == '\'') {
        advance(l, 2 + char_bytes(c));
        return RUST_CHAR;
    }
    advance(l, 1);
    if (!is_ident_start(c))
        return RUST_PUNCT;
    while (is_ident_part(at(l, 0)))
        advance(l, 1);
    return RUST_LIFETIME;
}

// Literals and raw identifiers that begin like an identifier: r"", r#""#, br"", b"", c"", b'', r#name.
// Returns false when it is an ordinary identifier. *skip: bytes of the token that are not its text (r#).
static bool skip_prefixed(struct lexer *l, enum rust_kind *kind, size_t *skip)
{
    size_t n = 0;
    if ((at(l, 0) == 'b' || at(l, 0) == 'c') && at(l, 1) == 'r')
        n = 2;
    else if (at(l, 0) == 'b' || at(l, 0) == 'c' || at(l, 0) == 'r')
        n = 1;
    else
        return false;
    bool raw = at(l, n - 1) == 'r';
    if (!raw && at(l, n) == '"') {
        advance(l, n + 1);
        skip_quoted(l, '"');
        *kind = RUST_STRING;
        return true;
    }
    if (at(l, 0) == 'b' && n == 1 && at(l, 1) == '\'') {
        advance(l, 1);
        *kind = skip_quote(l) == RUST_CHAR ? RUST_CHAR : RUST_LIFETIME;
        return true;
    }
    if (!raw)
        return false;
    size_t hashes = 0;
    while (hashes < 256 && at(l, n + hashes) == '#')
        hashes++;
    if (at(l, n + hashes) == '"') {
        advance(l, n + hashes + 1);
        skip_raw(l, hashes);
        *kind = RUST_STRING;
        return true;
    }
    if (n == 1 && hashes == 1 && is_ident_start(at(l, 2))) {
        *skip = 2;
        advance(l, 2);
        while (is_ident_part(at(l, 0)))
            advance(l, 1);
        *kind = RUST_IDENT;
        return true;
    }
    return false;
}

static void lex_token(struct lexer *l)
{
    struct rust_token t = {.start = (uint32_t)l->pos, .line = l->line, .partner = RUST_NONE, .first = at(l, 0)};
    enum rust_kind kind = RUST_PUNCT;
    size_t skip = 0;
    if (t.first == '"') {
        advance(l, 1);
        skip_quoted(l, '"');
        kind = RUST_STRING;
    } else if (t.first == '\'') {
        kind = skip_quote(l);
    } else if (is_digit(t.first)) {
        skip_number(l);
        kind = RUST_NUMBER;
    } else if (is_ident_start(t.first)) {
        if (!skip_prefixed(l, &kind, &skip)) {
            while (is_ident_part(at(l, 0)))
                advance(l, 1);
            kind = RUST_IDENT;
        }
    } else {
        advance(l, 1);
    }
    t.start += (uint32_t)skip;
    t.end = (uint32_t)l->pos;
    t.kind = (uint8_t)kind;
    vec_push(&l->tokens, t);
}

static int bracket_type(char c, bool *opens)
{
    static const char all[] = "([{)]}";
    const char *p = c ? strchr(all, c) : NULL;
    if (!p)
        return -1;
    long i = p - all;
    *opens = i < 3;
    return (int)(i % 3);
}

// Pairs brackets; an opening one that is closed by another kind stays unpaired. Linear: a closing bracket without an
// opening one of its kind on the stack is ignored, any other pops.
static void pair_brackets(struct rust_token *items, uint32_t count)
{
    VEC(uint32_t) stack = {0};
    size_t open[3] = {0};
    for (uint32_t i = 0; i < count; i++) {
        bool opens = false;
        int type = items[i].kind == RUST_PUNCT ? bracket_type(items[i].first, &opens) : -1;
        if (type < 0)
            continue;
        if (opens) {
            vec_push(&stack, i);
            open[type]++;
            continue;
        }
        while (open[type] > 0) {
            uint32_t top = stack.items[--stack.len];
            int top_type = bracket_type(items[top].first, &opens);
            open[top_type]--;
            if (top_type == type) {
                items[top].partner = i;
                items[i].partner = top;
                break;
            }
        }
    }
    vec_free(&stack);
}

int rust_lex(const char *text, size_t len, struct rust_tokens *ret, struct err *err)
{
    *ret = (struct rust_tokens){.text = text, .len = len};
    if (len > RUST_SOURCE_MAX)
        return err_set(err, ERR_LIMIT, "a Rust source of %zu bytes is too large (maximum %zu)", len, RUST_SOURCE_MAX);
    struct lexer l = {.s = text, .len = len, .line = 1};
    if (at(&l, 0) == '#' && at(&l, 1) == '!' && at(&l, 2) == '/')
        skip_line(&l);
    while (l.pos < len) {
        char c = at(&l, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            advance(&l, 1);
        else if (c == '/' && at(&l, 1) == '/')
            skip_line(&l);
        else if (c == '/' && at(&l, 1) == '*')
            skip_block_comment(&l);
        else
            lex_token(&l);
    }
    ret->items = l.tokens.items;
    ret->count = (uint32_t)l.tokens.len;
    ret->lines = len == 0 ? 0 : text[len - 1] == '\n' ? l.line - 1 : l.line;
    pair_brackets(ret->items, ret->count);
    return 0;
}

void rust_tokens_free(struct rust_tokens *t)
{
    mem_free(t->items);
    *t = (struct rust_tokens){0};
}

static bool text_is(const struct rust_tokens *t, uint32_t i, const char *word, size_t len)
{
    const struct rust_token *k = &t->items[i];
    return k->end - k->start == len && memcmp(t->text + k->start, word, len) == 0;
}

bool rust_is_ident(const struct rust_tokens *t, uint32_t i, const char *word)
{
    return rust_is_any_ident(t, i) && text_is(t, i, word, strlen(word));
}

bool rust_is_any_ident(const struct rust_tokens *t, uint32_t i)
{
    return i < t->count && t->items[i].kind == RUST_IDENT;
}

bool rust_is_punct(const struct rust_tokens *t, uint32_t i, char c)
{
    return i < t->count && t->items[i].kind == RUST_PUNCT && t->items[i].first == c;
}

bool rust_is_op(const struct rust_tokens *t, uint32_t i, const char *op)
{
    for (uint32_t k = 0; op[k]; k++) {
        if (!rust_is_punct(t, i + k, op[k]) || (k > 0 && t->items[i + k].start != t->items[i + k - 1].end))
            return false;
    }
    return true;
}

bool rust_same(const struct rust_tokens *t, uint32_t a, uint32_t b)
{
    if (a >= t->count || b >= t->count || t->items[a].kind != t->items[b].kind)
        return false;
    return text_is(t, a, t->text + t->items[b].start, t->items[b].end - t->items[b].start);
}

bool rust_is_one_of(const struct rust_tokens *t, uint32_t i, const char *words)
{
    if (!rust_is_any_ident(t, i))
        return false;
    while (*words) {
        size_t n = strcspn(words, " ");
        if (n > 0 && text_is(t, i, words, n))
            return true;
        words += n;
        words += strspn(words, " ");
    }
    return false;
}

char *rust_token_text(const struct rust_tokens *t, uint32_t i)
{
    return rust_range_text(t, i, i);
}

char *rust_range_text(const struct rust_tokens *t, uint32_t first, uint32_t last)
{
    if (last >= t->count || first > last)
        return str_dup("");
    return str_ndup(t->text + t->items[first].start, t->items[last].end - t->items[first].start);
}

uint32_t rust_column(const struct rust_tokens *t, uint32_t i)
{
    if (i >= t->count)
        return 1;
    uint32_t column = 1;
    for (size_t p = t->items[i].start; p > 0 && t->text[p - 1] != '\n'; p--)
        if (((unsigned char)t->text[p - 1] & 0xC0) != 0x80)
            column++;
    return column;
}

uint32_t rust_skip_group(const struct rust_tokens *t, uint32_t i)
{
    if (i >= t->count)
        return i;
    uint32_t partner = t->items[i].partner;
    return partner != RUST_NONE && partner > i ? partner + 1 : i + 1;
}

// Short forms of demangled names. Works on the text, not on the mangled symbol, so that names from other tools are
// shortened too. A path is read as segments separated by "::" outside of brackets.
#include "profile/demangle.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define SEGMENTS_MAX 64
#define TYPE_MAX     72 // a shortened type above this loses its generic arguments

struct segment {
    const char *at;
    size_t len;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool at_separator(const char *p, const char *end)
{
    return end - p >= 2 && p[0] == ':' && p[1] == ':';
}

// Steps over one character and keeps the nesting; the '>' of "->" closes nothing.
static void step(const char *start, const char *p, int *depth)
{
    if (strchr("<([{", *p))
        (*depth)++;
    else if (strchr(")]}", *p) || (*p == '>' && (p == start || p[-1] != '-')))
        (*depth)--;
}

static size_t split(const char *text, size_t len, struct segment out[SEGMENTS_MAX])
{
    const char *end = text + len, *from = text;
    size_t count = 0;
    int depth = 0;
    for (const char *p = text; p < end; p++) {
        if (depth == 0 && at_separator(p, end)) {
            if (count < SEGMENTS_MAX - 1)
                out[count++] = (struct segment){from, (size_t)(p - from)};
            else // too many: the last ones win
                out[count - 1] = (struct segment){from, (size_t)(p - from)};
            from = p + 2;
            p++;
            continue;
        }
        if (*p != '\0')
            step(text, p, &depth);
    }
    out[count++] = (struct segment){from, (size_t)(end - from)};
    return count;
}

static bool is_closure(struct segment s)
{
    return s.len > 0 && s.at[0] == '{' && memmem(s.at, s.len, "closure", 7) != NULL;
}

static void add_braced(struct buf *out, struct segment s)
{
    if (is_closure(s))
        buf_str_add(out, "{closure}");
    else
        buf_add(out, s.at, s.len);
}

// End of the word or {...} at p; p itself when there is neither.
static const char *end_of_piece(const char *p, const char *end)
{
    if (p < end && *p == '{') {
        int depth = 0;
        for (const char *q = p; q < end; q++) {
            if (*q == '{')
                depth++;
            else if (*q == '}' && --depth == 0)
                return q + 1;
        }
        return end;
    }
    while (p < end && is_word(*p))
        p++;
    return p;
}

// Every path inside the text loses all but its last word: "alloc::vec::Vec<core::fmt::Error>" -> "Vec<Error>".
static void add_type(struct buf *out, const char *text, size_t len)
{
    const char *end = text + len;
    for (const char *p = text; p < end;) {
        const char *stop = end_of_piece(p, end);
        if (stop == p) {
            buf_char(out, *p++);
            continue;
        }
        struct segment last = {p, (size_t)(stop - p)}, before = {p, 0};
        while (at_separator(stop, end) && end_of_piece(stop + 2, end) > stop + 2) {
            before = last;
            last.at = stop + 2;
            stop = end_of_piece(last.at, end);
            last.len = (size_t)(stop - last.at);
        }
        if (last.at[0] == '{' && before.len && before.at[0] != '{') {
            buf_add(out, before.at, before.len);
            buf_str_add(out, "::");
        }
        add_braced(out, last);
        p = stop;
    }
}

static void add_type_bounded(struct buf *out, const char *text, size_t len)
{
    struct buf type = BUF_INIT;
    add_type(&type, text, len);
    const char *s = buf_str(&type), *open = strchr(s, '<'), *close = strrchr(s, '>');
    if (type.len > TYPE_MAX && open && close > open) {
        buf_add(out, s, (size_t)(open - s));
        buf_str_add(out, "<…>");
        buf_str_add(out, close + 1);
    } else {
        buf_add(out, s, type.len);
    }
    buf_free(&type);
}

// " as " outside of brackets in the inside of <A as B>; NULL when it is not there.
static const char *find_as(const char *text, size_t len)
{
    int depth = 0;
    for (size_t i = 0; i < len; i++) {
        if (depth == 0 && len - i > 4 && memcmp(text + i, " as ", 4) == 0)
            return text + i;
        if (text[i] != '\0')
            step(text, text + i, &depth);
    }
    return NULL;
}

static void add_qualified(struct buf *out, struct segment s)
{
    const char *inside = s.at + 1;
    size_t len = s.len - 2;
    const char *as = find_as(inside, len);
    if (as) {
        buf_char(out, '<');
        add_type_bounded(out, inside, (size_t)(as - inside));
        buf_str_add(out, " as ");
        add_type_bounded(out, as + 4, len - (size_t)(as - inside) - 4);
        buf_char(out, '>');
    } else if (len && is_word(inside[0])) { // <a::b::C>::f reads better as C::f
        add_type_bounded(out, inside, len);
    } else {
        buf_char(out, '<');
        add_type_bounded(out, inside, len);
        buf_char(out, '>');
    }
}

static bool is_bracketed(struct segment s)
{
    return s.len > 2 && s.at[0] == '<' && s.at[s.len - 1] == '>';
}

static void add_segment(struct buf *out, struct segment s)
{
    if (s.len && s.at[0] == '{')
        add_braced(out, s);
    else
        add_type_bounded(out, s.at, s.len);
}

static bool keeps_arguments(struct segment s)
{
    return s.len == strlen("drop_in_place") && memcmp(s.at, "drop_in_place", s.len) == 0;
}

char *demangle_short(const char *demangled)
{
    struct segment all[SEGMENTS_MAX], kept[SEGMENTS_MAX];
    size_t len = strlen(demangled), count = 0;
    if (!strstr(demangled, "::") || len > DEMANGLE_OUTPUT_MAX)
        return str_dup(demangled);
    size_t n = split(demangled, len, all);
    for (size_t i = 0; i < n; i++) // "name::<args>": the arguments of functions go
        if (i == 0 || !is_bracketed(all[i]) || keeps_arguments(all[i - 1]))
            kept[count++] = all[i];
    bool qualified = is_bracketed(kept[0]);
    size_t first = 0;
    if (!qualified) {
        size_t base = count; // the last segment that is a name
        while (base > 1 && (kept[base - 1].len == 0 || kept[base - 1].at[0] == '{' || is_bracketed(kept[base - 1])))
            base--;
        first = base >= 2 ? base - 2 : 0;
    }
    struct buf out = BUF_INIT;
    for (size_t i = first; i < count; i++) {
        if (i > first)
            buf_str_add(&out, "::");
        if (i == 0 && qualified)
            add_qualified(&out, kept[i]);
        else
            add_segment(&out, kept[i]);
    }
    return buf_steal(&out);
}

const char *demangle_crate(const char *demangled, size_t *ret_len)
{
    const char *end = demangled + strlen(demangled);
    bool bracketed = demangled[0] == '<';
    int depth = 0;
    for (const char *p = demangled; p < end;) {
        const char *stop = is_word(*p) ? end_of_piece(p, end) : p;
        if (stop > p) {
            if (at_separator(stop, end) && (p == demangled || p[-1] != ':')) {
                *ret_len = (size_t)(stop - p);
                return p;
            }
            if (!bracketed)
                break;
            p = stop;
            continue;
        }
        step(demangled, p, &depth);
        p++;
        if (bracketed && depth == 0) { // <[T]>::sort: slices, arrays and the like belong to core
            *ret_len = at_separator(p, end) ? 4 : 0;
            return "core";
        }
        if (!bracketed)
            break;
    }
    *ret_len = 0;
    return "";
}

size_t demangle_outer(const char *demangled)
{
    size_t len = strlen(demangled);
    for (;;) {
        size_t at = len;
        while (at > 0 && demangled[at - 1] == '}') // "{{closure}}" and "{closure#0}"
            at--;
        while (at > 0 && demangled[at - 1] != '{' && demangled[at - 1] != ':' && demangled[at - 1] != '>')
            at--;
        if (at == len || at == 0 || demangled[at - 1] != '{' || strncmp(demangled + at, "closure", 7) != 0)
            return len;
        while (at > 0 && demangled[at - 1] == '{')
            at--;
        if (at < 3 || demangled[at - 1] != ':' || demangled[at - 2] != ':')
            return len;
        len = at - 2;
    }
}

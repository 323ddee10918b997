// The legacy scheme, the choice between the two, and the short form.
#include "profile/demangle_internal.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define HASH_PART 17 // 'h' and 16 hexadecimal digits

struct part {
    const char *at;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hash(struct part p)
{
    if (p.len != HASH_PART || p.at[0] != 'h')
        return false;
    for (size_t i = 1; i < p.len; i++)
        if (!is_digit(p.at[i]) && !(p.at[i] >= 'a' && p.at[i] <= 'f'))
            return false;
    return true;
}

// Reads <length><text>.
static bool next_part(const char **at, const char *end, struct part *ret)
{
    size_t n = 0;
    const char *p = *at;
    if (p == end || !is_digit(*p))
        return false;
    for (; p < end && is_digit(*p) && n < DEMANGLE_INPUT_MAX; p++)
        n = n * 10 + (size_t)(*p - '0');
    if (n == 0 || n > (size_t)(end - p))
        return false;
    *ret = (struct part){p, n};
    *at = p + n;
    return true;
}

static bool add_unicode_escape(struct buf *out, const char *digits, size_t len)
{
    uint32_t c = 0;
    if (len == 0 || len > 6)
        return false;
    for (size_t i = 0; i < len; i++) {
        char d = digits[i];
        if (!is_digit(d) && !(d >= 'a' && d <= 'f'))
            return false;
        c = c << 4 | (uint32_t)(is_digit(d) ? d - '0' : d - 'a' + 10);
    }
    if (c < 0x20 || c == 0x7f || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return false;
    demangle_utf8(out, c);
    return true;
}

// The text between two dollar signs.
static bool add_escape(struct buf *out, const char *text, size_t len)
{
    static const struct {
        const char *code, *text;
    } table[] = {{"SP", "@"}, {"BP", "*"}, {"RF", "&"}, {"LT", "<"}, {"GT", ">"}, {"LP", "("}, {"RP", ")"}, {"C", ","}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strlen(table[i].code) == len && memcmp(table[i].code, text, len) == 0) {
            buf_str_add(out, table[i].text);
            return true;
        }
    }
    return len > 1 && text[0] == 'u' && add_unicode_escape(out, text + 1, len - 1);
}

static void add_legacy_part(struct buf *out, struct part p)
{
    size_t i = p.len > 1 && p.at[0] == '_' && p.at[1] == '$' ? 1 : 0; // a leading '_' only guards the '$'
    while (i < p.len) {
        if (p.at[i] == '.' && i + 1 < p.len && p.at[i + 1] == '.') {
            buf_str_add(out, "::");
            i += 2;
            continue;
        }
        if (p.at[i] == '$') {
            const char *close = memchr(p.at + i + 1, '$', p.len - i - 1);
            if (close && add_escape(out, p.at + i + 1, (size_t)(close - p.at) - i - 1)) {
                i = (size_t)(close - p.at) + 1;
                continue;
            }
        }
        buf_char(out, p.at[i++]);
    }
}

// What may stand behind the mangled name: nothing, or a suffix of LLVM or the linker (".llvm.123", "@plt").
static bool suffix_ok(const char *at, const char *end)
{
    return at == end || *at == '.' || *at == '@' || *at == '$';
}

bool demangle_legacy(struct buf *out, const char *symbol, size_t len)
{
    const char *at = symbol, *end = symbol + len;
    if (len > 4 && memcmp(at, "__ZN", 4) == 0)
        at += 4;
    else if (len > 3 && memcmp(at, "_ZN", 3) == 0)
        at += 3;
    else
        return false;
    const char *first = at;
    struct part p = {0};
    size_t parts = 0;
    while (at < end && *at != 'E') {
        if (!next_part(&at, end, &p))
            return false;
        parts++;
    }
    if (at == end || !suffix_ok(at + 1, end) || parts < 2 || !is_hash(p))
        return false;
    at = first;
    for (size_t i = 0; i + 1 < parts && next_part(&at, end, &p); i++) {
        if (i > 0)
            buf_str_add(out, "::");
        add_legacy_part(out, p);
    }
    return true;
}

bool demangle_to(struct buf *out, const char *symbol, size_t len)
{
    if (len < 3 || len > DEMANGLE_INPUT_MAX)
        return false;
    struct buf name = BUF_MAX(DEMANGLE_OUTPUT_MAX);
    bool ok = (demangle_legacy(&name, symbol, len) || demangle_v0(&name, symbol, len)) && !name.cut && name.len > 0;
    if (ok)
        buf_add(out, name.data, name.len);
    buf_free(&name);
    return ok;
}

char *demangle(const char *symbol)
{
    struct buf out = BUF_INIT;
    if (!demangle_to(&out, symbol, strlen(symbol)))
        buf_str_add(&out, symbol);
    return buf_steal(&out);
}

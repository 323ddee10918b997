// The reader of v0 symbols: characters, numbers, identifiers with punycode, back references. Three bounds keep hostile
// input cheap: nesting, output length, and a count of productions, because back references can make a short symbol
// expand exponentially.
#include "profile/demangle_internal.h"

#define STEPS_MAX    50000
#define PUNYCODE_MAX 512 // characters of one identifier

void v0_emit(struct reader *r, const char *text, size_t len)
{
    if (!r->quiet && !r->bad)
        buf_add(r->out, text, len);
    if (r->out->cut)
        r->bad = true;
}

char v0_peek(const struct reader *r)
{
    return !r->bad && r->at < r->len ? r->text[r->at] : '\0';
}

char v0_take(struct reader *r)
{
    if (r->bad || r->at >= r->len) {
        r->bad = true;
        return '\0';
    }
    return r->text[r->at++];
}

bool v0_eat(struct reader *r, char c)
{
    if (v0_peek(r) != c || c == '\0')
        return false;
    r->at++;
    return true;
}

bool v0_enter(struct reader *r)
{
    r->depth++;
    if (r->depth > DEMANGLE_DEPTH_MAX || ++r->steps > STEPS_MAX)
        r->bad = true;
    return !r->bad;
}

void v0_leave(struct reader *r)
{
    r->depth--;
}

// "_" is 0, "0_" is 1, "z_" is 36 ...
uint64_t v0_base_62(struct reader *r)
{
    if (v0_eat(r, '_'))
        return 0;
    uint64_t v = 0;
    for (;;) {
        char c = v0_take(r);
        uint64_t digit;
        if (c == '_')
            break;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'z')
            digit = (uint64_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'Z')
            digit = (uint64_t)(c - 'A') + 36;
        else
            digit = UINT64_MAX;
        if (digit == UINT64_MAX || v > (UINT64_MAX - digit) / 62 || r->bad) {
            r->bad = true;
            return 0;
        }
        v = v * 62 + digit;
    }
    if (v == UINT64_MAX)
        r->bad = true;
    return v + 1;
}

uint64_t v0_optional_62(struct reader *r, char tag)
{
    if (!v0_eat(r, tag))
        return 0;
    uint64_t v = v0_base_62(r);
    if (v == UINT64_MAX)
        r->bad = true;
    return v + 1;
}

struct ident v0_identifier(struct reader *r)
{
    struct ident id = {.at = "", .puny = v0_eat(r, 'u')};
    char c = v0_take(r);
    if (c < '0' || c > '9') {
        r->bad = true;
        return id;
    }
    size_t n = (size_t)(c - '0');
    while (n > 0 && v0_peek(r) >= '0' && v0_peek(r) <= '9' && n <= DEMANGLE_INPUT_MAX)
        n = n * 10 + (size_t)(v0_take(r) - '0');
    v0_eat(r, '_'); // separates the length from a name that starts with a digit or '_'
    if (r->bad || n > r->len - r->at) {
        r->bad = true;
        return id;
    }
    id.at = r->text + r->at;
    id.len = n;
    r->at += n;
    return id;
}

static uint32_t puny_adapt(uint32_t delta, uint32_t count, bool first)
{
    delta /= first ? 700 : 2;
    delta += delta / count;
    uint32_t k = 0;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

// RFC 3492 with '_' in place of '-'. Number of characters, 0 when the text is not punycode.
static size_t puny_decode(const char *text, size_t len, uint32_t out[PUNYCODE_MAX])
{
    size_t count = 0, at = 0;
    const char *bar = memrchr(text, '_', len);
    if (bar)
        for (; text + at < bar; at++) {
            if (count == PUNYCODE_MAX)
                return 0;
            out[count++] = (unsigned char)text[at];
        }
    at += bar ? 1 : 0;
    uint64_t n = 0x80, i = 0, bias = 72;
    bool first = true;
    while (at < len) {
        uint64_t start = i, weight = 1;
        for (uint64_t k = 36;; k += 36) {
            if (at == len)
                return 0;
            char c = text[at++];
            uint64_t digit = c >= 'a' && c <= 'z'   ? (uint64_t)(c - 'a')
                             : c >= '0' && c <= '9' ? (uint64_t)(c - '0') + 26
                                                    : 99;
            if (digit > 35)
                return 0;
            i += digit * weight;
            uint64_t limit = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (digit < limit)
                break;
            weight *= 36 - limit;
            if (weight > UINT32_MAX || i > UINT32_MAX)
                return 0;
        }
        if (i > UINT32_MAX || count == PUNYCODE_MAX)
            return 0;
        bias = puny_adapt((uint32_t)(i - start), (uint32_t)count + 1, first);
        first = false;
        n += i / (count + 1);
        i %= count + 1;
        if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
            return 0;
        memmove(out + i + 1, out + i, (count - (size_t)i) * sizeof(*out));
        out[i++] = (uint32_t)n;
        count++;
    }
    return count;
}

void demangle_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xc0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_char(out, (char)(0xe0 | c >> 12));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_char(out, (char)(0xf0 | c >> 18));
        buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

void v0_emit_ident(struct reader *r, struct ident id)
{
    uint32_t chars[PUNYCODE_MAX];
    if (!id.puny) {
        v0_emit(r, id.at, id.len);
        return;
    }
    if (r->quiet || r->bad)
        return;
    size_t count = puny_decode(id.at, id.len, chars);
    if (count == 0) {
        ADD(r, "punycode{");
        v0_emit(r, id.at, id.len);
        ADD(r, "}");
    }
    for (size_t i = 0; i < count; i++)
        demangle_utf8(r->out, chars[i]);
}

// Reads what an earlier place holds; the caller has eaten the 'B'. A back reference may only point backwards.
void v0_back_reference(struct reader *r, void (*read)(struct reader *, bool), bool flag)
{
    size_t tag = r->at - 1;
    uint64_t target = v0_base_62(r);
    if (r->bad || target >= tag) {
        r->bad = true;
        return;
    }
    if (r->quiet)
        return; // what it points to has been checked when it was read
    size_t back = r->at;
    r->at = (size_t)target;
    read(r, flag);
    r->at = back;
}

void v0_emit_number(struct reader *r, uint64_t v)
{
    if (!r->quiet && !r->bad)
        buf_printf(r->out, "%llu", (unsigned long long)v);
}

// Items up to 'E', separated by ", ". Returns how many there were.
size_t v0_list(struct reader *r, void (*item)(struct reader *))
{
    size_t count = 0;
    while (!r->bad && !v0_eat(r, 'E')) {
        if (count++ > 0)
            ADD(r, ", ");
        item(r);
    }
    return count;
}

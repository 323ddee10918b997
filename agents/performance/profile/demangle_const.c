// Constants in v0 symbols: values of const generics.
#include "profile/demangle_internal.h"

static struct ident hex_digits(struct reader *r)
{
    struct ident id = {.at = r->text + (r->at < r->len ? r->at : r->len)};
    for (;;) {
        char c = v0_take(r);
        if (c == '_' || r->bad)
            return id;
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            r->bad = true;
            return id;
        }
        id.len++;
    }
}

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

// True when it fits; leading zeros do not count.
static bool hex_number(struct ident id, uint64_t *ret)
{
    uint64_t v = 0;
    while (id.len && id.at[0] == '0') {
        id.at++;
        id.len--;
    }
    if (id.len > 16)
        return false;
    for (size_t i = 0; i < id.len; i++)
        v = v << 4 | hex_value(id.at[i]);
    *ret = v;
    return true;
}

static void integer(struct reader *r)
{
    struct ident digits = hex_digits(r);
    uint64_t v;
    if (hex_number(digits, &v)) {
        v0_emit_number(r, v);
    } else {
        ADD(r, "0x");
        v0_emit(r, digits.at, digits.len);
    }
}

// One character inside quotes, escaped as Rust writes it.
static void emit_quoted(struct reader *r, uint32_t c, char quote)
{
    if (r->quiet || r->bad)
        return;
    if (c == '\n' || c == '\r' || c == '\t' || c == '\0')
        buf_printf(r->out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '0');
    else if (c == '\\' || c == (unsigned char)quote)
        buf_printf(r->out, "\\%c", (char)c);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(r->out, "\\u{%x}", c);
    else
        demangle_utf8(r->out, c);
}

static void character(struct reader *r)
{
    uint64_t c;
    if (!hex_number(hex_digits(r), &c) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        r->bad = true;
        return;
    }
    ADD(r, "'");
    emit_quoted(r, (uint32_t)c, '\'');
    ADD(r, "'");
}

static unsigned hex_byte(struct ident digits, size_t i)
{
    return hex_value(digits.at[2 * i]) << 4 | hex_value(digits.at[2 * i + 1]);
}

// The bytes of a string constant; invalid UTF-8 makes the symbol bad.
static void string(struct reader *r)
{
    struct ident digits = hex_digits(r);
    if (r->bad || digits.len % 2 != 0) {
        r->bad = true;
        return;
    }
    ADD(r, "\"");
    size_t count = digits.len / 2;
    for (size_t i = 0; i < count && !r->bad;) {
        unsigned b = hex_byte(digits, i++);
        size_t more = b < 0x80                ? 0
                      : b >= 0xc2 && b < 0xe0 ? 1
                      : b >= 0xe0 && b < 0xf0 ? 2
                      : b >= 0xf0 && b < 0xf5 ? 3
                                              : 9;
        uint32_t c = more == 0 ? b : b & (0x3fu >> more);
        if (more > count - i) {
            r->bad = true;
            break;
        }
        for (; more > 0; more--) {
            unsigned next = hex_byte(digits, i++);
            r->bad |= (next & 0xc0) != 0x80;
            c = c << 6 | (next & 0x3f);
        }
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            r->bad = true;
        else
            emit_quoted(r, c, '"');
    }
    ADD(r, "\"");
}

static void constant_item(struct reader *r)
{
    v0_constant(r, true);
}

static void field(struct reader *r)
{
    v0_optional_62(r, 's');
    v0_emit_ident(r, v0_identifier(r));
    ADD(r, ": ");
    v0_constant(r, true);
}

static void aggregate(struct reader *r, char tag)
{
    if (tag == 'A') {
        ADD(r, "[");
        v0_list(r, constant_item);
        ADD(r, "]");
    } else if (tag == 'T') {
        ADD(r, "(");
        if (v0_list(r, constant_item) == 1)
            ADD(r, ",");
        ADD(r, ")");
    } else {
        v0_path(r, true);
        char kind = v0_take(r);
        if (kind == 'T') {
            ADD(r, "(");
            v0_list(r, constant_item);
            ADD(r, ")");
        } else if (kind == 'S') {
            ADD(r, " { ");
            v0_list(r, field);
            ADD(r, " }");
        } else if (kind != 'U') {
            r->bad = true;
        }
    }
}

static void reference_constant(struct reader *r, char tag)
{
    if (tag == 'R' && v0_eat(r, 'e')) { // a string literal is a reference already
        string(r);
        return;
    }
    ADD(r, "&");
    if (tag == 'Q')
        ADD(r, "mut ");
    v0_constant(r, true);
}

static void constant_body(struct reader *r, bool in_value)
{
    char tag = v0_take(r);
    if (tag == 'B') {
        v0_back_reference(r, v0_constant, in_value);
        return;
    }
    // expressions stand in braces where a type could stand
    bool braces = !in_value && tag != '\0' && (strchr("eQATV", tag) || (tag == 'R' && v0_peek(r) != 'e'));
    if (braces)
        ADD(r, "{");
    if (tag == 'p') {
        ADD(r, "_");
    } else if (tag != '\0' && strchr("hmtoyj", tag)) {
        integer(r);
    } else if (tag != '\0' && strchr("alsnxi", tag)) {
        if (v0_eat(r, 'n'))
            ADD(r, "-");
        integer(r);
    } else if (tag == 'b') {
        uint64_t v;
        if (!hex_number(hex_digits(r), &v) || v > 1)
            r->bad = true;
        else if (v)
            ADD(r, "true");
        else
            ADD(r, "false");
    } else if (tag == 'c') {
        character(r);
    } else if (tag == 'e') {
        ADD(r, "*");
        string(r);
    } else if (tag == 'R' || tag == 'Q') {
        reference_constant(r, tag);
    } else if (tag == 'A' || tag == 'T' || tag == 'V') {
        aggregate(r, tag);
    } else {
        r->bad = true;
    }
    if (braces)
        ADD(r, "}");
}

void v0_constant(struct reader *r, bool in_value)
{
    if (v0_enter(r))
        constant_body(r, in_value);
    v0_leave(r);
}

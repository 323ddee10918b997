// The v0 scheme (RFC 2603): paths and types. A recursive descent over the mangled text that prints as it reads.
#include "profile/demangle_internal.h"

// index counts from the innermost binder, 1 is the nearest; 0 is erased.
static void lifetime(struct reader *r, uint64_t index)
{
    if (index == 0) {
        ADD(r, "'_");
        return;
    }
    if (index > r->bound_lifetimes) {
        r->bad = true;
        return;
    }
    uint64_t depth = r->bound_lifetimes - index;
    char text[2] = {'\'', (char)('a' + (depth < 26 ? depth : 25))};
    v0_emit(r, text, 2);
    if (depth >= 26)
        v0_emit_number(r, depth - 25);
}

// "for<'a, 'b> "; the caller takes the lifetimes away again.
static uint64_t binder(struct reader *r)
{
    uint64_t count = v0_optional_62(r, 'G');
    if (count == 0)
        return 0;
    if (count > 100) {
        r->bad = true;
        return 0;
    }
    ADD(r, "for<");
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            ADD(r, ", ");
        r->bound_lifetimes++;
        lifetime(r, 1);
    }
    ADD(r, "> ");
    return count;
}

static void type_any(struct reader *r, bool unused)
{
    (void)unused;
    v0_type(r);
}

static void generic_argument(struct reader *r)
{
    if (v0_eat(r, 'L'))
        lifetime(r, v0_base_62(r));
    else if (v0_eat(r, 'K'))
        v0_constant(r, false);
    else
        v0_type(r);
}

// The path of an impl: it is not printed, but crates and modules in it may be the target of back references.
static void impl_path(struct reader *r)
{
    bool quiet = r->quiet;
    r->quiet = true;
    v0_optional_62(r, 's');
    v0_path(r, false);
    r->quiet = quiet;
}

static void nested_path(struct reader *r, bool in_value)
{
    char space = v0_take(r);
    bool upper = space >= 'A' && space <= 'Z';
    if (!upper && !(space >= 'a' && space <= 'z')) {
        r->bad = true;
        return;
    }
    v0_path(r, in_value);
    uint64_t which = v0_optional_62(r, 's');
    struct ident id = v0_identifier(r);
    if (!upper) {
        if (id.len)
            ADD(r, "::");
        v0_emit_ident(r, id);
        return;
    }
    ADD(r, "::{");
    if (space == 'C')
        ADD(r, "closure");
    else if (space == 'S')
        ADD(r, "shim");
    else
        v0_emit(r, &space, 1);
    if (id.len) {
        ADD(r, ":");
        v0_emit_ident(r, id);
    }
    ADD(r, "#");
    v0_emit_number(r, which);
    ADD(r, "}");
}

static void path_body(struct reader *r, bool in_value)
{
    char tag = v0_take(r);
    switch (tag) {
    case 'C':
        v0_optional_62(r, 's');
        v0_emit_ident(r, v0_identifier(r));
        break;
    case 'N':
        nested_path(r, in_value);
        break;
    case 'M':
    case 'X':
    case 'Y':
        if (tag != 'Y')
            impl_path(r);
        ADD(r, "<");
        v0_type(r);
        if (tag != 'M') {
            ADD(r, " as ");
            v0_path(r, false);
        }
        ADD(r, ">");
        break;
    case 'I':
        v0_path(r, in_value);
        if (in_value)
            ADD(r, "::");
        ADD(r, "<");
        v0_list(r, generic_argument);
        ADD(r, ">");
        break;
    case 'B':
        v0_back_reference(r, v0_path, in_value);
        break;
    default:
        r->bad = true;
    }
}

void v0_path(struct reader *r, bool in_value)
{
    if (v0_enter(r))
        path_body(r, in_value);
    v0_leave(r);
}

static const char *basic_type(char tag)
{
    static const char *const names[26] = {
        ['a' - 'a'] = "i8",  ['b' - 'a'] = "bool", ['c' - 'a'] = "char",  ['d' - 'a'] = "f64",   ['e' - 'a'] = "str",
        ['f' - 'a'] = "f32", ['h' - 'a'] = "u8",   ['i' - 'a'] = "isize", ['j' - 'a'] = "usize", ['l' - 'a'] = "i32",
        ['m' - 'a'] = "u32", ['n' - 'a'] = "i128", ['o' - 'a'] = "u128",  ['p' - 'a'] = "_",     ['s' - 'a'] = "i16",
        ['t' - 'a'] = "u16", ['u' - 'a'] = "()",   ['v' - 'a'] = "...",   ['x' - 'a'] = "i64",   ['y' - 'a'] = "u64",
        ['z' - 'a'] = "!",
    };
    return tag >= 'a' && tag <= 'z' ? names[tag - 'a'] : NULL;
}

static void function_type(struct reader *r)
{
    uint64_t bound = binder(r);
    if (v0_eat(r, 'U'))
        ADD(r, "unsafe ");
    if (v0_eat(r, 'K')) {
        ADD(r, "extern \"");
        if (v0_eat(r, 'C')) {
            ADD(r, "C");
        } else {
            struct ident abi = v0_identifier(r);
            for (size_t i = 0; i < abi.len; i++)
                v0_emit(r, abi.at[i] == '_' ? "-" : &abi.at[i], 1);
        }
        ADD(r, "\" ");
    }
    ADD(r, "fn(");
    v0_list(r, v0_type);
    ADD(r, ")");
    if (!v0_eat(r, 'u')) { // the unit type is not written
        ADD(r, " -> ");
        v0_type(r);
    }
    r->bound_lifetimes -= bound;
}

// A path whose generic list stays open, so that associated types can be added to it: true when it is open.
static bool open_path(struct reader *r)
{
    if (!v0_enter(r)) {
        v0_leave(r);
        return false;
    }
    bool open = false;
    if (v0_eat(r, 'B')) {
        size_t tag = r->at - 1;
        uint64_t target = v0_base_62(r);
        if (r->bad || target >= tag) {
            r->bad = true;
        } else if (!r->quiet) {
            size_t back = r->at;
            r->at = (size_t)target;
            open = open_path(r);
            r->at = back;
        }
    } else if (v0_eat(r, 'I')) {
        v0_path(r, false);
        ADD(r, "<");
        v0_list(r, generic_argument);
        open = true;
    } else {
        v0_path(r, false);
    }
    v0_leave(r);
    return open;
}

static void dyn_trait(struct reader *r)
{
    bool open = open_path(r);
    while (v0_eat(r, 'p')) {
        if (open)
            ADD(r, ", ");
        else
            ADD(r, "<");
        open = true;
        v0_emit_ident(r, v0_identifier(r));
        ADD(r, " = ");
        v0_type(r);
    }
    if (open)
        ADD(r, ">");
}

static void dyn_type(struct reader *r)
{
    ADD(r, "dyn ");
    uint64_t bound = binder(r);
    for (size_t i = 0; !r->bad && !v0_eat(r, 'E'); i++) {
        if (i > 0)
            ADD(r, " + ");
        dyn_trait(r);
    }
    r->bound_lifetimes -= bound;
    if (!v0_eat(r, 'L')) {
        r->bad = true;
        return;
    }
    uint64_t index = v0_base_62(r);
    if (index) {
        ADD(r, " + ");
        lifetime(r, index);
    }
}

static void reference_type(struct reader *r, bool mutable)
{
    ADD(r, "&");
    if (v0_eat(r, 'L')) {
        uint64_t index = v0_base_62(r);
        if (index) {
            lifetime(r, index);
            ADD(r, " ");
        }
    }
    if (mutable)
        ADD(r, "mut ");
    v0_type(r);
}

static void array_type(struct reader *r, bool sized)
{
    ADD(r, "[");
    v0_type(r);
    if (sized) {
        ADD(r, "; ");
        v0_constant(r, true);
    }
    ADD(r, "]");
}

static void pattern(struct reader *r)
{
    if (!v0_enter(r)) {
        v0_leave(r);
        return;
    }
    switch (v0_take(r)) {
    case 'R':
        v0_constant(r, false);
        ADD(r, "..=");
        v0_constant(r, false);
        break;
    case 'O':
        for (size_t i = 0; !r->bad && !v0_eat(r, 'E'); i++) {
            if (i > 0)
                ADD(r, " | ");
            pattern(r);
        }
        break;
    case 'N':
        ADD(r, "!null");
        break;
    default:
        r->bad = true;
    }
    v0_leave(r);
}

static void type_body(struct reader *r)
{
    const char *basic = basic_type(v0_peek(r));
    if (basic) {
        r->at++;
        v0_emit(r, basic, strlen(basic));
        return;
    }
    char tag = v0_take(r);
    switch (tag) {
    case 'R':
    case 'Q':
        reference_type(r, tag == 'Q');
        break;
    case 'P':
    case 'O':
        if (tag == 'P')
            ADD(r, "*const ");
        else
            ADD(r, "*mut ");
        v0_type(r);
        break;
    case 'A':
    case 'S':
        array_type(r, tag == 'A');
        break;
    case 'T':
        ADD(r, "(");
        if (v0_list(r, v0_type) == 1)
            ADD(r, ",");
        ADD(r, ")");
        break;
    case 'F':
        function_type(r);
        break;
    case 'D':
        dyn_type(r);
        break;
    case 'W':
        v0_type(r);
        ADD(r, " is ");
        pattern(r);
        break;
    case 'B':
        v0_back_reference(r, type_any, false);
        break;
    default:
        if (!r->bad)
            r->at--; // the tag belongs to a path
        v0_path(r, false);
    }
}

void v0_type(struct reader *r)
{
    if (v0_enter(r))
        type_body(r);
    v0_leave(r);
}

bool demangle_v0(struct buf *out, const char *symbol, size_t len)
{
    size_t skip = len > 3 && memcmp(symbol, "__R", 3) == 0 ? 3 : len > 2 && memcmp(symbol, "_R", 2) == 0 ? 2 : 0;
    if (skip == 0 || len > DEMANGLE_INPUT_MAX || symbol[skip] < 'A' || symbol[skip] > 'Z')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)symbol[i] >= 0x80)
            return false;
    size_t start = out->len;
    struct reader r = {.text = symbol + skip, .len = len - skip, .out = out};
    v0_path(&r, true);
    if (v0_peek(&r) >= 'A' && v0_peek(&r) <= 'Z') { // the crate that instantiated it
        r.quiet = true;
        v0_path(&r, false);
    }
    char next = v0_peek(&r); // ".llvm.123" and the like may stand behind
    if (!r.bad && r.at < r.len && next != '.' && next != '$' && next != '@')
        r.bad = true;
    if (r.bad && out->len > start) {
        out->len = start;
        out->data[start] = '\0';
    }
    return !r.bad;
}

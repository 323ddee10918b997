// The format: https://valgrind.org/docs/manual/cl-format.html. Names are compressed: "(7) name" says it once, "(7)"
// afterwards; lines are relative to the line before. A call is two lines: "calls=COUNT …", then its cost.
#include "profile/callgrind.h"

#include "profile/crate_kind.h"
#include "profile/demangle.h"
#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define COST_MAX  (UINT64_C(1) << 60)
#define COLUMNS   16
#define SHOWN_MAX 80 // of a line that is wrong

enum space { OBJECTS, FILES, FUNCTIONS, SPACES };

typedef VEC(uint32_t) id_list;

struct callgrind {
    struct intern *texts, *keys; // keys: {name, file, object}
    VEC(struct callgrind_function) functions;
    VEC(struct callgrind_call) calls;
    struct intern *call_keys; // {caller, callee}
    VEC(uint64_t) call_best;  // cost at `line` of the call, beside `calls`
    VEC(struct callgrind_line) lines;
    struct intern *line_keys; // {function, line, file}
    VEC(uint32_t) files;      // of each line, as text
    VEC(uint32_t) own_files;  // of each function, as text: said by fl=
    VEC(uint32_t) first_call; // of each function, and the end
    uint64_t total[CALLGRIND_EVENTS];
    bool syscalls;
};

struct parser {
    struct callgrind *c;
    const char *at, *end; // of the current line
    unsigned number;
    id_list ids[SPACES]; // text of a compressed name + 1; 0: not said yet
    int columns[CALLGRIND_EVENTS], positions, events;
    int64_t position[COLUMNS];
    uint32_t object, file, function_file, called_object, called_file; // texts; INTERN_NONE: not given
    uint32_t function, called;
    uint64_t call_count;
    bool in_call;
    struct err *err;
};

struct callgrind *callgrind_new(void)
{
    struct callgrind *c = mem_alloc(sizeof(*c));
    c->texts = intern_new();
    c->keys = intern_new();
    c->call_keys = intern_new();
    c->line_keys = intern_new();
    return c;
}

struct callgrind *callgrind_free(struct callgrind *c)
{
    if (!c)
        return NULL;
    intern_free(c->texts);
    intern_free(c->keys);
    intern_free(c->call_keys);
    intern_free(c->line_keys);
    vec_free(&c->functions);
    vec_free(&c->calls);
    vec_free(&c->call_best);
    vec_free(&c->lines);
    vec_free(&c->files);
    vec_free(&c->own_files);
    vec_free(&c->first_call);
    mem_free(c);
    return NULL;
}

// --- words of a line ---

static int wrong(const struct parser *p, const char *line, const char *expected)
{
    size_t n = (size_t)(p->end - line);
    return err_set(p->err, ERR_PARSE, "line %u is \"%.*s\", expected %s", p->number,
                   (int)(n < SHOWN_MAX ? n : SHOWN_MAX), line, expected);
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static bool word(struct parser *p, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool number(struct parser *p, uint64_t *ret)
{
    bool hex = (size_t)(p->end - p->at) > 2 && p->at[0] == '0' && p->at[1] == 'x';
    const char *first = p->at += hex ? 2 : 0;
    uint64_t v = 0;
    for (; p->at < p->end && isxdigit((unsigned char)*p->at) && (hex || isdigit((unsigned char)*p->at)); p->at++) {
        unsigned digit = isdigit((unsigned char)*p->at) ? (unsigned)(*p->at - '0')
                                                        : (unsigned)(tolower((unsigned char)*p->at) - 'a' + 10);
        v = v > COST_MAX ? COST_MAX : v * (hex ? 16 : 10) + digit;
    }
    *ret = v > COST_MAX ? COST_MAX : v;
    return p->at > first;
}

// "(7) name", "(7)", "name": the number of its text. INTERN_NONE: wrong.
static uint32_t name(struct parser *p, enum space space)
{
    uint64_t id = 0;
    bool compressed = word(p, "(");
    if (compressed && (!number(p, &id) || !word(p, ")") || id >= CALLGRIND_ID_MAX))
        return INTERN_NONE;
    skip_blanks(p);
    uint32_t text = INTERN_NONE;
    id_list *ids = &p->ids[space];
    if (p->at < p->end)
        text = intern_bytes(p->c->texts, p->at, (size_t)(p->end - p->at), NULL);
    else if (compressed && id < ids->len && ids->items[id])
        text = ids->items[id] - 1;
    while (compressed && text != INTERN_NONE && ids->len <= id)
        vec_push(ids, 0);
    if (compressed && text != INTERN_NONE)
        ids->items[id] = text + 1;
    p->at = p->end;
    return text;
}

// --- functions and calls ---

static const char *known_text(const struct callgrind *c, uint32_t text)
{
    const char *s = text == INTERN_NONE ? NULL : intern_data(c->texts, text);
    return s && !str_eq(s, "???") ? s : NULL;
}

static uint32_t find_function(struct parser *p, uint32_t text, uint32_t file, uint32_t object)
{
    struct callgrind *c = p->c;
    const uint32_t key[3] = {text, file, object};
    bool fresh = false;
    if (c->functions.len >= CALLGRIND_FUNCTIONS_MAX)
        return INTERN_NONE;
    uint32_t id = intern_bytes(c->keys, key, sizeof(key), &fresh);
    if (id != INTERN_NONE && fresh) {
        vec_push(&c->own_files, file);
        vec_push(&c->functions, (struct callgrind_function){.name = intern_data(c->texts, text),
                                                            .file = known_text(c, file),
                                                            .object = known_text(c, object)});
    }
    return id;
}

static int add_line(struct parser *p, int line, uint64_t cost)
{
    struct callgrind *c = p->c;
    if (line <= 0 || cost == 0 || p->file == INTERN_NONE)
        return 0;
    const uint32_t key[3] = {p->function, (uint32_t)line, p->file};
    bool fresh = false;
    uint32_t id = intern_bytes(c->line_keys, key, sizeof(key), &fresh);
    if (id == INTERN_NONE || c->lines.len >= CALLGRIND_LINES_MAX)
        return err_set(p->err, ERR_LIMIT, "more than %zu lines with costs", CALLGRIND_LINES_MAX);
    if (fresh) {
        vec_push(&c->lines, (struct callgrind_line){p->function, line, 0});
        vec_push(&c->files, p->file);
    }
    c->lines.items[id].cost += cost;
    return 0;
}

static int add_call(struct parser *p, int line, const uint64_t cost[CALLGRIND_EVENTS])
{
    struct callgrind *c = p->c;
    const uint32_t key[2] = {p->function, p->called};
    bool fresh = false;
    if (c->calls.len >= CALLGRIND_CALLS_MAX)
        return err_set(p->err, ERR_LIMIT, "more than %zu different calls", CALLGRIND_CALLS_MAX);
    uint32_t id = intern_bytes(c->call_keys, key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return err_set(p->err, ERR_LIMIT, "too many calls");
    if (fresh) {
        vec_push(&c->calls, (struct callgrind_call){.caller = p->function, .callee = p->called});
        vec_push(&c->call_best, 0);
    }
    struct callgrind_call *call = &c->calls.items[id];
    call->count += p->call_count;
    for (int e = 0; e < CALLGRIND_EVENTS; e++)
        call->cost[e] += cost[e];
    if (p->file == p->function_file && cost[CALLGRIND_INSTRUCTIONS] >= c->call_best.items[id]) {
        c->call_best.items[id] = cost[CALLGRIND_INSTRUCTIONS];
        call->line = line;
    }
    c->functions.items[p->called].called += p->call_count;
    return 0;
}

// --- lines ---

static bool read_positions(struct parser *p)
{
    for (int i = 0; i < p->positions; i++) {
        uint64_t v = 0;
        bool plus = word(p, "+"), minus = !plus && word(p, "-");
        if (!plus && !minus && word(p, "*")) {
            skip_blanks(p);
            continue;
        }
        if (!number(p, &v) || v > INT64_MAX / 2)
            return false;
        int64_t before = plus || minus ? p->position[i] : 0;
        p->position[i] = before + (minus ? -(int64_t)v : (int64_t)v);
        if (p->position[i] < 0 || p->position[i] > INT64_MAX / 4)
            p->position[i] = 0;
        skip_blanks(p);
    }
    return true;
}

static int cost_line(struct parser *p, const char *line)
{
    uint64_t cost[CALLGRIND_EVENTS] = {0};
    if (!read_positions(p))
        return wrong(p, line, "a position and costs");
    for (int i = 0; i < p->events && p->at < p->end; i++) {
        uint64_t v;
        if (!number(p, &v))
            return wrong(p, line, "costs");
        for (int e = 0; e < CALLGRIND_EVENTS; e++)
            if (p->columns[e] == i)
                cost[e] = v;
        skip_blanks(p);
    }
    if (p->function == INTERN_NONE)
        return wrong(p, line, "\"fn=\" before costs");
    int64_t at = p->position[p->positions - 1];
    int number_of_line = at > 0 && at < INT32_MAX ? (int)at : 0;
    int r = add_line(p, number_of_line, cost[CALLGRIND_INSTRUCTIONS]);
    if (r < 0)
        return r;
    if (p->in_call) {
        p->in_call = false;
        return add_call(p, number_of_line, cost);
    }
    for (int e = 0; e < CALLGRIND_EVENTS; e++) {
        p->c->functions.items[p->function].self[e] += cost[e];
        p->c->total[e] += cost[e];
    }
    return 0;
}

static void read_events(struct parser *p)
{
    static const char *const NAMES[] = {"Ir", "sysCount", "sysTime"};
    for (int e = 0; e < CALLGRIND_EVENTS; e++)
        p->columns[e] = -1;
    for (p->events = 0; p->events < COLUMNS; p->events++) {
        skip_blanks(p);
        const char *first = p->at;
        while (p->at < p->end && !isspace((unsigned char)*p->at))
            p->at++;
        size_t n = (size_t)(p->at - first);
        if (n == 0)
            break;
        for (int e = 0; e < CALLGRIND_EVENTS; e++)
            if (strlen(NAMES[e]) == n && memcmp(NAMES[e], first, n) == 0)
                p->columns[e] = p->events;
    }
    if (p->columns[CALLGRIND_INSTRUCTIONS] < 0)
        p->columns[CALLGRIND_INSTRUCTIONS] = 0;
    p->c->syscalls |= p->columns[CALLGRIND_SYSCALLS] >= 0;
}

static int begin_function(struct parser *p, const char *line)
{
    uint32_t text = name(p, FUNCTIONS);
    if (text == INTERN_NONE)
        return wrong(p, line, "the name of a function");
    p->function_file = p->file;
    p->function = find_function(p, text, p->file, p->object);
    return p->function == INTERN_NONE ? err_set(p->err, ERR_LIMIT, "more than %zu functions", CALLGRIND_FUNCTIONS_MAX)
                                      : 0;
}

static int begin_call(struct parser *p, const char *line)
{
    uint32_t text = name(p, FUNCTIONS);
    if (text == INTERN_NONE)
        return wrong(p, line, "the name of a function");
    p->called = find_function(p, text, p->called_file == INTERN_NONE ? p->file : p->called_file,
                              p->called_object == INTERN_NONE ? p->object : p->called_object);
    p->called_file = p->called_object = INTERN_NONE;
    return p->called == INTERN_NONE ? err_set(p->err, ERR_LIMIT, "more than %zu functions", CALLGRIND_FUNCTIONS_MAX)
                                    : 0;
}

static int take_name(struct parser *p, const char *line, enum space space, uint32_t *ret)
{
    *ret = name(p, space);
    return *ret == INTERN_NONE ? wrong(p, line, "a name") : 0;
}

static int calls_line(struct parser *p, const char *line)
{
    if (!number(p, &p->call_count) || p->called == INTERN_NONE || p->function == INTERN_NONE)
        return wrong(p, line, "\"calls=COUNT\" behind \"fn=\" and \"cfn=\"");
    p->in_call = true;
    return 0;
}

static void positions_line(struct parser *p)
{
    p->positions = 0;
    for (skip_blanks(p); p->at < p->end && p->positions < 2; skip_blanks(p)) {
        while (p->at < p->end && !isspace((unsigned char)*p->at))
            p->at++;
        p->positions++;
    }
    p->positions = p->positions ? p->positions : 1;
}

static int any_line(struct parser *p)
{
    const char *line = p->at;
    if (word(p, "fn="))
        return begin_function(p, line);
    if (word(p, "cfn="))
        return begin_call(p, line);
    if (word(p, "calls="))
        return calls_line(p, line);
    if (word(p, "fl=") || word(p, "fi=") || word(p, "fe="))
        return take_name(p, line, FILES, &p->file);
    if (word(p, "cfi=") || word(p, "cfl="))
        return take_name(p, line, FILES, &p->called_file);
    if (word(p, "ob="))
        return take_name(p, line, OBJECTS, &p->object);
    if (word(p, "cob="))
        return take_name(p, line, OBJECTS, &p->called_object);
    if (word(p, "events:"))
        read_events(p);
    else if (word(p, "positions:"))
        positions_line(p);
    else if (isdigit((unsigned char)*p->at) || strchr("+-*", *p->at))
        return cost_line(p, line);
    return 0; // what else there is (summary, jumps, descriptions) holds no costs of functions
}

int callgrind_add(struct callgrind *c, const char *text, size_t len, struct err *err)
{
    struct parser p = {.c = c, .positions = 1, .events = 1, .err = err};
    p.object = p.file = p.function_file = p.called_object = p.called_file = p.function = p.called = INTERN_NONE;
    for (int e = 0; e < CALLGRIND_EVENTS; e++)
        p.columns[e] = e == CALLGRIND_INSTRUCTIONS ? 0 : -1;
    int r = 0;
    for (const char *at = text, *end = text + len; at < end && r == 0;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        p.at = at;
        p.end = newline ? newline : end;
        at = p.end + 1;
        p.number++;
        while (p.end > p.at && isspace((unsigned char)p.end[-1]))
            p.end--;
        if (p.at < p.end && *p.at != '#')
            r = any_line(&p);
    }
    for (int s = 0; s < SPACES; s++)
        vec_free(&p.ids[s]);
    return r;
}

// --- sums ---

static int by_caller(const void *a, const void *b)
{
    const struct callgrind_call *x = a, *y = b;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return (x->callee > y->callee) - (x->callee < y->callee);
}

static bool is_foreign(const struct callgrind *c, uint32_t file)
{
    const char *path = known_text(c, file);
    return !path || crate_path_foreign(path);
}

// A function that is not of std, but begins with inlined code of it: its file is that of its other lines.
static void find_own_files(struct callgrind *c)
{
    for (size_t i = 0; i < c->lines.len; i++) {
        uint32_t f = c->lines.items[i].function;
        if (c->own_files.items[f] == c->files.items[i] || !is_foreign(c, c->own_files.items[f]) ||
            is_foreign(c, c->files.items[i]))
            continue;
        AUTO_FREE char *function = demangle(c->functions.items[f].name);
        size_t len;
        demangle_crate(function, &len);
        if (len == 0 || crate_kind_of(NULL, NULL, function) == CRATE_STD)
            continue;
        c->own_files.items[f] = c->files.items[i];
        c->functions.items[f].file = known_text(c, c->files.items[i]);
    }
}

// Lines of inlined functions are other functions' lines.
static void keep_own_lines(struct callgrind *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->lines.len; i++) {
        const struct callgrind_line *line = &c->lines.items[i];
        struct callgrind_function *f = &c->functions.items[line->function];
        if (c->own_files.items[line->function] != c->files.items[i])
            continue;
        if (f->line == 0 || line->line < f->line)
            f->line = line->line;
        c->lines.items[kept++] = *line;
    }
    c->lines.len = kept;
}

// "0x00000000000037d0" of a program without symbols -> "sort+0x37d0"
static void name_by_address(struct callgrind *c, struct callgrind_function *f)
{
    size_t zeros = strspn(f->name + (str_starts(f->name, "0x") ? 2 : 0), "0");
    if (!str_starts(f->name, "0x") || f->name[2 + strspn(f->name + 2, "0123456789abcdef")] != '\0')
        return;
    const char *object = f->object ? f->object : "?", *slash = strrchr(object, '/');
    AUTO_FREE char *text = str_printf("%s+0x%s", slash ? slash + 1 : object, f->name + 2 + zeros);
    uint32_t id = intern_text(c->texts, text);
    if (id != INTERN_NONE)
        f->name = intern_data(c->texts, id);
}

void callgrind_finish(struct callgrind *c)
{
    if (c->calls.len)
        qsort(c->calls.items, c->calls.len, sizeof(*c->calls.items), by_caller);
    find_own_files(c);
    keep_own_lines(c);
    size_t at = 0;
    c->first_call.len = 0;
    for (uint32_t f = 0; f < c->functions.len; f++) {
        struct callgrind_function *function = &c->functions.items[f];
        name_by_address(c, function);
        vec_push(&c->first_call, (uint32_t)at);
        memcpy(function->total, function->self, sizeof(function->total));
        for (; at < c->calls.len && c->calls.items[at].caller == f; at++)
            for (int e = 0; e < CALLGRIND_EVENTS; e++)
                if (c->calls.items[at].callee != f) // a function that calls itself has its cost once
                    function->total[e] += c->calls.items[at].cost[e];
        for (int e = 0; e < CALLGRIND_EVENTS; e++)
            if (function->total[e] > c->total[e]) // so do those that call one another
                function->total[e] = c->total[e];
    }
    vec_push(&c->first_call, (uint32_t)at);
}

size_t callgrind_function_count(const struct callgrind *c)
{
    return c->functions.len;
}

const struct callgrind_function *callgrind_function_at(const struct callgrind *c, uint32_t i)
{
    must(i < c->functions.len);
    return &c->functions.items[i];
}

uint64_t callgrind_total(const struct callgrind *c, enum callgrind_event event)
{
    return c->total[event];
}

bool callgrind_has_syscalls(const struct callgrind *c)
{
    return c->syscalls;
}

const struct callgrind_call *callgrind_calls(const struct callgrind *c, size_t *ret_count)
{
    *ret_count = c->calls.len;
    return c->calls.items;
}

size_t callgrind_calls_of(const struct callgrind *c, uint32_t caller, const struct callgrind_call **ret)
{
    must(caller + 1 < c->first_call.len);
    *ret = c->calls.len ? c->calls.items + c->first_call.items[caller] : NULL;
    return c->first_call.items[caller + 1] - c->first_call.items[caller];
}

const struct callgrind_line *callgrind_lines(const struct callgrind *c, size_t *ret_count)
{
    *ret_count = c->lines.len;
    return c->lines.items;
}

#include "measure/bench_text.h"

#include "base/buf.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

static const char *const HARNESS_NAMES[] = {"unknown", "criterion", "divan", "libtest", "plain"};

const char *bench_harness_name(enum bench_harness h)
{
    return HARNESS_NAMES[h];
}

static bool has(const char *text, const char *word)
{
    return text && strstr(text, word) != NULL;
}

enum bench_harness bench_harness_detect(const char *help, const char *list, const char *const *dev_dependencies)
{
    if (has(help, "--save-baseline") || has(help, "Criterion Benchmark"))
        return BENCH_CRITERION;
    if (has(help, "DIVAN_") || has(help, "--sample-count"))
        return BENCH_DIVAN;
    if (has(help, "--test-threads"))
        return BENCH_LIBTEST;
    if (has(list, "├─ ") || has(list, "╰─ "))
        return BENCH_DIVAN;
    if (has(list, " tests, ") && has(list, " benchmark"))
        return BENCH_LIBTEST;
    if (has(list, "running 0 tests") && has(list, "test result: "))
        return BENCH_LIBTEST; // bencher: takes "--list" for a name that no bench has
    if (has(list, ": bench"))
        return BENCH_CRITERION;
    if (help || list)
        return BENCH_PLAIN;
    for (; dev_dependencies && *dev_dependencies; dev_dependencies++) {
        if (str_ends(*dev_dependencies, "criterion") || str_eq(*dev_dependencies, "codspeed-criterion-compat"))
            return BENCH_CRITERION;
        if (str_eq(*dev_dependencies, "divan") || str_eq(*dev_dependencies, "codspeed-divan-compat"))
            return BENCH_DIVAN;
    }
    return BENCH_UNKNOWN;
}

// Lines without their end; false at the end of the text.
static bool next_line(const char **text, size_t *left, const char **ret, size_t *ret_len)
{
    if (*left == 0)
        return false;
    const char *end = memchr(*text, '\n', *left);
    size_t len = end ? (size_t)(end - *text) : *left;
    *ret = *text;
    *ret_len = len > 0 && (*text)[len - 1] == '\r' ? len - 1 : len;
    size_t step = end ? len + 1 : len;
    *text += step;
    *left -= step;
    return true;
}

static bool take(const char **p, size_t *left, const char *word)
{
    size_t n = strlen(word);
    if (*left < n || memcmp(*p, word, n) != 0)
        return false;
    *p += n;
    *left -= n;
    return true;
}

// Bytes of the first `columns` characters.
static size_t bytes_of_columns(const char *s, size_t len, size_t columns)
{
    size_t i = 0;
    while (i < len && columns > 0) {
        i++;
        while (i < len && ((unsigned char)s[i] & 0xC0) == 0x80)
            i++;
        columns--;
    }
    return i;
}

static size_t count_columns(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    return n;
}

// Depth of a tree line (0: no branch before the name); *p and *left are moved to the name.
static size_t tree_depth(const char **p, size_t *left)
{
    size_t depth = 0;
    for (;;) {
        if (take(p, left, "├─ ") || take(p, left, "╰─ ") || take(p, left, "└─ "))
            return depth + 1;
        if (!take(p, left, "│  ") && !take(p, left, "   "))
            return depth == 0 ? 0 : BENCH_DEPTH_MAX + 1; // deeper text without a branch: not a name
        if (++depth > BENCH_DEPTH_MAX)
            return depth;
    }
}

static void trim(const char **p, size_t *len)
{
    while (*len && (**p == ' ' || **p == '\t')) {
        (*p)++;
        (*len)--;
    }
    while (*len && ((*p)[*len - 1] == ' ' || (*p)[*len - 1] == '\t'))
        (*len)--;
}

struct path {
    char *names[BENCH_DEPTH_MAX + 1];
};

static void path_put(struct path *t, size_t depth, const char *name, size_t len)
{
    for (size_t i = depth; i <= BENCH_DEPTH_MAX; i++)
        str_set(&t->names[i], NULL);
    t->names[depth] = str_ndup(name, len);
}

static void path_clear(struct path *t)
{
    for (size_t i = 0; i <= BENCH_DEPTH_MAX; i++)
        str_set(&t->names[i], NULL);
}

static char *path_text(const struct path *t, size_t depth)
{
    struct buf b = BUF_INIT;
    for (size_t i = 1; i <= depth; i++) { // 0 is the program
        if (b.len)
            buf_str_add(&b, "::");
        buf_str_add(&b, t->names[i] ? t->names[i] : "");
    }
    return buf_steal(&b);
}

// "1.136 µs" to ns; false when it is no time.
static bool read_time(const char *p, size_t len, double *ret)
{
    static const struct {
        const char *unit;
        double ns;
    } UNITS[] = {{"ps", 1e-3}, {"ns", 1},  {"µs", 1e3}, {"μs", 1e3},  {"us", 1e3},
                 {"ms", 1e6},  {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
    trim(&p, &len);
    char text[64];
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, p, len);
    text[len] = '\0';
    char *unit = strchr(text, ' ');
    if (!unit)
        return false;
    *unit++ = '\0';
    double v;
    if (!str_to_double(text, &v) || v < 0 || v > 1e15)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++)
        if (str_eq(unit, UNITS[i].unit)) {
            *ret = v * UNITS[i].ns;
            return true;
        }
    return false;
}

static int64_t read_count(const char *p, size_t len)
{
    trim(&p, &len);
    char text[32];
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < sizeof(text); i++)
        if (p[i] != ',')
            text[n++] = p[i];
    text[n] = '\0';
    int64_t v;
    return str_to_i64(text, &v) && v >= 0 ? v : 0;
}

// The columns behind the name, split at "│". False when the first four are not times.
static bool read_columns(const char *p, size_t len, struct bench_row *row)
{
    static const char BAR[] = "│";
    double times[4];
    for (int column = 0; column < 6; column++) {
        const char *bar = len ? memmem(p, len, BAR, sizeof(BAR) - 1) : NULL;
        size_t n = bar ? (size_t)(bar - p) : len;
        if (column < 4 && !read_time(p, n, &times[column]))
            return false;
        if (column == 4)
            row->samples = read_count(p, n);
        if (column == 5)
            row->iters = read_count(p, n);
        size_t step = bar ? n + sizeof(BAR) - 1 : n;
        p += step;
        len -= step;
    }
    row->fastest_ns = times[0];
    row->slowest_ns = times[1];
    row->median_ns = times[2];
    row->mean_ns = times[3];
    return true;
}

void bench_divan_parse(const char *text, size_t len, struct bench_rows *ret)
{
    AUTO(path_clear) struct path path = {0};
    const char *line = NULL;
    size_t n = 0, column = 0;
    *ret = (struct bench_rows){0};
    len = len < BENCH_TEXT_MAX ? len : BENCH_TEXT_MAX;
    while (next_line(&text, &len, &line, &n) && ret->len < BENCH_ROWS_MAX) {
        const char *head = n ? memmem(line, n, " fastest ", 9) : NULL;
        if (head && memmem(line, n, "│ median ", strlen("│ median "))) {
            column = count_columns(line, (size_t)(head - line)) + 1;
            continue;
        }
        if (column == 0)
            continue;
        size_t cut = bytes_of_columns(line, n, column), left = cut;
        const char *name = line;
        size_t depth = tree_depth(&name, &left);
        trim(&name, &left);
        if (depth == 0 || depth > BENCH_DEPTH_MAX || left == 0)
            continue;
        path_put(&path, depth, name, left);
        struct bench_row row = {0};
        if (!read_columns(line + cut, n - cut, &row))
            continue;
        row.id = path_text(&path, depth);
        vec_push(ret, row);
    }
}

// test tests::add ... bench:       1,234.56 ns/iter (+/- 78) = 12 MB/s
static bool libtest_row(const char *line, size_t n, struct bench_row *ret)
{
    const char *p = line;
    size_t left = n;
    static const char MARK[] = " ... bench:";
    if (!take(&p, &left, "test "))
        return false;
    const char *mark = left ? memmem(p, left, MARK, sizeof(MARK) - 1) : NULL;
    if (!mark || mark == p)
        return false;
    char numbers[2][32] = {"", "0"};
    const char *q = mark + sizeof(MARK) - 1, *end = line + n;
    const char *unit = memmem(q, (size_t)(end - q), " ns/iter (+/- ", 14);
    if (!unit)
        return false;
    const char *from[2] = {q, unit + 14}, *to[2] = {unit, memchr(unit + 14, ')', (size_t)(end - unit - 14))};
    for (int i = 0; i < 2 && to[i]; i++) {
        size_t k = 0;
        for (const char *s = from[i]; s < to[i] && k + 1 < sizeof(numbers[i]); s++)
            if (*s != ',' && *s != ' ')
                numbers[i][k++] = *s;
        numbers[i][k] = '\0';
    }
    struct bench_row row = {0};
    if (!str_to_double(numbers[0], &row.median_ns) || row.median_ns < 0)
        return false;
    if (!str_to_double(numbers[1], &row.spread_ns) || row.spread_ns < 0)
        row.spread_ns = 0;
    size_t name = (size_t)(mark - p);
    trim(&p, &name); // names are padded to one width
    row.id = str_ndup(p, name);
    *ret = row;
    return true;
}

void bench_libtest_parse(const char *text, size_t len, struct bench_rows *ret)
{
    const char *line = NULL;
    size_t n = 0;
    *ret = (struct bench_rows){0};
    len = len < BENCH_TEXT_MAX ? len : BENCH_TEXT_MAX;
    while (next_line(&text, &len, &line, &n) && ret->len < BENCH_ROWS_MAX) {
        struct bench_row row;
        if (libtest_row(line, n, &row))
            vec_push(ret, row);
    }
}

void bench_rows_free(struct bench_rows *rows)
{
    for (size_t i = 0; i < rows->len; i++)
        mem_free(rows->items[i].id);
    vec_free(rows);
}

struct names {
    char **items;
    size_t len, cap;
};

// A name of the divan tree is a bench when the next line is not deeper.
static void list_tree_line(struct path *path, size_t *depth, bool *open, const char *line, size_t n,
                           struct names *names)
{
    size_t left = n, d = tree_depth(&line, &left);
    trim(&line, &left);
    bool branch = d > 0 && d <= BENCH_DEPTH_MAX && left > 0;
    if (*open && (!branch || d <= *depth))
        vec_push(names, path_text(path, *depth));
    *open = branch;
    if (!branch)
        return;
    path_put(path, d, line, left);
    *depth = d;
}

char **bench_list_parse(const char *text, size_t len)
{
    AUTO(path_clear) struct path path = {0};
    struct names names = {0};
    const char *line = NULL;
    size_t n = 0, depth = 0;
    bool open = false;
    len = len < BENCH_TEXT_MAX ? len : BENCH_TEXT_MAX;
    while (next_line(&text, &len, &line, &n) && names.len < BENCH_ROWS_MAX) {
        static const char *const ENDS[] = {": benchmark", ": bench"};
        size_t flat = 0;
        for (size_t i = 0; i < ARRAY_LEN(ENDS) && !flat; i++) {
            size_t k = strlen(ENDS[i]);
            if (n > k && memcmp(line + n - k, ENDS[i], k) == 0)
                flat = n - k;
        }
        if (flat)
            vec_push(&names, str_ndup(line, flat));
        else
            list_tree_line(&path, &depth, &open, line, n, &names);
    }
    if (open)
        vec_push(&names, path_text(&path, depth));
    vec_push(&names, NULL);
    return names.items;
}

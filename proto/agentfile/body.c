// Focus tables are known by their header row wherever they stand; chains only count below their heading or line, for
// arrows are used for everything else, too.
#include "body.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

struct scan {
    const struct source *s;
    struct agentfile *f;
    char code;          // ` or ~ inside a code block
    size_t code_len;    // of its opening run
    size_t chain_level; // heading level of the chain section, 7 for a "Typical chains:" line, 0 outside
    char *title;        // heading below the chain heading
    bool open_chain;    // the line before was a chain
    bool dangling;      // and ended with an arrow
    char *head;         // the line before in a code block, when it was no chain
    int column[3];      // of previous, context, focus in the table that is being read; column[0] < 0: no table
};

static char *clean_heading(const struct source_line *line, size_t level)
{
    char *copy = str_ndup(line->text + level, line->len - level);
    char *s = str_trim(copy);
    while (isdigit((unsigned char)*s))
        s++;
    if (s != copy && (*s == '.' || *s == ')'))
        s++;
    else
        s = str_trim(copy);
    char *out = str_dup(str_trim(s));
    mem_free(copy);
    return out;
}

static bool names_chains(const char *text)
{
    return (str_has_nocase(text, "chains") &&
            (str_has_nocase(text, "workflow") || str_has_nocase(text, "typical") || str_has_nocase(text, "agent"))) ||
           str_has_nocase(text, "workflow chain") || str_has_nocase(text, "typical chain");
}

static void take_heading(struct scan *scan, const struct source_line *line, size_t level)
{
    char *text = clean_heading(line, level);
    scan->open_chain = scan->dangling = false;
    str_set(&scan->title, NULL);
    if (names_chains(text))
        scan->chain_level = level;
    else if (scan->chain_level && level > scan->chain_level)
        str_set(&scan->title, text);
    else
        scan->chain_level = 0;
    mem_free(text);
}

// Opens or closes a code block; true when the line was such a fence.
static bool take_code_fence(struct scan *scan, const char *text, size_t len)
{
    size_t run = 0;
    while (run < len && (text[run] == '`' || text[run] == '~') && text[run] == text[0])
        run++;
    if (run < 3)
        return false;
    if (!scan->code) {
        if (text[0] == '`' && memchr(text + run, '`', len - run))
            return false;
        scan->code = text[0];
        scan->code_len = run;
        scan->open_chain = scan->dangling = false;
        return true;
    }
    if (scan->code != text[0] || run < scan->code_len)
        return false;
    while (run < len && (text[run] == ' ' || text[run] == '\t'))
        run++;
    if (run < len)
        return false;
    scan->code = 0;
    scan->open_chain = scan->dangling = false;
    str_set(&scan->head, NULL);
    return true;
}

// ---- chains ----

static void set_head(struct scan *scan, const char *text, size_t len)
{
    mem_free(scan->head);
    scan->head = text && scan->code ? str_ndup(text, len) : NULL;
}

// The line goes on with the chain before it: that one ended, or this one begins, with an arrow.
static bool continue_chain(struct scan *scan, const char *text, size_t len)
{
    struct agentfile *f = scan->f;
    if (!f->chains.len || !(scan->dangling || (scan->open_chain && chain_begins_with_arrow(text, len))))
        return false;
    char *joined = str_printf("→ %.*s", (int)len, text);
    bool ok = chain_read(joined, strlen(joined), !scan->code, &f->chains.items[f->chains.len - 1]);
    mem_free(joined);
    return ok;
}

static void take_chain(struct scan *scan, const char *text, size_t len, int line)
{
    struct agentfile *f = scan->f;
    bool arrow = chain_begins_with_arrow(text, len);
    bool taken = continue_chain(scan, text, len);
    struct agent_chain chain = {.line = scan->head && arrow ? line - 1 : line};
    // Written downwards: the first agent has a line of its own.
    char *joined = scan->head && arrow ? str_printf("%s %.*s", scan->head, (int)len, text) : str_ndup(text, len);
    if (!taken && chain_read(joined, strlen(joined), !scan->code, &chain)) {
        if (!chain.title)
            str_set(&chain.title, scan->title);
        taken = f->chains.len < AGENTFILE_CHAINS_MAX;
        if (taken)
            vec_push(&f->chains, chain);
        else
            chain_free(&chain);
    }
    mem_free(joined);
    set_head(scan, taken ? NULL : text, len);
    scan->open_chain = taken;
    scan->dangling = taken && chain_ends_with_arrow(text, len);
}

static void take_prose(struct scan *scan, const char *text, size_t len, int line)
{
    if (len < 80 && len && text[len - (text[len - 1] == '*' && len > 2 ? 3 : 1)] == ':') {
        char *copy = str_ndup(text, len);
        if (names_chains(copy)) {
            scan->chain_level = 7;
            str_set(&scan->title, NULL);
            mem_free(copy);
            return;
        }
        mem_free(copy);
    }
    if (!scan->chain_level)
        return;
    size_t mark = 0;
    if (len > 2 && strchr("-*+", text[0]) && text[1] == ' ')
        mark = 2;
    else
        while (mark < len && isdigit((unsigned char)text[mark]))
            mark++;
    if (mark && mark < len && strchr(".)", text[mark]))
        mark++;
    while (mark < len && text[mark] == ' ')
        mark++;
    size_t before = scan->f->chains.len;
    take_chain(scan, text + mark, len - mark, line);
    if (scan->chain_level == 7 && mark == 0 && scan->f->chains.len == before && !scan->open_chain)
        scan->chain_level = 0; // a paragraph ends the section of a plain line
}

// ---- tables ----

#define CELLS_MAX 16

// Cells of a table row, owned; 0 when the line is no row.
static size_t split_row(const char *text, size_t len, char *cells[CELLS_MAX])
{
    size_t n = 0, at = text[0] == '|' ? 1 : 0;
    if (!memchr(text, '|', len))
        return 0;
    while (at < len && n < CELLS_MAX) {
        char *cell = mem_alloc(len - at + 1);
        size_t used = 0;
        while (at < len && text[at] != '|') {
            if (text[at] == '\\' && at + 1 < len && text[at + 1] == '|')
                at++;
            cell[used++] = text[at++];
        }
        at++;
        cells[n] = str_dup(str_trim(cell));
        mem_free(cell);
        n++;
    }
    return n;
}

static void free_cells(char *cells[CELLS_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(cells[i]);
}

static bool is_rule_row(char *cells[CELLS_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strspn(cells[i], "-: ") != strlen(cells[i]) || !strchr(cells[i], '-'))
            return false;
    return n > 0;
}

static char *plain_cell(const char *cell)
{
    char *copy = str_dup(cell);
    char *s = copy;
    size_t n = strlen(s);
    while (n >= 2 && strchr("*`_[", s[0]) && s[n - 1] == (s[0] == '[' ? ']' : s[0])) {
        s[n - 1] = 0;
        s++;
        n -= 2;
    }
    s = str_trim(s);
    char *out = str_dup(*s == '@' ? s + 1 : s);
    mem_free(copy);
    return out;
}

static bool read_header(struct scan *scan, char *cells[CELLS_MAX], size_t n)
{
    int found[3] = {-1, -1, -1};
    for (size_t i = 0; i < n; i++) {
        char *cell = plain_cell(cells[i]);
        if (found[0] < 0 && str_has_nocase(cell, "previous"))
            found[0] = (int)i;
        else if (found[1] < 0 && str_has_nocase(cell, "context"))
            found[1] = (int)i;
        else if (found[2] < 0 && str_has_nocase(cell, "focus"))
            found[2] = (int)i;
        mem_free(cell);
    }
    if (found[0] < 0 || found[2] < 0)
        return false;
    memcpy(scan->column, found, sizeof(found));
    return true;
}

static const char *cell_at(char *cells[CELLS_MAX], size_t n, int column)
{
    return column >= 0 && (size_t)column < n ? cells[column] : "";
}

static void read_row(struct scan *scan, char *cells[CELLS_MAX], size_t n, int line)
{
    struct agentfile *f = scan->f;
    struct agent_focus row = {.previous = plain_cell(cell_at(cells, n, scan->column[0])),
                              .expected_context = str_dup(cell_at(cells, n, scan->column[1])),
                              .focus = str_dup(cell_at(cells, n, scan->column[2])),
                              .line = line};
    if (!*row.previous)
        agentfile_note(f, AGENT_WARNING, line, "a focus row without a previous agent is left out");
    else if (!*row.focus)
        agentfile_note(f, AGENT_WARNING, line, "the focus row for '%s' has no focus", row.previous);
    if (!*row.previous || f->focus.len >= AGENTFILE_FOCUS_MAX) {
        mem_free(row.previous);
        mem_free(row.expected_context);
        mem_free(row.focus);
        return;
    }
    vec_push(&f->focus, row);
}

static void take_row(struct scan *scan, const char *text, size_t len, int line)
{
    char *cells[CELLS_MAX];
    size_t n = split_row(text, len, cells);
    if (!n)
        scan->column[0] = -1;
    else if (scan->column[0] < 0)
        (void)read_header(scan, cells, n);
    else if (!is_rule_row(cells, n))
        read_row(scan, cells, n, line);
    free_cells(cells, n);
}

static void take_line(struct scan *scan, const struct source_line *line, int number)
{
    const char *text = line->text;
    size_t len = line->len;
    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (!len) {
        scan->column[0] = -1;
        scan->open_chain = scan->dangling = false;
        str_set(&scan->head, NULL);
        return;
    }
    if (take_code_fence(scan, text, len))
        return;
    if (scan->code) {
        if (scan->chain_level)
            take_chain(scan, text, len, number);
        return;
    }
    size_t level = line_heading(line);
    if (level) {
        scan->column[0] = -1;
        take_heading(scan, line, level);
        return;
    }
    take_row(scan, text, len, number);
    if (scan->column[0] < 0 && *text != '>' && *text != '|')
        take_prose(scan, text, len, number);
}

void body_read(const struct source *s, size_t from, struct agentfile *f)
{
    struct scan scan = {.s = s, .f = f, .column = {-1, -1, -1}};
    for (size_t i = from; i < s->lines.len; i++)
        take_line(&scan, &s->lines.items[i], (int)i + 1);
    mem_free(scan.title);
    mem_free(scan.head);
}

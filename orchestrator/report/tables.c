#include "report/tables.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/html.h"
#include "report/md.h"

#include <string.h>

#define COLUMNS_MAX 16
#define CELL_SHOWN  64 // characters of a cell on a terminal, but for the last column

json_t *tables_add(json_t *tables, const char *title, const char *note, const char *const *head, unsigned right)
{
    json_t *table = json_object(), *names = json_array();
    for (; *head; head++)
        json_add_str(names, *head);
    json_put_str(table, "title", title);
    json_put_str(table, "note", note);
    json_put(table, "head", names);
    json_put_int(table, "right", right);
    json_put(table, "rows", json_array());
    json_array_append_new(tables, table);
    return table;
}

void tables_row(json_t *table, const char *const *cells)
{
    json_t *row = json_array();
    for (; *cells; cells++)
        json_array_append_new(row, json_text_new(*cells, strlen(*cells)));
    json_array_append_new(json_list(table, "rows"), row);
}

json_t *tables_new(const json_t *model)
{
    json_t *tables = json_array();
    if (json_obj(model, "build_report"))
        tables_build(json_obj(model, "build_report"), tables);
    if (json_obj(model, "search"))
        tables_search(json_obj(model, "search"), tables);
    return tables;
}

static bool is_right(const json_t *table, size_t column)
{
    return (json_int(table, "right", 0) >> column & 1) != 0;
}

// --- terminal ---

// Without bytes that could steer it; columns are counted in characters.
static char *shown_new(const json_t *cell)
{
    char *text = str_dup(json_string_value(cell) ? json_string_value(cell) : "");
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return text;
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void measure(const json_t *row, size_t width[COLUMNS_MAX])
{
    size_t i;
    json_t *cell;
    json_array_foreach (row, i, cell) {
        AUTO_FREE char *text = shown_new(cell);
        size_t n = width_of(text);
        if (i < COLUMNS_MAX)
            width[i] = n > CELL_SHOWN ? CELL_SHOWN : n > width[i] ? n : width[i];
    }
}

static void put_row(const json_t *table, const json_t *row, const size_t width[COLUMNS_MAX], struct buf *out)
{
    size_t i, n = json_array_size(row);
    json_t *cell;
    buf_str_add(out, " ");
    json_array_foreach (row, i, cell) {
        AUTO_FREE char *text = shown_new(cell);
        size_t len = width_of(text), pad = i < COLUMNS_MAX && width[i] > len ? width[i] - len : 0;
        bool right = is_right(table, i), last = i + 1 == n;
        buf_printf(out, " %*s%s%*s", right ? (int)pad : 0, "", text, right || last ? 0 : (int)pad, "");
        buf_str_add(out, last ? "" : " ");
    }
    buf_char(out, '\n');
}

void tables_text(const json_t *tables, struct buf *out)
{
    size_t i, k;
    json_t *table, *row;
    json_array_foreach (tables, i, table) {
        size_t width[COLUMNS_MAX] = {0};
        buf_printf(out, "\n%s\n", json_str(table, "title", ""));
        measure(json_list(table, "head"), width);
        json_array_foreach (json_list(table, "rows"), k, row)
            measure(row, width);
        put_row(table, json_list(table, "head"), width, out);
        json_array_foreach (json_list(table, "rows"), k, row)
            put_row(table, row, width, out);
        if (json_str(table, "note", NULL))
            buf_printf(out, "  %s\n", json_str(table, "note", ""));
    }
}

// --- documents ---

void tables_markdown(const json_t *tables, struct buf *out)
{
    size_t i, k, n;
    json_t *table, *row, *cell;
    json_array_foreach (tables, i, table) {
        struct md_table t = {.columns = json_array_size(json_list(table, "head")),
                             .right = (unsigned)json_int(table, "right", 0)};
        md_put(out, "## %s\n\n", json_str(table, "title", ""));
        json_array_foreach (json_list(table, "head"), k, cell)
            md_cell(&t, "%s", json_string_value(cell));
        json_array_foreach (json_list(table, "rows"), k, row)
            json_array_foreach (row, n, cell)
                md_cell(&t, "%s", json_string_value(cell));
        md_table_write(&t, out);
        if (json_str(table, "note", NULL))
            md_put(out, "%s\n\n", json_str(table, "note", ""));
    }
}

void tables_html(const json_t *tables, struct buf *out)
{
    size_t i, k, n;
    json_t *table, *row, *cell;
    json_array_foreach (tables, i, table) {
        html_put(out, "<section><h2>%s</h2><div class=\"scroll\"><table class=\"t\"><tr>",
                 json_str(table, "title", ""));
        json_array_foreach (json_list(table, "head"), k, cell)
            html_put(out, is_right(table, k) ? "<th class=\"n\">%s</th>" : "<th>%s</th>", json_string_value(cell));
        buf_str_add(out, "</tr>");
        json_array_foreach (json_list(table, "rows"), k, row) {
            buf_str_add(out, "<tr>");
            json_array_foreach (row, n, cell)
                html_put(out, is_right(table, n) ? "<td class=\"n\">%s</td>" : "<td>%s</td>", json_string_value(cell));
            buf_str_add(out, "</tr>");
        }
        buf_str_add(out, "</table></div>");
        if (json_str(table, "note", NULL))
            html_put(out, "<p class=\"mute\">%s</p>", json_str(table, "note", ""));
        buf_str_add(out, "</section>\n");
    }
}

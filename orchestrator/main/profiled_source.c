// Sources are read by this process, which is the caller's own, and only below the folders that the caller named.
#include "main/profiled.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

#define SOURCE_MAX ((size_t)16 << 20)
#define FUNCTIONS  3
#define LEAST_PCT  0.1 // of a line that is marked
#define AROUND     2   // lines shown before and behind one that is marked
#define WHOLE      30  // functions that are not longer are shown as a whole
#define LINE_SHOWN 150

static char *find_file(const json_t *profiled, const char *file)
{
    size_t i;
    json_t *root;
    json_array_foreach (json_list(profiled, "roots"), i, root) {
        AUTO_FREE char *path = path_join(json_string_value(root), file);
        AUTO_FREE char *real = path_real(path, NULL);
        if (real && path_below(real, json_string_value(root)))
            return str_dup(real);
    }
    return NULL;
}

static double share_at(const json_t *lines, int64_t line)
{
    size_t i;
    json_t *row;
    json_array_foreach (lines, i, row)
        if (json_int(row, "line", 0) == line)
            return json_num(row, "pct", 0);
    return 0;
}

static bool near_a_mark(const json_t *lines, int64_t line)
{
    size_t i;
    json_t *row;
    json_array_foreach (lines, i, row) {
        int64_t d = json_int(row, "line", 0) - line;
        if (json_num(row, "pct", 0) >= LEAST_PCT && d >= -AROUND && d <= AROUND)
            return true;
    }
    return false;
}

static void print_lines(const char *text, const json_t *row, FILE *out)
{
    const json_t *lines = json_list(row, "lines");
    int64_t first = json_int(row, "line", 1), last = json_int(row, "line_end", 0), line = 1;
    bool whole = last - first < WHOLE, gap = false;
    for (const char *at = text; *at && line <= last; line++) {
        size_t len = strcspn(at, "\n");
        if (line >= first && (whole || line == first || near_a_mark(lines, line))) {
            AUTO_FREE char *raw = str_ndup(at, len), *shown = profiled_plain(raw, LINE_SHOWN);
            double pct = share_at(lines, line);
            if (gap)
                fprintf(out, "             …\n");
            gap = false;
            if (pct >= LEAST_PCT)
                fprintf(out, "  %5.1f %%", pct);
            else
                fprintf(out, "         ");
            fprintf(out, "  %5lld  %s\n", (long long)line, shown);
        } else if (line > first) {
            gap = true;
        }
        at += len + (at[len] == '\n');
    }
}

void profiled_print_source(const json_t *profiled, FILE *out)
{
    size_t i, shown = 0;
    json_t *row;
    json_array_foreach (json_list(profiled, "rows"), i, row) {
        const char *file = json_str(row, "file", NULL);
        AUTO_FREE char *path = file && json_list(row, "lines") ? find_file(profiled, file) : NULL, *text = NULL;
        size_t len = 0;
        if (!path || shown == FUNCTIONS || file_read(path, SOURCE_MAX, &text, &len, NULL) < 0 ||
            json_num(row, "score", 0) < 1)
            continue;
        AUTO_FREE char *name = profiled_plain(json_str(row, "short", "?"), 120), *place = profiled_plain(file, 200);
        fprintf(out, "\n%s  %s\n", name, place);
        print_lines(text, row, out);
        shown++;
    }
}

// The points of a search for build settings, as a table, best first.
#include "report/tables.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/text.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_SHOWN 60

#define CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int by_score(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    double p = json_num(x, "score", 1e9), q = json_num(y, "score", 1e9);
    return p < q ? -1 : p > q;
}

static void put_point(json_t *table, const json_t *p)
{
    char run[TEXT_NUMBER] = "–", build[TEXT_NUMBER] = "–", again[TEXT_NUMBER] = "–", size[TEXT_NUMBER] = "–",
         memory[TEXT_NUMBER] = "–", score[TEXT_NUMBER] = "–", timed[TEXT_NUMBER] = "–";
    const char *failed = json_str(p, "failed", NULL), *consent = json_str(p, "consent", NULL);
    double ratio = json_num(p, "run", 0);
    if (ratio > 0)
        snprintf(run, sizeof(run), "x%.3f (%s)", ratio, json_str(p, "run_by", ""));
    if (json_num(p, "timed", 0) > 0)
        snprintf(timed, sizeof(timed), "x%.3f", json_num(p, "timed", 0));
    if (json_num(p, "build_s", 0) > 0)
        text_seconds(json_num(p, "build_s", 0), build);
    if (json_num(p, "rebuild_s", 0) > 0)
        text_seconds(json_num(p, "rebuild_s", 0), again);
    if (json_num(p, "size", 0) > 0)
        text_bytes(json_num(p, "size", 0), size);
    if (json_num(p, "memory_kb", 0) > 0)
        text_bytes(1024 * json_num(p, "memory_kb", 0), memory);
    if (!failed)
        snprintf(score, sizeof(score), "%.3f", json_num(p, "score", 0));
    AUTO_FREE char *note = failed    ? str_printf("failed: %.80s", failed)
                           : consent ? str_printf("needs --accept %s", consent)
                                     : str_dup("");
    if (consent && str_eq(consent, "toolchain")) {
        mem_free(note);
        note = str_dup("another compiler: shown only");
    }
    tables_row(table, CELLS(json_str(p, "id", "?"), json_flag(p, "front", false) ? "yes" : "", score, run, timed, build,
                            again, size, memory, json_str(p, "title", ""), note));
}

void tables_search(const json_t *search, json_t *tables)
{
    const json_t *points = json_list(search, "points");
    size_t i, n = json_array_size(points);
    json_t *p, **order = mem_array(n + 1, sizeof(json_t *));
    AUTO_FREE char *title = str_printf("Points measured for %s, best first", json_str(search, "goal", "?"));
    json_t *t = tables_add(
        tables, title,
        "Score: below 1 is better than the base for this goal. Run time: ratio to the base, by counted instructions, a "
        "few runs, or pairs. "
        "Front: no other point is better in one thing and no worse in all others.",
        CELLS("point", "front", "score", "run time", "by pairs", "build", "rebuild", "size", "memory", "settings",
              "note"),
        0x1fcu);
    json_array_foreach (points, i, p)
        order[i] = p;
    qsort(order, n, sizeof(json_t *), by_score);
    for (i = 0; i < n && i < ROWS_SHOWN; i++)
        put_point(t, order[i]);
    mem_free(order);
    if (json_str(search, "patch", NULL)) {
        json_t *diff = tables_add(tables, "The exact diff", NULL, CELLS("line"), 0);
        char **lines = str_split(json_str(search, "patch", ""), "\n", false, NULL);
        for (char **l = lines; *l; l++)
            if (**l)
                tables_row(diff, CELLS(*l));
        str_list_free(lines);
    }
}

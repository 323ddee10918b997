#include "main/summary.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/profiled.h"
#include "report/model.h"
#include "report/tables.h"

#include <stdio.h>
#include <string.h>

#define RESULT_SHOWN 600

#define DROPPED_SHOWN 12
#define NAME_SHOWN    16

static void put_ns(const json_t *v, char out[CLOCK_TEXT_MAX])
{
    if (json_is_number(v))
        clock_human((int64_t)json_number_value(v), out);
    else
        snprintf(out, CLOCK_TEXT_MAX, "-");
}

static void print_metrics(const json_t *model, FILE *out)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_list(model, "metrics"), i, row) {
        char before[CLOCK_TEXT_MAX], after[CLOCK_TEXT_MAX];
        put_ns(json_object_get(row, "before_ns"), before);
        put_ns(json_object_get(row, "after_ns"), after);
        if (i == 0)
            fprintf(out, "\n  %-24s %-12s %-12s %s\n", "subject", "before", "after", "change (99 % interval)");
        fprintf(out, "  %-24.24s %-12s %-12s %+.1f %% [%+.1f, %+.1f]  %s, %d pairs\n", json_str(row, "subject", "?"),
                before, after, json_num(row, "change_pct", 0), json_num(row, "low_pct", 0),
                json_num(row, "high_pct", 0), json_str(row, "verdict", ""), (int)json_int(row, "pairs", 0));
    }
}

static void print_list(const json_t *list, const char *title, bool reasons, FILE *out)
{
    size_t i, n = json_array_size(list);
    json_t *row;
    if (n)
        fprintf(out, "\n%s\n", title);
    json_array_foreach (list, i, row) {
        if (i == DROPPED_SHOWN) {
            fprintf(out, "  … and %zu more, see the report\n", n - i);
            return;
        }
        fprintf(out, "  %-4s %s%s%s\n", json_str(row, "id", ""), json_str(row, "title", ""), reasons ? ": " : "",
                reasons ? json_str(row, "reason", "") : "");
    }
}

static void print_hot(const json_t *model, FILE *out)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_list(model, "hot_paths"), i, row) {
        if (i == 3)
            return;
        if (i == 0)
            fprintf(out, "\nhot paths (share of samples charged to the function)\n");
        fprintf(out, "  %5.1f %%  %s  %s:%d\n", json_num(row, "owned_pct", 0),
                json_str(row, "short", json_str(row, "function", "?")), json_str(row, "file", "?"),
                (int)json_int(row, "hot_line", json_int(row, "line", 0)));
    }
}

static void print_result(const json_t *result, FILE *out)
{
    if (json_object_size(result) == 0)
        return;
    AUTO_FREE char *text = json_shown(result);
    size_t len = strlen(text), shown = str_utf8_cut(text, RESULT_SHOWN);
    fprintf(out, "\nresult   %.*s%s\n", (int)shown, text, shown < len ? "…" : "");
}

static void print_bench(const json_t *model, FILE *out)
{
    const json_t *bench = json_obj(model, "bench");
    const char *plot = json_str(bench, "plot", NULL);
    size_t i;
    json_t *text;
    if (!plot)
        return;
    json_array_foreach (json_list(bench, "sides"), i, text) { // what is longer does not fit beside the plot
        const char *name = json_str(text, "name", "?"), *commit = json_str(text, "commit", NULL);
        if (strlen(name) > NAME_SHOWN || commit)
            fprintf(out, "%s  %s%s%.12s%s\n", i ? "B" : "\nA", name, commit ? " (" : "", commit ? commit : "",
                    commit ? ")" : "");
    }
    fprintf(out, "\n%s\noutputs  %s\n", plot, json_str(bench, "outputs", "?"));
    json_array_foreach (json_list(json_obj(model, "host"), "warnings"), i, text)
        fprintf(out, "host     %s\n", json_string_value(text));
}

// Whether there are any.
static bool print_tables(const json_t *model, FILE *out)
{
    AUTO_JSON json_t *tables = tables_new(model);
    AUTO_BUF struct buf text = BUF_INIT;
    tables_text(tables, &text);
    fputs(buf_str(&text), out);
    return json_array_size(tables) > 0;
}

int summary_print(struct store *store, const char *run, FILE *out, struct err *err)
{
    AUTO_JSON json_t *model = report_model_new(store, run, err);
    if (!model)
        return -(int)err->code;
    AUTO_FREE char *dir = store_run_dir(store, run);
    AUTO_FREE char *page = path_join(dir, "report.html");
    fprintf(out, "\n%s\n", json_str(model, "headline", ""));
    bool shown = print_tables(model, out);
    if (json_obj(model, "bench"))
        print_bench(model, out);
    else if (json_obj(model, "profiled"))
        profiled_print(model, PROFILED_ROWS, out);
    else if (shown)
        print_metrics(model, out);
    else if (json_array_size(json_list(model, "metrics")) == 0)
        print_result(json_obj(model, "result"), out);
    else
        print_metrics(model, out);
    print_list(json_list(model, "changes"), "kept", false, out);
    print_list(json_list(model, "dropped"), "tried and dropped", true, out);
    if (!json_obj(model, "profiled"))
        print_hot(model, out);
    size_t i;
    json_t *text;
    json_array_foreach (json_list(model, "limits"), i, text)
        fprintf(out, "%snote: %s\n", i ? "" : "\n", json_string_value(text));
    if (file_exists(page))
        fprintf(out, "\nreport   %s\n", page);
    else
        fprintf(out, "\nreport   written by: baton report %s\n", run);
    const json_t *git = json_obj(model, "git");
    if (json_array_size(json_list(model, "changes")) > 0 && str_eq(json_str(model, "state", ""), "accepted"))
        fprintf(out, "branch   %s\nbring it in with   baton apply %s\n", json_str(git, "branch", "?"), run);
    return 0;
}

json_t *summary_json_new(struct store *store, const char *run, struct err *err)
{
    AUTO_JSON json_t *model = report_model_new(store, run, err);
    if (!model)
        return NULL;
    enum run_state state = RUN_FAILED;
    run_state_from_name(json_str(model, "state", ""), &state);
    AUTO_FREE char *dir = store_run_dir(store, run);
    json_t *v = json_object(), *files = json_object();
    json_put_str(v, "event", "result");
    json_put_int(v, "exit", run_state_exit_status(state));
    static const char *const KEYS[] = {"run",     "state",     "headline", "reason", "result", "metrics", "changes",
                                       "dropped", "hot_paths", "limits",   "git",    "bench",  "host",   "profiled", "build_report", "search"};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        json_t *member = json_object_get(model, KEYS[i]);
        json_put(v, KEYS[i], member ? json_incref(member) : json_null());
    }
    static const char *const FILES[][2] = {{"json", "report.json"}, {"markdown", "report.md"}, {"html", "report.html"}};
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO_FREE char *path = path_join(dir, FILES[i][1]);
        json_put_str(files, FILES[i][0], file_exists(path) ? path : NULL);
    }
    json_put(v, "report", files);
    return v;
}

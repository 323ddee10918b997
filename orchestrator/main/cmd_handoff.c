// baton handoff show, lint: handoff files of every published era, and those of our runs.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_md.h"
#include "handoff/handoff_read.h"
#include "json/json.h"

#include <string.h>

// Handoffs of a run from the journal, when the word names no file.
static int show_run(const struct cli *cli, const char *word, struct err *err)
{
    struct places places;
    struct store *store = NULL;
    char *run = NULL;
    int r = commands_open_to_look(&places, &store, err);
    if (r < 0)
        return r;
    r = commands_find_run(store, word, &run, err);
    AUTO_JSON json_t *list = r == 0 ? store_handoff_list_new(store, run, err) : NULL;
    if (list && cli_flag(cli, "json")) {
        commands_print_json(json_incref(list));
    } else if (list) {
        size_t i;
        json_t *row;
        json_array_foreach (list, i, row) {
            AUTO_FREE char *text = handoff_md_new(json_obj(row, "handoff"));
            printf("%s%s", i ? "\n" : "", text);
        }
    }
    mem_free(run);
    commands_close(&places, store);
    return list ? 0 : r < 0 ? r : -(int)err->code;
}

static void print_diagnostics(const char *path, const json_t *list)
{
    size_t i;
    json_t *d;
    json_array_foreach (list, i, d)
        printf("%s:%d: %s: %s\n", path, (int)json_int(d, "line", 0), json_str(d, "level", ""), json_str(d, "text", ""));
}

static int show_file(const struct cli *cli, const char *path, struct err *err)
{
    json_t *handoff = handoff_read_file_new(path, err);
    if (!handoff)
        return -(int)err->code;
    if (cli_flag(cli, "json")) {
        commands_print_json(handoff);
        return 0;
    }
    AUTO_FREE char *text = handoff_md_new(handoff);
    printf("%s", text);
    print_diagnostics(path, json_list(handoff, "diagnostics"));
    json_decref(handoff);
    return 0;
}

int cmd_handoff_show(const struct cli *cli)
{
    struct err err;
    for (size_t i = 0; i < cli_arg_count(cli); i++) {
        const char *word = cli_arg(cli, i);
        int r = file_exists(word) ? show_file(cli, word, &err) : show_run(cli, word, &err);
        if (r < 0)
            return cli_fail(&err);
    }
    return 0;
}

int cmd_handoff_lint(const struct cli *cli)
{
    AUTO_JSON json_t *all = json_array();
    size_t errors = 0;
    for (size_t i = 0; i < cli_arg_count(cli); i++) {
        const char *path = cli_arg(cli, i);
        char *text = NULL;
        size_t len = 0;
        struct err err;
        if (file_read(path, HANDOFF_FILE_MAX, &text, &len, &err) < 0)
            return cli_fail(&err);
        AUTO_JSON json_t *list = handoff_lint_new(text, len, path_base(path));
        mem_free(text);
        size_t k;
        json_t *d;
        json_array_foreach (list, k, d)
            errors += str_eq(json_str(d, "level", ""), "error");
        json_t *row = json_object();
        json_put_str(row, "file", path);
        json_put(row, "diagnostics", json_incref(list));
        json_array_append_new(all, row);
        if (!cli_flag(cli, "json"))
            print_diagnostics(path, list);
    }
    if (cli_flag(cli, "json"))
        commands_print_json(json_incref(all));
    return errors ? 1 : 0;
}

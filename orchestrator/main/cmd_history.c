// baton bench --history: what the journal knows of the benches of a project.
#include "main/commands.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/history.h"

#include <stdio.h>

static int show(const struct cli *cli, const json_t *series, struct err *err)
{
    const char *svg = cli_value(cli, "svg", NULL);
    AUTO_BUF struct buf text = BUF_INIT;
    if (svg) {
        history_svg(&text, series);
        return file_write(svg, text.data, text.len, false, err);
    }
    if (cli_flag(cli, "json")) {
        commands_print_json(json_incref((json_t *)(uintptr_t)series));
        return 0;
    }
    history_text(&text, series);
    fputs(json_array_size(series) ? buf_str(&text) : "no bench of a revision of this project yet\n", stdout);
    return 0;
}

int cmd_bench_history(const struct cli *cli)
{
    struct err err = {0};
    struct places places;
    struct store *store = NULL;
    AUTO_FREE char *project = path_real(cli_value(cli, "project", "."), &err);
    if (!project || commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *series = history_new(store, project, &err);
    int r = series ? show(cli, series, &err) : -(int)err.code;
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

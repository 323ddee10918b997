#include "main/reopen.h"

#include "base/mem.h"
#include "base/str.h"
#include "main/run_request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 64

bool reopen_wanted(const struct cli *cli)
{
    return cli_flag(cli, "again") || cli_value(cli, "with-new-script", NULL) || *cli_values(cli, "agents") ||
           *cli_values(cli, "limit");
}

static void print_rows(const json_t *rows, const char *title)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char number[32] = "";
        if (json_int(row, "stage", 0))
            snprintf(number, sizeof(number), "%d", (int)json_int(row, "stage", 0));
        fprintf(stderr, "  %-8s %-4s %-26s %-10s ", title, number, json_str(row, "agent", ""),
                json_str(row, "mode", ""));
        if (json_int(row, "line", 0))
            fprintf(stderr, "line %d, %s\n", (int)json_int(row, "line", 0), json_str(row, "because", ""));
        else
            fprintf(stderr, "%s\n", json_str(row, "summary", ""));
    }
}

static void print_plan(const json_t *plan)
{
    size_t i;
    json_t *row;
    fprintf(stderr, "run %s (%s) with %s:\n", json_str(plan, "run", "?"), json_str(plan, "state", "?"),
            json_str(plan, "workflow", "?"));
    print_rows(json_list(plan, "reuses"), "reuse");
    print_rows(json_list(plan, "begins"), "execute");
    json_array_foreach (json_list(plan, "asks"), i, row)
        fprintf(stderr, "  %-8s %-4s %s, line %d\n", "ask", "", json_str(row, "op", "?"),
                (int)json_int(row, "line", 0));
    print_rows(json_list(plan, "unused"), "unused");
    if (json_str(plan, "error", NULL))
        fprintf(stderr, "  the script fails: %s\n", json_str(plan, "error", ""));
    else if (json_flag(plan, "complete", false))
        fprintf(stderr, "  then the run is %s\n", json_str(plan, "outcome", "?"));
    else
        fprintf(stderr, "  what follows depends on that\n");
}

// With nobody to ask, "ask" means "no".
static bool ask(const struct cli *cli)
{
    char answer[ANSWER_MAX];
    if (cli_flag(cli, "yes"))
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        fprintf(stderr, "baton: nothing was changed: say --yes to go on like that\n");
        return false;
    }
    fprintf(stderr, "Go on? [y/N] ");
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void show(const json_t *plan, const struct cli *cli)
{
    if (!cli_flag(cli, "json")) {
        print_plan(plan);
        return;
    }
    AUTO_JSON json_t *line = json_object();
    json_put_str(line, "event", "plan");
    json_object_update(line, (json_t *)(uintptr_t)plan);
    AUTO_FREE char *text = json_shown(line);
    printf("%s\n", text);
    fflush(stdout);
}

int reopen_with(struct engine *engine, const char *run, const struct cli *cli, struct err *err)
{
    AUTO_JSON json_t *limits = run_request_limits_new(cli, err);
    if (!limits)
        return -(int)err->code;
    const struct engine_reopen how = {
        .script = cli_value(cli, "with-new-script", NULL), .agent_dirs = cli_values(cli, "agents"), .limits = limits};
    AUTO_JSON json_t *plan = engine_plan_new(engine, run, &how, err);
    if (!plan)
        return -(int)err->code;
    if (!cli_flag(cli, "quiet") || !cli_flag(cli, "yes"))
        show(plan, cli);
    if (!ask(cli))
        return 1;
    return engine_reopen(engine, run, &how, err);
}

// baton workflow list, check.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/catalog.h"
#include "json/json.h"
#include "script/check.h"

#include <string.h>

struct asked {
    struct agentset *agents;
    const char *data_dir;
    char *folder; // of the workflow that is checked
};

static bool agent_exists(void *ctx, const char *name)
{
    const struct asked *a = ctx;
    return agentset_find(a->agents, name) != NULL;
}

static bool workflow_exists(void *ctx, const char *workflow)
{
    const struct asked *a = ctx;
    bool beside = str_ends(workflow, ".lua") && workflow[0] != '/' && a->folder;
    AUTO_FREE char *path = beside ? path_join(a->folder, workflow) : str_dup(workflow);
    char *text = NULL, *name = NULL;
    size_t len = 0;
    bool there = catalog_workflow(a->data_dir, path, &text, &len, &name, NULL) == 0;
    mem_free(text);
    mem_free(name);
    return there;
}

static void print_check(const json_t *result, const char *path)
{
    size_t i;
    json_t *d;
    json_array_foreach (json_list(result, "diagnostics"), i, d)
        printf("%s:%d: %s: %s\n", path, (int)json_int(d, "line", 0), json_str(d, "level", ""), json_str(d, "text", ""));
    printf("%s: %s, %d dry runs", path, json_flag(result, "ok", false) ? "ok" : "not ok", (int)json_int(result, "runs", 0));
    const char *outcome;
    json_t *count;
    json_object_foreach (json_obj(result, "outcomes"), outcome, count)
        printf(", %s %d", outcome, (int)json_integer_value(count));
    printf("\n");
}

// One file or name; new reference, NULL with err when there is nothing to check.
static json_t *check_one_new(const char *data_dir, const char *word, const struct script_check_host *host,
                             struct err *err)
{
    char *text = NULL, *name = NULL;
    size_t len = 0;
    if (catalog_workflow(data_dir, word, &text, &len, &name, err) < 0)
        return NULL;
    AUTO_FREE char *file = str_printf("%s.lua", name);
    json_t *result = script_check_new(text, len, file, host);
    json_put_str(result, "file", word);
    mem_free(text);
    mem_free(name);
    return result;
}

// As JSON: one object for one file, one array for several.
int cmd_workflow_check(const struct cli *cli)
{
    struct places places;
    struct err err;
    int status = 0;
    if (places_find(&places, &err) < 0)
        return cli_fail(&err);
    struct agentset *agents = catalog_agents(places.data, cli_values(cli, "agents"));
    struct asked asked = {.agents = agents, .data_dir = places.data};
    struct script_check_host host = {.ctx = &asked, .agent_exists = agent_exists, .workflow_exists = workflow_exists};
    AUTO_JSON json_t *results = json_array();
    for (size_t i = 0; i < cli_arg_count(cli); i++) {
        AUTO_FREE char *real = str_ends(cli_arg(cli, i), ".lua") ? path_real(cli_arg(cli, i), NULL) : NULL;
        asked.folder = real ? path_dir(real) : NULL;
        json_t *result = check_one_new(places.data, cli_arg(cli, i), &host, &err);
        mem_free(asked.folder);
        if (!result) {
            status = cli_fail(&err);
            continue;
        }
        if (!json_flag(result, "ok", false) && status == 0)
            status = 1;
        if (!cli_flag(cli, "json"))
            print_check(result, cli_arg(cli, i));
        json_array_append_new(results, result);
    }
    if (cli_flag(cli, "json") && (cli_arg_count(cli) > 1 || json_array_size(results) > 0))
        commands_print_json(json_incref(cli_arg_count(cli) > 1 ? results : json_array_get(results, 0)));
    agentset_free(agents);
    places_free(&places);
    return status;
}

int cmd_workflow_list(const struct cli *cli)
{
    struct places places;
    struct err err;
    if (places_find(&places, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *list = catalog_workflows_new(places.data);
    size_t i;
    json_t *row;
    json_array_foreach (list, i, row) {
        char *text = NULL, *name = NULL;
        size_t len = 0;
        if (catalog_workflow(places.data, json_str(row, "name", ""), &text, &len, &name, NULL) < 0)
            continue;
        AUTO_JSON json_t *result = script_check_new(text, len, json_str(row, "name", ""), NULL);
        json_put_str(row, "about", json_str(result, "about", NULL));
        json_t *params = json_obj(result, "params");
        json_put(row, "params", params ? json_incref(params) : json_object());
        if (!cli_flag(cli, "json"))
            printf("%-12s %s\n", json_str(row, "name", ""), json_str(row, "about", ""));
        mem_free(text);
        mem_free(name);
    }
    if (cli_flag(cli, "json"))
        commands_print_json(json_incref(list));
    places_free(&places);
    return 0;
}

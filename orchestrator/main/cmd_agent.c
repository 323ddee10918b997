// baton agent list, show, lint: what agent files say, read by the same loader that runs use.
#include "main/commands.h"

#include "agentfile/agentdir.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "main/explained.h"
#include "rights/rights.h"
#include "rights/site.h"
#include "rights/together.h"
#include "json/json.h"

#include <string.h>

// The set the arguments name; without arguments the agents that ship.
static struct agentset *load(const struct cli *cli, struct err *err)
{
    VEC(const char *) paths = {0};
    for (size_t i = 0; i < cli_arg_count(cli); i++)
        vec_push(&paths, cli_arg(cli, i));
    struct places places;
    AUTO_FREE char *shipped = NULL;
    if (paths.len == 0) {
        if (places_find(&places, err) < 0)
            return NULL;
        shipped = str_printf("%s/agents", places.data);
        places_free(&places);
        vec_push(&paths, shipped);
    }
    struct agentset *set = agentset_load(paths.items, paths.len);
    vec_free(&paths);
    return set;
}

static size_t count_level(const struct agentset *set, enum agent_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < set->files.len; i++)
        for (size_t d = 0; d < set->files.items[i]->diagnostics.len; d++)
            n += set->files.items[i]->diagnostics.items[d].level == level;
    return n;
}

static void print_count(size_t n, const char *what, const char *end)
{
    printf("%zu %s%s%s", n, what, n == 1 ? "" : "s", end);
}

static json_t *set_to_json(const struct agentset *set, bool files)
{
    json_t *list = json_array();
    size_t n = files ? set->files.len : set->agents.len;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, agentfile_to_json(files ? set->files.items[i] : set->agents.items[i]));
    return list;
}

// Whether the note says of one entry, or of an empty list, what the refusal of its line says as well.
static bool is_told(const struct agentfile *f, const struct agent_diagnostic *x, const char *refusal)
{
    AUTO_FREE char *place = str_printf("%s:%d: ", f->file, x->line);
    bool nothing =
        strstr(x->text, "grants nothing") || strstr(x->text, "nothing is granted") || strstr(x->text, "can do nothing");
    return refusal && x->level == AGENT_WARNING && nothing && !strstr(x->text, "', '") && str_starts(refusal, place);
}

// refusal: what is said below of the whole file, NULL: nothing. Result: how many notes it makes needless.
static size_t print_diagnostics(const struct agentfile *f, const char *refusal)
{
    size_t told = 0;
    for (size_t d = 0; d < f->diagnostics.len; d++) {
        const struct agent_diagnostic *x = &f->diagnostics.items[d];
        if (is_told(f, x, refusal))
            told++;
        else
            printf("%s:%d: %s: %s\n", f->file, x->line, agent_level_name(x->level), x->text);
    }
    return told;
}

// Everything that was looked at, one object each: a file without an agent is in the list too, with its diagnostic.
int cmd_agent_list(const struct cli *cli)
{
    struct err err;
    struct agentset *set = load(cli, &err);
    if (!set)
        return cli_fail(&err);
    if (cli_flag(cli, "json")) {
        commands_print_json(set_to_json(set, true));
    } else {
        for (size_t i = 0; i < set->agents.len; i++) {
            const struct agentfile *f = set->agents.items[i];
            char tools[32];
            snprintf(tools, sizeof(tools), "%zu tools", f->tools.len);
            printf("%-32s %-9s %2zu delegates  %-9s %s\n", f->name,
                   f->tools_state == AGENT_TOOLS_LIST ? tools : agent_tools_state_name(f->tools_state),
                   f->delegates.len, agent_mode_name(f->mode), f->file);
        }
        size_t bad = set->files.len - set->agents.len;
        if (bad)
            fprintf(
                stderr,
                "%zu file%s left out: no agent in them, or the name of an earlier one; 'baton agent lint' says which\n",
                bad, bad == 1 ? "" : "s");
    }
    agentset_free(set);
    return 0;
}

static void print_agent(const struct agentfile *f)
{
    printf("name         %s%s\nfile         %s (%s)\ndescription  %s\nmodel        %s\ntools        %s\n", f->name,
           f->name_declared ? "" : " (from the file name)", f->file, agent_mode_name(f->mode),
           f->description ? f->description : "-", f->model ? f->model : "-",
           f->tools_state == AGENT_TOOLS_LIST ? "" : agent_tools_state_name(f->tools_state));
    for (size_t i = 0; i < f->tools.len; i++)
        printf("  %4d  %s\n", f->tools.items[i].line, f->tools.items[i].text);
    for (size_t i = 0; i < f->disallowed.len; i++)
        printf("  %4d  not %s\n", f->disallowed.items[i].line, f->disallowed.items[i].text);
    if (f->grants_declared)
        printf("grants       %s\n", f->grants.len ? "" : "nothing");
    for (size_t i = 0; i < f->grants.len; i++)
        printf("  %4d  %s\n", f->grants.items[i].line, f->grants.items[i].text);
    if (f->attenuate)
        printf("attenuate    true (hands on no more than it may do itself)\n");
    if (f->network != AGENT_NETWORK_UNSAID)
        printf("network\n  %4d  %s\n", f->network_line, agent_network_name(f->network));
    if (f->focus.len)
        printf("when called after\n");
    for (size_t i = 0; i < f->focus.len; i++)
        printf("  %4d  %s: expects '%s', then '%s'\n", f->focus.items[i].line, f->focus.items[i].previous,
               f->focus.items[i].expected_context, f->focus.items[i].focus);
    for (size_t i = 0; i < f->chains.len; i++) {
        printf("chain%s%s  ", f->chains.items[i].title ? " " : "",
               f->chains.items[i].title ? f->chains.items[i].title : "");
        for (size_t k = 0; k < f->chains.items[i].steps.len; k++)
            printf("%s%s%s%s", k ? " -> " : "", f->chains.items[i].steps.items[k].self ? "[" : "",
                   f->chains.items[i].steps.items[k].agent, f->chains.items[i].steps.items[k].self ? "]" : "");
        printf("\n");
    }
}

int cmd_agent_show(const struct cli *cli)
{
    struct err err;
    struct agentset *set = load(cli, &err);
    if (!set)
        return cli_fail(&err);
    int status = set->agents.len ? 0 : 2;
    if (cli_flag(cli, "json")) {
        commands_print_json(set_to_json(set, true));
    } else {
        for (size_t i = 0; i < set->files.len; i++) {
            if (set->files.items[i]->mode != AGENT_MODE_NONE)
                print_agent(set->files.items[i]);
            print_diagnostics(set->files.items[i], NULL);
            printf("%s", i + 1 < set->files.len ? "\n" : "");
        }
    }
    agentset_free(set);
    return status;
}

// What the agents can cause together under the ceiling of this machine; empty for more of them than are looked at.
static json_t *together_new(const struct agentset *set, const json_t *bounds)
{
    json_t *out =
        rights_together_new((const struct agentfile *const *)set->agents.items, set->agents.len, NULL, bounds, NULL);
    return out ? out : json_object();
}

static void put_causes(json_t *list, const json_t *together)
{
    size_t i, k;
    json_t *file, *agent;
    json_array_foreach (list, i, file)
        json_array_foreach (json_list(together, "agents"), k, agent)
            if (str_eq(json_str(file, "name", ""), json_str(agent, "agent", "-")))
                json_put(file, "causes", json_incref(json_list(agent, "gains")));
}

// {file: why no run on this machine begins with its agent}, of those that list tools; without a list the ceiling
// decides, which the file cannot help.
static json_t *refusals_new(const struct agentset *set, const json_t *bounds)
{
    json_t *out = json_object();
    for (size_t i = 0; i < set->agents.len; i++) {
        const struct agentfile *f = set->agents.items[i];
        struct err why;
        bool lists = f->tools_state != AGENT_TOOLS_ABSENT && f->tools_state != AGENT_TOOLS_ALL;
        if (lists && rights_check(f->name, f, NULL, bounds, &why) < 0)
            json_put_str(out, f->file, why.text);
    }
    return out;
}

int cmd_agent_lint(const struct cli *cli)
{
    struct err err;
    struct agentset *set = load(cli, &err);
    if (!set)
        return cli_fail(&err);
    AUTO_JSON json_t *bounds = site_bounds_new(&err);
    if (!bounds) {
        agentset_free(set);
        return cli_fail(&err);
    }
    size_t i;
    for (i = 0; i < set->agents.len; i++)
        rights_lint(set->agents.items[i]);
    AUTO_JSON json_t *relations = agentset_check(set), *together = together_new(set, bounds);
    AUTO_JSON json_t *refusals = refusals_new(set, bounds);
    size_t errors = count_level(set, AGENT_ERROR) + json_object_size(refusals);
    const char *name;
    json_t *one;
    if (cli_flag(cli, "json")) {
        json_t *list = set_to_json(set, true);
        put_causes(list, together);
        json_array_foreach (list, i, one)
            json_put_str(one, "refused", json_str(refusals, json_str(one, "file", ""), NULL));
        commands_print_json(list);
    } else {
        size_t warnings = count_level(set, AGENT_WARNING);
        for (i = 0; i < set->files.len; i++)
            warnings -= print_diagnostics(set->files.items[i], json_str(refusals, set->files.items[i]->file, NULL));
        explained_print_together(together);
        json_object_foreach (refusals, name, one)
            printf("error: no run begins with this agent: %s\n", json_string_value(one));
        if (json_array_size(bounds))
            printf("a ceiling is in force: %s\n", json_str(json_array_get(bounds, 0), "of", "?"));
        print_count(set->files.len, "file", ", ");
        print_count(set->agents.len, "agent", ", ");
        print_count(json_array_size(json_list(relations, "edges")), "edge", ", ");
        print_count(errors, "error", ", ");
        print_count(warnings, "warning", "\n");
    }
    agentset_free(set);
    return errors ? 1 : 0;
}

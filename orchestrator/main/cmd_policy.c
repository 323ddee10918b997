// baton policy: one decision, or one for each line of a file of cases (check); what was decided in a run (explain).
// Nothing is executed.
#include "main/commands.h"

#include "agentfile/agentfile.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/explained.h"
#include "policy/policy_cases.h"
#include "rights/rights.h"
#include "rights/site.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CASES_FILE_MAX ((size_t)256 << 20)

// What an agent may do on this machine: its file under the deployment's ceiling. path NULL: a file without a list.
static int policy_of_agent(const char *path, struct policy **ret, struct err *err)
{
    static const char NO_LIST[] = "---\nname: command-line\ndescription: no list\n---\n";
    struct agentfile *agent = NULL;
    AUTO_JSON json_t *bounds = site_bounds_new(err);
    int r = !bounds ? -(int)err->code
            : path  ? agentfile_load(path, &agent, err)
                    : agentfile_parse("--tools '*'", NO_LIST, sizeof(NO_LIST) - 1, &agent, err);
    if (r == 0)
        r = rights_check(agent->name, agent, NULL, bounds, err);
    if (r == 0)
        r = rights_new(agent->name, agent, NULL, bounds, ret, err);
    agentfile_free(agent);
    return r;
}

static int ceiling_policy(struct policy **ret, struct err *err)
{
    return policy_of_agent(NULL, ret, err);
}

// Every line is answered: one that is no case with a refusal that names it, and the whole then ends with an error.
static int answer_cases(const char *path, struct err *err)
{
    char *text = NULL;
    size_t len = 0, number = 0, bad = 0;
    int r = file_read(path, CASES_FILE_MAX, &text, &len, err);
    if (r < 0)
        return r;
    for (char *p = text, *end = text + len; p < end;) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = stop ? (size_t)(stop - p) : (size_t)(end - p);
        number++;
        if (n && n != strspn(p, " \t\r")) {
            json_t *answer = NULL;
            struct err why;
            if (policy_case_answer_line(p, n, ceiling_policy, &answer, &why) < 0) {
                answer = policy_case_refusal_new(p, n, number, why.text);
                bad++;
            }
            AUTO_FREE char *out = json_shown(answer);
            printf("%s\n", out);
            json_decref(answer);
        }
        p += n + 1;
    }
    mem_free(text);
    return bad ? err_set(err, ERR_INVALID,
                         "%s: %zu of its lines %s no case and %s answered with deny; their reasons say why", path, bad,
                         bad == 1 ? "is" : "are", bad == 1 ? "was" : "were")
               : 0;
}

static void print_decision(const struct decision *d, bool json)
{
    if (json) {
        commands_print_json(decision_to_json_new(d));
        return;
    }
    printf("%s\n", d->verdict == POLICY_DENY    ? "deny"
                   : d->verdict == POLICY_ALLOW ? "allow"
                                                : "allow, in the sandbox only");
    if (*d->rule)
        printf("  rule    %s%s%s\n", d->rule, *d->where ? "  " : "", d->where);
    printf("  reason  %s\n", d->reason);
    if (*d->needed)
        printf("  needed  %s\n", d->needed);
}

// As a worker in that project asks: what cargo built below its target folder is known.
static int decide(const struct policy *policy, const char *project, const char *tool, const char *input,
                  struct decision *ret, struct err *err)
{
    AUTO_FREE char *cwd = path_real(project, err);
    if (!cwd)
        return -(int)err->code;
    if (!file_is_dir(cwd))
        return err_set(err, ERR_INVALID, "--project is '%s', expected the folder of a project", project);
    AUTO_FREE char *target = path_join(cwd, "target");
    const char *const built[] = {target, NULL};
    struct policy_context context = {
        .workspace = cwd, .cwd = cwd, .home = getenv("HOME"), .built = built, .fs = policy_real_fs()};
    policy_check(policy, &context, tool, input, ret);
    return 0;
}

int cmd_policy_check(const struct cli *cli)
{
    struct err err;
    struct policy *policy = NULL;
    const char *cases = cli_value(cli, "cases", NULL), *agent = cli_value(cli, "agent", NULL),
               *tools = cli_value(cli, "tools", NULL);
    const char *tool = cli_value(cli, "tool", NULL), *input = cli_value(cli, "input", NULL);
    if (cases)
        return answer_cases(cases, &err) < 0 ? cli_fail(&err) : 0;
    if (!tool || !input || (!agent && !tools)) {
        err_set(&err, ERR_INVALID, "give --cases FILE, or (--agent FILE or --tools LIST) with --tool T and --input X");
        return cli_fail(&err);
    }
    bool all = tools && str_eq(tools, "*"); // in a file, too, this means what the ceiling allows
    int r = agent || all ? policy_of_agent(agent, &policy, &err)
                         : policy_from_list_new("command line", tools, "--tools", &policy, &err);
    if (r < 0)
        return cli_fail(&err);
    struct decision decision;
    r = decide(policy, cli_value(cli, "project", "."), tool, input, &decision, &err);
    if (r == 0)
        print_decision(&decision, cli_flag(cli, "json"));
    policy_free(policy);
    if (r < 0)
        return cli_fail(&err);
    return decision.verdict == POLICY_DENY ? err_exit_status(ERR_DENIED) : 0;
}

int cmd_policy_explain(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    if (commands_open(&places, &store, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *explained = NULL;
    if (commands_find_run(store, cli_arg(cli, 0) ? cli_arg(cli, 0) : "last", &run, &err) == 0)
        explained = explained_new(store, run, &err);
    if (explained && cli_flag(cli, "json"))
        commands_print_json(json_incref(explained));
    else if (explained)
        explained_print(explained, cli_flag(cli, "denied"));
    mem_free(run);
    commands_close(&places, store);
    return explained ? 0 : cli_fail(&err);
}

#include "main/run_request.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "budget/budget.h"
#include "loop/http.h"
#include "policy/policy.h"

#include <string.h>

#define MINUTES_LEAST 0.1
#define BUDGET_MOST      1440 // minutes
#define ROUNDS_MOST      20
#define SHELL_CHARACTERS "|&;<>$`\\\n*?"

static int put_param(json_t *params, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return err_set(err, ERR_INVALID, "--param '%s' must be NAME=VALUE", text);
    AUTO_FREE char *name = str_ndup(text, (size_t)(equals - text));
    json_put_str(params, name, equals + 1);
    return 0;
}

// Minutes, also less than one.
static int check_minutes(const struct cli *cli, const char *option, int64_t most, struct err *err)
{
    const char *text = cli_value(cli, option, NULL);
    double number = 0;
    if (text && (!str_to_double(text, &number) || number < MINUTES_LEAST || number > (double)most))
        return err_set(err, ERR_INVALID, "--%s '%s' must be a number of minutes from %g to %lld", option, text,
                       MINUTES_LEAST, (long long)most);
    return 0;
}

static int check_number(const struct cli *cli, const char *option, int64_t most, struct err *err)
{
    const char *text = cli_value(cli, option, NULL);
    int64_t number = 0;
    if (text && (!str_to_i64(text, &number) || number < 1 || number > most))
        return err_set(err, ERR_INVALID, "--%s '%s' must be a number from 1 to %lld", option, text, (long long)most);
    return 0;
}

static int check_bench(const struct cli *cli, struct err *err)
{
    const char *bench = cli_value(cli, "bench", "");
    char quote = 0;
    for (const char *p = bench; *p; p++)
        if (quote ? *p == quote : *p == '\'' || *p == '"')
            quote = quote ? 0 : *p;
    return quote ? err_set(err, ERR_INVALID, "--bench '%s': the quote %c is not closed", bench, quote) : 0;
}

static int check_urls(const struct cli *cli, struct err *err)
{
    int r = 0;
    for (const char *const *url = cli_values(cli, "notify"); *url && r == 0; url++)
        r = loop_http_check_url(*url, err);
    return r < 0 ? err_wrap(err, "--notify") : 0;
}

static int check_rules(const struct cli *cli, struct err *err)
{
    for (const char *const *rule = cli_values(cli, "allow"); *rule; rule++) {
        struct err why = {0};
        if (policy_rule_check(*rule, "--allow", 0, NULL, &why) < 0)
            return err_set(err, ERR_INVALID, "--allow '%s': %s", *rule,
                           str_starts(why.text, "--allow:0: ") ? why.text + 11 : why.text);
    }
    return 0;
}

static json_t *params_of(const struct cli *cli, struct err *err)
{
    if (check_minutes(cli, "budget", BUDGET_MOST, err) < 0 || check_number(cli, "max-rounds", ROUNDS_MOST, err) < 0 ||
        check_bench(cli, err) < 0 || check_rules(cli, err) < 0 || check_urls(cli, err) < 0)
        return NULL;
    static const struct {
        const char *option, *param;
    } SHORT[] = {{"focus", "focus"}, {"bench", "bench"}, {"budget", "budget_minutes"}, {"max-rounds", "max_rounds"}};
    json_t *params = json_object();
    for (size_t i = 0; i < ARRAY_LEN(SHORT); i++)
        if (cli_value(cli, SHORT[i].option, NULL))
            json_put_str(params, SHORT[i].param, cli_value(cli, SHORT[i].option, NULL));
    for (const char *const *p = cli_values(cli, "param"); *p; p++) {
        if (put_param(params, *p, err) < 0) {
            json_decref(params);
            return NULL;
        }
    }
    return params;
}

// How much of a bench command is the call itself: all, or what stands before "< FILE". 0 when it needs a shell: then
// there is no call, and the performance engineer says why.
static size_t call_length(const char *bench)
{
    char quote = 0;
    for (const char *p = bench; *p; p++) {
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (*p == '<' && p > bench && (p[-1] == ' ' || p[-1] == '\t') && !strpbrk(p + 1, SHELL_CHARACTERS))
            return (size_t)(p - bench) - 1;
        else if (strchr(SHELL_CHARACTERS, *p))
            return 0;
    }
    return quote ? 0 : strlen(bench);
}

// What the caller names to be run is granted by the caller: it is an operator's rule, shown with every decision that
// uses it.
static void add_rules(const struct cli *cli, struct run_request *q)
{
    const char *bench = cli_value(cli, "bench", NULL);
    size_t len = bench ? call_length(bench) : 0;
    AUTO_FREE char *rule = len ? str_printf("Bash(%.*s)", (int)len, bench) : NULL;
    if (rule)
        run_request_grant(q, rule);
    for (const char *const *allow = cli_values(cli, "allow"); *allow; allow++)
        run_request_grant(q, *allow);
}

void run_request_grant(struct run_request *q, const char *rule)
{
    VEC(char *) rules = {0};
    for (char **r = q->own_rules; r && *r; r++)
        vec_push(&rules, *r);
    vec_push(&rules, str_dup(rule));
    vec_push(&rules, NULL);
    mem_free(q->own_rules);
    q->own_rules = rules.items;
    q->request.operator_rules = (const char *const *)q->own_rules;
}

static int64_t wall_of(const struct cli *cli, struct err *err)
{
    int64_t minutes = 0;
    const char *text = cli_value(cli, "timeout", NULL);
    if (text && (!str_to_i64(text, &minutes) || minutes <= 0))
        return err_set(err, ERR_INVALID, "--timeout '%s' must be a number of minutes", text);
    return minutes * 60 * 1000;
}

// --limit NAME=VALUE, checked here so that nothing begins with a wrong one; --max-rounds is one, too.
json_t *run_request_limits_new(const struct cli *cli, struct err *err)
{
    json_t *limits = json_object();
    int r = 0;
    for (const char *const *p = cli_values(cli, "limit"); *p && r == 0; p++) {
        const char *equals = strchr(*p, '=');
        AUTO_JSON json_t *one = json_object(), *amount = NULL;
        AUTO_FREE char *name = equals ? str_ndup(*p, (size_t)(equals - *p)) : str_dup(*p);
        json_put_str(one, name, equals ? equals + 1 : "");
        amount = budget_limits_new(one, err);
        r = amount ? 0 : err_wrap(err, "--limit '%s'", *p);
        json_put_str(limits, name, equals ? equals + 1 : "");
    }
    if (cli_value(cli, "max-rounds", NULL) && !json_object_get(limits, budget_name(BUDGET_FIX_ROUNDS)))
        json_put_str(limits, budget_name(BUDGET_FIX_ROUNDS), cli_value(cli, "max-rounds", NULL));
    if (r == 0)
        return limits;
    json_decref(limits);
    return NULL;
}

int run_request_read(const struct cli *cli, const char *workflow, const char *project, struct run_request *ret,
                     struct err *err)
{
    *ret = (struct run_request){0};
    int64_t wall = wall_of(cli, err);
    if (wall < 0 || !(ret->params = params_of(cli, err)) || !(ret->limits = run_request_limits_new(cli, err))) {
        json_decref(ret->params);
        return -(int)err->code;
    }
    ret->request = (struct engine_request){.workflow = workflow,
                                           .project = project,
                                           .params = ret->params,
                                           .params_from_text = true,
                                           .agent_dirs = cli_values(cli, "agents"),
                                           .key = cli_value(cli, "key", NULL),
                                           .caller = "command line",
                                           .wall_ms = wall,
                                           .limits = ret->limits,
                                           .notify = cli_values(cli, "notify")};
    add_rules(cli, ret);
    return 0;
}

void run_request_clear(struct run_request *q)
{
    json_decref(q->params);
    if (q->own_rules)
        str_list_free(q->own_rules);
    json_decref(q->limits);
    *q = (struct run_request){0};
}

// Another process has another working folder.
static void add_path(json_t *list, const char *path)
{
    AUTO_FREE char *real = path_real(path, NULL);
    json_add_str(list, real ? real : path);
}

json_t *run_request_message_new(const struct run_request *request, struct err *err)
{
    const struct engine_request *q = &request->request;
    AUTO_FREE char *project = path_real(q->project, err);
    if (!project) {
        err_wrap(err, "the project");
        return NULL;
    }
    bool is_file = str_ends(q->workflow, ".lua");
    AUTO_FREE char *workflow = is_file ? path_real(q->workflow, NULL) : NULL;
    json_t *message = json_object(), *agents = json_array(), *allow = json_array();
    for (const char *const *dir = q->agent_dirs; dir && *dir; dir++)
        add_path(agents, *dir);
    for (const char *const *rule = q->operator_rules; rule && *rule; rule++)
        json_add_str(allow, *rule);
    json_t *notify = json_array();
    for (const char *const *url = q->notify; url && *url; url++)
        json_add_str(notify, *url);
    json_put(message, "notify", notify);
    json_put_str(message, "op", "start");
    json_put_str(message, "workflow", workflow ? workflow : q->workflow);
    json_put_str(message, "project", project);
    json_put(message, "params", json_incref(request->params));
    json_put_flag(message, "params_from_text", true);
    json_put(message, "agents", agents);
    json_put(message, "allow", allow);
    if (q->key)
        json_put_str(message, "key", q->key);
    if (json_object_size(request->limits) > 0)
        json_put(message, "limits", json_incref(request->limits));
    if (q->wall_ms > 0)
        json_put_int(message, "wall_ms", q->wall_ms);
    json_put_str(message, "caller", q->caller ? q->caller : "command line");
    return message;
}

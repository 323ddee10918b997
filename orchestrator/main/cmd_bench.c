// baton bench: two commands or two revisions against each other, as a run of the workflow "bench".
//
#include "main/commands.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/words.h"
#include "main/named_command.h"
#include "main/run_request.h"
#include "report/model.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static const char *const FORMATS[] = {"bencher", "github-action", NULL}; // keys of the worker's "export"
static const char *const METRICS[] = {
#define X(name, json, word, words, unit, bencher) word,
#include "tbl/measures.def"
#undef X
    NULL};
static const char *const FAILS[] = {"slower", "undecided", "outputs", NULL};

static bool is_one_of(const char *const *list, const char *word, size_t len)
{
    for (; *list; list++)
        if (strlen(*list) == len && memcmp(*list, word, len) == 0)
            return true;
    return false;
}

// --- options ---

static int check_exports(const struct cli *cli, struct err *err)
{
    for (const char *const *e = cli_values(cli, "export"); *e; e++) {
        size_t n = strcspn(*e, "=");
        if (!(*e)[n] || !(*e)[n + 1] || !is_one_of(FORMATS, *e, n))
            return err_set(err, ERR_INVALID, "--export '%s' must be bencher=FILE or github-action=FILE", *e);
    }
    return 0;
}

static int put_fails(const struct cli *cli, json_t *params, struct err *err)
{
    const char *const *given = cli_values(cli, "fail-on");
    if (!*given)
        return 0;
    json_t *list = json_array();
    json_put(params, "fail_on", list);
    for (; *given; given++) {
        if (!is_one_of(FAILS, *given, strlen(*given)))
            return err_set(err, ERR_INVALID, "--fail-on '%s' must be slower, undecided or outputs", *given);
        json_add_str(list, *given);
    }
    return 0;
}

static int put_theta(const struct cli *cli, json_t *params, struct err *err)
{
    const char *text = cli_value(cli, "theta", NULL);
    double percent = 0;
    if (!text)
        return 0;
    AUTO_FREE char *number = str_ndup(text, strcspn(text, "%"));
    const char *rest = text + strlen(number);
    if (!str_to_double(number, &percent) || !(percent >= 0.01 && percent <= 100) || (*rest && !str_eq(rest, "%")))
        return err_set(err, ERR_INVALID, "--theta '%s' must be a percentage from 0.01%% to 100%%", text);
    json_put_num(params, "theta_pct", percent);
    return 0;
}

static int put_metric(const struct cli *cli, json_t *params, struct err *err)
{
    const char *metric = cli_value(cli, "metric", NULL);
    AUTO_BUF struct buf known = BUF_INIT;
    if (!metric)
        return 0;
    json_put_str(params, "metric", metric);
    for (const char *const *m = METRICS; *m; m++)
        buf_printf(&known, "%s%s", m == METRICS ? "" : m[1] ? ", " : " or ", *m);
    return is_one_of(METRICS, metric, strlen(metric))
               ? 0
               : err_set(err, ERR_INVALID, "--metric '%s' must be %s", metric, buf_str(&known));
}

// --- commands ---

static int put_command(const char *text, struct run_request *q, json_t *commands, struct err *err)
{
    char **list = NULL;
    json_t *words = json_array();
    json_array_append_new(commands, words);
    int r = words_split(text, "the command", NAMED_WORDS_MAX, &list, err);
    if (r == 0)
        r = named_command((const char *const *)list, q, words, err);
    if (list)
        str_list_free(list);
    return r < 0 ? err_wrap(err, "'%s'", text) : 0;
}

// --- what is compared ---

static bool are_revisions(const struct cli *cli)
{
    static const char *const SAY_SO[] = {"baseline", "bench", "profile-a", "profile-b"};
    bool any = cli_flag(cli, "revisions") || cli_flag(cli, "bisect");
    for (size_t i = 0; i < ARRAY_LEN(SAY_SO); i++)
        any = any || cli_value(cli, SAY_SO[i], NULL);
    return any;
}

// Two builds of one revision, when no other two are given.
static bool put_profiles(const struct cli *cli, json_t *params)
{
    const char *a = cli_value(cli, "profile-a", NULL), *b = cli_value(cli, "profile-b", NULL);
    if (!a && !b)
        return false;
    json_t *profiles = json_array();
    json_add_str(profiles, a ? a : "release");
    json_add_str(profiles, b ? b : "release");
    json_put(params, "profiles", profiles);
    return !cli_value(cli, "baseline", NULL) && cli_arg_count(cli) < 2;
}

static int put_sides(const struct cli *cli, struct run_request *q, struct err *err)
{
    const char *baseline = cli_value(cli, "baseline", NULL);
    bool revisions = are_revisions(cli);
    size_t given = cli_arg_count(cli), expected = baseline ? 0 : 2;
    if (cli_flag(cli, "bisect")) {
        if (given != 2 || baseline)
            return err_set(err, ERR_INVALID,
                           "--bisect takes two revisions: the one that was fast, and the one that is slow");
        json_put_str(q->params, "baseline", cli_arg(cli, 0));
        json_put_str(q->params, "head", cli_arg(cli, 1));
        return 0;
    }
    if (put_profiles(cli, q->params)) {
        const char *both = given ? cli_arg(cli, 0) : "HEAD";
        json_put(q->params, "revisions", json_pack("[s,s]", both, both));
        return 0;
    }
    if (given != expected && !(baseline && given == 1))
        return err_set(err, ERR_INVALID, "%s",
                       baseline ? "--baseline REV takes one more revision at most: what it is compared with"
                                : "give two commands, or two revisions with --bench or --revisions, or --baseline REV");
    json_t *sides = json_array();
    json_put(q->params, revisions ? "revisions" : "commands", sides);
    if (revisions) {
        json_add_str(sides, baseline ? baseline : cli_arg(cli, 0));
        json_add_str(sides, !baseline ? cli_arg(cli, 1) : given ? cli_arg(cli, 0) : "HEAD");
        return 0;
    }
    int r = put_command(cli_arg(cli, 0), q, sides, err);
    return r < 0 ? r : put_command(cli_arg(cli, 1), q, sides, err);
}

static int write_export(const json_t *exports, const char *option, struct err *err)
{
    size_t n = strcspn(option, "=");
    AUTO_FREE char *format = str_ndup(option, n);
    AUTO_FREE char *text = json_shown(json_object_get(exports, format));
    AUTO_FREE char *line = str_printf("%s\n", text ? text : "null");
    return file_write(option + n + 1, line, strlen(line), false, err);
}

// Nothing was compared, nothing is exported.
static int ended(void *user, struct store *store, const char *run, int status)
{
    const struct cli *cli = user;
    struct err err;
    const char *const *options = cli_values(cli, "export");
    AUTO_JSON json_t *model = *options ? report_model_new(store, run, NULL) : NULL;
    const json_t *exports = json_obj(json_obj(model, "bench"), "export");
    for (; *options; options++) {
        if (!exports)
            fprintf(stderr, "baton: --export %s: not written, there is no comparison\n", *options);
        else if (write_export(exports, *options, &err) < 0)
            return cli_fail(&err);
    }
    return status;
}

int cmd_bench(const struct cli *cli)
{
    struct err err;
    struct run_request q;
    AUTO_FREE char *empty = NULL;
    const char *project = cli_value(cli, "project", NULL);
    bool commands = !are_revisions(cli), bisect = cli_flag(cli, "bisect");
    if (cli_flag(cli, "history"))
        return cmd_bench_history(cli);
    if (check_exports(cli, &err) < 0 || (!project && commands && named_empty_project(&empty, &err) < 0))
        return cli_fail(&err);
    if (run_request_read(cli, bisect ? "regression" : "bench", project ? project : empty ? empty : ".", &q, &err) < 0)
        return cli_fail(&err);
    int r = put_sides(cli, &q, &err);
    if (r == 0)
        r = put_fails(cli, q.params, &err);
    if (r == 0)
        r = put_theta(cli, q.params, &err);
    if (r == 0)
        r = put_metric(cli, q.params, &err);
    if (r < 0) {
        run_request_clear(&q);
        return cli_fail(&err);
    }
    return cmd_run_request(cli, &q, ended, (void *)(uintptr_t)cli); // read only
}

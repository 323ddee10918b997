// baton bench: two commands or two revisions against each other, as a run of the workflow "bench".
//
// Rules that the code does not show:
// - Commands run in a box that shows no folder of the caller. What they name is shown: the program of a command, and
// each
//   word with a '/' or '.' in it that is a file here, get their full path. A bare word may be a subcommand.
// - Naming a command is granting it: the rule is exactly this command.
#include "main/commands.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/words.h"
#include "main/run_request.h"
#include "report/model.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 256

static const char *const FORMATS[] = {"bencher", "github-action", NULL}; // keys of the worker's "export"
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

// --- commands ---

static char *full_path(const char *path, struct err *err)
{
    while (str_starts(path, "./"))
        path += 2;
    if (path[0] == '/' && !strstr(path, ".."))
        return str_dup(path);
    AUTO_FREE char *here = path_real(".", err);
    if (here && !strstr(path, ".."))
        return path_join(here, path);
    return path_real(path, err);
}

enum part { PROGRAM, ARGUMENT, INPUT };

// The word as it is run.
static int put_word(json_t *words, const char *word, enum part part, struct err *err)
{
    const char *equals = word[0] == '-' && part == ARGUMENT ? strchr(word, '=') : NULL,
               *path = equals ? equals + 1 : word;
    bool named = part == INPUT ||
                 (part == PROGRAM ? strchr(path, '/') != NULL : strpbrk(path, "/.") && (word[0] != '-' || equals));
    if (part != ARGUMENT && named && !file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "there is no %s '%s'", part == PROGRAM ? "program" : "file", path);
    if (!named || !file_exists(path)) {
        json_add_str(words, word);
        return 0;
    }
    AUTO_FREE char *full = full_path(path, err);
    if (!full)
        return -(int)err->code;
    AUTO_FREE char *text = str_printf("%.*s%s", (int)(path - word), word, full);
    json_add_str(words, text);
    return 0;
}

static int put_command(const char *text, struct run_request *q, json_t *commands, struct err *err)
{
    AUTO_BUF struct buf rule = BUF_INIT;
    char **list = NULL;
    json_t *words = json_array();
    json_array_append_new(commands, words);
    int r = words_split(text, "the command", WORDS_MAX, &list, err);
    bool input = false;
    for (size_t i = 0; r == 0 && list[i]; i++) {
        r = put_word(words, list[i], i == 0 ? PROGRAM : input ? INPUT : ARGUMENT, err);
        input = input || str_eq(list[i], "<"); // the file behind it is no word of the call
        if (r == 0 && !input && !words_add(&rule, json_string_value(json_array_get(words, i))))
            r = err_set(err, ERR_INVALID, "the word %s has both kinds of quotes: put the command into a script",
                        list[i]);
    }
    if (list)
        str_list_free(list);
    if (r < 0)
        return err_wrap(err, "'%s'", text);
    AUTO_FREE char *whole = str_printf("Bash(%s)", buf_str(&rule));
    run_request_grant(q, whole);
    return 0;
}

// --- what is compared ---

static int put_sides(const struct cli *cli, struct run_request *q, struct err *err)
{
    const char *baseline = cli_value(cli, "baseline", NULL);
    bool revisions = baseline || cli_value(cli, "bench", NULL) || cli_flag(cli, "revisions");
    size_t given = cli_arg_count(cli), expected = baseline ? 0 : 2;
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

// Commands need no project; without one they run in a folder of the state that stays empty.
static int empty_project(char **ret, struct err *err)
{
    struct places places;
    int r = places_find(&places, err);
    if (r < 0)
        return r;
    *ret = path_join(places.state, "bench");
    places_free(&places);
    return file_make_dirs(*ret, err);
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
    bool commands = !cli_value(cli, "baseline", NULL) && !cli_value(cli, "bench", NULL) && !cli_flag(cli, "revisions");
    if (check_exports(cli, &err) < 0 || (!project && commands && empty_project(&empty, &err) < 0))
        return cli_fail(&err);
    if (run_request_read(cli, "bench", project ? project : empty ? empty : ".", &q, &err) < 0)
        return cli_fail(&err);
    int r = put_sides(cli, &q, &err);
    if (r == 0)
        r = put_fails(cli, q.params, &err);
    if (r == 0)
        r = put_theta(cli, q.params, &err);
    if (r == 0 && cli_value(cli, "metric", NULL))
        json_put_str(q.params, "metric", cli_value(cli, "metric", NULL));
    if (r < 0) {
        run_request_clear(&q);
        return cli_fail(&err);
    }
    return cmd_run_request(cli, &q, ended, (void *)(uintptr_t)cli); // read only
}

// baton questions, approve, signal, query: telling a run something, in whatever process it is, and reading what it
// says.
#include "main/commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/shown.h"
#include "run/letters.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

// Who sits there: the name of the real user, not what the environment says.
static char *user_name(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user ? str_dup(user->pw_name) : str_printf("uid %d", (int)getuid());
}

static int open_run(const struct cli *cli, struct places *places, struct store **store, char **run, struct err *err)
{
    int r = commands_open(places, store, err);
    if (r < 0)
        return r;
    r = commands_find_run(*store, cli_arg(cli, 0), run, err);
    if (r < 0)
        commands_close(places, *store);
    return r;
}

int cmd_approve(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    if (open_run(cli, &places, &store, &run, &err) < 0)
        return cli_fail(&err);
    AUTO_FREE char *me = user_name();
    struct letter_answer answer = {.approved = !cli_flag(cli, "deny"),
                                   .by = cli_value(cli, "by", me),
                                   .note = cli_value(cli, "note", ""),
                                   .question = cli_value(cli, "question", NULL),
                                   .subject = cli_value(cli, "for", NULL)};
    json_t *question = NULL;
    int r = letter_answer(store, run, &answer, &question, &err);
    if (r == 0 && cli_flag(cli, "json")) {
        json_put_str(question, "run", run);
        json_put_flag(question, "approved", answer.approved);
        commands_print_json(json_incref(question));
    } else if (r == 0) {
        printf("%s: %s: %s\n", run, answer.approved ? "approved" : "denied", json_str(question, "question", ""));
    }
    json_decref(question);
    mem_free(run);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

// Of all runs that have not ended; those below a run come with it.
int cmd_questions(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    if (commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *runs = store_run_list_new(store, &(struct store_run_filter){.unfinished = true}, &err);
    AUTO_JSON json_t *list = json_array();
    size_t i;
    json_t *one;
    json_array_foreach (runs, i, one)
        if (!json_str(one, "parent", NULL))
            shown_add_questions(store, json_str(one, "id", ""), 0, list);
    json_array_foreach (cli_flag(cli, "json") ? NULL : list, i, one)
        shown_print_question(one);
    if (cli_flag(cli, "json"))
        commands_print_json(json_incref(list));
    else if (runs && json_array_size(list) == 0)
        fprintf(stderr, "no run waits for an answer\n");
    commands_close(&places, store);
    return runs ? 0 : cli_fail(&err);
}

int cmd_signal(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    const char *text = cli_arg(cli, 2);
    AUTO_JSON json_t *value = text ? json_parse_new(text, strlen(text), "the value", &err) : NULL;
    if (text && !value) {
        err_wrap(&err, "expected JSON (a text has quotes of its own: '\"text\"')");
        return cli_fail(&err);
    }
    if (open_run(cli, &places, &store, &run, &err) < 0)
        return cli_fail(&err);
    AUTO_FREE char *me = user_name();
    int r = letter_signal(store, run, cli_arg(cli, 1), value, cli_value(cli, "by", me), &err);
    if (r == 0 && cli_flag(cli, "json")) {
        json_t *sent = json_object();
        json_put_str(sent, "run", run);
        json_put_str(sent, "name", cli_arg(cli, 1));
        commands_print_json(sent);
    } else if (r == 0) {
        printf("%s: signal '%s' is on its way\n", run, cli_arg(cli, 1));
    }
    mem_free(run);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

static void print_value(const char *name, const json_t *one)
{
    char when[CLOCK_TEXT_MAX];
    AUTO_FREE char *text = json_shown(json_object_get(one, "value"));
    clock_iso(json_int(one, "at_ns", 0), when);
    printf("%-20s %.19sZ  %s\n", name, when, text);
}

// One value alone is printed as it is, for scripts; all of them as lines for people.
static int print_values(const struct cli *cli, const char *run, const json_t *values, struct err *err)
{
    const char *wanted = cli_arg(cli, 1), *name;
    json_t *one;
    if (wanted) {
        if (!json_object_get(values, wanted))
            return err_set(err, ERR_NOT_FOUND, "run '%s' has published no '%s'", run, wanted);
        commands_print_json(json_incref(json_object_get(json_object_get(values, wanted), "value")));
    } else if (cli_flag(cli, "json")) {
        commands_print_json(json_incref((json_t *)(uintptr_t)values));
    } else {
        json_object_foreach ((json_t *)(uintptr_t)values, name, one)
            print_value(name, one);
        if (json_object_size(values) == 0)
            fprintf(stderr, "run '%s' has published nothing\n", run);
    }
    return 0;
}

int cmd_query(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    if (open_run(cli, &places, &store, &run, &err) < 0)
        return cli_fail(&err);
    AUTO_FREE char *latest = letter_latest(store, run);
    AUTO_JSON json_t *values = store_published_new(store, latest ? latest : run, &err);
    int r = values ? print_values(cli, run, values, &err) : -(int)err.code;
    mem_free(run);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

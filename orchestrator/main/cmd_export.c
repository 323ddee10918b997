// baton export, replay: a run as one file, and deciding it again from that file.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/run_request.h"
#include "replay/replay.h"
#include "store/bundle.h"

#include <stdio.h>

#define SCRIPT_FILE_MAX ((size_t)1 << 20)

int cmd_export(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    size_t missing = 0;
    if (commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    int r = commands_find_run(store, cli_arg(cli, 0), &run, &err);
    AUTO_FREE char *fallback = str_printf("%s.baton", run ? run : "run");
    const char *path = cli_value(cli, "output", fallback);
    if (r == 0)
        r = bundle_write(store, run, path, &missing, &err);
    if (r == 0) {
        printf("%s\n", path);
        if (missing)
            fprintf(stderr, "baton: %zu artifacts of the run are gone and are not in the file\n", missing);
    }
    mem_free(run);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

static void print_side(const json_t *difference, const char *name, const char *member, const char *hash)
{
    const char *request = json_str(difference, hash, NULL);
    printf("  %-9s  %s", name, json_str(difference, member, "-"));
    if (request)
        printf("  [%.12s]", request);
    printf("\n");
}

static void print_difference(const json_t *d)
{
    const char *parts = json_str(d, "parts", NULL);
    int line = (int)json_int(d, "line", 0);
    AUTO_FREE char *where = line ? str_printf(", line %d", line) : str_dup("");
    if (str_eq(json_str(d, "op", ""), "finish"))
        printf("different at the end%s: %s\n", where, json_str(d, "what", "?"));
    else
        printf("different at call %d of task %s (%s)%s: %s%s%s%s\n", (int)json_int(d, "n", 0), json_str(d, "task", "?"),
               json_str(d, "op", "?"), where, json_str(d, "what", "?"), parts ? " (" : "", parts ? parts : "",
               parts ? ")" : "");
    print_side(d, "journaled", "journaled", "journaled_hash");
    print_side(d, "now", "now", "now_hash");
}

static void print_replay(const json_t *v)
{
    size_t i;
    json_t *d;
    json_array_foreach (json_list(v, "differences"), i, d)
        print_difference(d);
    bool same = json_flag(v, "same", false);
    printf("%s: %s, %d stages, %d calls decided again, nothing executed\n", json_str(v, "run", "?"),
           same ? "the same" : "DIFFERENT", (int)json_int(v, "stages", 0), (int)json_int(v, "calls", 0));
    printf("final hash %s%s%s\n", json_str(v, "replay_hash", "?"), same ? "" : ", journaled ",
           same ? "" : json_str(v, "hash", "?"));
}

int cmd_replay(const struct cli *cli)
{
    struct bundle *bundle = NULL;
    struct err err;
    json_t *v = NULL;
    char *script = NULL;
    const char *other = cli_value(cli, "script", NULL);
    AUTO_JSON json_t *limits = run_request_limits_new(cli, &err);
    if (!limits)
        return cli_fail(&err);
    int r = bundle_open(cli_arg(cli, 0), &bundle, &err);
    if (r == 0 && other)
        r = file_read(other, SCRIPT_FILE_MAX, &script, NULL, &err);
    if (r == 0)
        r = replay_run(bundle, script, limits, &v, &err);
    mem_free(script);
    bundle_close(bundle);
    if (r < 0)
        return cli_fail(&err);
    int status = json_flag(v, "same", false) ? 0 : 1;
    if (cli_flag(cli, "json")) {
        commands_print_json(v);
    } else {
        print_replay(v);
        json_decref(v);
    }
    return status;
}

// agent_main: the command line of every worker.
#include "sdk/agent.h"

#include "job.h"
#include "serve.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/tools.h"

#include <stdio.h>
#include <stdlib.h>

#define TOKEN_ENV "BATON_TOKEN" // as in the engine's bus, which puts it there
static const size_t ASSIGNMENT_MAX = (size_t)64 << 20;

static int usage(const struct agent *agent, FILE *to, int status)
{
    fprintf(to,
            "Baton's worker for the role '%s', version %s.\n"
            "  --connect ENDPOINT      serve an engine; it starts its workers itself, with " TOKEN_ENV " set\n"
            "  --once ASSIGNMENT.json  run one assignment and print the draft\n"
            "  --describe              print role, version and modes as JSON\n"
            "  --tools                 print which tools a stage would have here, and their profiles, as JSON\n",
            agent->role, agent->version);
    return status;
}

static int describe(const struct agent *agent)
{
    AUTO_JSON json_t *o = json_object();
    json_put_str(o, "role", agent->role);
    json_put_str(o, "version", agent->version);
    json_t *modes = json_array();
    for (const char *const *m = agent->modes; *m; m++)
        json_add_str(modes, *m);
    json_put(o, "modes", modes);
    AUTO_FREE char *text = json_compact(o);
    puts(text);
    return 0;
}

static int complain(const struct agent *agent, const struct err *err)
{
    fprintf(stderr, "%s worker: %s\n", agent->role, err->text);
    return err_exit_status(err->code);
}

static int print_tools(const struct agent *agent)
{
    struct err err;
    json_t *tools = NULL;
    if (tools_new(&tools, &err) < 0)
        return complain(agent, &err);
    AUTO_FREE char *text = json_compact(tools);
    puts(text);
    json_decref(tools);
    return 0;
}

static void print_progress(void *user)
{
    char text[JOB_PROGRESS_MAX];
    double fraction;
    if (job_take_progress(*(struct job **)user, text, &fraction))
        fprintf(stderr, "%s\n", text);
}

static int once(const struct agent *agent, const char *path)
{
    struct err err;
    json_t *assignment = json_read_file_new(path, ASSIGNMENT_MAX, &err);
    if (!assignment)
        return complain(agent, &err);
    struct job *job = job_new(agent, assignment);
    job->on_progress = print_progress;
    job->user = &job;
    struct rules rules = {0};
    AUTO_JSON json_t *draft = job_run_new(job, &rules);
    job_free(job);
    rules_free(&rules);
    AUTO_FREE char *text = json_pretty(draft);
    fputs(text, stdout);
    return 0;
}

static int connect_to(const struct agent *agent, const char *endpoint)
{
    AUTO_FREE char *token = str_dup(getenv(TOKEN_ENV));
    unsetenv(TOKEN_ENV);
    struct err err;
    if (!token) {
        err_set(&err, ERR_DENIED, TOKEN_ENV " is not set: workers are started by the engine");
        return complain(agent, &err);
    }
    return serve(agent, endpoint, token, &err) < 0 ? complain(agent, &err) : 0;
}

int agent_main(int argc, char **argv, const struct agent *agent)
{
    json_object_seed(0); // Jansson seeds itself at the first object; not on two threads at once
    if (argc == 2 && str_eq(argv[1], "--describe"))
        return describe(agent);
    if (argc == 2 && str_eq(argv[1], "--tools"))
        return print_tools(agent);
    if (argc == 3 && str_eq(argv[1], "--once"))
        return once(agent, argv[2]);
    if (argc == 3 && str_eq(argv[1], "--connect"))
        return connect_to(agent, argv[2]);
    bool help = argc == 2 && str_eq(argv[1], "--help");
    return usage(agent, help ? stdout : stderr, help ? 0 : 2);
}

// baton serve: the options of the service.
#include "main/commands.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "main/service.h"

#include <stdlib.h>

#define RUNS_MOST  1000
#define QUEUE_MOST 1000000
#define DRAIN_MOST 86400

static int number(const struct cli *cli, const char *option, const char *def, int64_t least, int64_t most, int64_t *ret,
                  struct err *err)
{
    const char *text = cli_value(cli, option, def);
    if (str_to_i64(text, ret) && *ret >= least && *ret <= most)
        return 0;
    return err_set(err, ERR_INVALID, "--%s '%s' must be a number from %lld to %lld", option, text, (long long)least,
                   (long long)most);
}

static int set_up_log(const struct cli *cli, bool *ret_json, struct err *err)
{
    const char *format = cli_value(cli, "log-format", "text"), *name = cli_value(cli, "log-level", NULL);
    enum log_level level = LOG_INFO;
    if (!str_eq(format, "text") && !str_eq(format, "json"))
        return err_set(err, ERR_INVALID, "--log-format '%s' must be text or json", format);
    if (name && !log_level_from_name(name, &level))
        return err_set(err, ERR_INVALID, "--log-level '%s' must be error, warn, info or debug", name);
    if (!name)
        log_level_from_name(getenv("BATON_LOG"), &level);
    *ret_json = str_eq(format, "json");
    log_setup(level, *ret_json);
    return 0;
}

int cmd_serve(const struct cli *cli)
{
    struct err err;
    bool json = false;
    int64_t max_runs = 0, max_queue = 0, drain_s = 0;
    int r = set_up_log(cli, &json, &err);
    if (r == 0)
        r = number(cli, "max-runs", "4", 1, RUNS_MOST, &max_runs, &err);
    if (r == 0)
        r = number(cli, "max-queue", "1000", 0, QUEUE_MOST, &max_queue, &err);
    if (r == 0)
        r = number(cli, "drain", "60", 0, DRAIN_MOST, &drain_s, &err);
    if (r < 0)
        return cli_fail(&err);
    struct service_options options = {.max_runs = (size_t)max_runs,
                                      .max_queue = (size_t)max_queue,
                                      .drain_ns = drain_s * NS_PER_SEC,
                                      .replace = cli_flag(cli, "replace"),
                                      .metrics_listen = cli_value(cli, "metrics-listen", NULL),
                                      .say = !json};
    r = service_run(&options, &err);
    if (r < 0 && json) {
        log_fact(LOG_ERROR, "service_failed", "why", err.text, NULL);
        return err_exit_status(err.code);
    }
    return r < 0 ? cli_fail(&err) : 0;
}

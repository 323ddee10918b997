// baton start: a run for the service.
#include "main/commands.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/client.h"
#include "main/run_request.h"

#include <stdio.h>

#define WAIT_S_DEFAULT "10"
#define WAIT_S_MOST    86400

static void say(const json_t *answer, bool known)
{
    if (known)
        printf("%s is there already: a run with this key\n", json_str(answer, "run", ""));
    else
        commands_say_started(json_str(answer, "run", ""), json_int(answer, "position", 0));
}

int cmd_start(const struct cli *cli)
{
    struct run_request q = {0};
    struct places places;
    struct err err;
    int64_t wait_s = 0;
    const char *project = cli_value(cli, "project", "."), *text = cli_value(cli, "wait", WAIT_S_DEFAULT);
    if (!str_to_i64(text, &wait_s) || wait_s < 0 || wait_s > WAIT_S_MOST) {
        err_set(&err, ERR_INVALID, "--wait '%s' must be a number of seconds from 0 to %d", text, WAIT_S_MOST);
        return cli_fail(&err);
    }
    int r = run_request_read(cli, cli_arg(cli, 0), project, &q, &err);
    AUTO_JSON json_t *message = r == 0 ? run_request_message_new(&q, &err) : NULL;
    run_request_clear(&q);
    if (!message)
        return cli_fail(&err);
    // Without a key of the caller's, one of our own: asked twice because the service was just restarted, it is one run.
    bool own_key = json_str(message, "key", NULL) != NULL;
    char id[ID_UUID_TEXT];
    id_uuid7(clock_wall_ns(), id);
    if (!own_key)
        json_put_str(message, "key", id);
    if (places_find(&places, &err) < 0)
        return cli_fail(&err);
    // A service that was never there is said at once; one that is being restarted is waited for.
    AUTO_JSON json_t *answer = client_ask_new(places.state, message, wait_s * NS_PER_SEC, &err);
    places_free(&places);
    if (!answer)
        return cli_fail(&err);
    if (cli_flag(cli, "json")) {
        json_object_del(answer, "ok");
        commands_print_json(json_incref(answer));
    } else {
        say(answer, own_key && json_flag(answer, "existing", false));
    }
    return 0;
}

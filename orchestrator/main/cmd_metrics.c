// baton metrics: what the service measures.
#include "main/commands.h"

#include "main/client.h"

#include <stdio.h>

int cmd_metrics(const struct cli *cli)
{
    struct places places;
    struct err err;
    if (places_find(&places, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *request = json_object();
    json_put_str(request, "op", "metrics");
    if (cli_flag(cli, "json"))
        json_put_str(request, "format", "json");
    AUTO_JSON json_t *answer = client_ask_new(places.state, request, 0, &err);
    places_free(&places);
    if (!answer)
        return cli_fail(&err);
    if (cli_flag(cli, "json"))
        commands_print_json(json_incref(json_list(answer, "metrics")));
    else
        fputs(json_str(answer, "text", ""), stdout);
    return 0;
}

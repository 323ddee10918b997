// baton build-report: what makes the build of a project slow, as a run of the workflow of that name.
#include "main/commands.h"

#include "base/str.h"
#include "main/run_request.h"

int cmd_build_report(const struct cli *cli)
{
    struct err err;
    struct run_request q;
    if (commands_check_project(cli_arg(cli, 0) ? cli_arg(cli, 0) : ".", &err) < 0 ||
        run_request_read(cli, "build-report", cli_arg(cli, 0) ? cli_arg(cli, 0) : ".", &q, &err) < 0)
        return cli_fail(&err);
    if (cli_flag(cli, "release"))
        json_put_str(q.params, "profile", "release");
    if (cli_flag(cli, "no-proof"))
        json_put_flag(q.params, "prove", false);
    return cmd_run_request(cli, &q, NULL, NULL);
}

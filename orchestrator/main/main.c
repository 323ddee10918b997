// The `baton` program.
#include "main/commands.h"

#include "base/log.h"
#include "base/str.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

int cmd_help(const struct cli *cli)
{
    if (cli_flag(cli, "man")) {
        cli_write_man(stdout);
        return 0;
    }
    const char *first = cli_arg(cli, 0), *second = cli_arg(cli, 1);
    char name[128];
    snprintf(name, sizeof(name), "%s%s%s", first ? first : "", second ? " " : "", second ? second : "");
    for (const struct cli_command *c = CLI_COMMANDS; first && c->name; c++) {
        if (str_eq(c->name, name)) {
            cli_write_help(stdout, c);
            return 0;
        }
    }
    if (first && !second && cli_write_group(stdout, first))
        return 0;
    if (first) {
        fprintf(stderr, "baton: unknown command '%s'; see 'baton --help'\n", name);
        return 2;
    }
    cli_write_help(stdout, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    enum log_level level = LOG_WARN;
    log_level_from_name(getenv("BATON_LOG"), &level);
    log_setup(level, false);
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv);
}

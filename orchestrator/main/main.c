// The `baton` program.
#include "main/commands.h"

#include "base/log.h"
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    mem_tune();
    enum log_level level = LOG_WARN;
    log_level_from_name(getenv("BATON_LOG"), &level);
    log_setup(level, false);
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv);
}

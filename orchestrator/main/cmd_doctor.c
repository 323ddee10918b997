// baton doctor: what this host offers of the box that tools run in. The probing is done by baton-exec itself, which is
// what will have to make the box; it lies beside this program or in ../libexec/baton.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ; // NOLINT: declared by POSIX for the program to use

static char *find_helper(struct err *err)
{
    static const char *const PLACES[] = {"baton-exec", "../libexec/baton/baton-exec"};
    AUTO_FREE char *self = path_real("/proc/self/exe", err);
    AUTO_FREE char *dir = self ? path_dir(self) : NULL;
    for (size_t i = 0; dir && i < ARRAY_LEN(PLACES); i++) {
        char *path = path_join(dir, PLACES[i]);
        if (file_exists(path))
            return path;
        mem_free(path);
    }
    if (dir)
        err_set(err, ERR_NOT_FOUND, "'baton-exec' is neither in '%s' nor in '%s/../libexec/baton': reinstall Baton",
                dir, dir);
    return NULL;
}

int cmd_doctor(const struct cli *cli)
{
    struct err err;
    char probe[] = "--probe", json[] = "--json";
    AUTO_FREE char *helper = find_helper(&err);
    char *argv[] = {helper, probe, cli_flag(cli, "json") ? json : NULL, NULL};
    pid_t pid = 0;
    int status = 0;
    int e = helper ? posix_spawn(&pid, helper, NULL, NULL, argv, environ) : 0;
    if (e)
        err_sys(&err, e, "cannot start '%s'", helper);
    if (!helper || e) {
        fprintf(stderr, "baton: %s\n", err.text);
        return 1;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

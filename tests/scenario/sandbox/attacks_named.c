// The attack program under other names: one that must not run at all leaves marks; one that stands in for a program
// that is not installed starts whatever its arguments name.
#include "attacks.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int leave_marks(void)
{
    static const char *const MARKS[] = {"/ws/evil-ran", "/tmp/evil-ran", "/outside/evil-ran"};
    for (size_t i = 0; i < sizeof(MARKS) / sizeof(MARKS[0]); i++)
        (void)writes(MARKS[i]);
    return 0;
}

static void start(char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(126);
    }
    waitpid(pid, NULL, 0);
}

// Each argument as a program, and as a text for a shell; what stands behind "=" as well.
static int start_everything(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        char *texts[] = {argv[i], value ? value + 1 : NULL};
        for (int k = 0; k < 2 && texts[k]; k++) {
            start((char *[]){texts[k], NULL});
            start((char *[]){"/bin/sh", "-c", texts[k], NULL});
        }
        if (strcmp(argv[i], "--root") == 0)
            start((char *[]){"sudo", "true", NULL});
    }
    return 0;
}

int by_name(int argc, char **argv)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    if (strstr(self, "evil") || (argc > 0 && strstr(argv[0], "evil")))
        return leave_marks();
    return strncmp(self, "/stand-in/", 10) == 0 ? start_everything(argc, argv) : -1;
}

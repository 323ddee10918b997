// measure_busy ROUNDS [MODE]: works for a while that is proportional to ROUNDS and prints the result. MODE:
// "child": works in a child process; "hang": waits for ever in a grandchild of its own group; "exit3": ends with
// exit 3 and a message; "env": prints the length of BATON_PADDING; "crash": ends by a signal.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t work(long rounds)
{
    volatile uint64_t x = 1;
    for (long i = 0; i < rounds * 1000; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    const char *mode = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "exit3") == 0) {
        fprintf(stderr, "first line\nthe reason\n");
        return 3;
    }
    if (strcmp(mode, "crash") == 0)
        abort();
    if (strcmp(mode, "env") == 0) {
        const char *padding = getenv("BATON_PADDING");
        printf("%zu\n", padding ? strlen(padding) : 0);
        return 0;
    }
    if (strcmp(mode, "child") == 0 || strcmp(mode, "hang") == 0) {
        pid_t pid = fork();
        if (pid == 0 && strcmp(mode, "hang") == 0)
            for (;;)
                pause();
        if (pid == 0) {
            printf("%llu\n", (unsigned long long)work(rounds));
            return 0;
        }
        return waitpid(pid, NULL, 0) == pid ? 0 : 1;
    }
    printf("%llu\n", (unsigned long long)work(rounds));
    return 0;
}

// measure_attack KEY OUTSIDE PORT MARKER [kill]: what a measured program must not be able to do. Every attempt that
// works adds a line to $HOME/report; the last line of each run is "ran".
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void report(const char *text)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/report", getenv("HOME"));
    FILE *f = fopen(path, "a");
    if (f) {
        fprintf(f, "%s\n", text);
        fclose(f);
    }
}

static int can_open(const char *path, int flags)
{
    int fd = open(path, flags, 0666);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int can_connect(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int done = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

// Left behind by an earlier run?
static int somebody_waits(const char *marker)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    int found = 0;
    while (proc && (e = readdir(proc)) != NULL) {
        char path[300], text[512] = {0};
        snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
        FILE *f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        found += fgets(text, sizeof(text), f) && strncmp(text, marker, strlen(marker)) == 0;
        fclose(f);
    }
    if (proc)
        closedir(proc);
    return found;
}

static void leave_daemon(const char *marker)
{
    char path[64];
    int there[2];
    if (pipe(there) != 0)
        return;
    if (fork() != 0) {
        close(there[1]);
        ssize_t n = read(there[0], path, 1); // until it is out of our session, or there is none
        (void)n;
        close(there[0]);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    int fd = open("/proc/self/comm", O_WRONLY);
    if (fd >= 0 && write(fd, marker, strlen(marker)) > 0)
        close(fd);
    snprintf(path, sizeof(path), "daemon %d", (int)getpid());
    report(path);
    close(there[1]);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    char memory[64];
    if (argc < 5)
        return 2;
    snprintf(memory, sizeof(memory), "/proc/%d/mem", (int)getppid());
    if (can_open(argv[1], O_RDONLY))
        report("read");
    if (can_open(argv[2], O_WRONLY | O_CREAT))
        report("wrote");
    if (can_connect(atoi(argv[3])))
        report("connected");
    if (can_open(memory, O_RDWR))
        report("memory");
    if (somebody_waits(argv[4]))
        report("left");
    leave_daemon(argv[4]);
    if (argc > 5)
        kill(getppid(), SIGKILL);
    report("ran");
    puts("done");
    return 0;
}

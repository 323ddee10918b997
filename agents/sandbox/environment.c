#include "environment.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct entries {
    VEC(char *) list;
};

static bool same_name(const char *entry, const char *other)
{
    size_t n = strcspn(other, "=");
    return strncmp(entry, other, n) == 0 && entry[n] == '=';
}

static void set(struct entries *e, char *entry_consumed)
{
    for (size_t i = 0; i < e->list.len; i++) {
        if (same_name(e->list.items[i], entry_consumed)) {
            mem_free(e->list.items[i]);
            e->list.items[i] = entry_consumed;
            return;
        }
    }
    vec_push(&e->list, entry_consumed);
}

// Our PATH without relative entries: they would mean whatever folder the tool is started in.
static char *absolute_path_list(void)
{
    const char *path = getenv("PATH");
    char **dirs = str_split(path && *path ? path : "/usr/local/bin:/usr/bin:/bin", ":", true, NULL);
    struct buf out = BUF_INIT;
    for (char **d = dirs; *d; d++) {
        if ((*d)[0] == '/')
            buf_printf(&out, "%s%s", out.len ? ":" : "PATH=", *d);
    }
    str_list_free(dirs);
    if (!out.len)
        buf_str_add(&out, "PATH=/usr/local/bin:/usr/bin:/bin");
    return buf_steal(&out);
}

// HOME is private, but the toolchain and the registry cache of the user are wanted: they are named outright.
static void set_cargo_place(struct entries *e, const char *name, const char *below_home)
{
    const char *value = getenv(name);
    const char *home = getenv("HOME");
    if (value && *value) {
        set(e, str_printf("%s=%s", name, value));
        return;
    }
    if (!home || home[0] != '/')
        return;
    AUTO_FREE char *place = path_join(home, below_home);
    if (str_eq(name, "CARGO_HOME") || file_is_dir(place)) // the registry's place is made when it is missing
        set(e, str_printf("%s=%s", name, place));
}

// A compiler cache keeps a server on a port of the machine. Calls get one of their own: they must neither fill the
// user's cache through a server that happens to run, nor depend on the server of another call, which ends with that
// call.
static void set_cache_port(struct entries *e)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        set(e, str_printf("SCCACHE_SERVER_PORT=%u", (unsigned)ntohs(at.sin_port)));
    if (fd >= 0)
        close(fd);
}

char **environment_new(const char *home, const char *const *extra)
{
    struct entries e = {0};
    set(&e, absolute_path_list());
    set(&e, str_printf("HOME=%s/home", home));
    set(&e, str_printf("TMPDIR=%s/tmp", home));
    set(&e, str_dup("LANG=C.UTF-8"));
    set(&e, str_dup("TERM=dumb"));
    set_cargo_place(&e, "CARGO_HOME", ".cargo");
    set_cargo_place(&e, "RUSTUP_HOME", ".rustup");
    set_cache_port(&e);
    for (; extra && *extra; extra++) {
        if (strchr(*extra, '='))
            set(&e, str_dup(*extra));
    }
    vec_push(&e.list, NULL);
    return e.list.items;
}

const char *environment_get(char *const *environment, const char *name)
{
    size_t n = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
            return *environment + n + 1;
    }
    return NULL;
}

char **environment_put(char **environment_consumed, char *entry_consumed)
{
    struct entries e = {0};
    for (char **entry = environment_consumed; *entry; entry++)
        vec_push(&e.list, *entry);
    mem_free(environment_consumed);
    set(&e, entry_consumed);
    vec_push(&e.list, NULL);
    return e.list.items;
}

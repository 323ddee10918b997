#include "bus_fixture.h"

#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pulse(void *user)
{
    (void)user;
}

static void on_ready(void *user, const struct bus_peer *peer)
{
    struct fixture *f = user;
    f->ready++;
    f->peer = peer->id;
}

static void on_lost(void *user, const struct bus_peer *peer, const uint64_t *leases, size_t count, const char *why)
{
    struct fixture *f = user;
    (void)peer;
    f->lost++;
    f->lost_lease = count ? leases[0] : 0;
    snprintf(f->why, sizeof(f->why), "%s", why);
}

static void on_progress(void *user, uint64_t peer, uint64_t lease, double fraction, const char *text)
{
    (void)peer;
    (void)lease;
    (void)fraction;
    buf_printf(&((struct fixture *)user)->progress, "%s|", text);
}

static void on_result(void *user, uint64_t peer, uint64_t lease, json_t *draft, int64_t took_us)
{
    (void)took_us;
    struct fixture *f = user;
    f->results++;
    f->lease = lease;
    json_decref(f->draft);
    f->draft = json_incref(draft);
    if (f->ack_at_once) {
        bus_result_done(f->bus, peer, lease, NULL);
        bus_flush(f->bus);
    }
}

static void on_returned(void *user, uint64_t peer, uint64_t lease)
{
    struct fixture *f = user;
    (void)peer;
    f->returned++;
    f->returned_lease = lease;
}

static void on_refused(void *user, uint64_t peer, uint64_t lease, enum err_code code, const char *why)
{
    struct fixture *f = user;
    (void)why;
    f->refused++;
    f->refused_code = code;
    f->refused_lease = lease;
    f->refused_peer = peer;
}

void fixture_begin(struct fixture *f)
{
    static const struct bus_events EVENTS = {on_ready, on_lost, on_progress, on_result, on_returned, on_refused};
    struct err err;
    *f = (struct fixture){.ack_at_once = true, .dir = test_temp_dir()};
    f->endpoint = str_printf("ipc://%s/bus", f->dir);
    assert_ok(loop_new(&f->loop, &err), &err);
    const struct bus_options options = {.endpoint = f->endpoint};
    assert_ok(bus_new(f->loop, &options, &EVENTS, f, &f->bus, &err), &err);
    f->pulse = loop_timer_new(f->loop, pulse, f);
    loop_timer_start(f->pulse, 5 * NS_PER_MS, 5 * NS_PER_MS);
}

void fixture_finish(struct fixture *f)
{
    bus_free(f->bus);
    loop_free(f->loop);
    json_decref(f->draft);
    buf_free(&f->progress);
    buf_free(&f->log);
    mem_free(f->endpoint);
    test_remove(f->dir);
}

static void worker_line(void *user, enum loop_source source, const char *line)
{
    (void)source;
    buf_printf(&((struct fixture *)user)->log, "%s|", line);
}

static void worker_exit(void *user, int exit_code, int signal)
{
    struct fixture *f = user;
    f->exited++;
    buf_printf(&f->log, "exit %d signal %d|", exit_code, signal);
}

struct loop_child *fixture_start_echo_with(struct fixture *f, const char *token)
{
    struct err err;
    AUTO_FREE char *token_entry = str_printf("%s=%s", BUS_TOKEN_ENV, token);
    AUTO_FREE char *path_entry = str_printf("PATH=%s", getenv("PATH"));
    AUTO_FREE char *tmp_entry = str_printf("TMPDIR=%s", f->dir);
    AUTO_FREE char *tsan = str_printf("TSAN_OPTIONS=%s", getenv("TSAN_OPTIONS") ? getenv("TSAN_OPTIONS") : "");
    const char *env[] = {token_entry, path_entry, tmp_entry, tsan, NULL};
    const char *argv[] = {BATON_BIN_DIR "/baton-agent-echo", "--connect", bus_endpoint(f->bus), NULL};
    const struct loop_child_options options = {
        .argv = argv, .env = env, .on_line = worker_line, .on_exit = worker_exit, .user = f};
    struct loop_child *child = NULL;
    assert_ok(loop_child_new(f->loop, &options, &child, &err), &err);
    return child;
}

struct loop_child *fixture_start_echo(struct fixture *f, uint64_t *ret_invite)
{
    char token[BUS_TOKEN_TEXT];
    uint64_t ready = f->ready;
    *ret_invite = bus_invite(f->bus, token);
    struct loop_child *child = fixture_start_echo_with(f, token);
    wait_for(f, f->ready > ready);
    assert_int_equal(bus_peer(f->bus, f->peer)->pid, loop_child_pid(child));
    assert_true(bus_peer(f->bus, f->peer)->invite == *ret_invite);
    return child;
}

void fixture_dispatch(struct fixture *f, uint64_t peer, uint64_t lease, const char *input)
{
    struct err err;
    AUTO_FREE char *text =
        str_printf("{\"mode\":\"echo\",\"input\":%s,\"operator_rules\":[\"Bash(sleep *)\",\"Bash(sh *)\"]}", input);
    assert_ok(bus_dispatch(f->bus, peer, lease, text, &err), &err);
}

// Whether a process has `word` as one of its arguments.
bool someone_runs(const char *word)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    bool found = false;
    while (proc && (e = readdir(proc)) != NULL && !found) {
        char path[300], text[4096] = {0};
        snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        FILE *file = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        size_t n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        for (size_t i = 0; i < n; i += strlen(text + i) + 1)
            found = found || str_eq(text + i, word);
    }
    if (proc)
        closedir(proc);
    return found;
}

bool gone(const char *word)
{
    return !someone_runs(word) && !someone_runs(word);
}

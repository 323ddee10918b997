// orchestrator/loop: calls, timers, descriptors, children, ZeroMQ watches, line streams. Callbacks only record; the
// tests assert.
#include "support/support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http.h"
#include "loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

struct fixture {
    struct loop *loop;
    struct buf seen; // what happened, in order
    unsigned count;
    int exit_code, signal;
    struct loop_child *child;
    struct loop_stream *server;
    struct loop_stream *client;
    struct loop_timer *timer;
    struct loop_timer *guard;
    struct loop_zmq *watch;
    void *socket;
    struct err why;
    bool failed;
};

static void guard_fired(void *user)
{
    struct fixture *f = user;
    buf_str_add(&f->seen, "TIMEOUT");
    loop_stop(f->loop);
}

static void begin(struct fixture *f)
{
    struct err err;
    *f = (struct fixture){0};
    assert_ok(loop_new(&f->loop, &err), &err);
    f->guard = loop_timer_new(f->loop, guard_fired, f);
    loop_timer_start(f->guard, 30 * NS_PER_SEC, 0);
}

static void finish(struct fixture *f)
{
    f->loop = loop_free(f->loop);
    buf_free(&f->seen);
}

static void note_a(void *user)
{
    buf_char(&((struct fixture *)user)->seen, 'a');
}

static void defer_again(void *user)
{
    struct fixture *f = user;
    buf_char(&f->seen, 'd');
    if (++f->count < 3)
        loop_defer(f->loop, defer_again, f);
    else
        loop_stop(f->loop);
}

static void test_loop_deferred_calls_keep_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    loop_defer(f.loop, note_a, &f);
    loop_defer(f.loop, defer_again, &f);
    loop_run(f.loop);
    assert_string_equal(buf_str(&f.seen), "addd");
    loop_defer(f.loop, note_a, &f); // left behind: freed without a call
    finish(&f);
}

static void add_one(void *user)
{
    ((struct fixture *)user)->count++;
}

static void tick(void *user)
{
    struct fixture *f = user;
    if (++f->count == 3) {
        loop_timer_close(f->timer);
        loop_stop(f->loop);
    }
}

static void test_loop_timer_repeats_and_closes_itself(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    int64_t before = clock_mono_ns();
    f.timer = loop_timer_new(f.loop, tick, &f);
    loop_timer_start(f.timer, 5 * NS_PER_MS, 5 * NS_PER_MS);
    loop_run(f.loop);
    assert_int_equal(f.count, 3);
    assert_true(clock_mono_ns() - before >= 14 * NS_PER_MS); // never early
    finish(&f);
}

static void signal_seen(void *user, int signal)
{
    struct fixture *f = user;
    f->signal = signal;
    loop_stop(f->loop);
}

static void test_loop_signal(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    struct loop_signal *watch = NULL;
    assert_ok(loop_signal_new(f.loop, SIGUSR1, signal_seen, &f, &watch, &err), &err);
    kill(getpid(), SIGUSR1);
    loop_run(f.loop);
    assert_int_equal(f.signal, SIGUSR1);
    loop_signal_close(watch);
    finish(&f);
}

static void fd_seen(void *user, unsigned events)
{
    struct fixture *f = user;
    f->count = events;
    loop_stop(f->loop);
}

static void test_loop_fd(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct loop_fd *watch = NULL;
    assert_ok(loop_fd_new(f.loop, ends[0], LOOP_READ, fd_seen, &f, &watch, &err), &err);
    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_run(f.loop);
    assert_int_equal(f.count, LOOP_READ);
    loop_fd_close(watch);
    finish(&f);
    close(ends[0]);
    close(ends[1]);
}

// --- children ---

static void child_line(void *user, enum loop_source source, const char *line)
{
    struct fixture *f = user;
    buf_printf(&f->seen, "%s%s;", source == LOOP_STDERR ? "!" : "", line);
}

static void child_exit(void *user, int exit_code, int signal)
{
    struct fixture *f = user;
    f->exit_code = exit_code;
    f->signal = signal;
    loop_child_close(f->child);
    f->child = NULL;
    loop_stop(f->loop);
}

static void run_child(struct fixture *f, const char *script, bool lines)
{
    struct err err;
    const char *argv[] = {"sh", "-c", script, NULL};
    const struct loop_child_options o = {
        .argv = argv, .on_line = lines ? child_line : NULL, .on_exit = child_exit, .user = f};
    assert_ok(loop_child_new(f->loop, &o, &f->child, &err), &err);
}

static void test_loop_child_lines_and_exit_code(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    run_child(&f, "echo one; echo two >&2; printf three; exit 7", true);
    loop_run(f.loop);
    assert_int_equal(f.exit_code, 7);
    assert_int_equal(f.signal, 0);
    assert_non_null(strstr(buf_str(&f.seen), "one;"));
    assert_non_null(strstr(buf_str(&f.seen), "!two;"));
    assert_non_null(strstr(buf_str(&f.seen), "three;"));
    finish(&f);
}

static void test_loop_child_missing_program(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    const char *argv[] = {"no-such-program-of-baton", NULL};
    const struct loop_child_options o = {.argv = argv, .on_line = child_line, .user = &f};
    assert_int_equal(loop_child_new(f.loop, &o, &f.child, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such-program-of-baton"));
    finish(&f);
}

static bool process_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static void kill_on_line(void *user, enum loop_source source, const char *line)
{
    struct fixture *f = user;
    child_line(user, source, line);
    loop_child_kill(f->child, SIGTERM);
}

static void test_loop_child_kill_reaches_the_group(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    const char *argv[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
    const struct loop_child_options o = {.argv = argv, .on_line = kill_on_line, .on_exit = child_exit, .user = &f};
    assert_ok(loop_child_new(f.loop, &o, &f.child, &err), &err);
    loop_run(f.loop);
    assert_int_equal(f.signal, SIGTERM);
    pid_t grandchild = (pid_t)strtol(buf_str(&f.seen), NULL, 10);
    assert_true(grandchild > 1);
    for (int i = 0; i < 30000 && process_alive(grandchild); i++)
        usleep(1000);
    assert_false(process_alive(grandchild));
    finish(&f);
}

static void test_loop_free_ends_a_running_child(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    run_child(&f, "sleep 1000", false);
    pid_t pid = loop_child_pid(f.child);
    assert_true(process_alive(pid));
    finish(&f);
    assert_false(process_alive(pid)); // reaped, too
}

static void test_loop_child_writes_to_file_with_constructed_environment(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    char *dir = test_temp_dir();
    char *path = path_join(dir, "out");
    const char *argv[] = {"env", NULL};
    const char *env[] = {"ONLY=this", NULL};
    const struct loop_child_options o = {
        .argv = argv, .env = env, .stdout_path = path, .on_exit = child_exit, .user = &f, .cwd = dir};
    assert_ok(loop_child_new(f.loop, &o, &f.child, &err), &err);
    loop_run(f.loop);
    assert_int_equal(f.exit_code, 0);
    char *text = test_read(path);
    assert_string_equal(text, "ONLY=this\n");
    mem_free(text);
    mem_free(path);
    test_remove(dir);
    finish(&f);
}

// --- ZeroMQ ---

// Takes one message per call: the rest must be told again although the descriptor stays silent.
static void take_one(void *user)
{
    struct fixture *f = user;
    char c;
    if (zmq_recv(f->socket, &c, 1, ZMQ_DONTWAIT) != 1)
        return;
    buf_char(&f->seen, c);
    if (f->seen.len == 50)
        loop_stop(f->loop);
}

static void test_loop_zmq_tells_of_every_message(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    void *context = zmq_ctx_new();
    f.socket = zmq_socket(context, ZMQ_PAIR);
    void *other = zmq_socket(context, ZMQ_PAIR);
    assert_int_equal(zmq_bind(f.socket, "inproc://loop-test"), 0);
    assert_int_equal(zmq_connect(other, "inproc://loop-test"), 0);
    assert_ok(loop_zmq_new(f.loop, f.socket, take_one, &f, &f.watch, &err), &err);
    for (int i = 0; i < 50; i++)
        assert_int_equal(zmq_send(other, "m", 1, 0), 1);
    loop_run(f.loop);
    assert_int_equal(f.seen.len, 50);
    loop_zmq_close(f.watch);
    finish(&f);
    zmq_close(f.socket);
    zmq_close(other);
    zmq_ctx_term(context);
}

// --- streams ---

static void server_line(void *user, struct loop_stream *stream, char *line, size_t len)
{
    struct fixture *f = user;
    buf_printf(&f->seen, "%s(%zu);", line, len);
    if (str_eq(line, "end")) {
        loop_stream_write(stream, "bye\n", 4);
        loop_stream_finish(stream);
    } else {
        loop_stream_write(stream, "ok\n", 3);
    }
}

static void server_end(void *user, struct loop_stream *stream, const struct err *why)
{
    struct fixture *f = user;
    (void)stream;
    f->failed = why != NULL;
    if (why)
        f->why = *why;
    f->server = NULL;
    buf_str_add(&f->seen, "server-end;");
}

static void accepted(void *user, struct loop_stream *stream)
{
    static const struct loop_stream_events EVENTS = {server_line, server_end};
    struct fixture *f = user;
    f->server = stream;
    loop_stream_watch(stream, &EVENTS, f, 64, 1000);
}

static void client_line(void *user, struct loop_stream *stream, char *line, size_t len)
{
    (void)stream;
    (void)len;
    buf_printf(&((struct fixture *)user)->seen, "<%s;", line);
}

static void client_end(void *user, struct loop_stream *stream, const struct err *why)
{
    struct fixture *f = user;
    (void)stream;
    (void)why;
    f->client = NULL;
    loop_stop(f->loop);
}

static char *open_pair(struct fixture *f, char **ret_dir, struct loop_listener **ret_listener)
{
    static const struct loop_stream_events EVENTS = {client_line, client_end};
    struct err err;
    *ret_dir = test_temp_dir();
    char *path = path_join(*ret_dir, "door");
    assert_ok(loop_listen_unix(f->loop, path, accepted, f, ret_listener, &err), &err);
    assert_ok(loop_connect_unix(f->loop, path, &f->client, &err), &err);
    loop_stream_watch(f->client, &EVENTS, f, 64, 1000);
    return path;
}

static void test_loop_stream_lines_both_ways(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    char *dir;
    struct loop_listener *listener;
    char *path = open_pair(&f, &dir, &listener);
    loop_stream_write(f.client, "one\r\ntw", 7);
    loop_stream_write(f.client, "o\n\nend\nafter\n", 13);
    loop_run(f.loop);
    assert_non_null(strstr(buf_str(&f.seen), "one(3);two(3);(0);end(3);"));
    assert_null(strstr(buf_str(&f.seen), "after"));
    assert_non_null(strstr(buf_str(&f.seen), "<ok;"));
    assert_non_null(strstr(buf_str(&f.seen), "<bye;"));
    assert_false(f.failed);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    loop_listener_close(listener);
    assert_false(file_exists(path));
    mem_free(path);
    finish(&f);
    test_remove(dir);
}

static void test_loop_stream_long_line_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    char *dir;
    struct loop_listener *listener;
    char *path = open_pair(&f, &dir, &listener);
    char text[200];
    memset(text, 'x', sizeof(text));
    loop_stream_write(f.client, text, sizeof(text));
    loop_run(f.loop); // until the client sees the end
    assert_true(f.failed);
    assert_int_equal(f.why.code, ERR_LIMIT);
    finish(&f);
    mem_free(path);
    test_remove(dir);
}

static void test_loop_stream_slow_reader_ends_it(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    char *dir = test_temp_dir();
    char *path = path_join(dir, "door");
    struct loop_listener *listener;
    assert_ok(loop_listen_unix(f.loop, path, accepted, &f, &listener, &err), &err);
    assert_ok(loop_connect_unix(f.loop, path, &f.client, &err), &err); // not watched: it never reads
    while (!f.server)
        loop_run_once(f.loop);
    char text[900];
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 100000 && f.server; i++) {
        loop_stream_write(f.server, text, sizeof(text));
        loop_defer(f.loop, add_one, &f);
        loop_run_once(f.loop);
    }
    assert_null(f.server);
    assert_int_equal(f.why.code, ERR_LIMIT);
    finish(&f);
    mem_free(path);
    test_remove(dir);
}

static void test_loop_listen_twice_and_over_a_stale_socket(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    begin(&f);
    char *dir = test_temp_dir();
    char *path = path_join(dir, "door");
    struct loop_listener *first, *second;
    assert_ok(loop_listen_unix(f.loop, path, accepted, &f, &first, &err), &err);
    assert_int_equal(loop_listen_unix(f.loop, path, accepted, &f, &second, &err), -ERR_CONFLICT);
    // A socket file without a listener, as a killed service leaves it.
    char *stale = path_join(dir, "stale");
    pid_t pid = fork();
    if (pid == 0) {
        struct loop *loop;
        struct loop_listener *listener;
        if (loop_new(&loop, NULL) == 0 && loop_listen_unix(loop, stale, accepted, NULL, &listener, NULL) == 0)
            _exit(0);
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_true(file_exists(stale));
    assert_ok(loop_listen_unix(f.loop, stale, accepted, &f, &second, &err), &err);
    assert_ok(file_write(stale, "x", 1, false, &err), &err); // now a plain file stands there
    struct loop_listener *third;
    assert_int_equal(loop_listen_unix(f.loop, stale, accepted, &f, &third, &err), -ERR_EXISTS);
    mem_free(stale);
    mem_free(path);
    finish(&f);
    test_remove(dir);
}

// Whoever listens is replaced: connections come to the new one, and the end of the old one leaves its socket alone.
static void test_loop_listen_in_place_of_another(void **state)
{
    (void)state;
    struct err err;
    struct fixture f;
    struct stat before, after;
    begin(&f);
    char *dir = test_temp_dir();
    char *path = path_join(dir, "door");
    struct loop_listener *first, *second;
    assert_ok(loop_listen_unix(f.loop, path, accepted, &f, &first, &err), &err);
    assert_int_equal(stat(path, &before), 0);
    assert_ok(loop_listen_unix_over(f.loop, path, accepted, &f, &second, &err), &err);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino != after.st_ino && (after.st_mode & 0777) == 0600);
    loop_listener_close(first);
    assert_true(stat(path, &before) == 0 && before.st_ino == after.st_ino);
    loop_listener_close(second);
    assert_int_equal(stat(path, &before), -1);
    assert_ok(loop_listen_unix_over(f.loop, path, accepted, &f, &second, &err), &err); // nobody is no hindrance
    mem_free(path);
    finish(&f);
    test_remove(dir);
}

static void test_loop_http_addresses(void **state)
{
    (void)state;
    static const char *const GOOD[][2] = {{"http://host", "http://host"},
                                          {"https://user:word@host:8443/path?token=x#y", "https://host:8443"},
                                          {"http://[::1]:80/", "http://[::1]:80"},
                                          {"http://host?a@b", "http://host"}};
    static const char *const BAD[] = {
        "",           "host",           "ftp://host", "HTTP", "http://", "http:///path", "http://@host",
        "http://a b", "http://host/\n", "file:///x"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        AUTO_FREE char *place = loop_http_place(GOOD[i][0]);
        assert_ok(loop_http_check_url(GOOD[i][0], &err), &err);
        assert_string_equal(place, GOOD[i][1]); // what may be a secret is not in it
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_int_equal(loop_http_check_url(BAD[i], &err), -ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_deferred_calls_keep_order),
        cmocka_unit_test(test_loop_timer_repeats_and_closes_itself),
        cmocka_unit_test(test_loop_signal),
        cmocka_unit_test(test_loop_fd),
        cmocka_unit_test(test_loop_child_lines_and_exit_code),
        cmocka_unit_test(test_loop_child_missing_program),
        cmocka_unit_test(test_loop_child_kill_reaches_the_group),
        cmocka_unit_test(test_loop_free_ends_a_running_child),
        cmocka_unit_test(test_loop_child_writes_to_file_with_constructed_environment),
        cmocka_unit_test(test_loop_zmq_tells_of_every_message),
        cmocka_unit_test(test_loop_stream_lines_both_ways),
        cmocka_unit_test(test_loop_stream_long_line_ends_it),
        cmocka_unit_test(test_loop_stream_slow_reader_ends_it),
        cmocka_unit_test(test_loop_listen_twice_and_over_a_stale_socket),
        cmocka_unit_test(test_loop_listen_in_place_of_another),
        cmocka_unit_test(test_loop_http_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

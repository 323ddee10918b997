// Child processes. on_exit waits for two facts: the process was reaped, and its output was read to the end. A
// grandchild may hold the output open for ever, so after the exit the second is waited for EXIT_GRACE_MS only.
//
// A closed handle of a running child stays with libuv until the killed process was reaped; otherwise it would be a
// zombie.
#include "internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_GRACE_MS = 500, STREAMS = 2 };

struct line_reader {
    struct loop_child *child;
    enum loop_source source;
    uv_pipe_t pipe;
    bool used;
    size_t len;
    char line[LOOP_LINE_MAX + 1];
};

struct loop_child {
    struct loop_any any;
    uv_process_t process;
    uv_timer_t grace;
    struct line_reader *readers[STREAMS];
    unsigned reading; // pipes not yet at their end
    void (*on_line)(void *user, enum loop_source source, const char *line);
    void (*on_exit)(void *user, int exit_code, int signal);
    void *user;
    bool running, closed;
    int exit_code, signal;
};

// libuv and exec take vectors without const, and change nothing.
static char **mutable_vector(const char *const *v)
{
    char **out;
    memcpy(&out, &v, sizeof(out));
    return out;
}

static void child_destroy(struct loop_any *any)
{
    struct loop_child *child = (struct loop_child *)any;
    for (size_t i = 0; i < STREAMS; i++)
        mem_free(child->readers[i]);
    mem_free(child);
}

static void drop_readers(struct loop_child *child)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (child->readers[i] && child->readers[i]->used)
            loop_any_drop((uv_handle_t *)&child->readers[i]->pipe);
    }
    child->reading = 0;
}

static void report_exit(struct loop_child *child)
{
    if (child->running || child->reading)
        return;
    uv_timer_stop(&child->grace);
    if (!child->closed && child->on_exit) {
        void (*on_exit)(void *user, int exit_code, int signal) = child->on_exit;
        child->on_exit = NULL;
        on_exit(child->user, child->exit_code, child->signal);
    }
}

// --- output ---

static void give_line(struct line_reader *r)
{
    r->line[r->len] = '\0';
    if (r->len && r->line[r->len - 1] == '\r')
        r->line[r->len - 1] = '\0';
    r->len = 0;
    if (!r->child->closed)
        r->child->on_line(r->child->user, r->source, r->line);
}

static void take_bytes(struct line_reader *r, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !r->child->closed; i++) {
        if (data[i] == '\n') {
            give_line(r);
            continue;
        }
        r->line[r->len++] = data[i] ? data[i] : ' '; // a NUL would hide the rest of the line
        if (r->len == LOOP_LINE_MAX)
            give_line(r);
    }
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    static char shared[65536]; // read and used up within one callback, on the loop's thread
    *buf = uv_buf_init(shared, sizeof(shared));
}

static struct line_reader *reader_of(struct loop_child *child, const uv_stream_t *pipe)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (child->readers[i] && (const uv_stream_t *)&child->readers[i]->pipe == pipe)
            return child->readers[i];
    }
    return NULL;
}

static void output_came(uv_stream_t *pipe, ssize_t len, const uv_buf_t *buf)
{
    struct loop_child *child = pipe->data;
    struct line_reader *r = reader_of(child, pipe);
    if (len > 0) {
        take_bytes(r, buf->base, (size_t)len);
        return;
    }
    if (len == 0)
        return;
    if (r->len)
        give_line(r);
    loop_any_drop((uv_handle_t *)pipe);
    if (child->reading)
        child->reading--;
    report_exit(child);
}

// --- end ---

static void grace_over(uv_timer_t *timer)
{
    struct loop_child *child = timer->data;
    drop_readers(child);
    report_exit(child);
}

static void child_exited(uv_process_t *process, int64_t exit_status, int signal)
{
    struct loop_child *child = process->data;
    child->running = false;
    child->signal = signal;
    child->exit_code = signal ? -1 : (int)exit_status;
    if (child->closed) {
        loop_any_drop((uv_handle_t *)process);
        return;
    }
    if (child->reading)
        uv_timer_start(&child->grace, grace_over, EXIT_GRACE_MS, 0);
    report_exit(child);
}

static void child_close(struct loop_any *any)
{
    struct loop_child *child = (struct loop_child *)any;
    if (child->closed)
        return;
    child->closed = true;
    drop_readers(child);
    loop_any_drop((uv_handle_t *)&child->grace);
    if (child->running)
        loop_child_kill(child, SIGKILL); // child_exited drops the handle when it was reaped
    else
        loop_any_drop((uv_handle_t *)&child->process);
}

// --- start ---

static int open_end(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    return fd < 0 ? err_sys(err, errno, "cannot open '%s' for a child process", path) : fd;
}

// Fills one output of the child: a file, our own stderr, a pipe for lines, or nothing.
static int set_output(struct loop *loop, struct loop_child *child, const struct loop_child_options *o, size_t which,
                      uv_stdio_container_t *slot, struct err *err)
{
    const char *path = which == 0 ? o->stdout_path : o->stderr_path;
    slot->flags = UV_INHERIT_FD;
    if (which == 1 && o->stderr_inherit) {
        slot->data.fd = STDERR_FILENO;
        return 0;
    }
    if (path || !o->on_line) {
        slot->data.fd = open_end(path ? path : "/dev/null", path ? O_WRONLY | O_CREAT | O_APPEND : O_WRONLY, err);
        return slot->data.fd < 0 ? slot->data.fd : 0;
    }
    struct line_reader *r = mem_alloc(sizeof(*r));
    child->readers[which] = r;
    r->child = child;
    r->source = which == 0 ? LOOP_STDOUT : LOOP_STDERR;
    r->used = true;
    uv_pipe_init(&loop->uv, &r->pipe, 0);
    loop_any_adopt(&child->any, (uv_handle_t *)&r->pipe);
    slot->flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    slot->data.stream = (uv_stream_t *)&r->pipe;
    return 0;
}

static void close_ends(const uv_stdio_container_t stdio[3])
{
    for (size_t i = 0; i < 3; i++) {
        if (stdio[i].flags == UV_INHERIT_FD && stdio[i].data.fd > STDERR_FILENO)
            close(stdio[i].data.fd);
    }
}

static int start(struct loop *loop, struct loop_child *child, const struct loop_child_options *o, struct err *err)
{
    AUTO_FREE char *program = path_find_program(o->argv[0]);
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    int r = program ? 0 : err_set(err, ERR_NOT_FOUND, "cannot start '%s': no such program", o->argv[0]);
    if (r == 0) {
        stdio[0].flags = UV_INHERIT_FD;
        stdio[0].data.fd = open_end(o->stdin_path ? o->stdin_path : "/dev/null", O_RDONLY, err);
        r = stdio[0].data.fd < 0 ? stdio[0].data.fd : 0;
    }
    for (size_t i = 0; i < STREAMS && r == 0; i++)
        r = set_output(loop, child, o, i, &stdio[1 + i], err);
    if (r == 0) {
        const uv_process_options_t options = {
            .exit_cb = child_exited,
            .file = program,
            .args = mutable_vector(o->argv),
            .env = mutable_vector(o->env),
            .cwd = o->cwd,
            .flags = UV_PROCESS_DETACHED, // a session and group of its own
            .stdio_count = 3,
            .stdio = stdio,
        };
        int code = uv_spawn(&loop->uv, &child->process, &options);
        if (code < 0)
            r = loop_uv_err(err, code, "cannot start '%s'", program);
    }
    close_ends(stdio);
    return r;
}

int loop_child_new(struct loop *loop, const struct loop_child_options *options, struct loop_child **ret,
                   struct err *err)
{
    struct loop_child *child = mem_alloc(sizeof(*child));
    child->any.close = child_close;
    child->any.destroy = child_destroy;
    child->on_line = options->on_line;
    child->on_exit = options->on_exit;
    child->user = options->user;
    uv_timer_init(&loop->uv, &child->grace);
    loop_any_adopt(&child->any, (uv_handle_t *)&child->grace);
    int r = start(loop, child, options, err);
    // uv_spawn initialises the process handle even when it fails; before it was called the handle is none.
    if (child->process.type == UV_PROCESS)
        loop_any_adopt(&child->any, (uv_handle_t *)&child->process);
    if (r < 0) {
        child->closed = true;
        drop_readers(child);
        loop_any_drop((uv_handle_t *)&child->grace);
        if (child->process.type == UV_PROCESS)
            loop_any_drop((uv_handle_t *)&child->process);
        return r;
    }
    child->running = true;
    for (size_t i = 0; i < STREAMS; i++) {
        if (child->readers[i]) {
            child->reading++;
            uv_read_start((uv_stream_t *)&child->readers[i]->pipe, give_memory, output_came);
        }
    }
    *ret = child;
    return 0;
}

pid_t loop_child_pid(const struct loop_child *child)
{
    return child->process.pid;
}

void loop_child_kill(struct loop_child *child, int signal)
{
    if (!child->running)
        return;
    // Until uv_spawn's child called setsid there is no such group: then the process itself is meant.
    if (kill(-child->process.pid, signal) < 0 && errno == ESRCH)
        kill(child->process.pid, signal);
}

void loop_child_close(struct loop_child *child)
{
    if (child)
        child->any.close(&child->any);
}

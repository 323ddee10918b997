// Unix stream sockets with lines. A stream ends in its close callback only: whoever ends it (a limit, the other side,
// finish) leaves the reason in the struct, and on_end is called when libuv has let go of it. So on_end never comes from
// inside loop_stream_write, and nothing touches a stream after it.
#include "internal.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct loop_stream {
    struct loop_any any;
    uv_pipe_t uv;
    struct loop *loop;
    struct loop_stream_events events;
    void *user;
    size_t line_max, queue_max;
    struct buf in; // the line that is not complete yet
    bool finishing, tell_end, failed;
    struct err why;
};

struct loop_listener {
    struct loop_any any;
    uv_pipe_t uv;
    struct loop *loop;
    char *path;
    dev_t device; // of the socket file: another service may have put its own in its place
    ino_t inode;
    void (*accept)(void *user, struct loop_stream *stream);
    void *user;
};

struct pending_write {
    uv_write_t uv;
    char data[];
};

enum { BACKLOG = 512 };

// --- streams ---

static void stream_destroy(struct loop_any *any)
{
    struct loop_stream *stream = (struct loop_stream *)any;
    if (stream->tell_end && stream->events.on_end && !stream->loop->freeing)
        stream->events.on_end(stream->user, stream, stream->failed ? &stream->why : NULL);
    buf_free(&stream->in);
    mem_free(stream);
}

static void stream_close(struct loop_any *any)
{
    struct loop_stream *stream = (struct loop_stream *)any;
    stream->tell_end = false;
    loop_any_drop((uv_handle_t *)&stream->uv);
}

static bool is_ending(const struct loop_stream *stream)
{
    return uv_is_closing((const uv_handle_t *)&stream->uv);
}

static void end(struct loop_stream *stream)
{
    if (is_ending(stream))
        return;
    stream->tell_end = true;
    loop_any_drop((uv_handle_t *)&stream->uv);
}

static void end_with(struct loop_stream *stream, enum err_code code, const char *text)
{
    if (is_ending(stream))
        return;
    err_set(&stream->why, code, "%s", text);
    stream->failed = true;
    end(stream);
}

static struct loop_stream *stream_new(struct loop *loop)
{
    struct loop_stream *stream = mem_alloc(sizeof(*stream));
    stream->any.close = stream_close;
    stream->any.destroy = stream_destroy;
    stream->loop = loop;
    uv_pipe_init(&loop->uv, &stream->uv, 0);
    loop_any_adopt(&stream->any, (uv_handle_t *)&stream->uv);
    return stream;
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    static char shared[65536]; // read and used up within one callback, on the loop's thread
    *buf = uv_buf_init(shared, sizeof(shared));
}

static void take_bytes(struct loop_stream *stream, const char *data, size_t len)
{
    while (len && !is_ending(stream) && !stream->finishing) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) : len;
        if (stream->in.len + part > stream->line_max) {
            AUTO_FREE char *text = str_printf("a line is longer than %zu bytes", stream->line_max);
            end_with(stream, ERR_LIMIT, text);
            return;
        }
        buf_add(&stream->in, data, part);
        data += part;
        len -= part;
        if (!newline)
            return;
        data++;
        len--;
        // The line is moved out first: the callback may write, finish or close.
        struct buf line = stream->in;
        stream->in = BUF_INIT;
        if (line.len && line.data[line.len - 1] == '\r')
            line.data[--line.len] = '\0';
        if (stream->events.on_line)
            stream->events.on_line(stream->user, stream, line.data, line.len);
        buf_free(&line);
    }
}

static void bytes_came(uv_stream_t *uv, ssize_t len, const uv_buf_t *buf)
{
    struct loop_stream *stream = uv->data;
    if (len > 0)
        take_bytes(stream, buf->base, (size_t)len);
    else if (len == UV_EOF || len == UV_ECONNRESET)
        end(stream); // a line without its end is dropped: a torn command must not be executed
    else if (len < 0)
        end_with(stream, ERR_IO, uv_strerror((int)len));
}

void loop_stream_watch(struct loop_stream *stream, const struct loop_stream_events *events, void *user, size_t line_max,
                       size_t queue_max)
{
    stream->events = *events;
    stream->user = user;
    stream->line_max = line_max;
    stream->queue_max = queue_max;
    int r = uv_read_start((uv_stream_t *)&stream->uv, give_memory, bytes_came);
    if (r < 0)
        end_with(stream, ERR_IO, uv_strerror(r));
}

static void end_when_sent(struct loop_stream *stream)
{
    if (stream->finishing && uv_stream_get_write_queue_size((uv_stream_t *)&stream->uv) == 0)
        end(stream);
}

static void write_done(uv_write_t *request, int status)
{
    struct loop_stream *stream = request->handle->data;
    mem_free(request->data);
    if (status == UV_EPIPE || status == UV_ECONNRESET)
        end(stream);
    else if (status < 0)
        end_with(stream, ERR_IO, uv_strerror(status));
    else
        end_when_sent(stream);
}

// Bytes not yet taken by the system.
static size_t queued(const struct loop_stream *stream)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&stream->uv);
}

void loop_stream_write(struct loop_stream *stream, const void *data, size_t len)
{
    if (is_ending(stream) || stream->finishing || len == 0)
        return;
    if (queued(stream) + len > stream->queue_max) {
        end_with(stream, ERR_LIMIT, "the other side does not read what it is sent");
        return;
    }
    struct pending_write *w = mem_alloc(sizeof(*w) + len);
    memcpy(w->data, data, len);
    w->uv.data = w;
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)len);
    int r = uv_write(&w->uv, (uv_stream_t *)&stream->uv, &buf, 1, write_done); // tries at once, queues the rest
    if (r < 0) {
        mem_free(w);
        end_with(stream, ERR_IO, uv_strerror(r));
    }
}

void loop_stream_finish(struct loop_stream *stream)
{
    if (is_ending(stream))
        return;
    stream->finishing = true;
    uv_read_stop((uv_stream_t *)&stream->uv);
    end_when_sent(stream);
}

void loop_stream_close(struct loop_stream *stream)
{
    if (stream)
        stream->any.close(&stream->any);
}

static struct ucred peer_of(const struct loop_stream *stream)
{
    struct ucred cred = {.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;
    struct ucred got;
    if (uv_fileno((const uv_handle_t *)&stream->uv, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &got, &len) == 0)
        cred = got;
    return cred;
}

pid_t loop_stream_peer_pid(const struct loop_stream *stream)
{
    return peer_of(stream).pid;
}

uid_t loop_stream_peer_uid(const struct loop_stream *stream)
{
    return peer_of(stream).uid;
}

// --- sockets in the file system ---

static int address_of(const char *path, struct sockaddr_un *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    size_t len = strlen(path);
    if (len >= sizeof(ret->sun_path))
        return err_set(err, ERR_LIMIT, "the socket path '%s' is longer than %zu bytes, choose a shorter folder", path,
                       sizeof(ret->sun_path) - 1);
    memcpy(ret->sun_path, path, len + 1);
    return 0;
}

static int socket_new(struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? err_sys(err, errno, "cannot create a socket") : fd;
}

static int connected_socket(const char *path, struct err *err)
{
    struct sockaddr_un address;
    int r = address_of(path, &address, err);
    int fd = r < 0 ? r : socket_new(err);
    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int e = errno;
    close(fd);
    if (e == ECONNREFUSED)
        return err_set(err, ERR_UNAVAILABLE, "nobody listens on '%s'", path);
    return err_sys(err, e, "cannot connect to '%s'", path);
}

int loop_connect_unix(struct loop *loop, const char *path, struct loop_stream **ret, struct err *err)
{
    int fd = connected_socket(path, err);
    if (fd < 0)
        return fd;
    struct loop_stream *stream = stream_new(loop);
    int r = uv_pipe_open(&stream->uv, fd);
    if (r < 0) {
        close(fd);
        loop_stream_close(stream);
        return loop_uv_err(err, r, "cannot use the connection to '%s'", path);
    }
    *ret = stream;
    return 0;
}

// --- listener ---

static void listener_destroy(struct loop_any *any)
{
    mem_free(((struct loop_listener *)any)->path);
    mem_free(any);
}

static void listener_close(struct loop_any *any)
{
    struct loop_listener *listener = (struct loop_listener *)any;
    struct stat st;
    bool ours = listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
                st.st_ino == listener->inode;
    if (!uv_is_closing((uv_handle_t *)&listener->uv) && ours)
        unlink(listener->path);
    loop_any_drop((uv_handle_t *)&listener->uv);
}

static void connection_came(uv_stream_t *uv, int status)
{
    struct loop_listener *listener = uv->data;
    if (status < 0)
        return;
    struct loop_stream *stream = stream_new(listener->loop);
    if (uv_accept(uv, (uv_stream_t *)&stream->uv) < 0)
        loop_stream_close(stream);
    else
        listener->accept(listener->user, stream);
}

// Makes way for a new socket at path: nobody there, or one nobody listens on.
static int clear_path(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at '%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, ERR_EXISTS, "'%s' is in the way of a socket of that name", path);
    int fd = connected_socket(path, err);
    if (fd >= 0) {
        close(fd);
        return err_set(err, ERR_CONFLICT, "somebody listens on '%s' already", path);
    }
    if (fd != -ERR_UNAVAILABLE)
        return fd;
    return unlink(path) < 0 && errno != ENOENT ? err_sys(err, errno, "cannot remove the stale socket '%s'", path) : 0;
}

static int bound_socket(const char *path, struct err *err)
{
    struct sockaddr_un address;
    int r = address_of(path, &address, err);
    int fd = r < 0 ? r : socket_new(err);
    if (fd < 0)
        return fd;
    // The file takes its mode from the socket: it is private from its first moment.
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        r = err_sys(err, errno, "cannot create the socket '%s'", path);
        close(fd);
        return r;
    }
    return fd;
}

// Listens on a socket that is bound to `bound`, then gives it the name `path`. The descriptor is consumed.
static int listen_at(struct loop_listener *listener, int fd_consumed, const char *bound, const char *path,
                     struct err *err)
{
    struct stat st;
    int r = uv_pipe_open(&listener->uv, fd_consumed);
    if (r < 0)
        close(fd_consumed);
    else
        r = uv_listen((uv_stream_t *)&listener->uv, BACKLOG, connection_came);
    if (r < 0)
        return loop_uv_err(err, r, "cannot listen on '%s'", path);
    if (lstat(bound, &st) < 0 || (!str_eq(bound, path) && rename(bound, path) < 0))
        return err_sys(err, errno, "cannot put the socket '%s' in its place", path);
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
    return 0;
}

static struct loop_listener *listener_alloc(struct loop *loop, const char *path,
                                            void (*accept)(void *user, struct loop_stream *stream), void *user)
{
    struct loop_listener *listener = mem_alloc(sizeof(*listener));
    listener->any.close = listener_close;
    listener->any.destroy = listener_destroy;
    listener->loop = loop;
    listener->path = str_dup(path);
    listener->accept = accept;
    listener->user = user;
    uv_pipe_init(&loop->uv, &listener->uv, 0);
    loop_any_adopt(&listener->any, (uv_handle_t *)&listener->uv);
    return listener;
}

static int listener_new(struct loop *loop, const char *bound, const char *path,
                        void (*accept)(void *user, struct loop_stream *stream), void *user, struct loop_listener **ret,
                        struct err *err)
{
    int fd = bound_socket(bound, err);
    if (fd < 0)
        return fd;
    struct loop_listener *listener = listener_alloc(loop, path, accept, user);
    int r = listen_at(listener, fd, bound, path, err);
    if (r < 0) {
        unlink(bound);
        listener_close(&listener->any);
        return r;
    }
    *ret = listener;
    return 0;
}

int loop_listen_fd(struct loop *loop, int fd_consumed, void (*accept)(void *user, struct loop_stream *stream),
                   void *user, struct loop_listener **ret, struct err *err)
{
    struct loop_listener *listener = listener_alloc(loop, NULL, accept, user);
    int r = uv_pipe_open(&listener->uv, fd_consumed);
    if (r < 0)
        close(fd_consumed);
    else
        r = uv_listen((uv_stream_t *)&listener->uv, BACKLOG, connection_came);
    if (r < 0) {
        listener_close(&listener->any);
        return loop_uv_err(err, r, "cannot listen on descriptor %d", fd_consumed);
    }
    *ret = listener;
    return 0;
}

int loop_listen_unix(struct loop *loop, const char *path, void (*accept)(void *user, struct loop_stream *stream),
                     void *user, struct loop_listener **ret, struct err *err)
{
    int r = clear_path(path, err);
    return r < 0 ? r : listener_new(loop, path, path, accept, user, ret, err);
}

int loop_listen_unix_over(struct loop *loop, const char *path, void (*accept)(void *user, struct loop_stream *stream),
                          void *user, struct loop_listener **ret, struct err *err)
{
    AUTO_FREE char *dir = path_dir(path);
    AUTO_FREE char *bound = str_printf("%s/.s%ld", dir, (long)getpid()); // no longer than the name it gets
    unlink(bound);                                                       // of a process that had this number before
    return listener_new(loop, bound, path, accept, user, ret, err);
}

void loop_listener_close(struct loop_listener *listener)
{
    if (listener)
        listener->any.close(&listener->any);
}

// The event loop of the orchestrator: the only folder that sees libuv. Timers, child processes, signals, descriptors,
// deferred calls, ZeroMQ sockets, unix stream sockets with lines.
//
// Threads: everything belongs to the thread that runs the loop.
// Lifetime: x_new gives a handle; x_close ends it: the callback is never called again and the pointer is dead for the
// caller at once (the memory goes in the loop's next turn, from the close callback). x_close takes NULL. A handle may
// be closed inside its own callback. All callbacks are called from loop_run / loop_run_once, never from inside another
// call of this header. loop_new makes the process ignore SIGPIPE. loop_free closes what is left, without callbacks.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

int loop_new(struct loop **ret, struct err *err);
struct loop *loop_free(struct loop *loop); // NULL allowed; returns NULL
void loop_run(struct loop *loop);          // until loop_stop, or until nothing is left to wait for
bool loop_run_once(struct loop *loop); // one turn, waits for at least one event; false when nothing is left to wait for
void loop_stop(struct loop *loop);     // loop_run returns after the present turn

typedef void (*loop_fn)(void *user);

// --- calls ---
void loop_defer(struct loop *loop, loop_fn fn, void *user); // once, in the next turn, in order

// --- timers ---
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *user); // not started
// First after delay_ns, then every repeat_ns (0: once). Restarts a running one. Resolution is a millisecond, rounded
// up.
void loop_timer_start(struct loop_timer *timer, int64_t delay_ns, int64_t repeat_ns);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_close(struct loop_timer *timer);

// --- signals --- (does not keep loop_run alive)
struct loop_signal;
int loop_signal_new(struct loop *loop, int signal, void (*fn)(void *user, int signal), void *user,
                    struct loop_signal **ret, struct err *err);
void loop_signal_close(struct loop_signal *watch);

// --- descriptors --- (the descriptor stays the caller's; close the watch before the descriptor)
enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_fd;
int loop_fd_new(struct loop *loop, int fd, unsigned events, void (*fn)(void *user, unsigned events), void *user,
                struct loop_fd **ret, struct err *err);
int loop_fd_change(struct loop_fd *watch, unsigned events, struct err *err); // 0: pause
void loop_fd_close(struct loop_fd *watch);

// --- ZeroMQ sockets --- (the socket stays the caller's; close the watch before the socket)
// Level-triggered as seen from here: fn is called in every turn in which the socket has something to receive,
// so it may take a bounded number of messages and return.
struct loop_zmq;
int loop_zmq_new(struct loop *loop, void *socket, loop_fn fn, void *user, struct loop_zmq **ret, struct err *err);
void loop_zmq_close(struct loop_zmq *watch);

// --- child processes ---
// Each child leads its own session and process group.
struct loop_child;
enum loop_source { LOOP_STDOUT = 1, LOOP_STDERR = 2 };
#define LOOP_LINE_MAX 65536 // longer lines of children are given in pieces of this size

struct loop_child_options {
    const char *const *argv; // argv[0] is a path, or looked up in PATH
    const char *const *env;  // whole environment, "KEY=value", NULL-terminated; NULL: inherited
    const char *cwd;         // NULL: inherited
    const char *stdin_path;  // NULL: /dev/null
    const char *stdout_path; // file to append to; NULL: on_line if set, else /dev/null
    const char *stderr_path; // likewise
    bool stderr_inherit;     // stderr goes where ours goes (stderr_path and on_line are then for stdout only)
    void (*on_line)(void *user, enum loop_source source, const char *line); // without the line end; may be NULL
    // The child has ended and its output has been read to the end; close the handle from here or later.
    void (*on_exit)(void *user, int exit_code, int signal); // exit_code -1 when ended by a signal
    void *user;
};

int loop_child_new(struct loop *loop, const struct loop_child_options *options, struct loop_child **ret,
                   struct err *err);
pid_t loop_child_pid(const struct loop_child *child);
void loop_child_kill(struct loop_child *child, int signal); // the whole process group; nothing when it has ended
void loop_child_close(struct loop_child *child);            // a running child is killed (SIGKILL, group) and reaped

// --- unix stream sockets with lines (control door) ---
struct loop_listener;
struct loop_stream;

struct loop_stream_events {
    void (*on_line)(void *user, struct loop_stream *stream, char *line, size_t len); // without the line end, NUL behind
    // Called once, when the other side is gone, a limit was passed, or all was sent after loop_stream_finish; not
    // called for loop_stream_close. `why` is NULL for an ordinary end. The stream is dead afterwards: do not close it.
    void (*on_end)(void *user, struct loop_stream *stream, const struct err *why);
};

// Removes a stale socket file nobody listens on; ERR_CONFLICT when somebody does. Mode 0600. accept: give the new
// stream its events with loop_stream_watch, or close it.
int loop_listen_unix(struct loop *loop, const char *path, void (*accept)(void *user, struct loop_stream *stream),
                     void *user, struct loop_listener **ret, struct err *err);
// The same in place of whoever listens there: connections come here from now on, none is refused; the other one keeps
// those it has.
int loop_listen_unix_over(struct loop *loop, const char *path, void (*accept)(void *user, struct loop_stream *stream),
                          void *user, struct loop_listener **ret, struct err *err);
// On a socket that somebody else has bound and keeps (a service manager). The descriptor is consumed, the file stays.
int loop_listen_fd(struct loop *loop, int fd_consumed, void (*accept)(void *user, struct loop_stream *stream),
                   void *user, struct loop_listener **ret, struct err *err);
void loop_listener_close(
    struct loop_listener *listener); // also removes the socket file, unless another one is in its place
int loop_connect_unix(struct loop *loop, const char *path, struct loop_stream **ret, struct err *err);

// Lines longer than line_max end the stream with ERR_LIMIT; more than queue_max unsent bytes likewise (slow reader).
void loop_stream_watch(struct loop_stream *stream, const struct loop_stream_events *events, void *user, size_t line_max,
                       size_t queue_max);
void loop_stream_write(struct loop_stream *stream, const void *data, size_t len); // copied
void loop_stream_finish(struct loop_stream *stream);          // no more reading; ends when all is sent
void loop_stream_close(struct loop_stream *stream);           // at once
pid_t loop_stream_peer_pid(const struct loop_stream *stream); // of the process at the other end; -1 unknown
uid_t loop_stream_peer_uid(const struct loop_stream *stream); // (uid_t)-1 unknown

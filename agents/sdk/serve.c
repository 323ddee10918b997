// The bus thread (main) and the work thread. Rules that the code does not show:
// - Only the bus thread touches the link. The work thread takes jobs from `todo` and puts drafts into their slots, under the lock,
//   and wakes the bus thread through an event descriptor.
// - A result is sent again until it is acknowledged or refused: the engine may be busy writing, or our queue was full.
// - When the engine is gone (silent for ENGINE_LOST_NS, or it refuses us without naming a lease) the work is worth nothing: tools are
//   ended and the process exits; the engine starts another one.
#include "serve.h"

#include "job.h"
#include "link.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static const int64_t ENGINE_LOST_NS = 10 * NS_PER_SEC;
static const int64_t RESEND_NS = 2 * NS_PER_SEC;
static const int64_t PROGRESS_NS = 100 * NS_PER_MS;
static const int64_t WORK_END_NS = 5 * NS_PER_SEC; // for the running job to notice that it was cancelled
enum { JOBS_MAX = 64, TAKE_MAX = 64 };

struct slot {
    uint64_t lease;
    struct job *job;
    json_t *draft;          // set when done
    int64_t sent_ns;        // when the result was last sent; 0: not yet
    int64_t progress_ns;    // when progress was last sent
    bool dropped;           // refused meanwhile: nobody wants the result
};

struct worker {
    const struct agent *agent;
    struct link *link;
    int wake_fd, signal_fd;
    int64_t heartbeat_ns, heard_ns, beat_ns; // period; last message from the engine; last heartbeat of ours
    bool welcome, ending;
    struct err why; // of the end, code OK for an ordinary one

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t todo;
    VEC(struct slot *) slots; // in order of dispatch
    bool stopping, stopped;   // work thread: asked to end; has ended
    pthread_cond_t ended;
};

// --- work thread ---

static void wake(void *user)
{
    const uint64_t one = 1;
    struct worker *w = user;
    ssize_t ignored = write(w->wake_fd, &one, sizeof(one));
    (void)ignored;
}

static struct slot *next_slot(const struct worker *w)
{
    for (size_t i = 0; i < w->slots.len; i++) {
        if (!w->slots.items[i]->draft)
            return w->slots.items[i];
    }
    return NULL;
}

static void *work(void *user)
{
    struct worker *w = user;
    struct rules rules = {0};
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        struct slot *slot = next_slot(w);
        if (!slot) {
            pthread_cond_wait(&w->todo, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        json_t *draft = job_run_new(slot->job, &rules);
        pthread_mutex_lock(&w->lock);
        slot->draft = draft; // from here on the bus thread may free the slot
        wake(w);
    }
    w->stopped = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    rules_free(&rules);
    return NULL;
}

// --- slots (bus thread, lock held) ---

static struct slot *slot_of(const struct worker *w, uint64_t lease)
{
    for (size_t i = 0; i < w->slots.len; i++) {
        if (w->slots.items[i]->lease == lease)
            return w->slots.items[i];
    }
    return NULL;
}

static void slot_free(struct slot *slot)
{
    job_free(slot->job);
    json_decref(slot->draft);
    mem_free(slot);
}

static void slot_remove(struct worker *w, struct slot *slot)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->slots.len; i++) {
        if (w->slots.items[i] != slot)
            w->slots.items[kept++] = w->slots.items[i];
    }
    w->slots.len = kept;
    slot_free(slot);
}

// --- sending (bus thread) ---

static void end(struct worker *w, enum err_code code, const char *why)
{
    if (w->ending)
        return;
    w->ending = true;
    w->why.code = ERR_OK;
    if (code != ERR_OK)
        err_set(&w->why, code, "%s", why);
}

static void send_result(struct worker *w, struct slot *slot, int64_t now)
{
    struct err err;
    json_t *body = json_object();
    json_put(body, "draft", json_incref(slot->draft));
    int r = link_send(w->link, WIRE_RESULT, slot->lease, body, &err);
    if (r == -ERR_LIMIT || r == -ERR_INVALID) { // it can never be sent: say so instead
        json_decref(slot->draft);
        slot->draft = draft_blocked_new(w->agent, err.text);
        body = json_object();
        json_put(body, "draft", json_incref(slot->draft));
        link_send(w->link, WIRE_RESULT, slot->lease, body, &err);
    }
    slot->sent_ns = now;
}

static void send_progress(struct worker *w, struct slot *slot, int64_t now)
{
    char text[JOB_PROGRESS_MAX];
    double fraction;
    if (now - slot->progress_ns < PROGRESS_NS || !job_take_progress(slot->job, text, &fraction))
        return;
    json_t *body = json_object();
    json_put(body, "text", json_text_new(text, strlen(text)));
    if (fraction >= 0)
        json_put_num(body, "fraction", fraction);
    link_send(w->link, WIRE_PROGRESS, slot->lease, body, NULL); // lost when the queue is full: the next one will say more
    slot->progress_ns = now;
}

static void flush(struct worker *w)
{
    int64_t now = clock_mono_ns();
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->slots.len;) {
        struct slot *slot = w->slots.items[i];
        if (slot->draft && slot->dropped) {
            slot_remove(w, slot);
            continue;
        }
        if (!slot->draft)
            send_progress(w, slot, now);
        else if (!slot->sent_ns || now - slot->sent_ns >= RESEND_NS)
            send_result(w, slot, now);
        i++;
    }
    pthread_mutex_unlock(&w->lock);
}

static void beat(struct worker *w)
{
    int64_t now = clock_mono_ns();
    if (w->welcome && now - w->beat_ns >= w->heartbeat_ns) {
        link_send(w->link, WIRE_HEARTBEAT, 0, json_object(), NULL);
        w->beat_ns = now;
    }
    if (now - w->heard_ns > ENGINE_LOST_NS)
        end(w, ERR_TIMEOUT, w->welcome ? "the engine has been silent for 10 s" : "the engine did not answer hello within 10 s");
}

static int send_hello(struct worker *w, const char *token, struct err *err)
{
    json_t *modes = json_array();
    for (const char *const *m = w->agent->modes; *m; m++)
        json_add_str(modes, *m);
    json_t *body = json_object();
    json_put_str(body, "role", w->agent->role);
    json_put_str(body, "version", w->agent->version);
    json_put(body, "modes", modes);
    json_put_int(body, "pid", getpid());
    json_put_str(body, "token", token);
    json_put_int(body, "credit", w->agent->jobs ? w->agent->jobs : 1);
    return link_send(w->link, WIRE_HELLO, 0, body, err);
}

// --- receiving (bus thread) ---

static void on_dispatch(struct worker *w, const struct wire_message *m)
{
    pthread_mutex_lock(&w->lock);
    if (!slot_of(w, m->lease) && w->slots.len < JOBS_MAX) {
        struct slot *slot = mem_alloc(sizeof(*slot));
        slot->lease = m->lease;
        slot->job = job_new(w->agent, json_incref(json_obj(m->body, "assignment")));
        slot->job->on_progress = wake;
        slot->job->user = w;
        vec_push(&w->slots, slot);
        pthread_cond_signal(&w->todo);
    }
    pthread_mutex_unlock(&w->lock);
}

static void on_cancel(struct worker *w, uint64_t lease, const char *reason, bool drop)
{
    pthread_mutex_lock(&w->lock);
    struct slot *slot = slot_of(w, lease);
    if (slot) {
        slot->dropped = slot->dropped || drop;
        if (!slot->draft)
            job_cancel(slot->job, reason);
    }
    pthread_mutex_unlock(&w->lock);
}

static void on_ack(struct worker *w, uint64_t lease)
{
    pthread_mutex_lock(&w->lock);
    struct slot *slot = slot_of(w, lease);
    if (slot && slot->draft)
        slot_remove(w, slot);
    pthread_mutex_unlock(&w->lock);
}

static void on_message(struct worker *w, const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_WELCOME:
        w->welcome = true;
        w->heartbeat_ns = json_int(m->body, "heartbeat_ms", 1000) * NS_PER_MS;
        break;
    case WIRE_REFUSE:
        if (m->lease)
            on_cancel(w, m->lease, json_str(m->body, "text", "refused"), true);
        else
            end(w, ERR_DENIED, json_str(m->body, "text", "refused"));
        break;
    case WIRE_DISPATCH:
        on_dispatch(w, m);
        break;
    case WIRE_RESULT_ACK:
        on_ack(w, m->lease);
        break;
    case WIRE_CANCEL:
        on_cancel(w, m->lease, json_str(m->body, "reason", ""), false);
        break;
    case WIRE_BYE:
        end(w, ERR_OK, NULL);
        break;
    case WIRE_HEARTBEAT:
    case WIRE_ERROR: // about a message of ours that was not understood; nothing to do about it
        break;
    case WIRE_HELLO:
    case WIRE_PROGRESS:
    case WIRE_CREDIT:
    case WIRE_RESULT:
        break; // a worker's own: refused by wire_decode
    }
}

static void take_messages(struct worker *w)
{
    for (int i = 0; i < TAKE_MAX && !w->ending; i++) {
        struct wire_message m;
        struct err err;
        int r = link_receive(w->link, &m, &err);
        if (r == 0)
            return;
        if (r < 0) {
            end(w, err.code, err.text); // an engine of another release, or none at all
            return;
        }
        w->heard_ns = clock_mono_ns();
        on_message(w, &m);
        wire_message_free(&m);
    }
}

// --- life ---

static void drain(int fd)
{
    char bytes[512];
    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

// With a job: until more progress may be sent. Without: until the next heartbeat.
static long pause_ms(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool busy = w->slots.len > 0;
    pthread_mutex_unlock(&w->lock);
    int64_t ns = w->beat_ns + w->heartbeat_ns - clock_mono_ns();
    if ((busy && ns > PROGRESS_NS) || !w->welcome)
        ns = PROGRESS_NS;
    return ns > 0 ? (long)((ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void turn(struct worker *w)
{
    zmq_pollitem_t items[] = {
        {link_socket(w->link), 0, ZMQ_POLLIN, 0},
        {NULL, w->wake_fd, ZMQ_POLLIN, 0},
        {NULL, w->signal_fd, ZMQ_POLLIN, 0},
    };
    zmq_poll(items, 3, pause_ms(w));
    if (items[1].revents)
        drain(w->wake_fd);
    if (items[2].revents) {
        drain(w->signal_fd);
        end(w, ERR_OK, NULL);
    }
    take_messages(w);
    flush(w);
    beat(w);
}

// Ends the work thread; false when it does not notice in time that it was cancelled.
static bool stop_work(struct worker *w)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(WORK_END_NS / NS_PER_SEC);
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    for (size_t i = 0; i < w->slots.len; i++) {
        if (!w->slots.items[i]->draft)
            job_cancel(w->slots.items[i]->job, "the worker ends");
    }
    pthread_cond_signal(&w->todo);
    int r = 0;
    while (!w->stopped && r == 0)
        r = pthread_cond_timedwait(&w->ended, &w->lock, &until);
    bool stopped = w->stopped;
    pthread_mutex_unlock(&w->lock);
    return stopped;
}

static int open_signals(struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); // before any thread is made: they inherit it
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_sys(err, errno, "cannot watch signals") : fd;
}

static int start(struct worker *w, const char *endpoint, const char *token, pthread_t *ret_thread, struct err *err)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // with the engine we go at once; baton-exec then ends the tools
    w->signal_fd = open_signals(err);
    if (w->signal_fd < 0)
        return w->signal_fd;
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd < 0)
        return err_sys(err, errno, "cannot make an event descriptor");
    int r = link_open(endpoint, &w->link, err);
    if (r == 0)
        r = send_hello(w, token, err);
    if (r < 0)
        return r;
    int e = pthread_create(ret_thread, NULL, work, w);
    return e ? err_sys(err, e, "cannot start the work thread") : 0;
}

static void worker_close(struct worker *w)
{
    for (size_t i = 0; i < w->slots.len; i++)
        slot_free(w->slots.items[i]);
    vec_free(&w->slots);
    link_close(w->link);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    pthread_cond_destroy(&w->todo);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
}

int serve(const struct agent *agent, const char *endpoint, const char *token, struct err *err)
{
    struct worker w = {.agent = agent, .wake_fd = -1, .signal_fd = -1, .heartbeat_ns = NS_PER_SEC};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.todo, NULL);
    pthread_cond_init(&w.ended, NULL);
    w.heard_ns = clock_mono_ns();
    pthread_t thread;
    int r = start(&w, endpoint, token, &thread, err);
    if (r < 0) {
        worker_close(&w);
        return r;
    }
    while (!w.ending)
        turn(&w);
    if (w.welcome) {
        json_t *body = json_object();
        json_put_str(body, "reason", w.why.code == ERR_OK ? "asked to end" : "gives up");
        link_send(w.link, WIRE_BYE, 0, body, NULL);
    }
    if (!stop_work(&w))
        _exit(err_exit_status(ERR_TIMEOUT)); // run() does not come back; whatever it started dies with us
    pthread_join(thread, NULL);
    worker_close(&w);
    if (w.why.code != ERR_OK)
        return err_set(err, w.why.code, "%s", w.why.text);
    return 0;
}

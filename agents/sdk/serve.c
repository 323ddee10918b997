// The work thread and the watch thread (main). Rules that the code does not show:
// - Both use the link, one at a time: under the lock, or as the one who sits at it (`seated`) while it waits for
// messages.
// - The work thread sits at the link between jobs, so that a short job costs no change of threads. When a job takes
// longer than
//   LONG_JOB_NS, the watch thread takes over: it answers heartbeats, passes progress on and hears of cancels until the
//   job is over. What waits behind such a job is given back, for others to take: from then on it is not ours, and is
//   never begun here.
// - A result is sent again until it is acknowledged or refused: the engine may be busy writing, or our queue was full.
// - When the engine is gone (silent for ENGINE_LOST_NS, or it refuses us without naming a lease) the work is worth
// nothing: tools are
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
static const int64_t LONG_JOB_NS = 10 * NS_PER_MS;
enum { JOBS_MAX = 64, TAKE_MAX = 64 };

struct slot {
    uint64_t lease;
    struct job *job;
    json_t *draft;       // set when done
    int64_t sent_ns;     // when the result was last sent; 0: not yet
    int64_t progress_ns; // when progress was last sent
    int64_t took_ns;
    bool dropped; // refused meanwhile: nobody wants the result
};

struct worker {
    const struct agent *agent;
    struct link *link;
    int wake_fd, signal_fd;
    int64_t heartbeat_ns, heard_ns, beat_ns; // period; last message from the engine; last heartbeat of ours
    bool welcome, ending;
    struct err why; // of the end, code OK for an ordinary one

    pthread_mutex_t lock;     // guards everything here
    VEC(struct slot *) slots; // in order of dispatch
    struct slot *running;
    int64_t running_ns;     // since when
    bool seated;            // somebody waits at the link, without the lock
    bool stopping, stopped; // work thread: asked to end; has ended
    bool asleep;            // the watch thread waits without an end
    unsigned begun;         // jobs so far
    pthread_cond_t free_seat, watch, ended;
};

static void wake(void *user)
{
    const uint64_t one = 1;
    struct worker *w = user;
    ssize_t ignored = write(w->wake_fd, &one, sizeof(one));
    (void)ignored;
}

// --- slots ---

static struct slot *next_slot(const struct worker *w)
{
    for (size_t i = 0; i < w->slots.len; i++) {
        if (!w->slots.items[i]->draft)
            return w->slots.items[i];
    }
    return NULL;
}

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

// --- sending (with the lock) ---

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
    json_put_int(body, "took_us", slot->took_ns / 1000);
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
    link_send(w->link, WIRE_PROGRESS, slot->lease, body,
              NULL); // lost when the queue is full: the next one will say more
    slot->progress_ns = now;
}

static void flush(struct worker *w)
{
    int64_t now = w->slots.len ? clock_mono_ns() : 0;
    for (size_t i = 0; i < w->slots.len;) {
        struct slot *slot = w->slots.items[i];
        if (slot->draft && slot->dropped) {
            slot_remove(w, slot);
            continue;
        }
        if (slot == w->running)
            send_progress(w, slot, now);
        else if (slot->draft && (!slot->sent_ns || now - slot->sent_ns >= RESEND_NS))
            send_result(w, slot, now);
        i++;
    }
}

// The last one first: they stand in front of the engine's queue in their order again.
static void give_back(struct worker *w)
{
    for (size_t i = w->slots.len; i > 0; i--) {
        struct slot *slot = w->slots.items[i - 1];
        if (slot == w->running || slot->draft)
            continue;
        if (link_send(w->link, WIRE_RETURN, slot->lease, json_object(), NULL) < 0)
            return; // the queue is full: again with the next turn
        slot_remove(w, slot);
    }
}

static void beat(struct worker *w)
{
    int64_t now = clock_mono_ns();
    if (w->welcome && now - w->beat_ns >= w->heartbeat_ns) {
        link_send(w->link, WIRE_HEARTBEAT, 0, json_object(), NULL);
        w->beat_ns = now;
    }
    if (now - w->heard_ns > ENGINE_LOST_NS)
        end(w, ERR_TIMEOUT,
            w->welcome ? "the engine has been silent for 10 s" : "the engine did not answer hello within 10 s");
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

// --- receiving (with the lock) ---

static void on_dispatch(struct worker *w, const struct wire_message *m)
{
    if (slot_of(w, m->lease) || w->slots.len >= JOBS_MAX)
        return;
    struct slot *slot = mem_alloc(sizeof(*slot));
    slot->lease = m->lease;
    slot->job = job_new(w->agent, json_incref(json_obj(m->body, "assignment")));
    slot->job->on_progress = wake;
    slot->job->user = w;
    vec_push(&w->slots, slot);
}

static void on_cancel(struct worker *w, uint64_t lease, const char *reason, bool drop)
{
    struct slot *slot = slot_of(w, lease);
    if (!slot)
        return;
    slot->dropped = slot->dropped || drop;
    if (!slot->draft)
        job_cancel(slot->job, reason);
}

static void on_ack(struct worker *w, uint64_t lease)
{
    struct slot *slot = slot_of(w, lease);
    if (slot && slot->draft)
        slot_remove(w, slot);
}

// Results of ours that are on disk at the engine.
static void on_done(struct worker *w, const json_t *leases)
{
    size_t i;
    json_t *lease;
    json_array_foreach (leases, i, lease)
        on_ack(w, wire_lease_read(json_string_value(lease)));
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
        on_done(w, json_list(m->body, "done"));
        on_dispatch(w, m);
        break;
    case WIRE_RESULT_ACK:
        on_ack(w, m->lease);
        on_done(w, json_list(m->body, "done"));
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
    case WIRE_RETURN:
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
static long pause_ms(const struct worker *w)
{
    int64_t ns = w->beat_ns + w->heartbeat_ns - clock_mono_ns();
    if ((w->slots.len > 0 && ns > PROGRESS_NS) || !w->welcome)
        ns = PROGRESS_NS;
    return ns > 0 ? (long)((ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void tend(struct worker *w)
{
    take_messages(w);
    flush(w);
    beat(w);
}

// Waits at the link for messages, a word of the other thread, or a signal. The lock is free meanwhile.
static void sit(struct worker *w)
{
    zmq_pollitem_t items[] = {
        {link_socket(w->link), 0, ZMQ_POLLIN, 0},
        {NULL, w->wake_fd, ZMQ_POLLIN, 0},
        {NULL, w->signal_fd, ZMQ_POLLIN, 0},
    };
    long pause = pause_ms(w);
    w->seated = true;
    pthread_mutex_unlock(&w->lock);
    zmq_poll(items, 3, pause);
    pthread_mutex_lock(&w->lock);
    w->seated = false;
    pthread_cond_signal(&w->free_seat);
    if (items[1].revents)
        drain(w->wake_fd);
    if (items[2].revents) {
        drain(w->signal_fd);
        end(w, ERR_OK, NULL);
    }
}

static void do_job(struct worker *w, struct slot *slot, struct rules *rules)
{
    w->running = slot;
    w->running_ns = clock_mono_ns();
    w->begun++;
    if (w->asleep)
        pthread_cond_signal(&w->watch);
    pthread_mutex_unlock(&w->lock);
    json_t *draft = job_run_new(slot->job, rules);
    pthread_mutex_lock(&w->lock);
    slot->draft = draft;
    slot->took_ns = clock_mono_ns() - w->running_ns;
    w->running = NULL;
    while (w->seated) {
        wake(w);
        pthread_cond_wait(&w->free_seat, &w->lock);
    }
}

static void *work(void *user)
{
    struct worker *w = user;
    struct rules rules = {0};
    pthread_mutex_lock(&w->lock);
    while (!w->stopping && !w->ending) {
        tend(w);
        struct slot *slot = next_slot(w);
        if (slot && !w->ending)
            do_job(w, slot, &rules);
        else if (!w->ending)
            sit(w);
    }
    w->stopped = true;
    pthread_cond_signal(&w->ended);
    pthread_cond_signal(&w->watch);
    pthread_mutex_unlock(&w->lock);
    rules_free(&rules);
    return NULL;
}

static void wait_until(pthread_cond_t *cond, struct worker *w, int64_t ns)
{
    const struct timespec until = {.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC)};
    pthread_cond_timedwait(cond, &w->lock, &until);
}

// Sleeps while there is nothing to do; looks twice before it sleeps without an end, so that short jobs need not wake
// it. It also looks twice at a job that takes long: when the whole process had to wait for a processor, the job is over
// as soon as its thread runs.
static void watch(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned begun = w->begun, looked_at = 0;
    while (!w->stopped && !w->ending) {
        int64_t now = clock_mono_ns();
        bool is_long = w->running && now - w->running_ns >= LONG_JOB_NS;
        if (is_long && looked_at != w->begun) {
            looked_at = w->begun;
            wait_until(&w->watch, w, now + LONG_JOB_NS);
        } else if (is_long) {
            tend(w);
            if (w->running && !w->ending)
                give_back(w);
            if (w->running && !w->ending)
                sit(w);
        } else if (w->running || w->begun != begun) {
            begun = w->begun;
            wait_until(&w->watch, w, now + LONG_JOB_NS);
        } else {
            w->asleep = true;
            pthread_cond_wait(&w->watch, &w->lock);
            w->asleep = false;
        }
    }
    pthread_mutex_unlock(&w->lock);
}

// Ends the work thread; false when it does not notice in time that it was cancelled.
static bool stop_work(struct worker *w)
{
    int64_t until = clock_mono_ns() + WORK_END_NS;
    w->stopping = true;
    for (size_t i = 0; i < w->slots.len; i++) {
        if (!w->slots.items[i]->draft)
            job_cancel(w->slots.items[i]->job, "the worker ends");
    }
    while (!w->stopped && clock_mono_ns() < until)
        wait_until(&w->ended, w, until);
    return w->stopped;
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
    pthread_cond_destroy(&w->free_seat);
    pthread_cond_destroy(&w->watch);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
}

static void init_locks(struct worker *w)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->free_seat, &attributes);
    pthread_cond_init(&w->watch, &attributes);
    pthread_cond_init(&w->ended, &attributes);
    pthread_condattr_destroy(&attributes);
}

int serve(const struct agent *agent, const char *endpoint, const char *token, struct err *err)
{
    struct worker w = {.agent = agent, .wake_fd = -1, .signal_fd = -1, .heartbeat_ns = NS_PER_SEC};
    init_locks(&w);
    w.heard_ns = clock_mono_ns();
    pthread_t thread;
    int r = start(&w, endpoint, token, &thread, err);
    if (r < 0) {
        worker_close(&w);
        return r;
    }
    watch(&w);
    pthread_mutex_lock(&w.lock);
    if (w.welcome) {
        json_t *body = json_object();
        json_put_str(body, "reason", w.why.code == ERR_OK ? "asked to end" : "gives up");
        link_send(w.link, WIRE_BYE, 0, body, NULL);
    }
    bool stopped = stop_work(&w);
    pthread_mutex_unlock(&w.lock);
    if (!stopped)
        _exit(err_exit_status(ERR_TIMEOUT)); // run() does not come back; whatever it started dies with us
    pthread_join(thread, NULL);
    worker_close(&w);
    if (w.why.code != ERR_OK)
        return err_set(err, w.why.code, "%s", w.why.text);
    return 0;
}

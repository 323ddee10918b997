// The socket, the messages and the clock. Rules that the code does not show:
// - A handler calls the engine's callback last: the callback may lose the very peer the handler worked on.
// - A peer is never lost inside bus_dispatch & co.; it is doomed, and a timer of no delay loses it in the next turn.
// - Silence is judged only after everything that had arrived was taken, and not at all when we ourselves were away
//   (stopped, suspended, blocked): then everybody gets another period.
#include "bus/bus.h"

#include "peers.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

// Sequence numbers for those who are no peers (any more) start here: above all that was ever sent to a peer, which
// would drop lower ones.
#define STRANGER_SEQUENCE (UINT64_C(1) << 62)

enum { TAKE_MAX = 256, LINGER_MS = 200, REASON_MAX = 1000 };

struct bus {
    struct bus_events events;
    void *user;
    char *endpoint;
    void *context, *socket;
    struct loop_zmq *watch;
    struct loop_timer *tick, *doom;
    int64_t heartbeat_ns, lost_ns, last_tick;
    struct peers peers;
    uint64_t stranger_sent;
    bool taking; // inside take_messages
};

struct sender { // who sent the message at hand
    const void *identity;
    size_t len;
};

// --- sending ---

// One message of three frames; 0 or -1 with errno. Only the first frame can be refused.
static int send_frames(struct bus *bus, const void *identity, size_t identity_len, const void *header, const void *body,
                       size_t len)
{
    if (zmq_send(bus->socket, identity, identity_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return -1;
    if (zmq_send(bus->socket, header, WIRE_HEADER_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return -1;
    return zmq_send(bus->socket, body, len, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

static void doom(struct bus *bus, struct peer *peer, const char *why)
{
    if (!peer->doom)
        peer->doom = why;
    loop_timer_start(bus->doom, 0, 0);
}

static int send_text(struct bus *bus, struct peer *peer, const unsigned char header[WIRE_HEADER_BYTES],
                     const char *text, size_t len, struct err *err)
{
    if (peer->doom)
        return err_set(err, ERR_UNAVAILABLE, "peer %s (pid %d) is gone", peer->role, (int)peer->public.pid);
    if (send_frames(bus, peer->identity, peer->identity_len, header, text, len) < 0) {
        doom(bus, peer, errno == EAGAIN ? "does not take its messages, its queue is full" : "its connection is gone");
        return err_set(err, ERR_UNAVAILABLE, "peer %s (pid %d): %s", peer->role, (int)peer->public.pid, peer->doom);
    }
    peer->sent++;
    return 0;
}

// Consumes body.
static int send_peer(struct bus *bus, struct peer *peer, enum wire_type type, uint64_t lease, json_t *body_consumed,
                     struct err *err)
{
    unsigned char header[WIRE_HEADER_BYTES];
    char *text = NULL;
    size_t len = 0;
    int r = wire_encode(type, lease, peer->sent + 1, body_consumed, WIRE_FROM_ENGINE, header, &text, &len, err);
    json_decref(body_consumed);
    if (r < 0)
        return r;
    r = send_text(bus, peer, header, text, len, err);
    mem_free(text);
    return r;
}

static json_t *reason_body(const char *key, const char *text)
{
    json_t *body = json_object();
    json_put(body, key, json_text_new(text, str_utf8_cut(text, REASON_MAX)));
    return body;
}

static void send_refusal(struct bus *bus, const struct sender *to, struct peer *peer, uint64_t lease,
                         enum err_code code, const char *why)
{
    json_t *body = reason_body("text", why);
    json_put_str(body, "code", err_name(code));
    if (peer) {
        send_peer(bus, peer, WIRE_REFUSE, lease, body, NULL);
        return;
    }
    unsigned char header[WIRE_HEADER_BYTES];
    char *text = NULL;
    size_t len = 0;
    // A stranger that does not listen is not worth a wait.
    if (wire_encode(WIRE_REFUSE, lease, ++bus->stranger_sent, body, WIRE_FROM_ENGINE, header, &text, &len, NULL) == 0)
        (void)send_frames(bus, to->identity, to->len, header, text, len);
    mem_free(text);
    json_decref(body);
}

// Last call of a handler.
static void turn_away(struct bus *bus, const struct sender *from, struct peer *peer, uint64_t lease, enum err_code code,
                      const char *why)
{
    uint64_t id = peer ? peer->public.id : 0;
    send_refusal(bus, from, peer, lease, code, why);
    if (bus->events.refused)
        bus->events.refused(bus->user, id, lease, code, why);
}

// --- losing ---

static void lose(struct bus *bus, struct peer *peer, const char *why)
{
    uint64_t leases[BUS_CREDIT_MAX];
    size_t count = peer->public.busy;
    for (size_t i = 0; i < count; i++)
        leases[i] = peer->jobs[i].lease;
    peers_remove(&bus->peers, peer);
    if (bus->events.peer_lost)
        bus->events.peer_lost(bus->user, &peer->public, leases, count, why);
    peer_free(peer);
}

// A callback may change the list, so each loss starts the search anew.
static bool lose_one_doomed(struct bus *bus)
{
    for (size_t i = 0; i < bus->peers.list.len; i++) {
        struct peer *peer = bus->peers.list.items[i];
        if (peer->doom) {
            lose(bus, peer, peer->doom);
            return true;
        }
    }
    return false;
}

static void lose_doomed(void *user)
{
    while (lose_one_doomed(user))
        ;
}

// --- messages ---

static void on_hello(struct bus *bus, const struct sender *from, struct peer *known, const struct wire_message *m)
{
    if (known) {
        turn_away(bus, from, known, 0, ERR_STATE, "hello was said already on this connection");
        return;
    }
    struct err err;
    struct peer *peer = NULL;
    uint64_t invite = peers_invite_of_token(&bus->peers, json_str(m->body, "token", ""));
    int r = 0;
    if (!invite)
        r = err_set(&err, ERR_DENIED,
                    "the token is not one this engine gave: workers are started by the engine, with the "
                    "token in %s",
                    BUS_TOKEN_ENV);
    else if (peers_by_invite(&bus->peers, invite))
        r = err_set(&err, ERR_CONFLICT, "the token is in use by another worker");
    else if (bus->peers.list.len >= BUS_PEERS_MAX)
        r = err_set(&err, ERR_LIMIT, "there are %d workers already", BUS_PEERS_MAX);
    else
        r = peer_from_hello(m->body, &peer, &err);
    if (r < 0) {
        turn_away(bus, from, NULL, 0, err.code, err.text);
        return;
    }
    memcpy(peer->identity, from->identity, from->len);
    peer->identity_len = from->len;
    peer->seen_ns = clock_mono_ns();
    peer->received = m->sequence;
    peer->public.invite = invite;
    peers_add(&bus->peers, peer);
    json_t *body = json_object();
    json_put_int(body, "peer", (int64_t)peer->public.id);
    json_put_int(body, "heartbeat_ms", bus->heartbeat_ns / NS_PER_MS);
    json_put_int(body, "lost_ms", bus->lost_ns / NS_PER_MS);
    if (send_peer(bus, peer, WIRE_WELCOME, 0, body, NULL) == 0 && bus->events.peer_ready)
        bus->events.peer_ready(bus->user, &peer->public);
}

static void on_result(struct bus *bus, const struct sender *from, struct peer *peer, const struct wire_message *m)
{
    struct job *job = peer_job(peer, m->lease);
    if (!job && peer_job_done(peer, m->lease)) { // the acknowledgement and the repetition crossed
        send_peer(bus, peer, WIRE_RESULT_ACK, m->lease, json_object(), NULL);
    } else if (!job) {
        turn_away(bus, from, peer, m->lease, ERR_CONFLICT,
                  "the result is late: its lease is not running on this worker");
    } else if (!job->answered) {
        job->answered = true;
        peer->public.occupied = false;
        if (bus->events.result)
            bus->events.result(bus->user, peer->public.id, m->lease, json_obj(m->body, "draft"),
                               json_int(m->body, "took_us", -1));
    }
}

static void on_return(struct bus *bus, struct peer *peer, uint64_t lease)
{
    const struct job *job = peer_job(peer, lease);
    if (!job || job->answered)
        return;
    peer_job_end(peer, lease, false);
    peer->public.occupied = peer->public.busy > 0;
    if (bus->events.returned)
        bus->events.returned(bus->user, peer->public.id, lease);
}

static void on_progress(struct bus *bus, struct peer *peer, const struct wire_message *m)
{
    struct job *job = peer_job(peer, m->lease);
    if (job && !job->answered && bus->events.progress)
        bus->events.progress(bus->user, peer->public.id, m->lease, json_num(m->body, "fraction", -1),
                             json_str(m->body, "text", ""));
}

static void on_credit(struct bus *bus, const struct sender *from, struct peer *peer, const struct wire_message *m)
{
    int64_t jobs = json_int(m->body, "jobs", 0);
    if (jobs < 0 || jobs > BUS_CREDIT_MAX)
        turn_away(bus, from, peer, 0, ERR_INVALID, "credit: 'jobs' must be 0 to 64");
    else
        peer->public.credit = (unsigned)jobs;
}

static void on_bye(struct bus *bus, struct peer *peer, const struct wire_message *m)
{
    AUTO_FREE char *why = str_printf("said bye: %s", json_str(m->body, "reason", ""));
    lose(bus, peer, why);
}

static void on_error(struct bus *bus, struct peer *peer, const struct wire_message *m)
{
    if (bus->events.refused)
        bus->events.refused(bus->user, peer->public.id, m->lease, ERR_INVALID, json_str(m->body, "text", ""));
}

static void on_message(struct bus *bus, const struct sender *from, struct peer *peer, const struct wire_message *m)
{
    if (m->type != WIRE_HELLO && !peer) {
        turn_away(bus, from, NULL, m->lease, m->type == WIRE_RESULT ? ERR_CONFLICT : ERR_STATE,
                  m->type == WIRE_RESULT ? "the result is late: its worker was given up as lost"
                                         : "the sender is not known here (any more), it has to say hello");
        return;
    }
    if (peer) {
        if (m->sequence <= peer->received)
            return; // a duplicated frame
        peer->received = m->sequence;
        peer->seen_ns = clock_mono_ns();
    }
    switch (m->type) {
    case WIRE_HELLO:
        on_hello(bus, from, peer, m);
        break;
    case WIRE_PROGRESS:
        on_progress(bus, peer, m);
        break;
    case WIRE_HEARTBEAT:
        send_peer(bus, peer, WIRE_HEARTBEAT, 0, json_object(), NULL);
        break;
    case WIRE_CREDIT:
        on_credit(bus, from, peer, m);
        break;
    case WIRE_RESULT:
        on_result(bus, from, peer, m);
        break;
    case WIRE_RETURN:
        on_return(bus, peer, m->lease);
        break;
    case WIRE_BYE:
        on_bye(bus, peer, m);
        break;
    case WIRE_ERROR:
        on_error(bus, peer, m);
        break;
    case WIRE_WELCOME:
    case WIRE_REFUSE:
    case WIRE_DISPATCH:
    case WIRE_RESULT_ACK:
    case WIRE_CANCEL:
        break; // the engine's own: refused by wire_decode
    }
}

// --- receiving ---

enum { FRAMES = 3 };

// Receives one whole message. Returns the number of its frames, of which the first FRAMES are in frames[]; 0: none
// waits.
static size_t receive(struct bus *bus, zmq_msg_t frames[FRAMES])
{
    size_t count = 0;
    for (int more = 1; more; count++) {
        zmq_msg_t surplus;
        zmq_msg_t *frame = count < FRAMES ? &frames[count] : &surplus;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, bus->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            break;
        }
        more = zmq_msg_more(frame);
        if (frame == &surplus)
            zmq_msg_close(frame);
    }
    return count;
}

static bool take_one(struct bus *bus)
{
    zmq_msg_t frames[FRAMES];
    size_t count = receive(bus, frames);
    if (count == 0)
        return false;
    struct sender from = {zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0])};
    struct peer *peer = peers_by_identity(&bus->peers, from.identity, from.len);
    struct wire_message m;
    struct err err;
    int r = 0;
    if (count != FRAMES)
        r = err_set(&err, ERR_INVALID, "a message has %zu frames, expected header and body", count - 1);
    else
        r = wire_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), zmq_msg_data(&frames[2]),
                        zmq_msg_size(&frames[2]), WIRE_FROM_WORKER, &m, &err);
    if (r < 0) {
        turn_away(bus, &from, peer, 0, err.code, err.text);
    } else {
        on_message(bus, &from, peer, &m);
        wire_message_free(&m);
    }
    for (size_t i = 0; i < count && i < FRAMES; i++)
        zmq_msg_close(&frames[i]);
    return true;
}

static void take_messages(void *user)
{
    struct bus *bus = user;
    if (bus->taking)
        return; // a callback asked (bus_uninvite)
    bus->taking = true;
    for (int i = 0; i < TAKE_MAX && take_one(bus); i++)
        ;
    bus->taking = false;
}

// --- the clock ---

static void on_tick(void *user)
{
    struct bus *bus = user;
    take_messages(bus);
    int64_t now = clock_mono_ns();
    bool away = now - bus->last_tick > bus->lost_ns / 2;
    bus->last_tick = now;
    for (size_t i = 0; i < bus->peers.list.len; i++) {
        struct peer *peer = bus->peers.list.items[i];
        if (away)
            peer->seen_ns = now;
        else if (now - peer->seen_ns > bus->lost_ns)
            doom(bus, peer, "has been silent for too long");
    }
}

// --- public ---

static int open_socket(struct bus *bus, struct err *err)
{
    static const int ONE = 1, LINGER = LINGER_MS, QUEUE = BUS_QUEUE_MAX;
    static const int64_t MESSAGE_MAX = (int64_t)WIRE_BODY_MAX;
    bus->context = zmq_ctx_new();
    bus->socket = bus->context ? zmq_socket(bus->context, ZMQ_ROUTER) : NULL;
    if (!bus->socket)
        return err_set(err, ERR_IO, "cannot create the bus socket: %s", zmq_strerror(zmq_errno()));
    zmq_setsockopt(bus->socket, ZMQ_ROUTER_MANDATORY, &ONE, sizeof(ONE));
    zmq_setsockopt(bus->socket, ZMQ_LINGER, &LINGER, sizeof(LINGER));
    zmq_setsockopt(bus->socket, ZMQ_SNDHWM, &QUEUE, sizeof(QUEUE));
    zmq_setsockopt(bus->socket, ZMQ_RCVHWM, &QUEUE, sizeof(QUEUE));
    zmq_setsockopt(bus->socket, ZMQ_MAXMSGSIZE, &MESSAGE_MAX,
                   sizeof(MESSAGE_MAX)); // larger: ZeroMQ cuts the connection
    mode_t old = umask(0177);            // the socket file is made here and now; only its owner may connect
    int r = zmq_bind(bus->socket, bus->endpoint);
    int e = zmq_errno();
    umask(old);
    if (r < 0)
        return err_set(err, ERR_IO, "cannot open the bus at '%s': %s%s", bus->endpoint, zmq_strerror(e),
                       e == ENAMETOOLONG ? " (a socket path has at most 107 bytes, choose a shorter folder)" : "");
    return 0;
}

int bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events, void *user,
            struct bus **ret, struct err *err)
{
    struct bus *bus = mem_alloc(sizeof(*bus));
    bus->events = *events;
    bus->user = user;
    bus->stranger_sent = STRANGER_SEQUENCE;
    bus->endpoint = str_dup(options->endpoint);
    bus->heartbeat_ns = (options->heartbeat_ms ? options->heartbeat_ms : 1000) * NS_PER_MS;
    bus->lost_ns = (options->lost_ms ? options->lost_ms : 3000) * NS_PER_MS;
    int r = open_socket(bus, err);
    if (r == 0)
        r = loop_zmq_new(loop, bus->socket, take_messages, bus, &bus->watch, err);
    if (r < 0) {
        bus_free(bus);
        return r;
    }
    bus->last_tick = clock_mono_ns();
    bus->doom = loop_timer_new(loop, lose_doomed, bus);
    bus->tick = loop_timer_new(loop, on_tick, bus);
    loop_timer_start(bus->tick, bus->heartbeat_ns / 4, bus->heartbeat_ns / 4);
    *ret = bus;
    return 0;
}

struct bus *bus_free(struct bus *bus)
{
    if (!bus)
        return NULL;
    loop_timer_close(bus->tick);
    loop_zmq_close(bus->watch);
    for (size_t i = 0; i < bus->peers.list.len; i++)
        send_peer(bus, bus->peers.list.items[i], WIRE_BYE, 0, reason_body("reason", "the engine ends"), NULL);
    loop_timer_close(bus->doom); // after the last send, which may start it
    if (bus->socket)
        zmq_close(bus->socket);
    while (bus->context && zmq_ctx_term(bus->context) < 0 && errno == EINTR)
        ; // the end of a worker is a signal, too, and leaves the threads of ZeroMQ where they are
    peers_free(&bus->peers);
    mem_free(bus->endpoint);
    mem_free(bus);
    return NULL;
}

const char *bus_endpoint(const struct bus *bus)
{
    return bus->endpoint;
}

uint64_t bus_invite(struct bus *bus, char ret_token[BUS_TOKEN_TEXT])
{
    return peers_invite(&bus->peers, ret_token);
}

void bus_uninvite(struct bus *bus, uint64_t invite, const char *why)
{
    take_messages(bus);
    peers_uninvite(&bus->peers, invite);
    struct peer *peer = peers_by_invite(&bus->peers, invite);
    if (peer)
        lose(bus, peer, why);
}

const struct bus_peer *bus_peer(const struct bus *bus, uint64_t peer)
{
    const struct peer *p = peers_by_id(&bus->peers, peer);
    return p ? &p->public : NULL;
}

uint64_t bus_find(const struct bus *bus, const char *role, const char *mode, unsigned most, unsigned width)
{
    const struct peer *best = peers_find(&bus->peers, role, mode, most, width);
    return best ? best->public.id : 0;
}

unsigned bus_occupied(const struct bus *bus, const char *role)
{
    return peers_occupied(&bus->peers, role);
}

static struct peer *need_peer(struct bus *bus, uint64_t id, struct err *err)
{
    struct peer *peer = peers_by_id(&bus->peers, id);
    if (!peer)
        err_set(err, ERR_NOT_FOUND, "there is no peer %llu (any more)", (unsigned long long)id);
    return peer;
}

static void tell_done(struct bus *bus, struct peer *peer)
{
    if (!peer->n_acks)
        return;
    json_t *body = json_object();
    if (peer->n_acks > 1)
        json_put(body, "done", peer_acks_new(peer, 1));
    send_peer(bus, peer, WIRE_RESULT_ACK, peer->acks[0], body, NULL); // when it is lost, the worker asks again
    peer->n_acks = 0;
}

void bus_flush(struct bus *bus)
{
    for (size_t i = 0; i < bus->peers.list.len; i++)
        tell_done(bus, bus->peers.list.items[i]);
}

int bus_dispatch(struct bus *bus, uint64_t peer, uint64_t lease, const char *assignment, struct err *err)
{
    must(lease != 0);
    struct peer *p = need_peer(bus, peer, err);
    if (!p)
        return -ERR_NOT_FOUND;
    if (p->public.busy >= p->public.credit)
        return err_set(err, ERR_LIMIT, "peer %s (pid %d) has %u jobs and takes no more", p->role, (int)p->public.pid,
                       p->public.busy);
    if (peer_job(p, lease) || peer_job_done(p, lease))
        return err_set(err, ERR_EXISTS, "lease %llu was given to this peer already", (unsigned long long)lease);
    unsigned char header[WIRE_HEADER_BYTES];
    struct buf body = BUF_INIT;
    peer_put_dispatch(p, assignment, &body);
    int r = wire_encode_text(WIRE_DISPATCH, lease, p->sent + 1, body.len, WIRE_FROM_ENGINE, header, err);
    if (r == 0)
        r = send_text(bus, p, header, buf_str(&body), body.len, err);
    buf_free(&body);
    if (r == 0) {
        peer_job_add(p, lease);
        p->n_acks = 0;
    }
    return r;
}

// The peer, when the lease runs on it; else NULL with ERR_NOT_FOUND.
static struct peer *need_job(struct bus *bus, uint64_t peer, uint64_t lease, struct err *err)
{
    struct peer *p = need_peer(bus, peer, err);
    if (p && !peer_job(p, lease)) {
        err_set(err, ERR_NOT_FOUND, "lease %llu does not run on peer %s (pid %d)", (unsigned long long)lease, p->role,
                (int)p->public.pid);
        return NULL;
    }
    return p;
}

int bus_cancel(struct bus *bus, uint64_t peer, uint64_t lease, const char *reason, struct err *err)
{
    struct peer *p = need_job(bus, peer, lease, err);
    return !p ? -ERR_NOT_FOUND : send_peer(bus, p, WIRE_CANCEL, lease, reason_body("reason", reason), err);
}

int bus_result_done(struct bus *bus, uint64_t peer, uint64_t lease, struct err *err)
{
    struct peer *p = need_job(bus, peer, lease, err);
    if (!p)
        return -ERR_NOT_FOUND;
    peer_job_end(p, lease, true);
    if (p->n_acks == BUS_CREDIT_MAX)
        tell_done(bus, p);
    p->acks[p->n_acks++] = lease;
    return 0;
}

int bus_result_refuse(struct bus *bus, uint64_t peer, uint64_t lease, const char *why, struct err *err)
{
    struct peer *p = need_job(bus, peer, lease, err);
    if (!p)
        return -ERR_NOT_FOUND;
    peer_job_end(p, lease, false);
    send_refusal(bus, NULL, p, lease, ERR_CONFLICT, why);
    return 0;
}

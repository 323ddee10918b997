// ROUTER side of the bus: who is connected, who is alive, which lease runs where. No policy about runs.
//
// A worker is invited before it is started: bus_invite makes a token, which the engine puts into the worker's
// environment as BUS_TOKEN_ENV (and `--connect <bus_endpoint>` into its arguments). Hello with an unknown token is
// refused. One token admits one peer at a time. Jobs: bus_dispatch takes one unit of the peer's credit (default 1); the
// credit comes back with bus_result_done, bus_result_refuse or the peer's loss. A result whose lease is not running on
// that peer is refused and reported; a result that was sent again is given to the engine once, and is acknowledged only
// after bus_result_done (commit before ack). Peers that were silent for lost_ms are lost; a peer that does not take its
// messages (queue full) is lost too. Peer numbers are never used twice, so a stale one is simply not found.
//
// Threads: the loop's. Callbacks come from the loop; they may call every function of this header but bus_free.
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_TOKEN_ENV  "BATON_TOKEN"
#define BUS_TOKEN_TEXT 65 // 64 hexadecimal digits and NUL
#define BUS_PEERS_MAX  1024
#define BUS_CREDIT_MAX 64   // jobs a peer may hold at once
#define BUS_QUEUE_MAX  1000 // messages waiting per peer and direction

struct bus;

struct bus_options {
    const char
        *endpoint; // "ipc://<path>" (the path's folder must exist and belong to the user; mode of the socket: 0600)
    unsigned heartbeat_ms; // 0: 1000
    unsigned lost_ms;      // 0: 3000
};

struct bus_peer {
    uint64_t id, invite;
    const char *role, *version;
    const char *const *modes; // NULL-terminated
    pid_t pid;                // as the peer says
    unsigned credit;          // jobs it may hold at once
    unsigned busy;            // jobs it holds now
    bool occupied;            // gave jobs back: it gets none before its next result
};

// All may be NULL. Pointers are borrowed for the call.
struct bus_events {
    void (*peer_ready)(void *user, const struct bus_peer *peer);
    // It is not a peer any more. leases: what it had not finished, in the order of dispatch, to be dispatched
    // elsewhere.
    void (*peer_lost)(void *user, const struct bus_peer *peer, const uint64_t *leases, size_t count, const char *why);
    void (*progress)(void *user, uint64_t peer, uint64_t lease, double fraction, const char *text); // < 0: unknown
    // Commit it, then bus_result_done (or bus_result_refuse), at once or later.
    // took_us: what the worker needed for the job alone, -1 when it does not say.
    void (*result)(void *user, uint64_t peer, uint64_t lease, json_t *draft, int64_t took_us);
    // It works on another job for long and has not begun this one, and never will: its lease is free again.
    void (*returned)(void *user, uint64_t peer, uint64_t lease);
    // Something was turned away: stranger, late result, broken message. For the log. lease 0 when none is known; peer
    // 0: a stranger.
    void (*refused)(void *user, uint64_t peer, uint64_t lease, enum err_code code, const char *why);
};

int bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events, void *user,
            struct bus **ret, struct err *err);
struct bus *bus_free(struct bus *bus);           // says bye to everybody; no callbacks; NULL allowed; returns NULL
const char *bus_endpoint(const struct bus *bus); // what workers connect to

// A token for one worker to be started. Returns its number (never 0).
uint64_t bus_invite(struct bus *bus, char ret_token[BUS_TOKEN_TEXT]);
// The worker of this invitation is gone (its process ended) or no longer wanted: what it has already sent is taken
// first, then its peer, if any, is lost (callback before this returns) and the token is void.
void bus_uninvite(struct bus *bus, uint64_t invite, const char *why);

const struct bus_peer *bus_peer(const struct bus *bus,
                                uint64_t peer); // NULL: no such peer; borrowed until the next call
// Of the first `width` peers with that role and mode (mode NULL: any) that are not occupied the one that has least to
// do; 0: none has room. A peer has room while it holds less than its credit and less than `most`.
uint64_t bus_find(const struct bus *bus, const char *role, const char *mode, unsigned most, unsigned width);
unsigned bus_occupied(const struct bus *bus, const char *role); // peers

// assignment: the text of a JSON object. lease: non-zero, never used before (or returned), larger for later dispatches
// of the same stage. ERR_NOT_FOUND: no such peer (any more); ERR_LIMIT: no credit left, or the assignment is larger
// than WIRE_BODY_MAX; ERR_EXISTS: the lease runs already; ERR_UNAVAILABLE: the peer's queue is full or its connection
// gone (peer_lost follows from the loop).
int bus_dispatch(struct bus *bus, uint64_t peer, uint64_t lease, const char *assignment, struct err *err);
// Asks for the end of a job; the worker answers with a result all the same (status blocked). ERR_NOT_FOUND: not running
// there.
int bus_cancel(struct bus *bus, uint64_t peer, uint64_t lease, const char *reason, struct err *err);
// The result is on disk: the worker may forget it. The lease is over. ERR_NOT_FOUND when the peer was lost meanwhile
// (harmless). The worker is told with its next dispatch, or by bus_flush.
int bus_result_done(struct bus *bus, uint64_t peer, uint64_t lease, struct err *err);
void bus_flush(struct bus *bus);
// The result is not wanted (the lease is over, the run is cancelled): the worker may forget it.
int bus_result_refuse(struct bus *bus, uint64_t peer, uint64_t lease, const char *why, struct err *err);

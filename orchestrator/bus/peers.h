// The table of invitations and peers: no sockets, no callbacks. Shared by the files of this folder only.
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "bus/bus.h"

#define BUS_DONE_KEPT    64  // leases of finished jobs a peer may still ask about (a result that was sent twice)
#define BUS_IDENTITY_MAX 255 // ZeroMQ's own limit

struct job {
    uint64_t lease;
    bool answered; // the result was given to the engine, which has not decided yet
};

struct peer {
    struct bus_peer public;
    char *role, *version;
    char **modes;
    unsigned char identity[BUS_IDENTITY_MAX];
    size_t identity_len;
    uint64_t sent, received; // sequence numbers
    int64_t seen_ns;
    struct job jobs[BUS_CREDIT_MAX]; // the first public.busy ones
    uint64_t done[BUS_DONE_KEPT];    // ring of acknowledged leases
    unsigned done_next;
    uint64_t acks[BUS_CREDIT_MAX]; // acknowledged, and not told yet
    unsigned n_acks;
    const char *doom; // why it is to be lost in the next turn (static text), or NULL
};

struct invite {
    uint64_t id;
    char token[BUS_TOKEN_TEXT];
};

struct peers {
    VEC(struct peer *) list;
    VEC(struct invite) invites;
    uint64_t next_peer, next_invite;
};

void peers_free(struct peers *peers);
void peer_free(struct peer *peer);

uint64_t peers_invite(struct peers *peers, char ret_token[BUS_TOKEN_TEXT]);
void peers_uninvite(struct peers *peers, uint64_t invite);
uint64_t peers_invite_of_token(const struct peers *peers, const char *token); // 0: none

// A peer from the body of a hello. seen_ns and identity are the caller's to fill.
int peer_from_hello(const json_t *body, struct peer **ret, struct err *err);
void peers_add(struct peers *peers, struct peer *peer_take);
void peers_remove(struct peers *peers, const struct peer *peer); // does not free it
struct peer *peers_by_id(const struct peers *peers, uint64_t id);
struct peer *peers_by_invite(const struct peers *peers, uint64_t invite);
struct peer *peers_by_identity(const struct peers *peers, const void *identity, size_t len);

// As bus_find and bus_occupied say; NULL: none has room.
const struct peer *peers_find(const struct peers *peers, const char *role, const char *mode, unsigned most,
                              unsigned width);
unsigned peers_occupied(const struct peers *peers, const char *role);

struct job *peer_job(struct peer *peer, uint64_t lease); // NULL: not running there
void peer_job_add(struct peer *peer, uint64_t lease);    // must have credit
void peer_job_end(struct peer *peer, uint64_t lease, bool acknowledged);
bool peer_job_done(const struct peer *peer, uint64_t lease); // acknowledged lately
// Leases that the worker is to be told of, as text, without the first `from` ones.
json_t *peer_acks_new(const struct peer *peer, size_t from);
void peer_put_dispatch(const struct peer *peer, const char *assignment, struct buf *body); // the body of the message

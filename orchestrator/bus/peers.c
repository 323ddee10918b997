#include "peers.h"

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire.h"
#include "json/write.h"

#include <string.h>

void peer_free(struct peer *peer)
{
    if (!peer)
        return;
    mem_free(peer->role);
    mem_free(peer->version);
    str_list_free(peer->modes);
    mem_free(peer);
}

void peers_free(struct peers *peers)
{
    for (size_t i = 0; i < peers->list.len; i++)
        peer_free(peers->list.items[i]);
    vec_free(&peers->list);
    vec_free(&peers->invites);
}

uint64_t peers_invite(struct peers *peers, char ret_token[BUS_TOKEN_TEXT])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char raw[(BUS_TOKEN_TEXT - 1) / 2];
    id_random(raw, sizeof(raw));
    struct invite invite = {.id = ++peers->next_invite};
    for (size_t i = 0; i < sizeof(raw); i++) {
        invite.token[2 * i] = DIGITS[raw[i] >> 4];
        invite.token[2 * i + 1] = DIGITS[raw[i] & 15];
    }
    memcpy(ret_token, invite.token, BUS_TOKEN_TEXT);
    vec_push(&peers->invites, invite);
    return invite.id;
}

void peers_uninvite(struct peers *peers, uint64_t invite)
{
    for (size_t i = 0; i < peers->invites.len; i++) {
        if (peers->invites.items[i].id == invite) {
            peers->invites.items[i] = peers->invites.items[--peers->invites.len];
            return;
        }
    }
}

// Takes the same time wherever the first difference is: a stranger must not find a token digit by digit.
static bool same_token(const char *a, const char *b)
{
    unsigned difference = 0;
    for (size_t i = 0; i < BUS_TOKEN_TEXT - 1; i++)
        difference |= (unsigned)(unsigned char)a[i] ^ (unsigned)(unsigned char)b[i];
    return difference == 0;
}

uint64_t peers_invite_of_token(const struct peers *peers, const char *token)
{
    if (strlen(token) != BUS_TOKEN_TEXT - 1)
        return 0;
    for (size_t i = 0; i < peers->invites.len; i++) {
        if (same_token(peers->invites.items[i].token, token))
            return peers->invites.items[i].id;
    }
    return 0;
}

int peer_from_hello(const json_t *body, struct peer **ret, struct err *err)
{
    int64_t credit = json_int(body, "credit", 1);
    if (credit < 1 || credit > BUS_CREDIT_MAX)
        return err_set(err, ERR_INVALID, "hello: 'credit' must be 1 to %d", BUS_CREDIT_MAX);
    const json_t *modes = json_list(body, "modes");
    struct peer *peer = mem_alloc(sizeof(*peer));
    peer->role = str_dup(json_str(body, "role", ""));
    peer->version = str_dup(json_str(body, "version", ""));
    peer->modes = mem_array(json_array_size(modes) + 1, sizeof(char *));
    for (size_t i = 0; i < json_array_size(modes); i++)
        peer->modes[i] = str_dup(json_string_value(json_array_get(modes, i)));
    peer->public = (struct bus_peer){
        .role = peer->role,
        .version = peer->version,
        .modes = (const char *const *)peer->modes,
        .pid = (pid_t)json_int(body, "pid", 0),
        .credit = (unsigned)credit,
    };
    *ret = peer;
    return 0;
}

void peers_add(struct peers *peers, struct peer *peer_take)
{
    peer_take->public.id = ++peers->next_peer;
    vec_push(&peers->list, peer_take);
}

// The order is kept: bus_find gives the first, so that the same peers stay warm.
void peers_remove(struct peers *peers, const struct peer *peer)
{
    size_t kept = 0;
    for (size_t i = 0; i < peers->list.len; i++) {
        if (peers->list.items[i] != peer)
            peers->list.items[kept++] = peers->list.items[i];
    }
    peers->list.len = kept;
}

struct peer *peers_by_id(const struct peers *peers, uint64_t id)
{
    for (size_t i = 0; i < peers->list.len; i++) {
        if (peers->list.items[i]->public.id == id)
            return peers->list.items[i];
    }
    return NULL;
}

struct peer *peers_by_invite(const struct peers *peers, uint64_t invite)
{
    for (size_t i = 0; i < peers->list.len; i++) {
        if (peers->list.items[i]->public.invite == invite)
            return peers->list.items[i];
    }
    return NULL;
}

struct peer *peers_by_identity(const struct peers *peers, const void *identity, size_t len)
{
    for (size_t i = 0; i < peers->list.len; i++) {
        struct peer *peer = peers->list.items[i];
        if (peer->identity_len == len && memcmp(peer->identity, identity, len) == 0)
            return peer;
    }
    return NULL;
}

static bool has_mode(const struct bus_peer *peer, const char *mode)
{
    for (const char *const *m = peer->modes; *m; m++) {
        if (str_eq(*m, mode))
            return true;
    }
    return false;
}

const struct peer *peers_find(const struct peers *peers, const char *role, const char *mode, unsigned most,
                              unsigned width)
{
    const struct peer *best = NULL;
    for (size_t i = 0; i < peers->list.len && width > 0; i++) {
        const struct peer *peer = peers->list.items[i];
        if (peer->doom || peer->public.occupied || !str_eq(peer->role, role) ||
            (mode && !has_mode(&peer->public, mode)))
            continue;
        width--;
        if (peer->public.busy < peer->public.credit && peer->public.busy < most &&
            (!best || peer->public.busy < best->public.busy))
            best = peer;
    }
    return best;
}

unsigned peers_occupied(const struct peers *peers, const char *role)
{
    unsigned n = 0;
    for (size_t i = 0; i < peers->list.len; i++)
        n += peers->list.items[i]->public.occupied && str_eq(peers->list.items[i]->role, role);
    return n;
}

struct job *peer_job(struct peer *peer, uint64_t lease)
{
    for (unsigned i = 0; i < peer->public.busy; i++) {
        if (peer->jobs[i].lease == lease)
            return &peer->jobs[i];
    }
    return NULL;
}

void peer_job_add(struct peer *peer, uint64_t lease)
{
    must(peer->public.busy < BUS_CREDIT_MAX);
    peer->jobs[peer->public.busy++] = (struct job){.lease = lease};
}

void peer_job_end(struct peer *peer, uint64_t lease, bool acknowledged)
{
    struct job *job = peer_job(peer, lease);
    if (!job)
        return;
    size_t behind = (size_t)(&peer->jobs[--peer->public.busy] - job);
    memmove(job, job + 1, behind * sizeof(*job)); // the order of dispatch is kept
    if (acknowledged)
        peer->done[peer->done_next++ % BUS_DONE_KEPT] = lease;
}

bool peer_job_done(const struct peer *peer, uint64_t lease)
{
    for (size_t i = 0; i < BUS_DONE_KEPT; i++) {
        if (peer->done[i] == lease)
            return true;
    }
    return false;
}

json_t *peer_acks_new(const struct peer *peer, size_t from)
{
    json_t *list = json_array();
    for (size_t i = from; i < peer->n_acks; i++) {
        char text[WIRE_LEASE_TEXT];
        wire_lease_text(peer->acks[i], text);
        json_add_str(list, text);
    }
    return list;
}

void peer_put_dispatch(const struct peer *peer, const char *assignment, struct buf *body)
{
    buf_str_add(body, "{\"assignment\":");
    buf_str_add(body, assignment);
    if (peer->n_acks) {
        AUTO_JSON json_t *done = peer_acks_new(peer, 0);
        buf_str_add(body, ",\"done\":");
        json_write(body, done, false);
    }
    buf_char(body, '}');
}

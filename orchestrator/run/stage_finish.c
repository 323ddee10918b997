// The end of a stage: its draft becomes a handoff, the handoff is journaled, the script hears the answer.
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "handoff/handoff.h"
#include "handoff/handoff_md.h"
#include "run/answer.h"

#include <string.h>

// --- handoffs ---

// Only files of the stage's own folder become artifacts.
static int put_file(void *ctx, const char *path, char hash[HASH_TEXT], int64_t *ret_bytes, struct err *err)
{
    struct stage *s = ctx;
    AUTO_FREE char *spool = stage_spool_dir(s);
    AUTO_FREE char *real_spool = path_real(spool, NULL);
    AUTO_FREE char *real = path_real(path, err);
    if (!real)
        return -(int)err->code;
    if (!real_spool || !path_below(real, real_spool))
        return err_set(err, ERR_DENIED, "artifact '%s' does not lie in the stage's folder", path);
    return store_artifact_put_file(s->run->env.store, real, hash, ret_bytes, err);
}

static int put_bytes(void *ctx, const void *data, size_t len, char hash[HASH_TEXT], struct err *err)
{
    struct stage *s = ctx;
    return store_artifact_put(s->run->env.store, data, len, hash, err);
}

// In a resumed run the journal has handoffs that nobody asked for yet, or that answer no more.
static bool is_journaled(struct run *run, const char *id)
{
    if (run->resumed && !run->handoff_ids) {
        AUTO_JSON json_t *stages = store_stage_list_new(run->env.store, run->id, false, NULL);
        size_t i;
        json_t *stage;
        run->handoff_ids = json_object();
        json_array_foreach (stages, i, stage)
            if (json_str(stage, "handoff_id", NULL))
                json_put_flag(run->handoff_ids, json_str(stage, "handoff_id", ""), true);
    }
    return json_object_get(run->handoff_ids, id) != NULL;
}

static bool id_is_taken(struct run *run, const char *id)
{
    return json_object_get(run->handoffs, id) || is_journaled(run, id);
}

// An id that no handoff of the run has: stamps have seconds, and parallel stages share a role.
void stage_choose_id(const struct stage *s, int64_t now, char id[HANDOFF_ID_MAX])
{
    handoff_id_make(now, s->role, id);
    if (!id_is_taken(s->run, id))
        return;
    int64_t *last = &s->run->last_id_ns; // wide runs use up the seconds: go on behind the last one
    int64_t at = *last > now ? *last : now;
    do {
        at += NS_PER_SEC;
        handoff_id_make(at, s->role, id);
    } while (id_is_taken(s->run, id));
    *last = at;
}

static int seal(struct stage *s, const json_t *draft, json_t **ret, struct err *err)
{
    char id[HANDOFF_ID_MAX];
    int64_t now = clock_wall_ns();
    stage_choose_id(s, now, id);
    VEC(const char *) parents = {0};
    size_t i;
    json_t *item;
    json_array_foreach (s->parents, i, item)
        if (i >= stage_first_named(s))
            vec_push(&parents, json_str(item, "id", ""));
    vec_push(&parents, NULL);
    struct handoff_facts facts = {.id = id,
                                  .wall_ns = now,
                                  .role = s->role,
                                  .agent_name = s->agent->name,
                                  .parents = parents.items,
                                  .run = s->run->id,
                                  .stage = s->seq,
                                  .attempt = s->attempt,
                                  .depth = budget_demand(s->agent->name, s->parents, NULL).of[BUDGET_DEPTH]};
    struct handoff_store keep = {.put = put_bytes, .put_file = put_file, .context = s};
    int r = handoff_seal(draft, &facts, &keep, ret, err);
    vec_free(&parents);
    json_array_foreach (r == 0 ? json_list(*ret, "artifacts") : NULL, i, item)
        if (r == 0)
            r = store_artifact_ref(s->run->env.store, s->run->id, s->seq, json_str(item, "name", ""),
                                   json_str(item, "hash", ""), json_str(item, "media", NULL),
                                   json_int(item, "bytes", 0), err);
    return r;
}

// Claims without evidence become findings for the next gate.
static void note_claims(struct stage *s, const json_t *draft, json_t *handoff)
{
    AUTO_JSON json_t *claims = handoff_check_draft_claims(draft);
    if (json_array_size(claims) == 0)
        return;
    json_t *body = stage_facts_new(s);
    json_put(body, "claims", json_incref(claims));
    run_note(s->run, EVENT_CLAIM_UNGROUNDED, body);
    json_put(s->run->ungrounded, json_str(handoff, "id", ""), json_incref(claims));
}

// --- finishing ---

struct finish_arg {
    struct stage *s;
    json_t *draft; // own copy
    enum stage_state state;
    const char *worker;
};

static int commit_result(struct stage *s, struct finish_arg *f, json_t *handoff, int64_t rank, struct err *err)
{
    char lease[WIRE_LEASE_TEXT];
    wire_lease_text(s->lease, lease);
    struct store_result result = {.run = s->run->id,
                                  .seq = s->seq,
                                  .lease = lease,
                                  .state = f->state,
                                  .handoff_id = json_str(handoff, "id", NULL),
                                  .handoff = handoff,
                                  .receipts = json_list(f->draft, "receipts"),
                                  .worker = f->worker,
                                  .finished_ns = rank};
    int r = stage_settle(s, f->state, result.receipts, err);
    return r < 0 ? r : store_commit_stage(s->run->env.store, &result, NULL, 0, err);
}

static enum stage_state state_of(const json_t *handoff)
{
    const char *status = json_str(handoff, "status", "");
    return str_eq(status, "completed")          ? STAGE_COMPLETED
           : str_eq(status, "needs_discussion") ? STAGE_NEEDS_DISCUSSION
                                                : STAGE_BLOCKED;
}

static void finish_in_turn(struct run *run, void *arg)
{
    struct finish_arg *f = arg;
    struct stage *s = f->s;
    struct err err;
    json_t *handoff = NULL;
    int64_t rank = run_rank(run);
    int r = seal(s, f->draft, &handoff, &err);
    if (r < 0) { // what the worker sent is not a usable draft: the stage is blocked, and says so
        AUTO_JSON json_t *receipts = json_incref(json_list(f->draft, "receipts"));
        json_decref(f->draft);
        f->draft = handoff_blocked_draft_new(err.text, NULL);
        if (receipts)
            json_put(f->draft, "receipts", json_deep_copy(receipts));
        r = seal(s, f->draft, &handoff, &err);
    }
    if (r == 0 && f->state == STAGE_COMPLETED)
        f->state = state_of(handoff);
    if (r == 0)
        r = commit_result(s, f, handoff, rank, &err);
    if (r < 0) {
        uint64_t lease = s->lease;
        run_end(run, RUN_FAILED, NULL, err.text);
        json_decref(handoff);
        stage_free(s);
        pool_done(run->env.pool, lease, false);
        return;
    }
    vec_push(&run->to_acknowledge, s->lease);
    stage_remember(run, handoff, s->key, s->agent, s->bounds);
    note_claims(s, f->draft, handoff);
    json_t *body = stage_facts_new(s);
    json_put_str(body, "state", stage_state_name(f->state));
    json_put_str(body, "handoff", json_str(handoff, "id", NULL));
    json_put_str(body, "summary", json_str(handoff, "summary", NULL));
    json_put_str(body, "verdict", json_str(handoff, "verdict", NULL));
    json_put_int(body, "elapsed_ms", s->started_ns ? (clock_mono_ns() - s->started_ns) / NS_PER_MS : 0);
    run_note(run, EVENT_STAGE_FINISHED, body);
    json_t *answer = answer_of_stage_new(handoff, f->state, s->seq, s->key);
    uint64_t call = s->call;
    stage_free(s);
    f->s = NULL;
    run_reply(run, rank, call, answer);
    if (run->facts)
        vec_push(&run->to_write, json_incref(handoff));
    json_decref(handoff);
}

// The stage is over, with this draft (consumed).
void stage_finish(struct stage *s, json_t *draft_consumed, enum stage_state state, const char *worker)
{
    struct finish_arg f = {.s = s, .draft = draft_consumed, .state = state, .worker = worker};
    run_turn(s->run, finish_in_turn, &f);
    json_decref(f.draft);
}

// `reuse`: the finished stage of another run answers. Its handoff gets an identity of this run (id, parents, stage), so
// that stages behind it find their lineage here; artifacts are referenced, receipts copied, and the row says where the
// result is from.
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "run/answer.h"

#include <inttypes.h>

static bool is_whole(const struct stage *s, const json_t *handoff)
{
    size_t i;
    json_t *a;
    bool whole = handoff != NULL;
    json_array_foreach (json_list(handoff, "artifacts"), i, a)
        whole = whole && store_artifact_has(s->run->env.store, json_str(a, "hash", ""));
    return whole;
}

json_t *stage_reusable_new(const struct stage *s)
{
    if (!json_flag(s->args, "reuse", false))
        return NULL;
    json_t *other = store_stage_reusable_new(s->run->env.store, s->key, s->run->id, NULL);
    if (is_whole(s, json_obj(other, "handoff")))
        return other;
    json_decref(other); // something of it is gone: better once more than half
    return NULL;
}

static json_t *handoff_new(const struct stage *s, const json_t *other)
{
    char id[HANDOFF_ID_MAX];
    json_t *handoff = json_copy(json_obj(other, "handoff")), *parents = json_array();
    size_t i;
    json_t *parent;
    json_array_foreach (s->parents, i, parent)
        if (i >= stage_first_named(s))
            json_add_str(parents, json_str(parent, "id", ""));
    stage_choose_id(s, clock_wall_ns(), id);
    json_put_str(handoff, "id", id);
    json_put(handoff, "parent", parents);
    json_put_str(handoff, "run", s->run->id);
    json_put_int(handoff, "stage", s->seq);
    json_put_int(handoff, "attempt", s->attempt);
    int64_t depth = budget_demand(s->agent->name, s->parents, NULL).of[BUDGET_DEPTH];
    json_object_del(handoff, "depth");
    if (depth > 0)
        json_put_int(handoff, "depth", depth);
    return handoff;
}

static int refer_artifacts(const struct stage *s, const json_t *handoff, struct err *err)
{
    size_t i;
    json_t *a;
    int r = 0;
    json_array_foreach (json_list(handoff, "artifacts"), i, a)
        if (r >= 0)
            r = store_artifact_ref(s->run->env.store, s->run->id, s->seq, json_str(a, "name", ""),
                                   json_str(a, "hash", ""), json_str(a, "media", NULL), json_int(a, "bytes", 0), err);
    return r;
}

int stage_adopt(struct stage *s, const json_t *other, struct err *err)
{
    struct run *run = s->run;
    char lease[WIRE_LEASE_TEXT];
    wire_lease_text(s->lease, lease);
    AUTO_JSON json_t *handoff = handoff_new(s, other);
    AUTO_FREE char *from = str_printf("%s/%" PRId64, json_str(other, "run", "?"), json_int(other, "seq", 0));
    struct store_result result = {.run = run->id,
                                  .seq = s->seq,
                                  .lease = lease,
                                  .state = STAGE_COMPLETED,
                                  .handoff_id = json_str(handoff, "id", NULL),
                                  .handoff = handoff,
                                  .receipts = json_list(other, "receipts"),
                                  .worker = json_str(other, "worker", NULL),
                                  .reused_from = from,
                                  .finished_ns = run_rank(run)};
    int r = refer_artifacts(s, handoff, err);
    if (r >= 0)
        r = store_commit_stage(run->env.store, &result, NULL, 0, err);
    if (r < 0)
        return r;
    stage_remember(run, handoff, s->key, s->agent, s->bounds);
    json_t *body = stage_facts_new(s);
    json_put_str(body, "state", stage_state_name(STAGE_COMPLETED));
    json_put_str(body, "handoff", json_str(handoff, "id", NULL));
    json_put_str(body, "summary", json_str(handoff, "summary", NULL));
    json_put_str(body, "from", from);
    run_note(run, EVENT_STAGE_REUSED, body);
    json_t *answer = answer_of_stage_new(handoff, STAGE_COMPLETED, s->seq, s->key);
    uint64_t call = s->call;
    stage_free(s);
    run_reply(run, result.finished_ns, call, answer);
    if (run->facts)
        vec_push(&run->to_write, json_incref(handoff));
    return 0;
}

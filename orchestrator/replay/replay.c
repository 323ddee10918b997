#include "replay/replay.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "replay/replay_internal.h"
#include "run/answer.h"
#include "run/loops.h"
#include "run/words.h"
#include "script/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const json_t *find_call(const struct replay *r, const char *task, unsigned n)
{
    size_t i;
    json_t *call;
    json_array_foreach (r->calls, i, call)
        if (str_eq(json_str(call, "task", ""), task) && json_int(call, "n", -1) == (int64_t)n)
            return call;
    return NULL;
}

static const json_t *find_stage(const struct replay *r, const char *key, int64_t occurrence)
{
    size_t i;
    json_t *stage;
    json_array_foreach (r->stages, i, stage)
        if (str_eq(json_str(stage, "key", ""), key) && json_int(stage, "occurrence", 0) == occurrence)
            return stage;
    return NULL;
}

// --- stages ---

static struct words_stage words_of(const json_t *stage)
{
    return (struct words_stage){.seq = (int)json_int(stage, "seq", 0),
                                .agent = json_str(stage, "agent", NULL),
                                .mode = json_str(stage, "mode", NULL),
                                .request = json_obj(stage, "request")};
}

// The stage of a journaled call; NULL: none was begun.
static const json_t *stage_of_call(const struct replay *r, const json_t *call)
{
    const json_t *answer = str_eq(json_str(call, "op", ""), "stage") ? json_obj(call, "answer") : NULL;
    return answer ? find_stage(r, json_str(answer, "key", ""), json_int(answer, "occurrence", 0)) : NULL;
}

static void differ_key(struct replay *r, const char *task, unsigned n, const json_t *args, const json_t *call,
                       const struct asked *asked, bool known)
{
    const json_t *stage = stage_of_call(r, call);
    const char *before = json_str(json_obj(call, "answer"), "key", "");
    const struct words_stage was = words_of(stage),
                             is = {.agent = known ? asked->agent : json_str(args, "agent", "?"),
                                   .mode = known ? asked->focus.mode : json_str(args, "mode", NULL),
                                   .request = args};
    AUTO_FREE char *journaled = stage ? words_of_stage_new(&was, &is) : str_dup("a stage that was not begun");
    AUTO_FREE char *now = words_of_stage_new(&is, &was);
    AUTO_FREE char *parts = stage ? words_of_change_new(&was, &is) : NULL;
    json_t *d = replay_differ(r, task, n, "stage", known ? "key" : "agent or parent", journaled, now);
    replay_add_hashes(d, before, known ? asked->key : NULL);
    if (d)
        json_put_str(d, "parts", known ? parts : "not of this run");
}

// Another call than the journaled one, which may be NULL.
static void differ_call(struct replay *r, const char *task, unsigned n, const char *op, const json_t *args,
                        const json_t *call)
{
    const json_t *stage = stage_of_call(r, call);
    const struct words_stage was = words_of(stage), is = {.agent = json_str(args, "agent", "?"),
                                                          .mode = json_str(args, "mode", NULL),
                                                          .request = args};
    AUTO_FREE char *journaled = stage ? words_of_stage_new(&was, NULL) : words_of_record_new(call);
    AUTO_FREE char *now = str_eq(op, "stage") ? words_of_stage_new(&is, NULL) : words_of_call_new(op, args);
    replay_differ(r, task, n, op, "call", journaled, now);
}

// The engine stops what goes nowhere, in the run and here.
static void decide_loop(struct replay *r, const char *task, unsigned n, const json_t *args, const struct asked *asked,
                        const json_t *call, bool begun)
{
    const json_t *before = json_obj(json_obj(call, "answer"), "stopped");
    json_t *now = json_flag(args, "repeats", false)
                      ? NULL
                      : loops_check_new(r->loops, task, asked->agent, asked->input, asked->parents);
    const char *was = begun || !before ? "went on" : json_str(before, "reason", "?"),
               *is = now ? json_str(now, "reason", "?") : "goes on";
    if (now ? !str_eq(was, is) : !begun && before)
        replay_differ(r, task, n, "stage", "loop", was, is);
    if (!begun && now) {
        r->stopped_as = RUN_NEEDS_DISCUSSION;
        r->stopped = json_object();
        json_put_str(r->stopped, "reason", is);
        json_put(r->stopped, "loop", json_incref(now));
    }
    json_decref(now);
}

// Says what differs. True: the run ends here, in the journal or now.
static bool compare_walls(struct replay *r, const char *task, unsigned n, const char *op, struct walls_answer *a)
{
    const char *run = json_str(r->run, "id", "");
    AUTO_FREE char *then = a->then ? budget_wall_text_new(a->then, run) : str_dup("went on");
    AUTO_FREE char *now = a->now ? budget_wall_text_new(a->now, run) : str_dup("goes on");
    bool ends = a->then || a->now;
    if (ends && !str_eq(then, now))
        replay_differ(r, task, n, op, "budget", then, now);
    if (a->now) {
        json_decref(r->stops);
        r->stops = json_object();
        json_put_str(r->stops, "reason", now);
        json_put(r->stops, "budget", json_incref(a->now));
    }
    json_decref(a->then);
    json_decref(a->now);
    return ends;
}

static void halt(struct replay *r)
{
    r->halted = true;
    r->unknown = !r->stops;
    r->stopped = r->stops;
    r->stopped_as = RUN_OVER_BUDGET;
    r->stops = NULL;
}

static bool decide_wall(struct replay *r, const char *op, const struct walls_question *q)
{
    struct walls_answer a = walls_decide(r->walls, q);
    if (!compare_walls(r, q->task, q->n, op, &a))
        return false;
    halt(r);
    return true;
}

static void reply_later(struct replay *r, int64_t rank, uint64_t call, json_t *answer_consumed);

// What a stage may use, as the engine sets it aside. True: it is not begun, or ends before its answer.
static bool decide_stage_wall(struct replay *r, const char *task, unsigned n, const json_t *args,
                              const struct asked *asked, const json_t *stage)
{
    if (r->stopped || json_str(stage, "reused_from", NULL))
        return r->stopped != NULL;
    AUTO_JSON json_t *limits = budget_limits_new(json_obj(args, "limits"), NULL);
    const struct walls_question q = {.task = task,
                                     .n = n,
                                     .seq = (int)json_int(stage, "seq", 0),
                                     .demand = budget_demand(asked->agent, asked->parents, limits),
                                     .completed =
                                         str_eq(json_str(stage, "state", ""), stage_state_name(STAGE_COMPLETED)),
                                     .receipts = json_list(stage, "receipts")};
    if (decide_wall(r, "stage", &q))
        return true;
    struct walls_answer attempt = walls_decide_attempt(r->walls, &q);
    if (!attempt.at_ns)
        return false;
    compare_walls(r, task, n, "stage", &attempt);
    reply_later(r, attempt.at_ns, 0, NULL);
    return true;
}

static int answer_stage(struct replay *r, const char *task, unsigned n, const json_t *args, const json_t *call,
                        json_t **ret)
{
    const json_t *journaled = json_obj(call, "answer");
    const char *before = json_str(journaled, "key", "");
    struct asked asked = {0};
    bool known = past_asks(&r->past, args, json_str(journaled, "worker", ""), &asked);
    AUTO_JSON json_t *parents = asked.parents, *bounds = asked.bounds; // dropped at the end
    (void)parents;
    if (!known || !str_eq(asked.key, before))
        differ_key(r, task, n, args, call, &asked, known);
    const json_t *stage = find_stage(r, known ? asked.key : before, json_int(journaled, "occurrence", 0));
    if (!stage) // decided differently: go on with what was journaled, as far as it carries
        stage = find_stage(r, before, json_int(journaled, "occurrence", 0));
    if (known)
        decide_loop(r, task, n, args, &asked, call, stage != NULL);
    if (known && decide_stage_wall(r, task, n, args, &asked, stage))
        return 0;
    enum stage_state state = STAGE_RESERVED;
    if (!stage || !stage_state_from_name(json_str(stage, "state", ""), &state) || !stage_state_final(state))
        return 0; // the run ended before it did
    const json_t *handoff = json_obj(stage, "handoff");
    int seq = (int)json_int(stage, "seq", 0);
    past_remember(&r->past, handoff, json_str(stage, "key", NULL), bounds);
    if (known)
        loops_placed(r->loops, seq, task, asked.agent, asked.focus.mode, asked.input);
    *ret = answer_of_stage_new(handoff, state, seq, json_str(stage, "key", NULL));
    return 0;
}

// --- the host ---

// What came later than the call itself stands beside it.
static const json_t *find_beside(const struct replay *r, const char *task, unsigned n)
{
    AUTO_FREE char *place = str_printf("%s~", task);
    return json_object_get(find_call(r, place, n), "answer");
}

// When the journal has the answer of this call; 0: it came at once.
static int64_t rank_of(const struct replay *r, const char *task, unsigned n, const char *op, const json_t *answer)
{
    if (str_eq(op, "approve") || str_eq(op, "child") || str_eq(op, "signal"))
        return json_int(answer, "at_ns", 0);
    if (str_eq(op, "sleep"))
        return json_integer_value(find_beside(r, task, n));
    size_t i;
    json_t *stage;
    json_array_foreach (r->stages, i, stage)
        if (str_eq(op, "stage") && json_int(stage, "seq", 0) == json_int(answer, "stage", -1))
            return json_int(stage, "finished_ns", 0);
    return 0;
}

static void reply_later(struct replay *r, int64_t rank, uint64_t call, json_t *answer_consumed)
{
    const struct replay_reply reply = {rank, call, answer_consumed};
    vec_push(&r->replies, reply);
    size_t at = r->replies.len - 1;
    for (; at > 0 && r->replies.items[at - 1].rank <= rank; at--)
        r->replies.items[at] = r->replies.items[at - 1];
    r->replies.items[at] = reply;
}

static void hear(struct replay *r, const json_t *answer)
{
    const char *id = json_str(answer, "id", "");
    const json_t *handoff = json_int(answer, "stage", 0) ? json_obj(r->past.handoffs, id) : NULL;
    if (handoff)
        loops_heard(r->loops, json_int(answer, "stage", 0), handoff, json_str(r->past.contents, id, ""));
    else
        loops_news(r->loops);
}

// Each when the script has asked for all it asks before: tasks see each other come by as in the run.
static void give_replies(struct replay *r)
{
    while (r->replies.len) {
        struct replay_reply reply = r->replies.items[--r->replies.len];
        struct err late;
        if (!reply.answer && !r->halted)
            halt(r);
        if (r->halted || reply.rank > r->undo_ns) {
            json_decref(reply.answer);
            continue;
        }
        hear(r, reply.answer);
        script_answer(r->script, reply.call, reply.answer, NULL, &late);
        json_decref(reply.answer);
    }
}

// The answers that are not what stands at the call's own place. *ret stays NULL when the run ended before the answer
// came.
static int answer_later(struct replay *r, const char *task, unsigned n, const char *op, const json_t *answer,
                        json_t **ret, struct err *err)
{
    const json_t *beside = find_beside(r, task, n);
    if (json_str(answer, "error", NULL))
        return err_set(err, ERR_INVALID, "%s", json_str(answer, "error", ""));
    if (beside)
        *ret = str_eq(op, "sleep") ? json_null() : json_deep_copy(beside);
    return 0;
}

// *ret stays NULL when the run ended before.
static int decide_child(struct replay *r, const char *task, unsigned n, const json_t *answer, json_t **ret,
                        struct err *err)
{
    const struct walls_question q = {.task = task,
                                     .n = n,
                                     .child = json_str(answer, "run", NULL),
                                     .demand = {.of = {[BUDGET_DELEGATIONS] = 1}},
                                     .completed = true};
    if (decide_wall(r, "child", &q))
        return err_set(err, ERR_CANCELLED, "the run is over its budget");
    return answer_later(r, task, n, "child", answer, ret, err);
}

// *ret stays NULL when the run ended before the answer came.
static int decide_call(struct replay *r, const char *task, unsigned n, const char *op, const json_t *args, json_t **ret,
                       struct err *err)
{
    const json_t *call = find_call(r, task, n);
    if (!call && str_eq(op, "child") && walls_stood(r->walls, task, n)) // nothing was begun, nothing journaled
        return decide_child(r, task, n, NULL, ret, err);
    if (!call || !str_eq(json_str(call, "op", ""), op)) {
        differ_call(r, task, n, op, args, call);
        return err_set(err, ERR_CANCELLED, "the script asks for '%s' where the journal has %s", op,
                       call ? json_str(call, "op", "?") : "nothing");
    }
    r->answered++;
    if (str_eq(op, "stage"))
        return answer_stage(r, task, n, args, call, ret);
    char hash[HASH_TEXT];
    json_hash(args, hash);
    const char *before = json_str(call, "request_hash", "");
    if (!str_eq(hash, before)) {
        AUTO_FREE char *was = words_of_record_new(call);
        AUTO_FREE char *is = words_of_call_new(op, args);
        replay_add_hashes(replay_differ(r, task, n, op, "arguments", was, is), before, hash);
    }
    const json_t *answer = json_object_get(call, "answer");
    if (str_eq(op, "gate")) {
        const char *id = json_str(args, "id", "");
        bool open = json_flag(answer, "open", false);
        AUTO_JSON json_t *now =
            answer_of_gate_new(args, json_object_get(r->past.handoffs, id), json_object_get(r->ungrounded, id) != NULL);
        if (open != json_flag(now, "open", false))
            replay_differ(r, task, n, op, "gate", json_str(answer, "reason", ""), json_str(now, "reason", ""));
    }
    if (str_eq(op, "continue")) {
        r->continued = true;
        return err_set(err, ERR_CANCELLED, "it went on in another run");
    }
    if (str_eq(op, "child"))
        return decide_child(r, task, n, answer, ret, err);
    if (str_eq(op, "sleep"))
        return answer_later(r, task, n, op, answer, ret, err);
    *ret = str_eq(op, "publish") ? json_null() : json_deep_copy(answer);
    return 0;
}

static int on_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                   json_t **ret, struct err *err)
{
    struct replay *r = ctx;
    json_t *answer = NULL;
    if (r->halted)
        return err_set(err, ERR_CANCELLED, "the run is ending");
    r->line = script_line(r->script, call_id);
    int status = decide_call(r, task, n, op, args, &answer, err);
    int64_t rank = status == 0 && answer ? rank_of(r, task, n, op, answer) : 0;
    if (rank)
        reply_later(r, rank, call_id, answer);
    else
        *ret = answer;
    return status;
}

// --- the whole ---

static int load_agents(struct replay *r, struct err *err)
{
    for (void *at = json_object_iter(json_obj(r->run, "agents")); at;
         at = json_object_iter_next(json_obj(r->run, "agents"), at)) {
        const char *name = json_object_iter_key(at), *hash = json_string_value(json_object_iter_value(at));
        char *text = NULL;
        size_t len = 0;
        int status = bundle_blob(r->bundle, hash, &text, &len, err);
        if (status == 0)
            status = past_add_agent(&r->past, name, hash, text, len, err);
        mem_free(text);
        if (status < 0)
            return status;
    }
    return 0;
}

static void note_ungrounded(struct replay *r, const json_t *events)
{
    size_t i;
    json_t *event, *stage;
    json_array_foreach (events, i, event) {
        if (!str_eq(json_str(event, "kind", ""), "claim_ungrounded"))
            continue;
        size_t k;
        json_array_foreach (r->stages, k, stage)
            if (json_int(stage, "seq", 0) == json_int(json_obj(event, "body"), "stage", -1))
                json_put(r->ungrounded, json_str(stage, "handoff_id", ""), json_true());
    }
}

// Limits of the run and of another script.
static int load_limits(struct replay *r, const char *name, bool other, const json_t *given, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    AUTO_JSON json_t *now = script_declaration_new(r->script), *then = NULL;
    int status = other ? bundle_blob(r->bundle, json_str(r->run, "script_hash", ""), &text, &len, err) : 0;
    if (status == 0 && other && !(then = script_declare_new(text, len, name, NULL, err)))
        status = -(int)err->code;
    mem_free(text);
    return status < 0 ? status
                      : walls_set_limits(r->walls, json_obj(other ? then : now, "limits"), json_obj(now, "limits"),
                                         given, err);
}

static int load(struct replay *r, const char *script_text, const json_t *limits, struct err *err)
{
    r->run = bundle_part_new(r->bundle, "run", err);
    r->stages = r->run ? bundle_part_new(r->bundle, "stages", err) : NULL;
    r->calls = r->stages ? bundle_part_new(r->bundle, "calls", err) : NULL;
    AUTO_JSON json_t *events = r->calls ? bundle_part_new(r->bundle, "events", err) : NULL;
    if (!events)
        return -(int)err->code;
    note_ungrounded(r, events);
    const json_t *workspace = find_call(r, "engine", 0);
    r->past.run = r->run;
    r->walls = walls_new(r->run, events);
    r->past.base = json_str(json_obj(workspace, "answer"), "base", NULL);
    int status = load_agents(r, err);
    char *text = script_text ? str_dup(script_text) : NULL;
    size_t len = text ? strlen(text) : 0;
    if (status == 0 && !text)
        status = bundle_blob(r->bundle, json_str(r->run, "script_hash", ""), &text, &len, err);
    AUTO_FREE char *name = str_printf("%s.lua", json_str(r->run, "workflow", "workflow"));
    if (status == 0)
        status = script_load(text, len, name, NULL, &r->script, err);
    mem_free(text);
    return status < 0 ? status : load_limits(r, name, script_text != NULL, limits, err);
}

static void note_end(struct replay *r)
{
    bool done = script_state(r->script) == SCRIPT_DONE;
    const struct err *failure = r->continued ? NULL : script_error(r->script);
    bool limited = failure && failure->code == ERR_LIMIT; // one of the script itself
    r->end.outcome = str_dup(r->continued ? run_state_name(RUN_CONTINUED)
                             : done       ? json_str(script_result(r->script), "outcome", "accepted")
                                          : run_state_name(limited ? RUN_OVER_BUDGET : RUN_FAILED));
    r->end.line = script_end_line(r->script);
    r->end.failure = failure ? str_dup(failure->text) : NULL;
    r->end.result = json_incref(json_object_get(script_result(r->script), "result"));
}

// Its handlers of failure, where the run began them.
static int undo(struct replay *r, struct err *err)
{
    const json_t *begun = json_obj(find_call(r, "engine", 1), "answer");
    if (!begun || (r->halted && json_array_size(r->differences) > 0)) // it ended elsewhere
        return 0;
    r->halted = false;
    r->undo_ns = INT64_MAX;
    AUTO_JSON json_t *why = json_object();
    json_put_str(why, "outcome", json_str(begun, "state", NULL));
    json_put_str(why, "reason", json_str(begun, "reason", NULL));
    int status = script_undo(r->script, why, err);
    give_replies(r);
    return status;
}

int replay_run(struct bundle *bundle, const char *script_text, const json_t *limits, json_t **ret, struct err *err)
{
    struct replay r = {
        .bundle = bundle, .loops = loops_new(), .ungrounded = json_object(), .differences = json_array()};
    past_init(&r.past, NULL, NULL);
    int status = load(&r, script_text, limits, err);
    struct script_host host = {.ctx = &r, .call = on_call};
    if (status == 0)
        r.undo_ns = json_int(json_obj(find_call(&r, "engine", 1), "answer"), "at_ns", INT64_MAX);
    if (status == 0)
        status = script_start(r.script, json_obj(r.run, "params"), &host, err);
    if (status == 0) {
        give_replies(&r);
        note_end(&r);
        status = undo(&r, err);
    }
    if (status == 0) {
        *ret = json_object();
        replay_judge(&r, *ret);
    }
    mem_free(r.end.outcome);
    mem_free(r.end.failure);
    json_decref(r.end.result);
    script_free(r.script);
    loops_free(r.loops);
    walls_free(r.walls);
    past_clear(&r.past);
    while (r.replies.len)
        json_decref(r.replies.items[--r.replies.len].answer);
    vec_free(&r.replies);
    json_t *const values[] = {r.run, r.stages, r.calls, r.stopped, r.stops, r.ungrounded, r.differences};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    return status;
}

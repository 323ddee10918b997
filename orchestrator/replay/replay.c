#include "replay/replay.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "replay/past.h"
#include "run/answer.h"
#include "run/loops.h"
#include "run/words.h"
#include "script/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIFFERENCES_MAX 200

struct replay_reply { // an answer that waits for its turn: when it came decides
    int64_t rank;
    uint64_t call;
    json_t *answer;
};

struct replay {
    struct bundle *bundle;
    json_t *run, *stages, *calls; // parts
    json_t *ungrounded;           // handoff id -> true
    struct past past;
    struct loops *loops;
    json_t *stopped;                  // why the engine ended the run here
    VEC(struct replay_reply) replies; // latest first
    int64_t undo_ns;                  // answers that came later did not reach the script: its handlers of failure ran
    bool continued;                   // it asked to go on in another run
    struct {                          // how the script itself ended, before its handlers
        char *outcome, *failure;
        int line;
        json_t *result;
    } end;
    struct script *script;
    json_t *differences;
    int line; // of the script, where it is now
    size_t answered;
};

// Returns it, for more members, borrowed; NULL when there are too many.
static json_t *differ(struct replay *r, const char *task, unsigned n, const char *op, const char *what,
                      const char *journaled, const char *now)
{
    if (json_array_size(r->differences) >= DIFFERENCES_MAX)
        return NULL;
    json_t *d = json_object();
    json_put_str(d, "task", task);
    json_put_int(d, "n", n);
    json_put_int(d, "line", r->line);
    json_put_str(d, "op", op);
    json_put_str(d, "what", what);
    json_put_str(d, "journaled", journaled);
    json_put_str(d, "now", now);
    json_array_append_new(r->differences, d);
    return d;
}

static void add_hashes(json_t *difference, const char *journaled, const char *now)
{
    if (!difference)
        return;
    json_put_str(difference, "journaled_hash", journaled);
    json_put_str(difference, "now_hash", now);
}

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
    json_t *d = differ(r, task, n, "stage", known ? "key" : "agent or parent", journaled, now);
    add_hashes(d, before, known ? asked->key : NULL);
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
    differ(r, task, n, op, "call", journaled, now);
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
        differ(r, task, n, "stage", "loop", was, is);
    if (!begun && now) {
        r->stopped = json_object();
        json_put_str(r->stopped, "reason", is);
        json_put(r->stopped, "loop", json_incref(now));
    }
    json_decref(now);
}

static int answer_stage(struct replay *r, const char *task, unsigned n, const json_t *args, const json_t *call,
                        json_t **ret)
{
    const json_t *journaled = json_obj(call, "answer");
    const char *before = json_str(journaled, "key", "");
    struct asked asked = {0};
    bool known = past_asks(&r->past, args, json_str(journaled, "worker", ""), &asked);
    AUTO_JSON json_t *parents = asked.parents; // dropped at the end
    (void)parents;
    if (!known || !str_eq(asked.key, before))
        differ_key(r, task, n, args, call, &asked, known);
    const json_t *stage = find_stage(r, known ? asked.key : before, json_int(journaled, "occurrence", 0));
    if (!stage) // decided differently: go on with what was journaled, as far as it carries
        stage = find_stage(r, before, json_int(journaled, "occurrence", 0));
    if (known)
        decide_loop(r, task, n, args, &asked, call, stage != NULL);
    enum stage_state state = STAGE_RESERVED;
    if (!stage || !stage_state_from_name(json_str(stage, "state", ""), &state) || !stage_state_final(state))
        return 0; // the run ended before it did
    const json_t *handoff = json_obj(stage, "handoff");
    int seq = (int)json_int(stage, "seq", 0);
    past_remember(&r->past, handoff, json_str(stage, "key", NULL));
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
        if (reply.rank > r->undo_ns) {
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

// *ret stays NULL when the run ended before the answer came.
static int decide_call(struct replay *r, const char *task, unsigned n, const char *op, const json_t *args, json_t **ret,
                       struct err *err)
{
    const json_t *call = find_call(r, task, n);
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
        add_hashes(differ(r, task, n, op, "arguments", was, is), before, hash);
    }
    const json_t *answer = json_object_get(call, "answer");
    if (str_eq(op, "gate")) {
        const char *id = json_str(args, "id", "");
        bool open = json_flag(answer, "open", false);
        AUTO_JSON json_t *now =
            answer_of_gate_new(args, json_object_get(r->past.handoffs, id), json_object_get(r->ungrounded, id) != NULL);
        if (open != json_flag(now, "open", false))
            differ(r, task, n, op, "gate", json_str(answer, "reason", ""), json_str(now, "reason", ""));
    }
    if (str_eq(op, "continue")) {
        r->continued = true;
        return err_set(err, ERR_CANCELLED, "it went on in another run");
    }
    if (str_eq(op, "sleep") || str_eq(op, "child"))
        return answer_later(r, task, n, op, answer, ret, err);
    *ret = str_eq(op, "publish") ? json_null() : json_deep_copy(answer);
    return 0;
}

static int on_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                   json_t **ret, struct err *err)
{
    struct replay *r = ctx;
    json_t *answer = NULL;
    r->line = script_line(r->script, call_id);
    int status = decide_call(r, task, n, op, args, &answer, err);
    int64_t rank = status == 0 && answer ? rank_of(r, task, n, op, answer) : 0;
    if (rank)
        reply_later(r, rank, call_id, answer);
    else
        *ret = answer;
    return status;
}

// --- the final hash ---

// differences: what was decided differently, NULL for the run as it was journaled.
static void final_hash(const struct replay *r, const char *state, const json_t *result, const json_t *differences,
                       char out[HASH_TEXT])
{
    AUTO_JSON json_t *v = json_object();
    json_t *stages = json_array();
    size_t i;
    json_t *stage;
    json_array_foreach (r->stages, i, stage) {
        char hash[HASH_TEXT];
        json_hash(json_object_get(stage, "handoff"), hash);
        json_t *row = json_object();
        json_put_str(row, "key", json_str(stage, "key", NULL));
        json_put_int(row, "occurrence", json_int(stage, "occurrence", 0));
        json_put_str(row, "state", json_str(stage, "state", NULL));
        json_put_str(row, "handoff", hash);
        json_array_append_new(stages, row);
    }
    json_put_str(v, "state", state);
    json_put(v, "result", result ? json_deep_copy(result) : json_null());
    json_put(v, "stages", stages);
    if (json_array_size(differences) > 0)
        json_put(v, "differences", json_deep_copy(differences));
    json_hash(v, out);
}

// What the script itself finished with: the engine adds outcome, reason and git facts to it.
static json_t *script_part_new(const json_t *result)
{
    json_t *copy = json_is_object(result) ? json_deep_copy(result) : json_object();
    if (result && !json_is_object(result))
        json_put(copy, "value", json_deep_copy(result));
    json_object_del(copy, "outcome");
    json_object_del(copy, "git");
    json_object_del(copy, "undone");
    json_object_del(copy, "continued_as");
    return copy;
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

static int load(struct replay *r, const char *script_text, struct err *err)
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
    return status;
}

static void note_end(struct replay *r)
{
    bool done = script_state(r->script) == SCRIPT_DONE;
    const struct err *failure = r->continued ? NULL : script_error(r->script);
    r->end.outcome = str_dup(r->continued ? run_state_name(RUN_CONTINUED)
                             : done       ? json_str(script_result(r->script), "outcome", "accepted")
                                          : "failed");
    r->end.line = script_end_line(r->script);
    r->end.failure = failure ? str_dup(failure->text) : NULL;
    r->end.result = json_incref(json_object_get(script_result(r->script), "result"));
}

// Its handlers of failure, where the run began them.
static int undo(struct replay *r, struct err *err)
{
    const json_t *begun = json_obj(find_call(r, "engine", 1), "answer");
    if (!begun)
        return 0;
    r->undo_ns = INT64_MAX;
    AUTO_JSON json_t *why = json_object();
    json_put_str(why, "outcome", json_str(begun, "state", NULL));
    json_put_str(why, "reason", json_str(begun, "reason", NULL));
    int status = script_undo(r->script, why, err);
    give_replies(r);
    return status;
}

static void differ_result(struct replay *r, const json_t *journaled, const json_t *now)
{
    char hash[HASH_TEXT], now_hash[HASH_TEXT];
    json_hash(journaled, hash);
    json_hash(now, now_hash);
    if (str_eq(hash, now_hash))
        return;
    AUTO_FREE char *was = words_of_value_new(journaled, now);
    AUTO_FREE char *is = words_of_value_new(now, journaled);
    add_hashes(differ(r, "0", 0, "finish", "result", was, is), hash, now_hash);
}

static void judge(struct replay *r, json_t *out)
{
    const char *state = json_str(r->run, "state", "?");
    const json_t *result = json_obj(r->run, "result");
    const char *failure = r->end.failure, *now = r->end.outcome;
    AUTO_JSON json_t *journaled_part = script_part_new(result);
    AUTO_JSON json_t *now_part = script_part_new(r->end.result);
    if (failure && !json_str(now_part, "reason", NULL))
        json_put_str(now_part, "reason", failure);
    if (r->stopped) {
        now = run_state_name(RUN_NEEDS_DISCUSSION);
        json_decref(now_part);
        now_part = json_incref(r->stopped);
        failure = NULL;
    }
    bool ended_by_script = str_eq(state, "failed") || str_eq(state, "accepted") || str_eq(state, "rejected") ||
                           str_eq(state, "needs_discussion") || str_eq(state, "nothing_measurable") ||
                           str_eq(state, "continued");
    r->line = r->end.line;
    if (ended_by_script && (str_eq(state, now) || (!failure && !r->stopped)))
        differ_result(r, journaled_part, now_part);
    if (ended_by_script && !str_eq(state, now))
        differ(r, "0", 0, "finish", "outcome", state, failure && !str_eq(now, state) ? failure : now);
    if (!ended_by_script) { // cancelled, timed out …: the script has no say in it
        json_decref(now_part);
        now_part = json_deep_copy(journaled_part);
        now = state;
    }
    char hash[HASH_TEXT], replay_hash[HASH_TEXT];
    final_hash(r, state, journaled_part, NULL, hash);
    final_hash(r, now, now_part, r->differences, replay_hash);
    json_put_str(out, "run", json_str(r->run, "id", NULL));
    json_put_str(out, "state", state);
    json_put_str(out, "outcome", now);
    json_put_flag(out, "same", json_array_size(r->differences) == 0 && str_eq(hash, replay_hash));
    json_put_int(out, "stages", (int64_t)json_array_size(r->stages));
    json_put_int(out, "calls", (int64_t)r->answered);
    json_put(out, "differences", json_incref(r->differences));
    json_put_str(out, "hash", hash);
    json_put_str(out, "replay_hash", replay_hash);
}

int replay_run(struct bundle *bundle, const char *script_text, json_t **ret, struct err *err)
{
    struct replay r = {
        .bundle = bundle, .loops = loops_new(), .ungrounded = json_object(), .differences = json_array()};
    past_init(&r.past, NULL, NULL);
    int status = load(&r, script_text, err);
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
        judge(&r, *ret);
    }
    mem_free(r.end.outcome);
    mem_free(r.end.failure);
    json_decref(r.end.result);
    script_free(r.script);
    loops_free(r.loops);
    past_clear(&r.past);
    while (r.replies.len)
        json_decref(r.replies.items[--r.replies.len].answer);
    vec_free(&r.replies);
    json_t *const values[] = {r.run, r.stages, r.calls, r.stopped, r.ungrounded, r.differences};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    return status;
}

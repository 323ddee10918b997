// What a script asks for, but stages: the table of it, its journal, and what is answered at once (gate, now, random).
#include "run/calls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "run/answer.h"

// --- the journal of calls ---

// Of a run that was taken up again: what the same task was answered to the same question before. It moves to its new
// place.
static json_t *answered_before_new(struct run *run, const struct call *c, const char *hash, struct err *err)
{
    json_t *answer = store_call_take_old_new(run->env.store, run->id, c->task, c->op, hash, err);
    if (!answer && err->code == ERR_NOT_FOUND)
        err_clear(err);
    if (answer && store_call_put(run->env.store, run->id, c->task, c->n, c->op, hash, answer, err) < 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

json_t *call_record_new(struct run *run, const char *task, unsigned n, struct err *err)
{
    if (!run->resumed) {
        err_set(err, ERR_NOT_FOUND, "nothing is journaled of run '%s' before this process", run->id);
        return NULL;
    }
    const struct journaled *j = run_journaled(run, err);
    const struct journaled_call *of_stage = j ? journaled_call(j, task, n) : NULL;
    if (!j || !of_stage || !of_stage->in_stage)
        return j ? store_call_get_new(run->env.store, run->id, task, n, err) : NULL;
    json_t *record = json_object(), *answer = json_object();
    json_put_str(record, "task", task);
    json_put_int(record, "n", n);
    json_put_str(record, "op", "stage");
    json_put_str(record, "request_hash", of_stage->key);
    json_put_str(answer, "key", of_stage->key);
    json_put_int(answer, "occurrence", of_stage->occurrence);
    json_put(record, "answer", answer);
    return record;
}

json_t *call_journaled_new(struct run *run, const struct call *c, struct err *err)
{
    char hash[HASH_TEXT];
    err_clear(err);
    if (!run->resumed)
        return NULL;
    json_hash(c->args, hash);
    json_t *record = call_record_new(run, c->task, c->n, err);
    if (!record) {
        if (err->code == ERR_NOT_FOUND)
            err_clear(err);
        return err->code == ERR_OK && run->reopened ? answered_before_new(run, c, hash, err) : NULL;
    }
    json_t *answer = NULL;
    const char *op = json_str(record, "op", "?");
    if (str_eq(op, c->op) && str_eq(json_str(record, "request_hash", ""), hash))
        answer = json_incref(json_object_get(record, "answer"));
    else
        call_diverged(run, c, record, err);
    json_decref(record);
    return answer;
}

int call_put(struct run *run, const struct call *c, const json_t *answer, struct err *err)
{
    char hash[HASH_TEXT];
    json_hash(c->args, hash);
    return store_call_put(run->env.store, run->id, c->task, c->n, c->op, hash, answer, err);
}

int call_put_beside(struct run *run, const char *task, unsigned n, const char *what, const json_t *answer,
                    struct err *err)
{
    AUTO_FREE char *place = str_printf("%s~", task);
    return store_call_put(run->env.store, run->id, place, n, what, "", answer, err);
}

json_t *call_beside_new(struct run *run, const char *task, unsigned n)
{
    if (!run->resumed)
        return NULL;
    AUTO_FREE char *place = str_printf("%s~", task);
    AUTO_JSON json_t *record = store_call_get_new(run->env.store, run->id, place, n, NULL);
    return record ? json_incref(json_object_get(record, "answer")) : NULL;
}

int call_answer_fresh(struct run *run, const struct call *c, json_t *fresh, json_t **ret, struct err *err)
{
    AUTO_JSON json_t *mine = fresh;
    json_t *before = call_journaled_new(run, c, err);
    if (err->code != ERR_OK)
        return -(int)err->code;
    if (!before) {
        int r = call_put(run, c, mine, err);
        if (r < 0)
            return r;
        before = json_incref(mine);
    }
    *ret = before;
    return 0;
}

// --- gate ---

static void note_gate(struct run *run, const json_t *args, bool open, const char *reason)
{
    json_t *body = json_object();
    json_put_str(body, "handoff", json_str(args, "id", NULL));
    json_put_str(body, "reason", reason);
    run_note(run, open ? EVENT_GATE_OPENED : EVENT_GATE_CLOSED, body);
}

static int begin_gate(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    json_t *before = call_journaled_new(run, c, err);
    if (before || err->code != ERR_OK) {
        *ret = before;
        return before ? 0 : -(int)err->code;
    }
    const char *id = json_str(c->args, "id", "");
    AUTO_JSON json_t *answer =
        answer_of_gate_new(c->args, json_object_get(run->handoffs, id), json_object_get(run->ungrounded, id) != NULL);
    int r = call_put(run, c, answer, err);
    if (r < 0)
        return r;
    if (r == 0)
        note_gate(run, c->args, json_flag(answer, "open", false), json_str(answer, "reason", ""));
    *ret = json_incref(answer);
    return 0;
}

// --- the table ---

static int begin_stage(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    return stage_begin(run, c->id, c->task, c->n, c->args, ret, err);
}

static int begin_sleep(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    (void)ret;
    return sleep_begin(run, c, err);
}

static int begin_signal(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    (void)ret;
    return signal_begin(run, c, err);
}

static int begin_continue(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    (void)ret;
    return continue_begin(run, c, err);
}

static int begin_child(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    (void)ret;
    return child_begin(run, c, err);
}

static int begin_now(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    return call_answer_fresh(run, c, json_real((double)clock_wall_ns() / 1e9), ret, err);
}

static int begin_random(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    return call_answer_fresh(run, c, json_real((double)(id_random_u64() >> 11) * 0x1p-53), ret, err);
}

// The newest run of this workflow on this project that ended so. Journaled, as other runs end meanwhile.
static int begin_last_run(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    AUTO_JSON json_t *own = store_run_get_new(run->env.store, run->id, err);
    const struct store_run_filter filter = {.project = json_str(own, "project", NULL),
                                            .workflow = json_str(own, "workflow", NULL),
                                            .state = json_str(c->args, "outcome", ""),
                                            .limit = 1};
    AUTO_JSON json_t *found = own ? store_run_list_new(run->env.store, &filter, err) : NULL;
    if (!found)
        return -(int)err->code;
    const json_t *record = json_array_get(found, 0);
    json_t *answer = json_object();
    if (record) {
        const json_t *result = json_obj(record, "result");
        json_put_str(answer, "run", json_str(record, "id", NULL));
        json_put_num(answer, "finished", (double)json_int(record, "finished_ns", 0) / 1e9);
        json_put(answer, "result", result ? json_deep_copy(result) : json_object());
    }
    return call_answer_fresh(run, c, answer, ret, err);
}

static const struct {
    const char *op;
    int (*begin)(struct run *run, const struct call *c, json_t **ret, struct err *err);
} CALLS[] = {
    {"stage", begin_stage},       {"gate", begin_gate},
    {"approve", approve_begin},   {"sleep", begin_sleep},
    {"child", begin_child},       {"signal", begin_signal},
    {"publish", publish_begin},   {"on_failure", on_failure_begin},
    {"continue", begin_continue}, {"now", begin_now},
    {"random", begin_random},     {"last_run", begin_last_run},
};

int run_host_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                  json_t **ret_answer, struct err *err)
{
    struct run *run = ctx;
    if (run->ending)
        return err_set(err, ERR_CANCELLED, "the run is ending");
    if (run->undoing && !run->undo_runs)
        return err_set(err, ERR_CANCELLED, "the run is ending");
    struct call c = {.id = call_id, .task = task, .n = n, .op = op, .args = args};
    if (run->settling)
        return undo_settle(run, &c, ret_answer, err);
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++)
        if (str_eq(CALLS[i].op, op))
            return CALLS[i].begin(run, &c, ret_answer, err);
    return err_set(err, ERR_UNSUPPORTED, "this engine does not know the call '%s'", op);
}

void run_host_log(void *ctx, const char *task, const char *text)
{
    struct run *run = ctx;
    json_t *body = json_object();
    json_put_str(body, "task", task);
    json_put_str(body, "text", text);
    run_tell(run, EVENT_SCRIPT_LOG, body);
}

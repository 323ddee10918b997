// Life of a run: load, checkouts, script, end. Rules that the code does not show:
// - Everything the journal learns in one turn is one transaction, shared with the turns of other runs (batch.h).
// Dispatches,
//   acknowledgements and answers to the outside come after it. When the commit fails, the run stops in this process as
//   if it had been killed: it can be resumed.
// - The script is executed again from its stored text at every start; the journal answers what is finished.
#include "run/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "handoff/handoff_md.h"
#include "run/answer.h"
#include "run/run_internal.h"
#include "script/stock.h"

#include <string.h>
#include <unistd.h>

#define LATE_NS (3 * NS_PER_MS)

const char *run_id(const struct run *run)
{
    return run->id;
}

bool run_tells(const struct run *run)
{
    return json_array_size(json_list(json_obj(run->record, "options"), "notify")) > 0;
}

uint64_t run_serial(const struct run *run)
{
    return run->env.serial;
}

void run_tell(struct run *run, enum event_kind kind, json_t *body_consumed)
{
    if (run->in_turn) {
        vec_push(&run->notes, (struct note){kind, body_consumed});
        return;
    }
    if (run->env.event)
        run->env.event(run->env.user, run->id, kind, body_consumed);
    json_decref(body_consumed);
}

void run_note(struct run *run, enum event_kind kind, json_t *body_consumed)
{
    struct err err;
    if (store_event_add(run->env.store, run->id, kind, body_consumed, NULL, &err) < 0)
        log_fact(LOG_WARN, "event_not_journaled", "run", run->id, "why", err.text, NULL);
    run_tell(run, kind, body_consumed);
}

void run_note_late(struct run *run, enum event_kind kind, json_t *body_consumed)
{
    vec_push(&run->late, (struct note){kind, body_consumed});
    if (run->late.len == 1)
        loop_timer_start(run->late_timer, LATE_NS, 0);
}

static void journal_late(struct run *run)
{
    for (size_t i = 0; i < run->late.len; i++)
        run_note(run, run->late.items[i].kind, run->late.items[i].body);
    if (run->late.len)
        loop_timer_stop(run->late_timer);
    run->late.len = 0;
}

// The turn is over: what happened in it is told, or forgotten with it.
static void end_notes(struct run *run, bool on_disk)
{
    for (size_t i = 0; i < run->notes.len; i++) {
        struct note *n = &run->notes.items[i];
        if (on_disk && run->env.event)
            run->env.event(run->env.user, run->id, n->kind, n->body);
        json_decref(n->body);
    }
    run->notes.len = 0;
}

// --- turns ---

static void look_at_script(struct run *run)
{
    if (run->ending || !run->script || run->settling || (run->undoing && !run->undo_runs))
        return;
    enum script_state state = script_state(run->script);
    if (state == SCRIPT_DONE && run->undo_runs) {
        undo_end(run, json_object_get(script_result(run->script), "result"));
    } else if (state == SCRIPT_DONE) {
        const json_t *outcome = script_result(run->script);
        enum run_state end = RUN_ACCEPTED;
        if (!run_state_from_name(json_str(outcome, "outcome", "accepted"), &end) || !run_state_script_may(end))
            end = RUN_FAILED;
        const json_t *result = json_object_get(outcome, "result");
        const char *reason = json_is_object(result) ? json_str(result, "reason", NULL) : NULL;
        run_end(run, end, result, reason);
    } else if (state == SCRIPT_FAILED) {
        const struct err *why = script_error(run->script);
        enum run_state end = why->code == ERR_CONFLICT ? RUN_DIVERGED
                             : why->code == ERR_LIMIT  ? RUN_OVER_BUDGET
                                                       : RUN_FAILED;
        if (end == RUN_DIVERGED) {
            json_t *body = json_object();
            json_put_str(body, "difference", why->text);
            run_note(run, EVENT_RUN_DIVERGED, body);
        }
        run_end(run, end, NULL, why->text);
    }
}

void run_answer(struct run *run, uint64_t call, const json_t *answer, const struct err *failure)
{
    struct err err;
    bool hears = run->script && !run->ending && (!run->undoing || run->undo_runs);
    if (hears && script_answer(run->script, call, answer, failure, &err) < 0)
        log_fact(LOG_DEBUG, "late_answer", "run", run->id, "why", err.text, NULL);
}

int64_t run_rank(struct run *run)
{
    int64_t now = clock_wall_ns(),
            latest = run->resumed && !run->ranked ? store_call_latest_ns(run->env.store, run->id) : 0;
    run->ranked = true;
    run->last_rank = latest > run->last_rank ? latest : run->last_rank;
    run->last_rank = now > run->last_rank ? now : run->last_rank + 1;
    return run->last_rank;
}

static void hear(struct run *run, int64_t rank, uint64_t call, json_t *answer_consumed)
{
    run->last_rank = rank > run->last_rank ? rank : run->last_rank;
    run_hear(run, answer_consumed);
    run_answer(run, call, answer_consumed, NULL);
    json_decref(answer_consumed);
}

void run_reply(struct run *run, int64_t rank, uint64_t call, json_t *answer_consumed)
{
    if (!run->resumed) {
        hear(run, rank, call, answer_consumed);
        return;
    }
    vec_push(&run->replies, (struct reply){rank, call, answer_consumed});
    size_t at = run->replies.len - 1;
    for (; at > 0 && run->replies.items[at - 1].rank <= rank; at--)
        run->replies.items[at] = run->replies.items[at - 1];
    run->replies.items[at] = (struct reply){rank, call, answer_consumed};
}

// A stage whose place in the journal is not known yet may have an earlier answer.
static bool has_unplaced(const struct run *run)
{
    for (size_t i = 0; i < run->stages.len; i++)
        if (run->stages.items[i]->seq == 0)
            return true;
    return false;
}

static void give_replies(struct run *run)
{
    while (run->replies.len && !has_unplaced(run)) {
        struct reply reply = run->replies.items[--run->replies.len];
        hear(run, reply.rank, reply.call, reply.answer);
    }
}

// Files for people. The journal has them too, which is where `baton handoff` and the next stages read them.
static void write_handoffs(struct run *run, bool on_disk)
{
    AUTO_FREE char *dir = path_join(run->dir, "handoff");
    for (size_t i = 0; i < run->to_write.len; i++) {
        struct err err;
        if (on_disk && handoff_write(dir, run->to_write.items[i], HANDOFF_MARKDOWN, NULL, NULL, &err) < 0)
            log_fact(LOG_WARN, "handoff_file_not_written", "run", run->id, "why", err.text, NULL);
        json_decref(run->to_write.items[i]);
    }
    run->to_write.len = 0;
}

// The batch that holds the turn is on disk, or undone.
static void settled(void *user, const struct err *why)
{
    struct run *run = user;
    for (size_t i = 0; i < run->to_acknowledge.len; i++)
        pool_done(run->env.pool, run->to_acknowledge.items[i], !why);
    run->to_acknowledge.len = 0;
    write_handoffs(run, !why);
    end_notes(run, !why);
    if (why) {
        struct err err = *why;
        err_wrap(&err, "run '%s' stops here and can be resumed", run->id);
        run_stop_here(run, &err);
    } else if (run->closing) {
        run_after_end(run);
    } else {
        stage_dispatch_reserved(run);
        children_take_up(run);
    }
}

// With nothing to take away but the run itself, its end needs no turn of its own.
static bool ends_at_once(const struct run *run)
{
    return run->ending && !run->closing && run->stages.len == 0 && !run->preparing && !run->workspace &&
           !run->resumed && !run->children;
}

bool run_turn(struct run *run, void (*fn)(struct run *run, void *arg), void *arg)
{
    if (run->in_turn) {
        fn(run, arg);
        return true;
    }
    struct err err;
    if (run->stopped)
        return false;
    if (batch_join(run->env.batch, settled, run, &err) < 0) {
        err_wrap(&err, "run '%s' stops here and can be resumed", run->id);
        run_stop_here(run, &err);
        return false;
    }
    run->in_turn = true;
    journal_late(run);
    fn(run, arg);
    give_replies(run);
    run_check_losses(run);
    look_at_script(run);
    if (ends_at_once(run))
        run_put_end(run, NULL);
    run->in_turn = false;
    return true;
}

static void nothing(struct run *run, void *arg)
{
    (void)run;
    (void)arg;
}

static void late_is_due(void *user)
{
    run_turn(user, nothing, NULL);
}

// --- the beginning ---

static void start_script(struct run *run, void *arg)
{
    (void)arg;
    struct err err;
    struct script_host host = {.ctx = run, .call = run_host_call, .log = run_host_log};
    if (!run->resumed) {
        json_t *created = json_object();
        json_put_str(created, "workflow", json_str(run->record, "workflow", ""));
        json_put_str(created, "project", run->project);
        run_note(run, EVENT_RUN_CREATED, created);
    }
    int r = run->woken ? 0 : store_run_set_state(run->env.store, run->id, RUN_RUNNING, NULL, &err);
    if (!run->woken) { // for the others it was never away
        json_t *started = json_object();
        json_put_str(started, "workflow", json_str(run->record, "workflow", ""));
        run_note(run, run->resumed ? EVENT_RUN_RESUMED : EVENT_RUN_STARTED, started);
    }
    if (r == 0)
        r = script_start(run->script, json_obj(run->record, "params"), &host, &err);
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
}

static void on_wall(void *user)
{
    struct run *run = user;
    AUTO_FREE char *limit = budget_text(BUDGET_WALL, json_int(json_obj(run->record, "options"), "wall_ms", 0));
    AUTO_FREE char *reason = str_printf("the run took longer than its wall-clock limit of %s", limit);
    run_end(run, RUN_TIMED_OUT, NULL, reason);
}

void run_start_script(struct run *run)
{
    run_turn(run, start_script, NULL);
}

void run_begin(struct run *run)
{
    run->resumed = !str_eq(json_str(run->record, "state", ""), run_state_name(RUN_QUEUED));
    run->reopened = json_flag(json_obj(run->record, "options"), "reopened", false);
    if (run->reopened) { // its gates are decided again
        json_decref(run->ungrounded);
        run->ungrounded = answer_ungrounded_new(run->env.store, run->id);
    }
    int64_t wall_ms = json_int(json_obj(run->record, "options"), "wall_ms", 0);
    if (wall_ms > 0) {
        int64_t now = clock_wall_ns(), wall = wall_ms * NS_PER_MS;
        int64_t from =
            run->resumed ? json_int(run->record, "created_ns", now) : now; // the time in the queue does not count
        from = json_int(run->record, "started_ns", from);
        from = json_int(json_obj(run->record, "options"), "wall_from_ns", from);
        loop_timer_start(run->wall_timer, clock_left_ns(from + wall, now, wall), 0);
    }
    char reason[STORE_NAME_MAX];
    bool cancelled = store_run_cancel_requested(run->env.store, run->id, reason, NULL) > 0;
    if (undo_resume(run, cancelled))
        return;
    if (cancelled)
        run_cancel(run, reason);
    else
        run_start_script(run);
}

void run_cancel(struct run *run, const char *reason)
{
    if (!continue_cancel(run, reason))
        run_end(run, RUN_CANCELLED, NULL, reason);
}

void run_look_around(struct run *run)
{
    char reason[STORE_NAME_MAX];
    if (run->ending)
        return;
    if (!run->undoing && store_run_cancel_requested(run->env.store, run->id, reason, NULL) > 0)
        run_cancel(run, reason);
    else
        run_read_inbox(run);
    children_look(run);
}

// --- load and free ---

static int load_agents(struct run *run, struct err *err)
{
    const char *name;
    json_t *hash;
    json_object_foreach (json_obj(run->record, "agents"), name, hash) {
        struct agent_text *a = NULL;
        int r = agents_ref(run->env.agents, name, json_string_value(hash), &a, err);
        if (r < 0 && err->code == ERR_NOT_FOUND)
            err_set(err, ERR_NOT_FOUND,
                    "the text of its agent '%s' is gone (artifact %.12s); with another copy of it: "
                    "baton resume %s --agents DIR",
                    name, json_string_value(hash), run->id);
        if (r < 0)
            return r;
        vec_push(&run->agents, a);
    }
    return 0;
}

static int load_script(struct run *run, struct err *err)
{
    const char *hash = json_str(run->record, "script_hash", "");
    AUTO_FREE char *name = str_printf("%s.lua", json_str(run->record, "workflow", "workflow"));
    char *text = NULL;
    size_t len = 0;
    run->script = script_stock_take(run->env.stock, hash, name);
    if (run->script)
        return 0;
    int r = store_artifact_get(run->env.store, hash, SCRIPT_TEXT_MAX, &text, &len, err);
    if (r == -ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND,
                "the text of its script is gone (artifact %.12s); with another copy of it: "
                "baton resume %s --with-new-script FILE",
                hash, run->id);
    if (r < 0)
        return r;
    struct script_limits limits = {.cache = run->env.scripts};
    r = script_load(text, len, name, &limits, &run->script, err);
    if (r == 0)
        script_stock_tell(run->env.stock, hash, name, text, len);
    mem_free(text);
    return r;
}

int run_new(const struct run_env *env, const char *id, struct store_lock *lock_take, struct run **ret, struct err *err)
{
    struct run *run = mem_alloc(sizeof(*run));
    run->env = *env;
    run->id = str_dup(id);
    run->dir = store_run_dir(env->store, id);
    run->occurrences = json_object();
    run->handoffs = json_object();
    run->keys = json_object();
    run->contents = json_object();
    run->ungrounded = json_object();
    run->cache_lock = -1;
    run->end_timer = loop_timer_new(env->loop, run_end_later, run);
    run->wall_timer = loop_timer_new(env->loop, on_wall, run);
    run->late_timer = loop_timer_new(env->loop, late_is_due, run);
    run->woken = lock_take != NULL;
    int r = lock_take ? 0 : store_run_lock(env->store, id, &run->lock, err);
    if (r == 0 && !(run->record = store_run_get_new(env->store, id, err)))
        r = -(int)err->code;
    enum run_state state = RUN_QUEUED;
    if (r == 0 && (!run_state_from_name(json_str(run->record, "state", ""), &state) || run_state_final(state)))
        r = err_set(err, ERR_STATE, "run '%s' is finished (%s)", id, json_str(run->record, "state", "?"));
    if (r == 0) {
        run->project = str_dup(json_str(run->record, "project", ""));
        r = load_agents(run, err);
    }
    if (r == 0)
        r = load_script(run, err);
    if (r < 0) {
        run_free(run);
        return r;
    }
    if (lock_take)
        run->lock = lock_take;
    *ret = run;
    return 0;
}

bool run_sleeps(const struct run *run, int64_t *ret_wake_ns, int64_t *ret_seen)
{
    bool busy = run->in_turn || run->ending || run->undoing || run->stopped || run->preparing || run->workspace ||
                run->stages.len || run->late.len || run->notes.len || run->to_acknowledge.len || run->to_dispatch.len ||
                run->replies.len;
    if (busy || !run->waitings.len || json_int(json_obj(run->record, "options"), "wall_ms", 0) > 0)
        return false;
    int64_t wake_ns = INT64_MAX, seen = -1;
    for (size_t i = 0; i < run->waitings.len; i++) {
        const struct waiting *w = run->waitings.items[i];
        if (w->kind == WAIT_CHILD)
            return false;
        int64_t until = w->kind == WAIT_SLEEP ? w->wake_ns : w->until_ns;
        wake_ns = until < wake_ns ? until : wake_ns;
        seen = w->kind == WAIT_SLEEP ? seen : run->inbox_seen;
    }
    *ret_wake_ns = wake_ns;
    *ret_seen = seen;
    return true;
}

bool run_waits(const struct run *run)
{
    return run->waitings.len && !run->stages.len && !run->in_turn && !run->ending && !run->stopped && !run->preparing;
}

const char *run_project(const struct run *run)
{
    return run->project;
}

struct store_lock *run_park(struct run *run)
{
    struct store_lock *lock = run->lock;
    run->lock = NULL;
    run_free(run);
    return lock;
}

struct run *run_free(struct run *run)
{
    if (!run)
        return NULL;
    journal_late(run);
    vec_free(&run->late);
    while (run->waitings.len)
        waiting_free(run->waitings.items[0]);
    while (run->stages.len) {
        if (run->stages.items[0]->lease)
            pool_kill(run->env.pool, run->stages.items[0]->lease);
        stage_free(run->stages.items[0]);
    }
    loop_timer_close(run->end_timer);
    loop_timer_close(run->wall_timer);
    loop_timer_close(run->late_timer);
    loop_timer_close(run->undo_timer);
    json_decref(run->next_params);
    batch_leave(run->env.batch, run);
    script_stock_give_back(run->env.stock, run->script);
    workspace_free(run->workspace);
    if (run->final)
        store_lock_forget(run->lock);
    else
        store_lock_release(run->lock);
    if (run->cache_lock >= 0)
        close(run->cache_lock);
    mem_free(run->cache_dir);
    for (size_t i = 0; i < run->agents.len; i++)
        agents_unref(run->env.agents, run->agents.items[i]);
    vec_free(&run->agents);
    vec_free(&run->stages);
    vec_free(&run->waitings);
    vec_free(&run->to_dispatch);
    vec_free(&run->to_acknowledge);
    write_handoffs(run, false);
    vec_free(&run->to_write);
    end_notes(run, false);
    vec_free(&run->notes);
    json_decref(run->occurrences);
    journaled_free(run->journaled);
    for (size_t i = 0; i < run->replies.len; i++)
        json_decref(run->replies.items[i].answer);
    vec_free(&run->replies);
    json_decref(run->inbox_taken);
    json_decref(run->handoffs);
    json_decref(run->keys);
    json_decref(run->handoff_ids);
    json_decref(run->contents);
    json_decref(run->handed_on);
    loops_free(run->loops);
    stage_accounts_free(run);
    json_decref(run->ungrounded);
    json_decref(run->record);
    json_decref(run->end_result);
    mem_free(run->id);
    mem_free(run->dir);
    mem_free(run->project);
    mem_free(run);
    return NULL;
}

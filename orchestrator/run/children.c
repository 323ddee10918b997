// Child workflows: runs of their own that a run starts and waits for. Rules that the code does not show:
// - The child's row and the call that asked for it are journaled in one transaction: a kill at any time starts it
// exactly once.
// - It is taken up when that is on disk, by the process that has the parent, unless another process has it: then it is
// watched.
// - The parent ends after its children: what has ended has nothing at work any more, at any depth.
#include "run/calls.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define CHILDREN_MAX 1000 // of one run

// --- what the script hears ---

// Of a child that has ended. A child that went on in another run is followed: *id is replaced. NULL: it is at work.
static json_t *ending_new(struct run *run, char **id)
{
    for (;;) {
        AUTO_JSON json_t *record = store_run_get_new(run->env.store, *id, NULL);
        enum run_state state = RUN_LOST;
        if (record)
            run_state_from_name(json_str(record, "state", ""), &state);
        if (record && !run_state_final(state))
            return NULL;
        const json_t *result = json_obj(record, "result");
        const char *next = json_str(result, "continued_as", NULL);
        if (next) {
            str_set(id, next);
            continue;
        }
        json_t *answer = json_object();
        json_put_flag(answer, "ok", state == RUN_ACCEPTED);
        json_put_str(answer, "outcome", run_state_name(state));
        json_put_str(answer, "reason", json_str(result, "reason", NULL));
        json_put(answer, "result", result ? json_deep_copy(result) : json_object());
        json_put_str(answer, "run", *id);
        return answer;
    }
}

struct ended_arg {
    struct waiting *w;
    json_t *answer;
};

static void ended_in_turn(struct run *run, void *arg)
{
    struct ended_arg *a = arg;
    struct err err;
    int64_t now = run_rank(run);
    json_put_int(a->answer, "at_ns", now);
    int r = call_put_beside(run, a->w->task, a->w->n, "child_ended", a->answer, &err);
    if (r >= 0) {
        json_t *body = json_object();
        json_put_str(body, "child", json_str(a->answer, "run", NULL));
        json_put_str(body, "state", json_str(a->answer, "outcome", NULL));
        run_note(run, EVENT_CHILD_FINISHED, body);
    }
    waiting_answer(a->w, now, json_incref(a->answer), r < 0 ? &err : NULL);
}

// --- taking up, watching ---

// False: the run has stopped, or w is answered and gone.
static bool look_at(struct run *run, struct waiting *w)
{
    const struct run_family *family = run->env.family;
    struct err err;
    AUTO_JSON json_t *answer = ending_new(run, &w->child);
    if (answer) {
        struct ended_arg a = {.w = w, .answer = answer};
        run_turn(run, ended_in_turn, &a);
        return false;
    }
    w->foreign = false;
    if (family->has(run->env.user, w->child))
        return true;
    int r = family->take_up(run->env.user, w->child, &err);
    w->foreign = r == -ERR_CONFLICT || r == -ERR_STATE; // another process has it, or has just ended it
    if (r == 0 || w->foreign)
        return true;
    err_wrap(&err, "the child run '%s' of '%s'", w->child, run->id);
    run_stop_here(run, &err);
    return false;
}

void children_take_up(struct run *run)
{
    if (!run->children_asked)
        return;
    run->children_asked = false;
    children_look(run);
}

void children_look(struct run *run)
{
    for (size_t i = 0; i < run->waitings.len && !run->ending && !run->stopped;) {
        struct waiting *w = run->waitings.items[i];
        i = w->kind != WAIT_CHILD || look_at(run, w) ? i + 1 : 0;
    }
}

bool run_watches(const struct run *run)
{
    for (size_t i = 0; i < run->waitings.len; i++)
        if (run->waitings.items[i]->foreign)
            return true;
    return false;
}

bool run_child_ended(struct run *run, const char *child, const struct err *why)
{
    for (size_t i = 0; i < run->waitings.len && !run->ending && !run->stopped; i++) {
        struct waiting *w = run->waitings.items[i];
        if (w->kind != WAIT_CHILD || !str_eq(w->child, child))
            continue;
        if (why) {
            struct err err = *why;
            err_wrap(&err, "run '%s' stops here and can be resumed: its child cannot go on", run->id);
            run_stop_here(run, &err);
            return true;
        }
        return !look_at(run, w);
    }
    return false;
}

// --- the end of the parent ---

bool children_gone(struct run *run)
{
    const struct run_family *family = run->env.family;
    if ((!run->children && !run->resumed) || !family)
        return true;
    AUTO_JSON json_t *open = store_run_children_new(run->env.store, run->id, true, NULL);
    bool gone = true;
    size_t i;
    json_t *child;
    json_array_foreach (open, i, child) {
        const char *id = json_str(child, "id", "");
        AUTO_FREE char *reason = str_printf("its parent run '%s' ended (%s)", run->id, run_state_name(run->end_state));
        if (!run->children_told)
            store_run_request_cancel(run->env.store, id, reason, NULL);
        if (!run->children_told && family->has(run->env.user, id))
            family->cancel(run->env.user, id, reason);
        else if (!run->children_told)
            family->take_up(run->env.user, id, NULL); // only to end it: its cancel is journaled
        gone = gone && !family->has(run->env.user, id);
    }
    run->children_told = true;
    return gone;
}

// --- the call ---

// A child that cannot be started is an error of the call, the same at every replay.
static int refused(const json_t *before, struct err *err)
{
    return err_set(err, ERR_STATE, "%s", json_str(before, "error", "?"));
}

static int start(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    char id[STORE_NAME_MAX];
    AUTO_JSON json_t *journal = json_object();
    if (!run_affords_child(run, c->task, c->n))
        return err_set(err, ERR_CANCELLED, "the run is over its budget");
    int r = run->children >= CHILDREN_MAX
                ? err_set(err, ERR_LIMIT, "run '%s' has started its %d children", run->id, CHILDREN_MAX)
                : run->env.family->create(run->env.user, run->record, c->args, id, err);
    if (r < 0) {
        err_wrap(err, "run_workflow '%s'", json_str(c->args, "workflow", "?"));
        json_put_str(journal, "error", err->text);
    } else {
        json_put_str(journal, "run", id);
    }
    r = call_put(run, c, journal, err);
    if (r < 0)
        return r;
    if (json_str(journal, "run", NULL)) {
        json_t *body = json_object();
        json_put_str(body, "child", id);
        json_put_str(body, "workflow", json_str(c->args, "workflow", NULL));
        run_note(run, EVENT_CHILD_STARTED, body);
    }
    *ret = json_incref(journal);
    return 0;
}

int child_begin(struct run *run, const struct call *c, struct err *err)
{
    AUTO_JSON json_t *journal = call_journaled_new(run, c, err);
    int r = err->code != ERR_OK ? -(int)err->code : 0;
    if (r == 0 && !journal)
        r = start(run, c, &journal, err);
    if (r < 0)
        return r;
    if (json_str(journal, "error", NULL))
        return refused(journal, err);
    run->children++;
    json_t *ended = call_beside_new(run, c->task, c->n);
    if (ended) {
        run_reply(run, json_int(ended, "at_ns", 0), c->id, ended);
        return 0;
    }
    struct waiting *w = waiting_new(run, WAIT_CHILD, c, NULL);
    w->child = str_dup(json_str(journal, "run", ""));
    run->children_asked = true;
    return 0;
}

// Loops that go nowhere: what the script hears is told to loops.h, and what it asks for is held against it.
#include "run/stage_internal.h"

#include "base/str.h"

void stage_placed(struct stage *s)
{
    struct run *run = s->run;
    if (!run->loops)
        run->loops = loops_new();
    loops_placed(run->loops, s->seq, s->task, s->agent->name, s->focus.mode, s->input);
}

// Only stages have handoffs; everything else that is waited for (a timer, a person) is news.
void run_hear(struct run *run, const json_t *answer)
{
    const char *id = json_str(answer, "id", "");
    const json_t *handoff = json_int(answer, "stage", 0) ? json_obj(run->handoffs, id) : NULL;
    if (handoff && run->loops)
        loops_heard(run->loops, json_int(answer, "stage", 0), handoff, json_str(run->contents, id, ""));
    else
        loops_news(run->loops);
}

// It was begun once: what is journaled stays as it is.
static bool is_begun(const struct stage *s)
{
    AUTO_JSON json_t *call =
        s->run->resumed ? store_call_get_new(s->run->env.store, s->run->id, s->task, s->n, NULL) : NULL;
    return call && !json_obj(json_obj(call, "answer"), "stopped");
}

// The call is journaled with what stopped it, so that a replay can decide it again.
static int journal(struct stage *s, json_t *stopped, struct err *err)
{
    AUTO_JSON json_t *answer = json_object();
    json_put_str(answer, "key", s->key);
    json_put_str(answer, "worker", s->worker);
    json_put_int(answer, "occurrence", s->occurrence);
    json_put(answer, "stopped", json_incref(stopped));
    int r = store_call_put(s->run->env.store, s->run->id, s->task, s->n, "stage", s->key, answer, err);
    return r == -ERR_CONFLICT ? stage_diverged(s, err) : r;
}

bool stage_would_loop(struct stage *s)
{
    struct run *run = s->run;
    if (!run->loops || json_flag(s->args, "repeats", false))
        return false;
    AUTO_JSON json_t *loop = loops_check_new(run->loops, s->task, s->agent->name, s->input, s->parents);
    struct err err;
    if (!loop || is_begun(s))
        return false;
    if (journal(s, loop, &err) < 0) {
        run_end(run, err.code == ERR_CONFLICT ? RUN_DIVERGED : RUN_FAILED, NULL, err.text);
    } else {
        AUTO_JSON json_t *result = json_object();
        json_put(result, "loop", json_incref(loop));
        run_note(run, EVENT_LOOP_STOPPED, json_deep_copy(loop));
        run_end(run, RUN_NEEDS_DISCUSSION, result, json_str(loop, "reason", ""));
    }
    stage_free(s);
    return true;
}

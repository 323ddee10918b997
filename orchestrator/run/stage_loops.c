// Loops that go nowhere: what the script hears is told to loops.h, and what it asks for is held against it.
#include "run/calls.h"
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
    struct err ignored;
    AUTO_JSON json_t *call = call_record_new(s->run, s->task, s->n, &ignored);
    return call && !json_obj(json_obj(call, "answer"), "stopped");
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
    if (stage_put_call(s, loop, &err) < 0) { // with what stopped it, so that a replay can decide it again
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

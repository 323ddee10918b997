// The end of a run: what is at work is stopped, children and checkouts go, the final state is journaled, the report
// written.
#include "run/run_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/report.h"
#include "run/outbox.h"
#include "script/stock.h"

#include <stdio.h>

static void ended(struct run *run, const struct err *why)
{
    json_t *result = run->end_result;
    run->end_result = NULL;
    run->env.ended(run->env.user, run, run->end_state, result, why);
    json_decref(result);
}

void run_stop_here(struct run *run, const struct err *why)
{
    if (run->stopped)
        return;
    run->stopped = true;
    run->end_state = RUN_RUNNING;
    ended(run, why);
}

static json_t *final_result(const struct run *run)
{
    json_t *result =
        run->end_result && json_is_object(run->end_result) ? json_deep_copy(run->end_result) : json_object();
    if (run->end_result && !json_is_object(run->end_result))
        json_put(result, "value", json_deep_copy(run->end_result));
    json_put_str(result, "outcome", run_state_name(run->end_state));
    if (*run->end_reason)
        json_put_str(result, "reason", run->end_reason);
    if (run->facts) {
        json_t *git = json_object();
        json_put_str(git, "repository", run->facts->repository);
        json_put_str(git, "prefix", run->facts->prefix);
        json_put_str(git, "base", run->facts->base);
        json_put_str(git, "branch", run->facts->branch);
        json_put_flag(git, "own_copy", run->facts->own_copy);
        json_put(result, "git", git);
    }
    return result;
}

static bool keeps_branch(const struct run *run)
{
    return run->end_state == RUN_ACCEPTED || run->end_state == RUN_NEEDS_DISCUSSION;
}

void run_put_end(struct run *run, void *arg)
{
    (void)arg;
    json_t *result = final_result(run);
    json_decref(run->end_result);
    run->end_result = result;
    run->closing = true;
    AUTO_FREE char *spool = path_join(run->dir, "spool");
    file_remove_tree(spool, NULL);
    err_clear(&run->failure);
    if (run->end_state == RUN_CONTINUED && continue_put(run, result, &run->failure) < 0)
        return;
    if (store_run_set_state(run->env.store, run->id, run->end_state, result, &run->failure) < 0)
        return;
    // One that goes on in another run has not come to its end.
    if (run->end_state != RUN_CONTINUED &&
        outbox_put_end(run->env.store, run->record, run->end_state, result, &run->failure) < 0)
        return;
    json_t *body = json_object();
    json_put_str(body, "state", run_state_name(run->end_state));
    json_put_str(body, "reason", *run->end_reason ? run->end_reason : NULL);
    if (json_str(result, "continued_as", NULL))
        json_put_str(body, "continued_as", json_str(result, "continued_as", NULL));
    run_note(run, EVENT_RUN_FINISHED, body);
}

// The final state is on disk.
void run_after_end(struct run *run)
{
    struct err err;
    if (run->failure.code != ERR_OK) {
        run_stop_here(run, &run->failure);
        return;
    }
    // Without a project there is nothing measured; `baton report` writes one all the same, whenever it is asked for.
    if (run->workspace && report_write(run->env.store, run->id, run->dir, &err) < 0)
        log_fact(LOG_WARN, "report_not_written", "run", run->id, "why", err.text, NULL);
    AUTO_FREE char *origin = path_join(run->dir, "origin");
    if (!keeps_branch(run))
        file_remove_tree(origin, NULL);
    run->stopped = run->final = true;
    ended(run, NULL);
}

static void removed_checkouts(void *user, const struct workspace_facts *facts, const struct err *err)
{
    struct run *run = user;
    (void)facts;
    if (err)
        log_fact(LOG_WARN, "checkouts_left_behind", "run", run->id, "why", err->text, NULL);
    run_turn(run, run_put_end, NULL);
}

// All stages have ended: remove the checkouts, journal the final state, write the report. In this order: when the
// process dies in between, the run is not finished and its next owner comes here again.
static void close_run(struct run *run)
{
    run->script = script_stock_give_back(run->env.stock, run->script);
    if (run_has_old_checkouts(run)) { // find them, to remove them
        run_prepare_checkouts(run);
        loop_timer_start(run->end_timer, 20 * NS_PER_MS, 0);
        return;
    }
    if (run->workspace && run->facts)
        workspace_remove(run->workspace, keeps_branch(run), removed_checkouts, run);
    else
        removed_checkouts(run, NULL, NULL);
}

void run_end_later(void *user)
{
    struct run *run = user;
    if (run->closing || run->stopped || (run->undo_runs && !run->ending))
        return;
    bool gone = run->stages.len == 0 && !run->preparing && (undo_has_begun(run) || children_gone(run));
    if (gone && run->ending)
        close_run(run);
    else if (!gone ||
             !undo_go_on(
                 run)) // a stage's process, git or a child has not gone yet: its end is noticed within milliseconds
        loop_timer_start(run->end_timer, 20 * NS_PER_MS, 0);
}

void run_stop_work(struct run *run)
{
    while (run->waitings.len)
        waiting_free(run->waitings.items[0]);
    while (run->replies.len)
        json_decref(run->replies.items[--run->replies.len].answer);
    for (size_t i = 0; i < run->stages.len; i++)
        stage_stop(run->stages.items[i], STAGE_CANCELLED, "the run ended");
}

void run_end(struct run *run, enum run_state state, const json_t *result, const char *reason)
{
    if (run->ending || undo_begin(run, state, result, reason))
        return;
    run->ending = true;
    run->end_state = state;
    run->end_result = result ? json_deep_copy(result) : NULL;
    snprintf(run->end_reason, sizeof(run->end_reason), "%s", reason ? reason : "");
    run_stop_work(run);
    loop_timer_start(run->end_timer, 0, 0);
}

// Stages: from the script's call to the committed result. Rules that the code does not show:
// - The key decides: a finished stage with the same key and occurrence answers at once; one that was reserved but not
//   finished (the process died) is leased once more.
// - A stage always leaves a handoff, also when its worker died, timed out or was never dispatched.
// - Nothing is sent to a worker, and no result acknowledged, before the turn that journals it is on disk.
#include "run/run_internal.h"
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "probe/probe.h"
#include "rights/rights.h"
#include "roles/roles.h"
#include "run/answer.h"
#include "run/bounds.h"
#include "run/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void stage_free(struct stage *s)
{
    struct run *run = s->run;
    for (size_t i = 0; i < run->stages.len; i++)
        if (run->stages.items[i] == s)
            run->stages.items[i] = run->stages.items[--run->stages.len];
    pool_forget_user(run->env.pool, s);
    loop_timer_close(s->timer);
    json_decref(s->args);
    json_decref(s->parents);
    json_decref(s->bounds);
    mem_free(s->task);
    mem_free(s->version);
    mem_free(s->limit_text);
    mem_free(s);
}

struct stage *stage_by_lease(struct run *run, uint64_t lease)
{
    for (size_t i = 0; i < run->stages.len; i++)
        if (run->stages.items[i]->lease == lease && lease && !run->stages.items[i]->backoff)
            return run->stages.items[i];
    return NULL;
}

char *stage_spool_dir(const struct stage *s)
{
    return str_printf("%s/spool/%d-%d", s->run->dir, s->seq, s->attempt);
}

json_t *stage_facts_new(const struct stage *s)
{
    json_t *body = json_object();
    json_put_int(body, "stage", s->seq);
    json_put_str(body, "agent", s->agent->name);
    json_put_str(body, "mode", s->focus.mode);
    json_put_int(body, "attempt", s->attempt);
    return body;
}

void stage_remember(struct run *run, const json_t *handoff, const char *key, const struct agent_text *agent,
                    const json_t *bounds)
{
    const char *id = json_str(handoff, "id", NULL);
    if (!id)
        return;
    char content[HASH_TEXT], parent[HASH_TEXT];
    key_of_content(handoff, content);
    key_of_parent(content, key, parent);
    json_put(run->handoffs, id, json_incref((json_t *)(uintptr_t)handoff)); // never changed once sealed
    json_put_str(run->keys, id, parent);
    json_put_str(run->contents, id, content);
    if (agent)
        bounds_hand_on(&run->handed_on, id, agent->file, json_obj(run->record, "options"), bounds);
}

// --- beginning ---

const struct agent_text *stage_find_agent(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->agents.len; i++)
        if (str_eq(run->agents.items[i]->name, name))
            return run->agents.items[i];
    for (size_t i = 0; i < run->agents.len; i++)
        if (role_same_agent(run->agents.items[i]->name, name))
            return run->agents.items[i];
    return NULL;
}

static int collect_parents(struct run *run, struct stage *s, struct err *err)
{
    s->parents = json_array();
    size_t i;
    json_t *id;
    json_array_foreach (json_list(s->args, "after"), i, id) {
        json_t *handoff = json_object_get(run->handoffs, json_is_string(id) ? json_string_value(id) : "");
        if (!handoff)
            return err_set(err, ERR_NOT_FOUND, "stage 'after': '%s' is no handoff of this run", json_string_value(id));
        json_array_append(s->parents, handoff);
    }
    return 0;
}

size_t stage_first_named(const struct stage *s)
{
    size_t n = json_array_size(s->parents);
    return n > HANDOFF_PARENTS_MAX ? n - HANDOFF_PARENTS_MAX : 0;
}

static void compute_key(struct run *run, struct stage *s, const char *version)
{
    snprintf(s->worker, sizeof(s->worker), "%s/%s", s->role, version);
    AUTO_JSON json_t *parents = json_array(), *contents = json_array();
    size_t i;
    json_t *parent;
    json_array_foreach (s->parents, i, parent) {
        json_add_str(parents, json_str(run->keys, json_str(parent, "id", ""), ""));
        json_add_str(contents, json_str(run->contents, json_str(parent, "id", ""), ""));
    }
    struct key_parts parts = {.agent_hash = s->agent->hash,
                              .worker = s->worker,
                              .mode = s->focus.mode,
                              .task = json_str(s->args, "task", NULL),
                              .input = json_object_get(s->args, "input"),
                              .parents = parents,
                              .project = s->needs_project ? run->facts->base : NULL,
                              .operator_rules = json_list(json_obj(run->record, "options"), "operator_rules"),
                              .bounds = s->bounds,
                              .profiles = json_str(json_obj(run->record, "options"), "profiles", NULL)};
    key_of_stage(&parts, s->key);
    parts.parents = contents;
    key_of_stage(&parts, s->input);
}

const struct journaled *run_journaled(struct run *run, struct err *err)
{
    if (!run->journaled && journaled_new(run->env.store, run->id, &run->journaled, err) < 0)
        return NULL;
    return run->journaled;
}

// Equal stages of parallel tasks must not change places in a replay, where the tasks come by in another order: a call
// has the occurrence it was journaled with, and a new call one that no journaled call has.
static int choose_occurrence(struct run *run, struct stage *s, struct err *err)
{
    const struct journaled *j = run->resumed ? run_journaled(run, err) : NULL;
    if (run->resumed && !j)
        return -(int)err->code;
    const struct journaled_call *call = j ? journaled_call(j, s->task, s->n) : NULL;
    if (call && str_eq(call->key, s->key)) {
        s->occurrence = call->occurrence;
        return 0;
    }
    s->occurrence = (int)json_int(run->occurrences, s->key, 0);
    while (j && journaled_is_called(j, s->key, s->occurrence))
        s->occurrence++;
    json_put_int(run->occurrences, s->key, s->occurrence + 1);
    return 0;
}

// A finished stage of the journal answers.
static void reuse(struct run *run, struct stage *s, const json_t *record)
{
    enum stage_state state = STAGE_COMPLETED;
    stage_state_from_name(json_str(record, "state", ""), &state);
    const json_t *handoff = json_obj(record, "handoff");
    if (!handoff) { // every finished stage has left one
        AUTO_FREE char *what = str_printf("the handoff of stage %d", (int)json_int(record, "seq", 0));
        run_end_lost(run, what, "it is gone");
        stage_free(s);
        return;
    }
    stage_remember(run, handoff, s->key, s->agent, s->bounds);
    int seq = (int)json_int(record, "seq", 0);
    s->seq = seq;
    s->attempt = (int)json_int(record, "attempt", 1);
    stage_placed(s);
    json_t *body = stage_facts_new(s);
    json_put_str(body, "state", stage_state_name(state));
    json_put_str(body, "summary", json_str(handoff, "summary", NULL));
    run_tell(run, EVENT_STAGE_REUSED, body); // a replay is nothing new: not journaled
    json_t *answer = answer_of_stage_new(handoff, state, seq, s->key);
    uint64_t call = s->call;
    stage_free(s);
    run_reply(run, json_int(record, "finished_ns", 0), call, answer);
}

static int highest_seq(struct run *run)
{
    return run->resumed ? store_stage_last(run->env.store, run->id) : 0;
}

static int reserve(struct run *run, struct stage *s, struct err *err)
{
    s->seq = run->next_seq++;
    s->attempt = 1;
    s->lease = pool_lease(run->env.pool);
    char lease[WIRE_LEASE_TEXT];
    wire_lease_text(s->lease, lease);
    AUTO_JSON json_t *request = json_copy(s->args);
    json_put_str(request, "focus", s->focus.text);
    json_put_str(request, "mode", s->focus.mode);
    struct store_stage reservation = {.run = run->id,
                                      .seq = s->seq,
                                      .key = s->key,
                                      .occurrence = s->occurrence,
                                      .task = s->task,
                                      .agent = s->agent->name,
                                      .mode = s->focus.mode,
                                      .lease = lease,
                                      .request = request,
                                      .asked = run->resumed ? NULL : s->worker, // else the table of calls has it
                                      .n = s->n,
                                      .reusable = json_flag(s->args, "reuse", false)};
    int r = store_commit_stage(run->env.store, NULL, &reservation, 1, err);
    if (r == 0)
        run_note(run, EVENT_STAGE_RESERVED, stage_facts_new(s));
    return r;
}

// The reservation of a process that died: lease it once more.
static int take_over(struct run *run, struct stage *s, const json_t *record, struct err *err)
{
    if (!stage_pays_attempt(s))
        return err_set(err, ERR_CANCELLED, "the run is over its budget");
    s->seq = (int)json_int(record, "seq", 0);
    s->lease = pool_lease(run->env.pool);
    char lease[WIRE_LEASE_TEXT];
    wire_lease_text(s->lease, lease);
    int r = store_stage_lease(run->env.store, run->id, s->seq, NULL, lease, &s->attempt, err);
    if (r == 0)
        run_note(run, EVENT_STAGE_RETRIED, stage_facts_new(s));
    return r;
}

static void fail_call(struct stage *s, const struct err *err)
{
    struct run *run = s->run;
    uint64_t call = s->call;
    struct err why = *err;
    stage_free(s);
    run_answer(run, call, NULL, &why);
}

// Expected context that nobody provides: the stage is over before it was dispatched, and says what is missing.
static void block_on_context(struct run *run, struct stage *s)
{
    json_t *body = stage_facts_new(s);
    json_put_str(body, "expected", s->focus.expected);
    json_put_str(body, "outputs", s->focus.keys);
    json_put_int(body, "line", s->focus.line);
    run_note(run, EVENT_CONTEXT_MISSING, body);
    AUTO_FREE char *reason = str_printf(
        "expected context '%s' is missing: no parent handoff has any of '%s' in its output (agent file %s, line %d)",
        s->focus.expected, s->focus.keys, s->agent->name, s->focus.line);
    s->started_ns = clock_mono_ns();
    stage_finish(s, handoff_blocked_draft_new(reason, NULL), STAGE_BLOCKED, NULL);
}

// Before it is reserved: what the host cannot hold is not begun. False: the run ends, s is gone.
static bool stage_fits_host(struct stage *s)
{
    struct run *run = s->run;
    struct err err;
    if (!s->starts_programs)
        return true;
    const char *profiles = json_str(json_obj(run->record, "options"), "profiles", NULL);
    if (!run->host_told)
        run_note(run, EVENT_SANDBOX_PROBED, probe_facts_new(run->env.probe, profiles));
    run->host_told = true;
    if (probe_check(run->env.probe, profiles, &err) == 0)
        return true;
    err_wrap(&err, "%s starts programs", s->agent->name);
    if (!run->resumed) // it was asked for all the same
        stage_put_call(s, NULL, NULL);
    stage_free(s);
    run_end(run, RUN_FAILED, NULL, err.text);
    return false;
}

// The stage of the journal with this key and occurrence; *ret stays NULL when there is none.
static int find_record(struct run *run, const struct stage *s, json_t **ret, struct err *err)
{
    if (!run->resumed) // what this process reserved has another occurrence
        return 0;
    const struct journaled *j = run_journaled(run, err);
    int seq = j ? journaled_stage(j, s->key, s->occurrence) : 0;
    if (!j ||
        (seq && !(*ret = store_stage_answer_new(run->env.store, run->id, seq, err)) && err->code != ERR_NOT_FOUND))
        return -(int)err->code;
    return 0;
}

int stage_put_call(struct stage *s, json_t *stopped, struct err *err)
{
    AUTO_JSON json_t *answer = json_object();
    json_put_str(answer, "key", s->key);
    json_put_str(answer, "worker", s->worker); // a replay on another machine has no worker to ask
    json_put_int(answer, "occurrence", s->occurrence);
    if (stopped)
        json_put(answer, "stopped", json_incref(stopped));
    struct err own;
    int r = store_call_put(s->run->env.store, s->run->id, s->task, s->n, "stage", s->key, answer, &own);
    if (r < 0 && err)
        *err = own;
    return r == -ERR_CONFLICT && err ? stage_diverged(s, err) : r;
}

// Of a resumed run: the same script must ask for the same here again. In a new run the reservation says what was asked.
static int check_call(struct run *run, struct stage *s, struct err *err)
{
    if (!run->resumed)
        return 0;
    const struct journaled *j = run_journaled(run, err);
    const struct journaled_call *call = j ? journaled_call(j, s->task, s->n) : NULL;
    if (!j)
        return -(int)err->code;
    if (!call)
        return stage_put_call(s, NULL, err);
    return str_eq(call->key, s->key) ? 0 : stage_diverged(s, err);
}

// What the journal says about the key. The call is recorded first: the same script must ask for the same here again.
static int place(struct run *run, struct stage *s, struct err *err)
{
    int r = check_call(run, s, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *record = NULL;
    if (find_record(run, s, &record, err) < 0)
        return -(int)err->code;
    enum stage_state state = STAGE_RESERVED;
    if (record)
        stage_state_from_name(json_str(record, "state", ""), &state);
    if (record && stage_state_final(state)) {
        reuse(run, s, record);
        return 0;
    }
    if (record && stage_waits_again(s, record)) {
        stage_placed(s);
        return 0;
    }
    AUTO_JSON json_t *elsewhere = record ? NULL : stage_reusable_new(s);
    if (!run->next_seq) // a replay may come here before it has come by all stages of the journal
        run->next_seq = highest_seq(run) + 1;
    if (!elsewhere && !stage_fits_host(s))
        return 0;
    if (!record && !elsewhere && !stage_affords(s))
        return 0;
    r = record ? take_over(run, s, record, err) : reserve(run, s, err);
    if (r < 0 && !run->resumed) // it was asked for all the same
        stage_put_call(s, NULL, NULL);
    if (r < 0)
        return r;
    stage_placed(s);
    if (elsewhere)
        return stage_adopt(s, elsewhere, err);
    if (s->focus.missing)
        block_on_context(run, s);
    else
        vec_push(&run->to_dispatch, (uint64_t)s->seq);
    return 0;
}

struct described_arg {
    struct stage *s;
    const char *version;
    const struct err *err;
};

// What the key needs is known.
static void go_on(struct run *run, struct stage *s)
{
    struct err err;
    if (s->ending) // its run ends, or undoes what it did: the timer takes the stage away
        return;
    compute_key(run, s, s->version);
    int r = choose_occurrence(run, s, &err);
    if (r == 0 && stage_would_loop(s))
        return;
    if (r == 0 && place(run, s, &err) == 0)
        return;
    if (err.code == ERR_CONFLICT)
        run_end(run, RUN_DIVERGED, NULL, err.text);
    fail_call(s, &err);
}

static bool has_place(const struct run *run, const struct stage *s)
{
    return !s->needs_project || (run->facts && (!s->starts_programs || probe_known(run->env.probe)));
}

static void described_in_turn(struct run *run, void *arg)
{
    const struct described_arg *d = arg;
    if (d->err) {
        fail_call(d->s, d->err);
        return;
    }
    str_set(&d->s->version, d->version);
    if (has_place(run, d->s)) {
        go_on(run, d->s);
        return;
    }
    d->s->awaits_place = true;
    if (!run->facts)
        run_need_checkouts(run);
}

void stage_prepared(struct run *run)
{
    for (size_t i = 0; i < run->stages.len;) {
        struct stage *s = run->stages.items[i];
        i++;
        if (!s->awaits_place || !has_place(run, s))
            continue;
        s->awaits_place = false;
        go_on(run, s);
        i = 0; // it may have changed the list
    }
}

static void probed_in_turn(struct run *run, void *arg)
{
    (void)arg;
    stage_prepared(run);
}

void run_probed(struct run *run)
{
    for (size_t i = 0; i < run->stages.len; i++) {
        if (run->stages.items[i]->awaits_place) {
            run_turn(run, probed_in_turn, NULL);
            return;
        }
    }
}

static void described(void *user, const char *version, const struct err *err)
{
    struct stage *s = user;
    struct described_arg d = {.s = s, .version = version, .err = err};
    run_turn(s->run, described_in_turn, &d);
}

static void on_timer(void *user)
{
    struct stage *s = user;
    if (s->backoff && !s->ending) {
        stage_backoff_over(s);
        return;
    }
    if (!s->ending) {
        stage_limit_reached(s);
        return;
    }
    if (!s->seq) { // the journal does not know of it
        stage_free(s);
        return;
    }
    // It did not answer to the cancel in time.
    pool_kill(s->run->env.pool, s->lease);
    AUTO_FREE char *reason = str_printf("%s; the worker was killed", s->ending);
    if (s->ending_state != STAGE_TIMED_OUT || !stage_retry(s, "timeout", reason, false))
        stage_finish(s, stage_timed_out_draft_new(s, handoff_blocked_draft_new(reason, NULL)), s->ending_state, NULL);
}

int stage_begin(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args, json_t **ret_answer,
                struct err *err)
{
    (void)ret_answer;
    const char *name = json_str(args, "agent", "");
    const struct agent_text *agent = stage_find_agent(run, name);
    if (!agent)
        return err_set(err, ERR_NOT_FOUND, "no agent file for '%s': the run started with %zu agents", name,
                       run->agents.len);
    const char *role = role_of_agent(agent->name);
    if (!role || !pool_has_role(role))
        return err_set(err, ERR_UNSUPPORTED, "no native worker does the work of '%s'", agent->name);
    const char *mode = json_str(args, "mode", NULL);
    if (mode && !focus_mode_known(role, mode))
        return err_set(err, ERR_INVALID, "'%s' has no mode '%s'", agent->name, mode);
    struct stage *s = mem_alloc(sizeof(*s));
    *s = (struct stage){.run = run, .call = call, .task = str_dup(task), .n = n, .agent = agent, .role = role};
    s->needs_project = pool_role_needs_project(role);
    s->args = json_incref((json_t *)(uintptr_t)args);
    s->timer = loop_timer_new(run->env.loop, on_timer, s);
    vec_push(&run->stages, s);
    int r = collect_parents(run, s, err);
    if (r < 0) {
        stage_free(s);
        return r;
    }
    const json_t *options = json_obj(run->record, "options");
    s->bounds = bounds_new(options, run->handed_on, json_list(args, "after"));
    if (!agent->usable || s->bounds)
        r = rights_check(agent->name, agent->file, json_list(options, "operator_rules"), s->bounds, err);
    if (r < 0) {
        stage_free(s);
        return r;
    }
    s->starts_programs = s->needs_project && rights_start_programs(agent->name, agent->file,
                                                                   json_list(options, "operator_rules"), s->bounds);
    if (s->starts_programs)
        probe_begin(run->env.probe); // beside the start of its worker, and the checkouts
    size_t parents = json_array_size(s->parents);
    const char *previous = parents ? json_str(json_array_get(s->parents, parents - 1), "agent_name", NULL) : NULL;
    focus_choose(agent->file, role, previous, s->parents, mode, &s->focus);
    AUTO_JSON json_t *limits = NULL;
    r = stage_read_limits(args, &limits, err);
    if (r < 0) {
        stage_free(s);
        return r;
    }
    if (json_flag(args, "reuse", false) && focus_mode_commits(role, s->focus.mode)) {
        err_set(err, ERR_INVALID,
                "'reuse' is not for '%s' in mode '%s': its result is also commits on the branch of its run",
                agent->name, s->focus.mode);
        stage_free(s);
        return -ERR_INVALID;
    }
    pool_describe(run->env.pool, role, described, s);
    return 0;
}

// Stages: from the script's call to the committed result. Rules that the code does not show:
// - The key decides: a finished stage with the same key and occurrence answers at once; one that was reserved but not
//   finished (the process died) is leased once more.
// - A stage always leaves a handoff, also when its worker died, timed out or was never dispatched.
// - Nothing is sent to a worker, and no result acknowledged, before the turn that journals it is on disk.
#include "engine/run_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/answer.h"
#include "engine/key.h"
#include "handoff/handoff.h"
#include "roles/roles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void lease_text(uint64_t lease, char out[24])
{
    snprintf(out, 24, "%016" PRIx64, lease);
}

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
    mem_free(s->task);
    mem_free(s->version);
    mem_free(s);
}

static struct stage *find_by_lease(struct run *run, uint64_t lease)
{
    for (size_t i = 0; i < run->stages.len; i++)
        if (run->stages.items[i]->lease == lease && lease)
            return run->stages.items[i];
    return NULL;
}

static char *stage_spool_dir(const struct stage *s)
{
    return str_printf("%s/spool/%d-%d", s->run->dir, s->seq, s->attempt);
}

static json_t *stage_facts(const struct stage *s)
{
    json_t *body = json_object();
    json_put_int(body, "stage", s->seq);
    json_put_str(body, "agent", s->agent->name);
    json_put_str(body, "mode", s->focus.mode);
    json_put_int(body, "attempt", s->attempt);
    return body;
}

static void remember(struct run *run, const json_t *handoff, const char *key)
{
    const char *id = json_str(handoff, "id", NULL);
    if (!id)
        return;
    json_put(run->handoffs, id, json_deep_copy(handoff));
    json_put_str(run->keys, id, key);
}

// --- handoffs ---

// Only files of the stage's own folder become artifacts.
static int put_file(void *ctx, const char *path, char hash[HASH_TEXT], int64_t *ret_bytes, struct err *err)
{
    struct stage *s = ctx;
    AUTO_FREE char *spool = stage_spool_dir(s);
    AUTO_FREE char *real_spool = path_real(spool, NULL);
    AUTO_FREE char *real = path_real(path, err);
    if (!real)
        return -(int)err->code;
    if (!real_spool || !path_below(real, real_spool))
        return err_set(err, ERR_DENIED, "artifact '%s' does not lie in the stage's folder", path);
    return store_artifact_put_file(s->run->env.store, real, hash, ret_bytes, err);
}

static int put_bytes(void *ctx, const void *data, size_t len, char hash[HASH_TEXT], struct err *err)
{
    struct stage *s = ctx;
    return store_artifact_put(s->run->env.store, data, len, hash, err);
}

// An id that no handoff of the run has: stamps have seconds, and parallel stages share a role.
static void choose_id(const struct stage *s, int64_t now, char id[HANDOFF_ID_MAX])
{
    handoff_id_make(now, s->role, id);
    while (json_object_get(s->run->handoffs, id)) {
        char next[HANDOFF_ID_MAX];
        handoff_id_next(id, next);
        memcpy(id, next, sizeof(next));
    }
}

static int seal(struct stage *s, const json_t *draft, json_t **ret, struct err *err)
{
    char id[HANDOFF_ID_MAX];
    int64_t now = clock_wall_ns();
    choose_id(s, now, id);
    VEC(const char *) parents = {0};
    size_t i;
    json_t *item;
    json_array_foreach (s->parents, i, item)
        vec_push(&parents, json_str(item, "id", ""));
    vec_push(&parents, NULL);
    struct handoff_facts facts = {.id = id,
                                  .wall_ns = now,
                                  .role = s->role,
                                  .agent_name = s->agent->name,
                                  .parents = parents.items,
                                  .run = s->run->id,
                                  .stage = s->seq,
                                  .attempt = s->attempt};
    struct handoff_store keep = {.put = put_bytes, .put_file = put_file, .context = s};
    int r = handoff_seal(draft, &facts, &keep, ret, err);
    vec_free(&parents);
    json_array_foreach (r == 0 ? json_list(*ret, "artifacts") : NULL, i, item)
        if (r == 0)
            r = store_artifact_ref(s->run->env.store, s->run->id, s->seq, json_str(item, "name", ""),
                                   json_str(item, "hash", ""), json_str(item, "media", NULL), json_int(item, "bytes", 0), err);
    return r;
}

// Claims without evidence become findings for the next gate.
static void note_claims(struct stage *s, const json_t *draft, json_t *handoff)
{
    AUTO_JSON json_t *claims = handoff_check_draft_claims(draft);
    if (json_array_size(claims) == 0)
        return;
    json_t *body = stage_facts(s);
    json_put(body, "claims", json_incref(claims));
    run_note(s->run, EVENT_CLAIM_UNGROUNDED, body);
    json_put(s->run->ungrounded, json_str(handoff, "id", ""), json_incref(claims));
}

// --- finishing ---

struct finish_arg {
    struct stage *s;
    json_t *draft; // own copy
    enum stage_state state;
    const char *worker;
};

static int commit_result(struct stage *s, struct finish_arg *f, json_t *handoff, struct err *err)
{
    char lease[24];
    lease_text(s->lease, lease);
    struct store_result result = {.run = s->run->id,
                                  .seq = s->seq,
                                  .lease = lease,
                                  .state = f->state,
                                  .handoff_id = json_str(handoff, "id", NULL),
                                  .handoff = handoff,
                                  .receipts = json_list(f->draft, "receipts"),
                                  .worker = f->worker};
    return store_commit_stage(s->run->env.store, &result, NULL, 0, err);
}

static enum stage_state state_of(const json_t *handoff)
{
    const char *status = json_str(handoff, "status", "");
    return str_eq(status, "completed") ? STAGE_COMPLETED
           : str_eq(status, "needs_discussion") ? STAGE_NEEDS_DISCUSSION
                                                 : STAGE_BLOCKED;
}

static void finish_in_turn(struct run *run, void *arg)
{
    struct finish_arg *f = arg;
    struct stage *s = f->s;
    struct err err;
    json_t *handoff = NULL;
    int r = seal(s, f->draft, &handoff, &err);
    if (r < 0) { // what the worker sent is not a usable draft: the stage is blocked, and says so
        AUTO_JSON json_t *receipts = json_incref(json_list(f->draft, "receipts"));
        json_decref(f->draft);
        f->draft = handoff_blocked_draft_new(err.text, NULL);
        if (receipts)
            json_put(f->draft, "receipts", json_deep_copy(receipts));
        r = seal(s, f->draft, &handoff, &err);
    }
    if (r == 0 && f->state == STAGE_COMPLETED)
        f->state = state_of(handoff);
    if (r == 0)
        r = commit_result(s, f, handoff, &err);
    if (r < 0) {
        uint64_t lease = s->lease;
        run_end(run, RUN_FAILED, NULL, err.text);
        json_decref(handoff);
        stage_free(s);
        pool_done(run->env.pool, lease, false);
        return;
    }
    vec_push(&run->to_acknowledge, s->lease);
    remember(run, handoff, s->key);
    note_claims(s, f->draft, handoff);
    json_t *body = stage_facts(s);
    json_put_str(body, "state", stage_state_name(f->state));
    json_put_str(body, "handoff", json_str(handoff, "id", NULL));
    json_put_str(body, "summary", json_str(handoff, "summary", NULL));
    json_put_str(body, "verdict", json_str(handoff, "verdict", NULL));
    json_put_int(body, "elapsed_ms", (clock_mono_ns() - s->started_ns) / NS_PER_MS);
    run_note(run, EVENT_STAGE_FINISHED, body);
    AUTO_JSON json_t *answer = answer_of_stage_new(handoff, f->state, s->seq, s->key);
    uint64_t call = s->call;
    stage_free(s);
    f->s = NULL;
    run_answer(run, call, answer, NULL);
    if (run->facts)
        vec_push(&run->to_write, json_incref(handoff));
    json_decref(handoff);
}

// The stage is over, with this draft (consumed).
static void finish(struct stage *s, json_t *draft_consumed, enum stage_state state, const char *worker)
{
    struct finish_arg f = {.s = s, .draft = draft_consumed, .state = state, .worker = worker};
    run_turn(s->run, finish_in_turn, &f);
    json_decref(f.draft);
}

// --- beginning ---

static const struct agent_text *find_agent(const struct run *run, const char *name)
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

static void compute_key(struct run *run, struct stage *s, const char *version)
{
    snprintf(s->worker, sizeof(s->worker), "%s/%s", s->role, version);
    AUTO_JSON json_t *parents = json_array();
    size_t i;
    json_t *parent;
    json_array_foreach (s->parents, i, parent) {
        char hash[HASH_TEXT];
        json_hash(parent, hash);
        json_add_str(parents, hash);
    }
    struct key_parts parts = {.agent_hash = s->agent->hash,
                              .worker = s->worker,
                              .mode = s->focus.mode,
                              .task = json_str(s->args, "task", NULL),
                              .input = json_object_get(s->args, "input"),
                              .parents = parents,
                              .project = s->needs_project ? run->facts->base : NULL,
                              .operator_rules = json_list(json_obj(run->record, "options"), "operator_rules")};
    key_of_stage(&parts, s->key);
}

// The occurrences that earlier calls of this run have, as "key/occurrence".
static json_t *claims_new(struct run *run)
{
    json_t *claims = json_object();
    AUTO_JSON json_t *calls = run->resumed ? store_call_list_new(run->env.store, run->id, NULL) : NULL;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        const json_t *answer = str_eq(json_str(call, "op", ""), "stage") ? json_obj(call, "answer") : NULL;
        if (!json_str(answer, "key", NULL))
            continue;
        AUTO_FREE char *claim =
            str_printf("%s/%" PRId64, json_str(answer, "key", ""), json_int(answer, "occurrence", 0));
        json_put_flag(claims, claim, true);
    }
    return claims;
}

// Equal stages of parallel tasks must not change places in a replay, where the tasks come by in another order: a call has the
// occurrence it was journaled with, and a new call one that no journaled call has.
static void choose_occurrence(struct run *run, struct stage *s)
{
    AUTO_JSON json_t *call = run->resumed ? store_call_get_new(run->env.store, run->id, s->task, s->n, NULL) : NULL;
    const json_t *answer = json_obj(call, "answer");
    if (str_eq(json_str(call, "op", ""), "stage") && str_eq(json_str(answer, "key", ""), s->key)) {
        s->occurrence = (int)json_int(answer, "occurrence", 0);
        return;
    }
    if (!run->claims)
        run->claims = claims_new(run);
    s->occurrence = (int)json_int(run->occurrences, s->key, 0);
    for (;; s->occurrence++) {
        AUTO_FREE char *claim = str_printf("%s/%d", s->key, s->occurrence);
        if (!json_object_get(run->claims, claim))
            break;
    }
    json_put_int(run->occurrences, s->key, s->occurrence + 1);
}

// A finished stage of the journal answers.
static void reuse(struct run *run, struct stage *s, const json_t *record)
{
    enum stage_state state = STAGE_COMPLETED;
    stage_state_from_name(json_str(record, "state", ""), &state);
    const json_t *handoff = json_obj(record, "handoff");
    remember(run, handoff, s->key);
    int seq = (int)json_int(record, "seq", 0);
    s->seq = seq;
    s->attempt = (int)json_int(record, "attempt", 1);
    json_t *body = stage_facts(s);
    json_put_str(body, "state", stage_state_name(state));
    json_put_str(body, "summary", json_str(handoff, "summary", NULL));
    run_tell(run, EVENT_STAGE_REUSED, body); // a replay is nothing new: not journaled
    AUTO_JSON json_t *answer = answer_of_stage_new(handoff, state, seq, s->key);
    uint64_t call = s->call;
    stage_free(s);
    run_answer(run, call, answer, NULL);
}

static int highest_seq(struct run *run)
{
    AUTO_JSON json_t *stages = store_stage_list_new(run->env.store, run->id, false, NULL);
    int highest = 0;
    size_t i;
    json_t *stage;
    json_array_foreach (stages, i, stage)
        if ((int)json_int(stage, "seq", 0) > highest)
            highest = (int)json_int(stage, "seq", 0);
    return highest;
}

static int reserve(struct run *run, struct stage *s, struct err *err)
{
    if (!run->next_seq) // a replay may come here before it has come by all stages of the journal
        run->next_seq = highest_seq(run) + 1;
    if (run->next_seq > STAGES_MAX)
        return err_set(err, ERR_LIMIT, "the run has used its %d stages", STAGES_MAX);
    s->seq = run->next_seq++;
    s->attempt = 1;
    s->lease = pool_lease(run->env.pool);
    char lease[24];
    lease_text(s->lease, lease);
    AUTO_JSON json_t *request = json_deep_copy(s->args);
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
                                      .request = request};
    int r = store_commit_stage(run->env.store, NULL, &reservation, 1, err);
    if (r == 0)
        run_note(run, EVENT_STAGE_RESERVED, stage_facts(s));
    return r;
}

// The reservation of a process that died: lease it once more.
static int take_over(struct run *run, struct stage *s, const json_t *record, struct err *err)
{
    s->seq = (int)json_int(record, "seq", 0);
    s->lease = pool_lease(run->env.pool);
    char lease[24];
    lease_text(s->lease, lease);
    int r = store_stage_lease(run->env.store, run->id, s->seq, NULL, lease, &s->attempt, err);
    if (r == 0)
        run_note(run, EVENT_STAGE_RETRIED, stage_facts(s));
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
    json_t *body = stage_facts(s);
    json_put_str(body, "expected", s->focus.expected);
    json_put_str(body, "outputs", s->focus.keys);
    json_put_int(body, "line", s->focus.line);
    run_note(run, EVENT_CONTEXT_MISSING, body);
    AUTO_FREE char *reason =
        str_printf("expected context '%s' is missing: no parent handoff has any of '%s' in its output (agent file %s, line %d)",
                   s->focus.expected, s->focus.keys, s->agent->name, s->focus.line);
    s->started_ns = clock_mono_ns();
    finish(s, handoff_blocked_draft_new(reason, NULL), STAGE_BLOCKED, NULL);
}

// What the journal says about the key. The call is recorded first: the same script must ask for the same here again.
static int place(struct run *run, struct stage *s, struct err *err)
{
    AUTO_JSON json_t *answer = json_object();
    json_put_str(answer, "key", s->key);
    json_put_str(answer, "worker", s->worker); // a replay on another machine has no worker to ask
    json_put_int(answer, "occurrence", s->occurrence);
    int r = store_call_put(run->env.store, run->id, s->task, s->n, "stage", s->key, answer, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *record = store_stage_find_new(run->env.store, run->id, s->key, s->occurrence, err);
    if (!record && err->code != ERR_NOT_FOUND)
        return -(int)err->code;
    enum stage_state state = STAGE_RESERVED;
    if (record)
        stage_state_from_name(json_str(record, "state", ""), &state);
    if (record && stage_state_final(state)) {
        reuse(run, s, record);
        return 0;
    }
    r = record ? take_over(run, s, record, err) : reserve(run, s, err);
    if (r < 0)
        return r;
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
    compute_key(run, s, s->version);
    choose_occurrence(run, s);
    if (place(run, s, &err) == 0)
        return;
    if (err.code == ERR_CONFLICT)
        run_end(run, RUN_DIVERGED, NULL, err.text);
    fail_call(s, &err);
}

static void described_in_turn(struct run *run, void *arg)
{
    const struct described_arg *d = arg;
    if (d->err) {
        fail_call(d->s, d->err);
        return;
    }
    str_set(&d->s->version, d->version);
    if (d->s->needs_project && !run->facts) {
        d->s->awaits_checkouts = true;
        run_need_checkouts(run);
        return;
    }
    go_on(run, d->s);
}

void stage_prepared(struct run *run)
{
    for (size_t i = 0; i < run->stages.len;) {
        struct stage *s = run->stages.items[i];
        i++;
        if (!s->awaits_checkouts)
            continue;
        s->awaits_checkouts = false;
        go_on(run, s);
        i = 0; // it may have changed the list
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
    if (!s->ending) {
        stage_stop(s, STAGE_TIMED_OUT, "it took longer than its limit");
        return;
    }
    // It did not answer to the cancel in time.
    pool_kill(s->run->env.pool, s->lease);
    AUTO_FREE char *reason = str_printf("%s; the worker was killed", s->ending);
    finish(s, handoff_blocked_draft_new(reason, NULL), s->ending_state, NULL);
}

int stage_begin(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args, json_t **ret_answer,
                struct err *err)
{
    (void)ret_answer;
    const char *name = json_str(args, "agent", "");
    const struct agent_text *agent = find_agent(run, name);
    if (!agent)
        return err_set(err, ERR_NOT_FOUND, "no agent file for '%s': the run started with %zu agents", name, run->agents.len);
    const char *role = role_of_agent(agent->name);
    if (!role || !pool_has_role(role))
        return err_set(err, ERR_UNSUPPORTED, "no native worker does the work of '%s'", agent->name);
    const char *mode = json_str(args, "mode", NULL);
    if (mode && !focus_mode_known(role, mode))
        return err_set(err, ERR_INVALID, "'%s' has no mode '%s'", agent->name, mode);
    struct stage *s = mem_alloc(sizeof(*s));
    *s = (struct stage){.run = run, .call = call, .task = str_dup(task), .n = n, .agent = agent, .role = role};
    s->needs_project = pool_role_needs_project(role);
    s->args = json_deep_copy(args);
    s->timer = loop_timer_new(run->env.loop, on_timer, s);
    vec_push(&run->stages, s);
    int r = collect_parents(run, s, err);
    if (r < 0) {
        stage_free(s);
        return r;
    }
    size_t parents = json_array_size(s->parents);
    const char *previous = parents ? json_str(json_array_get(s->parents, parents - 1), "agent_name", NULL) : NULL;
    focus_choose(agent->file, role, previous, s->parents, mode, &s->focus);
    pool_describe(run->env.pool, role, described, s);
    return 0;
}

// --- dispatch ---

static json_t *ancestors_new(const struct run *run, const struct stage *s)
{
    static const char *const KEYS[] = {"id", "agent", "status", "summary", "next_agent", "next_task"};
    json_t *list = json_array();
    const char *id;
    json_t *handoff;
    json_object_foreach (run->handoffs, id, handoff) {
        size_t i;
        json_t *parent;
        bool direct = false;
        json_array_foreach (s->parents, i, parent)
            direct = direct || str_eq(json_str(parent, "id", NULL), id);
        if (direct)
            continue;
        json_t *entry = json_object();
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++)
            json_put_str(entry, KEYS[k], json_str(handoff, KEYS[k], NULL));
        json_put(entry, "parent", json_incref(json_object_get(handoff, "parent")));
        json_put(entry, "output", json_deep_copy(json_obj(handoff, "output")));
        json_array_append_new(list, entry);
    }
    return list;
}

static void put_dirs(const struct run *run, const struct stage *s, json_t *assignment)
{
    json_t *dirs = json_object();
    AUTO_FREE char *spool = stage_spool_dir(s);
    AUTO_FREE char *artifacts = path_join(store_dir(run->env.store), "artifacts");
    json_put_str(dirs, "project", run->project);
    if (s->needs_project) {
        AUTO_FREE char *base = workspace_base_dir(run->workspace);
        AUTO_FREE char *work = workspace_work_dir(run->workspace);
        file_make_dirs(spool, NULL);
        json_put_str(dirs, "base", base);
        json_put_str(dirs, "work", work);
        json_put_str(dirs, "cache", run->cache_dir);
    }
    json_put_str(dirs, "run", run->dir);
    json_put_str(dirs, "spool", spool);
    json_put_str(dirs, "artifacts", artifacts);
    json_put(assignment, "dirs", dirs);
}

static json_t *assignment_new(const struct run *run, const struct stage *s, int64_t wall_ns)
{
    json_t *a = json_object();
    char lease[24];
    lease_text(s->lease, lease);
    json_put_str(a, "run", run->id);
    json_put_int(a, "stage", s->seq);
    json_put_int(a, "attempt", s->attempt);
    json_put_str(a, "lease", lease);
    json_t *agent = json_object();
    AUTO_FREE char *path = str_printf("%s.md", role_bare_name(s->agent->name));
    json_put_str(agent, "name", s->agent->name);
    json_put_str(agent, "path", path);
    json_put_str(agent, "text", s->agent->text);
    json_put(a, "agent", agent);
    json_put_str(a, "mode", s->focus.mode);
    json_put_str(a, "focus", s->focus.text);
    json_put_str(a, "task", json_str(s->args, "task", NULL));
    const json_t *input = json_obj(s->args, "input");
    json_put(a, "input", input ? json_deep_copy(input) : json_object());
    json_put(a, "parents", json_deep_copy(s->parents));
    json_put(a, "ancestors", ancestors_new(run, s));
    put_dirs(run, s, a);
    if (s->needs_project) {
        json_t *git = json_object();
        json_put_str(git, "base", run->facts->base);
        json_put_str(git, "branch", run->facts->branch);
        json_put_str(git, "prefix", run->facts->prefix);
        json_put(a, "git", git);
    }
    const json_t *rules = json_list(json_obj(run->record, "options"), "operator_rules");
    json_put(a, "operator_rules", rules ? json_deep_copy(rules) : json_array());
    json_t *limits = json_object();
    json_put_int(limits, "wall_ms", wall_ns / NS_PER_MS);
    json_put(a, "limits", limits);
    return a;
}

void stage_dispatch_reserved(struct run *run)
{
    for (size_t k = 0; k < run->to_dispatch.len; k++) {
        for (size_t i = 0; i < run->stages.len && !run->ending; i++) {
            struct stage *s = run->stages.items[i];
            if ((uint64_t)s->seq != run->to_dispatch.items[k] || s->started_ns)
                continue;
            int64_t wall_ms = json_int(s->args, "timeout_ms", 0);
            int64_t wall_ns = wall_ms > 0 ? wall_ms * NS_PER_MS : STAGE_WALL_NS;
            AUTO_JSON json_t *assignment = assignment_new(run, s, wall_ns);
            s->started_ns = clock_mono_ns();
            loop_timer_start(s->timer, wall_ns, 0);
            pool_submit(run->env.pool, s->role, s->focus.mode, s->lease, assignment);
        }
    }
    run->to_dispatch.len = 0;
}

void stage_stop(struct stage *s, enum stage_state state, const char *why)
{
    if (s->ending)
        return;
    s->ending = why;
    s->ending_state = state;
    if (s->lease && s->started_ns)
        pool_cancel(s->run->env.pool, s->lease, why);
    loop_timer_start(s->timer, CANCEL_GRACE_NS, 0);
}

// --- what the pool reports ---

bool run_stage_dispatched(struct run *run, uint64_t lease, pid_t worker)
{
    struct stage *s = find_by_lease(run, lease);
    if (!s)
        return false;
    json_t *body = stage_facts(s);
    json_put_int(body, "worker", worker);
    json_put_str(body, "focus", s->focus.text);
    run_note_late(run, EVENT_STAGE_DISPATCHED, body);
    return true;
}

static void tell_progress(struct run *run, void *arg)
{
    run_tell(run, EVENT_STAGE_PROGRESS, arg);
}

bool run_stage_progress(struct run *run, uint64_t lease, double fraction, const char *text)
{
    struct stage *s = find_by_lease(run, lease);
    if (!s)
        return false;
    json_t *body = stage_facts(s);
    json_put_str(body, "text", text);
    json_put_num(body, "fraction", fraction < 0 ? -1 : fraction);
    if (run->late.len == 0 || !run_turn(run, tell_progress, body)) // its dispatch is told first, and is on disk then
        run_tell(run, EVENT_STAGE_PROGRESS, body);
    return true;
}

bool run_stage_result(struct run *run, uint64_t lease, const char *worker, json_t *draft)
{
    struct stage *s = find_by_lease(run, lease);
    if (!s)
        return false;
    enum stage_state state = s->ending ? s->ending_state : STAGE_COMPLETED;
    AUTO_FREE char *name = str_dup(worker);
    finish(s, json_incref(draft), state, name);
    return true;
}

struct retry_arg {
    struct stage *s;
    const char *why;
};

static void retry_in_turn(struct run *run, void *arg)
{
    struct retry_arg *a = arg;
    struct stage *s = a->s;
    struct err err;
    char before[24], after[24];
    json_t *body = stage_facts(s);
    json_put_str(body, "why", a->why);
    run_note(run, EVENT_STAGE_LOST, body);
    lease_text(s->lease, before);
    s->lease = pool_lease(run->env.pool);
    lease_text(s->lease, after);
    if (store_stage_lease(run->env.store, run->id, s->seq, before, after, &s->attempt, &err) < 0) {
        run_end(run, RUN_FAILED, NULL, err.text);
        return;
    }
    s->started_ns = 0;
    run_note(run, EVENT_STAGE_RETRIED, stage_facts(s));
    vec_push(&run->to_dispatch, (uint64_t)s->seq);
}

bool run_stage_lost(struct run *run, uint64_t lease, const char *why)
{
    struct stage *s = find_by_lease(run, lease);
    if (!s)
        return false;
    if (s->ending) {
        finish(s, handoff_blocked_draft_new(s->ending, why), s->ending_state, NULL);
    } else if (++s->losses < STAGE_ATTEMPTS_MAX + (int)json_int(s->args, "retries", 0)) {
        struct retry_arg a = {.s = s, .why = why};
        run_turn(run, retry_in_turn, &a);
    } else {
        AUTO_FREE char *reason = str_printf("%s (attempt %d)", why, s->attempt);
        finish(s, handoff_blocked_draft_new(reason, NULL), STAGE_FAILED, NULL);
    }
    return true;
}

bool run_stage_failed(struct run *run, uint64_t lease, const struct err *err)
{
    struct stage *s = find_by_lease(run, lease);
    if (!s)
        return false;
    finish(s, handoff_blocked_draft_new(err->text, NULL), STAGE_FAILED, NULL);
    return true;
}

#include "job.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "policy/policy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t ARTIFACT_MAX = (size_t)64 << 20; // of one that is read back

struct job *job_new(const struct agent *agent, json_t *assignment_take)
{
    struct job *job = mem_alloc(sizeof(*job));
    job->agent = agent;
    job->assignment = assignment_take;
    must(pthread_mutex_init(&job->lock, NULL) == 0);
    return job;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    exec_context_free(job->exec);
    if (job->temporary)
        file_remove_tree(job->temporary, NULL);
    mem_free(job->temporary);
    json_decref(job->assignment);
    pthread_mutex_destroy(&job->lock);
    mem_free(job);
}

// --- what run() may ask ---

const json_t *job_assignment(const struct job *job)
{
    return job->assignment;
}

const char *job_mode(const struct job *job)
{
    return json_str(job->assignment, "mode", "");
}

const char *job_dir(const struct job *job, const char *name)
{
    return json_str(json_obj(job->assignment, "dirs"), name, NULL);
}

char *job_project_in(const struct job *job, const char *dir_name)
{
    const char *dir = job_dir(job, dir_name);
    return dir ? path_join(dir, json_str(json_obj(job->assignment, "git"), "prefix", "")) : NULL;
}

const json_t *job_input(const struct job *job, const char *key)
{
    return json_object_get(json_obj(job->assignment, "input"), key);
}

struct exec_context *job_exec(struct job *job)
{
    return job->exec;
}

bool job_cancelled(const struct job *job)
{
    // The lock is an implementation detail of a question that changes nothing.
    struct job *open = (struct job *)(uintptr_t)job;
    pthread_mutex_lock(&open->lock);
    bool cancelled = open->cancelled;
    pthread_mutex_unlock(&open->lock);
    return cancelled;
}

void job_progress(struct job *job, double fraction, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    str_make_plain(text);
    text[str_utf8_cut(text, JOB_PROGRESS_MAX - 1)] = '\0';
    pthread_mutex_lock(&job->lock);
    memcpy(job->progress, text, strlen(text) + 1);
    job->fraction = fraction;
    job->progress_new = true;
    pthread_mutex_unlock(&job->lock);
    if (job->on_progress)
        job->on_progress(job->user);
}

bool job_take_progress(struct job *job, char ret_text[JOB_PROGRESS_MAX], double *ret_fraction)
{
    pthread_mutex_lock(&job->lock);
    bool is_new = job->progress_new;
    if (is_new) {
        memcpy(ret_text, job->progress, JOB_PROGRESS_MAX);
        *ret_fraction = job->fraction;
    }
    job->progress_new = false;
    pthread_mutex_unlock(&job->lock);
    return is_new;
}

void job_cancel(struct job *job, const char *reason)
{
    pthread_mutex_lock(&job->lock);
    if (!job->cancelled) {
        job->cancelled = true;
        size_t len = str_utf8_cut(reason, sizeof(job->reason) - 1);
        memcpy(job->reason, reason, len);
        job->reason[len] = '\0';
    }
    if (job->exec)
        exec_cancel(job->exec);
    pthread_mutex_unlock(&job->lock);
}

// --- what models take ---

void job_spend(struct job *job, int64_t micro_dollars, int64_t tokens)
{
    job->money += micro_dollars > 0 ? micro_dollars : 0;
    job->tokens += tokens > 0 ? tokens : 0;
}

int job_check_spent(const struct job *job, struct err *err)
{
    const json_t *limits = json_obj(job->assignment, "limits");
    const struct {
        const char *name;
        int64_t spent;
    } SPENT[] = {{"money", job->money}, {"tokens", job->tokens}};
    for (size_t i = 0; i < ARRAY_LEN(SPENT); i++) {
        int64_t most = json_int(limits, SPENT[i].name, INT64_MAX);
        if (SPENT[i].spent >= most)
            return err_set(err, ERR_LIMIT, "the stage has used its limit of %s: %" PRId64 " of %" PRId64, SPENT[i].name,
                           SPENT[i].spent, most);
    }
    return 0;
}

// Behind those of the tools: evidence names receipts by their number.
static void put_spent(const struct job *job, json_t *draft)
{
    if (!job->money && !job->tokens)
        return;
    json_t *receipt = json_object();
    json_put_int(receipt, "money", job->money);
    json_put_int(receipt, "tokens", job->tokens);
    json_array_append_new(json_list(draft, "receipts"), receipt);
}

// --- context from parents ---

// Artifacts lie at <store>/ab/cdef…, as the engine's store writes them.
static int read_artifact(void *user, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    const char *store = job_dir(user, "artifacts");
    if (!store)
        return err_set(err, ERR_NOT_FOUND, "artifact %s is needed, but the assignment names no artifact folder", hash);
    if (strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64)
        return err_set(err, ERR_INVALID, "'%.80s' is not the hash of an artifact", hash);
    AUTO_FREE char *path = str_printf("%s/%.2s/%s", store, hash, hash + 2);
    return file_read(path, ARTIFACT_MAX, ret, ret_len, err);
}

static int resolve(const struct job *job, json_t *value, json_t **ret, struct err *err)
{
    const struct handoff_load load = {read_artifact, (void *)(uintptr_t)job}; // read only
    return handoff_resolve_new(value, &load, ret, err);
}

// The value of `key` in one handoff's output. 1: found, 0: it has none, negative: it could not be read back.
static int value_in(const struct job *job, const json_t *handoff, const char *key, json_t **ret, struct err *err)
{
    json_t *output = json_object_get(handoff, "output");
    AUTO_JSON json_t *whole = NULL;
    if (handoff_is_reference(output)) {
        int r = resolve(job, output, &whole, err);
        if (r < 0)
            return r;
        output = whole;
    }
    json_t *value = json_object_get(output, key);
    if (!value || json_is_null(value))
        return 0;
    int r = resolve(job, value, ret, err);
    return r < 0 ? r : 1;
}

// Which of the candidates comes from the latest stage; equal or unknown: the later in the list.
static size_t newest(const json_t *list, const bool *used)
{
    size_t best = json_array_size(list);
    int64_t best_stage = INT64_MIN;
    for (size_t i = 0; i < json_array_size(list); i++) {
        int64_t stage = json_int(json_array_get(list, i), "stage", 0);
        if (!used[i] && stage >= best_stage) {
            best = i;
            best_stage = stage;
        }
    }
    return best;
}

static int search(const struct job *job, const json_t *list, const char *key, json_t **ret, struct err *err)
{
    size_t count = json_array_size(list);
    AUTO_FREE bool *used = mem_array(count + 1, sizeof(bool));
    for (size_t n = 0; n < count; n++) {
        size_t i = newest(list, used);
        used[i] = true;
        int r = value_in(job, json_array_get(list, i), key, ret, err);
        if (r != 0)
            return r;
    }
    return 0;
}

json_t *job_context_new(const struct job *job, const char *key, struct err *err)
{
    static const char *const LISTS[] = {"parents", "ancestors"};
    err_clear(err);
    json_t *value = NULL;
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++) {
        int r = search(job, json_list(job->assignment, LISTS[i]), key, &value, err);
        if (r < 0)
            err_wrap(err, "'%s' of an earlier stage", key);
        if (r != 0)
            break;
    }
    return value;
}

// --- running ---

static int make_temporary(struct job *job, struct err *err)
{
    const char *base = getenv("TMPDIR");
    char *path = str_printf("%s/baton-stage-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path)) {
        mem_free(path);
        return err_set(err, ERR_IO, "cannot make a temporary folder for a stage without 'dirs.spool'");
    }
    job->temporary = path;
    return 0;
}

// A stage without folders of a project works where its tools have their home.
static const char *first_dir(const struct job *job, const char *otherwise)
{
    static const char *const NAMES[] = {"run", "base", "work", "project", "spool"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        const char *dir = job_dir(job, NAMES[i]);
        if (dir)
            return dir;
    }
    return otherwise;
}

static void tell_step(void *user, const char *text)
{
    job_progress(user, -1, "%s", text);
}

// The tools' home lies in the spool. A stage without one (echo) gets a temporary folder, if any tool is allowed at all.
static int open_exec(struct job *job, const struct rules *rules, const struct policy *policy, struct err *err)
{
    const char *spool = job_dir(job, "spool");
    if (!spool && policy_list_count(policy) > 0) {
        int r = make_temporary(job, err);
        if (r < 0)
            return r;
        spool = job->temporary;
    }
    AUTO_FREE char *home = path_join(spool ? spool : "/nonexistent", "tools");
    const char *built[] = {job_dir(job, "cache"), NULL}, *own[] = {spool, NULL};
    const char *checkouts[] = {job_dir(job, "base"), job_dir(job, "work"), NULL};
    // Only who has work to do there changes the branch's checkout, and nobody changes the base.
    bool reviews = str_eq(job->agent->role, "review");
    const char *const *const base = (const char *[]){checkouts[0], reviews ? checkouts[1] : NULL, NULL};
    const char *const *const work = (const char *[]){reviews ? NULL : checkouts[1], NULL};
    const struct exec_places places = {.workspace = first_dir(job, spool ? spool : "/nonexistent"),
                                       .built = built,
                                       .own = own,
                                       .home = home,
                                       .readonly = checkouts[0] ? base : NULL,
                                       .writable = checkouts[0] ? work : NULL,
                                       .site = json_str(job->assignment, "profiles", NULL)};
    struct exec_context *exec = NULL;
    int r = exec_context_new(policy, &places, &exec, err);
    if (r < 0)
        return r;
    exec_limit_network(exec, rules->network);
    exec_on_step(exec, tell_step, job);
    exec_limit_processes(exec, json_int(json_obj(job->assignment, "limits"), "processes", 0));
    pthread_mutex_lock(&job->lock);
    job->exec = exec;
    if (job->cancelled)
        exec_cancel(exec);
    pthread_mutex_unlock(&job->lock);
    return 0;
}

static json_t *draft_new(void)
{
    json_t *draft = json_object();
    json_put_str(draft, "status", "completed");
    json_put_str(draft, "summary", "");
    json_put(draft, "verdict", json_null());
    json_put(draft, "next_agent", json_null());
    json_put(draft, "next_task", json_null());
    json_put(draft, "output", json_object());
    json_put(draft, "sections", json_array());
    json_put(draft, "blockers", json_null());
    json_put(draft, "acceptance", json_array());
    json_put(draft, "artifacts", json_array());
    return draft;
}

static void finish_draft(json_t *draft, const struct agent *agent, const json_t *receipts)
{
    json_put(draft, "receipts", receipts ? json_deep_copy(receipts) : json_array());
    json_t *worker = json_object();
    json_put_str(worker, "name", agent->role);
    json_put_str(worker, "version", agent->version);
    json_put(draft, "worker", worker);
}

static void block(json_t *draft, const char *why)
{
    draft_status(draft, "blocked");
    json_put_str(draft, "blockers", why);
    if (!*json_str(draft, "summary", ""))
        draft_summary(draft, "blocked: %s", why);
}

json_t *draft_blocked_new(const struct agent *agent, const char *why)
{
    json_t *draft = draft_new();
    block(draft, why);
    finish_draft(draft, agent, NULL);
    return draft;
}

json_t *job_run_new(struct job *job, struct rules *rules)
{
    struct err err = {0};
    const struct policy *policy = NULL;
    json_t *draft = draft_new();
    int r = rules_load(rules, job->assignment, &policy, &err);
    if (r == 0)
        r = open_exec(job, rules, policy, &err);
    if (r == 0 && json_flag(json_obj(job->assignment, "limits"), "sign", false))
        job_progress(job, -1, "begun");
    if (r == 0)
        r = job->agent->run(job, draft, &err);
    if (r < 0)
        block(draft, err.text[0] ? err.text : err_name((enum err_code) - r));
    if (job_cancelled(job)) {
        AUTO_FREE char *why = str_printf("cancelled: %s", job->reason); // not changed after it was set
        json_put_str(draft, "summary", "");
        block(draft, why);
    }
    finish_draft(draft, job->agent, job->exec ? exec_receipts(job->exec) : NULL);
    put_spent(job, draft);
    if (r < 0) // the engine may try again, if the script wants it for such errors
        json_put_str(json_obj(draft, "worker"), "error", err_name(err.code != ERR_OK ? err.code : (enum err_code) - r));
    return draft;
}

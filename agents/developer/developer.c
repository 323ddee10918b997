// The rust-developer worker: turns candidates into commits on the run's branch, one commit each.
//
// Rules that the code does not show:
// - It acts only on candidates of the performance engineer, and on a runtime candidate only when the profile saw samples
//   there ("profile first"). It invents nothing.
// - Mode "implement": every candidate that still compiles becomes a commit. Mode "feedback": what verification kept, less
//   what the reviewer objects to.
// - Running a stage again gives the same branch: it starts from the base commit each time.
//
// output: { "changed": n, "changes": [{id, kind, scope, title, commit, files, candidate}], "skipped": [{id, title, reason}],
//           "files_changed": [path] }
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "change/change.h"
#include "sdk/agent.h"

#include <string.h>

#define HOT_SHARE_MIN_PCT 1.0 // below this share of samples a place is cold and stays as it is

struct work {
    struct job *job;
    struct files *base, *files; // the two checkouts
    char *root;             // of the branch's checkout
    char *project;          // project inside dirs.work
    const char *commit;     // base commit
    const char *run;
    char *target_env;       // CARGO_TARGET_DIR=…
    json_t *accepted;       // candidates that are committed
    json_t *touched;        // for change_lay
    json_t *changes, *skipped;
    struct err refused;     // the last denial of a file; code 0: none
};

static void skip(struct work *w, const json_t *candidate, const char *reason)
{
    json_t *entry = json_object();
    json_put_str(entry, "id", json_str(candidate, "id", "?"));
    json_put_str(entry, "title", json_str(candidate, "title", ""));
    json_put_str(entry, "reason", reason);
    json_array_append_new(w->skipped, entry);
}

static bool is_cold(const json_t *candidate)
{
    const char *kind = json_str(candidate, "kind", "");
    if (!str_eq(kind, "lint") && !str_eq(kind, "source"))
        return false;
    return json_num(json_obj(candidate, "evidence"), "share_pct", 0) < HOT_SHARE_MIN_PCT;
}

// Cheapest check that the tree still is a valid project: settings need only be readable, sources must compile. Tests and benches
// are compiled by the verification, which knows whether they did on the base.
static int check_tree(struct work *w, const json_t *candidate, struct err *err)
{
    bool sources = json_array_size(json_list(candidate, "edits")) > 0;
    const char *const check[] = {"cargo", "check", "--workspace", "--quiet", NULL};
    const char *const read[] = {"cargo", "metadata", "--format-version", "1", "--no-deps", "--quiet", NULL};
    const char *const env[] = {w->target_env, NULL};
    struct exec_result result;
    int r = exec_check(job_exec(w->job), &(struct exec_call){.argv = sources ? check : read, .cwd = w->project, .env = env},
                       &result, err);
    exec_result_free(&result);
    return r;
}

static void record(struct work *w, json_t *candidate, const char *commit)
{
    json_t *change = json_object();
    const char *const keys[] = {"id", "kind", "scope", "title"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        json_put_str(change, keys[i], json_str(candidate, keys[i], NULL));
    json_put_str(change, "commit", commit);
    json_put(change, "files", change_files(candidate));
    json_put(change, "candidate", json_incref(candidate));
    json_array_append_new(w->changes, change);
}

// Tries one candidate: lay, check, commit. A candidate that does not fit is skipped with its reason; only what stops the
// whole stage (git fails, cancelled) is an error.
static int implement(struct work *w, json_t *candidate, struct err *err)
{
    struct err why;
    json_array_append(w->accepted, candidate);
    int r = change_lay(w->base, w->files, w->accepted, w->touched, &why);
    bool refused = r == -ERR_DENIED; // by a rule of files: other candidates may touch other files
    if (refused)
        w->refused = why;
    if (r == 0)
        r = check_tree(w, candidate, &why);
    if (r < 0) {
        if (r == -ERR_CANCELLED || (r == -ERR_DENIED && !refused))
            return err_set(err, why.code, "%s", why.text);
        skip(w, candidate, why.text);
        json_array_remove(w->accepted, json_array_size(w->accepted) - 1);
        return change_lay(w->base, w->files, w->accepted, w->touched, err);
    }
    AUTO_FREE char *message = branch_message(candidate, w->run);
    char *commit = NULL;
    AUTO_JSON json_t *files = change_files(candidate);
    r = branch_commit(job_exec(w->job), w->root, files, message, &commit, err);
    if (r < 0)
        return r;
    if (commit) {
        record(w, candidate, commit);
    } else {
        skip(w, candidate, "the project has this setting already");
        json_array_remove(w->accepted, json_array_size(w->accepted) - 1);
    }
    mem_free(commit);
    return 0;
}

static bool objected(const json_t *requests, const char *id)
{
    size_t i;
    json_t *request;
    json_array_foreach (requests, i, request)
        if (str_eq(json_str(request, "change", ""), id))
            return true;
    return false;
}

// What to work on: the candidates of the profile, or in feedback mode the kept results without what the reviewer objects to.
static json_t *choose(struct work *w, struct err *err)
{
    json_t *candidates = job_context_new(w->job, "candidates", err);
    if (!str_eq(job_mode(w->job), "feedback"))
        return candidates;
    AUTO_JSON json_t *all = candidates;
    AUTO_JSON json_t *results = job_context_new(w->job, "results", err);
    AUTO_JSON json_t *requests = job_context_new(w->job, "requests", err);
    json_t *chosen = json_array();
    size_t i, k;
    json_t *result, *candidate;
    json_array_foreach (results, i, result) {
        const char *id = json_str(result, "id", "");
        if (!json_flag(result, "kept", false))
            continue;
        json_array_foreach (all, k, candidate) {
            if (!str_eq(json_str(candidate, "id", NULL), id))
                continue;
            if (objected(requests, id))
                skip(w, candidate, "the reviewer objects to it");
            else
                json_array_append(chosen, candidate);
        }
    }
    return chosen;
}

static int work_through(struct work *w, const json_t *candidates, struct err *err)
{
    int r = branch_reset(job_exec(w->job), w->root, w->commit, err);
    size_t i, n = json_array_size(candidates);
    json_t *candidate;
    json_array_foreach (candidates, i, candidate) {
        if (r < 0)
            return r;
        struct err why;
        job_progress(w->job, (double)i / (double)n, "candidate %zu of %zu: %s", i + 1, n, json_str(candidate, "title", ""));
        if (change_check(candidate, &why) < 0)
            skip(w, candidate, why.text);
        else if (is_cold(candidate))
            skip(w, candidate, "the profile saw no time there: left alone");
        else
            r = implement(w, candidate, err);
    }
    if (r == 0 && w->refused.code && json_array_size(w->changes) == 0)
        return err_set(err, w->refused.code, "%s", w->refused.text);
    return r;
}

static void write_sections(const struct work *w, json_t *draft)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *c;
    json_array_foreach (w->changes, i, c)
        buf_printf(&b, "- %s %s (`%.10s`)\n", json_str(c, "id", ""), json_str(c, "title", ""), json_str(c, "commit", ""));
    draft_section(draft, "Implementation Summary", b.len ? buf_str(&b) : "Nothing to change.");
    buf_clear(&b);
    json_array_foreach (w->skipped, i, c)
        buf_printf(&b, "- %s %s: %s\n", json_str(c, "id", ""), json_str(c, "title", ""), json_str(c, "reason", ""));
    if (b.len)
        draft_section(draft, "Not Applied", buf_str(&b));
    buf_free(&b);
}

static json_t *all_files(const json_t *changes)
{
    json_t *set = json_object();
    size_t i, k;
    json_t *change, *file;
    json_array_foreach (changes, i, change)
        json_array_foreach (json_list(change, "files"), k, file)
            json_put(set, json_string_value(file), json_true());
    json_t *list = json_array();
    const char *name;
    json_t *value;
    json_object_foreach (set, name, value)
        json_add_str(list, name);
    json_decref(set);
    return list;
}

static int develop(struct job *job, json_t *draft, struct err *err)
{
    const json_t *assignment = job_assignment(job);
    const char *base = job_dir(job, "base"), *root = job_dir(job, "work"), *cache = job_dir(job, "cache");
    const char *commit = json_str(json_obj(assignment, "git"), "base", NULL);
    if (!base || !root || !cache || !commit)
        return err_set(err, ERR_INVALID, "the assignment lacks 'dirs.base', 'dirs.work', 'dirs.cache' or 'git.base'");
    struct work w = {.job = job,
                     .root = str_dup(root),
                     .project = job_project_in(job, "work"),
                     .commit = commit,
                     .run = json_str(assignment, "run", "?"),
                     .target_env = str_printf("CARGO_TARGET_DIR=%s/target-check", cache),
                     .accepted = json_array(),
                     .touched = json_object(),
                     .changes = json_array(),
                     .skipped = json_array()};
    json_t *candidates = choose(&w, err);
    int r = files_open(job_exec(job), base, &w.base, err);
    if (r == 0)
        r = files_open(job_exec(job), root, &w.files, err);
    if (r == 0)
        r = candidates ? work_through(&w, candidates, err)
                       : err_set(err, ERR_NOT_FOUND, "no parent handoff has 'candidates': there is nothing to implement");
    if (r == 0) {
        json_t *output = json_obj(draft, "output");
        json_put_int(output, "changed", (int64_t)json_array_size(w.changes)); // survives when the list moves to an artifact
        json_put(output, "changes", json_incref(w.changes));
        json_put(output, "skipped", json_incref(w.skipped));
        json_put(output, "files_changed", all_files(w.changes));
        draft_summary(draft, "%zu changes committed, %zu not applied", json_array_size(w.changes), json_array_size(w.skipped));
        draft_next(draft, "rust-performance-engineer", "Measure each change against the base");
        write_sections(&w, draft);
    }
    json_decref(candidates);
    json_decref(w.accepted);
    json_decref(w.touched);
    json_decref(w.changes);
    json_decref(w.skipped);
    files_free(w.base);
    files_free(w.files);
    mem_free(w.root);
    mem_free(w.project);
    mem_free(w.target_env);
    return r;
}

int main(int argc, char **argv)
{
    static const char *const MODES[] = {"implement", "feedback", NULL};
    static const struct agent DEVELOPER = {.role = "developer", .version = "1", .modes = MODES, .run = develop};
    return agent_main(argc, argv, &DEVELOPER);
}

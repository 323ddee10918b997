// Rules that the code does not show:
// - Changes are tried in their order, each on top of what was kept so far: a change is kept for what it adds there.
// - Kept means: measures better on a subject, worse on none, outputs the same, and the tests that passed before still pass.
// - At the end the branch is built anew from the kept changes alone, and base and final are compared once more on fresh pairs.
// - Build configuration is measured against the base by itself: it does not change the program.
#include "performance/stages.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "change/branch.h"
#include "change/change.h"
#include "performance/build_time.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/measured.h"
#include "performance/subject.h"
#include "performance/tests.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUDGET_DEFAULT_MIN 20
#define COMPARE_WALL_MAX   (90 * NS_PER_SEC) // what is decided earlier ends earlier
#define COMPARE_WALL_EACH  (30 * NS_PER_SEC) // per subject, when that is more
#define COMPARE_WALL_MIN   (8 * NS_PER_SEC)
#define COMPARE_WALL_FINAL (30 * NS_PER_SEC) // the final comparison gets so much even when the budget is used up

struct verify {
    struct job *job;
    const char *base, *work, *cache, *spool, *commit, *run; // checkouts, folders, base commit
    char *base_root, *work_root, *target, *scratch;         // workspace roots in both checkouts
    json_t *subjects, *changes;
    json_t *kept;        // candidates
    struct files *base_files, *work_files;
    json_t *touched;     // for change_lay
    json_t *programs;    // of what was kept so far
    char programs_hash[65];
    json_t *copy;        // second copy of the base programs, for the A/A calibration
    json_t *floors;      // per subject, from the first calibration
    json_t *results, *measurements;
    struct tests tests;  // what passed on the base
    int64_t deadline_ns;
    unsigned tried, built;
};

// --- building a state ---

#define BUILD_WALL_MIN (60 * NS_PER_SEC)

static int64_t left_ns(const struct verify *v)
{
    int64_t left = v->deadline_ns - clock_mono_ns();
    return left < BUILD_WALL_MIN ? BUILD_WALL_MIN : left;
}

static int build_state(struct verify *v, const json_t *candidates, json_t **ret_programs, char hash[65], struct err *err)
{
    int r = change_lay(v->base_files, v->work_files, candidates, v->touched, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *names = subject_programs(v->subjects);
    AUTO_FREE char *features = subject_features(v->subjects);
    struct builder builder = {.job = v->job,
                              .root = v->work_root,
                              .target_dir = v->target,
                              .features = features,
                              .wall_ns = json_array_size(candidates) ? left_ns(v) : 0};
    struct built built;
    r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return r;
    AUTO_FREE char *dir = str_printf("%s/programs/%03u", v->cache, v->built++);
    r = builder_set_aside(v->target, built.programs, dir, ret_programs, hash, err);
    built_free(&built);
    return r;
}

// --- results ---

static json_t *result_new(struct verify *v, const json_t *change)
{
    json_t *result = json_object();
    const char *const keys[] = {"id", "kind", "scope", "title", "commit"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        json_put_str(result, keys[i], json_str(change, keys[i], NULL));
    json_put(result, "files", json_deep_copy(json_object_get(change, "files")));
    json_put_flag(result, "kept", false);
    json_put_str(result, "reason", NULL);
    json_put(result, "comparisons", json_array());
    json_t *evidence = json_object();
    json_put_str(evidence, "artifact", "measurements.json");
    json_put(result, "evidence", evidence);
    json_array_append_new(v->results, result);
    return result;
}

static void drop(json_t *result, const char *reason)
{
    json_put_flag(result, "kept", false);
    json_put_str(result, "reason", reason);
}

// --- one change ---

static int64_t slice(const struct verify *v, size_t changes_left)
{
    int64_t left = v->deadline_ns - clock_mono_ns();
    int64_t part = left / (int64_t)(changes_left + 1); // one more for the final comparison
    int64_t most = COMPARE_WALL_EACH * (int64_t)json_array_size(v->subjects);
    most = most < COMPARE_WALL_MAX ? COMPARE_WALL_MAX : most;
    return part < COMPARE_WALL_MIN ? COMPARE_WALL_MIN : part > most ? most : part;
}

static void note_floors(struct verify *v, const json_t *comparisons)
{
    size_t i;
    json_t *c;
    json_array_foreach (comparisons, i, c)
        json_put_num(v->floors, json_str(c, "subject", "?"), json_num(c, "theta", 0));
}

static int compare_programs(struct verify *v, const json_t *a, const json_t *b, const char *label, int64_t wall_ns,
                            struct compare_verdict *verdict, struct err *err)
{
    bool calibrated = json_object_size(v->floors) > 0;
    struct compare_sides sides = {.job = v->job,
                                  .root = v->work_root,
                                  .subjects = v->subjects,
                                  .a = a,
                                  .b = b,
                                  .copy = calibrated ? NULL : v->copy,
                                  .scratch = v->scratch,
                                  .wall_ns = wall_ns,
                                  .label = label,
                                  .floors = v->floors};
    int r = compare_builds(&sides, verdict, err);
    if (r == 0) {
        json_put(v->measurements, label, json_incref(verdict->samples));
        if (!calibrated)
            note_floors(v, verdict->comparisons);
    }
    return r;
}

// The tests of the base are built and run when a change first measures better: most runs of a project that is fast already need none.
static int find_lost_tests(struct verify *v, char **ret_lost, struct err *err)
{
    int r = v->tests.outcomes || v->tests.limit ? 0 : tests_baseline(v->job, v->base_root, v->cache, &v->tests, err);
    return r == 0 ? tests_check(v->job, v->work_root, v->cache, &v->tests, ret_lost, err) : r;
}

static int judge_program(struct verify *v, json_t *candidate, json_t *result, json_t *programs, const char *hash, size_t left,
                         struct err *err)
{
    struct compare_verdict verdict;
    if (str_eq(hash, v->programs_hash)) {
        drop(result, "the program is the same, byte for byte");
        return 0;
    }
    int r = compare_programs(v, v->programs, programs, json_str(candidate, "id", "?"), slice(v, left), &verdict, err);
    if (r < 0)
        return r;
    json_put(result, "comparisons", json_incref(verdict.comparisons));
    AUTO_FREE char *lost = NULL;
    if (!verdict.better)
        drop(result, verdict.reason ? verdict.reason : "does not measure better");
    else if ((r = find_lost_tests(v, &lost, err)) == 0 && lost)
        drop(result, lost);
    else if (r == 0) {
        json_put_flag(result, "kept", true);
        json_array_append(v->kept, candidate);
        json_decref(v->programs);
        v->programs = json_incref(programs);
        snprintf(v->programs_hash, sizeof(v->programs_hash), "%s", hash);
    }
    compare_verdict_free(&verdict);
    return r;
}

static int verify_program(struct verify *v, json_t *candidate, json_t *result, size_t left, struct err *err)
{
    struct err why;
    AUTO_JSON json_t *state = json_copy(v->kept);
    json_array_append(state, candidate);
    json_t *programs = NULL;
    char hash[65];
    if (json_array_size(v->subjects) == 0) {
        drop(result, "nothing could be run to measure it");
        return 0;
    }
    if (clock_mono_ns() > v->deadline_ns) {
        drop(result, "not measured: the time budget of this run was used up");
        return 0;
    }
    int r = build_state(v, state, &programs, hash, &why);
    if (r == -ERR_CANCELLED || r == -ERR_DENIED)
        return err_set(err, why.code, "%s", why.text);
    if (r < 0) {
        drop(result, why.text);
        return 0;
    }
    if (clock_mono_ns() > v->deadline_ns && !str_eq(hash, v->programs_hash))
        drop(result, "not measured: the time budget of this run was used up by building it");
    else
        r = judge_program(v, candidate, result, programs, hash, left, err);
    json_decref(programs);
    return r;
}

// --- build configuration ---

static int verify_build(struct verify *v, json_t *candidate, json_t *result, size_t left, struct err *err)
{
    if (clock_mono_ns() > v->deadline_ns) {
        drop(result, "not measured: the time budget of this run was used up");
        return 0;
    }
    AUTO_JSON json_t *alone = json_array();
    json_array_append(alone, candidate);
    int r = change_lay(v->base_files, v->work_files, alone, v->touched, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *mains = job_context_new(v->job, "mains", NULL);
    AUTO_FREE char *target_a = path_join(v->cache, "target-build-a");
    AUTO_FREE char *target_b = path_join(v->cache, "target-build-b");
    const char *id = json_str(candidate, "id", "?");
    struct build_sides sides = {.job = v->job,
                                .root_a = v->base_root,
                                .root_b = v->work_root,
                                .target_a = target_a,
                                .target_b = target_b,
                                .files_a = v->base_files,
                                .files_b = v->work_files,
                                .touch = mains,
                                .clean = str_eq(json_str(json_obj(candidate, "evidence"), "measure", ""), "clean"),
                                .metric = AB_WALL,
                                .wall_ns = (v->deadline_ns - clock_mono_ns()) / (int64_t)(left + 1),
                                .label = id};
    struct ab_result *ab = NULL;
    struct err why;
    r = build_time_compare(&sides, &ab, &why);
    if (r == -ERR_CANCELLED)
        return err_set(err, why.code, "%s", why.text);
    if (r < 0) {
        AUTO_FREE char *text = str_printf("%s%s", r == -ERR_LIMIT ? "not measured: " : "", why.text);
        drop(result, text);
        return 0;
    }
    const char *reason = NULL;
    json_t *c = ab_result_json_new(ab, true);
    json_put_str(c, "subject", sides.clean ? "clean build" : "rebuild after an edit");
    AUTO_JSON json_t *part = json_object();
    json_put(part, json_str(c, "subject", ""), json_incref(json_object_get(c, "samples")));
    json_put(v->measurements, id, json_incref(part));
    json_object_del(c, "samples");
    json_t *evidence = json_object();
    json_put_str(evidence, "artifact", "measurements.json");
    json_put(c, "evidence", evidence);
    json_array_append_new(json_list(result, "comparisons"), c);
    if (!ab_accepts(ab, &reason)) {
        drop(result, reason ? reason : "does not measure better");
    } else {
        json_put_flag(result, "kept", true);
        json_array_append(v->kept, candidate);
    }
    ab_result_free(ab);
    return 0;
}

// --- the whole ---

static int measure_base(struct verify *v, json_t *limits, struct err *err)
{
    json_t *second = NULL;
    char hash[65];
    AUTO_JSON json_t *nothing = json_array();
    if (json_array_size(v->subjects) == 0)
        return 0;
    int r = build_state(v, nothing, &v->programs, v->programs_hash, err);
    if (r < 0)
        return err_wrap(err, "the base does not build");
    AUTO_FREE char *dir = str_printf("%s/programs/%03u", v->cache, v->built++);
    r = builder_set_aside(v->cache, v->programs, dir, &second, hash, err);
    v->copy = second;
    if (r == 0)
        r = compare_try_subjects(v->job, v->work_root, v->subjects, v->programs, limits, err);
    return r;
}

static int try_changes(struct verify *v, struct err *err)
{
    size_t i, n = json_array_size(v->changes);
    json_t *change;
    int r = 0;
    json_array_foreach (v->changes, i, change) {
        if (r < 0 || job_cancelled(v->job))
            break;
        json_t *candidate = json_obj(change, "candidate");
        json_t *result = result_new(v, change);
        job_progress(v->job, (double)i / (double)n, "change %zu of %zu: %s", i + 1, n, json_str(change, "title", ""));
        if (!candidate)
            drop(result, "the change has no recipe");
        else if (str_eq(json_str(change, "scope", ""), "build"))
            r = verify_build(v, candidate, result, n - i - 1, err);
        else
            r = verify_program(v, candidate, result, n - i - 1, err);
    }
    return r;
}

// Fresh pairs of base and final: what the kept changes are worth together, free of the choosing.
static int compare_overall(struct verify *v, const json_t *base_programs, json_t *output, struct err *err)
{
    json_put(output, "overall", json_array());
    bool changed = v->programs && base_programs && !json_equal(v->programs, base_programs);
    if (!changed)
        return 0;
    struct compare_verdict verdict;
    int64_t wall = slice(v, 0) > COMPARE_WALL_FINAL ? slice(v, 0) : COMPARE_WALL_FINAL;
    int r = compare_programs(v, base_programs, v->programs, "overall", wall, &verdict, err);
    if (r < 0)
        return r;
    json_put(output, "overall", json_incref(verdict.comparisons));
    compare_verdict_free(&verdict);
    return 0;
}

static bool has_faster(const json_t *comparisons)
{
    size_t i;
    json_t *c;
    json_array_foreach (comparisons, i, c)
        if (str_eq(json_str(c, "verdict", ""), "faster"))
            return true;
    return false;
}

// The kept changes are faster together, on pairs that none of them was chosen by. Build times are not part of that
// comparison.
static bool is_proven(const json_t *results, const json_t *overall)
{
    size_t i;
    json_t *r;
    json_array_foreach (results, i, r)
        if (json_flag(r, "kept", false) && str_eq(json_str(r, "scope", ""), "build") &&
            has_faster(json_list(r, "comparisons")))
            return true;
    return has_faster(overall);
}

static void describe(const struct verify *v, json_t *draft)
{
    struct buf kept = BUF_INIT, dropped = BUF_INIT;
    size_t i, k = 0, d = 0, undecided = 0;
    json_t *r;
    json_array_foreach (v->results, i, r) {
        bool is_kept = json_flag(r, "kept", false);
        const json_t *first = json_array_get(json_list(r, "comparisons"), 0);
        if (is_kept)
            buf_printf(&kept, "- %s %s: %+.1f %% (%s)\n", json_str(r, "id", ""), json_str(r, "title", ""),
                       json_num(first, "change_pct", 0), json_str(first, "subject", ""));
        else
            buf_printf(&dropped, "- %s %s: %s\n", json_str(r, "id", ""), json_str(r, "title", ""), json_str(r, "reason", ""));
        k += is_kept;
        d += !is_kept;
        undecided += !is_kept && compare_is_undecided(r);
    }
    draft_summary(draft, "%zu changes kept, %zu dropped after measuring", k, d);
    draft_section(draft, "Performance Summary", kept.len ? "Each change was compared with what was kept before it."
                                                         : "No change measures better than the base.");
    if (kept.len)
        draft_section(draft, "Benchmarks", buf_str(&kept));
    if (dropped.len)
        draft_section(draft, "Tried and Dropped", buf_str(&dropped));
    json_t *output = json_obj(draft, "output");
    json_put_int(output, "kept", (int64_t)k);
    json_put_int(output, "dropped", (int64_t)d);
    json_put_int(output, "undecided", (int64_t)undecided);
    json_put_flag(output, "proven", is_proven(v->results, json_list(output, "overall")));
    buf_free(&kept);
    buf_free(&dropped);
}

// The developer's commits are gone: each kept change has its own new one.
static void note_commits(struct verify *v, const json_t *commits)
{
    size_t i;
    json_t *result;
    json_array_foreach (v->results, i, result)
        json_put_str(result, "commit", json_str(commits, json_str(result, "id", "?"), NULL));
}

static int finish(struct verify *v, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output");
    char *head = NULL;
    json_t *commits = NULL;
    int r = branch_rebuild(job_exec(v->job), v->base_files, v->work_files, v->commit, v->kept, v->run, &head, &commits, err);
    if (r < 0)
        return r;
    note_commits(v, commits);
    json_decref(commits);
    json_put_str(output, "head", head);
    mem_free(head);
    json_put(output, "results", json_incref(v->results));
    json_put(output, "subjects", json_incref(v->subjects));
    if (!v->tests.outcomes && !v->tests.limit)
        v->tests.limit = str_dup("the tests were not run: no change of the program measures better");
    json_put(output, "tests_before", tests_json_new(&v->tests));
    describe(v, draft);
    draft_next(draft, "rust-code-reviewer", "Check that the kept changes are correct");
    AUTO_FREE char *text = json_compact(v->measurements);
    return draft_artifact_bytes(v->job, draft, "measurements.json", text, strlen(text), "application/json", err);
}

static int verify_all(struct verify *v, json_t *draft, struct err *err)
{
    json_t *limits = json_array();
    json_put(json_obj(draft, "output"), "limits", limits);
    int64_t asked = clock_mono_ns();
    int lock = measured_lock(v->job, v->cache);
    v->deadline_ns += clock_mono_ns() - asked; // waiting for another run is not this run's measuring
    int r = files_open(job_exec(v->job), v->base, &v->base_files, err);
    if (r == 0)
        r = files_open(job_exec(v->job), v->work, &v->work_files, err);
    if (r == 0)
        r = branch_reset(job_exec(v->job), v->work, v->commit, err);
    if (r == 0)
        r = measure_base(v, limits, err);
    AUTO_JSON json_t *base_programs = json_incref(v->programs);
    if (r == 0)
        r = try_changes(v, err);
    if (r == 0)
        r = compare_overall(v, base_programs, json_obj(draft, "output"), err);
    if (r == 0)
        r = finish(v, draft, err);
    if (lock >= 0)
        close(lock);
    return r;
}

int stage_verify(struct job *job, json_t *draft, struct err *err)
{
    const json_t *assignment = job_assignment(job);
    struct verify v = {.job = job,
                       .base = job_dir(job, "base"),
                       .work = job_dir(job, "work"),
                       .cache = job_dir(job, "cache"),
                       .spool = job_dir(job, "spool"),
                       .commit = json_str(json_obj(assignment, "git"), "base", NULL),
                       .run = json_str(assignment, "run", "?")};
    if (!v.base || !v.work || !v.cache || !v.spool || !v.commit)
        return err_set(err, ERR_INVALID, "the assignment lacks one of dirs.base, work, cache, spool or git.base");
    v.changes = job_context_new(job, "changes", err);
    v.subjects = job_context_new(job, "subjects", err);
    AUTO_JSON json_t *workspace = job_context_new(job, "workspace", err);
    const char *below = json_is_string(workspace) ? json_string_value(workspace) : "";
    v.deadline_ns = clock_mono_ns() + stage_budget_ns(job, BUDGET_DEFAULT_MIN);
    v.base_root = path_join(v.base, below);
    v.work_root = path_join(v.work, below);
    v.target = path_join(v.cache, "target");
    v.scratch = path_join(v.spool, "scratch");
    v.kept = json_array();
    v.touched = json_object();
    v.floors = json_object();
    v.results = json_array();
    v.measurements = json_object();
    int r = v.changes ? verify_all(&v, draft, err)
                      : err_set(err, ERR_NOT_FOUND, "no parent handoff has 'changes': there is nothing to verify");
    json_t *const values[] = {v.changes, v.subjects, v.kept, v.touched, v.floors, v.results, v.measurements, v.programs, v.copy};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    tests_free(&v.tests);
    files_free(v.base_files);
    files_free(v.work_files);
    mem_free(v.base_root);
    mem_free(v.work_root);
    mem_free(v.target);
    mem_free(v.scratch);
    return r;
}

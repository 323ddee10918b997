// Rules that the code does not show:
// - What is confirmed is the changed manifest, not the variables that the search used, and on pairs that nothing was
// chosen by.
// - The candidates come best first; the first that holds is committed, the others are results with their reason.
// - Holds: for runtime it measures faster; for size it is smaller and nothing is slower; for balanced nothing is slower
// and the score, with the
//   confirmed times, is better; for build a clean build measures faster. Always: outputs the same, and no test lost.
#include "performance/search.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "change/change.h"
#include "performance/build_time.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/measured.h"
#include "performance/stages.h"
#include "performance/subject.h"
#include "performance/tests.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define BUDGET_DEFAULT_MIN 10
#define COMPARE_WALL_MIN   (10 * NS_PER_SEC)
#define COMPARE_WALL_MAX   (120 * NS_PER_SEC)
#define SIZE_WON           0.99 // of the base's size
#define SCORE_WON          0.99

struct confirm {
    struct search *s;
    struct files *work;
    char *work_root, *scratch, *manifest, *config; // the last two below the checkout
    json_t *facts, *base;                          // base: as the search measured it
    json_t *touched, *results, *measurements, *kept;
    json_t *programs, *copy; // of the base
    struct tests tests;
    int64_t deadline_ns;
};

// --- building ---

static int build(struct confirm *c, const json_t *candidates, const char *name, json_t **ret, struct err *err)
{
    struct search *s = c->s;
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    AUTO_FREE char *target = path_join(s->cache, "target-confirm"), *dir = search_programs_dir(s, name),
                   *features = subject_features(s->subjects);
    struct built built = {0};
    char hash[65];
    int r = change_lay(s->files, c->work, candidates, c->touched, err);
    const struct builder builder = {.job = s->job, .root = c->work_root, .target_dir = target, .features = features};
    if (r == 0)
        r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return r;
    r = builder_set_aside(target, built.programs, dir, ret, hash, err);
    built_free(&built);
    return r;
}

static int build_base(struct confirm *c, struct err *err)
{
    AUTO_JSON json_t *nothing = json_array();
    AUTO_FREE char *dir = search_programs_dir(c->s, "base-copy");
    char hash[65];
    int r = build(c, nothing, "base", &c->programs, err);
    return r < 0 ? r : builder_set_aside(c->s->cache, c->programs, dir, &c->copy, hash, err);
}

// --- judging ---

static int64_t slice(const struct confirm *c)
{
    int64_t left = (c->deadline_ns - clock_mono_ns()) / 2;
    return left < COMPARE_WALL_MIN ? COMPARE_WALL_MIN : left > COMPARE_WALL_MAX ? COMPARE_WALL_MAX : left;
}

static double ratio_of(const json_t *comparisons)
{
    double sum = 0;
    size_t i;
    json_t *row;
    json_array_foreach (comparisons, i, row)
        sum += log(1 + (json_num(row, "change_pct", 0) > -99 ? json_num(row, "change_pct", 0) : -99) / 100);
    return json_array_size(comparisons) ? exp(sum / (double)json_array_size(comparisons)) : 1;
}

// NULL: it holds.
static const char *objection(const struct confirm *c, const json_t *point, const struct compare_verdict *v)
{
    const char *goal = goal_name(c->s->goal);
    if (str_eq(goal, "runtime"))
        return v->better ? NULL : v->reason ? v->reason : "does not measure faster";
    if (v->worse)
        return v->reason ? v->reason : "a subject measures slower";
    if (str_eq(goal, "size"))
        return json_num(point, "size", 0) <= json_num(c->base, "size", 0) * SIZE_WON ? NULL : "it is not smaller";
    AUTO_JSON json_t *confirmed = json_copy((json_t *)(uintptr_t)point);
    json_put_num(confirmed, "run", ratio_of(v->comparisons));
    return front_score(c->s->goal, c->base, confirmed) < SCORE_WON
               ? NULL
               : "with the confirmed times it is not better on balance";
}

static int find_lost_tests(struct confirm *c, char **ret_lost, struct err *err)
{
    struct search *s = c->s;
    int r = c->tests.outcomes || c->tests.limit ? 0 : tests_baseline(s->job, s->root, s->cache, &c->tests, err);
    return r == 0 ? tests_check(s->job, c->work_root, s->cache, &c->tests, ret_lost, err) : r;
}

static int judge_programs(struct confirm *c, const json_t *point, json_t *candidates, json_t *result, char **ret_reason,
                          struct err *err)
{
    const char *id = json_str(point, "id", "?");
    AUTO_FREE char *name = str_printf("confirm-%s", id);
    AUTO_JSON json_t *programs = NULL;
    struct compare_verdict verdict;
    int r = c->programs ? 0 : build_base(c, err);
    if (r == 0)
        r = build(c, candidates, name, &programs, err);
    if (r < 0)
        return r;
    const struct compare_sides sides = {.job = c->s->job,
                                        .root = c->work_root,
                                        .subjects = c->s->subjects,
                                        .a = c->programs,
                                        .b = programs,
                                        .copy = c->copy,
                                        .scratch = c->scratch,
                                        .wall_ns = slice(c),
                                        .label = id};
    r = compare_builds(&sides, &verdict, err);
    if (r < 0)
        return r;
    json_put(c->measurements, id, json_incref(verdict.samples));
    json_put(result, "comparisons", json_incref(verdict.comparisons));
    const char *why = objection(c, point, &verdict);
    if (why)
        *ret_reason = str_dup(why);
    compare_verdict_free(&verdict);
    return 0;
}

static int judge_build(struct confirm *c, const json_t *point, const json_t *candidates, json_t *result,
                       char **ret_reason, struct err *err)
{
    struct search *s = c->s;
    AUTO_FREE char *target_a = path_join(s->cache, "target-build-a"), *target_b = path_join(s->cache, "target-build-b");
    struct ab_result *ab = NULL;
    const char *reason = NULL;
    int r = change_lay(s->files, c->work, candidates, c->touched, err);
    const struct build_sides sides = {.job = s->job,
                                      .root_a = s->root,
                                      .root_b = c->work_root,
                                      .target_a = target_a,
                                      .target_b = target_b,
                                      .files_a = s->files,
                                      .files_b = c->work,
                                      .clean = true,
                                      .profile_a = "dev",
                                      .profile_b = "dev",
                                      .metric = AB_WALL,
                                      .wall_ns = c->deadline_ns - clock_mono_ns(),
                                      .label = json_str(point, "id", "?")};
    if (r == 0)
        r = build_time_compare(&sides, &ab, err);
    if (r < 0)
        return r;
    json_t *row = ab_result_json_new(ab, true), *part = json_object(), *list = json_array();
    json_put_str(row, "subject", "clean build");
    json_put(part, "clean build", json_incref(json_object_get(row, "samples")));
    json_put(c->measurements, json_str(point, "id", "?"), part);
    json_object_del(row, "samples");
    json_array_append_new(list, row);
    json_put(result, "comparisons", list);
    if (!ab_accepts(ab, &reason))
        *ret_reason = str_dup(reason ? reason : "does not measure better");
    ab_result_free(ab);
    return 0;
}

static json_t *result_new(struct confirm *c, const json_t *candidate)
{
    static const char *const KEYS[] = {"id", "kind", "scope", "title"};
    json_t *result = json_object(), *evidence = json_object();
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        json_put_str(result, KEYS[i], json_str(candidate, KEYS[i], NULL));
    json_put(result, "files", change_files(candidate));
    json_put_flag(result, "kept", false);
    json_put(result, "comparisons", json_array());
    json_put_str(evidence, "artifact", "measurements.json");
    json_put(result, "evidence", evidence);
    json_array_append_new(c->results, result);
    return result;
}

static int try_point(struct confirm *c, const json_t *point, struct err *err)
{
    struct search *s = c->s;
    struct space_facts facts = search_facts(c->facts);
    AUTO_JSON json_t *candidate = space_candidate_new(s->goal, point, &facts, c->manifest, c->config),
                     *alone = json_array();
    AUTO_FREE char *reason = NULL;
    json_t *result = result_new(c, candidate);
    struct err why = {0};
    int r = 0;
    json_array_append(alone, candidate);
    job_progress(s->job, -1, "confirming %s", json_str(candidate, "title", ""));
    if (clock_mono_ns() > c->deadline_ns)
        reason = str_dup("not measured: the time budget of this run was used up");
    else if (str_eq(goal_name(s->goal), "build"))
        r = judge_build(c, point, alone, result, &reason, &why);
    else
        r = judge_programs(c, point, alone, result, &reason, &why);
    if (r == 0 && !reason)
        r = find_lost_tests(c, &reason, &why);
    if (r == -ERR_CANCELLED)
        return err_set(err, why.code, "%s", why.text);
    json_put_flag(result, "kept", r == 0 && !reason);
    json_put_str(result, "reason", r < 0 ? why.text : reason);
    if (r == 0 && !reason)
        json_array_append(c->kept, candidate);
    return 0;
}

// --- handing over ---

static int put_diff(struct confirm *c, const char *head, json_t *output, struct err *err)
{
    const char *const words[] = {"git", "diff", "--no-color", "--no-ext-diff", c->s->commit, head, "--", NULL};
    struct exec_result result = {0};
    int r = exec_check(job_exec(c->s->job), &(struct exec_call){.argv = words, .cwd = c->s->work}, &result, err);
    if (r == 0)
        json_put(output, "patch", json_text_new(buf_str(&result.out), result.out.len));
    exec_result_free(&result);
    return r;
}

static int commit(struct confirm *c, json_t *output, struct err *err)
{
    struct search *s = c->s;
    json_t *commits = NULL;
    AUTO_FREE char *head = NULL;
    int r = branch_rebuild(job_exec(s->job), s->files, c->work, s->commit, c->kept, s->run, &head, &commits, err);
    if (r < 0)
        return r;
    size_t i;
    json_t *result;
    json_array_foreach (c->results, i, result)
        json_put_str(result, "commit", json_str(commits, json_str(result, "id", "?"), NULL));
    json_decref(commits);
    json_put_str(output, "head", head);
    return json_array_size(c->kept) ? put_diff(c, head, output, err) : 0;
}

static int hand_over(struct confirm *c, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output"), *result;
    size_t i, kept = json_array_size(c->kept), undecided = 0;
    const char *title = "", *why = NULL;
    int r = commit(c, output, err);
    if (r < 0)
        return r;
    json_put(output, "overall", json_array());
    json_array_foreach (c->results, i, result) {
        if (json_flag(result, "kept", false)) {
            json_put(output, "overall", json_deep_copy(json_list(result, "comparisons")));
            title = json_str(result, "title", "");
        } else {
            why = why ? why : json_str(result, "reason", NULL); // of the best one
            undecided += compare_is_undecided(result);
        }
    }
    if (kept)
        draft_summary(draft, "%s is confirmed for %s", title, goal_name(c->s->goal));
    else
        draft_summary(draft, "the settings stay as they are: %s", why ? why : "nothing better than the base was found");
    json_put(output, "results", json_incref(c->results));
    json_put(output, "subjects", c->s->subjects ? json_incref(c->s->subjects) : json_array());
    if (!c->tests.outcomes && !c->tests.limit)
        c->tests.limit = str_dup("the tests were not run: no point is confirmed");
    json_put(output, "tests_before", tests_json_new(&c->tests));
    json_put(output, "limits", json_array());
    json_put_int(output, "kept", (int64_t)kept);
    json_put_int(output, "dropped", (int64_t)(json_array_size(c->results) - kept));
    json_put_int(output, "undecided", (int64_t)undecided);
    json_put_flag(output, "proven", kept > 0);
    AUTO_FREE char *text = json_compact(c->measurements);
    return draft_artifact_bytes(c->s->job, draft, "measurements.json", text, strlen(text), "application/json", err);
}

static int confirm_all(struct confirm *c, const json_t *points, json_t *draft, struct err *err)
{
    struct search *s = c->s;
    size_t i;
    json_t *point;
    int lock = measured_lock(s->job, s->cache);
    int r = files_open(job_exec(s->job), s->work, &c->work, err);
    if (r == 0)
        r = branch_reset(job_exec(s->job), s->work, s->commit, err);
    json_array_foreach (points, i, point)
        if (r == 0 && json_array_size(c->kept) == 0)
            r = try_point(c, point, err);
    if (r == 0)
        r = hand_over(c, draft, err);
    if (lock >= 0)
        close(lock);
    return r;
}

static void confirm_clear(struct confirm *c)
{
    json_t *const values[] = {c->facts, c->touched, c->results, c->measurements, c->kept, c->programs, c->copy};
    char *const texts[] = {c->work_root, c->scratch, c->manifest, c->config};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free(texts[i]);
    tests_free(&c->tests);
    files_free(c->work);
}

int stage_confirm(struct job *job, json_t *draft, struct err *err)
{
    struct search s = {0};
    const json_t *points = job_input(job, "points"), *base = job_input(job, "base");
    int r = search_open(&s, job, err);
    if (r == 0 && (!s.root || !json_is_array(points) || !json_is_object(base)))
        r = err_set(err, ERR_INVALID,
                    "a confirmation needs 'points' and 'base' as input, and a parent with 'workspace'");
    if (r == 0) {
        const char *below = path_below(s.root, s.base);
        struct confirm c = {.s = &s,
                            .work_root = path_join(s.work, below ? below : ""),
                            .scratch = path_join(s.spool, "scratch"),
                            .manifest = path_join(below ? below : "", "Cargo.toml"),
                            .config = path_join(below ? below : "", CHANGE_CONFIG_FILE),
                            .facts = job_context_new(job, "facts", NULL),
                            .base = (json_t *)(uintptr_t)base, // read only
                            .touched = json_object(),
                            .results = json_array(),
                            .measurements = json_object(),
                            .kept = json_array(),
                            .deadline_ns = clock_mono_ns() + stage_budget_ns(job, BUDGET_DEFAULT_MIN)};
        r = confirm_all(&c, points, draft, err);
        confirm_clear(&c);
    }
    search_close(&s);
    return r;
}

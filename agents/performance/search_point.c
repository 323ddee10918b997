// Rules that the code does not show:
// - A point is built from nothing in a folder of its own, so that its build time is one; its programs are kept for the
// timed rung.
// - A point that does not build is a result, too: "failed" says why, and nobody tries it again.
// - Programs that are the same, byte for byte, as the base's are as fast: nothing is run for them.
#include "performance/search.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/witness.h"
#include "performance/baseline.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/measured.h"
#include "performance/subject.h"
#include "performance/witnessed.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILD_WALL_NS (20 * 60 * NS_PER_SEC)
#define TIMED_WALL_NS (20 * NS_PER_SEC)

char *search_programs_dir(const struct search *s, const char *point_id)
{
    return str_printf("%s/search/%s/%s", s->cache, s->run, point_id);
}

// --- building ---

static int64_t size_of(const json_t *programs)
{
    int64_t sum = 0;
    for (void *at = json_object_iter((json_t *)(uintptr_t)programs); at;
         at = json_object_iter_next((json_t *)(uintptr_t)programs, at)) {
        struct stat st;
        if (stat(json_string_value(json_object_iter_value(at)), &st) == 0)
            sum += st.st_size;
    }
    return sum;
}

static int build_programs(struct search *s, const json_t *point, json_t *measured, json_t **ret_programs,
                          struct err *err)
{
    const char *id = json_str(point, "id", "?");
    AUTO_FREE char *target = path_join(s->cache, "target-search"), *dir = search_programs_dir(s, id),
                   *features = subject_features(s->subjects);
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    char hash[65], **env = space_env_new(point);
    const struct builder builder = {.job = s->job,
                                    .root = s->root,
                                    .target_dir = target,
                                    .features = features,
                                    .wall_ns = BUILD_WALL_NS,
                                    .env = env};
    struct built built = {0};
    int r = file_remove_tree(target, err);
    if (r == 0)
        r = builder_build(&builder, names, &built, err);
    if (r == 0) {
        json_put_num(measured, "build_s", (double)built.wall_ns / 1e9);
        json_put_num(measured, "build_cpu_s", (double)built.cpu_ns / 1e9);
        r = builder_set_aside(target, built.programs, dir, ret_programs, hash, err);
        built_free(&built);
    }
    if (r == 0) {
        json_put_int(measured, "size", size_of(*ret_programs));
        json_put_str(measured, "hash", hash);
    }
    str_list_free(env);
    return r;
}

static int run_dev(struct search *s, char *const *env, const char *target, double *ret_s, struct err *err)
{
    static const char *const WORDS[] = {"cargo", "build", "--workspace", "--quiet", NULL};
    AUTO_FREE char *place = str_printf("CARGO_TARGET_DIR=%s", target);
    VEC(const char *) all = {0};
    struct exec_result result = {0};
    vec_push(&all, place);
    for (; *env; env++)
        vec_push(&all, *env);
    vec_push(&all, NULL);
    int r = exec_check(job_exec(s->job),
                       &(struct exec_call){.argv = WORDS, .cwd = s->root, .env = all.items, .wall_ns = BUILD_WALL_NS},
                       &result, err);
    *ret_s = (double)result.wall_ns / 1e9;
    exec_result_free(&result);
    vec_free(&all);
    return r;
}

// The way people wait: from nothing, then after an edit. With a compiler cache the first time fills it, and the second
// counts.
static int time_dev(struct search *s, const json_t *point, json_t *measured, struct err *err)
{
    AUTO_FREE char *target = path_join(s->cache, "target-search");
    AUTO_JSON json_t *mains = job_context_new(s->job, "mains", NULL);
    char **env = space_env_new(point);
    double clean = 0, rebuild = 0;
    int rounds = json_str(point, "wrapper", NULL) ? 2 : 1, r = 0;
    for (int i = 0; i < rounds && r == 0; i++) {
        r = file_remove_tree(target, err);
        if (r == 0)
            r = run_dev(s, env, target, &clean, err);
        if (r == 0 && i == 0 && rounds == 2)
            json_put_num(measured, "build_miss_s", clean);
    }
    size_t i;
    json_t *main;
    json_array_foreach (mains, i, main)
        if (r == 0 && json_is_string(main))
            files_touch(s->files, json_string_value(main), NULL);
    if (r == 0)
        r = run_dev(s, env, target, &rebuild, err);
    if (r == 0) {
        json_put_num(measured, "build_s", clean);
        json_put_num(measured, "rebuild_s", rebuild);
    }
    str_list_free(env);
    return r;
}

// --- measuring ---

static int count_instructions(struct search *s, const json_t *subject, const json_t *programs, double *ret,
                              struct err *err)
{
    char **argv = NULL;
    AUTO_FREE char *cwd = path_join(s->root, json_str(subject, "cwd", "")), *scratch = path_join(s->spool, "scratch");
    AUTO_FREE char *input =
        json_str(subject, "stdin", NULL) ? path_join(s->root, json_str(subject, "stdin", "")) : NULL;
    int r = subject_argv(subject, programs, &argv, err);
    if (r < 0)
        return r;
    const char **reach = subject_reach(subject);
    const struct witnessed w = {.job = s->job,
                                .command = {(const char *const *)argv},
                                .cwd = cwd,
                                .stdin_path = input,
                                .reach = reach,
                                .scratch = scratch};
    job_progress(s->job, -1, "counting the instructions of '%s'", json_str(subject, "name", "?"));
    struct witness_counts counts = {0};
    struct err missing = {0};
    AUTO_FREE char *why = NULL;
    if (exec_possible(job_exec(s->job), (const char *const[]){"valgrind", "--version", NULL}, &missing))
        r = witnessed_count(&w, WITNESSED_INSTRUCTIONS, 0, &counts, &why, err);
    *ret = r == 0 && !why ? counts.instructions : 0;
    mem_free((void *)(uintptr_t)reach);
    str_list_free(argv);
    return r;
}

static const json_t *subject_named(const json_t *subjects, const char *name)
{
    size_t i;
    json_t *s;
    json_array_foreach (subjects, i, s)
        if (str_eq(json_str(s, "name", ""), name))
            return s;
    return NULL;
}

// Whole commands that are short; not where the base was too slow to be counted.
static bool is_counted(const json_t *subject, const json_t *base, double took)
{
    const json_t *before = json_obj(json_obj(base, "subjects"), json_str(subject, "name", "?"));
    return subject && str_eq(json_str(subject, "kind", ""), "command") && took < (double)WITNESSED_RUN_MAX_NS &&
           (!base || json_num(before, "instructions", 0) > 0);
}

static int measure_programs(struct search *s, const json_t *programs, const json_t *base, json_t *measured,
                            struct err *err)
{
    AUTO_FREE char *scratch = path_join(s->spool, "scratch");
    AUTO_JSON json_t *rows = NULL;
    json_t *by_name = json_object(), *row;
    int64_t memory = 0;
    size_t i;
    json_put(measured, "subjects", by_name);
    int r = baseline_take(s->job, s->root, scratch, s->subjects, programs, &rows, err);
    json_array_foreach (rows, i, row) {
        const char *name = json_str(row, "subject", "?");
        const json_t *subject = subject_named(s->subjects, name);
        double took = json_num(row, "median_ns", 0), instructions = 0;
        if (r < 0 || json_str(row, "error", NULL))
            continue;
        if (is_counted(subject, base, took))
            r = count_instructions(s, subject, programs, &instructions, err);
        json_t *one = json_object();
        json_put_num(one, "cpu_ns", took);
        if (instructions > 0)
            json_put_num(one, "instructions", instructions);
        json_put(by_name, name, one);
        memory = json_int(row, "max_rss_kb", 0) > memory ? json_int(row, "max_rss_kb", 0) : memory;
    }
    if (r == 0 && memory)
        json_put_int(measured, "memory_kb", memory);
    return r;
}

// The geometric mean over the subjects; instructions where both were counted for all of them.
static void put_ratio(const json_t *base, json_t *measured)
{
    static const char *const BY[][2] = {{"instructions", "instructions"}, {"cpu_ns", "time"}};
    const json_t *before = json_obj(base, "subjects"), *after = json_obj(measured, "subjects");
    for (size_t k = 0; k < ARRAY_LEN(BY) && json_object_size(after); k++) {
        double sum = 0;
        bool all = true;
        const char *name;
        json_t *one;
        json_object_foreach ((json_t *)(uintptr_t)after, name, one) {
            double a = json_num(json_obj(before, name), BY[k][0], 0), b = json_num(one, BY[k][0], 0);
            all = all && a > 0 && b > 0;
            sum += all ? log(b / a) : 0;
        }
        if (!all)
            continue;
        json_put_num(measured, "run", exp(sum / (double)json_object_size(after)));
        json_put_str(measured, "run_by", BY[k][1]);
        return;
    }
}

// A point that was measured before, again with the clock: pairs with the base.
static int time_pairs(struct search *s, const json_t *programs, const json_t *base_programs, json_t *measured,
                      struct err *err)
{
    AUTO_FREE char *scratch = path_join(s->spool, "scratch");
    const char *label = json_str(measured, "id", "?");
    struct compare_verdict verdict;
    struct compare_sides sides = {.job = s->job,
                                  .root = s->root,
                                  .subjects = s->subjects,
                                  .a = base_programs,
                                  .b = programs,
                                  .scratch = scratch,
                                  .wall_ns = TIMED_WALL_NS * (int64_t)json_array_size(s->subjects),
                                  .label = label};
    double sum = 0;
    size_t i, n = 0;
    json_t *c;
    int r = compare_builds(&sides, &verdict, err);
    if (r < 0)
        return r;
    json_array_foreach (verdict.comparisons, i, c) {
        double change = json_num(c, "change_pct", 0);
        n++;
        sum += log(1 + (change > -99 ? change : -99) / 100);
    }
    if (n)
        json_put_num(measured, "timed", exp(sum / (double)n));
    json_put(measured, "comparisons", json_incref(verdict.comparisons));
    compare_verdict_free(&verdict);
    return 0;
}

// --- the step ---

static json_t *programs_of(struct search *s, const json_t *point, struct err *err)
{
    AUTO_FREE char *dir = search_programs_dir(s, json_str(point, "id", "?"));
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    json_t *programs = json_object(), *name;
    size_t i;
    json_array_foreach (names, i, name) {
        AUTO_FREE char *file = str_dup(json_string_value(name));
        for (char *c = file; *c; c++)
            *c = *c == ':' || *c == '/' ? '-' : *c;
        AUTO_FREE char *path = path_join(dir, file);
        if (file_exists(path)) {
            json_put_str(programs, json_string_value(name), path);
            continue;
        }
        json_decref(programs);
        programs = NULL;
        AUTO_JSON json_t *unused = json_object();
        return build_programs(s, point, unused, &programs, err) == 0 ? programs
                                                                     : NULL; // the cache was emptied meanwhile
    }
    return programs;
}

static int measure_timed(struct search *s, const json_t *base, json_t *measured, struct err *err)
{
    AUTO_JSON json_t *mine = programs_of(s, measured, err);
    AUTO_JSON json_t *theirs = mine ? programs_of(s, base, err) : NULL;
    return mine && theirs ? time_pairs(s, mine, theirs, measured, err) : -(int)err->code;
}

static int measure_new(struct search *s, const json_t *point, const json_t *base, json_t *measured, struct err *err)
{
    json_t *programs = NULL;
    if (str_eq(goal_name(s->goal), "build"))
        return time_dev(s, point, measured, err);
    int r = build_programs(s, point, measured, &programs, err);
    bool same = base && str_eq(json_str(measured, "hash", ""), json_str(base, "hash", "?"));
    if (r == 0 && same) {
        json_put(measured, "subjects", json_deep_copy(json_obj(base, "subjects")));
        json_put_int(measured, "memory_kb", json_int(base, "memory_kb", 0));
    } else if (r == 0) {
        r = measure_programs(s, programs, base, measured, err);
    }
    if (r == 0)
        put_ratio(base ? base : measured, measured);
    json_decref(programs);
    return r;
}

int search_point(struct search *s, json_t *draft, struct err *err)
{
    const json_t *point = job_input(s->job, "point"), *base = job_input(s->job, "base");
    struct err why = {0};
    if (!json_is_object(point))
        return err_set(err, ERR_INVALID, "the input of a step 'point' lacks 'point'");
    AUTO_JSON json_t *measured = json_deep_copy(point);
    AUTO_FREE char *title = space_title_new(point);
    base = json_is_object(base) ? base : NULL;
    job_progress(s->job, -1, "%s: %s", json_str(point, "id", "?"), title);
    int lock = measured_lock(s->job, s->cache);
    int r = base && json_is_true(job_input(s->job, "timed")) ? measure_timed(s, base, measured, &why)
                                                             : measure_new(s, point, base, measured, &why);
    if (lock >= 0)
        close(lock);
    if (r == -ERR_CANCELLED || r == -ERR_DENIED)
        return err_set(err, why.code, "%s", why.text);
    json_put_str(measured, "title", title);
    json_put_str(measured, "consent", space_consent(point));
    if (r < 0)
        json_put_str(measured, "failed", why.text);
    json_put(json_obj(draft, "output"), "measured", json_incref(measured));
    if (r < 0)
        draft_summary(draft, "%s cannot be measured: %.200s", title, why.text);
    else
        draft_summary(draft, "%s: built in %.1f s, run time x%.3f, %lld bytes", title, json_num(measured, "build_s", 0),
                      json_num(measured, "run", 1), (long long)json_int(measured, "size", 0));
    return 0;
}

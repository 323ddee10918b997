#include "performance/record.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/criterion.h"
#include "performance/subject.h"
#include "profile/perf_command.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RUNS_MAX              12
#define RECORD_WALL_NS        (15 * NS_PER_SEC) // per subject, not counting the run that passes it
#define SAMPLES_WANTED        3000
#define RATE_FIRST            199 // until it is known how long a run takes
#define RATE_LEAST            49
#define RATE_MOST             4999
#define PROFILE_TIME          "3"        // seconds that a criterion bench is driven for
#define PROFILE_TIME_LEAST_NS NS_PER_SEC // a run that is shorter did not find the bench

struct taping {
    struct job *job;
    const char *spool;
    const json_t *subject;
    char **command, **env;
    const char *const *reach;
    char *cwd, *input;
    bool hardware, kernel;
    enum perf_unwind unwind;
    int frequency;     // 0: by how long a run takes
    bool may_fail;     // a program that ends with an error has its profile, too
    int exit_code;     // of the last run
    char said[200];    // its last line on standard error
    int64_t wall;      // of the last run
    int64_t user, sys; // of all runs
    VEC(char *) scripts;
    unsigned files;
};

int record_script_of(struct job *job, const char *data, const char *cwd, const char *const *reach, const char *script,
                     struct err *err)
{
    char **argv = profile_perf_script_argv(NULL, data);
    struct exec_result result = {0};
    const struct exec_call call = {
        .argv = (const char *const *)argv, .cwd = cwd, .reach = reach, .stdout_path = script};
    int r = exec_check(job_exec(job), &call, &result, err);
    exec_result_free(&result);
    str_list_free(argv);
    return r;
}

// perf writes there, too.
static void keep_last_line(const char *text, char *out, size_t room)
{
    char **lines = str_split(text, "\n", true, NULL);
    out[0] = '\0';
    for (char **line = lines; *line; line++)
        if (!str_starts(*line, "[ perf record") && !str_starts(*line, "WARNING") && *str_trim(*line) != '\0')
            snprintf(out, room, "%s", str_trim(*line));
    str_list_free(lines);
}

static bool has_data(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0;
}

// One recorded run and its script. *ret_samples is an estimate from the run's CPU time.
static int tape_once(struct taping *t, int rate, int64_t *ret_wall, double *ret_samples, struct err *err)
{
    AUTO_FREE char *data = str_printf("%s/perf-%u.data", t->spool, t->files);
    AUTO_FREE char *script = str_printf("%s/perf-%u.txt", t->spool, t->files++);
    struct perf_record_options options = {
        .output = data, .hardware = t->hardware, .kernel = t->kernel, .frequency = rate, .unwind = t->unwind};
    char **argv = profile_perf_record_argv(&options, (const char *const *)t->command);
    struct exec_result result = {0};
    struct exec_call call = {.argv = (const char *const *)argv,
                             .cwd = t->cwd,
                             .env = (const char *const *)t->env,
                             .reach = t->reach,
                             .stdin_path = t->input,
                             .stdout_path = "/dev/null"};
    int r = exec_check(job_exec(t->job), &call, &result, err);
    if (r == -ERR_TOOL && t->may_fail && !result.timed_out && has_data(data))
        r = 0;
    *ret_wall = result.wall_ns;
    *ret_samples = (double)(result.user_ns + result.sys_ns) / 1e9 * rate;
    t->user += result.user_ns;
    t->sys += result.sys_ns;
    t->exit_code = result.exit_code;
    keep_last_line(buf_str(&result.err), t->said, sizeof(t->said));
    exec_result_free(&result);
    str_list_free(argv);
    if (r == 0)
        r = record_script_of(t->job, data, t->cwd, t->reach, script, err);
    file_remove_tree(data, NULL);
    if (r == 0)
        vec_push(&t->scripts, str_dup(script));
    return r;
}

// So many samples a second that a run gives all that are wanted, within what perf and the disk bear.
static int rate_for(int64_t wall_ns)
{
    double rate = SAMPLES_WANTED / ((double)wall_ns / 1e9 + 1e-6);
    return rate < RATE_LEAST ? RATE_LEAST : rate > RATE_MOST ? RATE_MOST : (int)rate;
}

// What the host gives: cycles or the clock, with the kernel or without.
static int tape_first(struct taping *t, int rate, int64_t *ret_wall, double *ret_samples, struct err *err)
{
    int r = tape_once(t, rate, ret_wall, ret_samples, err);
    while (r == -ERR_TOOL && t->scripts.len == 0 && (t->hardware || t->kernel)) {
        if (t->kernel)
            t->kernel = false;
        else
            t->hardware = false;
        t->user = t->sys = 0;
        r = tape_once(t, rate, ret_wall, ret_samples, err);
    }
    return r;
}

static int tape_subject(struct taping *t, struct err *err)
{
    const char *name = json_str(t->subject, "name", "?");
    int64_t wall = 0, start = clock_mono_ns();
    double samples = 0, more = 0;
    int r = 0;
    for (unsigned run = 0; run < RUNS_MAX && samples < SAMPLES_WANTED; run++) {
        if (run && clock_mono_ns() - start > RECORD_WALL_NS)
            break;
        job_progress(t->job, -1, "profiling '%s', run %u", name, run + 1);
        int rate = t->frequency ? t->frequency : run ? rate_for(wall) : RATE_FIRST;
        r = tape_first(t, rate, &wall, &more, err);
        if (r < 0)
            return r;
        samples += more;
        t->wall = wall;
    }
    return 0;
}

// argv for profiling: a criterion program is driven for some seconds without its analysis. `exact`: the bench's id as
// an anchored expression, which the oldest versions do not know.
static int profiled_argv(const json_t *subject, const json_t *programs, bool exact, char ***ret, struct err *err)
{
    int r = subject_argv(subject, programs, ret, err);
    if (r < 0 || !str_eq(json_str(subject, "kind", ""), "criterion"))
        return r;
    AUTO_FREE char *program = str_dup((*ret)[0]);
    str_list_free(*ret);
    VEC(char *) argv = {0};
    vec_push(&argv, str_dup(program));
    vec_push(&argv, str_dup("--bench"));
    vec_push(&argv, str_dup("--profile-time"));
    vec_push(&argv, str_dup(PROFILE_TIME));
    if (json_str(subject, "id", NULL))
        vec_push(&argv, exact ? criterion_filter(json_str(subject, "id", "")) : str_dup(json_str(subject, "id", "")));
    vec_push(&argv, NULL);
    *ret = argv.items;
    return 0;
}

static int tape(struct taping *t, const json_t *programs, struct err *err)
{
    bool criterion = str_eq(json_str(t->subject, "kind", ""), "criterion"), exact = true;
    int r;
    do {
        r = profiled_argv(t->subject, programs, exact, &t->command, err);
        if (r == 0)
            r = tape_subject(t, err);
        str_list_free(t->command);
        t->command = NULL;
        exact = !exact;
    } while (r == 0 && criterion && !exact && t->wall < PROFILE_TIME_LEAST_NS);
    return r;
}

static void drop_scripts(struct taping *t)
{
    for (size_t i = 0; i < t->scripts.len; i++) {
        file_remove_tree(t->scripts.items[i], NULL);
        mem_free(t->scripts.items[i]);
    }
    vec_free(&t->scripts);
}

int record_subjects(const struct recording *rec, const json_t *subjects, const json_t *programs, struct profile **ret,
                    struct err *err)
{
    // Stacks are unwound by their debug information: libc has no frame pointers, and time in malloc must be charged to
    // its caller.
    struct taping t = {.job = rec->job, .spool = rec->spool, .hardware = true, .unwind = PERF_UNWIND_DWARF};
    size_t i;
    json_t *subject;
    int r = 0;
    json_array_foreach (subjects, i, subject) {
        const char *input = json_str(subject, "stdin", NULL);
        t.subject = subject;
        t.cwd = path_join(rec->root, json_str(subject, "cwd", ""));
        t.input = input ? path_join(rec->root, input) : NULL;
        AUTO_FREE char *home = str_printf("CRITERION_HOME=%s/criterion", rec->spool);
        AUTO_FREE char *manifest = str_printf("CARGO_MANIFEST_DIR=%s", t.cwd);
        char *env[] = {home, manifest, NULL};
        t.env = env;
        t.command = NULL;
        t.reach = subject_reach(subject);
        r = tape(&t, programs, err);
        mem_free((void *)(uintptr_t)t.reach);
        mem_free(t.cwd);
        mem_free(t.input);
        if (r < 0)
            break;
    }
    if (r == 0) {
        const char *roots[] = {rec->checkout, NULL}, *targets[] = {rec->target_dir, NULL};
        struct profile_options options = {.project_roots = roots, .target_dirs = targets, .crates = rec->crates};
        r = profile_load((const char *const *)t.scripts.items, t.scripts.len, &options, ret, err);
    }
    drop_scripts(&t);
    return r;
}

// -1: kept from unprivileged users altogether, 1 and less: the kernel may be sampled
static bool kernel_allowed(void)
{
    char *text = NULL;
    size_t len = 0;
    int64_t paranoid = 2;
    if (file_read("/proc/sys/kernel/perf_event_paranoid", 64, &text, &len, NULL) == 0)
        str_to_i64(str_trim(text), &paranoid);
    mem_free(text);
    return paranoid <= 1;
}

int record_command(struct job *job, const char *spool, const struct recorded_command *c,
                   const struct profile_options *options, struct recorded *ret, struct err *err)
{
    AUTO_JSON json_t *subject = json_object();
    json_put_str(subject, "name", c->name);
    struct taping t = {.job = job,
                       .spool = spool,
                       .subject = subject,
                       .command = (char **)(uintptr_t)c->argv,
                       .reach = c->reach,
                       .cwd = (char *)(uintptr_t)c->cwd,
                       .input = (char *)(uintptr_t)c->stdin_path,
                       .hardware = true,
                       .kernel = kernel_allowed(),
                       .unwind = c->unwind,
                       .frequency = c->frequency,
                       .may_fail = true};
    *ret = (struct recorded){0};
    int r = tape_subject(&t, err);
    if (r == 0)
        r = profile_load((const char *const *)t.scripts.items, t.scripts.len, options, &ret->profile, err);
    ret->runs = (unsigned)t.scripts.len;
    ret->wall_ns = t.wall;
    ret->user_ns = t.user;
    ret->sys_ns = t.sys;
    ret->exit_code = t.exit_code;
    snprintf(ret->said, sizeof(ret->said), "%s", t.said);
    ret->hardware = t.hardware;
    ret->kernel = t.kernel;
    drop_scripts(&t);
    return r;
}

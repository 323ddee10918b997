#include "performance/sample.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/record.h"

#include <dirent.h>
#include <string.h>

#define COUNT_WALL_NS (10 * 60 * NS_PER_SEC)
#define COUNT_RUN_NS  (400 * NS_PER_MS) // a longer run is not counted beside its samples: that takes 50 times as long
#define SAMPLES_FEW   50
#define PLAIN_RUNS    3
#define CALLGRIND_MAX ((size_t)256 << 20)
#define SHALLOW_PCT   50.0

static const struct unwind {
    const char *name, *text;
    enum perf_unwind unwind;
} UNWINDS[] = {{"dwarf", "stacks by debug information", PERF_UNWIND_DWARF},
               {"fp", "stacks by frame pointers", PERF_UNWIND_FP},
               {"lbr", "stacks by last branch records", PERF_UNWIND_LBR}};

static const struct unwind *unwind_of(const struct sample *s)
{
    const char *wanted = json_string_value(job_input(s->job, "call_graph"));
    for (size_t i = 0; i < ARRAY_LEN(UNWINDS); i++)
        if (str_eq(wanted, UNWINDS[i].name))
            return &UNWINDS[i];
    return &UNWINDS[0];
}

static int with_perf(struct sample *s, const struct unwind *unwind, struct recorded *ret, struct err *err)
{
    const json_t *frequency = job_input(s->job, "frequency");
    const struct profile_options options = sample_options(s);
    const struct recorded_command command = {.name = s->name,
                                             .argv = s->command.words.items,
                                             .cwd = s->cwd,
                                             .stdin_path = s->command.input,
                                             .reach = s->command.reach,
                                             .unwind = unwind->unwind,
                                             .frequency =
                                                 json_is_integer(frequency) ? (int)json_integer_value(frequency) : 0};
    int r = record_command(s->job, s->spool, &command, &options, ret, err);
    if (r < 0)
        return r;
    s->now = ret->profile;
    const struct perf_script_stats *stats = profile_stats(s->now);
    s->how =
        str_printf("perf, %s, event %s, %u run%s", unwind->text, stats->event, ret->runs, ret->runs == 1 ? "" : "s");
    if (ret->exit_code > 0)
        sample_note(s, "the command ended with exit status %d%s%s", ret->exit_code, *ret->said ? ": " : "", ret->said);
    if (unwind->unwind != PERF_UNWIND_DWARF && (double)s->now->shallow * 100 > SHALLOW_PCT * (double)stats->samples)
        sample_note(s,
                    "most stacks are one frame deep: the program was built without frame pointers; --call-graph dwarf "
                    "does without them");
    if (!ret->kernel)
        sample_note(s, "the kernel was not sampled (sysctl kernel.perf_event_paranoid is above 1, or the box may not)");
    return 0;
}

// The way that was asked for; else debug information, and frame pointers where that fails.
static int sample_it(struct sample *s, struct recorded *ret, struct err *err)
{
    const struct unwind *unwind = unwind_of(s);
    int r = with_perf(s, unwind, ret, err);
    if (r != -ERR_TOOL || job_input(s->job, "call_graph") || unwind->unwind == PERF_UNWIND_FP)
        return r;
    sample_note(s, "perf cannot record with %s: %s", unwind->text, err->text);
    return with_perf(s, &UNWINDS[1], ret, err);
}

// --- callgrind ---

static int read_counts(const char *dir, struct callgrind *c, size_t *ret_files, struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int r = 0;
    *ret_files = 0;
    while (d && r == 0 && (e = readdir(d)) != NULL) {
        AUTO_FREE char *path = path_join(dir, e->d_name), *text = NULL;
        size_t len = 0;
        if (!str_starts(e->d_name, "callgrind."))
            continue;
        r = file_read(path, CALLGRIND_MAX, &text, &len, err);
        if (r == 0)
            r = callgrind_add(c, text, len, err);
        *ret_files += r == 0;
    }
    if (d)
        closedir(d);
    return r;
}

static int run_callgrind(struct sample *s, const struct sample_command *command, const char *dir, struct err *err)
{
    AUTO_FREE char *out = str_printf("--callgrind-out-file=%s/callgrind.%%p", dir);
    AUTO_FREE char *log = str_printf("--log-file=%s/log.%%p", dir);
    VEC(const char *) argv = {0};
    const char *const begin[] = {"valgrind",
                                 "--tool=callgrind",
                                 "--demangle=no",
                                 "--dump-line=yes",
                                 "--collect-systime=usec",
                                 "--trace-children=yes",
                                 "--separate-recs=1",
                                 out,
                                 log};
    for (size_t i = 0; i < ARRAY_LEN(begin); i++)
        vec_push(&argv, begin[i]);
    for (const char *const *word = command->words.items; *word; word++)
        vec_push(&argv, *word);
    vec_push(&argv, NULL);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv.items,
                                   .cwd = s->cwd,
                                   .reach = command->reach,
                                   .stdin_path = command->input,
                                   .stdout_path = "/dev/null",
                                   .wall_ns = COUNT_WALL_NS};
    int r = exec_run(job_exec(s->job), &call, &result, err);
    if (r == 0 && result.timed_out)
        r = err_set(err, ERR_TIMEOUT, "counting took longer than %lld minutes",
                    (long long)(COUNT_WALL_NS / NS_PER_SEC / 60));
    exec_result_free(&result);
    vec_free(&argv);
    return r;
}

int sample_count(struct sample *s, const struct sample_command *command, struct callgrind **ret, char **ret_why,
                 struct err *err)
{
    AUTO_FREE char *dir = path_join(s->spool, "counted");
    struct callgrind *c = callgrind_new();
    struct err why = {0};
    size_t files = 0;
    file_remove_tree(dir, NULL);
    int r = file_make_dirs(dir, &why);
    if (r == 0)
        r = run_callgrind(s, command, dir, &why);
    if (r == 0)
        r = read_counts(dir, c, &files, &why);
    if (r == 0 && files == 0)
        r = err_set(&why, ERR_TOOL, "valgrind wrote no counts: the program may not run under it");
    file_remove_tree(dir, NULL);
    *ret = NULL;
    if (r < 0) {
        callgrind_free(c);
        if (r == -ERR_CANCELLED)
            return err_set(err, why.code, "%s", why.text);
        *ret_why = str_dup(why.text);
        return 0;
    }
    callgrind_finish(c);
    *ret = c;
    return 0;
}

// What the kernel took of the program's own time: perf's time would count, too, if it were taken from its runs.
static int time_plain_runs(struct sample *s, struct err *err)
{
    int r = 0;
    for (int i = 0; i < PLAIN_RUNS && r == 0; i++) {
        struct exec_result result = {0};
        const struct exec_call call = {.argv = s->command.words.items,
                                       .cwd = s->cwd,
                                       .reach = s->command.reach,
                                       .stdin_path = s->command.input,
                                       .stdout_path = "/dev/null"};
        r = exec_run(job_exec(s->job), &call, &result, err);
        s->user_ns += result.user_ns;
        s->sys_ns += result.sys_ns;
        exec_result_free(&result);
    }
    return r;
}

// Samples say where the time goes, counts say how often: calls and system calls are evidence for the same ranking.
static int add_counts(struct sample *s, int64_t run_ns, struct err *err)
{
    AUTO_FREE char *why = NULL;
    if (run_ns > COUNT_RUN_NS) {
        sample_note(s,
                    "calls and system calls were not counted: a run takes %.1f s, which callgrind makes 50 times as "
                    "long (--tool callgrind counts all the same)",
                    (double)run_ns / (double)NS_PER_SEC);
        return 0;
    }
    job_progress(s->job, -1, "counting calls and system calls with callgrind");
    int r = sample_count(s, &s->command, &s->counts, &why, err);
    if (r == 0 && why)
        sample_note(s, "calls and system calls were not counted: %s", why);
    return r == 0 && s->counts ? time_plain_runs(s, err) : r;
}

static int counted_only(struct sample *s, const char *reason, struct err *err)
{
    const struct profile_options options = sample_options(s);
    AUTO_FREE char *why = NULL;
    job_progress(s->job, -1, "counting instructions with callgrind, 50 times as slow as the program");
    int r = sample_count(s, &s->command, &s->counts, &why, err);
    if (r < 0)
        return r;
    if (!s->counts)
        return err_set(err, ERR_TOOL, "%s%s%s", reason ? reason : "", reason ? "; nor can callgrind count: " : "", why);
    if (reason)
        sample_note(
            s,
            "perf cannot record here (%s): instructions were counted with callgrind instead; they say nothing of "
            "waiting, of the kernel and of caches",
            reason);
    s->how = str_dup("callgrind, instructions counted");
    return profile_of_callgrind(s->counts, &options, &s->now, err);
}

// A command that ends before it is seen: its instructions say more than a handful of samples.
static int count_short_one(struct sample *s, const struct recorded *recorded, struct err *err)
{
    const struct profile_options options = sample_options(s);
    unsigned long long samples = s->now ? profile_stats(s->now)->samples : 0;
    struct profile *counted = NULL;
    AUTO_FREE char *why = NULL;
    job_progress(s->job, -1, "counting instructions with callgrind");
    int r = sample_count(s, &s->command, &s->counts, &why, err);
    if (r == 0 && s->counts)
        r = profile_of_callgrind(s->counts, &options, &counted, err);
    if (r < 0)
        return r;
    if (!counted && !s->now)
        return err_set(err, ERR_NOT_FOUND, "no samples: the program is too short or sleeps; nor was it counted: %s",
                       why);
    if (!counted) {
        sample_note(s, "only %llu samples: the shares are rough; give it more to do", samples);
        return 0;
    }
    sample_note(s,
                "only %llu samples in %u runs: instructions were counted instead; give it more to do to see its time",
                samples, recorded->runs);
    profile_free(s->now);
    s->now = counted;
    mem_free(s->how);
    s->how = str_dup("callgrind, instructions counted");
    return 0;
}

static int recorded_by_perf(struct sample *s, struct err *err)
{
    struct recorded recorded = {0};
    bool automatic = str_eq(s->tool, "auto");
    struct err why = {0};
    int r = sample_it(s, &recorded, &why);
    bool no_perf = r == -ERR_TOOL || r == -ERR_DENIED || (r == -ERR_NOT_FOUND && recorded.runs == 0);
    bool no_sample = r == -ERR_NOT_FOUND && recorded.runs > 0;
    if (automatic && no_perf)
        return counted_only(s, why.text, err);
    if (automatic && (no_sample || (r == 0 && profile_stats(s->now)->samples < SAMPLES_FEW)))
        return count_short_one(s, &recorded, err);
    if (r < 0)
        return err_set(err, why.code, "%s", why.text);
    return automatic ? add_counts(s, recorded.wall_ns, err) : 0;
}

int sample_record(struct sample *s, struct err *err)
{
    int r = str_eq(s->tool, "callgrind") ? counted_only(s, NULL, err) : recorded_by_perf(s, err);
    if (r == 0 && s->counts)
        s->owned = callgrind_owned_new(s->counts, s->now);
    return r;
}

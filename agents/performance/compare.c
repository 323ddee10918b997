#include "performance/compare.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/ab.h"
#include "measure/criterion.h"
#include "performance/measured.h"
#include "performance/subject.h"
#include "performance/witnessed.h"

#include <stdlib.h>
#include <string.h>

#define TRY_WALL_NS (5 * 60 * NS_PER_SEC)

// Short runs and many pairs: what disturbs a run disturbs both of a pair, and a verdict needs 8 pairs at the very least.
#define CRITERION_WARM_UP_S     0.2
#define CRITERION_MEASUREMENT_S 0.4

char **compare_environment(const char *scratch, const char *manifest_dir)
{
    VEC(char *) env = {0};
    const char *path = getenv("PATH");
    AUTO_FREE char *home = path_join(scratch, "home");
    AUTO_FREE char *temp = path_join(scratch, "tmp");
    file_make_dirs(home, NULL);
    file_make_dirs(temp, NULL);
    vec_push(&env, str_printf("PATH=%s", path ? path : "/usr/bin:/bin"));
    vec_push(&env, str_printf("HOME=%s", home));
    vec_push(&env, str_printf("TMPDIR=%s", temp));
    vec_push(&env, str_dup("LANG=C.UTF-8"));
    vec_push(&env, str_printf("CARGO_MANIFEST_DIR=%s", manifest_dir));
    vec_push(&env, NULL);
    return env.items;
}

static char *below_root(const char *root, const json_t *subject, const char *key)
{
    const char *path = json_str(subject, key, NULL);
    return path ? path_join(root, path) : NULL;
}

// --- one real run each ---

static char **tried_criterion(const char *program, const char *id)
{
    VEC(char *) argv = {0};
    vec_push(&argv, str_dup(program));
    vec_push(&argv, str_dup("--test"));
    vec_push(&argv, criterion_filter(id));
    vec_push(&argv, NULL);
    return argv.items;
}

static int try_one(struct job *job, const char *root, const json_t *subject, const json_t *programs, char **ret_limit,
                   struct err *err)
{
    char **argv = NULL;
    int r = subject_argv(subject, programs, &argv, err);
    AUTO_FREE char *cwd = below_root(root, subject, "cwd");
    AUTO_FREE char *input = below_root(root, subject, "stdin");
    // A criterion program that is only tried runs its bench once.
    if (r == 0 && str_eq(json_str(subject, "kind", ""), "criterion")) {
        AUTO_FREE char *program = str_dup(argv[0]);
        str_list_free(argv);
        argv = tried_criterion(program, json_str(subject, "id", ""));
    }
    struct exec_result result = {0};
    const char **reach = subject_reach(subject);
    struct exec_call call = {.argv = (const char *const *)argv,
                             .cwd = cwd,
                             .reach = reach,
                             .stdin_path = input,
                             .wall_ns = TRY_WALL_NS};
    if (r == 0)
        r = exec_run(job_exec(job), &call, &result, err);
    if (r == 0 && result.exit_code != 0) {
        const char *text = buf_str(&result.err);
        size_t len = strlen(text);
        *ret_limit = str_printf("subject '%s' was left out: it ended with %s %d%s: %s", json_str(subject, "name", "?"),
                                result.signal ? "signal" : "status", result.signal ? result.signal : result.exit_code,
                                result.timed_out ? " (5 minutes were over)" : "", text + (len > 300 ? len - 300 : 0));
    } else if (r < 0 && r != -ERR_CANCELLED) {
        *ret_limit = str_printf("subject '%s' was left out: %s", json_str(subject, "name", "?"), err ? err->text : "refused");
        r = 0;
    }
    exec_result_free(&result);
    str_list_free(argv);
    mem_free((void *)(uintptr_t)reach);
    return r;
}

int compare_try_subjects(struct job *job, const char *root, json_t *subjects, const json_t *programs, json_t *ret_limits,
                         struct err *err)
{
    for (size_t i = 0; i < json_array_size(subjects);) {
        const json_t *subject = json_array_get(subjects, i);
        AUTO_FREE char *limit = NULL;
        job_progress(job, -1, "trying '%s'", json_str(subject, "name", "?"));
        int r = try_one(job, root, subject, programs, &limit, err);
        if (r < 0)
            return r;
        if (limit) {
            json_add_str(ret_limits, limit);
            json_array_remove(subjects, i);
        } else {
            i++;
        }
    }
    return 0;
}

// --- comparing ---

struct watch {
    const struct compare_sides *sides;
    const char *subject;
};

static void on_progress(void *user, const struct ab_progress *p)
{
    const struct watch *w = user;
    if (p->ratio > 0)
        job_progress(w->sides->job, -1, "%s: %s, %s, pair %u, change %+.1f %%", w->sides->label, w->subject, p->phase,
                     p->pairs, (p->ratio - 1) * 100);
    else
        job_progress(w->sides->job, -1, "%s: %s, %s, pair %u", w->sides->label, w->subject, p->phase, p->pairs);
}

// The commands of all sides, kept until the session is over.
struct commands {
    char **argv[3];
    char *home[3];
};

static void commands_free(struct commands *c)
{
    for (size_t i = 0; i < 3; i++) {
        str_list_free(c->argv[i]);
        mem_free(c->home[i]);
    }
}

static int find_commands(const struct compare_sides *s, const json_t *subject, struct commands *ret,
                         struct session *session, struct err *err)
{
    const json_t *programs[3] = {s->a, s->b, s->copy};
    for (size_t i = 0; i < 3 && programs[i]; i++) {
        int r = subject_argv(subject, programs[i], &ret->argv[i], err);
        if (r < 0)
            return r;
        ret->home[i] = str_printf("%s/criterion-%zu", s->scratch, i);
        session->command[i] = (const char *const *)ret->argv[i];
        session->home[i] = ret->home[i];
    }
    return 0;
}

// Whole commands only: a harness decides itself how often it runs what it measures.
static int ask_witness(const struct measured *m, const struct compare_sides *s, struct ab_result *ab, json_t **ret, struct err *err)
{
    bool decides = ab->metric == AB_CPU && (ab->verdict == VERDICT_FASTER || ab->verdict == VERDICT_SLOWER);
    bool open = decides || s->ask_always;
    if (m->session->kind != SESSION_COMMAND || !open)
        return 0;
    const struct witnessed w = {.job = m->job,
                                .command = {m->session->command[0], m->session->command[1]},
                                .cwd = m->session->cwd,
                                .cwd_of = {m->session->cwd_of[0], m->session->cwd_of[1]},
                                .stdin_path = m->session->stdin_path,
                                .reach = m->reach,
                                .scratch = m->scratch};
    return witnessed_apply(&w, ab, ret, err);
}

int compare_subject(const struct compare_sides *s, const json_t *subject, struct ab_result **ret, json_t **ret_witness,
                    struct err *err)
{
    *ret_witness = NULL;
    AUTO(commands_free) struct commands commands = {0};
    AUTO_FREE char *cwd = below_root(s->root, subject, "cwd");
    AUTO_FREE char *input = below_root(s->root, subject, "stdin");
    char **env = compare_environment(s->scratch, cwd);
    const char **reach = subject_reach(subject);
    struct watch w = {.sides = s, .subject = json_str(subject, "name", "?")};
    struct session session = {.kind = measured_kind(subject),
                              .id = json_str(subject, "id", NULL),
                              .cwd = cwd ? cwd : s->root,
                              .stdin_path = input,
                              .env = (const char *const *)env,
                              .ignore_output = json_flag(subject, "ignore_output", false),
                              .warm_up_s = CRITERION_WARM_UP_S,
                              .measurement_s = CRITERION_MEASUREMENT_S,
                              .max_wall_ns = s->wall_ns / (int64_t)json_array_size(s->subjects),
                              .metric = s->metric,
                              .theta = json_num(s->floors, w.subject, s->theta)};
    char *cwds[3] = {0};
    for (size_t i = 0; i < 3 && s->roots[i]; i++)
        session.cwd_of[i] = cwds[i] = path_join(s->roots[i], json_str(subject, "cwd", ""));
    const struct measured m = {.job = s->job,
                               .session = &session,
                               .scratch = s->scratch,
                               .reach = reach,
                               .on_progress = on_progress,
                               .user = &w};
    int r = find_commands(s, subject, &commands, &session, err);
    if (r == 0)
        r = measured_compare(&m, ret, err);
    if (r == 0) {
        r = ask_witness(&m, s, *ret, ret_witness, err);
        if (r < 0)
            *ret = ab_result_free(*ret);
    }
    for (size_t i = 0; i < 3; i++)
        mem_free(cwds[i]);
    str_list_free(env);
    mem_free((void *)(uintptr_t)reach);
    return r;
}

static void take(const struct compare_sides *s, const json_t *subject, const struct ab_result *result, json_t *witness,
                 struct compare_verdict *v)
{
    const char *name = json_str(subject, "name", "?"), *why = NULL;
    json_t *c = ab_result_json_new(result, true);
    json_t *samples = json_object_get(c, "samples");
    if (samples)
        json_put(v->samples, name, json_incref(samples));
    json_object_del(c, "samples");
    json_put_str(c, "subject", name);
    if (witness)
        json_put(c, "witness", json_incref(witness));
    bool accepted = ab_accepts(result, &why);
    // It is asked when the clock says faster or slower.
    bool contradicted = witness && !s->ask_always && result->verdict == VERDICT_UNDECIDED;
    json_put_flag(c, "accepted", accepted);
    json_put_str(c, "why_not", why);
    json_t *evidence = json_object();
    json_put_str(evidence, "artifact", "measurements.json");
    json_put_str(evidence, "part", s->label);
    json_put(c, "evidence", evidence);
    json_array_append_new(v->comparisons, c);
    v->better = v->better || accepted;
    v->worse = v->worse || ab_refuses(result) || result->outputs == AB_OUTPUTS_DIFFER;
    if (result->outputs == AB_OUTPUTS_DIFFER)
        v->reason = "the outputs differ";
    else if (ab_refuses(result))
        v->reason = "a subject got slower";
    else if (!v->reason)
        v->reason = contradicted ? "the second witness (instructions and allocations) contradicts the clock" : why;
}

int compare_builds(const struct compare_sides *sides, struct compare_verdict *ret, struct err *err)
{
    *ret = (struct compare_verdict){.comparisons = json_array(), .samples = json_object()};
    size_t i;
    json_t *subject;
    int r = 0;
    file_make_dirs(sides->scratch, NULL);
    json_array_foreach (sides->subjects, i, subject) {
        struct ab_result *result = NULL;
        AUTO_JSON json_t *witness = NULL;
        r = compare_subject(sides, subject, &result, &witness, err);
        if (r < 0)
            break;
        take(sides, subject, result, witness, ret);
        ab_result_free(result);
    }
    ret->better = ret->better && !ret->worse;
    if (r < 0)
        compare_verdict_free(ret);
    return r;
}

void compare_verdict_free(struct compare_verdict *v)
{
    json_decref(v->comparisons);
    json_decref(v->samples);
    *v = (struct compare_verdict){0};
}

bool compare_is_undecided(const json_t *result)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_list(result, "comparisons"), i, c)
        if (str_eq(json_str(c, "verdict", ""), "undecided"))
            return true;
    return str_starts(json_str(result, "reason", ""), "not measured");
}

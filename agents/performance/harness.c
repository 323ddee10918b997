#include "performance/harness.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/bench_text.h"

#include <string.h>

#define ASK_WALL_NS   (30 * NS_PER_SEC)
#define LEARN_WALL_NS (120 * NS_PER_SEC)

// What the program prints for a flag; NULL when it does not end in time or fails.
static char *ask(struct job *job, const char *program, const char *cwd, const char *flag)
{
    const char *const argv[] = {program, "--bench", flag, NULL};
    struct exec_result result = {0};
    char *text = NULL;
    if (exec_run(job_exec(job), &(struct exec_call){.argv = argv, .cwd = cwd, .wall_ns = ASK_WALL_NS}, &result, NULL) == 0 &&
        result.exit_code == 0)
        text = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return text;
}

static const char **dev_dependencies(const struct cargo_metadata *m, const char *package)
{
    VEC(const char *) names = {0};
    for (size_t i = 0; i < m->package_count; i++)
        for (size_t d = 0; str_eq(m->packages[i].name, package) && m->packages[i].is_member && d < m->packages[i].dependency_count; d++)
            vec_push(&names, m->packages[i].dependencies[d].name);
    vec_push(&names, NULL);
    return names.items;
}

static void add_bench(json_t *out, const json_t *subject, const char *kind, const char *id)
{
    const char *filter = json_str(subject, "filter", NULL);
    if (filter && !strstr(id, filter))
        return;
    json_t *one = json_deep_copy(subject);
    json_put_str(one, "kind", kind);
    json_put_str(one, "name", id);
    json_put_str(one, "id", id);
    json_array_append_new(out, one);
}

static void add_criterion(json_t *out, const json_t *subject, const char *list)
{
    char **ids = bench_list_parse(list, strlen(list));
    for (char **id = ids; *id; id++)
        add_bench(out, subject, "criterion", *id);
    str_list_free(ids);
}

// Not all of these programs can list their benches: they are run once, and what they print names them.
static bool add_printed(struct job *job, const char *program, const char *cwd, bool divan, json_t *out, const json_t *subject)
{
    const char *const argv[] = {program, "--bench", NULL};
    struct exec_result result = {0};
    struct bench_rows rows = {0};
    job_progress(job, -1, "running '%s' once to learn its benches", json_str(subject, "name", "?"));
    if (exec_run(job_exec(job), &(struct exec_call){.argv = argv, .cwd = cwd, .wall_ns = LEARN_WALL_NS}, &result, NULL) == 0)
        (divan ? bench_divan_parse : bench_libtest_parse)(buf_str(&result.out), result.out.len, &rows);
    for (size_t i = 0; i < rows.len; i++)
        if (rows.items[i].median_ns > 0)
            add_bench(out, subject, "printed", rows.items[i].id);
    bool any = rows.len > 0;
    bench_rows_free(&rows);
    exec_result_free(&result);
    return any;
}

static void look_at(struct job *job, const char *root, const struct cargo_metadata *m, json_t *subject,
                    const json_t *programs, json_t *out, json_t *limits)
{
    const char *name = json_str(subject, "name", "?");
    AUTO_FREE char *key = str_printf("bench:%s", name);
    const char *program = json_str(programs, key, NULL);
    AUTO_FREE char *cwd = path_join(root, json_str(subject, "cwd", ""));
    if (!program)
        return;
    job_progress(job, -1, "asking '%s' what it can measure", name);
    AUTO_FREE char *list = ask(job, program, cwd, "--list");
    const char **dependencies = dev_dependencies(m, json_str(subject, "package", ""));
    enum bench_harness harness = bench_harness_detect(NULL, list, dependencies);
    mem_free(dependencies);
    AUTO_FREE char *limit = NULL;
    if (harness == BENCH_CRITERION && list)
        add_criterion(out, subject, list);
    else if (harness == BENCH_PLAIN)
        json_array_append(out, subject);
    else if ((harness != BENCH_LIBTEST && harness != BENCH_DIVAN) ||
             !add_printed(job, program, cwd, harness == BENCH_DIVAN, out, subject))
        limit = str_printf("bench program '%s' was left out: its harness (%s) decides by itself how much it runs, so its time as "
                           "a whole says nothing",
                           name, bench_harness_name(harness));
    if (limit)
        json_add_str(limits, limit);
}

// At most HARNESS_SUBJECTS_MAX benches, spread evenly, so that one large group does not hide the others.
static void thin_out(json_t *subjects, json_t *limits)
{
    size_t n = json_array_size(subjects), most = HARNESS_SUBJECTS_MAX;
    for (size_t i = 0; i < n; i++)
        if (str_eq(json_str(json_array_get(subjects, i), "kind", ""), "printed"))
            most = HARNESS_PRINTED_MAX;
    if (n <= most)
        return;
    AUTO_JSON json_t *all = json_copy(subjects);
    json_array_clear(subjects);
    for (size_t i = 0; i < most; i++)
        json_array_append(subjects, json_array_get(all, i * n / most));
    AUTO_FREE char *limit =
        str_printf("%zu of %zu benches are measured; choose with --bench 'cargo bench --bench PROGRAM -- PART_OF_A_NAME'", most, n);
    json_add_str(limits, limit);
}

int harness_expand(struct job *job, const char *root, const struct cargo_metadata *m, json_t *subjects, const json_t *programs,
                   json_t *limits, struct err *err)
{
    AUTO_JSON json_t *out = json_array();
    size_t i;
    json_t *subject;
    json_array_foreach (subjects, i, subject) {
        if (job_cancelled(job))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (str_eq(json_str(subject, "kind", ""), "plain"))
            look_at(job, root, m, subject, programs, out, limits);
        else
            json_array_append(out, subject);
    }
    json_array_clear(subjects);
    json_array_extend(subjects, out);
    thin_out(subjects, limits);
    return 0;
}

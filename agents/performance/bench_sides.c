// Rules that the code does not show:
// - Commands run in the read-only checkout of the project; what they name by its full path is shown to them as well.
// - A command is calibrated against itself, a build against a copy of it at another path.
// - Both revisions are built in one checkout with one target folder, and set aside. They run where the second one lies,
// so
//   that both get the same input.
#include "performance/bench.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/harness.h"
#include "performance/measured.h"
#include "performance/subject.h"
#include "performance/witnessed.h"
#include "rust/cargo_metadata.h"
#include "sandbox/files.h"

#include <string.h>

#define METADATA_BYTES ((size_t)64 << 20)

static void add_row(struct bench *b, const char *subject, struct ab_result *ab, json_t *witness)
{
    mem_free(ab->name_a);
    mem_free(ab->name_b);
    ab->name_a = str_dup(b->name[0]);
    ab->name_b = str_dup(b->name[1]);
    const struct bench_row row = {.subject = str_dup(subject), .ab = ab, .witness = witness};
    vec_push(&b->rows, row);
}

// --- commands ---

struct command {
    VEC(const char *) words; // NULL-terminated
    const char *input;       // behind "<"
};

static int read_command(const json_t *words, struct command *ret, struct err *err)
{
    size_t i, n = json_array_size(words);
    for (i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word)
            return err_set(err, ERR_INVALID, "a command is a list of words");
        if (!str_eq(word, "<")) {
            vec_push(&ret->words, word);
            continue;
        }
        ret->input = json_string_value(json_array_get(words, ++i));
        if (!ret->input)
            return err_set(err, ERR_INVALID, "'<' must be followed by a file");
    }
    if (ret->words.len == 0)
        return err_set(err, ERR_INVALID, "a command names no program");
    vec_push(&ret->words, NULL);
    return 0;
}

// Files that are named by their full path, also behind "=": they can be read.
static void add_reach(const char *word, json_t *reach)
{
    const char *equals = word[0] == '-' ? strchr(word, '=') : NULL, *path = equals ? equals + 1 : word;
    if (path[0] == '/' && path[strspn(path, "/")] && file_exists(path))
        json_add_str(reach, path);
}

struct watch {
    struct job *job;
};

static void on_progress(void *user, const struct ab_progress *p)
{
    const struct watch *w = user;
    if (p->ratio > 0)
        job_progress(w->job, -1, "%s, pair %u of at most %u, change %+.1f %%", p->phase, p->pairs, p->max_pairs,
                     (p->ratio - 1) * 100);
    else
        job_progress(w->job, -1, "%s, pair %u", p->phase, p->pairs);
}

static int compare_commands(struct bench *b, const struct command *c, const char **reach, struct err *err)
{
    struct watch watch = {b->job};
    AUTO_FREE char *cwd = job_project_in(b->job, "base");
    AUTO_FREE char *scratch = path_join(b->spool, "scratch");
    AUTO_FREE char *input = c[0].input ? path_join(cwd, c[0].input) : NULL;
    char **env = compare_environment(scratch, cwd);
    const struct session session = {.kind = SESSION_COMMAND,
                                    .metric = b->metric,
                                    .command = {c[0].words.items, c[1].words.items, c[0].words.items},
                                    .cwd = cwd,
                                    .stdin_path = input,
                                    .env = (const char *const *)env,
                                    .max_wall_ns = b->wall_ns,
                                    .theta = b->theta};
    const struct measured m = {.job = b->job,
                               .session = &session,
                               .scratch = scratch,
                               .reach = reach,
                               .on_progress = on_progress,
                               .user = &watch};
    const struct witnessed w = {.job = b->job,
                                .command = {session.command[0], session.command[1]},
                                .cwd = cwd,
                                .stdin_path = input,
                                .reach = reach,
                                .scratch = scratch};
    struct ab_result *ab = NULL;
    json_t *witness = NULL;
    int r = measured_compare(&m, &ab, err);
    if (r == 0)
        r = witnessed_apply(&w, ab, &witness, err);
    if (r == 0)
        add_row(b, "command", ab, witness);
    else
        ab_result_free(ab);
    str_list_free(env);
    return r;
}

static char *name_of(const struct command *c)
{
    struct buf name = BUF_INIT;
    for (size_t i = 0; i + 1 < c->words.len; i++)
        buf_printf(&name, "%s%s", i ? " " : "",
                   c->words.items[i][0] == '/' ? path_base(c->words.items[i]) : c->words.items[i]);
    return buf_steal(&name);
}

int bench_commands(struct bench *b, const json_t *commands, struct err *err)
{
    struct command c[2] = {0};
    AUTO_JSON json_t *reach = json_array(), *subject = json_object();
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        r = read_command(json_array_get(commands, i), &c[i], err);
        for (size_t k = 0; r == 0 && k + 1 < c[i].words.len; k++)
            add_reach(c[i].words.items[k], reach);
        if (r == 0 && c[i].input)
            add_reach(c[i].input, reach);
        b->name[i] = r == 0 ? name_of(&c[i]) : NULL;
    }
    if (r == 0 && !str_eq(c[0].input ? c[0].input : "", c[1].input ? c[1].input : ""))
        r = err_set(err, ERR_INVALID, "both commands must read the same input: one has '< %s', the other '< %s'",
                    c[0].input ? c[0].input : "", c[1].input ? c[1].input : "");
    json_put(subject, "reach", json_incref(reach));
    const char **paths = subject_reach(subject);
    if (r == 0)
        r = compare_commands(b, c, paths, err);
    mem_free(paths);
    vec_free(&c[0].words);
    vec_free(&c[1].words);
    return r;
}

// --- revisions ---

struct revisions {
    struct bench *b;
    const char *bench;
    struct files *files; // the checkout, held
    char *project;       // in the checkout
    struct cargo_metadata metadata;
    json_t *programs[2], *copy;
    char hash[2][65];
};

static int read_metadata(struct revisions *v, struct err *err)
{
    struct cargo_metadata_options options = {0};
    const char **argv = cargo_metadata_argv(&options);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv, .cwd = v->project, .output_max = METADATA_BYTES};
    int r = exec_check(job_exec(v->b->job), &call, &result, err);
    if (r == 0)
        r = cargo_metadata_parse(buf_str(&result.out), result.out.len, &v->metadata, err);
    exec_result_free(&result);
    mem_free(argv);
    return r;
}

static int build_side(struct revisions *v, int side, struct err *err)
{
    struct bench *b = v->b;
    AUTO_FREE char *target = path_join(b->cache, "target");
    AUTO_FREE char *dir = str_printf("%s/programs/bench-%d", b->cache, side);
    AUTO_JSON json_t *names = subject_programs(b->subjects);
    AUTO_FREE char *features = subject_features(b->subjects);
    const struct builder builder = {
        .job = b->job, .root = v->metadata.workspace_root, .target_dir = target, .features = features};
    struct built built;
    job_progress(b->job, -1, "building %s", b->name[side]);
    int r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return err_wrap(err, "%s (%.12s) does not build", b->name[side], b->commit[side]);
    r = builder_set_aside(target, built.programs, dir, &v->programs[side], v->hash[side], err);
    built_free(&built);
    return r;
}

// The second revision says what is measured; the first one has to offer it as well.
static int prepare(struct revisions *v, char **ret_why, struct err *err)
{
    struct bench *b = v->b;
    struct exec_context *exec = job_exec(b->job);
    const struct subject_places places = {.files = v->files, .project = v->project, .user = job_dir(b->job, "project")};
    char copy_hash[65];
    AUTO_FREE char *copies = path_join(b->cache, "programs/bench-copy");
    int r = branch_visit(exec, b->work, b->commit[1], err);
    if (r == 0)
        r = read_metadata(v, err);
    if (r == 0)
        r = subject_find(&places, &v->metadata, v->bench, &b->subjects, ret_why, err);
    if (r < 0 || *ret_why)
        return r;
    r = build_side(v, 1, err);
    if (r == 0)
        r = harness_expand(b->job, v->metadata.workspace_root, &v->metadata, b->subjects, v->programs[1], b->limits,
                           err);
    if (r == 0)
        r = branch_visit(exec, b->work, b->commit[0], err);
    if (r == 0)
        r = build_side(v, 0, err);
    if (r == 0)
        r = builder_set_aside(b->cache, v->programs[0], copies, &v->copy, copy_hash, err);
    if (r == 0)
        r = branch_visit(exec, b->work, b->commit[1], err);
    for (int side = 0; side < 2 && r == 0; side++)
        r = compare_try_subjects(b->job, v->metadata.workspace_root, b->subjects, v->programs[side], b->limits, err);
    return r;
}

static int compare_all(struct revisions *v, struct err *err)
{
    struct bench *b = v->b;
    AUTO_FREE char *scratch = path_join(b->spool, "scratch");
    const struct compare_sides sides = {.job = b->job,
                                        .root = v->metadata.workspace_root,
                                        .subjects = b->subjects,
                                        .a = v->programs[0],
                                        .b = v->programs[1],
                                        .copy = v->copy,
                                        .scratch = scratch,
                                        .wall_ns = b->wall_ns,
                                        .label = "bench",
                                        .theta = b->theta,
                                        .metric = b->metric,
                                        .ask_always = true};
    size_t i;
    json_t *subject;
    int r = file_make_dirs(scratch, err);
    json_array_foreach (b->subjects, i, subject) {
        struct ab_result *ab = NULL;
        json_t *witness = NULL;
        if (r == 0)
            r = compare_subject(&sides, subject, &ab, &witness, err);
        if (r == 0)
            add_row(b, json_str(subject, "name", "?"), ab, witness);
    }
    return r;
}

static int measure_revisions(struct revisions *v, char **ret_why, struct err *err)
{
    int r = prepare(v, ret_why, err);
    if (r < 0 || *ret_why)
        return r;
    if (str_eq(v->hash[0], v->hash[1]) && json_object_size(v->programs[0]) > 0)
        json_add_str(v->b->limits, "both revisions build the same programs, byte for byte");
    return compare_all(v, err);
}

int bench_revisions(struct bench *b, const json_t *revisions, const char *bench, char **ret_why, struct err *err)
{
    struct revisions v = {.b = b, .bench = bench, .project = job_project_in(b->job, "work")};
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        const char *name = json_string_value(json_array_get(revisions, i));
        if (!name || !*name)
            r = err_set(err, ERR_INVALID, "a revision is the name of a commit");
        b->name[i] = str_dup(name);
        if (r == 0)
            r = branch_resolve(job_exec(b->job), b->work, name, &b->commit[i], err);
    }
    if (r == 0)
        r = files_open(job_exec(b->job), b->work, &v.files, err);
    if (r == 0)
        r = measure_revisions(&v, ret_why, err);
    files_free(v.files);
    cargo_metadata_free(&v.metadata);
    json_decref(v.programs[0]);
    json_decref(v.programs[1]);
    json_decref(v.copy);
    mem_free(v.project);
    return r;
}

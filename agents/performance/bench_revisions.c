// Rules that the code does not show:
// - Both revisions are built in one checkout with one target folder, and set aside. They run where the second one lies,
//   so that both get the same input.
// - A subject that starts no program that cargo builds (a script of the project, of any language) is run as it stands
// in
//   each revision: then every side has a checkout of its own, at paths of one length.
#include "performance/bench.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "performance/build_time.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/counted.h"
#include "performance/harness.h"
#include "performance/subject.h"
#include "rust/cargo_metadata.h"
#include "sandbox/files.h"

#include <string.h>
#include <sys/stat.h>

#define METADATA_BYTES ((size_t)64 << 20)

struct revisions {
    struct bench *b;
    const char *bench;
    struct files *files; // the checkout, held
    char *project;       // in the checkout
    char *root;          // of the workspace, in the checkout
    struct cargo_metadata metadata;
    json_t *programs[2], *copy;
    char *tree[3]; // checkouts of base, candidate and a copy of the base; NULL: not needed
    char hash[2][65];
};

// A project without a manifest has nothing to build: what it measures are its own files.
static int read_metadata(struct revisions *v, struct err *err)
{
    AUTO_FREE char *manifest = path_join(v->project, "Cargo.toml");
    if (!file_exists(manifest)) {
        v->root = str_dup(v->project);
        return 0;
    }
    struct cargo_metadata_options options = {0};
    const char **argv = cargo_metadata_argv(&options);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv, .cwd = v->project, .output_max = METADATA_BYTES};
    int r = exec_check(job_exec(v->b->job), &call, &result, err);
    if (r == 0)
        r = cargo_metadata_parse(buf_str(&result.out), result.out.len, &v->metadata, err);
    if (r == 0)
        v->root = str_dup(v->metadata.workspace_root);
    exec_result_free(&result);
    mem_free(argv);
    return r;
}

// --- building ---

static int build_side(struct revisions *v, int side, struct err *err)
{
    struct bench *b = v->b;
    AUTO_FREE char *target = path_join(b->cache, "target");
    AUTO_FREE char *dir = str_printf("%s/programs/bench-%d", b->cache, side);
    AUTO_JSON json_t *names = subject_programs(b->subjects);
    AUTO_FREE char *features = subject_features(b->subjects);
    const struct builder builder = {
        .job = b->job, .root = v->root, .target_dir = target, .profile = b->profile[side], .features = features};
    struct built built;
    v->programs[side] = NULL;
    if (json_array_size(names) == 0) {
        v->programs[side] = json_object();
        return 0;
    }
    job_progress(b->job, -1, "building %s", b->name[side]);
    int r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return err_wrap(err, "%s (%.12s) does not build", b->name[side], b->commit[side]);
    r = builder_set_aside(target, built.programs, dir, &v->programs[side], v->hash[side], err);
    built_free(&built);
    return r;
}

static bool needs_trees(const struct revisions *v)
{
    size_t i;
    json_t *subject;
    bool any = v->b->metric == AB_BUILD || v->b->metric == AB_REBUILD;
    json_array_foreach (v->b->subjects, i, subject) {
        const char *first = json_string_value(json_array_get(json_list(subject, "words"), 0));
        any = any || !first || first[0] != '{';
    }
    return any;
}

// The checkout shows the side's commit.
static int keep_tree(struct revisions *v, int side, struct err *err)
{
    struct bench *b = v->b;
    if (!needs_trees(v))
        return 0;
    v->tree[side] = str_printf("%s/trees/%d", b->cache, side);
    return branch_export(job_exec(b->job), b->work, v->tree[side], err);
}

// The second revision says what is measured; the first one has to offer it as well.
static int prepare_sides(struct revisions *v, struct err *err)
{
    struct bench *b = v->b;
    struct exec_context *exec = job_exec(b->job);
    bool build = b->metric != AB_BUILD && b->metric != AB_REBUILD;
    char copy_hash[65];
    AUTO_FREE char *copies = path_join(b->cache, "programs/bench-copy");
    int r = keep_tree(v, 1, err);
    if (r == 0 && build)
        r = build_side(v, 1, err);
    if (r == 0 && build)
        r = harness_expand(b->job, v->root, &v->metadata, b->subjects, v->programs[1], b->limits, err);
    if (r == 0)
        r = branch_visit(exec, b->work, b->commit[0], err);
    if (r == 0)
        r = keep_tree(v, 0, err);
    if (r == 0 && build)
        r = keep_tree(v, 2, err);
    if (r == 0 && build)
        r = build_side(v, 0, err);
    if (r == 0 && build)
        r = builder_set_aside(b->cache, v->programs[0], copies, &v->copy, copy_hash, err);
    if (r == 0)
        r = branch_visit(exec, b->work, b->commit[1], err);
    for (int side = 0; side < 2 && r == 0 && build; side++)
        r = compare_try_subjects(b->job, v->tree[side] ? v->tree[side] : v->root, b->subjects, v->programs[side],
                                 b->limits, err);
    return r;
}

// What the person said comes before what the project says.
static int take_settings(struct bench *b, const struct subject_places *places, struct err *err)
{
    struct subject_measure said;
    int r = subject_measure(places, &said, err);
    if (r == 0 && !b->metric_given && said.has_metric)
        b->metric = said.metric;
    if (r == 0 && b->theta <= 0)
        b->theta = said.theta;
    return r;
}

static int prepare(struct revisions *v, char **ret_why, struct err *err)
{
    struct bench *b = v->b;
    const struct subject_places places = {.files = v->files, .project = v->project, .user = job_dir(b->job, "project")};
    int r = branch_visit(job_exec(b->job), b->work, b->commit[1], err);
    if (r == 0)
        r = read_metadata(v, err);
    v->metadata.workspace_root = v->root;
    if (r == 0)
        r = take_settings(b, &places, err);
    if (r == 0 && (b->metric == AB_BUILD || b->metric == AB_REBUILD))
        b->subjects = json_array();
    else if (r == 0)
        r = subject_find(&places, &v->metadata, v->bench, &b->subjects, ret_why, err);
    return r < 0 || *ret_why ? r : prepare_sides(v, err);
}

// --- comparing ---

static double size_of(const json_t *programs)
{
    double bytes = 0;
    const char *name;
    json_t *path;
    json_object_foreach ((json_t *)(uintptr_t)programs, name, path) {
        struct stat st;
        bytes += stat(json_string_value(path), &st) == 0 ? (double)st.st_size : 0;
    }
    return bytes;
}

static int compare_sizes(struct revisions *v, struct err *err)
{
    const struct counted c = {.b = v->b, .size = {size_of(v->programs[0]), size_of(v->programs[1])}};
    struct ab_result *ab = NULL;
    int r = counted_compare(&c, &ab, err);
    if (r == 0)
        bench_add_row(v->b, "programs", "all that are measured", ab, NULL);
    return r;
}

// What an edit touches: the main files of the members' programs, of libraries when there is none.
static json_t *edited_new(const struct revisions *v)
{
    json_t *list = json_array();
    static const char *const KINDS[] = {"bin", "lib"};
    for (size_t k = 0; k < 2 && json_array_size(list) == 0; k++)
        for (size_t i = 0; i < v->metadata.package_count; i++) {
            const struct cargo_package *p = &v->metadata.packages[i];
            for (size_t t = 0; p->is_member && t < p->target_count; t++) {
                const char *below = path_below(p->targets[t].src_path, v->b->work);
                if (below && str_eq(p->targets[t].kind, KINDS[k]))
                    json_add_str(list, below);
            }
        }
    return list;
}

static int compare_builds_in(struct revisions *v, struct files *files[2], struct err *err)
{
    struct bench *b = v->b;
    const char *below = path_below(v->root, b->work);
    AUTO_JSON json_t *touch = edited_new(v);
    AUTO_FREE char *root_a = path_join(v->tree[0], below ? below : "");
    AUTO_FREE char *root_b = path_join(v->tree[1], below ? below : "");
    AUTO_FREE char *target_a = path_join(b->cache, "target-build-a");
    AUTO_FREE char *target_b = path_join(b->cache, "target-build-b");
    const struct build_sides sides = {.job = b->job,
                                      .root_a = root_a,
                                      .root_b = root_b,
                                      .target_a = target_a,
                                      .target_b = target_b,
                                      .files_a = files[0],
                                      .files_b = files[1],
                                      .touch = touch,
                                      .clean = b->metric == AB_BUILD,
                                      .profile_a = b->profile[0],
                                      .profile_b = b->profile[1],
                                      .metric = b->metric,
                                      .theta = b->theta,
                                      .wall_ns = b->wall_ns,
                                      .label = "bench"};
    struct ab_result *ab = NULL;
    if (v->metadata.package_count == 0)
        return err_set(err, ERR_INVALID, "the time of a build needs a project with a Cargo.toml");
    int r = build_time_compare(&sides, &ab, err);
    if (r == 0)
        bench_add_row(b, "workspace", "cargo build --workspace", ab, NULL);
    return r;
}

static int compare_build_times(struct revisions *v, struct err *err)
{
    struct files *files[2] = {0};
    int r = files_open(job_exec(v->b->job), v->tree[0], &files[0], err);
    if (r == 0)
        r = files_open(job_exec(v->b->job), v->tree[1], &files[1], err);
    if (r == 0)
        r = compare_builds_in(v, files, err);
    files_free(files[0]);
    files_free(files[1]);
    return r;
}

static char *what_new(const json_t *subject)
{
    struct buf text = BUF_INIT;
    size_t i;
    json_t *word;
    if (json_str(subject, "id", NULL))
        buf_printf(&text, "%s ", json_str(subject, "id", ""));
    json_array_foreach (json_list(subject, "words"), i, word)
        buf_printf(&text, "%s%s", i ? " " : "", json_string_value(word));
    if (json_str(subject, "stdin", NULL))
        buf_printf(&text, " < %s", json_str(subject, "stdin", ""));
    return buf_steal(&text);
}

// Allocations and system calls of whole commands: what a harness does around a bench is not the bench.
static int count_subject(const struct compare_sides *sides, struct revisions *v, const json_t *subject,
                         struct ab_result **ret, struct err *err)
{
    char **argv[2] = {0}, *cwd[2] = {0};
    AUTO_FREE char *input =
        json_str(subject, "stdin", NULL) ? path_join(v->root, json_str(subject, "stdin", "")) : NULL;
    const char **reach = subject_reach(subject);
    int r = str_eq(json_str(subject, "kind", ""), "command")
                ? 0
                : err_set(err, ERR_INVALID, "%s are counted for whole commands, not for '%s', a bench of a harness",
                          ab_metric_words(v->b->metric), json_str(subject, "name", "?"));
    for (int side = 0; side < 2 && r == 0; side++) {
        r = subject_argv(subject, v->programs[side], &argv[side], err);
        cwd[side] = path_join(v->tree[side] ? v->tree[side] : v->root, json_str(subject, "cwd", ""));
    }
    const struct witnessed w = {.job = v->b->job,
                                .command = {(const char *const *)argv[0], (const char *const *)argv[1]},
                                .cwd = cwd[1],
                                .cwd_of = {cwd[0], cwd[1]},
                                .stdin_path = input,
                                .reach = reach,
                                .scratch = sides->scratch};
    const struct counted c = {.b = v->b, .w = &w};
    if (r == 0)
        r = counted_compare(&c, ret, err);
    for (int side = 0; side < 2; side++) {
        str_list_free(argv[side]);
        mem_free(cwd[side]);
    }
    mem_free((void *)(uintptr_t)reach);
    return r;
}

static int compare_subjects(struct revisions *v, struct err *err)
{
    struct bench *b = v->b;
    AUTO_FREE char *scratch = path_join(b->spool, "scratch");
    const struct compare_sides sides = {.job = b->job,
                                        .root = v->root,
                                        .roots = {v->tree[0], v->tree[1], v->tree[2]},
                                        .subjects = b->subjects,
                                        .a = v->programs[0],
                                        .b = v->programs[1],
                                        .copy = v->copy,
                                        .scratch = scratch,
                                        .wall_ns = b->wall_ns,
                                        .label = "bench",
                                        .theta = b->theta,
                                        .metric = b->metric,
                                        .ask_always = b->ask_always};
    size_t i;
    json_t *subject;
    int r = file_make_dirs(scratch, err);
    json_array_foreach (b->subjects, i, subject) {
        struct ab_result *ab = NULL;
        json_t *witness = NULL;
        AUTO_FREE char *what = what_new(subject);
        if (r == 0 && b->metric == AB_RSS && !str_eq(json_str(subject, "kind", ""), "command"))
            r = err_set(err, ERR_INVALID,
                        "peak memory is compared of whole commands, not of '%s', a bench of a harness",
                        json_str(subject, "name", "?"));
        if (r == 0)
            r = b->metric <= AB_RSS ? compare_subject(&sides, subject, &ab, &witness, err)
                                    : count_subject(&sides, v, subject, &ab, err);
        if (r == 0)
            bench_add_row(b, json_str(subject, "name", "?"), what, ab, witness);
    }
    return r;
}

static int measure_revisions(struct revisions *v, char **ret_why, struct err *err)
{
    int r = prepare(v, ret_why, err);
    if (r < 0 || *ret_why)
        return r;
    if (v->hash[0][0] && str_eq(v->hash[0], v->hash[1]))
        json_add_str(v->b->limits, "both revisions build the same programs, byte for byte");
    if (v->b->metric == AB_SIZE)
        return compare_sizes(v, err);
    return v->b->metric == AB_BUILD || v->b->metric == AB_REBUILD ? compare_build_times(v, err)
                                                                  : compare_subjects(v, err);
}

static char *side_name(const char *revision, const char *profile)
{
    return profile ? str_printf("%s (%s)", profile, revision) : str_dup(revision);
}

int bench_revisions(struct bench *b, const json_t *revisions, const char *bench, char **ret_why, struct err *err)
{
    struct revisions v = {.b = b, .bench = bench, .project = job_project_in(b->job, "work")};
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        const char *name = json_string_value(json_array_get(revisions, i));
        if (!name || !*name)
            r = err_set(err, ERR_INVALID, "a revision is the name of a commit");
        b->name[i] = name ? side_name(name, b->profile[i]) : NULL;
        if (r == 0)
            r = branch_resolve(job_exec(b->job), b->work, name, &b->commit[i], err);
    }
    if (r == 0)
        r = files_open(job_exec(b->job), b->work, &v.files, err);
    if (r == 0)
        r = measure_revisions(&v, ret_why, err);
    files_free(v.files);
    cargo_metadata_free(&v.metadata);
    for (int i = 0; i < 3; i++)
        mem_free(v.tree[i]);
    json_decref(v.programs[0]);
    json_decref(v.programs[1]);
    json_decref(v.copy);
    mem_free(v.project);
    mem_free(v.root);
    return r;
}

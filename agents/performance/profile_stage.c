// Rules that the code does not show:
// - What cannot be done (no perf, nothing to run, a subject that fails) is a sentence in output.limits, not a failed stage:
//   the chain goes on with what there is.
// - Findings of the reviewer come back ranked by the share of samples charged to the function they lie in (a caller of the
//   hot function is not hot itself); without samples none is hot.
#include "performance/stages.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "buildinfo/timings.h"
#include "buildinfo/toolchain.h"
#include "measure/host.h"
#include "performance/baseline.h"
#include "performance/builder.h"
#include "performance/candidates.h"
#include "performance/compare.h"
#include "performance/harness.h"
#include "performance/profiler.h"
#include "performance/subject.h"

#include <stdlib.h>
#include <string.h>

#define HOT_ROWS_MAX   30
#define UNOWNED_MOST_PCT 99.0 // above it no code of the project runs
#define METADATA_BYTES ((size_t)64 << 20)

struct stage {
    struct job *job;
    struct files *files;         // the checkout, held
    const char *checkout, *cache, *spool;
    char *project;               // in the checkout
    struct cargo_metadata metadata;
    json_t *subjects, *limits, *build, *findings, *programs;
    struct profile *profile;
    const char **crates;
    bool runtime, build_speed;
};

// --- facts ---

static int read_metadata(struct stage *s, struct err *err)
{
    struct cargo_metadata_options options = {0};
    const char **argv = cargo_metadata_argv(&options);
    struct exec_result result = {0};
    job_progress(s->job, 0.02, "reading the project");
    int r = exec_check(job_exec(s->job), &(struct exec_call){.argv = argv, .cwd = s->project, .output_max = METADATA_BYTES},
                       &result, err);
    if (r == 0)
        r = cargo_metadata_parse(buf_str(&result.out), result.out.len, &s->metadata, err);
    exec_result_free(&result);
    mem_free(argv);
    return r;
}

// Names of the project's crates as they stand in paths: "word-mill" is word_mill there.
static const char **crate_names(const struct cargo_metadata *m)
{
    VEC(const char *) names = {0};
    for (size_t i = 0; i < m->package_count; i++) {
        for (size_t t = 0; m->packages[i].is_member && t < m->packages[i].target_count; t++) {
            char *name = str_dup(m->packages[i].targets[t].name);
            for (char *c = name; *c; c++)
                if (*c == '-')
                    *c = '_';
            vec_push(&names, name);
        }
    }
    vec_push(&names, NULL);
    return names.items;
}

static json_t *mains_new(const struct stage *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->metadata.package_count; i++) {
        const struct cargo_package *p = &s->metadata.packages[i];
        for (size_t t = 0; p->is_member && t < p->target_count; t++) {
            const char *below = path_below(p->targets[t].src_path, s->checkout);
            if (below && str_eq(p->targets[t].kind, "bin"))
                json_add_str(list, below);
        }
    }
    return list;
}

// --- building and running ---

static int build_with_symbols(struct stage *s, const json_t *names, struct err *err)
{
    AUTO_FREE char *target = path_join(s->cache, "target-symbols");
    AUTO_FREE char *features = subject_features(s->subjects);
    struct builder builder = {.job = s->job,
                              .root = s->metadata.workspace_root,
                              .target_dir = target,
                              .features = features,
                              .symbols = true,
                              .timings = true};
    struct built built;
    job_progress(s->job, 0.05, "building with symbols");
    int r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return r;
    s->programs = json_incref(built.programs);
    json_put_num(s->build, "symbols_build_s", (double)built.wall_ns / 1e9);
    char *html = NULL;
    size_t len = 0;
    json_t *timings = NULL;
    if (built.timing_html && file_read(built.timing_html, TIMINGS_HTML_MAX, &html, &len, NULL) == 0 &&
        timings_parse(html, len, &timings, NULL) == 0)
        json_put(s->build, "timings", timings);
    mem_free(html);
    built_free(&built);
    return 0;
}

static void note(struct stage *s, const char *what, const struct err *err)
{
    AUTO_FREE char *text = str_printf("%s: %s", what, err->text);
    json_add_str(s->limits, text);
}

static int record(struct stage *s, struct err *err)
{
    AUTO_FREE char *target = path_join(s->cache, "target-symbols");
    struct recording recording = {.job = s->job,
                                  .checkout = s->checkout,
                                  .root = s->metadata.workspace_root,
                                  .spool = s->spool,
                                  .target_dir = target,
                                  .crates = s->crates};
    struct err why;
    const struct profiler *profiler = profiler_choose(&why);
    int r = profiler ? profiler->record(&recording, s->subjects, s->programs, &s->profile, &why) : -ERR_NOT_FOUND;
    if (r == -ERR_CANCELLED)
        return err_set(err, why.code, "%s", why.text);
    if (r < 0)
        note(s, "no profile was taken, so no place counts as hot", &why);
    return 0;
}

static int take_baseline(struct stage *s, json_t *output, struct err *err)
{
    AUTO_FREE char *target = path_join(s->cache, "target");
    AUTO_FREE char *scratch = path_join(s->spool, "scratch");
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    AUTO_FREE char *features = subject_features(s->subjects);
    struct builder builder = {
        .job = s->job, .root = s->metadata.workspace_root, .target_dir = target, .features = features};
    struct built built;
    json_t *rows = NULL;
    job_progress(s->job, 0.7, "building as the project builds");
    int r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return r;
    r = baseline_take(s->job, s->metadata.workspace_root, scratch, s->subjects, built.programs, &rows, err);
    built_free(&built);
    if (r == 0)
        json_put(output, "baseline", rows);
    return r;
}

static int run_subjects(struct stage *s, json_t *output, struct err *err)
{
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    int r = build_with_symbols(s, names, err);
    if (r == 0)
        r = harness_expand(s->job, s->metadata.workspace_root, &s->metadata, s->subjects, s->programs, s->limits, err);
    if (r == 0)
        r = compare_try_subjects(s->job, s->metadata.workspace_root, s->subjects, s->programs, s->limits, err);
    if (r == 0 && json_array_size(s->subjects) > 0)
        r = record(s, err);
    if (r == 0 && json_array_size(s->subjects) > 0)
        r = take_baseline(s, output, err);
    return r;
}

// --- ranking ---

static double share_of(const json_t *finding)
{
    return json_num(finding, "share_pct", 0);
}

static int by_share(const void *a, const void *b)
{
    double x = share_of(*(json_t *const *)a), y = share_of(*(json_t *const *)b);
    return x < y ? 1 : x > y ? -1 : 0;
}

static void rank_findings(struct stage *s)
{
    json_t *found = job_context_new(s->job, "findings", NULL);
    s->findings = json_array();
    size_t i, n = json_array_size(found);
    json_t *finding, **order = mem_array(n, sizeof(json_t *));
    json_array_foreach (found, i, finding) {
        order[i] = json_deep_copy(finding);
        const char *file = json_str(finding, "file", NULL);
        double share = s->profile && file ? hot_owned_of_function(s->profile->hot, file, (int)json_int(finding, "line", 0), NULL) : 0;
        json_put_num(order[i], "share_pct", share);
    }
    if (n)
        qsort(order, n, sizeof(json_t *), by_share);
    for (i = 0; i < n; i++)
        json_array_append_new(s->findings, order[i]);
    mem_free(order);
    json_decref(found);
}

// --- build analysis ---

static void analyse_build(struct stage *s)
{
    job_progress(s->job, 0.85, "looking at the build");
    json_t *toolchain = toolchain_new(job_exec(s->job), s->metadata.workspace_root);
    json_t *tools = build_tools_new(s->metadata.workspace_root, toolchain);
    json_object_update(s->build, tools);
    json_decref(tools);
    json_put(s->build, "toolchain", toolchain);
    json_put(s->build, "duplicates", duplicates_new(&s->metadata));
    json_put(s->build, "features", features_new(&s->metadata));
    json_put(s->build, "release_profile", release_profile_new(s->files, s->metadata.workspace_root));
}

// --- handing over ---

static int add_pictures(struct stage *s, json_t *draft, struct err *err)
{
    if (!s->profile)
        return 0;
    struct buf svg = BUF_INIT, folded = BUF_INIT;
    AUTO_FREE char *subtitle = str_printf("%zu subject%s, symbols build, %s", json_array_size(s->subjects),
                                          json_array_size(s->subjects) == 1 ? "" : "s", s->profile->unit);
    struct flamegraph_options options = {.title = "Where the time goes", .subtitle = subtitle};
    int r = profile_flamegraph(s->profile, &options, &svg, err);
    if (r == 0)
        r = draft_artifact_bytes(s->job, draft, "flamegraph.svg", svg.data, svg.len, "image/svg+xml", err);
    folded_write(s->profile->folded, &folded);
    if (r == 0)
        r = draft_artifact_bytes(s->job, draft, "stacks.folded", buf_str(&folded), folded.len, "text/plain", err);
    buf_free(&svg);
    buf_free(&folded);
    return r;
}

static void describe_paths(const json_t *paths, json_t *draft)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *row;
    json_array_foreach (paths, i, row)
        if (i < 8)
            buf_printf(&b, "- %s: self %.1f %%, total %.1f %%, owned %.1f %% (%s:%d)\n",
                       json_str(row, "short", json_str(row, "function", "?")), json_num(row, "self_pct", 0),
                       json_num(row, "total_pct", 0), json_num(row, "owned_pct", 0), json_str(row, "file", "?"),
                       (int)json_int(row, "hot_line", json_int(row, "line", 0)));
    if (b.len)
        draft_section(draft, "Findings", buf_str(&b));
    buf_free(&b);
}

static void describe(struct stage *s, json_t *output, json_t *draft, const char *why_not)
{
    const json_t *paths = json_list(output, "hot_paths"), *first = json_array_get(paths, 0);
    size_t candidates = json_array_size(json_list(output, "candidates"));
    if (why_not)
        draft_summary(draft, "nothing measurable: %s", why_not);
    else if (first)
        draft_summary(draft, "%zu candidates; hottest path of the project: %s, %.0f %% of the samples", candidates,
                      json_str(first, "short", json_str(first, "function", "?")), json_num(first, "owned_pct", 0));
    else
        draft_summary(draft, "%zu candidates; no profile could be taken", candidates);
    AUTO_FREE char *text = str_printf("%zu subjects, %zu findings ranked by samples, %zu candidates.",
                                      json_array_size(s->subjects), json_array_size(s->findings), candidates);
    draft_section(draft, "Performance Summary", text);
    describe_paths(paths, draft);
    draft_next(draft, candidates ? "rust-developer" : NULL, candidates ? "Apply the candidates one by one" : NULL);
}

// What the caller or baton.toml names is meant to be fast as it is built here; benches that were only found are no such word.
static bool is_library_only(const struct stage *s)
{
    size_t i;
    json_t *subject;
    json_array_foreach (s->subjects, i, subject)
        if (!str_eq(json_str(subject, "source", ""), "cargo bench"))
            return false;
    return candidates_library_only(&s->metadata);
}

static int hand_over(struct stage *s, json_t *output, json_t *draft, const char *why_not, struct err *err)
{
    struct candidate_facts facts = {.files = s->files,
                                    .checkout = s->checkout,
                                    .metadata = &s->metadata,
                                    .findings = s->findings,
                                    .build = s->build,
                                    .runtime = s->runtime && json_array_size(s->subjects) > 0,
                                    .build_speed = s->build_speed,
                                    .is_library = is_library_only(s)};
    const char *below = path_below(s->metadata.workspace_root, s->checkout);
    if (facts.is_library && facts.runtime)
        json_add_str(s->limits, "settings of the release profile were not tried: this project is a library, and whoever uses it "
                                "builds it with a profile of their own");
    json_put_str(output, "workspace", below ? below : "");
    json_put_flag(output, "measurable", why_not == NULL);
    json_put_str(output, "why_not", why_not);
    json_put(output, "subjects", json_incref(s->subjects));
    json_put(output, "limits", json_incref(s->limits));
    json_put(output, "build", json_incref(s->build));
    json_put(output, "findings", json_incref(s->findings));
    json_put(output, "mains", mains_new(s));
    json_put(output, "host", host_check_new(""));
    json_put(output, "profilers", profilers_json_new());
    json_put(output, "advice", platform_advice_new());
    json_put(output, "candidates", candidates_new(&facts));
    json_put(output, "hot_paths", s->profile ? hot_json_new(s->profile->hot, HOT_ROWS_MAX) : json_array());
    if (s->profile)
        json_put(output, "profile", profile_summary_new(s->profile));
    describe(s, output, draft, why_not);
    return add_pictures(s, draft, err);
}

static int profile_all(struct stage *s, json_t *draft, struct err *err)
{
    const json_t *bench = job_input(s->job, "bench");
    json_t *output = json_obj(draft, "output");
    AUTO_FREE char *why_not = NULL;
    struct subject_places places = {.files = s->files, .project = s->project, .user = job_dir(s->job, "project")};
    int r = subject_find(&places, &s->metadata, json_string_value(bench), &s->subjects, &why_not, err);
    if (r == 0 && json_array_size(s->subjects) > 0)
        r = run_subjects(s, output, err);
    if (r < 0)
        return r;
    if (json_array_size(s->subjects) == 0 && !why_not)
        why_not = str_printf("no subject could be run: %s", json_array_size(s->limits)
                                                                ? json_string_value(json_array_get(s->limits, 0))
                                                                : "no bench has a name like the one that was asked for");
    AUTO_JSON json_t *programs = subject_programs(s->subjects);
    if (!why_not && json_array_size(programs) == 0 && s->profile && hot_unowned_pct(s->profile->hot) > UNOWNED_MOST_PCT)
        why_not = str_dup("what was run is no program of the project and no code of the project was seen in its profile");
    if (s->build_speed && !s->runtime && why_not) { // a build can always be timed
        mem_free(why_not);
        why_not = NULL;
    }
    rank_findings(s);
    analyse_build(s);
    return hand_over(s, output, draft, why_not, err);
}

int stage_profile(struct job *job, json_t *draft, struct err *err)
{
    const json_t *wanted = job_input(job, "focus");
    const char *focus = json_is_string(wanted) ? json_string_value(wanted) : "all";
    struct stage s = {.job = job,
                      .checkout = job_dir(job, "base"),
                      .cache = job_dir(job, "cache"),
                      .spool = job_dir(job, "spool"),
                      .runtime = !str_eq(focus, "build"),
                      .build_speed = !str_eq(focus, "runtime")};
    if (!s.checkout || !s.cache || !s.spool)
        return err_set(err, ERR_INVALID, "the assignment lacks 'dirs.base', 'dirs.cache' or 'dirs.spool'");
    s.project = job_project_in(job, "base");
    s.limits = json_array();
    s.build = json_object();
    int r = files_open(job_exec(job), s.checkout, &s.files, err);
    if (r == 0)
        r = read_metadata(&s, err);
    if (r == 0) {
        s.crates = crate_names(&s.metadata);
        r = profile_all(&s, draft, err);
        for (const char **c = s.crates; *c; c++)
            mem_free((void *)(uintptr_t)*c);
        mem_free(s.crates);
        cargo_metadata_free(&s.metadata);
    }
    json_t *const values[] = {s.subjects, s.limits, s.build, s.findings, s.programs};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    files_free(s.files);
    profile_free(s.profile);
    mem_free(s.project);
    return r;
}

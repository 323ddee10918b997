// Rules that the code does not show:
// - What is reported is seen; what is proposed is proven: every removal builds all targets and passes the tests that
// passed before.
// - All proposals are tried together first, since most of them are right; only when that fails, each by itself.
// - A smaller set of features counts only when less is compiled for it: where somebody else asks for the same features,
// nothing is won.
#include "performance/stages.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "change/change.h"
#include "performance/explain.h"
#include "performance/project.h"

#include <stdio.h>
#include <string.h>

#define BUDGET_DEFAULT_MIN 10
#define MESSAGES_BYTES     ((size_t)256 << 20)
#define BUILD_WALL_NS      (30 * 60 * NS_PER_SEC)

void explain_note(struct explain *x, const char *what, const char *why)
{
    AUTO_FREE char *text = str_printf("%s: %s", what, why);
    json_add_str(x->limits, text);
}

static void on_line(void *user, const char *line)
{
    struct explain *x = user;
    while (*line == ' ')
        line++;
    if (str_starts(line, "Compiling ") || str_starts(line, "Checking "))
        job_progress(x->job, -1, "%s", line);
}

int explain_cargo(struct explain *x, const char *root, const char *target, const char *const *words,
                  const char *extra_env, struct exec_result *result, struct err *err)
{
    AUTO_FREE char *folder = path_join(x->cache, target);
    AUTO_FREE char *place = str_printf("CARGO_TARGET_DIR=%s", folder);
    const char *const env[] = {place, extra_env, NULL};
    return exec_run(job_exec(x->job),
                    &(struct exec_call){.argv = words,
                                        .cwd = root,
                                        .env = env,
                                        .output_max = MESSAGES_BYTES,
                                        .wall_ns = BUILD_WALL_NS,
                                        .on_line = on_line,
                                        .user = x},
                    result, err);
}

// --- the critical path ---

static void read_timings(struct explain *x, const char *target)
{
    AUTO_FREE char *path = path_join(target, "cargo-timings/cargo-timing.html");
    AUTO_JSON json_t *macros = proc_macros_new(&x->metadata);
    struct err why;
    char *html = NULL;
    size_t len = 0;
    json_t *timings = NULL, *packages = NULL;
    int r = file_read(path, TIMINGS_HTML_MAX, &html, &len, &why);
    if (r == 0)
        r = timings_parse_packages(html, len, macros, &timings, &packages, &why);
    mem_free(html);
    if (r < 0) {
        explain_note(x, "the timing report was not read", why.text);
        return;
    }
    json_put(x->report, "timings", timings);
    json_decref(x->packages);
    x->packages = packages;
}

static int build_clean(struct explain *x, struct err *err)
{
    const char *release = str_eq(x->profile, "release") ? "--release" : NULL;
    const char *const words[] = {"cargo", "build", "--workspace", "--timings", release, NULL};
    AUTO_FREE char *target = path_join(x->cache, "target-explain");
    struct exec_result result = {0};
    job_progress(x->job, 0.05, "building from nothing, with cargo's timing report");
    int r = file_remove_tree(target, err);
    if (r == 0)
        r = explain_cargo(x, x->metadata.workspace_root, "target-explain", words, NULL, &result, err);
    if (r == 0 && result.exit_code != 0) {
        const char *text = buf_str(&result.err);
        size_t len = strlen(text);
        r = err_set(err, ERR_TOOL, "the project does not build: %s", text + (len > 700 ? len - 700 : 0));
    }
    if (r == 0) {
        json_put_num(x->report, "clean_s", (double)result.wall_ns / 1e9);
        json_put_num(x->report, "cpu_s", (double)(result.user_ns + result.sys_ns) / 1e9);
        json_put_str(x->report, "profile", x->profile);
        read_timings(x, target);
    }
    exec_result_free(&result);
    return r;
}

// --- dependencies that nothing uses ---

// How often the sources of a package name the crate, comments and examples in them included: what the compiler does not
// see, such as doc tests, still shows.
static int64_t mentions(struct explain *x, const json_t *row)
{
    AUTO_FREE char *folder = path_dir(json_str(row, "manifest", ""));
    const char *below = path_below(folder, x->checkout);
    AUTO_FREE char *pattern = str_printf("%s%s**/*.rs", below ? below : "", below && *below ? "/" : "");
    AUTO_FREE char *path = str_printf("%s::", json_str(row, "crate", "?"));
    AUTO_JSON json_t *found = NULL;
    if (files_grep(x->files, path, pattern, &found, NULL) < 0)
        return -1;
    return (int64_t)json_array_size(json_list(found, "matches"));
}

static void propose(struct explain *x, json_t *candidate, json_t *row)
{
    char id[16];
    snprintf(id, sizeof(id), "B%zu", json_array_size(x->candidates) + 1);
    json_put_str(candidate, "id", id);
    json_put_str(row, "candidate", id);
    json_array_append_new(x->candidates, candidate);
}

static void propose_removals(struct explain *x, json_t *unused)
{
    size_t i;
    json_t *row;
    json_array_foreach (unused, i, row) {
        AUTO_FREE char *why = NULL;
        json_put_int(row, "mentions", mentions(x, row));
        json_put_flag(row, "proven", false);
        json_t *candidate = trim_removal_new(&x->trim, row, &why);
        json_put_str(row, "note", why);
        if (candidate)
            propose(x, candidate, row);
    }
}

static int find_unused(struct explain *x, struct err *err)
{
    static const char *const WORDS[] = {"cargo", "check", "--workspace", "--all-targets", "--message-format=json",
                                        NULL};
    struct exec_result result = {0};
    struct cargo_messages messages;
    json_put(x->report, "unused", json_array());
    job_progress(x->job, 0.3, "asking the compiler which dependencies are used");
    int r = explain_cargo(x, x->metadata.workspace_root, "target-unused", WORDS, "CARGO_BUILD_RUSTFLAGS=-W" UNUSED_LINT,
                          &result, err);
    if (r == 0 && result.exit_code != 0) {
        explain_note(x, "unused dependencies were not looked for",
                     "'cargo check --all-targets' fails on the project as it is");
    } else if (r == 0) {
        cargo_messages_parse(buf_str(&result.out), result.out.len, &messages);
        json_t *unused = unused_new(&x->metadata, &messages);
        cargo_messages_free(&messages);
        propose_removals(x, unused);
        json_put(x->report, "unused", unused);
    }
    exec_result_free(&result);
    return r;
}

// --- the whole ---

static json_t *findings_new(const struct explain *x)
{
    json_t *list = json_array(), *row;
    size_t i;
    json_array_foreach (json_list(x->report, "unused"), i, row) {
        json_t *finding = json_object();
        AUTO_FREE char *message =
            str_printf("the dependency '%s' is %s", json_str(row, "dependency", "?"),
                       str_eq(json_str(row, "verdict", ""), "unused") ? "used by nothing" : "used by tests alone");
        const char *file = path_below(json_str(row, "manifest", ""), x->checkout);
        json_put_str(finding, "id", json_str(row, "candidate", NULL));
        json_put_str(finding, "kind", "build");
        json_put_str(finding, "lint", UNUSED_LINT);
        json_put_str(finding, "file", file);
        json_put_str(finding, "message", message);
        json_put_str(finding, "scope", "build");
        json_put_num(finding, "share_pct", 0);
        json_array_append_new(list, finding);
    }
    return list;
}

static json_t *proven_new(const struct explain *x)
{
    json_t *list = json_array(), *c;
    size_t i;
    json_array_foreach (x->candidates, i, c)
        if (json_flag(json_obj(c, "evidence"), "proven", false))
            json_array_append(list, c);
    return list;
}

static void hand_over(struct explain *x, json_t *draft)
{
    json_t *output = json_obj(draft, "output"), *proven = proven_new(x);
    const json_t *timings = json_obj(x->report, "timings"), *way = json_list(timings, "critical_path");
    const char *below = path_below(x->metadata.workspace_root, x->checkout);
    size_t n = json_array_size(proven);
    json_t *longest = NULL, *row;
    size_t i;
    json_array_foreach (way, i, row)
        if (!longest || json_num(row, "duration_s", 0) > json_num(longest, "duration_s", 0))
            longest = row;
    draft_summary(
        draft,
        "a clean %s build takes %.1f s; the longest step of its critical path is %s, %.1f s; %zu removal%s proven",
        x->profile, json_num(x->report, "clean_s", 0), json_str(longest, "unit", "unknown"),
        json_num(longest, "duration_s", 0), n, n == 1 ? "" : "s");
    json_put_flag(output, "measurable", true);
    json_put_str(output, "workspace", below ? below : "");
    json_put(output, "build_report", json_incref(x->report));
    json_put(output, "candidates", proven);
    json_put(output, "findings", findings_new(x));
    json_put(output, "subjects", json_array());
    json_put(output, "limits", json_incref(x->limits));
    draft_section(draft, "Performance Summary",
                  n ? "Each proposal was proven by a build of all targets and the tests."
                    : "Nothing was proven to be superfluous.");
    draft_next(draft, n ? "rust-developer" : NULL, n ? "Apply the proven removals one by one" : NULL);
}

static int explain_all(struct explain *x, struct err *err)
{
    AUTO_FREE char *project = job_project_in(x->job, "base");
    int r = project_metadata(x->job, project, &x->metadata, err);
    if (r < 0)
        return r;
    x->trim = (struct trim){.files = x->files, .checkout = x->checkout, .metadata = &x->metadata};
    json_put(x->report, "duplicates", pulled_in_new(&x->metadata));
    r = build_clean(x, err);
    if (r == 0)
        r = find_unused(x, err);
    if (r == 0)
        r = explain_features(x, err);
    if (r == 0)
        r = explain_prove(x, err);
    if (r == 0)
        r = explain_bloat(x, err);
    return r;
}

int stage_explain(struct job *job, json_t *draft, struct err *err)
{
    const json_t *profile = job_input(job, "profile"), *prove = job_input(job, "prove");
    struct explain x = {.job = job,
                        .checkout = job_dir(job, "base"),
                        .work = job_dir(job, "work"),
                        .cache = job_dir(job, "cache"),
                        .commit = json_str(json_obj(job_assignment(job), "git"), "base", NULL),
                        .profile = str_eq(json_string_value(profile), "release") ? "release" : "dev",
                        .prove = !json_is_false(prove)};
    if (!x.checkout || !x.work || !x.cache || !x.commit)
        return err_set(err, ERR_INVALID, "the assignment lacks one of dirs.base, work, cache or git.base");
    x.report = json_object();
    x.limits = json_array();
    x.candidates = json_array();
    x.packages = json_object();
    x.deadline_ns = clock_mono_ns() + stage_budget_ns(job, BUDGET_DEFAULT_MIN);
    int r = files_open(job_exec(job), x.checkout, &x.files, err);
    if (r == 0)
        r = files_open(job_exec(job), x.work, &x.work_files, err);
    if (r == 0)
        r = explain_all(&x, err);
    if (r == 0)
        hand_over(&x, draft);
    cargo_metadata_free(&x.metadata);
    files_free(x.files);
    files_free(x.work_files);
    json_t *const values[] = {x.report, x.limits, x.candidates, x.packages};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    return r;
}

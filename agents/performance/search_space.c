// The first step: what can be run, which settings there are on this machine, and the first points.
#include "performance/search.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/toolchain.h"
#include "measure/host.h"
#include "performance/builder.h"
#include "performance/compare.h"
#include "performance/harness.h"
#include "performance/project.h"
#include "performance/subject.h"

#include <dirent.h>

// --- what is there ---

static char *nightly_text(struct search *s, const char *const *argv)
{
    static const char *const ENV[] = {"RUSTUP_TOOLCHAIN=nightly", NULL};
    struct exec_result result = {0};
    char *text = NULL;
    if (exec_check(job_exec(s->job), &(struct exec_call){.argv = argv, .cwd = s->root, .env = ENV}, &result, NULL) == 0)
        text = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return text;
}

static bool has_cranelift(const char *sysroot, const char *target)
{
    AUTO_FREE char *dir = str_printf("%s/lib/rustlib/%s/codegen-backends", sysroot, target);
    DIR *d = opendir(dir);
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;)
        found = str_has_nocase(e->d_name, "cranelift");
    if (d)
        closedir(d);
    return found;
}

static json_t *facts_new(struct search *s)
{
    AUTO_JSON json_t *toolchain = toolchain_new(job_exec(s->job), s->root);
    AUTO_JSON json_t *tools = build_tools_new(s->root, toolchain);
    const json_t *cache = json_obj(tools, "sccache"), *linker = json_obj(tools, "linker");
    const char *target = json_str(toolchain, "target", "");
    bool free_linker = !json_flag(linker, "configured", false);
    AUTO_FREE char *version = nightly_text(s, (const char *const[]){"rustc", "--version", NULL});
    AUTO_FREE char *sysroot =
        version ? nightly_text(s, (const char *const[]){"rustc", "--print", "sysroot", NULL}) : NULL;
    bool nightly = version && str_has_nocase(version, "nightly");
    json_t *facts = json_object();
    json_put_flag(facts, "mold", free_linker && json_str(linker, "mold", NULL));
    // Where the compiler links with the lld it brings, there is nothing to try.
    json_put_flag(facts, "lld",
                  free_linker && json_str(linker, "lld", NULL) && !str_eq(json_str(linker, "default", ""), "rust-lld"));
    json_put_flag(facts, "sccache", json_flag(cache, "available", false) && !json_flag(cache, "configured", false));
    json_put_flag(facts, "nightly", nightly);
    json_put_flag(facts, "cranelift", nightly && sysroot && has_cranelift(str_trim(sysroot), target));
    json_put_str(facts, "target", target);
    json_put(facts, "toolchain", json_incref(toolchain));
    return facts;
}

struct space_facts search_facts(const json_t *facts)
{
    return (struct space_facts){.mold = json_flag(facts, "mold", false),
                                .lld = json_flag(facts, "lld", false),
                                .sccache = json_flag(facts, "sccache", false),
                                .nightly = json_flag(facts, "nightly", false),
                                .cranelift = json_flag(facts, "cranelift", false),
                                .target = json_str(facts, "target", "")};
}

// --- what is run ---

static int find_subjects(struct search *s, const struct cargo_metadata *m, char **ret_why, struct err *err)
{
    struct subject_places places = {.files = s->files, .project = s->project, .user = job_dir(s->job, "project")};
    int r = subject_find(&places, m, json_string_value(job_input(s->job, "bench")), &s->subjects, ret_why, err);
    if (r < 0 || json_array_size(s->subjects) == 0)
        return r;
    AUTO_JSON json_t *names = subject_programs(s->subjects);
    AUTO_FREE char *target = path_join(s->cache, "target"), *features = subject_features(s->subjects);
    const struct builder builder = {.job = s->job, .root = s->root, .target_dir = target, .features = features};
    struct built built;
    job_progress(s->job, 0.1, "building as the project builds");
    r = builder_build(&builder, names, &built, err);
    if (r < 0)
        return r;
    r = harness_expand(s->job, s->root, m, s->subjects, built.programs, s->limits, err);
    if (r == 0)
        r = compare_try_subjects(s->job, s->root, s->subjects, built.programs, s->limits, err);
    built_free(&built);
    if (r == 0 && json_array_size(s->subjects) == 0)
        *ret_why = str_printf("no subject could be run: %s",
                              json_array_size(s->limits) ? json_string_value(json_array_get(s->limits, 0))
                                                         : "no bench has a name like the one that was asked for");
    return r;
}

int search_space(struct search *s, json_t *draft, struct err *err)
{
    struct cargo_metadata m;
    AUTO_FREE char *why_not = NULL;
    json_t *output = json_obj(draft, "output");
    int r = project_metadata(s->job, s->project, &m, err);
    if (r < 0)
        return r;
    s->root = str_dup(m.workspace_root);
    if (!str_eq(goal_name(s->goal), "build"))
        r = find_subjects(s, &m, &why_not, err);
    if (r == 0) {
        const char *below = path_below(s->root, s->base);
        json_t *facts = facts_new(s);
        struct space_facts known = search_facts(facts);
        json_put_str(output, "workspace", below ? below : "");
        json_put(output, "mains", project_mains_new(&m, s->base));
        json_put(output, "facts", facts);
        json_put(output, "points", space_first_new(s->goal, &known));
        json_put(output, "subjects", s->subjects ? json_incref(s->subjects) : json_array());
        json_put(output, "host", host_check_new(""));
        json_put(output, "limits", json_incref(s->limits));
        json_put_flag(output, "measurable", why_not == NULL);
        json_put_str(output, "why_not", why_not);
        if (why_not)
            draft_summary(draft, "nothing measurable: %s", why_not);
        else
            draft_summary(draft, "%zu points to measure for %s", json_array_size(json_list(output, "points")),
                          goal_name(s->goal));
    }
    cargo_metadata_free(&m);
    return r;
}

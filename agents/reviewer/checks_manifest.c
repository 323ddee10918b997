// Profiles. Precision: only what a manifest says is reported, read with cargo's own rules (defaults, inheritance,
// profiles only count in the workspace's root). A missing release profile is reported only where the project builds
// programs, because a library's profile has no effect on those who use it.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_project.h"

#include <string.h>

static bool builds_programs(const struct project *p)
{
    for (size_t i = 0; p->metadata && i < p->metadata->package_count; i++) {
        const struct cargo_package *package = &p->metadata->packages[i];
        if (package->is_member && cargo_package_has_target(package, "bin"))
            return true;
    }
    return false;
}

static struct place place_of(const struct project_manifest *m, int line)
{
    return (struct place){.file = m->file, .line = (uint32_t)(line > 0 ? line : 1), .column = 1};
}

static int opt_rank(const char *level)
{
    return str_eq(level, "0") ? 0 : str_eq(level, "1") ? 1 : str_eq(level, "3") ? 3 : 2; // s and z: about 2
}

static void check_release(const struct project *p, const struct project_manifest *m, struct findings *f)
{
    struct profile release;
    if (manifest_profile(&m->manifest, "release", &release, NULL) < 0)
        return;
    if (!release.exists) {
        struct place at = place_of(m, 1);
        if (builds_programs(p))
            finding_add(f, CHECK_PROFILE_MISSING, &at,
                        "measure `lto = \"thin\"`, `codegen-units = 1` and `panic = \"abort\"` one by one",
                        "there is no [profile.release]: cargo's defaults apply");
        return;
    }
    if (release.opt_level_set && !str_eq(release.opt_level, "3")) {
        bool size = str_eq(release.opt_level, "s") || str_eq(release.opt_level, "z");
        struct place at = place_of(m, manifest_line(&m->manifest, "profile.release.opt-level"));
        finding_add(f, CHECK_PROFILE_OPT, &at,
                    size ? "if speed matters more than size, use `opt-level = 3`" : "use `opt-level = 3`",
                    "opt-level = %s in the release profile%s", release.opt_level,
                    size ? " asks for small code, not for fast code" : "");
    }
    if (release.debug_assertions) {
        struct place at = place_of(m, manifest_line(&m->manifest, "profile.release.debug-assertions"));
        finding_add(f, CHECK_PROFILE_CHECKS, &at, "set it in a profile of its own that inherits from release",
                    "debug-assertions = true in the release profile");
    }
}

static void check_bench(const struct project_manifest *m, struct findings *f)
{
    struct profile release, bench;
    if (manifest_profile(&m->manifest, "release", &release, NULL) < 0 ||
        manifest_profile(&m->manifest, "bench", &bench, NULL) < 0)
        return;
    if (!bench.opt_level_set || opt_rank(bench.opt_level) >= opt_rank(release.opt_level))
        return;
    struct place at = place_of(m, manifest_line(&m->manifest, "profile.bench.opt-level"));
    finding_add(f, CHECK_BENCH_PROFILE, &at, "leave opt-level out of [profile.bench]: it inherits from release",
                "benchmarks are built with opt-level = %s, releases with %s", bench.opt_level, release.opt_level);
}

void check_profiles(const struct project *p, struct findings *f)
{
    for (size_t i = 0; i < p->manifests.len; i++) {
        const struct project_manifest *m = &p->manifests.items[i];
        if (m->is_root) {
            check_release(p, m, f);
            check_bench(m, f);
            continue;
        }
        if (json_object_size(json_obj(m->manifest.root, "profile")) == 0)
            continue;
        struct place at = place_of(m, manifest_line(&m->manifest, "profile"));
        const struct project_manifest *root = project_root_manifest(p);
        AUTO_FREE char *suggestion =
            str_printf("move the profile to the workspace's root manifest (%s)", root ? root->file : "Cargo.toml");
        finding_add(f, CHECK_PROFILE_IGNORED, &at, suggestion,
                    "this [profile] is ignored: the package is a member of a workspace");
    }
}

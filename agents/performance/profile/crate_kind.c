#include "profile/crate_kind.h"

#include "profile/demangle.h"

#include "base/file.h"
#include "base/str.h"

#include <string.h>

// Crates that std is made of; a name that starts with one of these is std when the source is not known.
static const char *const std_crates[] = {"core",           "alloc",   "std",    "hashbrown",    "compiler_builtins",
                                         "proc_macro",     "__rustc", "test",   "panic_unwind", "panic_abort",
                                         "std_detect",     "unwind",  "gimli",  "addr2line",    "miniz_oxide",
                                         "rustc_demangle", "object",  "memchr", "adler2"};
// The shared ones are std only below its own paths, they may as well be dependencies.
static const size_t std_crates_sure = 12;

const char *crate_kind_name(enum crate_kind kind)
{
    switch (kind) {
    case CRATE_PROJECT:
        return "project";
    case CRATE_DEPENDENCY:
        return "dependency";
    case CRATE_STD:
        return "std";
    case CRATE_SYSTEM:
        return "system";
    case CRATE_KERNEL:
        return "kernel";
    case CRATE_KINDS:
        break;
    }
    return "system";
}

static const char *below_root(const struct crate_roots *roots, const char *file)
{
    for (size_t i = 0; roots && roots->project && roots->project[i]; i++) {
        const char *rest = path_below(file, roots->project[i]);
        if (rest && rest[0])
            return rest;
    }
    return NULL;
}

// /rustc/<hash>/library/..., the same sources when installed, and crates vendored into std
static const char *below_std(const char *file)
{
    if (str_starts(file, "/rustc/")) {
        const char *slash = strchr(file + 7, '/');
        if (slash)
            return slash + 1;
    }
    if (str_starts(file, "/rust/deps/"))
        return file + 11;
    const char *at = strstr(file, "/lib/rustlib/src/rust/");
    return at ? at + 22 : NULL;
}

static const char *behind(const char *text, const char *mark)
{
    const char *at = strstr(text, mark);
    return at ? at + strlen(mark) : NULL;
}

// .../registry/src/<index>/serde-1.0/src/lib.rs -> serde-1.0/src/lib.rs
static const char *below_dependency(const char *file)
{
    const char *rest = behind(file, "/registry/src/");
    if (rest) {
        const char *slash = strchr(rest, '/');
        return slash ? slash + 1 : rest;
    }
    if ((rest = behind(file, "/git/checkouts/")) != NULL)
        return rest;
    return behind(file, "/cargo/registry/");
}

static bool is_vendored(const char *rest)
{
    return str_starts(rest, "vendor/") || str_starts(rest, ".cargo/") || strstr(rest, "/vendor/") != NULL;
}

// Code that build scripts write lies in the target directory, which may be anywhere.
static bool is_generated(const char *file)
{
    const char *build = strstr(file, "/build/");
    return build && strstr(build, "/out/") != NULL;
}

static bool in_list(const char *const *list, const char *name, size_t len)
{
    for (size_t i = 0; list && list[i]; i++)
        if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
            return true;
    return false;
}

static enum crate_kind kind_of_name(const struct crate_roots *roots, const char *function)
{
    size_t len = 0;
    const char *crate = function ? demangle_crate(function, &len) : NULL;
    if (!crate || len == 0)
        return CRATE_SYSTEM;
    if (roots && in_list(roots->crates, crate, len))
        return CRATE_PROJECT;
    for (size_t i = 0; i < ARRAY_LEN(std_crates); i++)
        if (strlen(std_crates[i]) == len && memcmp(std_crates[i], crate, len) == 0)
            return i < std_crates_sure ? CRATE_STD : CRATE_DEPENDENCY;
    return CRATE_DEPENDENCY;
}

enum crate_kind crate_kind_of(const struct crate_roots *roots, const char *file, const char *function)
{
    if (!file || file[0] != '/')
        return kind_of_name(roots, function);
    if (below_std(file))
        return CRATE_STD;
    const char *rest = below_root(roots, file);
    if (rest && is_generated(rest) && roots->crates)
        return kind_of_name(roots, function) == CRATE_PROJECT ? CRATE_PROJECT : CRATE_DEPENDENCY;
    if (rest)
        return below_dependency(rest) || is_vendored(rest) ? CRATE_DEPENDENCY : CRATE_PROJECT;
    if (below_dependency(file))
        return CRATE_DEPENDENCY;
    if (str_ends(file, ".rs"))
        return kind_of_name(roots, function) == CRATE_PROJECT ? CRATE_PROJECT : CRATE_DEPENDENCY;
    return CRATE_SYSTEM;
}

const char *crate_path_short(const struct crate_roots *roots, const char *file)
{
    const char *rest = below_root(roots, file);
    if (!rest)
        rest = below_std(file);
    if (!rest)
        rest = below_dependency(file);
    return rest ? rest : file;
}

bool crate_path_foreign(const char *file)
{
    return file[0] != '/' || below_std(file) || below_dependency(file) || is_vendored(file) || str_starts(file, "/usr/");
}

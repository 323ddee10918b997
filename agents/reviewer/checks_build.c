// How the project is built and measured:
// - NO_SCCACHE: no rustc-wrapper in any configuration file cargo would read, nor in the environment, and at least
//   CACHE_WORTH_CRATES crates from outside to compile. Below that a cache saves seconds.
// - BENCH_COMMAND: a line of a script, makefile or CI file that measures (hyperfine, time, perf, valgrind, samply,
// flamegraph) a debug
//   build: a path with target/debug/, or `cargo run` without --release. Other files (READMEs, sources) are not looked
//   at.
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_project.h"
#include "toml/toml.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_WORTH_CRATES 30
#define SCRIPT_MAX         ((size_t)256 * 1024)

// files: NULL for a folder of the user, who set this up for himself.
static bool config_has_wrapper(struct files *files, const char *dir)
{
    static const char *const NAMES[] = {"config.toml", "config"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        AUTO_FREE char *path = path_join(dir, NAMES[i]);
        AUTO_FREE char *text = NULL;
        size_t len = 0;
        int r = files ? files_read(files, path, TOML_TEXT_MAX, &text, &len, NULL)
                      : file_read(path, TOML_TEXT_MAX, &text, &len, NULL);
        if (r < 0)
            continue;
        AUTO_JSON json_t *v = toml_parse_new(text, len, path, NULL);
        const json_t *build = json_obj(v, "build"), *env = json_obj(v, "env");
        if (json_str(build, "rustc-wrapper", NULL) || json_str(build, "rustc-workspace-wrapper", NULL) ||
            json_object_get(env, "RUSTC_WRAPPER"))
            return true;
    }
    return false;
}

static bool has_compiler_cache(const struct project *p)
{
    static const char *const VARIABLES[] = {"RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"};
    for (size_t i = 0; i < ARRAY_LEN(VARIABLES); i++) {
        const char *v = getenv(VARIABLES[i]);
        if (v && *v)
            return true;
    }
    AUTO_FREE char *dir = str_dup(p->dir);
    for (bool more = true; more && path_below(dir, p->root); more = path_up(&dir)) { // cargo reads every folder upwards
        AUTO_FREE char *config = path_join(dir, ".cargo");
        if (config_has_wrapper(p->files, config))
            return true;
    }
    const char *home = getenv("CARGO_HOME"), *user = getenv("HOME");
    AUTO_FREE char *own = home && *home ? str_dup(home) : str_printf("%s/.cargo", user ? user : "");
    return config_has_wrapper(NULL, own);
}

static void check_cache(const struct project *p, struct findings *f)
{
    if (!p->metadata || !p->metadata->resolved || has_compiler_cache(p))
        return;
    bool *reached = cargo_reachable_new(p->metadata, CARGO_USE_NORMAL | CARGO_USE_BUILD);
    size_t outside = 0;
    for (size_t i = 0; i < p->metadata->package_count; i++)
        outside += reached[i] && !p->metadata->packages[i].is_local;
    mem_free(reached);
    if (outside < CACHE_WORTH_CRATES)
        return;
    AUTO_FREE char *sccache = path_find_program("sccache");
    const struct project_manifest *root = project_root_manifest(p);
    struct place at = {.file = root ? root->file : "Cargo.toml", .line = 1, .column = 1};
    finding_add(f, CHECK_NO_SCCACHE, &at,
                sccache
                    ? "sccache is installed: measure `rustc-wrapper = \"sccache\"` under [build] in .cargo/config.toml"
                    : "install sccache and measure `rustc-wrapper = \"sccache\"` under [build] in .cargo/config.toml",
                "%zu crates are compiled without a compiler cache", outside);
}

// --- scripts ---

static bool is_script(const char *path)
{
    const char *base = path_base(path);
    return str_ends(base, ".sh") || str_ends(base, ".bash") || str_ends(base, ".mk") || str_eq(base, "Makefile") ||
           str_eq(base, "makefile") || str_eq_nocase(base, "justfile") || str_ends(base, ".just") ||
           (str_starts(path, ".github/workflows/") && (str_ends(base, ".yml") || str_ends(base, ".yaml"))) ||
           str_eq(base, ".gitlab-ci.yml");
}

static bool has_word(char *const *words, const char *word)
{
    for (; *words; words++)
        if (str_eq(*words, word))
            return true;
    return false;
}

// Whether the words measure something: the measuring command stands first, behind `&&`, `;`, `run:` or as a make
// recipe.
static bool measures(char *const *words)
{
    static const char *const TOOLS[] = {"hyperfine", "time", "perf", "valgrind", "samply", "flamegraph", "poop"};
    for (size_t i = 0; words[i] && i < 8; i++) {
        const char *w = words[i];
        while (*w == '@' || *w == '-' || *w == '(')
            w++;
        for (size_t k = 0; k < ARRAY_LEN(TOOLS); k++)
            if (str_eq(w, TOOLS[k]) &&
                (i == 0 || str_eq(words[i - 1], "&&") || str_eq(words[i - 1], "run:") || str_eq(words[i - 1], "sudo") ||
                 strchr("=;|", words[i - 1][strlen(words[i - 1]) - 1]) || strchr(words[i - 1], '=')))
                return !str_eq(w, "perf") || has_word(words, "record") || has_word(words, "stat");
    }
    return false;
}

static bool runs_debug_build(const char *line, char *const *words)
{
    if (strstr(line, "target/debug/"))
        return true;
    const char *run = strstr(line, "cargo run");
    if (!run)
        return false;
    const char *end = strstr(run, " -- ");
    AUTO_FREE char *own = str_ndup(run, end ? (size_t)(end - run) : strlen(run));
    return !strstr(own, "--release") && !strstr(own, "--profile") && !strstr(own, " -r ") && !str_ends(own, " -r") &&
           words[0];
}

static void check_script(struct findings *f, const char *file, const char *text)
{
    uint32_t number = 0;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        AUTO_FREE char *copy = str_ndup(at, n);
        char *line = str_trim(copy);
        at += n + (at[n] == '\n' ? 1 : 0);
        number++;
        if (*line == '#' || !*line)
            continue;
        if (str_starts(line, "- run:"))
            line += 2;
        char **words = str_split(line, " \t\"'", true, NULL);
        if (words[0] && measures(words) && runs_debug_build(line, words)) {
            struct place place = {.file = file, .line = number, .column = 1};
            finding_add(f, CHECK_BENCH_COMMAND, &place,
                        "measure the release build: `cargo build --release` and target/release/…",
                        "`%.120s` measures a debug build", line);
        }
        str_list_free(words);
    }
}

struct scripts {
    const struct project *p;
    struct findings *f;
};

static void visit_path(void *user, const char *below)
{
    const struct scripts *s = user;
    if (!is_script(below))
        return;
    char *text = NULL;
    size_t len = 0;
    if (files_read(s->p->files, below, SCRIPT_MAX, &text, &len, NULL) == 0 && strlen(text) == len)
        check_script(s->f, below, text);
    mem_free(text);
}

void check_build_setup(const struct project *p, struct findings *f)
{
    check_cache(p, f);
    struct scripts s = {.p = p, .f = f};
    const char *below = path_below(p->dir, p->root);
    project_walk(p->root, below ? below : "", 4, visit_path, &s);
}

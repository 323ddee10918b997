#include "performance/builder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/files.h"
#include "base/vec.h"
#include "rust/cargo_messages.h"

#include <string.h>

// Programs of one cargo call: bins and examples are built by `cargo build`, benches by `cargo bench --no-run`.
static bool select_programs(const json_t *programs, bool benches, struct buf *flags)
{
    bool any = false;
    size_t i;
    json_t *item;
    json_array_foreach (programs, i, item) {
        const char *name = json_string_value(item);
        const char *colon = strchr(name, ':');
        if (!colon || str_starts(name, "bench:") != benches)
            continue;
        buf_printf(flags, "--%.*s\n%s\n", (int)(colon - name), name, colon + 1);
        any = true;
    }
    return any;
}

static void on_line(void *user, const char *line)
{
    const struct builder *b = user;
    while (*line == ' ')
        line++;
    if (str_starts(line, "Compiling ") || str_starts(line, "Downloading ") || str_starts(line, "Blocking "))
        job_progress(b->job, -1, "%s: %s", b->symbols ? "building with symbols" : "building", line);
}

static const char *first_error(const struct cargo_messages *m)
{
    for (size_t i = 0; i < m->diagnostic_count; i++)
        if (str_eq(m->diagnostics[i].level, "error"))
            return m->diagnostics[i].rendered ? m->diagnostics[i].rendered : m->diagnostics[i].message;
    return NULL;
}

static void take_programs(const struct cargo_messages *m, const json_t *wanted, json_t *programs)
{
    size_t i;
    json_t *item;
    json_array_foreach (wanted, i, item) {
        const char *name = json_string_value(item);
        const char *colon = strchr(name, ':');
        if (!colon)
            continue;
        AUTO_FREE char *kind = str_ndup(name, (size_t)(colon - name));
        const char *path = cargo_executable(m, colon + 1, kind);
        if (path)
            json_put_str(programs, name, path);
    }
}

static int run_cargo(const struct builder *b, const json_t *programs, bool benches, struct built *ret, struct err *err)
{
    struct buf flags = BUF_INIT;
    bool any = select_programs(programs, benches, &flags);
    char **words = str_split(buf_str(&flags), "\n", true, NULL);
    buf_free(&flags);
    if (!any) {
        str_list_free(words);
        return 0;
    }
    VEC(const char *) argv = {0};
    vec_push(&argv, "cargo");
    vec_push(&argv, benches ? "bench" : "build");
    if (benches)
        vec_push(&argv, "--no-run");
    if (b->profile) {
        vec_push(&argv, "--profile");
        vec_push(&argv, b->profile);
    } else if (!benches) {
        vec_push(&argv, "--release");
    }
    vec_push(&argv, "--workspace");
    vec_push(&argv, "--message-format=json");
    if (b->features) {
        vec_push(&argv, "--features");
        vec_push(&argv, b->features);
    }
    if (b->timings)
        vec_push(&argv, "--timings");
    for (char **w = words; *w; w++)
        vec_push(&argv, *w);
    vec_push(&argv, NULL);
    AUTO_FREE char *target = str_printf("CARGO_TARGET_DIR=%s", b->target_dir);
    VEC(const char *) plain = {0};
    vec_push(&plain, target);
    for (char *const *e = b->env; e && *e; e++)
        vec_push(&plain, *e);
    vec_push(&plain, NULL);
    // Of its own environment, not of the manifest: the project's profile stays what it is.
    const char *const symbols[] = {target, "CARGO_BUILD_RUSTFLAGS=-Cforce-frame-pointers=yes", "CARGO_PROFILE_RELEASE_DEBUG=1", "CARGO_PROFILE_RELEASE_STRIP=none",
                                   "CARGO_PROFILE_BENCH_DEBUG=1", "CARGO_PROFILE_BENCH_STRIP=none", NULL};
    struct exec_result result;
    struct exec_call call = {.argv = argv.items,
                             .cwd = b->root,
                             .env = b->symbols ? symbols : plain.items,
                             .output_max = (size_t)64 << 20,
                             .wall_ns = b->wall_ns,
                             .on_line = on_line,
                             .user = (void *)(uintptr_t)b};
    int r = exec_run(job_exec(b->job), &call, &result, err);
    if (r == 0) {
        struct cargo_messages messages;
        cargo_messages_parse(buf_str(&result.out), result.out.len, &messages);
        ret->wall_ns += result.wall_ns;
        ret->cpu_ns += result.user_ns + result.sys_ns;
        take_programs(&messages, programs, ret->programs);
        if (result.timed_out) {
            char took[CLOCK_TEXT_MAX];
            clock_human(result.wall_ns, took);
            r = err_set(err, ERR_TIMEOUT, "not measured: the build was ended after %s, which is all that was left of the budget", took);
        } else if (result.exit_code != 0) {
            const char *why = first_error(&messages);
            r = err_set(err, ERR_TOOL, "cargo %s failed: %.900s", benches ? "bench --no-run" : "build --release",
                        why ? why : buf_str(&result.err));
        }
        cargo_messages_free(&messages);
    }
    exec_result_free(&result);
    vec_free(&argv);
    vec_free(&plain);
    str_list_free(words);
    return r;
}

// The newest cargo-timing-<stamp>.html; cargo-timing.html is a copy of it.
static char *find_timings(const char *target_dir)
{
    AUTO_FREE char *dir = path_join(target_dir, "cargo-timings");
    AUTO_FREE char *path = path_join(dir, "cargo-timing.html");
    return file_exists(path) ? str_dup(path) : NULL;
}

int builder_build(const struct builder *b, const json_t *programs, struct built *ret, struct err *err)
{
    *ret = (struct built){.programs = json_object()};
    int r = run_cargo(b, programs, false, ret, err);
    if (r == 0)
        r = run_cargo(b, programs, true, ret, err);
    if (r < 0) {
        built_free(ret);
        return r;
    }
    ret->timing_html = b->timings ? find_timings(b->target_dir) : NULL;
    return 0;
}

void built_free(struct built *b)
{
    json_decref(b->programs);
    mem_free(b->timing_html);
    *b = (struct built){0};
}

// What was built lies below the target folder, whatever cargo's messages say: build scripts can write those, too, and
// leave links there.
static int copy_program(const char *target_dir, const char *from, const char *to, struct err *err)
{
    struct files *target = NULL;
    int r = files_open_own(target_dir, &target, err);
    if (r == 0)
        r = files_copy_out(target, from, to, err);
    files_free(target);
    return r;
}

int builder_set_aside(const char *target_dir, const json_t *programs, const char *dir, json_t **ret, char ret_hash[65],
                      struct err *err)
{
    int r = file_remove_tree(dir, err);
    if (r == 0)
        r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *copies = json_object();
    AUTO_JSON json_t *hashes = json_object();
    const char *name;
    void *at = json_object_iter((json_t *)(uintptr_t)programs);
    for (; at && r == 0; at = json_object_iter_next((json_t *)(uintptr_t)programs, at)) {
        name = json_object_iter_key(at);
        AUTO_FREE char *file = str_dup(name);
        for (char *c = file; *c; c++)
            if (*c == ':' || *c == '/')
                *c = '-';
        AUTO_FREE char *copy = path_join(dir, file);
        char hash[65];
        r = copy_program(target_dir, json_string_value(json_object_iter_value(at)), copy, err);
        if (r == 0)
            r = file_hash(copy, hash, err);
        json_put_str(copies, name, copy);
        json_put_str(hashes, name, hash);
    }
    if (r == 0) {
        json_hash(hashes, ret_hash);
        *ret = json_incref(copies);
    }
    return r;
}

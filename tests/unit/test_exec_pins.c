// agents/sandbox: a stage starts the programs it began with, from folders that its agent cannot change, and no proxy
// leads it elsewhere. Everything is made in a folder of the test: programs are scripts that say who they are.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"
#include "sandbox/fetch_hosts.h"
#include "sandbox/hashes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct place {
    char *dir, *workspace, *bin, *path; // bin: a folder of programs; path: what PATH was
    struct policy *policy;
    struct exec_context *ctx;
};

static char *at(const struct place *p, const char *name)
{
    return path_join(p->dir, name);
}

static void put(const struct place *p, const char *name, const char *text, unsigned mode)
{
    struct err err;
    AUTO_FREE char *path = at(p, name);
    AUTO_FREE char *dir = path_dir(path);
    assert_ok(file_make_dirs(dir, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
    assert_int_equal(chmod(path, mode), 0);
}

static void program(const struct place *p, const char *name, const char *says)
{
    AUTO_FREE char *text = str_printf("#!/bin/sh\necho %s \"$@\"\n", says);
    put(p, name, text, 0755);
}

static void begin_stage(struct place *p, const char *const *rules)
{
    struct err err;
    AUTO_FREE char *home = at(p, "home");
    exec_context_free(p->ctx);
    policy_free(p->policy);
    p->policy = policy_new("test-agent");
    for (; *rules; rules++)
        assert_ok(policy_allow(p->policy, *rules, "agent.md", 5, &err), &err);
    const struct exec_places places = {.workspace = p->workspace, .home = home};
    assert_ok(exec_context_new(p->policy, &places, &p->ctx, &err), &err);
}

static const char *const RULES[] = {"Bash(tool *)", "Bash(cargo *)", "Bash(rustc *)", NULL};

static void begin(struct place *p)
{
    struct err err;
    char *made = test_temp_dir();
    *p = (struct place){.dir = path_real(made, &err), .path = str_dup(getenv("PATH"))};
    mem_free(made);
    p->workspace = at(p, "work");
    p->bin = at(p, "bin");
    assert_ok(file_make_dirs(p->workspace, &err), &err);
    assert_ok(file_make_dirs(p->bin, &err), &err);
    AUTO_FREE char *path = str_printf("%s/bin:%s:/usr/bin:/bin", p->workspace, p->bin);
    AUTO_FREE char *config = at(p, "config");
    AUTO_FREE char *cache = at(p, "cache");
    AUTO_FREE char *rustup = at(p, "rustup");
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", cache, 1), 0);
    assert_int_equal(setenv("RUSTUP_HOME", rustup, 1), 0);
    unsetenv("RUSTUP_TOOLCHAIN");
    begin_stage(p, RULES);
}

static void finish(struct place *p)
{
    setenv("PATH", p->path, 1);
    exec_context_free(p->ctx);
    policy_free(p->policy);
    mem_free(p->path);
    mem_free(p->bin);
    mem_free(p->workspace);
    test_remove(p->dir);
}

static int run(struct place *p, const char *const *argv, char **ret_out, struct err *err)
{
    struct exec_result result;
    const struct exec_call call = {.argv = argv};
    int r = exec_run(p->ctx, &call, &result, err);
    *ret_out = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return r;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_says(struct place *p, const char *const *argv, const char *says)
{
    struct err err;
    AUTO_FREE char *out = NULL;
    assert_ok(run(p, argv, &out, &err), &err);
    assert_string_equal(out, says);
}

static void assert_refused(struct place *p, const char *const *argv, enum err_code code, const char *word)
{
    struct err err;
    AUTO_FREE char *out = NULL;
    assert_int_equal(run(p, argv, &out, &err), -(int)code);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
}

static json_t *last_program(const struct place *p)
{
    const json_t *all = exec_receipts(p->ctx);
    return json_obj(json_array_get(all, json_array_size(all) - 1), "program");
}

// --- the file ---

static void test_exec_pins_refuse_a_replaced_program(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    program(&p, "bin/tool", "one");
    assert_says(&p, WORDS("tool"), "one\n");
    AUTO_FREE char *path = at(&p, "bin/tool");
    char hash[65];
    assert_int_equal(file_hash(path, hash, NULL), 0);
    assert_string_equal(json_str(last_program(&p), "path", ""), path);
    assert_string_equal(json_str(last_program(&p), "hash", ""), hash);

    program(&p, "bin/tool", "two"); // written beside it and renamed: another inode
    assert_refused(&p, WORDS("tool"), ERR_DENIED, "was replaced since this stage began");
    assert_int_equal(unlink(path), 0);
    assert_refused(&p, WORDS("tool"), ERR_NOT_FOUND, "bin/tool");

    program(&p, "bin/tool", "two");
    begin_stage(&p, RULES); // another stage begins with what is there
    assert_says(&p, WORDS("tool"), "two\n");
    finish(&p);
}

static void write_over(const struct place *p, const char *name, const char *text)
{
    AUTO_FREE char *path = at(p, name);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_exec_pins_refuse_other_content_in_the_same_file(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    program(&p, "bin/tool", "one");
    AUTO_FREE char *path = at(&p, "bin/tool");
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    assert_says(&p, WORDS("tool"), "one\n");

    write_over(&p, "bin/tool", "#!/bin/sh\necho one \"$@\"\n"); // the same again: nothing has changed
    assert_says(&p, WORDS("tool"), "one\n");

    write_over(&p, "bin/tool", "#!/bin/sh\necho two \"$@\"\n"); // the same length, and the time is set back
    const struct timespec times[] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_refused(&p, WORDS("tool"), ERR_DENIED, "was changed since this stage began");
    finish(&p);
}

static void test_exec_pins_hold_what_rules_name_from_the_first_call(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    begin_stage(&p, WORDS("Bash(tool *)", "Bash(later:*)"));
    program(&p, "bin/tool", "one");
    program(&p, "bin/later", "two");
    assert_says(&p, WORDS("tool"), "one\n");
    program(&p, "bin/later", "other");
    assert_refused(&p, WORDS("later"), ERR_DENIED, "was replaced since this stage began");
    finish(&p);
}

// What a program leads to is compared by baton-exec, with the file it has mounted: nothing is between that and the
// start.
static void test_exec_pins_refuse_a_replaced_interpreter(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    AUTO_FREE char *sh = path_real("/bin/sh", NULL);
    AUTO_FREE char *by = at(&p, "lib/by");
    AUTO_FREE char *other = at(&p, "lib/other");
    AUTO_FREE char *text = str_printf("#!%s\necho one\n", by);
    struct err err;
    put(&p, "lib/x", "", 0644);
    assert_ok(file_copy(sh, by, &err), &err);
    assert_ok(file_copy(sh, other, &err), &err);
    put(&p, "bin/tool", text, 0755);
    assert_says(&p, WORDS("tool"), "one\n");
    const json_t *starts = json_list(last_program(&p), "starts");
    assert_string_equal(json_str(json_array_get(starts, 0), "path", ""), by);
    assert_int_equal(rename(other, by), 0);
    assert_refused(&p, WORDS("tool"), ERR_DENIED, "lib/by' was replaced");
    finish(&p);
}

static void test_exec_pins_leave_programs_of_the_project_alone(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    begin_stage(&p, WORDS("Bash(./gen.sh *)"));
    program(&p, "work/gen.sh", "one");
    assert_says(&p, WORDS("./gen.sh"), "one\n");
    assert_null(last_program(&p));
    program(&p, "work/gen.sh", "two");
    assert_says(&p, WORDS("./gen.sh"), "two\n");
    finish(&p);
}

// --- PATH ---

static void test_exec_pins_search_no_folder_an_agent_can_change(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    program(&p, "work/bin/tool", "planted"); // first in PATH
    program(&p, "bin/tool", "real");
    assert_says(&p, WORDS("tool"), "real\n");

    AUTO_FREE char *bin = at(&p, "bin");
    begin_stage(&p, WORDS("Bash(only-planted *)"));
    program(&p, "work/bin/only-planted", "planted");
    assert_refused(&p, WORDS("only-planted"), ERR_NOT_FOUND, "not searched, because the agent could change");

    AUTO_FREE char *writes = str_printf("Write(/%s/**)", bin);
    begin_stage(&p, WORDS("Bash(tool *)", writes));
    assert_refused(&p, WORDS("tool"), ERR_NOT_FOUND, "not searched");

    begin_stage(&p, RULES);
    assert_int_equal(chmod(bin, 0777), 0);
    assert_refused(&p, WORDS("tool"), ERR_NOT_FOUND, "not searched");
    finish(&p);
}

static void test_exec_pins_keep_what_a_name_meant(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    AUTO_FREE char *first = at(&p, "first");
    AUTO_FREE char *path = str_printf("%s:%s:/usr/bin:/bin", first, p.bin);
    assert_int_equal(setenv("PATH", path, 1), 0);
    put(&p, "first/x", "", 0644);
    program(&p, "bin/tool", "real");
    assert_says(&p, WORDS("tool"), "real\n");
    program(&p, "first/tool", "later");
    assert_says(&p, WORDS("tool"), "real\n");
    begin_stage(&p, RULES);
    assert_says(&p, WORDS("tool"), "later\n");
    finish(&p);
}

static void test_exec_pins_go_behind_version_managers(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    AUTO_FREE char *path = str_printf("%s/pyenv/shims:%s/mise/shims:%s:/usr/bin:/bin", p.dir, p.dir, p.bin);
    assert_int_equal(setenv("PATH", path, 1), 0);
    program(&p, "pyenv/shims/tool", "shim");
    program(&p, "pyenv/versions/3.1/bin/tool", "three");
    program(&p, "mise/shims/other", "shim");
    program(&p, "mise/installs/other/latest/bin/other", "latest");
    program(&p, "bin/tool", "system");
    put(&p, "pyenv/version", "3.1\n", 0644);
    begin_stage(&p, WORDS("Bash(tool *)", "Bash(other *)"));
    assert_says(&p, WORDS("tool"), "three\n");
    assert_says(&p, WORDS("other"), "latest\n");
    put(&p, "pyenv/version", "system\n", 0644);
    begin_stage(&p, RULES);
    assert_says(&p, WORDS("tool"), "system\n");
    finish(&p);
}

// --- toolchains ---

static void toolchain(const struct place *p, const char *name, const char *says)
{
    struct utsname host;
    assert_int_equal(uname(&host), 0);
    AUTO_FREE char *path = str_printf("rustup/toolchains/%s-%s-unknown-linux-gnu/bin/cargo", name, host.machine);
    program(p, path, says);
}

static void begin_rustup(struct place *p)
{
    begin(p);
    program(p, "bin/rustup", "proxy");
    AUTO_FREE char *cargo = at(p, "bin/cargo");
    assert_int_equal(symlink("rustup", cargo), 0);
    toolchain(p, "stable", "stable");
    toolchain(p, "nightly", "nightly");
    put(p, "rustup/settings.toml", "default_toolchain = \"stable\"\n", 0644);
}

static void test_exec_pins_start_the_toolchains_own_program(void **state)
{
    (void)state;
    struct place p;
    begin_rustup(&p);
    assert_says(&p, WORDS("cargo", "version"), "stable version\n");
    assert_true(str_starts(json_str(last_program(&p), "toolchain", ""), "stable-"));
    assert_says(&p, WORDS("cargo", "+nightly", "version"), "nightly version\n");
    put(&p, "work/rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n", 0644);
    assert_says(&p, WORDS("cargo", "version"), "nightly version\n");
    put(&p, "work/rust-toolchain", "stable\n", 0644); // the old name is looked at first
    assert_says(&p, WORDS("cargo", "version"), "stable version\n");
    AUTO_FREE char *override =
        str_printf("default_toolchain = \"stable\"\n[overrides]\n\"%s\" = \"nightly\"\n", p.workspace);
    put(&p, "rustup/settings.toml", override, 0644);
    assert_says(&p, WORDS("cargo", "version"), "nightly version\n");
    assert_int_equal(setenv("RUSTUP_TOOLCHAIN", "stable", 1), 0);
    const struct exec_call call = {.argv = WORDS("cargo", "version"),
                                   .env = WORDS("RUSTUP_TOOLCHAIN=stable")}; // ours are not passed on
    struct exec_result result;
    struct err err;
    assert_ok(exec_run(p.ctx, &call, &result, &err), &err);
    assert_string_equal(buf_str(&result.out), "stable version\n");
    exec_result_free(&result);
    unsetenv("RUSTUP_TOOLCHAIN");
    finish(&p);
}

static void test_exec_pins_refuse_toolchains_of_the_project(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum err_code code;
        const char *word;
    } FILES[] = {
        {"rust-toolchain.toml", "[toolchain]\npath = \"evil\"\n", ERR_DENIED, "would start programs of the project"},
        {"rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\npath = \"evil\"\n", ERR_DENIED, "by its folder"},
        {"rust-toolchain", "/project/evil", ERR_DENIED, "by its folder"},
        {"rust-toolchain.toml", "[toolchain]\nchannel = \"../../../work/evil\"\n", ERR_DENIED, "not the name"},
        {"rust-toolchain.toml", "[toolchain]\nchannel = \"1.2.3\"\n", ERR_NOT_FOUND, "rustup toolchain install 1.2.3"},
        {"rust-toolchain.toml", "[toolchain\n", ERR_PARSE, "rust-toolchain.toml"},
    };
    struct place p;
    begin_rustup(&p);
    program(&p, "work/evil/bin/cargo", "evil");
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO_FREE char *name = path_join("work", FILES[i].name);
        AUTO_FREE char *path = at(&p, name);
        put(&p, name, FILES[i].text, 0644);
        assert_refused(&p, WORDS("cargo", "version"), FILES[i].code, FILES[i].word);
        assert_int_equal(unlink(path), 0);
    }
    AUTO_FREE char *link = at(&p, "work/rust-toolchain.toml");
    put(&p, "outside", "[toolchain]\nchannel = \"secret-of-outside\"\n", 0644);
    assert_int_equal(symlink("../outside", link), 0);
    assert_refused(&p, WORDS("cargo", "version"), ERR_DENIED, "is a link");
    assert_int_equal(unlink(link), 0);
    assert_refused(&p, WORDS("cargo", "+../../work/evil", "version"), ERR_DENIED, "not the name");
    finish(&p);
}

static void test_exec_pins_site_limits_toolchains(void **state)
{
    (void)state;
    struct place p;
    begin_rustup(&p);
    put(&p, "config/baton/sandbox.profiles", "cargo-read toolchain = stable 1.*\n", 0644);
    put(&p, "work/rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n", 0644);
    assert_refused(&p, WORDS("cargo", "version"), ERR_DENIED, "does not permit to projects");
    put(&p, "work/rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n", 0644);
    assert_says(&p, WORDS("cargo", "version"), "stable version\n");
    finish(&p);
}

static void test_exec_pins_refuse_a_site_file_with_its_line(void **state)
{
    (void)state;
    static const char *const LINES[][2] = {
        {"cargo network = all", "network is 'all', expected one of none, lo, host"},
        {"cargo give root", "give is 'root'"},
        {"cargo require less", "require is 'less'"},
        {"fetch config = all", "config is 'all'"},
        {"cargo pids 0", "pids is '0'"},
        {"cargo read etc/passwd", "no absolute path"},
        {"mine include yours", "no profile 'yours'"},
        {"cargo porgram x", "expected 'PROFILE KEY WORDS'"},
        {"cargo network =", "expected 'PROFILE KEY WORDS'"},
    };
    struct place p;
    begin(&p);
    program(&p, "bin/tool", "one");
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        AUTO_FREE char *text = str_printf("# ours\n%s\n", LINES[i][0]);
        put(&p, "config/baton/sandbox.profiles", text, 0644);
        begin_stage(&p, RULES);
        assert_refused(&p, WORDS("tool"), ERR_PARSE, "sandbox.profiles:2: ");
        assert_refused(&p, WORDS("tool"), ERR_PARSE, LINES[i][1]);
    }
    finish(&p);
}

// --- hashes that are kept ---

static void test_exec_pins_keep_hashes(void **state)
{
    (void)state;
    struct place p;
    begin(&p);
    AUTO_FREE char *file = at(&p, "hashes");
    AUTO_FREE char *real = path_real("/bin/sh", NULL);
    struct stat st;
    struct err err;
    char hash[65], kept[65], wanted[65];
    int fd = open(real, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(file_hash(real, wanted, NULL), 0);
    struct hashes *h = hashes_new(file);
    assert_ok(hashes_take(h, fd, &st, real, hash, &err), &err);
    assert_string_equal(hash, wanted);
    hashes_free(h);
    // Read back: the entry is used, not the file.
    AUTO_FREE char *text = NULL;
    assert_ok(file_read(file, HASHES_TEXT_MAX, &text, NULL, &err), &err);
    memset(text, 'f', 64);
    assert_ok(file_write(file, text, strlen(text), false, &err), &err);
    h = hashes_new(file);
    assert_ok(hashes_take(h, fd, &st, real, kept, &err), &err);
    assert_true(str_starts(kept, "ffff"));
    hashes_free(h);
    // A file that others may write to is not used.
    assert_int_equal(chmod(file, 0666), 0);
    h = hashes_new(file);
    assert_ok(hashes_take(h, fd, &st, real, kept, &err), &err);
    assert_string_equal(kept, wanted);
    assert_int_equal(hashes_parse(h, "x", 1), 0);
    assert_int_equal(hashes_parse(h, text, 64), 0);
    assert_int_equal(hashes_parse(h, text, strlen(text) - 1), 1);
    hashes_free(h);
    close(fd);
    finish(&p);
}

// --- where dependencies come from ---

static void count_step(void *user, const char *text)
{
    assert_string_equal(text, "fetching dependencies");
    ++*(int *)user;
}

static size_t fetches(const struct place *p)
{
    const json_t *all = exec_receipts(p->ctx);
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(all); i++)
        n += str_eq(json_string_value(json_array_get(json_list(json_array_get(all, i), "argv"), 1)), "fetch");
    return n;
}

static void test_exec_pins_tell_of_a_fetch_and_of_what_it_could_not_bring(void **state)
{
    (void)state;
    struct place p;
    struct err err;
    struct exec_result result;
    int steps = 0;
    begin(&p);
    put(&p, "bin/cargo", "#!/bin/sh\necho \"$1: no such host\" >&2\nexit 7\n", 0755);
    put(&p, "work/Cargo.toml", "[package]\nname = \"x\"\n", 0644);
    exec_on_step(p.ctx, count_step, &steps);
    const struct exec_call call = {.argv = WORDS("cargo", "build")};
    assert_int_equal(exec_check(p.ctx, &call, &result, &err), -ERR_TOOL);
    exec_result_free(&result);
    assert_non_null(strstr(err.text, "could not be fetched before: fetch: no such host"));
    assert_int_equal(steps, 1);
    assert_int_equal(fetches(&p), 1);
    assert_string_equal(json_str(json_array_get(exec_receipts(p.ctx), 0), "message", ""), "fetch: no such host");
    assert_int_equal(exec_check(p.ctx, &call, &result, &err), -ERR_TOOL); // once for a project
    exec_result_free(&result);
    assert_int_equal(fetches(&p), 1);

    put(&p, "bin/cargo", "#!/bin/sh\nexit 0\n", 0755); // with a lock file of which nothing is missing: no step
    put(&p, "work/Cargo.lock", "version = 4\n", 0644);
    begin_stage(&p, RULES);
    exec_on_step(p.ctx, count_step, &steps);
    assert_ok(exec_check(p.ctx, &call, &result, &err), &err);
    exec_result_free(&result);
    assert_int_equal(steps, 1);
    finish(&p);
}

static void test_exec_pins_name_the_hosts_of_a_fetch(void **state)
{
    (void)state;
    static const char *const SOURCES[][2] = {
        {"registry+https://github.com/rust-lang/crates.io-index", "default"},
        {"registry+https://github.com/rust-lang/crates.io-index-2", "github.com"},
        {"git+https://github.com/a/b?rev=1#2", "github.com"},
        {"git+ssh://git@host.example:22/a", "host.example"},
        {"https://good.example@evil.example/a", "evil.example"},
        {"https://a@b@evil.example", "evil.example"},
        {"https://evil.example?good.example/", "evil.example"},
        {"git@host.example:a/b", "host.example"},
        {"http://[::1]:8080/x", "[::1]"},
        {"sparse+https://host.example/index/", "host.example"},
        {"file:///srv/x", ""},
        {"../x", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++) {
        AUTO_FREE char *host = fetch_hosts_of(SOURCES[i][0]);
        assert_string_equal(host, SOURCES[i][1]);
    }
}

static void test_exec_pins_hold_a_fetch_to_listed_hosts(void **state)
{
    (void)state;
    struct place p;
    struct err err;
    char listed[] = "*.good.example", other[] = "one.example", any[] = "*";
    char *const some[] = {listed, other, NULL}, *const all[] = {any, NULL}, *const none[] = {NULL};
    begin(&p);
    put(&p, "work/Cargo.toml",
        "[package]\nname = \"x\"\nrepository = \"https://evil.example/x\"\n[dependencies]\na = \"1\"\n", 0644);
    assert_ok(fetch_hosts_check(p.workspace, none, &err), &err); // what it says about itself is not asked
    put(&p, "work/a/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nb = { git = \"https://GIT.good.example/b\" }\n",
        0644);
    assert_ok(fetch_hosts_check(p.workspace, some, &err), &err);
    assert_int_equal(fetch_hosts_check(p.workspace, none, &err), -ERR_DENIED);
    put(&p, "work/Cargo.lock", "version = 4\n[[package]]\nname = \"c\"\nsource = \"git+https://evil.example/c#1\"\n",
        0644);
    assert_int_equal(fetch_hosts_check(p.workspace, some, &err), -ERR_DENIED);
    assert_non_null(strstr(err.text, "evil.example/c"));
    assert_ok(fetch_hosts_check(p.workspace, all, &err), &err);
    put(&p, "work/Cargo.lock", "version = 4\n", 0644);
    put(&p, "work/target/x/Cargo.toml", "[dependencies]\nb = { git = \"https://evil.example/b\" }\n", 0644);
    assert_ok(fetch_hosts_check(p.workspace, some, &err), &err);
    put(&p, "work/b/Cargo.toml", "not toml", 0644);
    assert_int_equal(fetch_hosts_check(p.workspace, some, &err), -ERR_DENIED);
    finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_pins_refuse_a_replaced_program),
        cmocka_unit_test(test_exec_pins_refuse_other_content_in_the_same_file),
        cmocka_unit_test(test_exec_pins_refuse_a_replaced_interpreter),
        cmocka_unit_test(test_exec_pins_leave_programs_of_the_project_alone),
        cmocka_unit_test(test_exec_pins_search_no_folder_an_agent_can_change),
        cmocka_unit_test(test_exec_pins_keep_what_a_name_meant),
        cmocka_unit_test(test_exec_pins_go_behind_version_managers),
        cmocka_unit_test(test_exec_pins_start_the_toolchains_own_program),
        cmocka_unit_test(test_exec_pins_refuse_toolchains_of_the_project),
        cmocka_unit_test(test_exec_pins_site_limits_toolchains),
        cmocka_unit_test(test_exec_pins_refuse_a_site_file_with_its_line),
        cmocka_unit_test(test_exec_pins_keep_hashes),
        cmocka_unit_test(test_exec_pins_hold_what_rules_name_from_the_first_call),
        cmocka_unit_test(test_exec_pins_tell_of_a_fetch_and_of_what_it_could_not_bring),
        cmocka_unit_test(test_exec_pins_name_the_hosts_of_a_fetch),
        cmocka_unit_test(test_exec_pins_hold_a_fetch_to_listed_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What arguments reach for: attacks are marked, everyday lines are not.
#include "support/support.h"

#include "policy/policy_cases.h"

#include <string.h>

static void check_all(const char *allow, const char *const *commands, size_t count, enum policy_verdict expected)
{
    static const char *const BUILT[] = {"/ws/target", NULL};
    const struct policy_context c = {.workspace = "/ws", .home = "/home/me", .built = BUILT};
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        struct decision d;
        struct policy *p = NULL;
        assert_ok(policy_from_list_new("x", allow, "a.md", &p, &err), &err);
        decide_command(p, &c, commands[i], &d);
        if (d.verdict != expected)
            fail_msg("%s: %s -> %s (%s)", allow, commands[i], policy_verdict_name(d.verdict), d.reason);
        assert_int_equal(d.needs_box, expected == POLICY_ALLOW_SANDBOXED);
        policy_free(p);
    }
}

static void test_policy_reach_marks_attacks(void **state)
{
    (void)state;
    static const char *const GIT[] = {
        "git -C /outside status",
        "git --git-dir=/outside/.git log",
        "git --work-tree=../.. add x",
        "git clone https://h/x",
        "git fetch ssh://h/x",
        "git pull user@host:repo",
        "git push --force host:x",
        "git clone 'ext::sh -c id'",
        "git clone -c core.sshCommand=./x a b",
        "git ls-remote --upload-pa=./x .",
        "git -c core.pager=./x log",
        "git -c ALIAS.x='!id' x",
        "git -c filter.e.clean=./x add f",
        "git -c credential.helper=./x fetch",
        "git --exec-path=./x log",
        "git --config-env=core.pager=X log",
        "git config core.fsmonitor ./x",
        "git config alias.x '!id'",
        "git submodule add https://h/x",
        "git submodule foreach id",
        "git filter-branch --tree-filter id",
        "git bisect run sh x",
        "git worktree add ../../wt",
        "git diff --no-index /etc/passwd a",
        "git hash-object -w /etc/passwd",
        "git apply --directory=../../x p",
        "git bundle create /tmp/b HEAD",
        "git archive --remote=h HEAD",
        "git daemon",
        "git send-email x",
        "git grep -nO./x y",
        "git rebase --exe id main",
        "git init --template=./t x",
        "git help -w log",
        "git difftool",
        "git clone file:///outside/x y",
    };
    static const char *const CARGO[] = {
        "cargo build --target-dir /outside",
        "cargo clean --target-dir ../../x",
        "cargo new /outside/x",
        "cargo -C /outside build",
        "cargo --config ./evil.toml build",
        "cargo --config=build.rustc-wrapper='\"./x\"' check",
        "cargo build --config 'alias.x=[\"y\"]'",
        "cargo doc --open",
        "cargo publish",
        "cargo install ripgrep",
        "cargo add x --git https://h/x",
        "cargo rustc -- -Clinker=./x",
        "cargo +./x build",
        "cargo run -- /etc/passwd",
        "cargo build --target ./evil.json",
        "cargo clippy -- -C linker=./x",
        "cargo build -Z unstable-options --artifact-dir=/outside",
    };
    static const char *const OTHER[] = {
        "sort --compress-program=./x f",
        "tar -xf a --to-command=./x",
        "tar -I ./x -xf a",
        "man -P./x ls",
        "fd -x id",
        "python3 -c 'x'",
        "perl -e 'x'",
        "curl http://h",
        "dig x.evil",
        "sed 's/a/b/e' f",
        "sed -n 'w out' f",
        "sed -e '1e id' f",
        "awk 'BEGIN{system(\"id\")}'",
        "gdb -ex 'shell id' ./target/x",
        "kill 1",
        "cat /etc/shadow",
        "cat '~root/../x/../../../etc/x'",
        "dd if=/dev/sda of=x",
        "cp -t/outside a",
        "make SHELL=/outside/sh",
        "perf record -p 1",
        "perf record -ag -- ./target/x",
        "perf stat --pre ./x -- ./target/x",
        "perf script -s x.py",
        "perf top",
        "valgrind --tool=./evil ./target/x",
        "flamegraph --pid 3",
        "sccache --start-server",
        "ls ..",
        "env X=1 ls",
    };
    check_all("Bash(git *)", GIT, ARRAY_LEN(GIT), POLICY_ALLOW_SANDBOXED);
    check_all("Bash(cargo *)", CARGO, ARRAY_LEN(CARGO), POLICY_ALLOW_SANDBOXED);
    check_all("Bash", OTHER, ARRAY_LEN(OTHER), POLICY_ALLOW_SANDBOXED);
}

static void test_policy_reach_gives_the_right_reason(void **state)
{
    (void)state;
    static const struct {
        const char *allow, *command, *says; // NULL: nothing, it is allowed
    } LINES[] = {
        {"Bash(valgrind *)", "valgrind --xml=yes --xml-file=o.xml ./target/debug/hello", NULL},
        {"Bash(valgrind *)", "valgrind --log-socket=1.2.3.4 ./target/debug/hello", "reaches for the network"},
        {"Bash(valgrind *)", "valgrind --tool callgrind ./target/debug/x", "takes \"--tool=NAME\" as one word"},
        {"Bash(flamegraph *)", "flamegraph --title x -- ./target/release/a", NULL},
        {"Bash(flamegraph *)", "flamegraph --subtitle x --title y ./target/release/a", NULL},
        {"Bash(flamegraph *)", "flamegraph --flamechart sh", "would start \"sh\""},
        {"Bash(flamegraph *)", "flamegraph --post-process=x ./target/release/a", "names a program"},
        {"Bash(env *)", "env", NULL},
        {"Bash(env *)", "env -S 'sh -c id'", "names a program"},
        {"Bash(env FOO=1 cargo *)", "env FOO=1 cargo build", "would start \"cargo\""},
        {"Bash(env FOO=1 cargo *), Bash(cargo *)", "env FOO=1 cargo build", NULL},
        {"Bash(env *), Bash(cargo *)", "env RUST_LOG=x cargo build", NULL},
        {"Bash(env *), Bash(cargo *)", "env FOO=1 cargo build", "the assignment \"FOO=1\" is not among"},
        {"Bash(env *), Bash(cargo *)", "env LD_PRELOAD=./x cargo build", "never taken from an agent"},
        {"Bash(env LD_PRELOAD=./x cargo *), Bash(cargo *)", "env LD_PRELOAD=./x cargo build", "never taken from"},
        {"Bash(sudo *), Bash(ls *)", "sudo ls", "rights of another user"},
    };
    struct err err = {0};
    const struct policy_context c = {
        .workspace = "/ws", .home = "/home/me", .built = (const char *const[]){"/ws/target", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct decision d;
        struct policy *p = NULL;
        assert_ok(policy_from_list_new("x", LINES[i].allow, "a.md", &p, &err), &err);
        decide_command(p, &c, LINES[i].command, &d);
        if (d.verdict != (LINES[i].says ? POLICY_ALLOW_SANDBOXED : POLICY_ALLOW) ||
            !strstr(d.reason, LINES[i].says ? LINES[i].says : ""))
            fail_msg("%s: %s -> %s (%s)", LINES[i].allow, LINES[i].command, policy_verdict_name(d.verdict), d.reason);
        policy_free(p);
    }
}

static void test_policy_reach_leaves_everyday_lines_alone(void **state)
{
    (void)state;
    static const char *const GIT[] = {
        "git push origin HEAD:x",
        "git push -u origin feature:feature",
        "git fetch --all --prune",
        "git pull --rebase origin main",
        "git clone --depth 1 ./a b",
        "git remote add origin https://h/x",
        "git commit -m '/api: see https://h/x ../y'",
        "git commit -m \"fix: a::b\"",
        "git log -S '/foo' --grep=/x",
        "git log -L/fn/,+3:src/a.rs",
        "git show HEAD~2:../x || git status",
        "git config user.email a@b",
        "git config --get alias.x",
        "git -c core.pager=cat log",
        "git -c core.fsmonitor= status",
        "git -c alias.x=log x",
        "git --no-pager diff main..HEAD",
        "git stash show stash@{0}",
        "git checkout -b x",
        "git worktree add wt",
        "git diff HEAD~3..HEAD -- src/",
        "git bisect start",
        "git submodule update --init",
        "git rebase --onto main a b",
        "git grep -n foo",
        "git log --pretty=format:'%h %s'",
        "git rm --cached f",
        "git tag -l 'v*'",
        "git blame -L 1,5 a",
    };
    static const char *const CARGO[] = {
        "cargo build --config profile.release.debug=true",
        "cargo --config net.offline=true build",
        "cargo build --message-format=json",
        "cargo update",
        "cargo add serde --features derive",
        "cargo install --path .",
        "cargo rustc -- -C target-cpu=native",
        "cargo rustdoc -- --document-private-items",
        "cargo +nightly build",
        "cargo test --manifest-path crates/a/Cargo.toml",
        "cargo run -- --addr 127.0.0.1:0",
        "cargo doc --no-deps",
        "cargo nextest run",
        "cargo flamegraph --bin x -- arg",
        "cargo bench -- --save-baseline main",
        "cargo clippy -- -D warnings -A clippy::x",
        "cargo build --target x86_64-unknown-linux-musl",
        "cargo test foo::bar",
        "cargo fmt -- --check",
        "cargo metadata --format-version 1 > /dev/null",
    };
    static const char *const OTHER[] = {
        "sed -n '1,20p' a",
        "sed -n '/fn main/,/^}/p' src/a.rs",
        "sed -i 's|/a/b|/c/d|g' a",
        "sed 's/x/y/g; s/a/b/2' f",
        "grep -rn '/usr' src",
        "rg -n \"unsafe \\{\" src",
        "awk '{print $1}' f",
        "awk -F: '/x/ {print $2}' f",
        "find . -name '*.rs' -path '/x'",
        "echo /etc/passwd",
        "ls -la src",
        "wc -l a/b.txt",
        "diff a b",
        "python3 scripts/x.py -c y",
        "make -j4 test",
        "tar -czf a.tgz src",
        "sort -u f",
        "head -n 5 f",
        "jq '.a' f",
        "tr '/' '_'",
        "perf report -i p.data --stdio",
        "perf annotate --stdio -s main",
        "perf record --call-graph dwarf -e cpu-clock ./target/x",
        "valgrind --tool=callgrind ./target/x",
        "flamegraph -o f.svg -- ./target/x",
        "sccache --show-stats",
        "gdb -batch -ex run -ex bt ./target/x",
    };
    check_all("Bash(git *)", GIT, ARRAY_LEN(GIT), POLICY_ALLOW);
    check_all("Bash(cargo *)", CARGO, ARRAY_LEN(CARGO), POLICY_ALLOW);
    check_all("Bash", OTHER, ARRAY_LEN(OTHER), POLICY_ALLOW);
}

static void test_policy_reach_project_code_needs_own_rights(void **state)
{
    (void)state;
    struct err err = {0};
    struct decision d;
    struct policy_context c = {.workspace = "/ws", .project_acts = "build.rs writes somewhere"};
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", "Bash(cargo *)", "a.md", &p, &err), &err);
    decide_command(p, &c, "cargo check", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW_SANDBOXED);
    assert_false(d.needs_box);
    c.project_acts = NULL;
    decide_command(p, &c, "cargo check", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    policy_free(p);
    c.project_acts = "build.rs writes somewhere";
    assert_ok(policy_from_list_new("x", "Bash(cargo *), Read, Write", "a.md", &p, &err), &err);
    decide_command(p, &c, "cargo check", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    policy_free(p);
}

static void test_policy_reach_own_folders_are_no_outside(void **state)
{
    (void)state;
    static const char *const OWN[] = {"/spool/3", NULL}, *const BUILT[] = {"/cache/t", NULL};
    const struct policy_context c = {.workspace = "/ws", .own = OWN, .built = BUILT};
    struct err err = {0};
    struct decision d;
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", "Bash(perf *), Bash(cargo *), Read", "a.md", &p, &err), &err);
    decide_command(p, &c, "perf record -o /spool/3/p.data -- /cache/t/release/x", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    decide_command(p, &c, "cargo build --target-dir /cache/t", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    decide_command(p, &c, "perf record -o /spool/30/p.data -- /cache/t/release/x", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW_SANDBOXED);
    decide_command(p, &c, "/spool/3/x", &d); // own, but not built by cargo
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_path(p, &c, "Read", "/spool/3/p.data", &d); // no file rule reaches it
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_reach_marks_attacks),
        cmocka_unit_test(test_policy_reach_gives_the_right_reason),
        cmocka_unit_test(test_policy_reach_leaves_everyday_lines_alone),
        cmocka_unit_test(test_policy_reach_own_folders_are_no_outside),
        cmocka_unit_test(test_policy_reach_project_code_needs_own_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

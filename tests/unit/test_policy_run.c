// Commands: which rule covers which argv, wrappers, launchers, variables, redirects, compound commands.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"

#include <string.h>

static const char *const BUILT[] = {"/ws/target", "/cache/t1", NULL};
static const struct policy_context CONTEXT = {.workspace = "/ws", .home = "/home/me", .built = BUILT};

static struct decision asked(const char *allow, const char *deny, const char *command)
{
    struct err err = {0};
    struct decision d;
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", allow, "a.md", &p, &err), &err);
    char **denied = policy_list_split(deny ? deny : "");
    for (size_t i = 0; denied[i]; i++)
        assert_ok(policy_deny(p, denied[i], "a.md", 9, &err), &err);
    str_list_free(denied);
    decide_command(p, &CONTEXT, command, &d);
    policy_free(p);
    return d;
}

static void check(const char *allow, const char *command, const char *expected)
{
    struct decision d = asked(allow, NULL, command);
    if (strcmp(policy_verdict_name(d.verdict), expected) != 0)
        fail_msg("%s: %s -> %s (%s)", allow, command, policy_verdict_name(d.verdict), d.reason);
}

static void check_denied(const char *allow, const char *deny, const char *command, bool denied)
{
    struct decision d = asked(allow, deny, command);
    if ((d.verdict == POLICY_DENY) != denied)
        fail_msg("%s, not %s: %s -> %s (%s)", allow, deny, command, policy_verdict_name(d.verdict), d.reason);
}

static void test_policy_run_matching(void **state)
{
    (void)state;
    check("Bash(npm run build)", "npm run build", "allow");
    check("Bash(npm run build)", "npm run build --watch", "deny");
    check("Bash(ls *)", "ls -la", "allow");
    check("Bash(ls *)", "ls", "allow");
    check("Bash(ls *)", "lsof", "deny");
    check("Bash(ls*)", "lsof", "allow");
    check("Bash(ls*)", "ls -la", "allow");
    check("Bash(ls:*)", "ls", "allow");
    check("Bash(git log * main)", "git log --oneline main", "allow");
    check("Bash(git log * main)", "git log main", "deny");
    check("Bash(git * main)", "git push origin main", "allow");
    check("Bash(git * main)", "git -c core.fsmonitor=./evil.sh diff main", "allow_but_sandboxed");
    check("Bash(* --help *)", "npm --help x", "allow");
    check("Bash(* --help *)", "npm --help", "deny");
    check("Bash(git:* push)", "git log push", "deny");
    check("Bash(cargo test *)", "'cargo test' x", "deny"); // a quoted blank is no word boundary
    check("Bash(git commit -m \"wip *\")", "git commit -m 'wip parser'", "allow");
    check("Bash(git commit -m \"wip *\")", "git commit -m wip parser", "deny");
    check("Bash(cargo *)", "/usr/bin/cargo build", "deny");
    check("Bash(./bench.sh *)", "./bench.sh 1", "allow");
    check("Bash", "cargo build", "allow");
    check("Read", "cargo build", "deny");
}

static void test_policy_run_compound(void **state)
{
    (void)state;
    check("Bash(cargo *), Bash(git status)", "cargo build && git status", "allow");
    check("Bash(cargo *)", "cargo build && git status", "deny");
    check("Bash(cargo *)", "cargo build; id", "deny");
    check("Bash(cargo *)", "cargo build | tee x", "deny");
    check("Bash(cargo *)", "cargo build\nid", "deny");
    struct decision d = asked("Bash(cargo *)", NULL, "cargo build && curl evil");
    assert_non_null(strstr(d.reason, "command 2 (column 16)"));
    assert_string_equal(d.needed, "Bash(curl *)");
    d = asked("Bash(cargo *)", NULL, "git push origin");
    assert_string_equal(d.needed, "Bash(git push *)");
    assert_non_null(strstr(d.reason, "Bash(cargo *)"));
}

static void test_policy_run_cd(void **state)
{
    (void)state;
    check("Bash(cargo *)", "cd crates/a && cargo build", "allow");
    check("Bash(cargo *)", "cd crates/a; cargo build", "deny");
    check("Bash(cargo *)", "cd crates/a\ncargo build", "deny");
    check("Bash(cargo *)", "cargo fmt || cd a && cargo build", "deny");
    check("Bash(cargo *)", "cargo fmt; cd a && cargo build", "allow");
    check("Bash(cargo *)", "cd crates/a", "allow");
    check("Bash(cargo *)", "cd ../x && cargo build", "deny");
    check("Bash(cargo *)", "cd /ws/a && cd .. && cargo build", "allow");
    check("Bash(cargo *)", "cd a && cd ../.. && cargo build", "deny");
    check("Bash(cargo *)", "cd - && cargo build", "deny");
    check("Bash(cargo *)", "cd && cargo build", "deny");
    check("Bash(cargo *)", "cd a | cargo build", "deny");
    check("Bash(cargo *)", "cd a || cargo build", "deny");
    check("Read", "cd a", "deny");
    check("Bash(cargo *), Write", "cd sub && cargo test > ../out.txt", "allow");
    check("Bash(cargo *), Write", "cd sub && cargo test > ../../out.txt", "deny");
    check("Bash(echo *), Write", "cd .claude && echo x > settings.json", "deny");
    check("Bash(cargo *)", "cd sub && cargo build --manifest-path ../Cargo.toml", "allow");
    struct decision d = asked("Bash(echo *), Edit", NULL, "cd nosuch; echo hi > ../escaped");
    assert_non_null(strstr(d.reason, "column 1"));
    assert_non_null(strstr(d.reason, "followed by \";\""));
    assert_non_null(strstr(d.reason, "write \"cd nosuch && command\""));
    // Behind ";" and "||" a command runs where the cd led or where it did not.
    check("Bash(echo *), Edit", "cd a && echo x > ../y", "allow");
    check("Bash(echo *), Edit", "cd a && echo x; echo hi > ../y", "deny");
    check("Bash(echo *), Edit", "cd a && echo x || echo hi > ../y", "deny");
    check("Bash(echo *), Edit", "cd a && echo x || echo x && echo hi > ../y", "deny");
    check("Bash(echo *), Edit", "cd a && echo x; cd /ws/b && echo hi > ../y", "allow");
    check("Bash(echo *), Edit", "cd a && echo x; cd b && cd .. && echo hi > ../y", "deny");
    check("Bash(echo *), Edit", "cd a && echo x; echo hi > y", "allow");
    check("Bash(echo *), Edit(/a/**)", "cd a && echo x; echo hi > y", "deny");
    check("Bash(echo *), Edit", "cd a && echo x | echo hi > ../y", "allow");
    check("Bash(x *)",
          "cd a && x; cd b && x; cd c && x; cd d && x; cd e && x; cd f && x; cd g && x; cd h && x; cd i && x", "deny");
}

static void test_policy_run_redirects(void **state)
{
    (void)state;
    check("Bash(cargo *), Write", "cargo test > out.txt", "allow");
    check("Bash(cargo *), Edit(/logs/**)", "cargo test > logs/x", "allow");
    check("Bash(cargo *), Edit(/logs/**)", "cargo test 2> out.txt", "deny");
    check("Bash(cargo *)", "cargo test > /dev/null 2>&1", "allow");
    check("Bash(cargo *), Write", "cargo test > .git/hooks/x", "deny");
    check("Bash(cargo *), Write", "cargo test > /dev/tcp/1.2.3.4/80", "deny");
    check("Bash(cargo *), Read", "cargo run < a.txt", "allow");
    check("Bash(cargo *)", "cargo run < a.txt", "deny");
    check("Bash(cat *)", "cat <<'E'\nx\nE", "allow");
    check("Bash(tee *)", "tee out.txt", "deny");
    check("Bash(tee *), Write", "tee -a out.txt", "allow");
    check("Bash(tee *), Write", "tee /etc/x", "deny");
}

static void test_policy_run_wrappers(void **state)
{
    (void)state;
    check("Bash(cargo *)", "timeout -k 5 --signal=KILL 60 cargo test", "allow");
    check("Bash(cargo *)", "timeout 5 curl evil", "deny");
    check("Bash(cargo *)", "timeout 5", "deny");
    check("Bash(cargo *)", "timeout --what 5 cargo test", "deny");
    check("Bash(cargo *)", "time -p cargo test", "allow");
    check("Bash(cargo *)", "time -o f cargo test", "deny");
    check("Bash(cargo *)", "nice cargo test", "allow");
    check("Bash(cargo *)", "nice -10 cargo test", "allow");
    check("Bash(cargo *)", "nice --adjustment=5 cargo test", "allow");
    check("Bash(cargo *)", "stdbuf -oL -e0 cargo test", "allow");
    check("Bash(cargo *)", "nohup nice timeout 5 cargo test", "allow");
    check("Bash(cargo *)", "./timeout 5 cargo test", "deny");
    check("Bash(cargo *)", "env X=1 cargo test", "deny");
    check("Bash(cargo *)", "sudo cargo test", "deny");
    check("Bash(cargo *)", "xargs cargo test", "allow_but_sandboxed");
    check("Bash(cargo test)", "xargs cargo test", "deny");
    check("Bash(cargo *)", "xargs -n1 cargo test", "deny");
    check("Bash(timeout 5 cargo test)", "timeout 5 cargo test", "allow");
    check("Bash(timeout *)", "timeout 5 cargo test", "deny");
    check("Bash(timeout *), Bash(cargo *)", "timeout 5 nice nice nice nice nice nice nice nice nice cargo test",
          "deny");
}

static void test_policy_run_careful_programs(void **state)
{
    (void)state;
    check("Bash(watch *), Bash(cargo *)", "watch cargo build", "deny");
    check("Bash(flock *)", "flock l cargo build", "deny");
    check("Bash(find *)", "find . -name x", "allow");
    check("Bash(find *)", "find . -delete", "deny");
    check("Bash(find *)", "find . -exec rm {} +", "deny");
    check("Bash(find . -name x -delete)", "find . -name x -delete", "allow");
    check("Bash(find * -delete)", "find . -name x -delete", "allow");
    check("Bash(find *)", "find . -name -deleted", "allow");
}

static void test_policy_run_launchers_and_built_programs(void **state)
{
    (void)state;
    check("Bash(perf *)", "perf record -F 99 -g -o p.data -- ./target/release/x", "allow");
    check("Bash(perf *)", "perf record -F 99 sh -c id", "allow_but_sandboxed");
    check("Bash(perf *), Bash(sleep *)", "perf stat -r 3 sleep 1", "allow");
    check("Bash(perf *), Bash(cargo *)", "perf --no-pager stat -e cycles cargo build", "allow");
    check("Bash(perf *)", "perf report --stdio", "allow");
    check("Bash(valgrind *)", "valgrind --leak-check=full -q ./target/debug/x /ws/in", "allow");
    check("Bash(valgrind *)", "valgrind ./target/debug/x /etc/shadow", "allow_but_sandboxed");
    check("Bash(valgrind *)", "valgrind ./x", "allow_but_sandboxed");
    check("Bash(valgrind *)", "valgrind ./target/../evil", "allow_but_sandboxed");
    check("Bash(samply *)", "samply record -o p.json -- /cache/t1/release/x", "allow");
    check("Bash(hyperfine *), Bash(cargo *)", "hyperfine 'cargo build'", "allow_but_sandboxed");
    check("Bash(git *)", "git bisect run ./evil.sh", "allow_but_sandboxed");
    check("Bash(git *), Bash(cargo *)", "git bisect run cargo test", "allow");
    check("Bash(cargo *)", "./target/release/x --flag", "allow");
    check("Bash(cargo run *)", "/cache/t1/release/x", "allow");
    check("Bash(cargo test *)", "./target/release/x", "deny");
    check("Bash(cargo *)", "./target/../../etc/x", "deny");
    check("Bash(cargo *)", "./x", "deny");
    check("Bash(git *)", "./target/release/x", "deny");
}

static void test_policy_run_variables(void **state)
{
    (void)state;
    check("Bash(cargo *)", "RUST_LOG=debug CARGO_TERM_COLOR=never RUST_BACKTRACE=1 cargo test", "allow");
    check("Bash(cargo *)", "CARGO_PROFILE_RELEASE_DEBUG=true cargo build", "allow");
    check("Bash(cargo *)", "CARGO_PROFILE_RELEASE_RUSTFLAGS=x cargo build", "deny");
    check("Bash(cargo *)", "RUSTFLAGS=-Cx cargo build", "deny");
    check("Bash(RUSTFLAGS=* cargo *)", "RUSTFLAGS=-Cx cargo build", "allow_but_sandboxed");
    check("Bash(RUSTFLAGS=* cargo *)", "cargo build", "deny");
    check("Bash(LD_PRELOAD=* cargo *)", "LD_PRELOAD=x cargo build", "deny");
    check("Bash", "PATH=. cargo build", "deny");
    check("Bash", "RUSTFLAGS=x cargo build", "allow_but_sandboxed");
    check("Bash(cargo *)", "CARGO_TARGET_DIR=target/x cargo build", "allow");
    check("Bash(cargo *)", "CARGO_TARGET_DIR=/tmp/x cargo build", "deny");
    check("Bash(RUST_BACKTRACE=* *), Bash(cargo *)", "RUST_BACKTRACE=full cargo test", "allow");
    struct decision d = asked("Bash(cargo *)", NULL, "RUSTFLAGS=-Cx cargo build");
    assert_string_equal(d.needed, "Bash(RUSTFLAGS=* cargo build *)");
}

static void test_policy_run_deny_looks_everywhere(void **state)
{
    (void)state;
    check_denied("Bash", "Bash(rm *)", "rm -rf x", true);
    check_denied("Bash", "Bash(rm *)", "/bin/rm x", true);
    check_denied("Bash", "Bash(rm *)", "cargo build && rm x", true);
    check_denied("Bash", "Bash(rm *)", "timeout 5 rm x", true);
    check_denied("Bash", "Bash(rm *)", "X=1 rm x", true);
    check_denied("Bash", "Bash(rm *)", "perf stat rm x", true);
    check_denied("Bash", "Bash(rm *)", "env X=1 rm x", true);
    check_denied("Bash", "Bash(rm *)", "sh -c 'rm x'", true);
    check_denied("Bash", "Bash(git push *)", "git -C . push", true);
    check_denied("Bash", "Bash(git push *)", "git -c a=b --no-pager push origin", true);
    check_denied("Bash", "Bash(git push *)", "git status", false);
    check_denied("Bash, Bash(rm x)", "Bash(rm *)", "rm x", true); // an allow cannot carve a hole
    check_denied("Bash", "Bash", "cargo build", true);
    check_denied("Bash", "Bash(rm a)", "xargs rm", false);
    check_denied("Bash", "Bash(rm a *)", "xargs rm a", true);
}

static void test_policy_run_shell_is_never_implied(void **state)
{
    (void)state;
    check("Bash(cargo *)", "bash -c 'cargo build'", "deny");
    check("Bash", "export X=1; cargo build", "deny");
    check("Bash", "eval id", "deny");
    check("Bash", "source x.sh", "deny");
    check("Bash(bash *)", "bash -c 'cargo build'", "allow_but_sandboxed");
    check("Bash(bash scripts/x.sh)", "bash scripts/x.sh", "allow");
}

static void test_policy_run_argv_form(void **state)
{
    (void)state;
    struct err err = {0};
    struct decision d;
    struct policy *p = policy_new("x");
    assert_ok(policy_allow(p, "Bash(cargo test *)", "a.md", 12, &err), &err);
    decide_argv(p, &CONTEXT, (const char *const[]){"cargo", "test", "--", "a b;c", "$(x)", "\n", NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    assert_string_equal(d.where, "a.md:12");
    decide_argv(p, &CONTEXT, (const char *const[]){"cargo test", "x", NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_argv(p, &CONTEXT, (const char *const[]){"cargo", "test\x1fx", NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_argv(p, &CONTEXT, (const char *const[]){NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_argv(p, &CONTEXT, (const char *const[]){"", NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_argv(p, &CONTEXT, (const char *const[]){"cargo", "test", NULL}, (const char *const[]){"RUST_LOG=x", NULL},
                &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    decide_argv(p, &CONTEXT, (const char *const[]){"cargo", "test", NULL}, (const char *const[]){"garbage", NULL}, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_argv(p, &CONTEXT, (const char *const[]){"с\xd0\xb0rgo", "test", NULL}, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_free(p);
}

// What is advised, added to the list, makes the decision an allow.
static void test_policy_run_advice_helps(void **state)
{
    (void)state;
    static const char *const CALLS[][2] = {
        {"cargo -vV", "Bash(cargo -vV)"},
        {"cargo", "Bash(cargo)"},
        {"cargo test -q", "Bash(cargo test *)"},
        {"cargo +stable test", "Bash(cargo +stable test *)"},
        {"cargo --color never build", "Bash(cargo --color never build *)"},
        {"git -C x log", "Bash(git -C x log *)"},
        {"git log --oneline", "Bash(git log *)"},
        {"git --version", "Bash(git --version)"},
        {"git", "Bash(git)"},
        {"perf stat ls", "Bash(perf stat *), Bash(ls *)"},
        {"perf record -g ./target/release/x", "Bash(perf record *)"},
        {"perf --no-pager stat cargo bench", "Bash(perf --no-pager stat *), Bash(cargo bench *)"},
        {"samply record ./target/release/x", "Bash(samply record *)"},
        {"rustup run stable cargo build", "Bash(rustup run *), Bash(cargo build *)"},
        {"setsid cargo build", "Bash(setsid cargo build), Bash(cargo build *)"},
        {"flock l cargo build", "Bash(flock l cargo build), Bash(cargo build *)"},
        {"ionice -c 3 cargo build", "Bash(ionice -c 3 cargo build), Bash(cargo build *)"},
        {"find . -name '*.o' -delete", "Bash(find . -name *.o -delete)"},
        {"find . -name x", "Bash(find *)"},
        {"valgrind ls", "Bash(valgrind *), Bash(ls *)"},
        {"timeout 5 ls", "Bash(ls *)"},
        {"nice timeout 5 cargo fmt", "Bash(cargo fmt *)"},
        {"strace ls -l", "Bash(strace *), Bash(ls *)"},
        {"strace valgrind ls", "Bash(strace *), Bash(valgrind *), Bash(ls *)"},
        {"ls 'a b' \"it's\" ''", "Bash(ls *)"},
        {"git 'co it'", "Bash(git 'co it' *)"},
        {"git \"it's\"", "Bash(git \"it's\" *)"},
        {"git 'a\"b'", "Bash(git 'a\"b' *)"},
        {"flock l echo 'a\"b' c", "Bash(flock l echo 'a\"b' c), Bash(echo *)"},
        {"./target/release/x", "Bash(./target/release/x *)"},
        {"/bin/ls", "Bash(/bin/ls *)"},
        {"LANG=C ls", "Bash(ls *)"},
        {"ls > out.txt", "Bash(ls *), Edit(/out.txt)"},
        {"ls < in.txt 2> err.txt", "Bash(ls *), Read(/in.txt), Edit(/err.txt)"},
        {"ls && cargo build; git log", "Bash(ls *), Bash(cargo build *), Bash(git log *)"},
        {"ls | grep x | ls", "Bash(ls *), Bash(grep *)"},
        {"true && cd a && ls > x", "Bash(ls *), Edit(/a/x)"},
        {"true && cd a && true; true > x", "Edit(/a/x), Edit(/x)"},
        {"git bisect run cargo test", "Bash(git bisect *), Bash(cargo test *)"},
        {"heaptrack ./target/debug/x", "Bash(heaptrack *)"},
        {"tee", "Bash(tee *)"},
        {"xargs -n1 cargo test", "Bash(xargs *), Bash(cargo test *)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        struct decision d = asked("Bash(true *)", NULL, CALLS[i][0]);
        assert_int_equal(d.verdict, POLICY_DENY);
        if (!str_eq(d.needed, CALLS[i][1]))
            fail_msg("%s: '%s', not '%s'", CALLS[i][0], d.needed, CALLS[i][1]);
        AUTO_FREE char *rules = str_printf("Bash(true *), %s", d.needed);
        check(rules, CALLS[i][0], "allow");
    }
    // A rule helps, and the box bounds what the call reaches for.
    static const char *const BOXED[][2] = {
        {"watch cargo build", "Bash(watch cargo build)"},
        {"A=1 LANG=C B=2 cargo build", "Bash(A=* B=* cargo build *)"},
        {"xargs cargo", "Bash(cargo *)"},
        {"git -c core.pager=x log", "Bash(git -c core.pager=x log *)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(BOXED); i++) {
        struct decision d = asked("Bash(true *)", NULL, BOXED[i][0]);
        assert_string_equal(d.needed, BOXED[i][1]);
        check(d.needed, BOXED[i][0], "allow_but_sandboxed");
    }
    static const char *const HOPELESS[] = {"'cargo build'", "ls && 'cargo build'", "ls > .git/config",
                                           "cd .. && ls",   "ls && eval x",        "timeout --what 5 ls"};
    for (size_t i = 0; i < ARRAY_LEN(HOPELESS); i++)
        assert_string_equal(asked("Bash(true *)", NULL, HOPELESS[i]).needed, "");
    assert_string_equal(asked("Bash(true *)", "Bash(rm *)", "ls && rm x").needed, "");
    assert_non_null(strstr(asked("Bash(true *)", NULL, "'cargo build'").reason, "give each word by itself"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_run_matching),
        cmocka_unit_test(test_policy_run_compound),
        cmocka_unit_test(test_policy_run_cd),
        cmocka_unit_test(test_policy_run_redirects),
        cmocka_unit_test(test_policy_run_wrappers),
        cmocka_unit_test(test_policy_run_careful_programs),
        cmocka_unit_test(test_policy_run_launchers_and_built_programs),
        cmocka_unit_test(test_policy_run_variables),
        cmocka_unit_test(test_policy_run_deny_looks_everywhere),
        cmocka_unit_test(test_policy_run_shell_is_never_implied),
        cmocka_unit_test(test_policy_run_argv_form),
        cmocka_unit_test(test_policy_run_advice_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

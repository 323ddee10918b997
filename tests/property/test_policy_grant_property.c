// Over random delegation trees: what an agent may do is never more than what its caller could grant, nor more than its
// own file declares; grants only shrink on the way down. The calls that are tried include those the rules in play speak
// about. Argument: number of trees (default 100000).
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/grant.h"
#include "policy/policy_cases.h"

#include <stdint.h>
#include <string.h>

static const char *const RULES[] = {
    "Read",
    "Write",
    "Edit",
    "Bash",
    "Bash(cargo *)",
    "Bash(git *)",
    "Bash(git log *)",
    "Bash(cargo test)",
    "Read(src/**)",
    "Edit(/src/**)",
    "Read(*.rs)",
    "Grep",
    "WebFetch",
    "WebFetch(domain:docs.rs)",
    "WebFetch(domain:*.rs)",
    "mcp__github",
    "mcp__github__get_*",
    "Skill(lint)",
    "TodoWrite",
};

static const struct {
    const char *tool, *input;
} CALLS[] = {
    {"Read", "src/a.rs"},
    {"Read", "x/b.txt"},
    {"Write", "src/a.rs"},
    {"Edit", "docs/a.md"},
    {"Grep", "src"},
    {"Bash", "cargo test"},
    {"Bash", "git log -1"},
    {"Bash", "cargo test && git push"},
    {"Bash", "timeout 5 cargo build"},
    {"Bash", "./target/release/x"},
    {"Bash", "cargo run > src/o"},
    {"WebFetch", "https://docs.rs/x"},
    {"WebFetch", "https://a.b.rs/"},
    {"mcp__github__get_x", "{}"},
    {"mcp__github__del", "{}"},
    {"Skill", "lint"},
    {"TodoWrite", "{}"},
    {"Task", "a1"},
};

enum { AGENTS = 5, DEPTH = 4 };

static unsigned trees = 100000;
static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13; // xorshift: the same trees on every machine
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 33) % n);
}

static struct policy *random_policy(bool starts_agents)
{
    struct err err = {0};
    struct policy *p = policy_new("p");
    unsigned lists = pick(8) == 0 ? 2 : 1;
    for (unsigned l = 0; l < lists; l++) {
        policy_next_list(p);
        for (unsigned n = pick(4) + (l > 0); n > 0; n--)
            assert_ok(policy_allow(p, RULES[pick(ARRAY_LEN(RULES))], "f", 1, &err), &err);
        if (starts_agents)
            assert_ok(policy_allow(p, "Task", "f", 2, &err), &err);
    }
    if (pick(4) == 0)
        assert_ok(policy_deny(p, RULES[pick(ARRAY_LEN(RULES))], "f", 3, &err), &err);
    return p;
}

static enum policy_verdict verdict(const struct policy *p, size_t call)
{
    static const char *const BUILT[] = {"/ws/target", NULL};
    static const struct policy_context CONTEXT = {.workspace = "/ws", .built = BUILT};
    struct decision d;
    policy_check(p, &CONTEXT, CALLS[call].tool, CALLS[call].input, &d);
    return d.verdict;
}

// Everything `narrow` allows, `wide` allows too.
static void assert_within(const struct policy *narrow, const struct policy *wide, const char *what)
{
    size_t begin = pick(ARRAY_LEN(CALLS));
    for (size_t i = 0; i < 6; i++) {
        size_t call = (begin + i) % ARRAY_LEN(CALLS);
        if (verdict(narrow, call) != POLICY_DENY && verdict(wide, call) == POLICY_DENY)
            fail_msg("%s: %s \"%s\" is allowed below, but not above", what, CALLS[call].tool, CALLS[call].input);
    }
}

// Returns how many delegations were made below `caller`.
static unsigned descend(struct grant *caller, const struct grant_declaration *set)
{
    unsigned made = 0;
    for (unsigned tries = 1 + pick(2); tries > 0; tries--) {
        const struct grant_declaration *next = &set[pick(AGENTS)];
        struct grant *child = NULL;
        struct err err = {0};
        if (grant_delegate(caller, next, &child, &err) < 0)
            continue;
        assert_within(grant_use(child), next->use, "use against the own declaration");
        if (grant_rest(caller)) {
            assert_non_null(grant_rest(child));
            assert_within(grant_use(child), grant_rest(caller), "use against the caller's grant");
            assert_within(grant_rest(child), grant_rest(caller), "grant against the caller's grant");
        }
        if (next->attenuate)
            assert_within(grant_rest(child), grant_use(child), "grant of an attenuating agent against its use");
        made += 1 + descend(child, set);
        grant_free(child);
    }
    return made;
}

static void test_policy_grant_rights_only_narrow(void **state)
{
    (void)state;
    static const char *const NAMES[AGENTS] = {"a0", "a1", "a2", "a3", "a4"};
    unsigned long made = 0, allowed = 0;
    for (unsigned t = 0; t < trees; t++) {
        struct grant_declaration set[AGENTS];
        for (size_t i = 0; i < AGENTS; i++)
            set[i] = (struct grant_declaration){NAMES[i], random_policy(pick(4) > 0),
                                                pick(2) ? random_policy(pick(2)) : NULL, pick(5) == 0};
        struct policy *ceiling = pick(2) ? random_policy(true) : NULL;
        struct grant *root = grant_root_new(&set[0], ceiling, (struct grant_limits){DEPTH, 16});
        if (ceiling)
            assert_within(grant_use(root), ceiling, "the first agent against the ceiling");
        allowed += verdict(grant_use(root), pick(ARRAY_LEN(CALLS))) != POLICY_DENY;
        made += descend(root, set);
        grant_free(root);
        policy_free(ceiling);
        for (size_t i = 0; i < AGENTS; i++) {
            policy_free((struct policy *)(uintptr_t)set[i].use);
            policy_free((struct policy *)(uintptr_t)set[i].grant);
        }
    }
    assert_true(made > trees / 4);     // the trees have branches …
    assert_true(allowed > trees / 50); // … and agents that may do something
}

int main(int argc, char **argv)
{
    int64_t n = 0;
    if (argc > 1 && str_to_i64(argv[1], &n) && n > 0 && n <= 100000000)
        trees = (unsigned)n;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_policy_grant_rights_only_narrow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

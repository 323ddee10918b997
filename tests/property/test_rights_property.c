// Over random delegation trees: what an agent may do is never more than what its caller could grant, nor more than its
// own file declares; grants only shrink on the way down. The calls that are tried include those the rules in play speak
// about. Argument: number of trees (default 20000).
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"
#include "rights/rights.h"

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

static unsigned trees = 20000;
static uint64_t seed = 0x9e3779b97f4a7c15u;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13; // xorshift: the same trees on every machine
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 33) % n);
}

// A file as the loader leaves it. The texts are shared and never freed.
static void random_list(struct agent_tool **items, size_t *count, unsigned most)
{
    static struct agent_tool all[ARRAY_LEN(RULES)];
    static struct agent_tool room[1 << 16];
    static size_t used;
    for (size_t i = 0; i < ARRAY_LEN(RULES); i++)
        all[i] = (struct agent_tool){.text = (char *)(uintptr_t)RULES[i], .line = 1};
    if (used + most > ARRAY_LEN(room))
        used = 0;
    *items = &room[used];
    *count = pick(most + 1);
    for (size_t i = 0; i < *count; i++)
        room[used++] = all[pick(ARRAY_LEN(RULES))];
}

static void random_file(struct agentfile *f, const char *name)
{
    static const enum agent_tools_state STATES[] = {AGENT_TOOLS_LIST, AGENT_TOOLS_LIST,   AGENT_TOOLS_LIST,
                                                    AGENT_TOOLS_LIST, AGENT_TOOLS_ABSENT, AGENT_TOOLS_EMPTY,
                                                    AGENT_TOOLS_ALL};
    *f = (struct agentfile){.file = (char *)(uintptr_t)name,
                            .name = (char *)(uintptr_t)name,
                            .tools_state = STATES[pick(ARRAY_LEN(STATES))]};
    if (f->tools_state == AGENT_TOOLS_LIST)
        random_list(&f->tools.items, &f->tools.len, 4);
    if (pick(4) == 0)
        random_list(&f->disallowed.items, &f->disallowed.len, 1);
    f->attenuate = pick(5) == 0;
    f->grants_declared = pick(3) == 0;
    if (f->grants_declared)
        random_list(&f->grants.items, &f->grants.len, 4);
}

static struct policy *rights(const struct agentfile *f, const json_t *operator_rules, const json_t *bounds)
{
    struct err err = {0};
    struct policy *p = NULL;
    assert_ok(rights_new(f->file, f, operator_rules, bounds, &p, &err), &err);
    return p;
}

static json_t *random_rows(unsigned most)
{
    json_t *rows = json_array();
    for (unsigned n = pick(most + 1); n > 0; n--)
        json_array_append_new(rows, json_pack("[si]", RULES[pick(ARRAY_LEN(RULES))], 1));
    return rows;
}

static json_t *random_ceiling(void)
{
    json_t *bound = json_object();
    json_put_str(bound, "of", "site");
    if (pick(3))
        json_put(bound, "allow", random_rows(6));
    if (pick(3) == 0)
        json_put(bound, "deny", random_rows(2));
    return json_pack("[o]", bound);
}

// What a list of bounds lets through by itself: an agent that asks for all there is.
static struct policy *of_bounds(const json_t *bounds)
{
    static struct agentfile everything = {.file = (char *)(uintptr_t) "all", .tools_state = AGENT_TOOLS_LIST};
    static struct agent_tool all[] = {
        {.text = (char *)(uintptr_t) "Read"},  {.text = (char *)(uintptr_t) "Write"},
        {.text = (char *)(uintptr_t) "Edit"},  {.text = (char *)(uintptr_t) "Grep"},
        {.text = (char *)(uintptr_t) "Bash"},  {.text = (char *)(uintptr_t) "WebFetch"},
        {.text = (char *)(uintptr_t) "Skill"}, {.text = (char *)(uintptr_t) "TodoWrite"},
        {.text = (char *)(uintptr_t) "Task"},  {.text = (char *)(uintptr_t) "mcp__github"}};
    everything.tools.items = all;
    everything.tools.len = ARRAY_LEN(all);
    return rights(&everything, NULL, bounds);
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

static json_t *operator_rules;

// Returns how many delegations were made below the caller, which hands on `rest`.
static unsigned descend(const struct agentfile *caller, const struct policy *caller_use, const json_t *rest,
                        const struct agentfile *set, unsigned depth)
{
    unsigned made = 0;
    struct policy *limit = of_bounds(rest);
    for (unsigned tries = depth ? pick(3) : 1; depth < DEPTH && tries > 0; tries--) {
        const struct agentfile *next = &set[pick(AGENTS)];
        json_t *bounds = rest ? json_incref((json_t *)(uintptr_t)rest) : NULL;
        if (pick(3) == 0) { // it also works with the handoff of somebody else
            AUTO_JSON json_t *other = rights_handed_on_new(&set[pick(AGENTS)], operator_rules, NULL);
            rights_narrow(&bounds, other);
        }
        struct policy *use = rights(next, operator_rules, bounds), *own = rights(next, operator_rules, NULL);
        AUTO_JSON json_t *below = rights_handed_on_new(next, operator_rules, bounds);
        struct policy *hands_on = of_bounds(below);
        assert_within(use, limit, "use against what the caller hands on");
        if (next->tools_state == AGENT_TOOLS_LIST)
            assert_within(use, own, "use against the own declaration");
        if (caller->attenuate)
            assert_within(use, caller_use, "use against that of an attenuating caller");
        assert_within(hands_on, limit, "what is handed on against what the caller handed on");
        if (next->attenuate)
            assert_within(hands_on, use, "what an attenuating agent hands on against its use");
        made += 1 + descend(next, use, below, set, depth + 1);
        policy_free(use);
        policy_free(own);
        policy_free(hands_on);
        json_decref(bounds);
    }
    policy_free(limit);
    return made;
}

static void test_rights_only_narrow(void **state)
{
    (void)state;
    static const char *const NAMES[AGENTS] = {"a0", "a1", "a2", "a3", "a4"};
    unsigned long made = 0, allowed = 0;
    for (unsigned t = 0; t < trees; t++) {
        struct agentfile set[AGENTS];
        for (size_t i = 0; i < AGENTS; i++)
            random_file(&set[i], NAMES[i]);
        operator_rules = pick(4) ? NULL : json_pack("[s]", RULES[pick(ARRAY_LEN(RULES))]);
        json_t *site = pick(2) ? random_ceiling() : NULL;
        struct policy *use = rights(&set[0], operator_rules, site), *limit = of_bounds(site);
        assert_within(use, limit, "the first agent against the ceiling");
        allowed += verdict(use, pick(ARRAY_LEN(CALLS))) != POLICY_DENY;
        AUTO_JSON json_t *rest = rights_handed_on_new(&set[0], operator_rules, site);
        made += descend(&set[0], use, rest, set, 0);
        policy_free(use);
        policy_free(limit);
        json_decref(site);
        json_decref(operator_rules);
    }
    assert_true(made > trees / 4);     // the trees have branches …
    assert_true(allowed > trees / 50); // … and agents that may do something
}

int main(int argc, char **argv)
{
    int64_t n = 0;
    if (argc > 1 && str_to_i64(argv[1], &n) && n > 0 && n <= 100000000)
        trees = (unsigned)n;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rights_only_narrow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

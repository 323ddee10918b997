// Rule texts: anything loads or is refused with its place; what loads can be copied, asked about many calls, and says
// the same twice.
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct policy *p)
{
    static const struct policy_context CONTEXT = {.workspace = "/ws", .cwd = "/ws/a", .home = "/home/me"};
    struct decision d;
    decide_argv(p, &CONTEXT, (const char *const[]){"git", "log", "--oneline", "main", NULL},
                (const char *const[]){"A=1", NULL}, &d);
    decide_path(p, &CONTEXT, "Write", "src/a/b.rs", &d);
    decide_path(p, &CONTEXT, "Grep", "src/**/*.rs", &d);
    decide_url(p, "WebFetch", "https://a.b.docs.rs/x", 21, &d);
    decide_agent(p, "rust-developer", &d);
    decide_name(p, "mcp__github__get_issue", "{}", &d);
    decide_name(p, "Skill", "lint all", &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = str_ndup((const char *)data, size);
    for (int deny = 0; deny < 2; deny++) {
        struct rule r;
        struct err err = {0};
        char *warning = NULL;
        if (rule_parse(text, "f.md", 3, deny, &r, &warning, &err) < 0) {
            if (err.code != ERR_INVALID || !str_starts(err.text, "f.md:3: "))
                abort();
            continue;
        }
        mem_free(warning);
        rule_clear(&r);
        struct policy *p = policy_new("x");
        if ((deny ? policy_deny(p, text, "f.md", 3, NULL) : policy_allow(p, text, "f.md", 3, NULL)) < 0)
            abort();
        ask(p);
        policy_free(p);
    }
    mem_free(text);
    return 0;
}

// Command texts: refused or parsed within the limits; what is parsed holds none of the bytes a shell would act on
// outside quotes, and a command no rule names is never allowed.
#include "base/str.h"
#include "policy/command.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct command *c)
{
    if (c->count == 0 || c->count > POLICY_STAGES_MAX || c->stages[c->count - 1].join != JOIN_END)
        abort();
    for (size_t i = 0; i < c->count; i++) {
        const struct stage *s = &c->stages[i];
        size_t n = 0;
        while (s->argv[n])
            n++;
        if (n == 0 || n != s->argc || !s->argv[0][0] || n > POLICY_WORDS_MAX)
            abort();
        for (size_t k = 0; k < s->redirect_count; k++)
            if (s->redirects[k].fd < 0 || s->redirects[k].fd > 2 ||
                (s->redirects[k].kind != REDIRECT_DUP && !s->redirects[k].target))
                abort();
        for (size_t k = 0; s->env[k]; k++)
            if (!strchr(s->env[k], '='))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const BUILT[] = {"/ws/target", NULL};
    static const struct policy_context CONTEXT = {.workspace = "/ws", .home = "/home/me", .built = BUILT};
    static struct policy *everything, *one;
    const char *text = (const char *)data;
    struct command *c = NULL;
    struct err err = {0};
    struct decision d;
    if (!one) {
        everything = policy_new("everything");
        one = policy_new("one");
        if (policy_allow(everything, "Bash", "f", 1, NULL) < 0 || policy_allow(everything, "Edit", "f", 1, NULL) < 0 ||
            policy_allow(one, "Bash(onlythis)", "f", 1, NULL) < 0)
            abort();
    }
    bool parsed = command_parse(text, size, &c, &err) == 0;
    if (parsed)
        check(c);
    else if (!err.text[0])
        abort();
    decide_command_n(everything, &CONTEXT, text, size, &d);
    if (d.verdict != POLICY_DENY && !parsed)
        abort();
    decide_command_n(one, &CONTEXT, text, size, &d);
    for (size_t i = 0; parsed && d.verdict != POLICY_DENY && i < c->count; i++) {
        bool named = false; // "onlythis" itself, behind a wrapper, or a change of folder
        for (size_t k = 0; c->stages[i].argv[k]; k++)
            named = named || strcmp(c->stages[i].argv[k], "onlythis") == 0;
        if (!named && strcmp(c->stages[i].argv[0], "cd") != 0)
            abort();
    }
    command_free(parsed ? c : NULL);
    return 0;
}

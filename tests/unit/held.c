#include "held.h"

#include "support/support.h"

#include "policy/policy.h"

void held_open(struct held *h, const char *root)
{
    struct err err;
    h->policy = policy_new("test-agent");
    assert_ok(policy_allow(h->policy, "Edit", "agent.md", 1, &err), &err);
    const struct exec_places places = {.workspace = root, .home = root};
    assert_ok(exec_context_new(h->policy, &places, &h->exec, &err), &err);
    assert_ok(files_open(h->exec, root, &h->files, &err), &err);
}

void held_close(struct held *h)
{
    files_free(h->files);
    exec_context_free(h->exec);
    policy_free(h->policy);
}

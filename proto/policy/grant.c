// Rights are lists of rules and an intersection is the lists side by side, so that "never more than the caller's grant"
// holds by construction: every list of the grant has to allow, too.
#include "policy/grant.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct tree {
    struct grant_limits limits;
    unsigned total, users;
};

struct grant {
    const struct grant_declaration *agent;
    const struct grant *caller; // NULL for the first one
    struct policy *use, *rest;
    unsigned depth;
    struct tree *tree;
};

static struct policy *both(const struct policy *own, const struct policy *granted)
{
    struct policy *p = policy_copy_new(own);
    if (granted)
        policy_restrict(p, granted);
    return p;
}

// What `agent` may hand on, when it was given `granted` (NULL: anything) and may use `use`.
static struct policy *rest_of(const struct grant_declaration *agent, const struct policy *use,
                              const struct policy *granted)
{
    if (agent->attenuate)
        return agent->grant ? both(agent->grant, use) : policy_copy_new(use);
    if (agent->grant)
        return both(agent->grant, granted);
    return granted ? policy_copy_new(granted) : NULL;
}

static struct grant *make(const struct grant_declaration *agent, const struct policy *granted,
                          const struct grant *caller, struct tree *tree)
{
    struct grant *g = mem_alloc(sizeof(*g));
    g->agent = agent;
    g->caller = caller;
    g->depth = caller ? caller->depth + 1 : 0;
    g->tree = tree;
    tree->users++;
    g->use = both(agent->use, granted);
    g->rest = rest_of(agent, g->use, granted);
    return g;
}

struct grant *grant_root_new(const struct grant_declaration *agent, const struct policy *ceiling,
                             struct grant_limits limits)
{
    struct tree *tree = mem_alloc(sizeof(*tree));
    tree->limits.depth = limits.depth ? limits.depth : GRANT_DEPTH_DEFAULT;
    tree->limits.total = limits.total ? limits.total : GRANT_TOTAL_DEFAULT;
    if (tree->limits.depth > GRANT_DEPTH_MAX)
        tree->limits.depth = GRANT_DEPTH_MAX;
    return make(agent, ceiling, NULL, tree);
}

static int refuse_cycle(const struct grant *caller, const char *name, struct err *err)
{
    struct buf chain = BUF_MAX(400);
    const struct grant *path[GRANT_DEPTH_MAX + 1];
    size_t n = 0;
    for (const struct grant *g = caller; g && n < ARRAY_LEN(path); g = g->caller)
        path[n++] = g;
    for (size_t i = n; i-- > 0;)
        buf_printf(&chain, "%s -> ", path[i]->agent->name);
    int rc =
        err_set(err, ERR_CONFLICT, "agent \"%s\" is already at work further up: %s%s", name, buf_str(&chain), name);
    buf_free(&chain);
    return rc;
}

int grant_delegate(struct grant *caller, const struct grant_declaration *agent, struct grant **ret, struct err *err)
{
    struct decision d;
    decide_agent(caller->use, agent->name, &d);
    if (d.verdict == POLICY_DENY)
        return err_set(err, ERR_DENIED, "agent \"%s\" may not start \"%s\": %s (needed: %s)", caller->agent->name,
                       agent->name, d.reason, d.needed);
    for (const struct grant *g = caller; g; g = g->caller)
        if (strcmp(g->agent->name, agent->name) == 0)
            return refuse_cycle(caller, agent->name, err);
    if (caller->depth >= caller->tree->limits.depth)
        return err_set(err, ERR_LIMIT, "agent \"%s\" may not start \"%s\": the delegation depth of %u is reached",
                       caller->agent->name, agent->name, caller->tree->limits.depth);
    if (caller->tree->total >= caller->tree->limits.total)
        return err_set(err, ERR_LIMIT, "agent \"%s\" may not start \"%s\": the limit of %u delegations is reached",
                       caller->agent->name, agent->name, caller->tree->limits.total);
    caller->tree->total++;
    *ret = make(agent, caller->rest, caller, caller->tree);
    return 0;
}

void grant_free(struct grant *g)
{
    if (!g)
        return;
    policy_free(g->use);
    policy_free(g->rest);
    if (--g->tree->users == 0)
        mem_free(g->tree);
    mem_free(g);
}

const struct policy *grant_use(const struct grant *g)
{
    return g->use;
}

const struct policy *grant_rest(const struct grant *g)
{
    return g->rest;
}

unsigned grant_depth(const struct grant *g)
{
    return g->depth;
}

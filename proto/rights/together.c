#include "rights/together.h"

#include "base/mem.h"
#include "policy/closure.h"

// What `grants` lists as a policy of its own; NULL: the file has no such list.
static struct policy *hands_on_new(const struct agentfile *file)
{
    if (!file->grants_declared)
        return NULL;
    struct policy *p = policy_new(file->name);
    policy_next_list(p);
    for (size_t i = 0; i < file->grants.len; i++)
        policy_allow(p, file->grants.items[i].text, file->file, file->grants.items[i].line, NULL);
    return p;
}

json_t *rights_together_new(const struct agentfile *const *agents, size_t count, const json_t *operator_rules,
                            const json_t *bounds, struct err *err)
{
    struct closure_agent *set = mem_array(count ? count : 1, sizeof(*set));
    struct policy **owned = mem_array(2 * (count ? count : 1), sizeof(struct policy *));
    json_t *out = NULL;
    for (size_t i = 0; i < count; i++) {
        struct policy *use = NULL;
        if (rights_new(agents[i]->name, agents[i], operator_rules, bounds, &use, NULL) < 0)
            use = policy_new(agents[i]->name);
        owned[2 * i] = use;
        owned[2 * i + 1] = hands_on_new(agents[i]);
        set[i] = (struct closure_agent){
            .name = agents[i]->name, .use = use, .grant = owned[2 * i + 1], .attenuate = agents[i]->attenuate};
    }
    if (closure_of(set, count, &out, err) < 0)
        out = NULL;
    for (size_t i = 0; i < 2 * count; i++)
        policy_free(owned[i]);
    mem_free(owned);
    mem_free(set);
    return out;
}

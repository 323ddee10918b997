#include "rules.h"

#include "agentfile/agentfile.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "rights/rights.h"

#include <string.h>

static int build(const json_t *assignment, struct rules *ret, struct err *err)
{
    const json_t *agent = json_obj(assignment, "agent"), *bounds = json_list(assignment, "bounds");
    const char *text = json_str(agent, "text", NULL), *name = json_str(agent, "name", "agent");
    struct agentfile *file = NULL;
    enum agent_network network = AGENT_NETWORK_UNSAID;
    int r = text ? agentfile_parse(json_str(agent, "path", "agent.md"), text, strlen(text), &file, err) : 0;
    if (r == 0)
        r = rights_network(name, file, bounds, &network, err);
    if (r == 0)
        r = rights_new(name, file, json_list(assignment, "operator_rules"), bounds, &ret->policy, err);
    if (r == 0)
        ret->network = (enum exec_network)network; // the grades of both are the same, in the same order
    agentfile_free(file);
    return r;
}

int rules_load(struct rules *rules, const json_t *assignment, const struct policy **ret_policy, struct err *err)
{
    static const char *const PARTS[] = {"agent", "operator_rules", "bounds"};
    AUTO_JSON json_t *source = json_array();
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        json_t *part = json_object_get(assignment, PARTS[i]);
        json_array_append_new(source, part ? json_incref(part) : json_null());
    }
    char key[65];
    json_hash(source, key);
    if (!rules->policy || strcmp(key, rules->key) != 0) {
        struct rules made = {0};
        int r = build(assignment, &made, err);
        if (r < 0)
            return r;
        policy_free(rules->policy);
        *rules = made;
        memcpy(rules->key, key, sizeof(key));
    }
    *ret_policy = rules->policy;
    return 0;
}

void rules_free(struct rules *rules)
{
    policy_free(rules->policy);
    *rules = (struct rules){0};
}

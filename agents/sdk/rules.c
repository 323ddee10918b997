#include "rules.h"

#include "agentfile/agentfile.h"
#include "base/mem.h"
#include "base/str.h"
#include "rights/rights.h"

#include <string.h>

static int build(const json_t *assignment, struct policy **ret, struct err *err)
{
    const json_t *agent = json_obj(assignment, "agent");
    const char *text = json_str(agent, "text", NULL);
    struct agentfile *file = NULL;
    int r = text ? agentfile_parse(json_str(agent, "path", "agent.md"), text, strlen(text), &file, err) : 0;
    if (r == 0)
        r = rights_new(json_str(agent, "name", "agent"), file, json_list(assignment, "operator_rules"),
                       json_list(assignment, "bounds"), ret, err);
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
        struct policy *policy = NULL;
        int r = build(assignment, &policy, err);
        if (r < 0)
            return r;
        policy_free(rules->policy);
        rules->policy = policy;
        memcpy(rules->key, key, sizeof(key));
    }
    *ret_policy = rules->policy;
    return 0;
}

void rules_free(struct rules *rules)
{
    policy_free(rules->policy);
    rules->policy = NULL;
}

#include "rules.h"

#include "agentfile/agentfile.h"
#include "base/mem.h"
#include "policy/policy.h"

#include <string.h>

// The loader has intersected several lists of the file already, so they are one list here. "*" and a file without any list mean
// "what the deployment allows", and that is what the operator's rules say.
static int add_file_rules(struct policy *policy, const struct agentfile *file, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < file->tools.len && r == 0 && file->tools_state == AGENT_TOOLS_LIST; i++)
        r = policy_allow(policy, file->tools.items[i].text, file->file, file->tools.items[i].line, err);
    for (size_t i = 0; i < file->disallowed.len && r == 0; i++)
        r = policy_deny(policy, file->disallowed.items[i].text, file->file, file->disallowed.items[i].line, err);
    return r;
}

static int add_operator_rules(struct policy *policy, const json_t *rules, struct err *err)
{
    size_t i;
    json_t *rule;
    json_array_foreach (rules, i, rule) {
        if (!json_is_string(rule))
            return err_set(err, ERR_INVALID, "operator rule %zu must be a string", i + 1);
        int r = policy_allow(policy, json_string_value(rule), "operator rules", (int)i + 1, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int build(const json_t *agent, const json_t *operator_rules, struct policy **ret, struct err *err)
{
    const char *text = json_str(agent, "text", NULL);
    struct agentfile *file = NULL;
    int r = text ? agentfile_parse(json_str(agent, "path", "agent.md"), text, strlen(text), &file, err) : 0;
    if (r < 0)
        return r;
    struct policy *policy = policy_new(json_str(agent, "name", "agent"));
    r = file ? add_file_rules(policy, file, err) : 0;
    if (r == 0)
        r = add_operator_rules(policy, operator_rules, err);
    agentfile_free(file);
    if (r < 0) {
        policy_free(policy);
        return r;
    }
    *ret = policy;
    return 0;
}

int rules_load(struct rules *rules, const json_t *assignment, const struct policy **ret_policy, struct err *err)
{
    json_t *agent = json_obj(assignment, "agent");
    json_t *operator_rules = json_list(assignment, "operator_rules");
    AUTO_JSON json_t *source = json_array();
    json_array_append_new(source, agent ? json_incref(agent) : json_null());
    json_array_append_new(source, operator_rules ? json_incref(operator_rules) : json_null());
    char key[65];
    json_hash(source, key);
    if (!rules->policy || strcmp(key, rules->key) != 0) {
        struct policy *policy = NULL;
        int r = build(agent, operator_rules, &policy, err);
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

#include "rights/site.h"

#include "agentfile/agentfile.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"

static int take_network(const char *word, const char *path, int number, const char **network, struct err *err)
{
    for (enum agent_network n = AGENT_NETWORK_NONE; n <= AGENT_NETWORK_HOST; n++) {
        const char *name = agent_network_name(n);
        if (!str_eq(word, name))
            continue;
        if (*network)
            return err_set(err, ERR_PARSE, "%s:%d: network is said twice", path, number);
        *network = name;
        return 0;
    }
    return err_set(err, ERR_PARSE, "%s:%d: network is '%.40s', expected none, lo or host", path, number, word);
}

static int take_line(char *line, const char *path, int number, json_t *allow, json_t *deny, const char **network,
                     struct err *err)
{
    char *text = str_trim(line), *rule = NULL;
    if (!*text || *text == '#')
        return 0;
    if (str_starts(text, "network "))
        return take_network(str_trim(text + 8), path, number, network, err);
    json_t *rows = str_starts(text, "allow ") ? allow : str_starts(text, "deny ") ? deny : NULL;
    if (rows)
        rule = str_trim(text + (rows == allow ? 6 : 5));
    if (!rule || !*rule)
        return err_set(
            err, ERR_PARSE,
            "%s:%d: expected 'allow RULE', 'deny RULE' or 'network none|lo|host', as in 'allow Bash(cargo *)'", path,
            number);
    int r =
        rows == deny ? policy_deny_check(rule, path, number, err) : policy_rule_check(rule, path, number, NULL, err);
    if (r < 0)
        return r;
    json_t *row = json_array();
    json_add_str(row, rule);
    json_array_append_new(row, json_integer(number));
    json_array_append_new(rows, row);
    return 0;
}

int site_parse(const char *text, const char *path, json_t **ret, struct err *err)
{
    json_t *allow = json_array(), *deny = json_array();
    const char *network = NULL;
    char **lines = str_split(text, "\n", false, NULL);
    int r = 0;
    for (int i = 0; lines[i] && r == 0; i++)
        r = take_line(lines[i], path, i + 1, allow, deny, &network, err);
    str_list_free(lines);
    if (r == 0 && json_array_size(allow) + json_array_size(deny) > POLICY_RULES_MAX)
        r = err_set(err, ERR_LIMIT, "%s: more than %d rules", path, POLICY_RULES_MAX);
    if (r == 0 && (json_array_size(allow) + json_array_size(deny) > 0 || network)) {
        *ret = json_object();
        json_put_str(*ret, "of", path);
        if (json_array_size(allow))
            json_put(*ret, "allow", json_incref(allow));
        if (json_array_size(deny))
            json_put(*ret, "deny", json_incref(deny));
        if (network)
            json_put_str(*ret, "network", network);
    }
    json_decref(allow);
    json_decref(deny);
    return r;
}

static int take_file(const char *path, json_t *bounds, struct err *err)
{
    char *text = NULL;
    json_t *bound = NULL;
    int r = file_read_if_there(path, SITE_RULES_MAX, &text, err);
    if (r == 0 && text)
        r = site_parse(text, path, &bound, err);
    if (bound)
        json_array_append_new(bounds, bound);
    mem_free(text);
    return r;
}

json_t *site_bounds_new(struct err *err)
{
    json_t *bounds = json_array();
    AUTO_FREE char *own = path_user_config("baton/policy.rules");
    int r = take_file("/etc/baton/policy.rules", bounds, err);
    if (r == 0 && own)
        r = take_file(own, bounds, err);
    if (r == 0)
        return bounds;
    json_decref(bounds);
    return NULL;
}

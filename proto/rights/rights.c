#include "rights/rights.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdint.h>
#include <string.h>

static const char OPERATOR[] = "operator rules";

static int allow_operator(struct policy *p, const json_t *rules, struct err *err)
{
    size_t i;
    json_t *rule;
    json_array_foreach (rules, i, rule) {
        if (!json_is_string(rule))
            return err_set(err, ERR_INVALID, "operator rule %zu must be a string", i + 1);
        int r = policy_allow(p, json_string_value(rule), OPERATOR, (int)i + 1, err);
        if (r < 0)
            return r;
    }
    return 0;
}

typedef int (*add_rule)(struct policy *p, const char *rule, const char *file, int line, struct err *err);

static int add_all(struct policy *p, const char *of, const json_t *rules, add_rule add, struct err *err)
{
    size_t i;
    json_t *row;
    json_array_foreach (rules, i, row) {
        const char *rule = json_string_value(json_array_get(row, 0));
        if (!rule)
            return err_set(err, ERR_INVALID, "rule %zu of the bound '%s' must be a text and a line", i + 1, of);
        int r = add(p, rule, of, (int)json_integer_value(json_array_get(row, 1)), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_bounds(struct policy *p, const json_t *bounds, struct err *err)
{
    size_t i;
    json_t *bound;
    int r = 0;
    json_array_foreach (bounds, i, bound) {
        const char *of = json_str(bound, "of", "?");
        const json_t *allow = json_list(bound, "allow");
        if (allow)
            policy_next_bound(p, of);
        r = add_all(p, of, allow, policy_allow, err);
        if (r == 0)
            r = add_all(p, of, json_list(bound, "deny"), policy_deny, err);
        if (r < 0)
            break;
    }
    return r;
}

static bool lists_anything(const json_t *bounds)
{
    size_t i;
    json_t *bound;
    json_array_foreach (bounds, i, bound)
        if (json_list(bound, "allow"))
            return true;
    return false;
}

// Says nothing of its own about what it may do: the bounds decide.
static bool is_open(const struct agentfile *file)
{
    return file && (file->tools_state == AGENT_TOOLS_ABSENT || file->tools_state == AGENT_TOOLS_ALL);
}

static int add_tools(struct policy *p, const struct agentfile *file, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < file->tools.len && r == 0; i++)
        r = policy_allow(p, file->tools.items[i].text, file->file, file->tools.items[i].line, err);
    return r;
}

static int add_own(struct policy *p, const struct agentfile *file, const json_t *operator_rules, const json_t *bounds,
                   struct err *err)
{
    int r = 0;
    if (!is_open(file) || !lists_anything(bounds)) {
        policy_next_list(p); // also when it stays empty: then nothing is allowed
        if (file && !is_open(file))
            r = add_tools(p, file, err);
        if (r == 0)
            r = allow_operator(p, operator_rules, err);
    }
    for (size_t i = 0; file && i < file->disallowed.len && r == 0; i++)
        r = policy_deny(p, file->disallowed.items[i].text, file->file, file->disallowed.items[i].line, err);
    return r;
}

int rights_new(const char *name, const struct agentfile *file, const json_t *operator_rules, const json_t *bounds,
               struct policy **ret, struct err *err)
{
    struct policy *p = policy_new(name);
    int r = add_own(p, file, operator_rules, bounds, err);
    if (r == 0)
        r = add_bounds(p, bounds, err);
    if (r < 0) {
        policy_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

static bool starts_programs(const struct policy *p, size_t list)
{
    struct policy_rule_view rules[POLICY_RULES_MAX];
    size_t count = policy_list_rules(p, list, rules, ARRAY_LEN(rules));
    for (size_t i = 0; i < count && i < ARRAY_LEN(rules); i++)
        if (str_eq(rules[i].text, "Bash") || str_starts(rules[i].text, "Bash("))
            return true;
    return false;
}

bool rights_start_programs(const char *name, const struct agentfile *file, const json_t *operator_rules,
                           const json_t *bounds)
{
    struct policy *p = NULL;
    if (rights_new(name, file, operator_rules, bounds, &p, NULL) < 0)
        return true;
    bool starts = true;
    for (size_t list = 0; list < policy_list_count(p) && starts; list++) // each must allow it
        starts = starts_programs(p, list);
    policy_free(p);
    return starts;
}

// --- network ---

// The least of the bounds; unsaid: none says anything. A word that is not known bounds to nothing.
static enum agent_network least_network(const json_t *bounds, bool *ret_host)
{
    enum agent_network least = AGENT_NETWORK_UNSAID;
    size_t i;
    json_t *bound;
    *ret_host = false;
    json_array_foreach (bounds, i, bound) {
        const char *word = json_str(bound, "network", NULL);
        enum agent_network said = !word                  ? AGENT_NETWORK_UNSAID
                                  : str_eq(word, "host") ? AGENT_NETWORK_HOST
                                  : str_eq(word, "lo")   ? AGENT_NETWORK_LO
                                                         : AGENT_NETWORK_NONE;
        *ret_host = *ret_host || said == AGENT_NETWORK_HOST;
        if (said != AGENT_NETWORK_UNSAID && (least == AGENT_NETWORK_UNSAID || said < least))
            least = said;
    }
    return least;
}

int rights_network(const char *name, const struct agentfile *file, const json_t *bounds, enum agent_network *ret,
                   struct err *err)
{
    bool host = false;
    enum agent_network least = least_network(bounds, &host), own = file ? file->network : AGENT_NETWORK_UNSAID;
    if (own == AGENT_NETWORK_HOST && !host)
        return err_set(
            err, ERR_DENIED,
            "agent '%s' says network: host (%s:%d), and this machine permits lo at most: change the file, or "
            "say 'network host' in /etc/baton/policy.rules or ~/.config/baton/policy.rules",
            name, file->file, file->network_line);
    bool narrows = own == AGENT_NETWORK_UNSAID ? least != AGENT_NETWORK_HOST : least < own;
    *ret = least != AGENT_NETWORK_UNSAID && narrows ? least : own;
    return 0;
}

static int check_grants(const struct agentfile *file, struct err *err)
{
    int r = 0;
    for (size_t i = 0; file && i < file->grants.len && r == 0; i++)
        r = policy_rule_check(file->grants.items[i].text, file->file, file->grants.items[i].line, NULL, err);
    return r;
}

// Without a list and without anybody who decides instead, it could do nothing at all.
static int check_open(const char *name, const struct agentfile *file, const json_t *operator_rules,
                      const json_t *bounds, const struct policy *p, struct err *err)
{
    if (lists_anything(bounds) || json_array_size(operator_rules) > 0)
        return policy_check_usable(p, err);
    return err_set(err, ERR_INVALID,
                   "%s: agent \"%s\" lists no tools, and this machine has no ceiling that would decide instead: list "
                   "its tools, or write 'allow' lines into /etc/baton/policy.rules or ~/.config/baton/policy.rules",
                   file->file, name);
}

static int check_list(const char *name, const struct agentfile *file, const json_t *operator_rules,
                      const struct policy *p, struct err *err)
{
    if (file->tools.len > 0 || json_array_size(operator_rules) > 0)
        return policy_check_usable(p, err);
    for (size_t i = 0; i < file->diagnostics.len; i++) // the loader knows which entries there were
        if (strstr(file->diagnostics.items[i].text, "nothing is granted"))
            return err_set(err, ERR_INVALID, "%s:%d: agent \"%s\": %s", file->file, file->diagnostics.items[i].line,
                           name, file->diagnostics.items[i].text);
    return policy_check_usable(p, err);
}

int rights_check(const char *name, const struct agentfile *file, const json_t *operator_rules, const json_t *bounds,
                 struct err *err)
{
    struct policy *p = NULL;
    int r = rights_new(name, file, operator_rules, bounds, &p, err);
    if (r == 0)
        r = check_grants(file, err);
    if (r == 0 && file)
        r = is_open(file) ? check_open(name, file, operator_rules, bounds, p, err)
                          : check_list(name, file, operator_rules, p, err);
    policy_free(p);
    enum agent_network network;
    return r < 0 ? r : rights_network(name, file, bounds, &network, err);
}

static void lint_rules(struct agentfile *file, const struct agent_tool *tools, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *warning = NULL;
        if (policy_rule_check(tools[i].text, file->file, tools[i].line, &warning, NULL) < 0 || !warning)
            continue;
        AUTO_FREE char *place = str_printf("%s:%d: ", file->file, tools[i].line); // a note has its place
        agentfile_note(file, AGENT_WARNING, tools[i].line, "%s",
                       str_starts(warning, place) ? warning + strlen(place) : warning);
    }
}

void rights_lint(struct agentfile *file)
{
    lint_rules(file, file->tools.items, file->tools.len);
    lint_rules(file, file->grants.items, file->grants.len);
}

// --- handing on ---

static json_t *row_new(const char *rule, int line)
{
    json_t *row = json_array();
    json_add_str(row, rule);
    json_array_append_new(row, json_integer(line));
    return row;
}

static json_t *rows_new(const struct agent_tool *tools, size_t count)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, row_new(tools[i].text, tools[i].line));
    return rows;
}

static void add_bound(json_t **bounds, const char *of, json_t *allow_consumed, json_t *deny_consumed,
                      const char *network)
{
    AUTO_JSON json_t *more = json_array();
    json_t *bound = json_object();
    json_put_str(bound, "of", of);
    if (allow_consumed)
        json_put(bound, "allow", allow_consumed);
    if (json_array_size(deny_consumed))
        json_put(bound, "deny", json_incref(deny_consumed));
    json_decref(deny_consumed);
    if (network)
        json_put_str(bound, "network", network);
    json_array_append_new(more, bound);
    rights_narrow(bounds, more);
}

// What the operator grants goes to every agent, so no agent keeps it back.
static json_t *with_operator(json_t *rows, const json_t *operator_rules)
{
    size_t i;
    json_t *rule;
    json_array_foreach (rows ? operator_rules : NULL, i, rule)
        json_array_append_new(rows, row_new(json_string_value(rule), (int)i + 1));
    return rows;
}

json_t *rights_handed_on_new(const struct agentfile *file, const json_t *operator_rules, const json_t *bounds)
{
    json_t *out = json_array_size(bounds) ? json_incref((json_t *)(uintptr_t)bounds) : NULL;
    if (!file)
        return out;
    AUTO_FREE char *of = str_printf("%s.md", file->name);     // wherever it lay: bounds are part of keys
    bool as_bounds = is_open(file) && lists_anything(bounds); // it may do what they allow: no list of its own
    json_t *allow = as_bounds ? NULL : rows_new(file->tools.items, is_open(file) ? 0 : file->tools.len);
    // What it has itself when it says nothing; host is bounded by the site alone.
    const char *network = file->network == AGENT_NETWORK_UNSAID ? agent_network_name(AGENT_NETWORK_LO)
                          : file->network == AGENT_NETWORK_HOST ? NULL
                                                                : agent_network_name(file->network);
    if (file->attenuate && (allow || file->disallowed.len || network))
        add_bound(&out, of, with_operator(allow, operator_rules),
                  rows_new(file->disallowed.items, file->disallowed.len), network);
    else
        json_decref(allow);
    if (file->grants_declared)
        add_bound(&out, of, with_operator(rows_new(file->grants.items, file->grants.len), operator_rules), NULL, NULL);
    return out;
}

static bool has(const json_t *bounds, const json_t *bound)
{
    size_t i;
    json_t *b;
    json_array_foreach (bounds, i, b)
        if (json_equal(b, bound))
            return true;
    return false;
}

void rights_narrow(json_t **bounds, const json_t *more)
{
    size_t i;
    json_t *bound, *out = NULL;
    json_array_foreach (more, i, bound) {
        if (has(out ? out : *bounds, bound))
            continue;
        if (!out)
            out = *bounds ? json_copy(*bounds) : json_array(); // the bounds themselves are shared
        json_array_append(out, bound);
    }
    if (!out)
        return;
    json_decref(*bounds);
    *bounds = out;
}

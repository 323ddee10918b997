// Cases are data from outside: every field is checked before use.
#include "policy/policy_cases.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/rule.h"
#include "policy/setup.h"
#include "json/json.h"

#include <ctype.h>
#include <string.h>

// Whether the text begins with a tool's name followed by "(", a separator or the end.
static bool starts_tool(const char *s)
{
    size_t n = strcspn(s, "( ,\t\n");
    AUTO_FREE char *name = str_ndup(s, n);
    enum tool_kind kind;
    const char *found = NULL;
    return n > 0 && tool_lookup(name, &kind, &found);
}

char **policy_list_split(const char *text)
{
    VEC(char *) out = {0};
    const char *start = text;
    int depth = 0;
    for (const char *s = text;; s++) {
        depth += *s == '(';
        depth -= *s == ')' && depth > 0;
        bool blank = *s == ' ' || *s == '\t' || *s == '\n';
        bool next = blank && depth == 0 && starts_tool(s + 1);
        if (*s && !next && (*s != ',' || depth > 0))
            continue;
        AUTO_FREE char *part = str_ndup(start, (size_t)(s - start));
        const char *trimmed = str_trim(part);
        if (*trimmed)
            vec_push(&out, str_dup(trimmed));
        start = s + 1;
        if (!*s)
            break;
    }
    vec_push(&out, NULL);
    return out.items;
}

int policy_from_list_new(const char *agent, const char *list, const char *where, struct policy **ret, struct err *err)
{
    char **rules = policy_list_split(list);
    struct policy *p = policy_new(agent);
    int rc = 0;
    policy_next_list(p);
    for (size_t i = 0; rules[i] && rc == 0; i++)
        rc = policy_allow(p, rules[i], where, 1, err);
    str_list_free(rules);
    if (rc == 0)
        rc = policy_check_usable(p, err);
    if (rc < 0)
        policy_free(p);
    else
        *ret = p;
    return rc;
}

static void refuse(struct decision *ret, const char *why)
{
    size_t len = strlen(why) < sizeof(ret->reason) ? strlen(why) : str_utf8_cut(why, sizeof(ret->reason) - 1);
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->reason, why, len);
}

void policy_check(const struct policy *p, const struct policy_context *context, const char *tool, const char *input,
                  struct decision *ret)
{
    size_t len = strlen(input), blanks = strspn(input, " \t\r\n");
    AUTO_JSON json_t *given = NULL;
    if (strcmp(tool, "Bash") == 0 && (input[blanks] == '[' || input[blanks] == '{'))
        given = json_loadb(input, len, JSON_ALLOW_NUL, NULL);
    const json_t *command = json_object_get(given, "command"); // as hosts hand it to the tool
    if (json_is_object(given) && !json_is_string(command)) {
        refuse(ret,
               "the input is a JSON object without a text \"command\"; expected a command, a JSON list of words or "
               "{\"command\": \"cargo test\"}");
        return;
    }
    AUTO_JSON json_t *text = given ? NULL : json_stringn(input, len);
    const json_t *value = command ? command : given ? given : text;
    if (value)
        decide_call(p, context, tool, json_is_array(value) ? "argv" : NULL, value, ret);
    else
        refuse(ret, "the input is not valid UTF-8"); // no rule can speak of it
}

static int add_rules(struct policy *p, const json_t *list, bool deny, struct err *err)
{
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v) {
        const char *rule = json_string_value(v);
        if (!rule || strlen(rule) != json_string_length(v))
            return err_set(err, ERR_INVALID, "case:%zu: a rule is a string without NUL bytes", i + 1);
        int rc = deny ? policy_deny(p, rule, "case", (int)i + 1, err) : policy_allow(p, rule, "case", (int)i + 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const char *const DENY[] = {"disallowed_tools", "disallowedTools", "denied_tools", "deny"};

// Negative: the rules do not load.
static int load_rules(const json_t *case_, policy_without_list *without, struct policy **ret, struct err *err)
{
    const json_t *allowed = json_list(case_, "allowed_tools");
    struct policy *p = NULL;
    int rc = 0;
    if (!allowed)
        rc = without(&p, err);
    else
        p = policy_new(json_str(case_, "agent", "agent"));
    if (rc == 0 && allowed) {
        policy_next_list(p);
        rc = add_rules(p, allowed, false, err);
    }
    if (rc == 0 && json_list(case_, "tools")) {
        policy_next_list(p);
        rc = add_rules(p, json_list(case_, "tools"), false, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(DENY) && rc == 0; i++)
        rc = add_rules(p, json_list(case_, DENY[i]), true, err);
    if (rc == 0)
        rc = policy_check_usable(p, err);
    if (rc < 0)
        policy_free(p);
    else
        *ret = p;
    return rc;
}

// A list that is something else must not count as one that is not there.
static int check_lists(const json_t *case_, const char *id, bool may_lack, struct err *err)
{
    const json_t *allowed = json_object_get(case_, "allowed_tools");
    if (!json_is_array(allowed) && !(may_lack && (!allowed || json_is_null(allowed))))
        return err_set(err, ERR_INVALID, "case \"%s\" has no list \"allowed_tools\"", id);
    const char *const others[] = {"tools", DENY[0], DENY[1], DENY[2], DENY[3]};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        const json_t *list = json_object_get(case_, others[i]);
        if (list && !json_is_null(list) && !json_is_array(list))
            return err_set(err, ERR_INVALID, "case \"%s\": \"%s\" is no list of rules", id, others[i]);
    }
    return 0;
}

static void decide(const json_t *case_, const struct policy *p, struct decision *d)
{
    json_t *places = json_obj(case_, "context");
    const char *workspace = json_str(places, "workspace", "/ws");
    AUTO_FREE char *target = str_printf("%s/target", workspace);
    const char *built[] = {target, NULL};
    struct setup *setup = setup_new(workspace, json_str(case_, "setup", NULL));
    struct policy_context context = {
        .workspace = workspace,
        .cwd = json_str(places, "cwd", NULL),
        .home = json_str(places, "home", "/home/me"),
        .built = built,
        .fs = setup_fs(setup),
        .project_acts = setup_project_acts(setup),
    };
    decide_call(p, &context, json_str(case_, "tool", ""), json_str(case_, "input_kind", NULL),
                json_object_get(case_, "input"), d);
    setup_free(setup);
}

static bool is_place(const json_t *places, const char *key)
{
    const json_t *v = json_object_get(places, key);
    const char *s = json_string_value(v);
    return !v || (s && s[0] == '/' && strlen(s) < POLICY_PATH_MAX / 2);
}

int policy_case_answer(const json_t *case_, policy_without_list *without, json_t **ret, struct err *err)
{
    const char *id = NULL, *tool = NULL;
    int rc = json_need_str(case_, "id", "a policy case", &id, err);
    if (rc == 0)
        rc = json_need_str(case_, "tool", "a policy case", &tool, err);
    if (rc == 0)
        rc = check_lists(case_, id, without != NULL, err);
    if (rc < 0)
        return rc;
    if (!json_object_get(case_, "input"))
        return err_set(err, ERR_INVALID, "case \"%s\" has no \"input\"", id);
    const json_t *places = json_obj(case_, "context");
    if (!is_place(places, "workspace") || !is_place(places, "cwd") || !is_place(places, "home"))
        return err_set(err, ERR_INVALID, "case \"%s\": workspace, cwd and home are absolute paths", id);
    struct policy *p = NULL;
    struct err load = {0};
    struct decision d;
    if (load_rules(case_, without, &p, &load) < 0) {
        AUTO_FREE char *reason = str_printf("the rules do not load: %s", load.text);
        refuse(&d, reason);
    } else {
        decide(case_, p, &d);
    }
    policy_free(p);
    json_t *answer = json_object();
    json_t *decision = decision_to_json_new(&d);
    json_put_str(answer, "id", id);
    json_object_update(answer, decision);
    json_decref(decision);
    *ret = answer;
    return 0;
}

int policy_case_answer_line(const char *line, size_t len, policy_without_list *without, json_t **ret, struct err *err)
{
    json_error_t e;
    if (len > POLICY_CASE_LINE_MAX)
        return err_set(err, ERR_LIMIT, "a case has more than %zu bytes", POLICY_CASE_LINE_MAX);
    AUTO_JSON json_t *v = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
    if (!v)
        return err_set(err, ERR_PARSE, "the case is not JSON: %s (column %d)", e.text, e.column);
    return policy_case_answer(v, without, ret, err);
}

json_t *policy_case_refusal_new(const char *line, size_t len, size_t number, const char *why)
{
    AUTO_JSON json_t *v = len <= POLICY_CASE_LINE_MAX ? json_loadb(line, len, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *id = json_object_get(v, "id"), *answer = json_object();
    bool named = json_is_string(id) || json_is_number(id);
    json_put(answer, "id", named ? json_incref(id) : json_integer((json_int_t)number));
    AUTO_FREE char *reason = str_printf("line %zu: %s", number, why);
    struct decision d;
    refuse(&d, reason);
    AUTO_JSON json_t *decision = decision_to_json_new(&d);
    json_object_update(answer, decision);
    return answer;
}

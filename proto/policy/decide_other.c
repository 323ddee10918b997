// Web addresses, agents, skills, mcp and plain tools; and the entry that takes any call.
#include "base/mem.h"
#include "base/str.h"
#include "policy/glob.h"
#include "policy/path.h"
#include "policy/set.h"
#include "policy/text.h"
#include "policy/url.h"

#include <string.h>

// What a rule is asked about; every kind of tool uses what it needs.
struct subject {
    enum tool_kind kind;
    const char *tool; // as called
    const char *text; // host, agent, skill with arguments, or whole mcp name
    bool local;       // web: only a rule that spells the host out reaches it
};

static bool skill_matches(const char *pattern, const char *text)
{
    size_t n = strlen(pattern);
    if (n > 2 && strcmp(pattern + n - 2, " *") == 0) // "name *": with or without arguments
        return strncmp(pattern, text, n - 2) == 0 && (text[n - 2] == '\0' || text[n - 2] == ' ');
    return strcmp(pattern, text) == 0;
}

static bool matches(const struct rule *r, const struct subject *s, bool deny)
{
    if (s->kind == TOOL_MCP && !r->every)
        return r->kind == TOOL_MCP && glob_text(r->pattern, strlen(r->pattern), s->text, strlen(s->text));
    if (!rule_speaks_for(r, s->kind, s->tool, deny))
        return false;
    if (r->bare)
        return deny || !s->local;
    if (s->kind == TOOL_WEB)
        return glob_host(r->pattern, s->text) && (deny || r->exact || !s->local);
    for (size_t i = 0; r->names && r->names[i]; i++)
        if (s->kind == TOOL_SKILL ? skill_matches(r->names[i], s->text) : strcmp(r->names[i], s->text) == 0)
            return true;
    return false;
}

static const struct rule *find(const struct rule_list *list, const struct subject *s, bool deny)
{
    for (size_t i = 0; i < list->rules.len; i++)
        if (matches(&list->rules.items[i], s, deny))
            return &list->rules.items[i];
    return NULL;
}

static void need(const struct subject *s, struct decision *d)
{
    switch (s->kind) {
    case TOOL_WEB:
        decision_need(d, "WebFetch(domain:%s)", s->text);
        return;
    case TOOL_AGENT:
        decision_need(d, "%s(%s)", s->tool, s->text);
        return;
    case TOOL_SKILL:
        decision_need(d, "%s(%.*s%s)", s->tool, (int)strcspn(s->text, " "), s->text, strchr(s->text, ' ') ? " *" : "");
        return;
    case TOOL_MCP:
        decision_need(d, "%s", s->text);
        return;
    case TOOL_COMMAND:
    case TOOL_READ:
    case TOOL_SEARCH:
    case TOOL_WRITE:
    case TOOL_EDIT:
    case TOOL_PLAIN:
        decision_need(d, "%s", s->tool);
    }
}

static void decide(const struct policy *p, const struct subject *s, struct decision *d)
{
    const struct rule *rule = find(&p->deny, s, true);
    if (rule) {
        decision_deny(d, rule, "the deny rule %s forbids it", rule->text);
        return;
    }
    AUTO_BUF struct buf whose = BUF_MAX(300);
    policy_whose(p, NULL, &whose);
    for (size_t i = 0; i < p->lists.len; i++) {
        const struct rule *r = find(&p->lists.items[i], s, false);
        if (!r) {
            policy_whose(p, &p->lists.items[i], &whose);
            rule = NULL;
            break;
        }
        rule = rule ? rule : r;
    }
    if (rule) {
        decision_allow(d, rule, "%s allows it", rule->text);
        return;
    }
    decision_deny(d, NULL, "no rule of %s grants %s%s%.100s%s%s", buf_str(&whose), s->tool, *s->text ? " \"" : "",
                  s->text, *s->text ? "\"" : "",
                  s->local ? "; an address of this machine or its networks needs a rule that spells it out" : "");
    need(s, d);
    struct rule r; // only what was tried is advised
    if (rule_parse(d->needed, NULL, 0, false, &r, NULL, NULL) < 0) {
        d->needed[0] = '\0';
        return;
    }
    if (!matches(&r, s, false))
        d->needed[0] = '\0';
    rule_clear(&r);
}

void decide_url(const struct policy *p, const char *tool, const char *url, size_t len, struct decision *ret)
{
    char host[URL_HOST_MAX];
    struct subject s = {.text = host};
    if (!tool_lookup(tool, &s.kind, &s.tool) || s.kind != TOOL_WEB) {
        decision_deny(ret, NULL, "\"%.60s\" does not fetch addresses", tool);
        return;
    }
    const char *why = url_host(url, len, host);
    if (why) {
        decision_deny(ret, NULL, "the address is refused: %s", why);
        return;
    }
    s.local = url_host_is_local(host);
    decide(p, &s, ret);
}

void decide_agent(const struct policy *p, const char *agent, struct decision *ret)
{
    struct subject s = {TOOL_AGENT, "Task", agent, false};
    size_t bad = 0;
    const char *why = !*agent ? "nothing" : text_problem(agent, strlen(agent), false, &bad);
    if (why)
        decision_deny(ret, NULL, "the agent's name has %s; names are exact", why);
    else
        decide(p, &s, ret);
}

void decide_name(const struct policy *p, const char *tool, const char *input, struct decision *ret)
{
    struct subject s = {.text = input};
    size_t bad = 0;
    if (!tool_lookup(tool, &s.kind, &s.tool)) {
        decision_deny(ret, NULL, "there is no tool \"%.60s\"", tool);
        return;
    }
    if (s.kind == TOOL_MCP) {
        s.tool = s.text = tool;
        const char *server = tool + 5, *name = strstr(server, "__");
        if (!name || name == server || !name[2] || strchr(tool, '*') || text_problem(tool, strlen(tool), false, &bad)) {
            decision_deny(ret, NULL, "\"%.60s\" is not of the form mcp__server__tool", tool);
            return;
        }
    } else if (s.kind == TOOL_PLAIN) {
        s.text = "";
    } else if (s.kind != TOOL_SKILL) {
        decision_deny(ret, NULL, "\"%.60s\" needs a command, a path or an address to be judged", tool);
        return;
    } else if (!*input || text_problem(input, strlen(input), true, &bad)) {
        decision_deny(ret, NULL, "expected the plain name of a skill");
        return;
    }
    decide(p, &s, ret);
}

static void decide_array(const struct policy *p, const struct policy_context *context, const json_t *input,
                         struct decision *ret)
{
    size_t n = json_array_size(input);
    if (n > POLICY_WORDS_MAX) {
        decision_deny(ret, NULL, "the command has more than %d words", POLICY_WORDS_MAX);
        return;
    }
    const char **argv = mem_array(n + 1, sizeof(char *));
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        const json_t *word = json_array_get(input, i);
        argv[i] = json_string_value(word);
        ok = argv[i] && strlen(argv[i]) == json_string_length(word);
    }
    if (ok)
        decide_argv(p, context, argv, NULL, ret);
    else
        decision_deny(ret, NULL, "the words of a command are strings without NUL bytes");
    mem_free(argv);
}

static const char *kind_of(enum tool_kind kind, const json_t *input)
{
    switch (kind) {
    case TOOL_COMMAND:
        return json_is_array(input) ? "argv" : "shell";
    case TOOL_READ:
    case TOOL_SEARCH:
    case TOOL_WRITE:
    case TOOL_EDIT:
        return "path";
    case TOOL_WEB:
        return "url";
    case TOOL_AGENT:
        return "agent";
    case TOOL_SKILL:
    case TOOL_PLAIN:
    case TOOL_MCP:
        break;
    }
    return "name";
}

void decide_call(const struct policy *p, const struct policy_context *context, const char *tool, const char *input_kind,
                 const json_t *input, struct decision *ret)
{
    enum tool_kind kind;
    const char *name = NULL;
    if (!tool_lookup(tool, &kind, &name)) {
        decision_deny(
            ret, NULL,
            "there is no tool \"%.60s\"; tools are Bash, Read, Write, Edit, Grep, Glob, WebFetch, Task, Skill and "
            "mcp__server__tool",
            tool);
        return;
    }
    const char *expected = kind_of(kind, input);
    if (input_kind && strcmp(input_kind, expected) != 0) {
        decision_deny(ret, NULL, "%.60s takes an input of kind \"%s\", not \"%.20s\"", tool, expected, input_kind);
        return;
    }
    const char *text = json_string_value(input);
    size_t len = text ? json_string_length(input) : 0;
    if (strcmp(expected, "argv") == 0)
        decide_array(p, context, input, ret);
    else if (!text)
        decision_deny(ret, NULL, "the input of %.60s is a string", tool);
    else if (kind == TOOL_COMMAND)
        decide_command_n(p, context, text, len, ret);
    else if (strcmp(expected, "path") == 0)
        decide_path_n(p, context, tool, text, len, ret);
    else if (kind == TOOL_WEB)
        decide_url(p, tool, text, len, ret);
    else if (strlen(text) != len)
        decision_deny(ret, NULL, "the input has a NUL byte");
    else if (kind == TOOL_AGENT)
        decide_agent(p, text, ret);
    else
        decide_name(p, tool, text, ret);
}

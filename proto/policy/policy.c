// The set of rules, and the small helpers every decider uses.
#include "policy/policy.h"

#include "base/buf.h"
#include "base/str.h"
#include "policy/set.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct policy *policy_new(const char *agent_name)
{
    struct policy *p = mem_alloc(sizeof(*p));
    p->agent = str_dup(agent_name ? agent_name : "agent");
    return p;
}

static void list_free(struct rule_list *l)
{
    for (size_t i = 0; i < l->rules.len; i++)
        rule_clear(&l->rules.items[i]);
    vec_free(&l->rules);
    mem_free(l->of);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->lists.len; i++)
        list_free(&p->lists.items[i]);
    vec_free(&p->lists);
    list_free(&p->deny);
    for (size_t i = 0; i < p->warnings.len; i++)
        mem_free(p->warnings.items[i]);
    vec_free(&p->warnings);
    mem_free(p->agent);
    mem_free(p);
}

const char *policy_agent_name(const struct policy *p)
{
    return p->agent;
}

void policy_next_list(struct policy *p)
{
    vec_push(&p->lists, (struct rule_list){0});
}

void policy_next_bound(struct policy *p, const char *of)
{
    vec_push(&p->lists, (struct rule_list){.of = str_dup(of)});
}

void policy_whose(const struct policy *p, const struct rule_list *list, struct buf *ret)
{
    buf_clear(ret);
    if (list && list->of)
        buf_printf(ret, "\"%s\", which bounds agent \"%s\",", list->of, p->agent);
    else
        buf_printf(ret, "agent \"%s\"", p->agent);
}

static int add(struct policy *p, bool deny, const char *text, const char *file, int line, struct err *err)
{
    if (p->count >= POLICY_RULES_MAX)
        return err_set(err, ERR_LIMIT, "%s:%d: more than %d rules for one agent", file ? file : "rules", line,
                       POLICY_RULES_MAX);
    struct rule r;
    char *warning = NULL;
    int rc = rule_parse(text, file, line, deny, &r, &warning, err);
    if (rc < 0)
        return rc;
    if (warning)
        vec_push(&p->warnings, warning);
    if (!deny && p->lists.len == 0)
        policy_next_list(p);
    struct rule_list *list = deny ? &p->deny : &p->lists.items[p->lists.len - 1];
    vec_push(&list->rules, r);
    p->count++;
    return 0;
}

int policy_allow(struct policy *p, const char *rule, const char *file, int line, struct err *err)
{
    return add(p, false, rule, file, line, err);
}

int policy_deny(struct policy *p, const char *rule, const char *file, int line, struct err *err)
{
    return add(p, true, rule, file, line, err);
}

// Whether a deny rule behind index i takes a part back out ("!pattern").
static bool taken_back(const struct rule_list *deny, size_t i, const struct rule *allow)
{
    for (i++; i < deny->rules.len; i++)
        if (deny->rules.items[i].negated && rule_speaks_for(&deny->rules.items[i], allow->kind, allow->tool, true))
            return true;
    return false;
}

// A deny rule that takes away the whole of an allow rule.
static bool swallowed(const struct rule_list *deny, const struct rule *allow)
{
    for (size_t i = 0; i < deny->rules.len; i++) {
        const struct rule *d = &deny->rules.items[i];
        if (d->every)
            return true;
        if (d->negated || taken_back(deny, i, allow))
            continue;
        if (d->kind == TOOL_MCP ? allow->kind == TOOL_MCP && strcmp(d->pattern, allow->pattern) == 0
                                : d->bare && rule_speaks_for(d, allow->kind, allow->tool, true))
            return true;
        if (strcmp(d->text, allow->text) == 0)
            return true;
    }
    return false;
}

// "; * (a.md:4) denies every tool"
static void name_every(const struct rule_list *deny, struct buf *ret)
{
    for (size_t i = 0; i < deny->rules.len; i++) {
        if (!deny->rules.items[i].every)
            continue;
        buf_printf(ret, "; * (%s:%d) denies every tool", deny->rules.items[i].file, deny->rules.items[i].line);
        return;
    }
}

int policy_check_usable(const struct policy *p, struct err *err)
{
    for (size_t i = 0; i < p->lists.len; i++) {
        const struct rule_list *list = &p->lists.items[i];
        struct buf names = BUF_MAX(600);
        size_t left = 0;
        for (size_t k = 0; k < list->rules.len; k++) {
            left += !swallowed(&p->deny, &list->rules.items[k]);
            buf_printf(&names, "%s%s (%s:%d)", k ? ", " : "", list->rules.items[k].text, list->rules.items[k].file,
                       list->rules.items[k].line);
        }
        struct buf all = BUF_MAX(300);
        name_every(&p->deny, &all);
        int rc = 0;
        if (list->rules.len == 0)
            rc = err_set(err, ERR_INVALID,
                         "the tool list of agent \"%s\" is empty; list at least one tool, or drop the list to "
                         "use what the deployment allows by default",
                         p->agent);
        else if (left == 0)
            rc = err_set(err, ERR_INVALID,
                         "the tool list of agent \"%s\" grants nothing, because its deny rules take away every "
                         "entry: %s%s",
                         p->agent, buf_str(&names), buf_str(&all));
        buf_free(&all);
        buf_free(&names);
        if (rc < 0)
            return rc;
    }
    return 0;
}

size_t policy_warning_count(const struct policy *p)
{
    return p->warnings.len;
}

const char *policy_warning(const struct policy *p, size_t index)
{
    return p->warnings.items[index];
}

int policy_rule_check(const char *rule, const char *file, int line, char **ret_warning, struct err *err)
{
    struct rule r;
    int rc = rule_parse(rule, file, line, false, &r, ret_warning, err);
    if (rc == 0)
        rule_clear(&r);
    return rc;
}

int policy_deny_check(const char *rule, const char *file, int line, struct err *err)
{
    struct rule r;
    int rc = rule_parse(rule, file, line, true, &r, NULL, err);
    if (rc == 0)
        rule_clear(&r);
    return rc;
}

static size_t view(const struct rule_list *l, struct policy_rule_view *ret, size_t max)
{
    for (size_t i = 0; i < l->rules.len && i < max; i++)
        ret[i] = (struct policy_rule_view){l->rules.items[i].text, l->rules.items[i].file, l->rules.items[i].line};
    return l->rules.len;
}

size_t policy_list_count(const struct policy *p)
{
    return p->lists.len;
}

size_t policy_list_rules(const struct policy *p, size_t list, struct policy_rule_view *ret, size_t max)
{
    return view(&p->lists.items[list], ret, max);
}

size_t policy_deny_rules(const struct policy *p, struct policy_rule_view *ret, size_t max)
{
    return view(&p->deny, ret, max);
}

bool rule_speaks_for(const struct rule *r, enum tool_kind kind, const char *tool, bool deny)
{
    if (r->every)
        return deny;
    if (kind == TOOL_AGENT || kind == TOOL_MCP || kind == TOOL_COMMAND)
        return r->kind == kind;
    if (strcmp(r->tool, tool) == 0)
        return true;
    bool edit = strcmp(r->tool, "Edit") == 0, read = strcmp(r->tool, "Read") == 0;
    bool reading = kind == TOOL_READ || kind == TOOL_SEARCH;
    if (!deny) // Edit implies Write and Read; Read implies the searching tools
        return (edit && (reading || kind == TOOL_WRITE || kind == TOOL_EDIT)) || (read && reading) ||
               (strcmp(r->tool, "MultiEdit") == 0 && strcmp(tool, "Edit") == 0);
    // A whole tool that is taken away is that tool (and its batch form); a pattern protects the files, whatever the
    // tool.
    if (r->bare)
        return (edit && strcmp(tool, "MultiEdit") == 0) || (read && reading);
    return (edit && (kind == TOOL_WRITE || kind == TOOL_EDIT)) ||
           (strcmp(r->tool, "Write") == 0 && kind == TOOL_EDIT) ||
           (read && (reading || kind == TOOL_WRITE || kind == TOOL_EDIT));
}

bool policy_owns_workspace(const struct policy *p)
{
    for (size_t i = 0; i < p->lists.len; i++) {
        bool reads = false, writes = false;
        for (size_t k = 0; k < p->lists.items[i].rules.len; k++) {
            const struct rule *r = &p->lists.items[i].rules.items[k];
            reads = reads || (r->bare && rule_speaks_for(r, TOOL_READ, "Read", false));
            writes = writes || (r->bare && rule_speaks_for(r, TOOL_WRITE, "Write", false));
        }
        if (!reads || !writes)
            return false;
    }
    return p->lists.len > 0;
}

// --- decisions ---

static void text_set(char *out, size_t size, const char *s)
{
    size_t len = strlen(s);
    if (len >= size) {
        len = str_utf8_cut(s, size - sizeof("…"));
        memcpy(out, s, len);
        memcpy(out + len, "…", sizeof("…"));
        return;
    }
    memcpy(out, s, len + 1);
}

static void text_format(char *out, size_t size, const char *fmt, va_list args) ATTR_PRINTF(3, 0);
static void text_format(char *out, size_t size, const char *fmt, va_list args)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, args) < 0)
        return;
    for (char *c = s; *c; c++) // reasons are one printable line: nothing from a command may steer a terminal
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    text_set(out, size, s);
    mem_free(s);
}

void decision_clear(struct decision *d)
{
    memset(d, 0, sizeof(*d));
}

void decision_rule(struct decision *d, const struct rule *rule)
{
    d->rule[0] = d->where[0] = '\0';
    if (!rule)
        return;
    text_set(d->rule, sizeof(d->rule), rule->text);
    AUTO_FREE char *where = str_printf("%s:%d", rule->file, rule->line);
    text_set(d->where, sizeof(d->where), where);
}

void decision_deny(struct decision *d, const struct rule *rule, const char *fmt, ...)
{
    va_list args;
    decision_clear(d);
    decision_rule(d, rule);
    va_start(args, fmt);
    text_format(d->reason, sizeof(d->reason), fmt, args);
    va_end(args);
}

void decision_allow(struct decision *d, const struct rule *rule, const char *fmt, ...)
{
    va_list args;
    decision_clear(d);
    d->verdict = POLICY_ALLOW;
    decision_rule(d, rule);
    va_start(args, fmt);
    text_format(d->reason, sizeof(d->reason), fmt, args);
    va_end(args);
}

void decision_box(struct decision *d, bool needs_box, const char *fmt, ...)
{
    if (d->verdict == POLICY_DENY || (d->verdict == POLICY_ALLOW_SANDBOXED && d->needs_box >= needs_box))
        return;
    va_list args;
    d->verdict = POLICY_ALLOW_SANDBOXED;
    d->needs_box = needs_box;
    va_start(args, fmt);
    text_format(d->reason, sizeof(d->reason), fmt, args);
    va_end(args);
}

void decision_need(struct decision *d, const char *fmt, ...)
{
    va_list args;
    char *s = NULL;
    va_start(args, fmt);
    int len = vasprintf(&s, fmt, args);
    va_end(args);
    d->needed[0] = '\0';
    if (len < 0)
        return;
    bool plain = (size_t)len < sizeof(d->needed); // a rule that is cut short or changed would not help
    for (const char *c = s; *c && plain; c++)
        plain = (unsigned char)*c >= 0x20 && *c != 0x7f;
    if (plain)
        memcpy(d->needed, s, (size_t)len + 1);
    mem_free(s);
}

void decision_need_also(struct decision *d, const struct decision *also)
{
    AUTO_FREE char *first = str_dup(d->needed);
    if (!*first || !also->needed[0])
        d->needed[0] = '\0';
    else if (!strstr(first, also->needed))
        decision_need(d, "%s, %s", first, also->needed);
}

const char *policy_verdict_name(enum policy_verdict v)
{
    static const char *const NAMES[] = {"deny", "allow", "allow_but_sandboxed"};
    return NAMES[v];
}

static void put(json_t *o, const char *key, const char *s)
{
    json_put(o, key, *s ? json_text_new(s, strlen(s)) : json_null());
}

json_t *decision_to_json_new(const struct decision *d)
{
    json_t *o = json_object();
    json_put_str(o, "decision", policy_verdict_name(d->verdict));
    put(o, "rule", d->rule);
    put(o, "where", d->where);
    put(o, "reason", d->reason);
    put(o, "needed", d->needed);
    return o;
}

// File tools. The decision is about names; the opener must hold the workspace's directory and resolve beneath it
// (openat2), so that what is opened is what was judged.
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/glob.h"
#include "policy/path.h"
#include "policy/set.h"
#include "policy/text.h"

#include <string.h>

struct request {
    const struct policy *policy;
    const struct policy_context *context;
    const char *tool;
    enum tool_kind kind;
    const char *path; // as the caller wrote it
    struct place_of place;
};

static bool is_write(const struct request *q)
{
    return q->kind == TOOL_WRITE || q->kind == TOOL_EDIT;
}

// The last deny rule that speaks about this path decides, so that "!pattern" can take a part back out.
static const struct rule *denied_by(const struct request *q)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < q->policy->deny.rules.len; i++) {
        const struct rule *r = &q->policy->deny.rules.items[i];
        if (!rule_speaks_for(r, q->kind, q->tool, true))
            continue;
        if (r->every)
            return r; // nothing takes a part of it back out
        if (r->negated) {
            if (path_rule_matches(q->context, r, q->place.requested, false, true) &&
                path_rule_matches(q->context, r, q->place.resolved, true, true))
                found = NULL;
        } else if (path_rule_matches(q->context, r, q->place.requested, false, true) ||
                   path_rule_matches(q->context, r, q->place.resolved, true, true)) {
            found = r;
        }
    }
    return found;
}

// For searches whose path is a pattern: each "*" stands for text a rule's own wildcard must be able to swallow.
static void sample(const char *path, const char *deep, struct buf *ret)
{
    for (const char *s = path; *s; s++) {
        if (strncmp(s, "**", 2) == 0) {
            buf_str_add(ret, deep);
            s++;
        } else if (*s == '*') {
            buf_str_add(ret, "\x01\x01");
        } else {
            buf_char(ret, *s == '?' ? '\x01' : *s);
        }
    }
}

static bool rule_allows(const struct request *q, const struct rule *r)
{
    if (!rule_speaks_for(r, q->kind, q->tool, false))
        return false;
    bool pattern = q->kind == TOOL_SEARCH && glob_has_wildcard(q->path) && !r->bare;
    if (!pattern)
        return path_rule_matches(q->context, r, q->place.requested, false, false) &&
               path_rule_matches(q->context, r, q->place.resolved, true, false);
    if (strpbrk(q->path, "[{"))
        return false;
    static const char *const DEEP[] = {"\x01\x01", "\x01\x01/\x01\x01"};
    for (size_t i = 0; i < ARRAY_LEN(DEEP); i++) {
        struct buf b = BUF_INIT;
        sample(q->place.requested, DEEP[i], &b);
        bool ok = path_rule_matches(q->context, r, buf_str(&b), false, false);
        buf_free(&b);
        if (!ok)
            return false;
    }
    return true;
}

static const struct rule *allowed_by(const struct request *q, const struct rule_list *list)
{
    for (size_t i = 0; i < list->rules.len; i++)
        if (rule_allows(q, &list->rules.items[i]))
            return &list->rules.items[i];
    return NULL;
}

static const char *rule_tool(const struct request *q)
{
    return is_write(q) ? "Edit" : "Read";
}

// What no rule can allow. true when it filled the decision.
static bool refused_always(const struct request *q, struct decision *d)
{
    const struct place_of *p = &q->place;
    const char *name = is_write(q) ? path_protected(q->context, p) : NULL;
    if (path_is_kernel(p->requested) || path_is_kernel(p->resolved)) {
        decision_deny(d, NULL,
                      "\"%s\" is one of the kernel's own files (/proc, /sys, /dev), which file tools never open",
                      q->path);
        return true;
    }
    if (name) {
        decision_deny(
            d, NULL,
            "\"%s\" belongs to \"%s\", which steers tools or agents: agents never write it; propose the change to "
            "a person instead",
            q->path, name);
        return true;
    }
    for (size_t i = 0; is_write(q) && i < q->policy->lists.len; i++) {
        for (size_t k = 0; k < q->policy->lists.items[i].rules.len; k++) {
            char file[POLICY_PATH_MAX];
            const char *own = q->policy->lists.items[i].rules.items[k].file;
            if (path_normal(q->context->workspace, own, file) &&
                (str_eq(file, p->requested) || str_eq(file, p->resolved))) {
                decision_deny(d, NULL, "\"%s\" holds the rules that govern this agent: agents never write it", q->path);
                return true;
            }
        }
    }
    if (!p->known)
        return false;
    bool exists = p->file.kind != POLICY_FILE_MISSING;
    if (is_write(q) && p->file.kind == POLICY_FILE_LINK)
        decision_deny(d, NULL, "\"%s\" is a symbolic link; name the file it leads to", q->path);
    else if (exists && p->file.kind == POLICY_FILE_OTHER)
        decision_deny(d, NULL, "\"%s\" is not a regular file", q->path);
    else if (is_write(q) && p->file.kind == POLICY_FILE_DIR)
        decision_deny(d, NULL, "\"%s\" is a folder; expected a file", q->path);
    else if (p->file.kind == POLICY_FILE_REGULAR && p->file.links > 1 && is_write(q))
        decision_deny(d, NULL, "\"%s\" has a second name (hard link), so that writing it could change a file elsewhere",
                      q->path);
    else if (q->kind == TOOL_READ && p->file.kind == POLICY_FILE_REGULAR && p->file.size > POLICY_FILE_MAX)
        decision_deny(d, NULL, "\"%s\" is larger than %lld MiB, the most a file tool reads; search it with Grep",
                      q->path, (long long)(POLICY_FILE_MAX >> 20));
    else
        return false;
    return true;
}

static void deny_unmatched(const struct request *q, const struct rule_list *list, struct decision *d)
{
    const char *tool = rule_tool(q);
    AUTO_BUF struct buf whose = BUF_MAX(300);
    policy_whose(q->policy, list, &whose);
    bool any = false, inside = path_in_workspace(q->context, &q->place);
    for (size_t i = 0; list && i < list->rules.len; i++)
        any = any || rule_speaks_for(&list->rules.items[i], q->kind, q->tool, false);
    if (!any)
        decision_deny(d, NULL, "no rule of %s grants %s", buf_str(&whose), q->tool);
    else if (!inside && strcmp(q->place.requested, q->place.resolved) != 0)
        decision_deny(d, NULL, "\"%s\" leads through a link to \"%s\", outside the workspace \"%s\"", q->path,
                      q->place.resolved, q->context->workspace);
    else if (!inside)
        decision_deny(d, NULL, "\"%s\" is outside the workspace \"%s\"", q->path, q->context->workspace);
    else
        decision_deny(d, NULL, "no %s rule of %s covers \"%s\"", tool, buf_str(&whose), q->path);
    char root[POLICY_PATH_MAX];
    const char *below = path_normal("/", q->context->workspace, root) ? path_inside(q->place.resolved, root) : NULL;
    if (inside && below && *below)
        decision_need(d, "%s(/%s)", tool, below);
    else if (inside)
        decision_need(d, "%s", tool);
    else
        decision_need(d, "%s(/%s)", tool, q->place.resolved);
}

static void decide(const struct request *q, struct decision *d)
{
    const struct rule *rule = NULL;
    if (refused_always(q, d))
        return;
    if ((rule = denied_by(q)) != NULL) {
        decision_deny(d, rule, "the deny rule %s forbids \"%s\"", rule->text, q->path);
        return;
    }
    rule = NULL;
    for (size_t i = 0; i < q->policy->lists.len; i++) {
        const struct rule *r = allowed_by(q, &q->policy->lists.items[i]);
        if (!r) {
            deny_unmatched(q, &q->policy->lists.items[i], d);
            return;
        }
        rule = rule ? rule : r;
    }
    if (!rule) {
        deny_unmatched(q, NULL, d);
        return;
    }
    decision_allow(d, rule, "%s allows it: \"%s\" stays inside what the rule names", rule->text, q->path);
}

void decide_path_at(const struct policy *p, const struct policy_context *context, const char *base, const char *tool,
                    const char *path, size_t len, struct decision *ret)
{
    struct request q = {.policy = p, .context = context};
    size_t bad = 0;
    const char *why = len == 0                 ? "nothing"
                      : len >= POLICY_PATH_MAX ? "too many bytes"
                                               : text_problem(path, len, false, &bad);
    if (!tool_lookup(tool, &q.kind, &q.tool) || q.kind < TOOL_READ || q.kind > TOOL_EDIT) {
        decision_deny(ret, NULL, "\"%s\" is not a file tool", tool);
        return;
    }
    if (why) {
        decision_deny(ret, NULL, "the path has %s at column %zu; expected the plain name of a file", why,
                      text_column(path, bad));
        return;
    }
    AUTO_FREE char *copy = str_ndup(path, len);
    q.path = copy;
    const char *up = strstr(copy, "..");
    if (q.kind == TOOL_SEARCH && glob_has_wildcard(copy) && up) {
        decision_deny(ret, NULL, "the pattern \"%s\" has \"..\" in it; name the folder instead", copy);
        return;
    }
    why = path_place(context, base, copy, &q.place);
    if (why)
        decision_deny(ret, NULL, "\"%s\" cannot be judged: %s", copy, why);
    else
        decide(&q, ret);
}

void decide_path_n(const struct policy *p, const struct policy_context *context, const char *tool, const char *path,
                   size_t len, struct decision *ret)
{
    decide_path_at(p, context, path_cwd(context), tool, path, len, ret);
}

void decide_path(const struct policy *p, const struct policy_context *context, const char *tool, const char *path,
                 struct decision *ret)
{
    decide_path_n(p, context, tool, path, strlen(path), ret);
}

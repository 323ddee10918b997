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

static bool is_pattern(const struct request *q)
{
    return q->kind == TOOL_SEARCH && glob_has_wildcard(q->path);
}

static bool pattern_allowed(const struct request *q, const struct rule *r)
{
    static const char *const DEEP[] = {"\x01\x01", "\x01\x01/\x01\x01"};
    if (strpbrk(q->path, "[{"))
        return false;
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

// Rules that cover the path as requested and as resolved: each may be another one.
struct cover {
    const struct rule *requested, *resolved;
};

static struct cover covers(const struct request *q, const struct rule_list *list)
{
    struct cover c = {0};
    for (size_t i = 0; list && i < list->rules.len && !(c.requested && c.resolved); i++) {
        const struct rule *r = &list->rules.items[i];
        if (!rule_speaks_for(r, q->kind, q->tool, false))
            continue;
        if (is_pattern(q) && !r->bare) {
            if (pattern_allowed(q, r))
                return (struct cover){r, r};
            continue;
        }
        if (!c.requested && path_rule_matches(q->context, r, q->place.requested, false, false))
            c.requested = r;
        if (!c.resolved && path_rule_matches(q->context, r, q->place.resolved, true, false))
            c.resolved = r;
    }
    return c;
}

static const struct rule *allowed_by(const struct request *q, const struct rule_list *list)
{
    struct cover c = covers(q, list);
    return c.resolved ? c.requested : NULL;
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

// A rule for this one path; the whole tool when no pattern says it.
static void path_rule(const struct request *q, const char *path, bool resolved, struct buf *ret)
{
    char root[POLICY_PATH_MAX];
    const char *below = path_root(q->context, resolved, root) ? path_inside(path, root) : NULL;
    const char *text = below ? below : path;
    bool pattern = is_pattern(q);
    buf_printf(ret, "%s%s", ret->len ? ", " : "", rule_tool(q));
    if ((below && !*below) || (pattern && strpbrk(path, "[{")))
        return;
    buf_str_add(ret, "(/");
    for (const char *s = text; *s; s++) {
        if (!pattern && strchr("*?[\\", *s))
            buf_char(ret, '\\');
        buf_char(ret, *s);
    }
    buf_char(ret, ')');
}

static void need_paths(const struct request *q, const struct cover *c, struct decision *d)
{
    AUTO_BUF struct buf need = BUF_MAX(2 * POLICY_PATH_MAX);
    bool link = strcmp(q->place.requested, q->place.resolved) != 0;
    if (!c->requested)
        path_rule(q, q->place.requested, false, &need);
    if (!c->resolved && (link || c->requested) && !is_pattern(q)) {
        AUTO_BUF struct buf second = BUF_MAX(POLICY_PATH_MAX);
        path_rule(q, q->place.resolved, true, &second);
        if (strcmp(buf_str(&second), buf_str(&need)) != 0)
            buf_printf(&need, "%s%s", need.len ? ", " : "", buf_str(&second));
    }
    decision_need(d, "%s", buf_str(&need));
}

static void deny_unmatched(const struct request *q, const struct rule_list *list, struct decision *d)
{
    const char *tool = rule_tool(q);
    const struct cover c = covers(q, list);
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
    else if (c.requested && !c.resolved)
        decision_deny(d, NULL, "\"%s\" leads through a link to \"%s\", which no %s rule of %s covers", q->path,
                      q->place.resolved, tool, buf_str(&whose));
    else
        decision_deny(d, NULL, "no %s rule of %s covers \"%s\"", tool, buf_str(&whose), q->path);
    need_paths(q, &c, d);
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

// Texts of several commands: each stage stands on its own rule, in every folder it may run in.
#include "base/mem.h"
#include "base/str.h"
#include "policy/command.h"
#include "policy/path.h"
#include "policy/run.h"
#include "policy/set.h"

#include <string.h>

#define FOLDERS_MAX 8

static bool redirect_ok(const struct run *run, const struct redirect *r, struct decision *d)
{
    if (r->kind == REDIRECT_DUP || r->kind == REDIRECT_TEXT || strcmp(r->target, "/dev/null") == 0)
        return true;
    decide_path_at(run->policy, run->context, run->base, r->kind == REDIRECT_READ ? "Read" : "Write", r->target,
                   strlen(r->target), d);
    return d->verdict != POLICY_DENY;
}

// Where a command of the text may run. A cd that fails leaves the folder as it was, so that behind ";" and "||" it is
// any of those there were so far; behind "&&" it is what the cd before set.
struct folders {
    char *path[FOLDERS_MAX];
    size_t count;
};

static bool folder_add(struct folders *f, const char *path)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->path[i], path) == 0)
            return true;
    if (f->count >= FOLDERS_MAX)
        return false;
    f->path[f->count++] = str_dup(path);
    return true;
}

static bool folders_join(struct folders *f, const struct folders *with)
{
    for (size_t i = 0; i < with->count; i++)
        if (!folder_add(f, with->path[i]))
            return false;
    return true;
}

static void folders_clear(struct folders *f)
{
    for (size_t i = 0; i < f->count; i++)
        mem_free(f->path[i]);
    f->count = 0;
}

// The folder that a cd names; NULL when it is not of the one form that is accepted, and then d says why.
static const char *cd_folder(const struct stage *s, enum stage_join before, struct decision *d)
{
    static const char *const SIGNS[] = {[JOIN_END] = "",
                                        [JOIN_AND] = "\"&&\"",
                                        [JOIN_OR] = "\"||\"",
                                        [JOIN_THEN] = "\";\" or a new line",
                                        [JOIN_PIPE] = "\"|\""};
    const char *dir = s->argv[1] && strcmp(s->argv[1], "--") == 0 ? s->argv[2] : s->argv[1];
    size_t words = s->argv[1] && strcmp(s->argv[1], "--") == 0 ? 3 : 2;
    if (s->argc != words || !dir || dir[0] == '-' || !*dir || s->env[0] || s->redirect_count > 0) {
        decision_deny(d, NULL, "expected \"cd FOLDER && command\": one folder, nothing else");
        return NULL;
    }
    if (before == JOIN_OR || before == JOIN_PIPE) {
        decision_deny(d, NULL,
                      "behind %s it is not certain that \"cd %.80s\" runs and where the next command does: begin "
                      "with it, as in \"cd %.80s && command\"",
                      SIGNS[before], dir, dir);
        return NULL;
    }
    if (s->join != JOIN_AND && s->join != JOIN_END) {
        decision_deny(d, NULL,
                      "\"cd %.80s\" is followed by %s: if the folder is missing, the next command would run in "
                      "another one; write \"cd %.80s && command\"",
                      dir, SIGNS[s->join], dir);
        return NULL;
    }
    return dir;
}

// cd sets the folder of what follows.
static bool change_folder(const struct run *run, const char *dir, struct folders *to, struct decision *d)
{
    struct place_of p;
    const char *why = path_place(run->context, run->base, dir, &p);
    if (why || !path_in_workspace(run->context, &p)) {
        decision_deny(d, NULL, "\"cd %s\" leaves the workspace \"%s\"%s%s", dir, run->context->workspace,
                      why ? ": " : "", why ? why : "");
        return false;
    }
    if (p.known && p.file.kind == POLICY_FILE_REGULAR) {
        decision_deny(d, NULL, "\"%s\" is not a folder", dir);
        return false;
    }
    if (!folder_add(to, p.requested)) {
        decision_deny(d, NULL, "the command may run in more than %d folders; send its parts in several calls",
                      FOLDERS_MAX);
        return false;
    }
    decision_allow(d, NULL, "cd inside the workspace only sets the folder of the next command");
    return true;
}

static void say_where(const struct command *c, size_t i, struct decision *d)
{
    if (c->count == 1)
        return;
    struct decision copy = *d;
    AUTO_FREE char *reason = str_printf("command %zu (column %zu): %s", i + 1, c->stages[i].column, copy.reason);
    size_t len = strlen(reason) < sizeof(d->reason) ? strlen(reason) : str_utf8_cut(reason, sizeof(d->reason) - 1);
    memcpy(d->reason, reason, len);
    d->reason[len] = '\0';
}

static bool has_command_rule(const struct policy *p)
{
    for (size_t i = 0; i < p->lists.len; i++)
        for (size_t k = 0; k < p->lists.items[i].rules.len; k++)
            if (p->lists.items[i].rules.items[k].kind == TOOL_COMMAND)
                return true;
    return false;
}

// Whether `one` says more than what was decided before it.
static bool outweighs(const struct decision *one, const struct decision *d)
{
    return (d->verdict == POLICY_ALLOW && (one->verdict != POLICY_ALLOW || !d->rule[0])) ||
           one->verdict == POLICY_DENY || (one->verdict == POLICY_ALLOW_SANDBOXED && one->needs_box && !d->needs_box);
}

static void judge_command(const struct run *run, const struct stage *s, struct decision *d)
{
    run_judge(run, (const char *const *)s->argv, d);
    for (size_t k = 0; k < s->redirect_count; k++) {
        struct decision file;
        if (redirect_ok(run, &s->redirects[k], &file))
            continue;
        if (d->verdict == POLICY_DENY)
            decision_need_also(d, &file);
        else
            *d = file;
    }
}

// One stage, in every folder it may run in. A cd replaces the folders.
static void judge_stage(struct run *run, const struct stage *s, enum stage_join before, struct folders *now,
                        struct decision *d)
{
    struct folders to = {0};
    struct decision one;
    bool cd = strcmp(s->argv[0], "cd") == 0 && has_command_rule(run->policy);
    const char *dir = cd ? cd_folder(s, before, d) : NULL;
    if (cd && !dir)
        return;
    run->env = s->env[0] ? (const char *const *)s->env : NULL;
    for (size_t i = 0; i < now->count; i++) {
        run->base = now->path[i];
        if (dir)
            change_folder(run, dir, &to, &one);
        else
            judge_command(run, s, &one);
        if (i > 0 && d->verdict == POLICY_DENY && one.verdict == POLICY_DENY)
            decision_need_also(d, &one);
        else if (i == 0 || outweighs(&one, d))
            *d = one;
    }
    if (!dir)
        return;
    folders_clear(now);
    *now = to;
}

static void judge_stages(struct run *run, const struct command *c, struct folders *all, struct folders *now,
                         struct decision *d)
{
    for (size_t i = 0; i < c->count; i++) {
        struct decision one;
        enum stage_join before = i > 0 ? c->stages[i - 1].join : JOIN_END;
        bool fits = before != JOIN_OR && before != JOIN_THEN ? true : folders_join(now, all);
        judge_stage(run, &c->stages[i], before, now, &one);
        if (!fits || !folders_join(all, now))
            decision_deny(&one, NULL, "the command may run in more than %d folders; send its parts in several calls",
                          FOLDERS_MAX);
        say_where(c, i, &one);
        if (i > 0 && d->verdict == POLICY_DENY) {
            if (one.verdict == POLICY_DENY)
                decision_need_also(d, &one);
        } else if (i == 0 || outweighs(&one, d)) {
            *d = one;
        }
        if (now->count == 0 || (d->verdict == POLICY_DENY && !d->needed[0]))
            return; // no rule would help
    }
}

void run_judge_text(const struct run *outer, const char *text, size_t len, struct decision *d)
{
    struct command *c = NULL;
    struct err err = {0};
    struct run run = *outer;
    struct folders all = {0}, now = {0};
    if (command_parse(text, len, &c, &err) < 0) {
        decision_deny(d, NULL, "the command is refused, because it cannot be proven what it does: %s", err.text);
        return;
    }
    folder_add(&all, outer->base);
    folder_add(&now, outer->base);
    judge_stages(&run, c, &all, &now, d);
    folders_clear(&all);
    folders_clear(&now);
    command_free(c);
}

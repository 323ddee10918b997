// Commands. A stage is judged on its words; wrappers are stripped, launchers are judged together with what they start,
// and every part of a compound command stands on its own rule.
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/advice.h"
#include "policy/launcher.h"
#include "policy/path.h"
#include "policy/reach.h"
#include "policy/run.h"
#include "policy/set.h"
#include "policy/text.h"
#include "policy/variables.h"

#include <string.h>

#define NESTING_MAX 8

// --- texts ---

// The command as a person would write it, shortened.
static void describe(const char *const *argv, struct buf *ret)
{
    *ret = BUF_MAX(120);
    for (size_t i = 0; argv[i]; i++) {
        bool quote = !argv[i][0] || strpbrk(argv[i], " \t\n'\"$`\\*?;|&<>()");
        buf_printf(ret, quote ? "%s'%s'" : "%s%s", i ? " " : "", argv[i]);
    }
    if (ret->cut && ret->len > 3) {
        ret->len = str_utf8_cut(ret->data, ret->len - 3);
        ret->data[ret->len] = '\0';
        ret->max = 0;
        buf_str_add(ret, "…");
    }
}

// "; its command rules are: …" for the reason: of the list that has none for the call.
static void known_rules(const struct rule_list *list, struct buf *ret)
{
    *ret = BUF_MAX(220);
    size_t n = 0;
    for (size_t k = 0; list && k < list->rules.len; k++)
        if (list->rules.items[k].kind == TOOL_COMMAND)
            buf_printf(ret, "%s%s", n++ ? ", " : "; its command rules are ", list->rules.items[k].text);
    if (n == 0)
        buf_str_add(ret, "; it has no Bash rule at all");
}

// --- programs that are no programs ---

static const char *program_problem(const char *word)
{
    static const char *const BUILTINS[] = {
#define X(name) name,
#include "tbl/policy_builtins.def"
#undef X
    };
    size_t bad = 0;
    if (!word[0])
        return "the program's name is empty";
    if (strlen(word) >= POLICY_PATH_MAX)
        return "the program's name is too long";
    const char *why = text_problem(word, strlen(word), false, &bad);
    if (why)
        return why;
    for (const char *s = word; *s; s++)
        if ((unsigned char)*s >= 0x80)
            return "its name has a character outside ASCII, which may only look like the name it means";
    if (word[0] == '-' || word[0] == '~' || strchr(word, '=') || strpbrk(word, "*?"))
        return "this is not the plain name of a program";
    for (size_t i = 0; i < ARRAY_LEN(BUILTINS); i++)
        if (strcmp(word, BUILTINS[i]) == 0)
            return "it is a command of the shell itself, and no shell runs here";
    return NULL;
}

static const char *argv_problem(const char *const *argv)
{
    size_t bytes = 0, n = 0;
    if (!argv[0])
        return "there is no command";
    for (; argv[n]; n++) {
        bytes += strlen(argv[n]) + 1;
        if (strchr(argv[n], WORD_SEP))
            return "a word has a control character (0x1f)";
    }
    if (n > POLICY_WORDS_MAX || bytes > POLICY_ARGV_MAX)
        return "the command has too many words or bytes";
    return program_problem(argv[0]);
}

// --- rules ---

static bool deny_covers(const struct rule *r, const char *const *argv, const char *const *env, bool extra)
{
    size_t len = 0;
    AUTO_FREE char *joined = command_join(argv, &len);
    return rule_covers_command(r, joined, len, env, false) || (extra && rule_covers_command(r, joined, len, env, true));
}

// Deny rules also see the program behind its path, and the subcommand behind the options before it (git -C . push).
static const struct rule *denied_by(const struct run *run, const char *const *argv)
{
    size_t n = 0, sub = launcher_subcommand(argv);
    while (argv[n])
        n++;
    const char **plain = mem_array(n + 1, sizeof(char *)), **reduced = mem_array(n + 2, sizeof(char *));
    memcpy(plain, argv, n * sizeof(char *));
    plain[0] = launcher_program(argv[0]);
    reduced[0] = plain[0];
    for (size_t i = sub; sub > 0 && i < n; i++)
        reduced[1 + i - sub] = argv[i];
    const struct rule *found = NULL;
    const struct rule_list *deny = &run->policy->deny;
    for (size_t i = 0; i < deny->rules.len && !found; i++) {
        const struct rule *r = &deny->rules.items[i];
        if (r->every)
            found = r;
        else if (r->kind == TOOL_COMMAND &&
                 (deny_covers(r, argv, run->env, run->extra) || deny_covers(r, plain, run->env, run->extra) ||
                  (sub > 0 && deny_covers(r, reduced, run->env, run->extra))))
            found = r;
    }
    mem_free(plain);
    mem_free(reduced);
    return found;
}

// An assignment the rule does not cover, or NULL. Assignments that are never accepted were refused before.
static const char *uncovered_variable(const struct run *run, const struct rule *r)
{
    for (size_t i = 0; run->env && run->env[i]; i++)
        if (variable_class(run->context, run->base, run->env[i]) == VARIABLE_OTHER && !variable_named(r, run->env[i]))
            return run->env[i];
    return NULL;
}

// Words that a wildcard never covers: programs that run others unseen, and find's actions.
static bool covered_carefully(const struct rule *r, const char *const *argv)
{
    static const char *const PROGRAMS[] = {"watch", "setsid", "ionice", "flock"};
    static const char *const ACTIONS[] = {"-exec",   "-execdir", "-ok",      "-okdir", "-delete",
                                          "-fprint", "-fprint0", "-fprintf", "-fls"};
    if (r->bare || r->exact)
        return true;
    const char *program = launcher_program(argv[0]);
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++)
        if (strcmp(program, PROGRAMS[i]) == 0)
            return false;
    if (strcmp(program, "find") != 0)
        return true;
    AUTO_FREE char *copy = str_dup(r->pattern);
    for (size_t i = 0; argv[i]; i++) {
        for (size_t k = 0; k < ARRAY_LEN(ACTIONS); k++) {
            if (strcmp(argv[i], ACTIONS[k]) != 0)
                continue;
            const char *named = strstr(copy, ACTIONS[k]);
            size_t len = strlen(ACTIONS[k]);
            if (!named || named == copy || named[-1] != WORD_SEP || (named[len] && named[len] != WORD_SEP))
                return false;
        }
    }
    return true;
}

bool run_rule_covers(const struct run *run, const struct rule *r, const char *const *argv)
{
    size_t len = 0;
    AUTO_FREE char *joined = command_join(argv, &len);
    return r->kind == TOOL_COMMAND && rule_covers_command(r, joined, len, run->env, run->extra) &&
           covered_carefully(r, argv) && !uncovered_variable(run, r);
}

enum miss { MISS_NOTHING, MISS_RULE, MISS_VARIABLE, MISS_CAREFUL };

// The rule of every list that covers the command; the first list's is returned. `exact_only`: rules without a wildcard.
static const struct rule *covering(const struct run *run, const char *const *argv, bool exact_only, enum miss *ret_miss,
                                   const char **ret_variable)
{
    size_t len = 0;
    AUTO_FREE char *joined = command_join(argv, &len);
    const struct rule *first = NULL;
    for (size_t i = 0; i < run->policy->lists.len; i++) {
        const struct rule_list *list = &run->policy->lists.items[i];
        const struct rule *found = NULL;
        enum miss miss = MISS_RULE;
        for (size_t k = 0; k < list->rules.len && !found; k++) {
            const struct rule *r = &list->rules.items[k];
            if (r->kind != TOOL_COMMAND || (exact_only && !r->exact) ||
                !rule_covers_command(r, joined, len, run->env, run->extra))
                continue;
            const char *variable = uncovered_variable(run, r);
            if (!covered_carefully(r, argv)) {
                miss = MISS_CAREFUL;
            } else if (variable) {
                miss = MISS_VARIABLE;
                *ret_variable = variable;
            } else {
                found = r;
            }
        }
        if (!found) {
            *ret_miss = miss;
            return NULL;
        }
        first = first ? first : found;
    }
    *ret_miss = first ? MISS_NOTHING : MISS_RULE;
    return first;
}

// The first list without a rule for it; NULL: there is no list at all.
static const struct rule_list *missing_in(const struct run *run, const char *const *argv)
{
    size_t len = 0;
    AUTO_FREE char *joined = command_join(argv, &len);
    for (size_t i = 0; i < run->policy->lists.len; i++) {
        const struct rule_list *list = &run->policy->lists.items[i];
        bool found = false;
        for (size_t k = 0; k < list->rules.len && !found; k++)
            found = list->rules.items[k].kind == TOOL_COMMAND &&
                    rule_covers_command(&list->rules.items[k], joined, len, run->env, run->extra);
        if (!found)
            return list;
    }
    return run->policy->lists.len ? &run->policy->lists.items[0] : NULL;
}

static bool spelled_out(const struct rule *r, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = r && r->pattern ? strstr(r->pattern, word) : NULL; s; s = strstr(s + 1, word))
        if (s > r->pattern && s[-1] == WORD_SEP && (s[n] == WORD_SEP || !s[n]) && !strchr(word, '*'))
            return true;
    return false;
}

// The assignments in front of what env starts: NULL-terminated, the texts are borrowed. Those that the rule for env
// spells out are left out, if a rule can allow them at all.
static const char **env_words(const struct run *run, const char *const *argv, const struct launch *launch,
                              const struct rule *rule)
{
    const char **words = mem_array(launch->inner + 1, sizeof(char *));
    size_t n = 0;
    for (size_t i = 1; i < launch->inner && strcmp(launcher_program(argv[0]), "env") == 0; i++)
        if (argv[i][0] != '-' && strchr(argv[i], '=') &&
            (variable_class(run->context, run->base, argv[i]) == VARIABLE_NEVER || !spelled_out(rule, argv[i])))
            words[n++] = argv[i];
    return words;
}

// The rule for the command, and for what it starts.
static void need_rules(const struct run *run, const char *const *argv, struct decision *d)
{
    struct launch launch;
    launcher_look(argv, &launch);
    if (!advice_give(run, argv, d) || launch.kind != LAUNCH_LAUNCHER)
        return;
    struct run inner = *run;
    struct decision result;
    inner.depth++;
    inner.launched = true;
    AUTO_FREE const char **env = env_words(run, argv, &launch, NULL);
    inner.env = env;
    run_judge(&inner, argv + launch.inner, &result);
    if (result.verdict == POLICY_DENY)
        decision_need_also(d, &result);
}

static void deny_uncovered(const struct run *run, const char *const *argv, enum miss miss, const char *variable,
                           struct decision *d)
{
    struct buf text, rules;
    AUTO_BUF struct buf whose = BUF_MAX(300);
    const struct rule_list *list = missing_in(run, argv);
    describe(argv, &text);
    known_rules(list, &rules);
    policy_whose(run->policy, list, &whose);
    if (miss == MISS_VARIABLE) {
        decision_deny(
            d, NULL,
            "the assignment \"%.80s\" is not among those known to be harmless, and no rule names it: leave it out",
            variable);
    } else if (miss == MISS_CAREFUL) {
        decision_deny(
            d, NULL,
            "\"%s\" runs or deletes things that a wildcard rule does not show: only a rule that spells it out "
            "allows it",
            buf_str(&text));
    } else if (strpbrk(argv[0], " \t")) {
        decision_deny(d, NULL, "\"%.80s\" is taken as the name of one program: give each word by itself", argv[0]);
    } else {
        decision_deny(d, NULL, "no rule of %s covers \"%s\"%s", buf_str(&whose), buf_str(&text), buf_str(&rules));
    }
    need_rules(run, argv, d);
    buf_free(&text);
    buf_free(&rules);
}

// --- parts of a stage ---

static bool refuse_variables(const struct run *run, struct decision *d)
{
    for (size_t i = 0; run->env && run->env[i]; i++) {
        size_t len = strcspn(run->env[i], "=");
        if (!rule_is_variable(run->env[i], len) || run->env[i][len] != '=') {
            decision_deny(d, NULL, "\"%.60s\" is not an assignment of the form NAME=value", run->env[i]);
            return true;
        }
        if (variable_class(run->context, run->base, run->env[i]) == VARIABLE_NEVER) {
            decision_deny(
                d, NULL,
                "\"%.*s\" decides which code is loaded or found and is never taken from an agent: leave it out",
                (int)(len < 60 ? len : 60), run->env[i]);
            return true;
        }
    }
    return false;
}

// tee writes the files it is given: each is a file access of its own.
static bool refuse_tee(const struct run *run, const char *const *argv, struct decision *d)
{
    if (strcmp(launcher_program(argv[0]), "tee") != 0)
        return false;
    bool options = true;
    for (size_t i = 1; argv[i]; i++) {
        if (options && argv[i][0] == '-' && argv[i][1]) {
            options = strcmp(argv[i], "--") != 0;
            continue;
        }
        struct decision file;
        decide_path_at(run->policy, run->context, run->base, "Write", argv[i], strlen(argv[i]), &file);
        if (file.verdict == POLICY_DENY && strcmp(argv[i], "/dev/null") != 0 && strcmp(argv[i], "-") != 0) {
            *d = file;
            return true;
        }
    }
    return false;
}

// A program that cargo built needs no rule of its own where `cargo run` is allowed.
static const struct rule *built_rule(const struct run *run, const char *const *argv)
{
    static const char *const CARGO_RUN[] = {"cargo", "run", NULL};
    struct run cargo = *run;
    cargo.extra = false;
    enum miss miss = MISS_RULE;
    const char *variable = NULL;
    if (!path_is_built(run->context, run->base, argv[0]))
        return NULL;
    return covering(&cargo, CARGO_RUN, false, &miss, &variable);
}

// What the launcher starts. Fills d only when it changes the verdict.
static void judge_inner(const struct run *run, const char *const *argv, const struct launch *launch,
                        const struct rule *rule, struct decision *d)
{
    struct run inner = *run;
    struct decision result;
    inner.depth++;
    inner.launched = true;
    AUTO_FREE const char **env = env_words(run, argv, launch, rule);
    inner.env = env;
    if (launch->kind == LAUNCH_SHELL) {
        struct buf text = BUF_INIT;
        const char *join = strcmp(launcher_program(argv[0]), "hyperfine") == 0 ? "\n" : " ";
        for (size_t i = launch->inner; argv[i]; i++)
            buf_printf(&text, "%s%s", i > launch->inner ? join : "", argv[i]);
        run_judge_text(&inner, buf_str(&text), text.len, &result);
        buf_free(&text);
    } else {
        run_judge(&inner, argv + launch->inner, &result);
    }
    if (result.verdict == POLICY_DENY && result.rule[0]) {
        *d = result; // a deny rule names what would be started
        return;
    }
    const char *what = argv[launch->inner];
    bool assigns = false; // nothing but the assignments is in the way
    if (env[0] && launch->kind != LAUNCH_SHELL && result.verdict == POLICY_DENY) {
        struct decision without;
        inner.env = NULL;
        run_judge(&inner, argv + launch->inner, &without);
        assigns = without.verdict != POLICY_DENY;
    }
    if (launch->kind == LAUNCH_SHELL)
        decision_box(d, true, "\"%s\" hands \"%.60s\" to a shell, which no rule names: the sandbox has no shell to run",
                     argv[0], what);
    else if (assigns)
        decision_box(d, true, "%s", result.reason);
    else if (result.verdict == POLICY_DENY)
        decision_box(
            d, true,
            "\"%s\" would start \"%.60s\", which no rule of agent \"%s\" allows: in the sandbox it cannot be executed",
            argv[0], what, run->policy->agent);
    else if (result.verdict == POLICY_ALLOW_SANDBOXED)
        decision_box(d, result.needs_box, "%s", result.reason);
}

static void judge_reach(const struct run *run, const char *const *argv, struct decision *d)
{
    struct buf why = BUF_MAX(400);
    if (reach_of_arguments(run->context, run->base, argv, &why))
        decision_box(d, true, "%s", buf_str(&why));
    else if (!policy_owns_workspace(run->policy) && reach_of_project(run->context, run->base, argv, &why))
        decision_box(d, false, "%s", buf_str(&why));
    buf_free(&why);
}

static void judge_covered(const struct run *run, const char *const *argv, const struct launch *launch,
                          const struct rule *rule, bool built, struct decision *d)
{
    if (built)
        decision_allow(d, rule,
                       rule ? "\"%s\" was built by cargo, and %s allows running what cargo builds"
                            : "\"%s\" was built by cargo in a declared target directory%s",
                       argv[0], rule ? rule->text : "");
    else
        decision_allow(d, rule, "%s allows it", rule->text);
    if (refuse_tee(run, argv, d))
        return;
    judge_reach(run, argv, d);
    if (launch->kind == LAUNCH_LAUNCHER || launch->kind == LAUNCH_SHELL)
        judge_inner(run, argv, launch, rule, d);
    for (size_t i = 0; run->env && run->env[i]; i++)
        if (d->verdict == POLICY_ALLOW && variable_class(run->context, run->base, run->env[i]) == VARIABLE_OTHER)
            decision_box(d, true, "the assignment \"%.60s\" may name programs or files that no rule allows",
                         run->env[i]);
}

static void judge_wrapped(const struct run *run, const char *const *argv, const struct launch *launch,
                          struct decision *d)
{
    struct run inner = *run;
    inner.depth++;
    inner.extra = run->extra || launch->extra;
    run_judge(&inner, argv + launch->inner, d);
    if (launch->extra)
        decision_box(d, true, "\"%s\" gets further words from its input, which nobody has seen", argv[launch->inner]);
}

void run_judge(const struct run *run, const char *const *argv, struct decision *d)
{
    const char *why = run->depth > NESTING_MAX ? "too many commands inside each other" : argv_problem(argv);
    if (why) {
        decision_deny(d, NULL, "\"%.60s\" cannot be run: %s", argv[0] ? argv[0] : "", why);
        return;
    }
    const struct rule *rule = denied_by(run, argv);
    if (rule) {
        decision_deny(d, rule, "the deny rule %s forbids it", rule->text);
        return;
    }
    if (refuse_variables(run, d))
        return;
    struct launch launch;
    enum miss miss = MISS_RULE;
    const char *variable = NULL;
    launcher_look(argv, &launch);
    bool wrapper = launch.kind == LAUNCH_WRAPPER || launch.kind == LAUNCH_REFUSED;
    rule = covering(run, argv, wrapper, &miss, &variable);
    if (!rule && launch.kind == LAUNCH_WRAPPER) {
        judge_wrapped(run, argv, &launch, d);
        return;
    }
    if (!rule && launch.kind == LAUNCH_REFUSED) {
        decision_deny(d, NULL, "\"%s\": %s", argv[0], launch.problem);
        return;
    }
    const struct rule *cargo = rule ? NULL : built_rule(run, argv);
    bool built = !rule && (cargo || (run->launched && path_is_built(run->context, run->base, argv[0])));
    if (!rule && !built)
        deny_uncovered(run, argv, miss, variable, d);
    else
        judge_covered(run, argv, &launch, rule ? rule : cargo, built, d);
}

void decide_argv(const struct policy *p, const struct policy_context *context, const char *const *argv,
                 const char *const *env_assignments, struct decision *ret)
{
    struct run run = {.policy = p, .context = context, .base = path_cwd(context), .env = env_assignments};
    run_judge(&run, argv, ret);
}

void decide_command_n(const struct policy *p, const struct policy_context *context, const char *text, size_t len,
                      struct decision *ret)
{
    struct run run = {.policy = p, .context = context, .base = path_cwd(context)};
    run_judge_text(&run, text, len, ret);
}

void decide_command(const struct policy *p, const struct policy_context *context, const char *text,
                    struct decision *ret)
{
    decide_command_n(p, context, text, strlen(text), ret);
}

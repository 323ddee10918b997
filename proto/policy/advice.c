// Candidates from narrow to wide; each is parsed and asked before it is given.
#include "policy/advice.h"

#include "base/buf.h"
#include "base/str.h"
#include "policy/launcher.h"
#include "policy/set.h"
#include "policy/variables.h"

#include <string.h>

// A word as a rule has it: quotes group, and nothing escapes a quote. false when it cannot be written.
static bool add_word(const char *word, struct buf *ret)
{
    bool single = strchr(word, '\''), twice = strchr(word, '"');
    if (single && twice)
        return false;
    const char *quote = single ? "\"" : twice || !*word || strpbrk(word, " \t") ? "'" : "";
    buf_printf(ret, " %s%s%s", quote, word, quote);
    return true;
}

// "Bash(NAME=* program word *)" of the first `words` words.
static bool give(const struct run *run, const char *const *argv, size_t words, bool star, struct decision *d)
{
    AUTO_BUF struct buf inside = BUF_MAX(POLICY_RULE_MAX);
    for (size_t i = 0; run->env && run->env[i]; i++)
        if (variable_class(run->context, run->base, run->env[i]) == VARIABLE_OTHER)
            buf_printf(&inside, " %.*s=*", (int)strcspn(run->env[i], "="), run->env[i]);
    for (size_t i = 0; i < words; i++)
        if (!add_word(argv[i], &inside))
            return false;
    if (inside.cut)
        return false;
    AUTO_FREE char *text = str_printf("Bash(%s%s)", buf_str(&inside) + 1, star ? " *" : "");
    struct rule r;
    if (rule_parse(text, NULL, 0, false, &r, NULL, NULL) < 0)
        return false;
    bool covers = run_rule_covers(run, &r, argv);
    rule_clear(&r);
    if (covers)
        decision_need(d, "%s", text);
    return covers && d->needed[0];
}

bool advice_give(const struct run *run, const char *const *argv, struct decision *d)
{
    static const char *const FAMILIES[] = {"git", "cargo", "perf", "samply", "rustup"}; // with subcommands
    const char *program = launcher_program(argv[0]);
    size_t n = 0, sub = launcher_subcommand(argv);
    bool family = false;
    while (argv[n])
        n++;
    for (size_t i = 0; i < ARRAY_LEN(FAMILIES); i++)
        family = family || strcmp(program, FAMILIES[i]) == 0;
    d->needed[0] = '\0';
    if (strpbrk(argv[0], " \t")) // hardly a program that somebody has
        return false;
    if (family && (sub > 0 ? give(run, argv, sub + 1, true, d) : give(run, argv, n, false, d)))
        return true;
    return give(run, argv, 1, true, d) || give(run, argv, n, false, d);
}

// Options are skipped by table. A wrapper's unknown option is refused, because everything behind it would be guesswork;
// a launcher's unknown option is taken to have no value, which can only make the sandbox's share of the work larger.
#include "policy/launcher.h"

#include "base/attr.h"
#include "base/str.h"

#include <string.h>

struct launcher {
    const char *program, *subcommand;
    enum launch_kind kind;
    const char *shorts, *longs;
    int operands; // -1: the inner command is only what follows "--"
};

static const struct launcher LAUNCHERS[] = {
#define WRAPPER                                               LAUNCH_WRAPPER
#define LAUNCHER                                              LAUNCH_LAUNCHER
#define SHELL                                                 LAUNCH_SHELL
#define X(program, subcommand, kind, shorts, longs, operands) {program, subcommand, kind, shorts, longs, operands},
#include "tbl/policy_launchers.def"
#undef X
#undef WRAPPER
#undef LAUNCHER
#undef SHELL
};

const char *launcher_program(const char *word)
{
    const char *slash = strrchr(word, '/');
    return slash ? slash + 1 : word;
}

// Whether `name` (of the given length) stands in a comma list that ends at a blank or the end.
static bool in_list(const char *list, const char *name, size_t len)
{
    while (*list && *list != ' ') {
        size_t n = strcspn(list, ", ");
        if (n == len && memcmp(list, name, len) == 0)
            return true;
        list += n;
        list += *list == ',';
    }
    return false;
}

static const char *flags_of(const char *list)
{
    const char *blank = strchr(list, ' ');
    return blank ? blank + 1 : "";
}

static bool is_long(const struct launcher *l, const char *word)
{
    if (strncmp(word, "--", 2) == 0)
        return true;
    return strstr(l->longs, word) != NULL && in_list(l->longs, word, strlen(word)); // "-ex" of gdb
}

enum option { OPTION_ALONE, OPTION_TAKES_NEXT, OPTION_UNKNOWN };

static enum option look_long(const struct launcher *l, const char *word)
{
    if (word[1] != '-')
        return OPTION_TAKES_NEXT;
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    bool valued = in_list(l->longs, name, len);
    if (valued)
        return name[len] == '=' ? OPTION_ALONE : OPTION_TAKES_NEXT;
    return in_list(flags_of(l->longs), name, len) ? OPTION_ALONE : OPTION_UNKNOWN;
}

static enum option look_short(const struct launcher *l, const char *word)
{
    size_t valued = strcspn(l->shorts, " ");
    for (const char *s = word + 1; *s; s++) {
        if (memchr(l->shorts, *s, valued))
            return s[1] ? OPTION_ALONE : OPTION_TAKES_NEXT;
        if (!strchr(flags_of(l->shorts), *s))
            return OPTION_UNKNOWN;
    }
    return OPTION_ALONE;
}

// Index behind the row's program and subcommand words, 0 when the row is not about this command. Options before a
// subcommand (perf --no-pager record) are skipped.
static size_t row_start(const struct launcher *l, const char *const *argv)
{
    if (strcmp(launcher_program(argv[0]), l->program) != 0)
        return 0;
    size_t i = 1;
    const char *sub = l->subcommand;
    while (*sub) {
        size_t len = strcspn(sub, " ");
        if (sub == l->subcommand && sub[0] != '-')
            i = launcher_subcommand(argv);
        if (i == 0 || !argv[i] || strlen(argv[i]) != len || memcmp(argv[i], sub, len) != 0)
            return 0;
        i++;
        sub += len;
        sub += *sub == ' ';
    }
    return i;
}

static void refused(struct launch *ret, const char *problem)
{
    ret->kind = LAUNCH_REFUSED;
    ret->problem = problem;
}

// Skips options and operands; the inner command begins at the index left in ret->inner, or there is none.
static void find_inner(const struct launcher *l, const char *const *argv, size_t i, struct launch *ret)
{
    int operands = l->operands;
    bool options = true;
    for (; argv[i]; i++) {
        const char *word = argv[i];
        if (options && strcmp(word, "--") == 0) {
            options = false;
            if (operands < 0)
                operands = 0;
            continue;
        }
        if (options && word[0] == '-' && word[1]) {
            enum option o = is_long(l, word) ? look_long(l, word) : look_short(l, word);
            if (o == OPTION_UNKNOWN && l->kind == LAUNCH_WRAPPER) {
                refused(ret, "this option of the wrapper cannot be judged; leave it out");
                return;
            }
            if (o == OPTION_TAKES_NEXT && argv[i + 1])
                i++;
            continue;
        }
        if (strcmp(l->program, "env") == 0 && strchr(word, '='))
            continue;
        if (operands == 0) {
            ret->kind = l->kind;
            ret->inner = i;
            return;
        }
        if (operands > 0)
            operands--;
    }
    if (l->kind == LAUNCH_WRAPPER)
        refused(ret, "the wrapper has no command to run");
}

void launcher_look(const char *const *argv, struct launch *ret)
{
    memset(ret, 0, sizeof(*ret));
    // Bare xargs is stripped; with options it is a program like any other. A path is another program than the wrapper's
    // name.
    if (strcmp(argv[0], "xargs") == 0 && argv[1] && argv[1][0] != '-') {
        *ret = (struct launch){LAUNCH_WRAPPER, 1, true, NULL};
        return;
    }
    for (size_t k = 0; k < ARRAY_LEN(LAUNCHERS); k++) {
        const struct launcher *l = &LAUNCHERS[k];
        size_t i = row_start(l, argv);
        if (i == 0 || (l->kind == LAUNCH_WRAPPER && strchr(argv[0], '/')))
            continue;
        find_inner(l, argv, i, ret);
        return;
    }
}

size_t launcher_subcommand(const char *const *argv)
{
    static const char *const VALUED[][2] = {
        {"git", "-C,-c,--git-dir,--work-tree,--namespace,--super-prefix,--config-env,--attr-source"},
        {"cargo", "-C,-Z,--config,--color"},
        {"perf", "--debugfs-dir,--buildid-dir,--debug"},
    };
    const char *program = launcher_program(argv[0]);
    const char *valued = "";
    for (size_t k = 0; k < ARRAY_LEN(VALUED); k++)
        if (strcmp(program, VALUED[k][0]) == 0)
            valued = VALUED[k][1];
    for (size_t i = 1; argv[i]; i++) {
        if (argv[i][0] == '+' && strcmp(program, "cargo") == 0)
            continue;
        if (argv[i][0] != '-')
            return i;
        if (in_list(valued, argv[i], strlen(argv[i])) && argv[i + 1])
            i++;
    }
    return 0;
}

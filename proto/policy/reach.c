// By table for options, by containment for anything that is a path. What is missed here is still not granted: the
// sandbox does not read arguments. This is the part that explains.
#include "policy/reach.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/launcher.h"
#include "policy/path.h"
#include "policy/reach_inside.h"

#include <string.h>

enum reach_kind { PROGRAM, NETWORK, SYSTEM, RIGHTS, SCRIPT };

static const struct {
    const char *program, *subcommand, *option;
    enum reach_kind kind;
} REACHES[] = {
#define X(program, subcommand, option, kind) {program, subcommand, option, kind},
#include "tbl/policy_reach.def"
#undef X
};

static const struct {
    const char *program, *option;
} TEXTS[] = {
#define X(program, option) {program, option},
#include "tbl/policy_texts.def"
#undef X
};

static const struct {
    const char *program;
    bool (*look)(const char *const *argv, size_t end, struct buf *why);
} FAMILIES[] = {
    {"git", reach_of_git},
    {"cargo", reach_of_cargo},
    {"rustc", reach_of_compiler},
    {"rustdoc", reach_of_compiler},
    {"clippy-driver", reach_of_compiler},
    {"sed", reach_of_sed},
    {"gsed", reach_of_sed},
    {"awk", reach_of_awk},
    {"gawk", reach_of_awk},
    {"mawk", reach_of_awk},
    {"gdb", reach_of_debugger},
    {"rust-gdb", reach_of_debugger},
    {"lldb", reach_of_debugger},
    {"rust-lldb", reach_of_debugger},
    {"valgrind", reach_of_valgrind},
};

void reach_says_program(struct buf *why, const char *word)
{
    buf_printf(
        why,
        "\"%.80s\" names a program or setting that runs something no rule allows: in the sandbox it cannot be executed",
        word);
}

void reach_says_network(struct buf *why, const char *word)
{
    buf_printf(why, "\"%.80s\" reaches for the network, which no rule grants: in the sandbox there is none", word);
}

static void say(struct buf *why, enum reach_kind kind, const char *word)
{
    switch (kind) {
    case PROGRAM:
        reach_says_program(why, word);
        return;
    case NETWORK:
        reach_says_network(why, word);
        return;
    case SYSTEM:
        buf_printf(why, "\"%.80s\" looks at or steers processes beyond this call: in the sandbox there are none", word);
        return;
    case RIGHTS:
        buf_printf(why, "\"%.80s\" asks for the rights of another user, which the sandbox never gives", word);
        return;
    case SCRIPT:
        buf_printf(why,
                   "\"%.80s\" carries a program of its own, which no rule can read: the sandbox bounds what it does",
                   word);
    }
}

// "--upload-pack=x" and "--upload-pa" for "--upload-pack"; "-xcmd" and "-yx" for "-x"; "-exec" for "-exec".
static bool option_matches(const char *word, const char *option, bool shortened)
{
    size_t n = strlen(option);
    if (strncmp(option, "--", 2) == 0) {
        size_t len = strcspn(word, "=");
        if (!shortened)
            return len == n && memcmp(word, option, n) == 0;
        return strncmp(word, "--", 2) == 0 && len >= 5 && len <= n && strncmp(word, option, len) == 0;
    }
    if (n > 2)
        return strncmp(word, option, n) == 0 && (word[n] == '\0' || word[n] == '=');
    if (word[0] != '-' || word[1] == '-')
        return false;
    size_t letters = strspn(word + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return word[1] == option[1] || (letters <= 3 && memchr(word + 1, option[1], letters)); // -nO./x
}

// Programs that know their long options in full only.
static bool shortens(const char *program)
{
    static const char *const EXACT[] = {"valgrind", "cargo", "flamegraph", "samply", "rg", "fd"};
    for (size_t i = 0; i < ARRAY_LEN(EXACT); i++)
        if (strcmp(program, EXACT[i]) == 0)
            return false;
    return true;
}

static bool reach_by_table(const char *const *argv, size_t end, struct buf *why)
{
    const char *program = launcher_program(argv[0]);
    size_t sub = launcher_subcommand(argv);
    for (size_t k = 0; k < ARRAY_LEN(REACHES); k++) {
        if (strcmp(REACHES[k].program, program) != 0)
            continue;
        if (*REACHES[k].subcommand && (sub == 0 || strcmp(argv[sub], REACHES[k].subcommand) != 0))
            continue;
        if (!*REACHES[k].option) {
            say(why, REACHES[k].kind, *REACHES[k].subcommand ? argv[sub] : argv[0]);
            return true;
        }
        for (size_t i = 1; i < end && strcmp(argv[i], "--") != 0; i++) {
            if (REACHES[k].kind == SCRIPT && argv[i][0] != '-')
                break; // the script's own name; what follows is for the script
            if (!option_matches(argv[i], REACHES[k].option, shortens(program)))
                continue;
            say(why, REACHES[k].kind, argv[i]);
            return true;
        }
    }
    return false;
}

// --- paths ---

static bool is_text(const char *program, const char *const *argv, size_t i, size_t first_operand)
{
    for (size_t k = 0; k < ARRAY_LEN(TEXTS); k++) {
        const char *option = TEXTS[k].option;
        size_t n = strlen(option);
        if (strcmp(TEXTS[k].program, program) != 0)
            continue;
        if (strcmp(option, "*") == 0 || (n == 0 && i == first_operand))
            return true;
        if (n > 0 && (strcmp(argv[i - 1], option) == 0 || strncmp(argv[i], option, n) == 0))
            return true;
    }
    return false;
}

// The part of a word that may be a path: the value of "--x=value", "x=value" and "-o/value", or the word.
static const char *path_part(const char *word)
{
    const char *eq = strchr(word, '=');
    if (word[0] == '-' && word[1] == '-')
        return eq ? eq + 1 : NULL;
    if (word[0] == '-')
        return eq ? eq + 1 : word[1] && word[2] ? word + 2 : NULL;
    if (eq && (eq[1] == '/' || eq[1] == '.' || eq[1] == '~'))
        return eq + 1;
    return word;
}

static bool climbs(const char *path)
{
    for (const char *s = path; (s = strstr(s, "..")) != NULL; s += 2)
        if ((s == path || s[-1] == '/') && (s[2] == '/' || s[2] == '\0'))
            return true;
    return false;
}

static bool is_harmless_device(const char *path)
{
    return strcmp(path, "/dev/null") == 0 || strcmp(path, "/dev/stdin") == 0 || strcmp(path, "/dev/stdout") == 0 ||
           strcmp(path, "/dev/stderr") == 0;
}

static bool leaves(const struct policy_context *c, const char *base, const char *path, struct buf *why)
{
    struct place_of p;
    if (strncmp(path, "file://", 7) == 0)
        path += 7;
    bool pointed = path[0] == '/' || (path[0] == '~' && (path[1] == '/' || !path[1])) || climbs(path);
    if (!*path || is_harmless_device(path) || strlen(path) >= POLICY_PATH_MAX || (!pointed && !c->fs))
        return false;
    if (path_place(c, base, path, &p) == NULL && path_is_ours(c, &p))
        return false;
    if (!pointed && p.file.kind == POLICY_FILE_MISSING && strcmp(p.requested, p.resolved) == 0)
        return false;
    buf_printf(why,
               "\"%.120s\" is outside the workspace \"%.120s\": the sandbox does not let it be changed, and hides what "
               "the program "
               "does not need",
               path, c->workspace);
    return true;
}

static size_t first_operand(const char *const *argv, size_t end)
{
    for (size_t i = 1; i < end; i++)
        if (argv[i][0] != '-' || !argv[i][1])
            return i;
    return end;
}

static bool reach_by_path(const struct policy_context *c, const char *base, const char *const *argv, size_t end,
                          struct buf *why)
{
    const char *program = launcher_program(argv[0]);
    size_t operand = first_operand(argv, end);
    for (size_t i = 1; i < end; i++) {
        const char *path = path_part(argv[i]);
        if (path && !is_text(program, argv, i, operand) && leaves(c, base, path, why))
            return true;
    }
    return false;
}

bool reach_of_arguments(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why)
{
    struct launch launch;
    launcher_look(argv, &launch);
    size_t end = 0;
    while (argv[end])
        end++;
    if (launch.inner > 0)
        end = launch.inner;
    const char *program = launcher_program(argv[0]);
    for (size_t i = 0; i < ARRAY_LEN(FAMILIES); i++)
        if (strcmp(program, FAMILIES[i].program) == 0 && FAMILIES[i].look(argv, end, why))
            return true;
    return reach_by_table(argv, end, why) || reach_by_path(c, base, argv, end, why);
}

// --- the project ---

static bool file_there(const struct policy_context *c, const char *base, const char *name)
{
    struct place_of p;
    return path_place(c, base, name, &p) == NULL && p.known && p.file.kind != POLICY_FILE_MISSING;
}

bool reach_of_project(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why)
{
    static const struct {
        const char *program, *file;
    } ACTIVE[] = {
#define X(program, file) {program, file},
#include "tbl/policy_active.def"
#undef X
    };
    static const char TEXT[] =
        "runs code or follows settings of the project, which can do more than this agent's file rules say: the "
        "sandbox keeps it to the workspace";
    if (c->project_acts) {
        buf_printf(why, "\"%.60s\" %s (%.160s)", argv[0], TEXT, c->project_acts);
        return true;
    }
    const char *program = launcher_program(argv[0]);
    for (size_t i = 0; c->fs && i < ARRAY_LEN(ACTIVE); i++) {
        if (strcmp(program, ACTIVE[i].program) != 0 ||
            (!file_there(c, base, ACTIVE[i].file) && !file_there(c, c->workspace, ACTIVE[i].file)))
            continue;
        buf_printf(why, "\"%.60s\" %s (%s)", argv[0], TEXT, ACTIVE[i].file);
        return true;
    }
    return false;
}

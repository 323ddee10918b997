// What git, cargo, compilers, sed, awk, debuggers and valgrind can be talked into by their arguments.
#include "base/mem.h"
#include "base/str.h"
#include "policy/glob.h"
#include "policy/launcher.h"
#include "policy/reach_inside.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

// --- git ---

static bool value_is_harmless(const char *value)
{
    static const char *const WORDS[] = {"",    "cat", "true", "false", "yes",       "no", "on",
                                        "off", "0",   "1",    "never", "/dev/null", ":"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcmp(value, WORDS[i]) == 0)
            return true;
    return false;
}

static bool git_key_reaches(const char *key, size_t len, const char *value)
{
    static const char *const KEYS[] = {
#define X(pattern) pattern,
#include "tbl/policy_git_keys.def"
#undef X
    };
    if (value_is_harmless(value))
        return false;
    if (len > 6 && strncasecmp(key, "alias.", 6) == 0)
        return value[0] == '!'; // any other alias is only git again
    AUTO_FREE char *lower = str_ndup(key, len);
    for (char *s = lower; *s; s++)
        *s = (char)tolower((unsigned char)*s);
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (glob_text(KEYS[i], strlen(KEYS[i]), lower, len))
            return true;
    return false;
}

static bool git_assignment_reaches(const char *word)
{
    const char *eq = strchr(word, '=');
    return eq && git_key_reaches(word, (size_t)(eq - word), eq + 1);
}

// A repository as git names it: address, host:path, or transport::rest.
static bool git_remote_reaches(const char *word, struct buf *why)
{
    if (strstr(word, "::")) {
        reach_says_program(why, word);
        return true;
    }
    const char *scheme = strstr(word, "://");
    const char *colon = strchr(word, ':'), *slash = strchr(word, '/');
    if (scheme ? strncmp(word, "file://", 7) == 0 : !colon || (slash && slash < colon))
        return false;
    reach_says_network(why, word);
    return true;
}

static bool git_talks(const char *sub)
{
    static const char *const WORDS[] = {"clone", "fetch", "pull", "push", "ls-remote", "fetch-pack", "send-pack"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcmp(sub, WORDS[i]) == 0)
            return true;
    return false;
}

static bool git_option_has_value(const char *word)
{
    static const char *const WORDS[] = {"-o",
                                        "-b",
                                        "-c",
                                        "-j",
                                        "-s",
                                        "-X",
                                        "--depth",
                                        "--deepen",
                                        "--branch",
                                        "--origin",
                                        "--reference",
                                        "--reference-if-able",
                                        "--separate-git-dir",
                                        "--config",
                                        "--jobs",
                                        "--filter",
                                        "--shallow-since",
                                        "--shallow-exclude",
                                        "--push-option",
                                        "--strategy",
                                        "--strategy-option",
                                        "--server-option",
                                        "--name",
                                        "--negotiation-tip",
                                        "--refmap",
                                        "--bundle-uri"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcmp(word, WORDS[i]) == 0)
            return true;
    return false;
}

// The repository is the first operand; what follows are references (HEAD:x) and folders.
static bool git_operands_reach(const char *const *argv, size_t sub, size_t end, struct buf *why)
{
    size_t i = sub + 1;
    if (strcmp(argv[sub], "submodule") == 0 && i < end && strcmp(argv[i], "add") == 0)
        i++;
    else if (!git_talks(argv[sub]))
        return false;
    for (; i < end; i++) {
        if (strncmp(argv[i], "--repo=", 7) == 0)
            return git_remote_reaches(argv[i] + 7, why);
        if (argv[i][0] != '-')
            return git_remote_reaches(argv[i], why);
        i += git_option_has_value(argv[i]);
    }
    return false;
}

static bool git_config_reaches(const char *const *argv, size_t sub, size_t end, struct buf *why)
{
    size_t i = sub + 1;
    if (strcmp(argv[sub], "config") != 0)
        return false;
    while (i < end && (argv[i][0] == '-' || strcmp(argv[i], "set") == 0))
        i++;
    if (i + 1 >= end || !git_key_reaches(argv[i], strlen(argv[i]), argv[i + 1]))
        return false;
    reach_says_program(why, argv[i]);
    return true;
}

bool reach_of_git(const char *const *argv, size_t end, struct buf *why)
{
    size_t sub = launcher_subcommand(argv);
    bool clone = sub > 0 && strcmp(argv[sub], "clone") == 0;
    for (size_t i = 1; i < end; i++) {
        bool setting = i < sub || (clone && i > sub);
        const char *value = NULL;
        if (setting && strcmp(argv[i - 1], "-c") == 0)
            value = argv[i];
        else if (setting && strncmp(argv[i], "--config=", 9) == 0)
            value = argv[i] + 9;
        else if (setting && strcmp(argv[i - 1], "--config") == 0)
            value = argv[i];
        if (value && git_assignment_reaches(value)) {
            reach_says_program(why, value);
            return true;
        }
    }
    return sub > 0 && sub < end && (git_operands_reach(argv, sub, end, why) || git_config_reaches(argv, sub, end, why));
}

// --- compilers and cargo ---

// rustc's options that name a program, or code that the compiler loads.
static bool compiler_word_reaches(const char *word, const char *before)
{
    static const char *const CODEGEN[] = {
        "linker=", "linker-flavor=", "link-arg=",           "link-args=", "pre-link-arg",
        "ar=",     "dlltool=",       "link-self-contained="};
    static const char *const OPTIONS[] = {"--sysroot",         "--extern",          "--test-builder", "--runtool",
                                          "-Zcodegen-backend", "-Zcodegen_backend", "-Zllvm-plugins", "-Zpre-link"};
    const char *value = strncmp(word, "-C", 2) == 0 && word[2]                          ? word + 2
                        : strncmp(word, "--codegen=", 10) == 0                          ? word + 10
                        : strcmp(before, "-C") == 0 || strcmp(before, "--codegen") == 0 ? word
                                                                                        : NULL;
    for (size_t i = 0; value && i < ARRAY_LEN(CODEGEN); i++)
        if (str_starts(value, CODEGEN[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++)
        if (str_starts(word, OPTIONS[i]))
            return true;
    if (strcmp(before, "-Z") == 0 &&
        (str_starts(word, "codegen") || str_starts(word, "llvm-plugins") || str_starts(word, "pre-link")))
        return true;
    return word[0] == '@';
}

static bool compiler_words_reach(const char *const *argv, size_t begin, size_t end, struct buf *why)
{
    for (size_t i = begin; i < end; i++) {
        if (!compiler_word_reaches(argv[i], argv[i - 1]))
            continue;
        reach_says_program(why, argv[i]);
        return true;
    }
    return false;
}

bool reach_of_compiler(const char *const *argv, size_t end, struct buf *why)
{
    return compiler_words_reach(argv, 1, end, why);
}

// Settings on cargo's command line that can only change how things are built or said. Anything else may name a program.
static bool cargo_setting_harmless(const char *setting)
{
    static const char *const SAFE[] = {"profile.",         "term.",
                                       "net.offline",      "net.retry",
                                       "build.jobs",       "build.incremental",
                                       "build.pipelining", "future-incompat-report.",
                                       "http.timeout",     "cache.",
                                       "resolver."};
    const char *eq = strchr(setting, '=');
    AUTO_FREE char *key = eq ? str_ndup(setting, (size_t)(eq - setting)) : NULL;
    if (!key || strpbrk(key, "{\n") || strchr(eq, '\n'))
        return false; // a file, or several settings at once
    const char *name = str_trim(key);
    if (str_starts(name, "profile.") && (str_has_nocase(name, "rustflags") || str_has_nocase(eq, "rustflags")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(SAFE); i++)
        if (str_starts(name, SAFE[i]))
            return true;
    return false;
}

static bool cargo_word_reaches(const char *const *argv, size_t i, struct buf *why)
{
    const char *word = argv[i], *before = argv[i - 1];
    const char *setting = strncmp(word, "--config=", 9) == 0 ? word + 9 : strcmp(before, "--config") == 0 ? word : NULL;
    const char *target = strncmp(word, "--target=", 9) == 0 ? word + 9 : strcmp(before, "--target") == 0 ? word : NULL;
    if ((setting && !cargo_setting_harmless(setting)) || (target && str_ends(target, ".json")) ||
        (word[0] == '+' && strchr(word, '/'))) {
        reach_says_program(why, setting ? setting : word);
        return true;
    }
    if (strcmp(word, "--git") == 0 || strncmp(word, "--git=", 6) == 0 || strncmp(word, "--index", 7) == 0) {
        reach_says_network(why, word);
        return true;
    }
    return false;
}

static bool has_word(const char *const *argv, size_t end, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 1; i < end; i++)
        if (strncmp(argv[i], word, n) == 0 && (argv[i][n] == '\0' || argv[i][n] == '='))
            return true;
    return false;
}

bool reach_of_cargo(const char *const *argv, size_t end, struct buf *why)
{
    size_t sub = launcher_subcommand(argv), dashes = 1;
    while (dashes < end && strcmp(argv[dashes], "--") != 0)
        dashes++;
    for (size_t i = 1; i < dashes; i++)
        if (cargo_word_reaches(argv, i, why))
            return true;
    if (sub == 0 || sub >= end)
        return false;
    if (strcmp(argv[sub], "install") == 0 && !has_word(argv, dashes, "--path") && !has_word(argv, dashes, "--list")) {
        reach_says_network(why, "cargo install");
        return true;
    }
    bool compiler =
        strcmp(argv[sub], "rustc") == 0 || strcmp(argv[sub], "rustdoc") == 0 || strcmp(argv[sub], "clippy") == 0;
    return compiler && dashes < end && compiler_words_reach(argv, dashes + 1, end, why);
}

// --- sed and awk ---

// Behind the address of a sed command, at its letter.
static const char *sed_letter(const char *s)
{
    for (;;) {
        s += strspn(s, " \t;\n{}0123456789,$~+!");
        if (*s != '/' && *s != '\\')
            return s;
        char delim = *s == '\\' && s[1] ? *++s : '/';
        for (s++; *s && *s != delim; s++)
            s += *s == '\\' && s[1];
        s += *s == delim;
        s += strspn(s, "IM");
    }
}

// Behind the n-th delimiter of s/…/…/ or y/…/…/; NULL when it is not closed.
static const char *sed_behind(const char *s, unsigned n)
{
    char delim = *s++;
    for (; *s && n > 0; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == delim)
            n--;
    }
    return n == 0 ? s : NULL;
}

// e runs commands, w and r open files; so do the flags e and w of s///. What is not understood counts as reaching.
static bool sed_script_reaches(const char *script)
{
    const char *s = script;
    while (*(s = sed_letter(s))) {
        char letter = *s++;
        if (strchr("eEwWrRF", letter))
            return true;
        if (letter == 's' || letter == 'y') {
            const char *flags = *s && *s != '\n' ? sed_behind(s, 2) : NULL;
            if (!flags)
                return true;
            size_t n = strspn(flags, "gpiImM0123456789");
            if (flags[n] && !strchr(" \t;\n}", flags[n]))
                return true;
            s = flags + n;
        } else if (strchr("aic", letter)) {
            s += strcspn(s, "\n");
        } else if (strchr("btT:", letter)) {
            s += strcspn(s, ";\n");
        } else if (!strchr("=dDgGhHlnNpPqQxz#", letter)) {
            return true;
        } else if (letter == '#') {
            s += strcspn(s, "\n");
        }
    }
    return false;
}

bool reach_of_sed(const char *const *argv, size_t end, struct buf *why)
{
    bool script_seen = false;
    for (size_t i = 1; i < end; i++) {
        const char *script = NULL;
        if (strncmp(argv[i], "--expression=", 13) == 0)
            script = argv[i] + 13;
        else if (strcmp(argv[i - 1], "-e") == 0 || strcmp(argv[i - 1], "--expression") == 0 ||
                 strcmp(argv[i - 1], "-ne") == 0)
            script = argv[i];
        else if (argv[i][0] != '-' && !script_seen && strcmp(argv[i - 1], "-f") != 0)
            script = argv[i];
        if (!script)
            continue;
        script_seen = true;
        if (sed_script_reaches(script)) {
            reach_says_program(why, script);
            return true;
        }
    }
    return false;
}

bool reach_of_awk(const char *const *argv, size_t end, struct buf *why)
{
    for (size_t i = 1; i < end; i++) {
        if (argv[i][0] == '-' && !str_starts(argv[i], "--source"))
            continue;
        if (strcmp(argv[i - 1], "-F") == 0 || strcmp(argv[i - 1], "-v") == 0)
            continue;
        if (strstr(argv[i], "system") || strstr(argv[i], "getline") || strstr(argv[i], "print >") ||
            strchr(argv[i], '|') || strstr(argv[i], ">\"") || strstr(argv[i], "> \"") || strstr(argv[i], "@load")) {
            reach_says_program(why, argv[i]);
            return true;
        }
        break; // the first operand is the program
    }
    return false;
}

// --- debuggers and valgrind ---

bool reach_of_debugger(const char *const *argv, size_t end, struct buf *why)
{
    static const char *const WORDS[] = {"shell",  "!",    "python",   "script", "pipe",  "|",
                                        "source", "make", "platform", "guile",  "target"};
    for (size_t i = 2; i < end; i++) {
        const char *before = argv[i - 1];
        bool command = strcmp(before, "-ex") == 0 || strcmp(before, "-iex") == 0 || strcmp(before, "-o") == 0 ||
                       strcmp(before, "-O") == 0 || strcmp(before, "--eval-command") == 0 ||
                       strcmp(before, "--one-line") == 0;
        for (size_t k = 0; command && k < ARRAY_LEN(WORDS); k++) {
            if (!str_starts(argv[i] + strspn(argv[i], " "), WORDS[k]))
                continue;
            reach_says_program(why, argv[i]);
            return true;
        }
    }
    return false;
}

bool reach_of_valgrind(const char *const *argv, size_t end, struct buf *why)
{
    for (size_t i = 1; i < end; i++) {
        if (strcmp(argv[i], "--tool") == 0) {
            buf_printf(why, "valgrind takes \"--tool=NAME\" as one word, and starts the word behind a bare \"--tool\"");
            return true;
        }
        if (strncmp(argv[i], "--tool=", 7) != 0 || !strchr(argv[i], '/'))
            continue;
        reach_says_program(why, argv[i]);
        return true;
    }
    return false;
}

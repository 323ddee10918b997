// Rule texts come from agent files that people write by hand: everything that cannot be given exactly one meaning is an
// error with the place, because a rule that silently means nothing (or everything) is the failure this program exists
// to prevent.
#include "policy/rule.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/glob.h"
#include "policy/policy.h"

#include <ctype.h>
#include <string.h>

struct tool {
    const char *name;
    enum tool_kind kind;
};

static const struct tool TOOLS[] = {
#define X(name, kind) {name, TOOL_##kind},
#include "tbl/policy_tools.def"
#undef X
};

struct place {
    const char *file;
    int line;
    const char *rule;
};

static int malformed(struct err *err, const struct place *at, const char *why)
{
    return err_set(err, ERR_INVALID, "%s:%d: rule \"%s\": %s", at->file, at->line, at->rule, why);
}

bool tool_lookup(const char *name, enum tool_kind *ret_kind, const char **ret_name)
{
    if (str_starts(name, "mcp__")) {
        *ret_kind = TOOL_MCP;
        *ret_name = "mcp";
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(TOOLS); i++) {
        if (strcmp(TOOLS[i].name, name) == 0) {
            *ret_kind = TOOLS[i].kind;
            *ret_name = TOOLS[i].name;
            return true;
        }
    }
    return false;
}

bool rule_is_variable(const char *text, size_t len)
{
    if (len == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

// A rule's words: blanks separate, quotes group and are dropped ("git commit -m 'wip *'"). NULL when a quote stays
// open.
static char **rule_words(const char *spec)
{
    VEC(char *) words = {0};
    struct buf word = BUF_INIT;
    bool in_word = false;
    char quote = '\0';
    for (const char *s = spec;; s++) {
        if (*s == '\0' || (!quote && (*s == ' ' || *s == '\t'))) {
            if (in_word)
                vec_push(&words, buf_steal(&word));
            in_word = false;
            if (*s == '\0')
                break;
        } else if (quote ? *s == quote : (*s == '\'' || *s == '"')) {
            quote = quote ? '\0' : *s;
            in_word = true;
        } else {
            buf_char(&word, *s);
            in_word = true;
        }
    }
    buf_free(&word);
    vec_push(&words, NULL);
    if (quote) {
        str_list_free(words.items);
        return NULL;
    }
    return words.items;
}

static size_t count_char(const char *s, char c)
{
    size_t n = 0;
    for (; *s; s++)
        n += *s == c;
    return n;
}

static bool is_assignment(const char *word)
{
    const char *eq = strchr(word, '=');
    return eq && rule_is_variable(word, (size_t)(eq - word));
}

static void command_pattern(struct rule *r, char **words)
{
    size_t first = 0;
    while (words[first] && is_assignment(words[first]) && words[first + 1])
        first++;
    if (first > 0) {
        r->assigns = mem_array(first + 1, sizeof(char *));
        for (size_t i = 0; i < first; i++)
            r->assigns[i] = str_dup(words[i]);
    }
    struct buf b = BUF_INIT;
    size_t n = first;
    for (; words[n]; n++) {
        if (n > first)
            buf_char(&b, WORD_SEP);
        buf_str_add(&b, words[n]);
    }
    r->pattern = buf_steal(&b);
    size_t stars = count_char(r->pattern, '*');
    r->exact = stars == 0;
    r->bare_too = stars == 1 && n - first > 1 && strcmp(words[n - 1], "*") == 0;
}

// What a wildcard that stands too early lets through, with the first one spelt out.
static char *warning_new(const struct rule *r, const char *spec, bool any_program, const struct place *at)
{
    static const struct {
        const char *program, *option;
    } OPTIONS[] = {{"git ", "-c core.fsmonitor=PROGRAM diff"},
                   {"cargo ", "--config build.rustc-wrapper=PROGRAM build"}};
    const char *command = spec;
    for (size_t i = 0; r->assigns && r->assigns[i]; i++) {
        command += strcspn(command, " \t");
        command += strspn(command, " \t");
    }
    const char *star = strchr(command, '*'), *instead = any_program ? "rm -rf" : "--any-option=VALUE any-subcommand";
    if (!star)
        star = spec + strlen(spec) - 1;
    for (size_t i = 0; !any_program && i < ARRAY_LEN(OPTIONS); i++)
        instead = str_starts(command, OPTIONS[i].program) ? OPTIONS[i].option : instead;
    AUTO_FREE char *example = str_printf("%.*s%s%s", (int)(star - spec), spec, instead, star + 1);
    return str_printf("%s:%d: rule \"%s\" %s, for example \"%s\"", at->file, at->line, r->text,
                      any_program
                          ? "begins with a wildcard: it allows every program"
                          : "has a wildcard before the subcommand: it also allows every other subcommand and options "
                            "that change what the program does",
                      example);
}

// run_in_background:true is how other hosts write a parameter of the call; as a command it would match nothing.
static bool is_parameter(const char *const *words)
{
    const char *colon = words[1] ? NULL : strchr(words[0], ':');
    return colon && rule_is_variable(words[0], (size_t)(colon - words[0])) && colon[1] && !strpbrk(words[0], "/*");
}

static int parse_command(struct rule *r, const char *spec, bool deny, const struct place *at, char **ret_warning,
                         struct err *err)
{
    AUTO_FREE char *text = str_dup(spec);
    size_t len = strlen(text);
    if (len >= 2 && strcmp(text + len - 2, ":*") == 0) {
        text[len - 2] = ' '; // "ls:*" is "ls *"
        if (strspn(text, " \t") == len - 1)
            return malformed(err, at, "\":*\" needs a command before it, for example \"cargo:*\"");
    }
    char **words = rule_words(text);
    if (!words)
        return malformed(err, at, "a quote is not closed");
    if (!words[0]) {
        str_list_free(words);
        return malformed(err, at, "the parentheses are empty; write \"Bash\" for every command or name one");
    }
    command_pattern(r, words);
    const char *first_star = strchr(r->pattern, '*');
    const char *first_sep = strchr(r->pattern, WORD_SEP);
    const char *last_sep = strrchr(r->pattern, WORD_SEP);
    bool operators = false, parameter = deny && is_parameter((const char *const *)words);
    for (size_t i = 0; words[i]; i++)
        operators = operators || (words[i][0] && strspn(words[i], "&|;") == strlen(words[i]));
    str_list_free(words);
    r->bare = strcmp(r->pattern, "*") == 0 && !r->assigns;
    if (parameter)
        return malformed(
            err, at,
            "Tool(parameter:value) is not known here and would block nothing; name the commands, for example "
            "\"Bash(git push *)\"");
    if (operators)
        return malformed(err, at, "compound commands are matched part by part; write one rule for each part");
    bool any_program = first_star && !r->bare && first_star == r->pattern;
    bool any_option = first_star && last_sep && first_star < last_sep && first_star == first_sep + 1;
    if (ret_warning && (any_program || any_option))
        *ret_warning = warning_new(r, spec, any_program, at);
    return 0;
}

static int parse_path(struct rule *r, const char *spec, bool deny, const struct place *at, struct err *err)
{
    if (spec[0] == '!') {
        if (!deny)
            return malformed(err, at, "\"!\" patterns are for deny lists only");
        r->negated = true;
        spec++;
    }
    if (str_starts(spec, "//")) {
        r->anchor = ANCHOR_ROOT;
        spec += 2;
    } else if (str_starts(spec, "~/")) {
        r->anchor = ANCHOR_HOME;
        spec += 2;
    } else if (spec[0] == '/') {
        r->anchor = ANCHOR_WORKSPACE;
        spec++;
    } else if (str_starts(spec, "./")) {
        r->anchor = ANCHOR_CWD;
        spec += 2;
    } else {
        const char *slash = strchr(spec, '/');
        bool inner = slash && slash[1] != '\0';
        // A deny rule means the name at any depth; an allow rule with a slash inside is tied to the working directory.
        r->anchor = inner && !deny ? ANCHOR_CWD : ANCHOR_ANY_DEPTH;
    }
    if (strspn(spec, "/") == strlen(spec) && r->anchor != ANCHOR_ROOT)
        return malformed(err, at,
                         "the pattern names nothing; for the whole workspace write the tool without parentheses");
    AUTO_FREE char *copy = str_dup(spec);
    for (char *part = copy, *rest = NULL; (part = strtok_r(part, "/", &rest)) != NULL; part = NULL)
        if (strcmp(part, "..") == 0)
            return malformed(err, at, "\"..\" is not allowed in a pattern; name the folder from an anchor");
    if (count_char(spec, '/') >= GLOB_SEGMENTS_MAX)
        return malformed(err, at, "the pattern has too many segments");
    r->pattern = str_dup(spec);
    r->exact = !glob_has_wildcard(spec);
    return 0;
}

static int parse_domain(struct rule *r, const char *spec, const struct place *at, struct err *err)
{
    if (!str_starts(spec, "domain:"))
        return malformed(err, at, "expected \"domain:HOST\" in the parentheses");
    spec += 7;
    size_t len = strlen(spec);
    if (len == 0 || len > 253 || spec[0] == '.' || strstr(spec, "..") || spec[len - 1] == '.')
        return malformed(err, at, "expected a host name behind \"domain:\", for example \"domain:docs.rs\"");
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)spec[i]) && !strchr("-._*:[]", spec[i]))
            return malformed(err, at,
                             "a host name has letters, digits, \"-\", \".\" and \"*\" only, no scheme, port or path");
    r->pattern = str_dup(spec);
    for (char *s = r->pattern; *s; s++)
        *s = (char)tolower((unsigned char)*s);
    r->exact = !strchr(spec, '*');
    return 0;
}

static bool is_name(const char *s)
{
    if (!*s || *s == '-')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("-_.:/@", *s) && (unsigned char)*s < 0x80)
            return false;
    return true;
}

static int parse_names(struct rule *r, const char *spec, const struct place *at, struct err *err)
{
    bool skill = r->kind == TOOL_SKILL;
    size_t n = 0;
    r->names = str_split(spec, skill ? "" : ",", true, &n);
    if (n == 0)
        return malformed(err, at, "the parentheses are empty; name an agent or a skill");
    for (size_t i = 0; i < n; i++) {
        char *name = str_dup(str_trim(r->names[i]));
        mem_free(r->names[i]);
        r->names[i] = name;
        AUTO_FREE char *check = str_dup(name);
        size_t len = strlen(check);
        if (skill && len > 2 && strcmp(check + len - 2, " *") == 0)
            check[len - 2] = '\0';
        else if (skill && len > 2 && strcmp(check + len - 2, ":*") == 0) {
            check[len - 2] = '\0';
            name[len - 2] = ' '; // "name:*" is "name *"
        } else if (skill && strchr(check, ' '))
            *strchr(check, ' ') = '\0'; // name and exact arguments
        if (strcmp(name, "*") == 0 && n == 1) {
            r->bare = true;
            return 0;
        }
        if (!is_name(check))
            return malformed(err, at, "names are exact: letters, digits, \"-\", \"_\", \".\" and \":\" only");
    }
    return 0;
}

static int parse_mcp(struct rule *r, const char *text, bool deny, const struct place *at, struct err *err)
{
    const char *server = text + 5;
    const char *tool = strstr(server, "__");
    size_t server_len = tool ? (size_t)(tool - server) : strlen(server);
    for (const char *s = server; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("-_.*", *s))
            return malformed(err, at,
                             "expected mcp__server or mcp__server__tool, with letters, digits, \"-\", \"_\" and \"*\"");
    if (server_len == 0)
        return malformed(err, at, "the server's name is missing; expected mcp__server or mcp__server__tool");
    if (!deny && memchr(server, '*', server_len))
        return malformed(err, at,
                         "a wildcard in the server's name would allow servers nobody named; write mcp__server__*");
    if (tool && tool[2] == '\0')
        return malformed(err, at, "the tool's name is missing; expected mcp__server__tool");
    r->exact = !strchr(text, '*');
    // "mcp__server" is every tool of that server; a deny glob such as "mcp__*" already reaches all of it
    r->pattern = tool || (deny && strchr(server, '*')) ? str_dup(text) : str_printf("%s__*", text);
    return 0;
}

static int check_text(const char *text, const struct place *at, struct err *err)
{
    size_t len = strlen(text);
    if (len == 0)
        return malformed(err, at, "the rule is empty");
    if (len > POLICY_RULE_MAX)
        return err_set(err, ERR_INVALID, "%s:%d: a rule is longer than %d bytes", at->file, at->line, POLICY_RULE_MAX);
    if (!str_utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "%s:%d: a rule is not valid UTF-8", at->file, at->line);
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return malformed(err, at, "the rule has a control character");
    return 0;
}

static int parse_spec(struct rule *r, const char *spec, bool deny, const struct place *at, char **ret_warning,
                      struct err *err)
{
    switch (r->kind) {
    case TOOL_COMMAND:
        return parse_command(r, spec, deny, at, ret_warning, err);
    case TOOL_READ:
    case TOOL_SEARCH:
    case TOOL_WRITE:
    case TOOL_EDIT:
        return parse_path(r, spec, deny, at, err);
    case TOOL_WEB:
        return parse_domain(r, spec, at, err);
    case TOOL_AGENT:
    case TOOL_SKILL:
        return parse_names(r, spec, at, err);
    case TOOL_PLAIN:
    case TOOL_MCP:
        break;
    }
    return malformed(err, at, "this tool takes no parentheses");
}

static int parse(struct rule *r, bool deny, const struct place *at, char **ret_warning, struct err *err)
{
    const char *text = r->text;
    const char *open = strchr(text, '(');
    if (deny && strcmp(text, "*") == 0) {
        r->kind = TOOL_PLAIN;
        r->tool = "*";
        r->bare = r->every = true;
        return 0;
    }
    AUTO_FREE char *tool = open ? str_ndup(text, (size_t)(open - text)) : str_dup(text);
    if (!tool_lookup(tool, &r->kind, &r->tool))
        return malformed(err, at,
                         "there is no such tool; tools are Bash, Read, Write, Edit, Grep, Glob, WebFetch, Task, Skill, "
                         "mcp__server__tool and the like, in this spelling");
    if (r->kind == TOOL_MCP)
        return open ? malformed(err, at, "mcp rules take no parentheses") : parse_mcp(r, text, deny, at, err);
    if (!open) {
        r->bare = true;
        return 0;
    }
    size_t len = strlen(open);
    if (open[len - 1] != ')')
        return malformed(err, at, "expected \")\" at the end");
    AUTO_FREE char *inside = str_ndup(open + 1, len - 2);
    const char *spec = str_trim(inside);
    if (!*spec)
        return malformed(err, at, "the parentheses are empty; drop them to allow everything the tool can do");
    if (strcmp(spec, "*") == 0 && r->kind != TOOL_PLAIN) {
        r->bare = true;
        return 0;
    }
    return parse_spec(r, spec, deny, at, ret_warning, err);
}

int rule_parse(const char *text, const char *file, int line, bool deny, struct rule *ret, char **ret_warning,
               struct err *err)
{
    AUTO_FREE char *copy = str_dup(text ? text : "");
    struct rule r = {.file = str_dup(file ? file : "rules"), .line = line};
    if (ret_warning)
        *ret_warning = NULL;
    r.text = str_dup(str_trim(copy));
    struct place at = {r.file, line, r.text};
    int rc = check_text(r.text, &at, err);
    if (rc == 0)
        rc = parse(&r, deny, &at, ret_warning, err);
    if (rc < 0) {
        rule_clear(&r);
        return rc;
    }
    *ret = r;
    return 0;
}

void rule_clear(struct rule *r)
{
    mem_free(r->text);
    mem_free(r->file);
    mem_free(r->pattern);
    str_list_free(r->assigns);
    str_list_free(r->names);
    memset(r, 0, sizeof(*r));
}

// What a strict host would have dropped, or would read differently. Nothing here keeps a file from being an agent.
#include "fields.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "near.h"
#include "tools.h"

#include <stdint.h>
#include <string.h>

#define DESCRIPTION_USUAL_MAX 1024

static bool in_list(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (str_eq(text, *list))
            return true;
    return false;
}

static void check_layout(const struct source *s, struct agentfile *f)
{
    if (s->bom)
        agentfile_note(f, AGENT_INFO, 1, "the file begins with a byte order mark; some hosts then see no frontmatter");
    if (s->open > 0)
        agentfile_note(f, AGENT_WARNING, (int)s->open + 1, "a strict host wants '---' in the first line");
    if (s->indent > 0)
        agentfile_note(f, AGENT_WARNING, (int)s->open + 1,
                       "the file is indented by %zu; a strict host sees no frontmatter", s->indent);
    if (s->close < s->lines.len && s->lines.items[s->close].len != 3 && f->body_line == (int)s->close + 2)
        agentfile_note(f, AGENT_INFO, (int)s->close + 1, "a strict host wants exactly '---' as closing fence");
    for (size_t i = s->open + 1; i < s->close && (int)i + 1 < f->body_line; i++) {
        const struct source_line *line = &s->lines.items[i];
        size_t blanks = 0;
        while (blanks < line->len && line->text[blanks] == ' ')
            blanks++;
        if (blanks < line->len && line->text[blanks] == '\t') {
            agentfile_note(f, AGENT_INFO, (int)i + 1, "indented with a tab, which YAML does not allow; use blanks");
            break;
        }
    }
}

static void check_name(const struct front *front, struct agentfile *f)
{
    static const char *const not_text[] = {"yes", "no",   "on",    "off", "true", "false", "Yes",   "No", "On",
                                           "Off", "True", "False", "YES", "NO",   "TRUE",  "FALSE", NULL};
    int line = front_line(front, "/name", 1);
    const json_t *name = json_object_get(front->text, "name");
    double number;
    if (!f->name_declared) {
        agentfile_note(f, AGENT_WARNING, line, "%s: the file name gives '%s'; a strict host drops the file",
                       !name                ? "no name"
                       : json_is_null(name) ? "the name has no value"
                                            : "the name cannot be used",
                       f->name);
        return;
    }
    if (strchr(f->name, ':'))
        agentfile_note(f, AGENT_WARNING, line,
                       "the name '%s' holds a ':', which hosts use for plugin scopes; a strict host "
                       "drops the file",
                       f->name);
    if (f->name[0] == '-')
        agentfile_note(f, AGENT_WARNING, line, "the name '%s' begins with '-'; a strict host drops the file", f->name);
    if (in_list(f->name, not_text) || str_to_double(f->name, &number))
        agentfile_note(f, AGENT_INFO, line,
                       "the name '%s' is read as text; some hosts read a number or a truth value; put "
                       "it in quotes",
                       f->name);
}

static void check_description(const struct front *front, struct agentfile *f)
{
    int line = front_line(front, "/description", 1);
    if (!f->description) {
        agentfile_note(f, AGENT_WARNING, line, "no description; a strict host drops the file");
        return;
    }
    size_t characters = 0;
    for (const char *c = f->description; *c; c++)
        characters += ((unsigned char)*c & 0xC0) != 0x80;
    if (characters > DESCRIPTION_USUAL_MAX)
        agentfile_note(f, AGENT_INFO, line, "the description has %zu characters, hosts may cut it at %d", characters,
                       DESCRIPTION_USUAL_MAX);
}

static void check_words(const struct front *front, struct agentfile *f)
{
    static const char *const models[] = {"inherit", "sonnet", "opus", "haiku", "fable", "opusplan", "default", NULL};
    static const char *const colors[] = {"red", "blue", "green", "yellow", "purple", "orange", "pink", "cyan", NULL};
    if (f->model && !in_list(f->model, models) && !str_starts(f->model, "claude-"))
        agentfile_note(f, AGENT_INFO, front_line(front, "/model", 1), "the usual host does not know the model '%.80s'",
                       f->model);
    if (f->color && !in_list(f->color, colors))
        agentfile_note(f, AGENT_INFO, front_line(front, "/color", 1), "the usual host does not know the color '%.40s'",
                       f->color);
}

// ---- keys ----

static void check_keys(const struct front *front, struct agentfile *f)
{
    struct buf unknown = BUF_MAX(300);
    const char *key;
    json_t *value;
    int unknown_line = 0;
    json_object_foreach (front->text, key, value) {
        bool exact;
        const struct agent_key *known = agent_key_find(key, &exact);
        char *path = str_printf("/%s", key);
        int line = front_line(front, path, 1);
        mem_free(path);
        if (known && !exact && known->use != KEY_KEPT)
            agentfile_note(f, AGENT_WARNING, line, "'%s' is read as '%s'; other hosts ignore it", key, known->name);
        else if (known && known->use == KEY_ALLOW && !str_eq(key, "tools"))
            agentfile_note(f, AGENT_INFO, line,
                           "'%s' restricts the agent here; the usual host ignores this key in agent "
                           "files and grants everything",
                           key);
        else if (!known && !near_restriction(key)) {
            buf_printf(&unknown, "%s%s", unknown.len ? ", " : "", key);
            unknown_line = unknown_line ? unknown_line : line;
        }
    }
    if (unknown.len)
        agentfile_note(f, AGENT_INFO, unknown_line, "keys without a meaning here, kept as they are: %s%s",
                       buf_str(&unknown), unknown.cut ? "…" : "");
    buf_free(&unknown);
}

static void check_duplicates(const struct front *front, struct agentfile *f)
{
    size_t i;
    json_t *twice;
    json_array_foreach (front->duplicates, i, twice) {
        const char *path = json_string_value(json_object_get(twice, "path"));
        bool exact;
        const struct agent_key *known = agent_key_find(path + 1, &exact);
        if (known && (known->use == KEY_ALLOW || known->use == KEY_DENY))
            continue; // said where the lists are joined
        agentfile_note(f, AGENT_WARNING, (int)json_integer_value(json_object_get(twice, "line")),
                       "'%s' stands twice, also in line %d; the %s one counts; a strict host drops the file", path + 1,
                       (int)json_integer_value(json_object_get(twice, "first")),
                       f->mode == AGENT_MODE_TOLERANT ? "first" : "last");
    }
}

// " #" in an unquoted value begins a comment.
// Nothing but what may stand before a comment; the text of a line has no end of its own.
static bool is_marks(const char *from, const char *to)
{
    while (from < to && memchr(" |>", *from, 3))
        from++;
    return from == to;
}

static void check_comments(const struct source *s, const struct front *front, struct agentfile *f)
{
    static const char *const keys[] = {"/name", "/description", "/tools", "/allowed-tools"};
    for (size_t i = 0; f->mode == AGENT_MODE_YAML && i < ARRAY_LEN(keys); i++) {
        int number = front_line(front, keys[i], 0);
        const json_t *value = json_object_get(front->text, keys[i] + 1);
        if (number < 1 || (size_t)number > s->lines.len || !json_is_string(value))
            continue;
        const struct source_line *line = &s->lines.items[number - 1];
        const char *hash = memmem(line->text, line->len, " #", 2);
        const char *colon = memchr(line->text, ':', line->len);
        const char *text = json_string_value(value);
        if (hash && colon && hash > colon && !memmem(text, strlen(text), " #", 2) && !strpbrk(text, "\n") &&
            !is_marks(colon + 1, hash))
            agentfile_note(f, AGENT_INFO, number,
                           "YAML takes what follows ' #' for a comment; quote the value of '%s' if "
                           "it belongs to it",
                           keys[i] + 1);
    }
}

// ---- tools ----

static void check_unknown(struct agentfile *f)
{
    size_t known = 0;
    for (size_t i = 0; i < f->tools.len;) {
        struct buf names = BUF_MAX(300);
        size_t k = i;
        for (; k < f->tools.len && f->tools.items[k].line == f->tools.items[i].line; k++) {
            if (tool_is_known(&f->tools.items[k]))
                known++;
            else
                buf_printf(&names, "%s'%s'", names.len ? ", " : "", f->tools.items[k].text);
        }
        if (names.len)
            agentfile_note(f, AGENT_WARNING, f->tools.items[i].line,
                           "unknown to the usual host and to this one, grants "
                           "nothing: %s%s",
                           buf_str(&names), names.cut ? "…" : "");
        buf_free(&names);
        i = k;
    }
    if (f->tools_state == AGENT_TOOLS_LIST && f->tools.len && !known)
        agentfile_note(f, AGENT_WARNING, f->tools.items[0].line,
                       "no entry of '%s' is a known tool: the agent can do "
                       "nothing",
                       f->tools.items[0].key);
}

static void check_entry(struct agentfile *f, size_t i)
{
    const struct agent_tool *t = &f->tools.items[i];
    if (str_eq(t->name, "Write") && t->spec)
        agentfile_note(f, AGENT_WARNING, t->line, "the usual host never consults '%s'; it wants Edit(%s)", t->text,
                       t->spec);
    if (str_eq(t->name, "mcp__*") || str_starts(t->name, "mcp__*__"))
        agentfile_note(f, AGENT_WARNING, t->line, "the usual host skips '%s': a server must be named", t->text);
    if (t->spec && !*t->spec)
        agentfile_note(f, AGENT_WARNING, t->line, "'%s' has nothing in its parentheses", t->text);
    for (size_t k = 0; k < i; k++)
        if (str_eq(f->tools.items[k].text, t->text)) {
            agentfile_note(f, AGENT_INFO, t->line, "'%s' stands twice", t->text);
            break;
        }
    for (size_t k = 0; k < f->disallowed.len; k++)
        if (str_eq(f->disallowed.items[k].text, t->text))
            agentfile_note(f, AGENT_WARNING, t->line, "'%s' is both allowed and denied (line %d): it is denied",
                           t->text, f->disallowed.items[k].line);
}

static void check_tools(const struct front *front, struct agentfile *f)
{
    const char *key;
    json_t *value;
    int line = 1;
    json_object_foreach (front->text, key, value) {
        bool exact;
        const struct agent_key *known = agent_key_find(key, &exact);
        char *path = str_printf("/%s", key);
        if (known && known->use == KEY_ALLOW)
            line = front_line(front, path, 1);
        mem_free(path);
    }
    switch (f->tools_state) {
    case AGENT_TOOLS_ABSENT:
        agentfile_note(f, AGENT_INFO, line,
                       "no list of tools; the usual host grants everything, here the deployment decides");
        break;
    case AGENT_TOOLS_BLANK:
        agentfile_note(f, AGENT_WARNING, line,
                       "the list of tools has no value: nothing is granted; name the tools, or "
                       "write [] if that is meant");
        break;
    case AGENT_TOOLS_EMPTY:
        agentfile_note(f, AGENT_WARNING, line, "the list of tools is empty: nothing is granted");
        break;
    case AGENT_TOOLS_ALL:
        break;
    case AGENT_TOOLS_LIST: // lists that have nothing in common: said where they are joined
        break;
    }
    check_unknown(f);
    for (size_t i = 0; i < f->tools.len; i++)
        check_entry(f, i);
}

static void check_network(struct agentfile *f)
{
    if (f->network == AGENT_NETWORK_HOST)
        agentfile_note(f, AGENT_WARNING, f->network_line,
                       "network: host lets every tool of this agent talk to whatever this machine can reach, and send "
                       "there whatever it can read; the ceiling of the machine must permit it ('network host' in "
                       "policy.rules)");
}

void lint_check(const struct source *s, const struct front *front, struct agentfile *f)
{
    check_layout(s, f);
    check_name(front, f);
    check_description(front, f);
    check_words(front, f);
    check_keys(front, f);
    check_duplicates(front, f);
    check_comments(s, front, f);
    check_tools(front, f);
    check_network(f);
}

// A tool list may be a string with commas or blanks, a YAML list (block, flow, on the next lines), a map of allowed and
// denied, or a map of booleans. An item keeps its text; commas inside parentheses belong to it, also when YAML has
// split it there.
#include "tools.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "front.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static const char *const known_tools[] = {
#define X(name) name,
#include "tbl/agent_tools.def"
#undef X
};

struct reader {
    const char *key;
    const struct front *front;
    struct tool_list *allowed, *denied;
    struct agentfile *f;
    size_t total;
    int depth;
    bool rest_denied; // {"*": false, ...}
};

void tool_free(struct agent_tool *tool)
{
    mem_free(tool->text);
    mem_free(tool->name);
    mem_free(tool->spec);
}

void tools_free(struct tool_list *list)
{
    for (size_t i = 0; i < list->items.len; i++)
        tool_free(&list->items.items[i]);
    vec_free(&list->items);
}

bool tool_is_known(const struct agent_tool *tool)
{
    if (str_starts(tool->name, "mcp__") || str_eq(tool->text, "*"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known_tools); i++)
        if (str_eq(known_tools[i], tool->name))
            return true;
    return false;
}

bool tool_delegates(const struct agent_tool *tool)
{
    return str_eq(tool->name, "Task") || str_eq(tool->name, "Agent");
}

static int paren_balance(const char *s, size_t len)
{
    int open = 0;
    for (size_t i = 0; i < len; i++)
        open += (s[i] == '(') - (s[i] == ')');
    return open;
}

static char *clean_piece(const char *text, size_t len)
{
    char *copy = str_ndup(text, len);
    char *s = str_trim(copy);
    if (s[0] == '-' && (s[1] == ' ' || s[1] == '\t')) // a list written into one string
        s = str_trim(s + 2);
    size_t n = strlen(s);
    if (n >= 2 && strchr("\"'`", s[0]) && s[n - 1] == s[0]) {
        s[n - 1] = 0;
        s = str_trim(s + 1);
    }
    char *result = str_dup(s);
    mem_free(copy);
    return result;
}

static bool is_separator(char c, bool blanks)
{
    return c == ',' || c == '\n' || (blanks && (c == ' ' || c == '\t'));
}

static bool has_separator(const char *text)
{
    int depth = 0;
    for (const char *c = text; *c; c++) {
        depth += (*c == '(') - (*c == ')' && depth > 0);
        if (depth == 0 && is_separator(*c, false))
            return true;
    }
    return false;
}

char **tools_split(const char *text, bool at_blanks)
{
    VEC(char *) list = {0};
    char *copy = str_dup(text);
    char *s = str_trim(copy);
    size_t n = strlen(s);
    if (s[0] == '[') { // a flow list that YAML could not read
        if (s[n - 1] == ']')
            s[n - 1] = 0;
        s = str_trim(s + 1);
    }
    bool blanks = at_blanks && !has_separator(s) && !str_starts(s, "- ");
    int depth = 0;
    const char *start = s;
    for (const char *c = s;; c++) {
        if (*c && (depth > 0 || !is_separator(*c, blanks))) {
            depth += (*c == '(') - (*c == ')' && depth > 0);
            continue;
        }
        char *piece = clean_piece(start, (size_t)(c - start));
        if (*piece && list.len < AGENTFILE_TOOLS_MAX)
            vec_push(&list, piece);
        else
            mem_free(piece);
        if (!*c)
            break;
        start = c + 1;
    }
    mem_free(copy);
    vec_push(&list, NULL);
    return list.items;
}

static const char *usual_spelling(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known_tools); i++)
        if (str_eq_nocase(known_tools[i], name))
            return known_tools[i];
    return name;
}

static struct agent_tool make_tool(const char *text, const char *key, int line)
{
    struct agent_tool tool = {.text = str_dup(text), .key = key, .line = line};
    const char *open = strchr(text, '(');
    size_t len = strlen(text);
    char *name = str_ndup(text, open ? (size_t)(open - text) : len);
    tool.name = str_dup(usual_spelling(str_trim(name)));
    mem_free(name);
    if (open && text[len - 1] == ')') {
        char *spec = str_ndup(open + 1, len - (size_t)(open - text) - 2);
        tool.spec = str_dup(str_trim(spec));
        mem_free(spec);
    }
    return tool;
}

static void add_item(struct reader *r, struct tool_list *to, const char *text, int line)
{
    if (!to)
        return;
    if (++r->total > AGENTFILE_TOOLS_MAX) {
        if (r->total == AGENTFILE_TOOLS_MAX + 1)
            agentfile_note(r->f, AGENT_WARNING, line, "more than %d entries in '%s', the rest is left out",
                           AGENTFILE_TOOLS_MAX, r->key);
        return;
    }
    bool denies = !r->denied || to == r->denied; // there, "*" is an entry like any other: every tool
    if (str_eq(text, "*") && !denies) {
        to->state = AGENT_TOOLS_ALL;
        return;
    }
    if (paren_balance(text, strlen(text)) != 0)
        agentfile_note(r->f, AGENT_WARNING, line,
                       "the parentheses of '%s' in '%s' do not match, the entry grants nothing", text, r->key);
    vec_push(&to->items, make_tool(text, r->key, line));
    if (to->state != AGENT_TOOLS_ALL)
        to->state = AGENT_TOOLS_LIST;
}

static void add_text(struct reader *r, struct tool_list *to, const char *text, bool blanks, int line)
{
    char **pieces = tools_split(text, blanks);
    for (size_t i = 0; pieces[i]; i++)
        add_item(r, to, pieces[i], line);
    str_list_free(pieces);
}

static void read_value(struct reader *r, const json_t *value, const char *path, int line, struct tool_list *to);

// Text of a list item: a string, or the map that YAML makes of "Bash(git: *)".
static char *item_text(const json_t *item)
{
    if (json_is_string(item))
        return str_dup(json_string_value(item));
    if (!json_is_object(item) || json_object_size(item) != 1)
        return NULL;
    void *entry = json_object_iter((json_t *)(uintptr_t)item);
    const char *key = json_object_iter_key(entry);
    const char *rest = json_string_value(json_object_iter_value(entry));
    return rest && paren_balance(key, strlen(key)) > 0 ? str_printf("%s: %s", key, rest) : NULL;
}

static void read_list(struct reader *r, const json_t *list, const char *path, int line, struct tool_list *to)
{
    struct buf joined = BUF_INIT; // an item that YAML split at an inner comma
    int joined_line = line;
    size_t i;
    const json_t *item;
    json_array_foreach (list, i, item) {
        char *item_path = str_printf("%s/%zu", path, i);
        int item_line = front_line(r->front, item_path, line);
        char *text = item_text(item);
        if (text) {
            if (joined.len)
                buf_str_add(&joined, ", ");
            else
                joined_line = item_line;
            buf_str_add(&joined, text);
        } else if (!json_is_null(item)) {
            read_value(r, item, item_path, item_line, to);
        }
        if (joined.len && paren_balance(joined.data, joined.len) <= 0) {
            add_text(r, to, joined.data, false, joined_line);
            buf_clear(&joined);
        }
        mem_free(text);
        mem_free(item_path);
    }
    if (joined.len)
        add_text(r, to, buf_str(&joined), false, joined_line);
    buf_free(&joined);
}

static bool is_word(const json_t *value, const char *words)
{
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    for (const char *at = words; len && *at; at += strcspn(at, "|") + (strchr(at, '|') != NULL))
        if (strcspn(at, "|") == len && strncasecmp(at, text, len) == 0)
            return true;
    return false;
}

static bool is_key(const char *key, const char *words)
{
    json_t *text = json_string(key);
    bool yes = is_word(text, words);
    json_decref(text);
    return yes;
}

// {allow: [...], deny: [...]} or {bash: true, write: false}
static void read_map(struct reader *r, const json_t *map, const char *path, int line, struct tool_list *to)
{
    const char *key;
    json_t *value;
    struct tool_list *denied = to == r->denied ? NULL : r->denied;
    json_object_foreach ((json_t *)(uintptr_t)map, key, value) {
        char *entry_path = str_printf("%s/%s", path, key);
        int entry_line = front_line(r->front, entry_path, line);
        if (is_word(value, "true|allow|yes|on"))
            add_item(r, to, key, entry_line);
        else if (str_eq(key, "*") && denied && is_word(value, "false|deny|no|off|ask"))
            r->rest_denied = true; // what the map does not allow: as everywhere
        else if (is_word(value, "false|deny|no|off|ask"))
            add_item(r, denied, key, entry_line);
        else if (is_key(key, "allow|allowed|include|tools"))
            read_value(r, value, entry_path, entry_line, to);
        else if (is_key(key, "deny|denied|disallow|disallowed|except|exclude"))
            read_value(r, value, entry_path, entry_line, denied);
        else
            agentfile_note(r->f, AGENT_WARNING, entry_line,
                           "'%s' in '%s' is neither allowed nor denied, it is left out; "
                           "write true, false, or a list below 'allow' or 'deny'",
                           key, r->key);
        mem_free(entry_path);
    }
}

static void read_value(struct reader *r, const json_t *value, const char *path, int line, struct tool_list *to)
{
    if (!to || r->depth >= 8)
        return;
    r->depth++;
    if (json_is_string(value))
        add_text(r, to, json_string_value(value), true, line);
    else if (json_is_array(value))
        read_list(r, value, path, line, to);
    else if (json_is_object(value))
        read_map(r, value, path, line, to);
    r->depth--;
}

void tools_read(const json_t *value, const char *key, const char *path, int line, const struct front *front,
                struct tool_list *ret, struct tool_list *denied, struct agentfile *f)
{
    *ret = (struct tool_list){.state = AGENT_TOOLS_EMPTY};
    struct reader r = {.key = key, .front = front, .allowed = ret, .denied = denied, .f = f};
    size_t denied_before = denied ? denied->items.len : 0;
    read_value(&r, value, path, line, ret);
    bool empty_list = json_is_array(value) && json_array_size(value) == 0;
    if (ret->state == AGENT_TOOLS_EMPTY && !empty_list && !json_is_object(value))
        ret->state = AGENT_TOOLS_BLANK;
    // A map that only denies says nothing about the rest.
    if (ret->state == AGENT_TOOLS_EMPTY && !r.rest_denied && denied && denied->items.len > denied_before)
        ret->state = AGENT_TOOLS_ABSENT;
}

// ---- intersection ----

// Glob with '*' only. A star in `text` can only be eaten by a star of the pattern, so that a pattern which matches the
// text of another pattern also matches all that the other one matches.
static bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool same_tool(const char *a, const char *b)
{
    return str_eq(a, b) || (str_eq(a, "Task") && str_eq(b, "Agent")) || (str_eq(a, "Agent") && str_eq(b, "Task"));
}

// "git *" also matches the bare "git", when that star is the only one.
static char *bare_of(const char *spec)
{
    size_t len = strlen(spec);
    const char *star = strchr(spec, '*');
    return len >= 3 && star == spec + len - 1 && star[-1] == ' ' ? str_ndup(spec, len - 2) : NULL;
}

static char *plain_spec(const char *spec) // "git:*" is another way to write "git *"
{
    char *copy = str_dup(spec);
    size_t len = strlen(copy);
    if (len >= 3 && str_ends(copy, ":*"))
        copy[len - 2] = ' ';
    return copy;
}

static bool spec_covers(const char *wide_spec, const char *narrow_spec)
{
    char *wide = plain_spec(wide_spec), *narrow = plain_spec(narrow_spec);
    char *wide_bare = bare_of(wide), *narrow_bare = bare_of(narrow);
    bool covers = glob(wide, narrow) || (wide_bare && str_eq(wide_bare, narrow));
    if (covers && narrow_bare)
        covers = glob(wide, narrow_bare) || str_eq(wide_bare, narrow_bare);
    mem_free(wide);
    mem_free(narrow);
    mem_free(wide_bare);
    mem_free(narrow_bare);
    return covers;
}

static bool tool_covers(const struct agent_tool *wide, const struct agent_tool *narrow)
{
    if (str_eq(wide->text, narrow->text))
        return true;
    if (str_starts(wide->name, "mcp__") && !wide->spec && glob(wide->name, narrow->name))
        return true;
    if (str_starts(wide->name, "mcp__") && str_starts(narrow->name, wide->name) &&
        str_starts(narrow->name + strlen(wide->name), "__"))
        return true;
    if (!same_tool(wide->name, narrow->name))
        return false;
    if (!wide->spec && !strchr(wide->text, '('))
        return true;
    return wide->spec && (str_eq(wide->spec, "*") || (narrow->spec && spec_covers(wide->spec, narrow->spec)));
}

static struct agent_tool tool_dup(const struct agent_tool *t)
{
    return (struct agent_tool){str_dup(t->text), str_dup(t->name), str_dup(t->spec), t->key, t->line};
}

static void add_covered(struct tool_list *out, const struct tool_list *from, const struct tool_list *by)
{
    for (size_t i = 0; i < from->items.len; i++) {
        const struct agent_tool *t = &from->items.items[i];
        bool covered = false, there = false;
        for (size_t k = 0; k < by->items.len && !covered; k++)
            covered = tool_covers(&by->items.items[k], t);
        for (size_t k = 0; k < out->items.len && !there; k++)
            there = str_eq(out->items.items[k].text, t->text);
        if (covered && !there)
            vec_push(&out->items, tool_dup(t));
    }
}

// Task(a, b) -> Task(a), Task(b), so that lists of agents can be compared one by one.
static void split_agents(struct tool_list *list)
{
    struct tool_list out = {.state = list->state};
    for (size_t i = 0; i < list->items.len; i++) {
        struct agent_tool *t = &list->items.items[i];
        if (!tool_delegates(t) || !t->spec || !strchr(t->spec, ',')) {
            vec_push(&out.items, tool_dup(t));
            continue;
        }
        char **names = tools_split(t->spec, true);
        for (size_t k = 0; names[k]; k++) {
            char *text = str_printf("%s(%s)", t->name, names[k]);
            vec_push(&out.items, make_tool(text, t->key, t->line));
            mem_free(text);
        }
        str_list_free(names);
    }
    tools_free(list);
    *list = out;
}

void tools_intersect(struct tool_list *a, struct tool_list *b)
{
    if (a->state == AGENT_TOOLS_ABSENT || (a->state == AGENT_TOOLS_ALL && b->state != AGENT_TOOLS_ABSENT)) {
        tools_free(a);
        *a = *b;
        return;
    }
    if (b->state == AGENT_TOOLS_ABSENT || b->state == AGENT_TOOLS_ALL || a->state != AGENT_TOOLS_LIST) {
        tools_free(b);
        return;
    }
    struct tool_list out = {.state = b->state};
    if (b->state == AGENT_TOOLS_LIST) {
        split_agents(a);
        split_agents(b);
        add_covered(&out, a, b);
        add_covered(&out, b, a);
    }
    tools_free(a);
    tools_free(b);
    *a = out;
}

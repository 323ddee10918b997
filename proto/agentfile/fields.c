#include "fields.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "near.h"
#include "tools.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *agent_name_from_path(const char *path)
{
    static const char *const endings[] = {".agent.md", ".md", ".markdown"};
    const char *base = path_base(path ? path : "");
    size_t len = strlen(base);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcasecmp(base + len - n, endings[i]) == 0)
            return str_ndup(base, len - n);
    }
    return len ? str_dup(base) : str_dup("agent");
}

bool agent_path_is_prose(const char *path)
{
    static const char *const names[] = {"readme",  "changelog", "contributing",    "license", "licence",
                                        "notice",  "security",  "code_of_conduct", "index",   "todo",
                                        "authors", "claude",    "agents"};
    char *name = agent_name_from_path(path);
    bool prose = str_has_nocase(name, "readme");
    for (size_t i = 0; i < ARRAY_LEN(names) && !prose; i++)
        prose = str_eq_nocase(name, names[i]);
    mem_free(name);
    return prose;
}

// The member of the object that stands for this key, in any spelling; the exact one first.
static json_t *find(const json_t *object, const char *name, const char **ret_key)
{
    json_t *value = json_object_get(object, name);
    *ret_key = name;
    const char *key;
    if (value)
        return value;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        bool exact;
        const struct agent_key *known = agent_key_find(key, &exact);
        if (known && !exact && str_eq(known->name, name)) {
            *ret_key = key;
            return value;
        }
    }
    return NULL;
}

static int key_line(const struct front *front, const char *key)
{
    char *path = str_printf("/%s", key);
    int line = front_line(front, path, 1);
    mem_free(path);
    return line;
}

// One line of text: runs of blanks and line ends become one blank.
static char *one_line(const char *text)
{
    char *s = str_dup(text), *to = s;
    for (const char *c = s; *c; c++) {
        bool blank = (unsigned char)*c <= ' ';
        if (!blank)
            *to++ = *c;
        else if (to > s && to[-1] != ' ')
            *to++ = ' ';
    }
    while (to > s && to[-1] == ' ')
        to--;
    *to = 0;
    return s;
}

// Text of a scalar key, or of the first item of a list; owned, NULL when there is none.
static char *text_of(const struct front *front, const char *name, struct agentfile *f)
{
    const char *key;
    const json_t *value = find(front->text, name, &key);
    if (json_is_array(value)) {
        value = json_array_get(value, 0);
        agentfile_note(f, AGENT_INFO, key_line(front, key), "'%s' is a list, the first item counts", key);
    } else if (json_is_object(value)) {
        agentfile_note(f, AGENT_WARNING, key_line(front, key), "'%s' is a map, a text was expected", key);
    }
    if (!json_is_string(value))
        return NULL;
    char *copy = str_dup(json_string_value(value));
    char *text = str_trim(copy);
    char *result = *text ? str_dup(text) : NULL;
    mem_free(copy);
    return result;
}

static void read_name(const struct front *front, struct agentfile *f)
{
    char *declared = text_of(front, "name", f);
    if (declared) {
        f->name = one_line(declared);
        mem_free(declared);
        f->name_declared = *f->name != 0;
    }
    if (f->name_declared && strlen(f->name) > AGENTFILE_NAME_MAX) {
        agentfile_note(f, AGENT_WARNING, key_line(front, "name"),
                       "the name is longer than %d bytes, the file name is "
                       "used",
                       AGENTFILE_NAME_MAX);
        f->name_declared = false;
    }
    f->name_line = key_line(front, "name");
    if (!f->name_declared) {
        mem_free(f->name);
        f->name = agent_name_from_path(f->file);
    }
}

// A color is often written as #FF6B35 without quotes, which YAML takes for a comment.
static void read_color(const struct source *s, const struct front *front, struct agentfile *f)
{
    const char *key;
    const json_t *value = find(front->text, "color", &key);
    f->color = text_of(front, "color", f);
    int line = key_line(front, key);
    if (f->color || !value || line < 1 || (size_t)line > s->lines.len)
        return;
    const struct source_line *at = &s->lines.items[line - 1];
    const char *hash = memchr(at->text, '#', at->len);
    if (!hash)
        return;
    char *copy = str_ndup(hash, at->len - (size_t)(hash - at->text));
    f->color = str_dup(str_trim(copy));
    mem_free(copy);
    agentfile_note(f, AGENT_WARNING, line, "YAML reads '%s' as a comment; put the color in quotes", f->color);
}

static void read_skills(const struct front *front, struct agentfile *f)
{
    const char *key;
    const json_t *value = find(front->text, "skills", &key);
    if (!value)
        return;
    struct tool_list list, denied = {0};
    char *path = str_printf("/%s", key);
    tools_read(value, "skills", path, key_line(front, key), front, &list, &denied, f);
    for (size_t i = 0; i < list.items.len; i++)
        vec_push(&f->skills, str_dup(list.items.items[i].text));
    tools_free(&list);
    tools_free(&denied);
    mem_free(path);
}

static void read_settings(const struct front *front, struct agentfile *f)
{
    const char *key;
    f->memory = text_of(front, "memory", f);
    f->effort = text_of(front, "effort", f);
    f->permission_mode = text_of(front, "permissionMode", f);
    char *turns = text_of(front, "maxTurns", f);
    int64_t n;
    if (turns && str_to_i64(turns, &n) && n > 0 && n <= 1000000)
        f->max_turns = (long)n;
    else if (turns)
        agentfile_note(f, AGENT_WARNING, key_line(front, "maxTurns"), "maxTurns '%.40s' is no number from 1 on", turns);
    mem_free(turns);
    json_t *servers = find(f->extra, "mcpServers", &key);
    f->mcp_servers = servers ? servers : json_object_get(f->extra, "mcp-servers");
}

static bool read_attenuate(const struct front *front, struct agentfile *f)
{
    const char *key;
    if (!find(front->text, "attenuate", &key))
        return true;
    AUTO_FREE char *text = text_of(front, "attenuate", f);
    f->attenuate = text && (str_eq_nocase(text, "true") || str_eq_nocase(text, "yes"));
    if (f->attenuate || (text && (str_eq_nocase(text, "false") || str_eq_nocase(text, "no"))))
        return true;
    agentfile_note(f, AGENT_ERROR, key_line(front, key), "attenuate is '%.40s', expected true or false",
                   text ? text : "");
    return false;
}

// What it hands on to those that work with its handoff.
static void read_grants(const struct front *front, struct agentfile *f)
{
    const char *key;
    const json_t *value = find(front->text, "grants", &key);
    if (!value)
        return;
    struct tool_list list, denied = {0};
    char *path = str_printf("/%s", key);
    tools_read(value, "grants", path, key_line(front, key), front, &list, &denied, f);
    f->grants_declared = list.state != AGENT_TOOLS_ALL;
    for (size_t i = 0; i < list.items.len; i++)
        vec_push(&f->grants, list.items.items[i]);
    vec_free(&list.items);
    tools_free(&denied);
    mem_free(path);
}

static bool take_network(const char *text, int line, struct agentfile *f)
{
    for (enum agent_network n = AGENT_NETWORK_NONE; n <= AGENT_NETWORK_HOST; n++) {
        if (!str_eq(text, agent_network_name(n)))
            continue;
        if (f->network == AGENT_NETWORK_UNSAID || n < f->network) { // said twice: the narrower one
            f->network = n;
            f->network_line = line;
        }
        return true;
    }
    agentfile_note(f, AGENT_ERROR, line, "network is '%.40s', expected none, lo or host", text ? text : "");
    return false;
}

static bool read_network(const struct front *front, struct agentfile *f)
{
    const char *name;
    json_t *value;
    size_t i;
    bool exact, good = true, last_counts = f->mode != AGENT_MODE_TOLERANT;
    json_object_foreach (front->text, name, value) {
        const struct agent_key *key = agent_key_find(name, &exact);
        if (key && str_eq(key->name, "network"))
            good = take_network(json_string_value(value), key_line(front, name), f) && good;
    }
    json_array_foreach (front->duplicates, i, value) {
        const char *path = json_string_value(json_object_get(value, "path"));
        const struct agent_key *key = strchr(path + 1, '/') ? NULL : agent_key_find(path + 1, &exact);
        if (key && str_eq(key->name, "network"))
            good = take_network(json_string_value(json_object_get(value, "was")),
                                (int)json_integer_value(json_object_get(value, last_counts ? "first" : "line")), f) &&
                   good;
    }
    return good;
}

static void read_extra(const struct front *front, struct agentfile *f)
{
    const char *key;
    json_t *value;
    static const char *const OWN[] = {"name", "description", "model", "grants", "attenuate", "network"};
    json_object_foreach (front->typed, key, value) {
        bool exact;
        const struct agent_key *known = agent_key_find(key, &exact);
        bool own = known && (known->use == KEY_ALLOW || known->use == KEY_DENY);
        for (size_t i = 0; known && i < ARRAY_LEN(OWN); i++)
            own = own || str_eq(known->name, OWN[i]);
        if (own)
            continue;
        json_object_set(f->extra, key, value);
    }
}

// ---- tool lists ----

struct lists {
    const struct front *front;
    struct agentfile *f;
    struct tool_list allowed, denied;
    size_t n_allowed;
    int first_line;
    const char *first_key;
};

// For people: "Read, Bash(cargo *)", shortened; owned by the caller.
static char *entries_new(const struct tool_list *list)
{
    AUTO_BUF struct buf b = BUF_MAX(120);
    for (size_t i = 0; i < list->items.len; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", list->items.items[i].text);
    return str_dup(buf_str(&b));
}

static void take_list(struct lists *l, const struct agent_key *key, const char *path, const json_t *value, int line)
{
    struct tool_list list;
    if (key->use == KEY_DENY) {
        tools_read(value, key->name, path, line, l->front, &list, NULL, l->f);
        for (size_t i = 0; i < list.items.len; i++)
            vec_push(&l->denied.items, list.items.items[i]);
        vec_free(&list.items);
        return;
    }
    tools_read(value, key->name, path, line, l->front, &list, &l->denied, l->f);
    if (l->n_allowed++ == 0) {
        l->allowed = list;
        l->first_line = line;
        l->first_key = key->name;
        return;
    }
    agentfile_note(l->f, AGENT_WARNING, line,
                   "'%s' here and '%s' in line %d both list tools: only what both allow is "
                   "granted",
                   key->name, l->first_key, l->first_line);
    AUTO_FREE char *first = entries_new(&l->allowed), *second = entries_new(&list);
    tools_intersect(&l->allowed, &list);
    if (l->allowed.state == AGENT_TOOLS_LIST && l->allowed.items.len == 0)
        agentfile_note(l->f, AGENT_WARNING, line, "'%s' (%s) and '%s' (%s) have nothing in common: nothing is granted",
                       l->first_key, first, key->name, second);
}

static void note_all_denied(struct lists *l)
{
    for (size_t i = 0; i < l->denied.items.len; i++) {
        const struct agent_tool *t = &l->denied.items.items[i];
        if (!str_eq(t->text, "*"))
            continue;
        agentfile_note(l->f, AGENT_WARNING, t->line, "'*' in '%s' takes away every tool: nothing is granted", t->key);
        return;
    }
}

static void read_lists(const struct front *front, struct agentfile *f)
{
    struct lists l = {.front = front, .f = f, .allowed = {.state = AGENT_TOOLS_ABSENT}};
    const char *name;
    json_t *value;
    size_t i;
    bool exact;
    json_object_foreach (front->text, name, value) {
        const struct agent_key *key = agent_key_find(name, &exact);
        if (!key || (key->use != KEY_ALLOW && key->use != KEY_DENY))
            continue;
        char *path = str_printf("/%s", name);
        take_list(&l, key, path, value, front_line(front, path, 1));
        mem_free(path);
    }
    json_array_foreach (front->duplicates, i, value) {
        const char *path = json_string_value(json_object_get(value, "path"));
        const struct agent_key *key = strchr(path + 1, '/') ? NULL : agent_key_find(path + 1, &exact);
        bool last_counts = f->mode != AGENT_MODE_TOLERANT;
        int line = (int)json_integer_value(json_object_get(value, last_counts ? "first" : "line"));
        if (key && (key->use == KEY_ALLOW || key->use == KEY_DENY))
            take_list(&l, key, "", json_object_get(value, "was"), line);
    }
    note_all_denied(&l);
    f->tools_state = l.allowed.state;
    for (i = 0; i < l.allowed.items.len; i++)
        vec_push(&f->tools, l.allowed.items.items[i]);
    for (i = 0; i < l.denied.items.len; i++)
        vec_push(&f->disallowed, l.denied.items.items[i]);
    vec_free(&l.allowed.items);
    vec_free(&l.denied.items);
}

static bool denied_delegate(const struct agentfile *f, const char *name)
{
    for (size_t i = 0; i < f->disallowed.len; i++) {
        const struct agent_tool *t = &f->disallowed.items[i];
        if (str_eq(t->text, "*"))
            return true;
        if (!tool_delegates(t))
            continue;
        char **names = t->spec ? tools_split(t->spec, true) : NULL;
        bool hit = !t->spec || str_eq(t->spec, "*");
        for (size_t k = 0; names && names[k]; k++)
            hit = hit || str_eq(names[k], name);
        str_list_free(names);
        if (hit)
            return true;
    }
    return false;
}

static void add_delegate(struct agentfile *f, const char *name)
{
    if (str_eq(name, "*")) {
        f->delegates_any = true;
        return;
    }
    for (size_t i = 0; i < f->delegates.len; i++)
        if (str_eq(f->delegates.items[i], name))
            return;
    if (!denied_delegate(f, name))
        vec_push(&f->delegates, str_dup(name));
}

static void read_delegates(struct agentfile *f)
{
    for (size_t i = 0; i < f->tools.len; i++) {
        const struct agent_tool *t = &f->tools.items[i];
        if (!tool_delegates(t))
            continue;
        if (!strchr(t->text, '('))
            f->delegates_any = true;
        char **names = t->spec ? tools_split(t->spec, true) : NULL;
        for (size_t k = 0; names && names[k]; k++)
            add_delegate(f, names[k]);
        str_list_free(names);
    }
    if (f->delegates_any && denied_delegate(f, "*"))
        f->delegates_any = false;
}

bool fields_read(const struct source *s, const struct front *front, struct agentfile *f)
{
    read_extra(front, f);
    read_name(front, f);
    f->description = text_of(front, "description", f);
    f->model = text_of(front, "model", f);
    read_color(s, front, f);
    read_skills(front, f);
    read_settings(front, f);
    read_lists(front, f);
    read_grants(front, f);
    read_delegates(f);
    bool attenuates = read_attenuate(front, f), network = read_network(front, f);
    return near_check(front, f) && attenuates && network;
}

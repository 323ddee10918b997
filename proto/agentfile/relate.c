// Questions other parts ask of one agent file, and its JSON form.
#include "agentfile/agentfile.h"

#include "base/mem.h"
#include "base/str.h"
#include "relate.h"
#include "roles/roles.h"
#include "json/json.h"

#include <string.h>
#include <strings.h>

bool focus_names_nobody(const char *previous)
{
    return *previous == '(' || *previous == '-' || str_eq_nocase(previous, "none") || str_eq_nocase(previous, "user") ||
           strncasecmp(previous, "user ", 5) == 0 || strncasecmp(previous, "no previous", 11) == 0 ||
           strncasecmp(previous, "direct", 6) == 0;
}

// The cell may name several agents, and say more in parentheses: "rust-developer (v2), tester or x / y".
bool focus_names(const char *previous, const char *name)
{
    char *copy = str_dup(previous);
    char *paren = strchr(copy, '(');
    if (paren)
        *paren = 0;
    for (char *at = copy; (at = strstr(at, " or ")) != NULL;)
        memcpy(at, " ,  ", 4);
    size_t n;
    char **names = str_split(copy, ",/+&", true, &n);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++)
        found = role_same_agent(str_trim(names[i]), name);
    str_list_free(names);
    mem_free(copy);
    return found;
}

const struct agent_focus *agentfile_focus_after(const struct agentfile *f, const char *previous)
{
    for (size_t i = 0; i < f->focus.len; i++) {
        const struct agent_focus *row = &f->focus.items[i];
        bool nobody = focus_names_nobody(row->previous);
        if (previous ? !nobody && focus_names(row->previous, previous) : nobody)
            return row;
    }
    return NULL;
}

bool agentfile_may_ask_for(const struct agentfile *f, const char *name)
{
    if (f->delegates_any)
        return true;
    for (size_t i = 0; i < f->delegates.len; i++)
        if (role_same_agent(f->delegates.items[i], name))
            return true;
    return false;
}

json_t *diagnostics_to_json(const struct agentfile *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->diagnostics.len; i++) {
        const struct agent_diagnostic *d = &f->diagnostics.items[i];
        json_t *one = json_object();
        json_put_int(one, "line", d->line);
        json_put_str(one, "level", agent_level_name(d->level));
        json_put(one, "text", json_text_new(d->text, strlen(d->text)));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *focus_to_json(const struct agentfile *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->focus.len; i++) {
        json_t *row = json_object();
        json_put_str(row, "previous", f->focus.items[i].previous);
        json_put_str(row, "context", f->focus.items[i].expected_context);
        json_put_str(row, "focus", f->focus.items[i].focus);
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *chains_to_json(const struct agentfile *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->chains.len; i++) {
        json_t *chain = json_array();
        for (size_t k = 0; k < f->chains.items[i].steps.len; k++)
            json_add_str(chain, f->chains.items[i].steps.items[k].agent);
        json_array_append_new(list, chain);
    }
    return list;
}

json_t *agentfile_to_json(const struct agentfile *f)
{
    json_t *o = json_object();
    json_put_str(o, "name", f->name);
    json_put_str(o, "file", f->file);
    json_put_str(o, "description", f->description);
    json_put_str(o, "model", f->model);
    json_t *tools = json_array(), *denied = json_array(), *delegates = json_array();
    if (f->tools_state == AGENT_TOOLS_ALL)
        json_add_str(tools, "*");
    for (size_t i = 0; i < f->tools.len; i++)
        json_add_str(tools, f->tools.items[i].text);
    for (size_t i = 0; i < f->disallowed.len; i++)
        json_add_str(denied, f->disallowed.items[i].text);
    for (size_t i = 0; i < f->delegates.len; i++)
        json_add_str(delegates, f->delegates.items[i]);
    json_put(o, "tools", tools);
    json_put(o, "delegates", delegates);
    json_put(o, "focus", focus_to_json(f));
    json_put(o, "chains", chains_to_json(f));
    json_put_str(o, "mode", agent_mode_name(f->mode));
    json_put(o, "diagnostics", diagnostics_to_json(f));
    json_put_str(o, "tools_state", agent_tools_state_name(f->tools_state));
    json_put(o, "disallowed_tools", denied);
    json_t *grants = f->grants_declared ? json_array() : json_null();
    for (size_t i = 0; f->grants_declared && i < f->grants.len; i++)
        json_add_str(grants, f->grants.items[i].text);
    json_put(o, "grants", grants);
    json_put_flag(o, "attenuate", f->attenuate);
    json_put_str(o, "network", agent_network_name(f->network));
    json_put(o, "extra", json_incref(f->extra));
    return o;
}

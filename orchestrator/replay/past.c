#include "replay/past.h"

#include "base/mem.h"
#include "base/str.h"
#include "pool/pool.h"
#include "roles/roles.h"
#include "run/bounds.h"
#include "run/key.h"

#include <stdio.h>

void past_init(struct past *p, const json_t *run, const char *base)
{
    *p = (struct past){
        .run = run, .base = base, .handoffs = json_object(), .keys = json_object(), .contents = json_object()};
}

void past_clear(struct past *p)
{
    for (size_t i = 0; i < p->agents.len; i++) {
        mem_free(p->agents.items[i].name);
        agentfile_free(p->agents.items[i].file);
    }
    vec_free(&p->agents);
    json_decref(p->handoffs);
    json_decref(p->keys);
    json_decref(p->contents);
    json_decref(p->handed_on);
}

int past_add_agent(struct past *p, const char *name, const char *hash, const char *text, size_t len, struct err *err)
{
    struct past_agent a = {0};
    int r = agentfile_parse(name, text, len, &a.file, err);
    if (r < 0)
        return r;
    a.name = str_dup(name);
    snprintf(a.hash, sizeof(a.hash), "%s", hash);
    vec_push(&p->agents, a);
    return 0;
}

const struct past_agent *past_find_agent(const struct past *p, const char *name)
{
    for (size_t i = 0; i < p->agents.len; i++)
        if (str_eq(p->agents.items[i].name, name))
            return &p->agents.items[i];
    for (size_t i = 0; i < p->agents.len; i++)
        if (role_same_agent(p->agents.items[i].name, name))
            return &p->agents.items[i];
    return NULL;
}

void past_remember(struct past *p, const json_t *handoff, const char *stage_key, const json_t *bounds)
{
    char content[HASH_TEXT], parent[HASH_TEXT];
    const char *id = json_str(handoff, "id", NULL);
    if (!id)
        return;
    key_of_content(handoff, content);
    key_of_parent(content, stage_key, parent);
    json_put(p->handoffs, id, json_deep_copy(handoff));
    json_put_str(p->keys, id, parent);
    json_put_str(p->contents, id, content);
    const struct past_agent *agent = past_find_agent(p, json_str(handoff, "agent_name", ""));
    if (agent)
        bounds_hand_on(&p->handed_on, id, agent->file, json_obj(p->run, "options"), bounds);
}

bool past_asks(const struct past *p, const json_t *args, const char *worker, struct asked *asked)
{
    *asked = (struct asked){0};
    struct focus *focus = &asked->focus;
    const struct past_agent *agent = past_find_agent(p, json_str(args, "agent", ""));
    const char *role = agent ? role_of_agent(agent->name) : NULL;
    AUTO_JSON json_t *hashes = json_array(), *contents = json_array();
    json_t *parents = asked->parents = json_array();
    size_t i;
    json_t *id;
    if (!role)
        return false;
    asked->agent = agent->name;
    asked->role = role;
    json_array_foreach (json_list(args, "after"), i, id) {
        json_t *handoff = json_object_get(p->handoffs, json_is_string(id) ? json_string_value(id) : "");
        if (!handoff)
            return false;
        json_array_append(parents, handoff);
        json_add_str(hashes, json_str(p->keys, json_string_value(id), ""));
        json_add_str(contents, json_str(p->contents, json_string_value(id), ""));
    }
    const json_t *last = json_array_get(parents, json_array_size(parents) ? json_array_size(parents) - 1 : 0);
    focus_choose(agent->file, role, json_str(last, "agent_name", NULL), parents, json_str(args, "mode", NULL), focus);
    asked->bounds = bounds_new(json_obj(p->run, "options"), p->handed_on, json_list(args, "after"));
    struct key_parts parts = {.agent_hash = agent->hash,
                              .worker = worker,
                              .mode = focus->mode,
                              .task = json_str(args, "task", NULL),
                              .input = json_object_get(args, "input"),
                              .parents = hashes,
                              .project = pool_role_needs_project(role) ? p->base : NULL,
                              .operator_rules = json_list(json_obj(p->run, "options"), "operator_rules"),
                              .bounds = asked->bounds,
                              .profiles = json_str(json_obj(p->run, "options"), "profiles", NULL)};
    key_of_stage(&parts, asked->key);
    if (p->profiles_before) {
        struct key_parts before = parts;
        before.profiles = p->profiles_before;
        key_of_stage(&before, asked->key_before);
    }
    parts.parents = contents;
    key_of_stage(&parts, asked->input);
    return true;
}

#include "run/starting.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/profile_table.h"
#include "budget/budget.h"
#include "rights/site.h"
#include "roles/roles.h"
#include "run/catalog.h"

#include <stdio.h>

#define ID_TRIES 20

void parts_free(struct parts *p)
{
    json_decref(p->params);
    json_decref(p->agents);
    json_decref(p->options);
    mem_free(p->script);
    mem_free(p->name);
    mem_free(p->project);
    mem_free(p->folder);
}

int parts_project(struct parts *p, const char *project, struct err *err)
{
    p->project = path_real(project, err);
    if (!p->project)
        return err_wrap(err, "the project");
    return file_is_dir(p->project) ? 0 : err_set(err, ERR_INVALID, "the project '%s' is not a folder", p->project);
}

static int read_script(const char *data_dir, struct script_cache *scripts, const char *workflow, const json_t *params,
                       bool from_text, struct parts *p, json_t **ret_declaration, struct err *err)
{
    int r = catalog_workflow(data_dir, workflow, &p->script, &p->script_len, &p->name, err);
    if (r < 0)
        return r;
    if (str_ends(workflow, ".lua")) {
        AUTO_FREE char *real = path_real(workflow, NULL);
        p->folder = real ? path_dir(real) : NULL;
    }
    AUTO_FREE char *file = str_printf("%s.lua", p->name);
    struct script_limits limits = {.cache = scripts};
    json_t *declaration = script_declare_new(p->script, p->script_len, file, &limits, err);
    if (!declaration)
        return -(int)err->code;
    p->params = script_params_new(declaration, params, from_text, err);
    if (!p->params) {
        json_decref(declaration);
        return -(int)err->code;
    }
    *ret_declaration = declaration;
    return 0;
}

int parts_script(const struct starting *s, const char *workflow, const json_t *params, bool from_text, struct parts *p,
                 json_t **ret_declaration, struct err *err)
{
    json_t *declaration = NULL;
    int r = read_script(s->data_dir, s->scripts, workflow, params, from_text, p, &declaration, err);
    if (r < 0)
        return r;
    r = store_artifact_put(s->store, p->script, p->script_len, p->script_hash, err);
    if (r < 0)
        json_decref(declaration);
    else
        *ret_declaration = declaration;
    return r;
}

int parts_check(const char *data_dir, const struct parts_wanted *wanted, struct err *err)
{
    struct parts p = {.options = json_object()};
    json_t *declaration = NULL;
    int r = parts_project(&p, wanted->project, err);
    if (r == 0)
        r = read_script(data_dir, NULL, wanted->workflow, wanted->params, wanted->from_text, &p, &declaration, err);
    if (r == 0)
        r = parts_rights(&p, wanted->operator_rules, err);
    if (r == 0)
        r = agents_check(data_dir, wanted->agent_dirs, json_list(declaration, "agents"), p.name, p.options, err);
    if (r == 0)
        r = parts_limits(&p, declaration, wanted->limits, wanted->wall_ms, err);
    json_decref(declaration);
    parts_free(&p);
    return r;
}

int parts_rights(struct parts *p, const char *const *operator_rules, struct err *err)
{
    json_t *rules = json_array();
    for (const char *const *rule = operator_rules; rule && *rule; rule++)
        json_add_str(rules, *rule);
    json_put(p->options, "operator_rules", rules);
    json_t *bounds = site_bounds_new(err);
    if (!bounds)
        return -(int)err->code;
    if (json_array_size(bounds))
        json_put(p->options, "bounds", json_incref(bounds));
    json_decref(bounds);
    return parts_profiles(p->options, err);
}

int parts_profiles(json_t *options, struct err *err)
{
    AUTO_FREE char *text = profile_site_text_new(err);
    if (!text)
        return -(int)err->code;
    json_put_str(options, "profiles", text);
    return 0;
}

int parts_limits(struct parts *p, const json_t *declaration, const json_t *given, int64_t wall_ms, struct err *err)
{
    const char *wall = budget_name(BUDGET_WALL);
    AUTO_JSON json_t *limits = budget_limits_new(json_obj(declaration, "limits"), err);
    if (!limits)
        return err_wrap(err, "limits of the workflow '%s'", p->name);
    AUTO_JSON json_t *more = budget_limits_new(given, err);
    if (!more)
        return -(int)err->code;
    budget_limits_narrow(limits, more);
    if (wall_ms > 0) {
        AUTO_JSON json_t *time = json_object();
        json_put_int(time, wall, wall_ms);
        budget_limits_narrow(limits, time);
    }
    json_put_int(p->options, "wall_ms", json_int(limits, wall, 0));
    if (json_object_size(limits) > 0)
        json_put(p->options, "limits", json_incref(limits));
    return 0;
}

int parts_journal(const struct starting *s, const struct parts *p, const char *key, const char *caller,
                  const char *parent, char ret_id[STORE_NAME_MAX], struct err *err)
{
    for (int i = 0; i < ID_TRIES; i++) {
        char tag[ID_SHORT_TEXT], fresh[STORE_NAME_MAX];
        id_short(tag);
        snprintf(fresh, sizeof(fresh), "%.200s-%s", p->name, tag);
        for (char *c = fresh; *c; c++)
            if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-'))
                *c = '-';
        struct store_run run = {.id = fresh,
                                .workflow = p->name,
                                .script_hash = p->script_hash,
                                .project = p->project,
                                .key = key,
                                .caller = caller,
                                .parent = parent,
                                .params = p->params,
                                .agents = p->agents,
                                .options = p->options};
        int r = store_run_create(s->store, &run, ret_id, err);
        if (r != -ERR_EXISTS)
            return r;
    }
    return err_set(err, ERR_EXISTS, "no free run id was found in %d tries", ID_TRIES);
}

// --- children ---

// Those the child needs come first: a script may name them by role.
static int child_agents(const json_t *parent, const json_t *needed, const char *who, json_t **ret, struct err *err)
{
    json_t *there = json_obj(parent, "agents");
    AUTO_JSON json_t *agents = json_object();
    size_t i;
    json_t *wanted;
    json_array_foreach (needed, i, wanted) {
        const char *name = json_string_value(wanted), *found = json_object_get(there, name) ? name : NULL;
        for (void *at = json_object_iter(there); at && !found; at = json_object_iter_next(there, at))
            found = role_same_agent(json_object_iter_key(at), name) ? json_object_iter_key(at) : NULL;
        if (!found)
            return err_set(err, ERR_NOT_FOUND,
                           "the workflow '%s' needs the agent '%s', and run '%s' has no agent file of that name", who,
                           name, json_str(parent, "id", "?"));
        json_object_set(agents, found, json_object_get(there, found));
    }
    json_object_update_missing(agents, there);
    *ret = json_incref(agents);
    return 0;
}

static int child_options(const json_t *parent, struct parts *p, struct err *err)
{
    const json_t *above = json_obj(parent, "options"), *rules = json_list(above, "operator_rules");
    int64_t depth = json_int(above, "depth", 0) + 1;
    if (depth > CHILD_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "run '%s' is %d runs below the first one, which is the limit",
                       json_str(parent, "id", "?"), CHILD_DEPTH_MAX);
    p->options = json_object();
    json_put(p->options, "operator_rules", rules ? json_deep_copy(rules) : json_array());
    if (json_list(above, "bounds"))
        json_put(p->options, "bounds", json_incref(json_list(above, "bounds")));
    json_put_str(p->options, "profiles", json_str(above, "profiles", NULL));
    json_put_int(p->options, "depth", depth);
    json_put_str(p->options, "folder", p->folder);
    return 0;
}

// A path starts from the folder of the parent's own file, or from where it stands.
static char *child_path(const json_t *parent, const char *workflow)
{
    const char *folder = json_str(json_obj(parent, "options"), "folder", NULL);
    return str_ends(workflow, ".lua") && workflow[0] != '/' && folder ? path_join(folder, workflow) : str_dup(workflow);
}

static int child_project(const json_t *parent, const json_t *wanted, struct parts *p, struct err *err)
{
    const char *project = json_str(wanted, "project", NULL), *above = json_str(parent, "project", "");
    AUTO_FREE char *path =
        !project || project[0] == '/' ? str_dup(project ? project : above) : path_join(above, project);
    return parts_project(p, path, err);
}

// A key can name any run, also one that would have to wait for this one.
static int check_not_above(struct store *store, const json_t *parent, const char *child, struct err *err)
{
    AUTO_FREE char *id = str_dup(json_str(parent, "id", ""));
    for (int i = 0; i <= CHILD_DEPTH_MAX && id; i++) {
        if (str_eq(id, child))
            return err_set(err, ERR_STATE, "the key belongs to run '%s', which would wait for itself", child);
        AUTO_JSON json_t *record = store_run_get_new(store, id, NULL);
        str_set(&id, json_str(record, "parent", NULL));
    }
    return 0;
}

int starting_child(const struct starting *s, const json_t *parent, const json_t *wanted, char ret_id[STORE_NAME_MAX],
                   struct err *err)
{
    struct parts p = {0};
    json_t *declaration = NULL;
    AUTO_FREE char *workflow = child_path(parent, json_str(wanted, "workflow", ""));
    int r = child_project(parent, wanted, &p, err);
    if (r == 0)
        r = parts_script(s, workflow, json_obj(wanted, "params"), false, &p, &declaration, err);
    if (r == 0)
        r = child_agents(parent, json_list(declaration, "agents"), p.name, &p.agents, err);
    if (r == 0)
        r = child_options(parent, &p, err);
    if (r == 0)
        r = parts_limits(&p, declaration, NULL, json_int(wanted, "timeout_ms", 0), err);
    if (r == 0)
        r = parts_journal(s, &p, json_str(wanted, "key", NULL), json_str(parent, "caller", NULL),
                          json_str(parent, "id", NULL), ret_id, err);
    if (r == 1 && check_not_above(s->store, parent, ret_id, err) < 0)
        r = -ERR_STATE;
    json_decref(declaration);
    parts_free(&p);
    return r;
}

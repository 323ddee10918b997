#include "engine/gather.h"

#include "loop/http.h"
#include "run/agents.h"

int gather_parts(const struct starting *s, const struct engine_request *q, struct parts *p, struct err *err)
{
    json_t *declaration = NULL;
    int r = parts_project(p, q->project, err);
    if (r < 0)
        return r;
    r = parts_script(s, q->workflow, q->params, q->params_from_text, p, &declaration, err);
    p->options = json_object();
    if (r == 0)
        r = parts_rights(p, q->operator_rules, err);
    if (r == 0)
        r = agents_gather(s->agents, q->agent_dirs, json_list(declaration, "agents"), p->name, p->options, &p->agents,
                          err);
    if (r == 0)
        r = parts_limits(p, declaration, q->limits, q->wall_ms, err);
    json_decref(declaration);
    json_t *notify = json_array();
    for (const char *const *url = q->notify; url && *url && r == 0; url++) {
        r = loop_http_check_url(*url, err);
        json_add_str(notify, *url);
    }
    if (json_array_size(notify))
        json_put(p->options, "notify", json_incref(notify));
    json_decref(notify);
    if (p->folder)
        json_put_str(p->options, "folder", p->folder);
    return r;
}

#include "run/bounds.h"

#include "rights/rights.h"

#include <stdint.h>

json_t *bounds_new(const json_t *options, const json_t *handed_on, const json_t *after)
{
    json_t *site = json_list(options, "bounds"), *bounds = json_array_size(site) ? json_incref(site) : NULL;
    size_t i;
    json_t *id;
    json_array_foreach (handed_on ? after : NULL, i, id)
        rights_narrow(&bounds, json_list(handed_on, json_is_string(id) ? json_string_value(id) : ""));
    return bounds;
}

void bounds_hand_on(json_t **handed_on, const char *handoff, const struct agentfile *agent, const json_t *options,
                    const json_t *bounds)
{
    AUTO_JSON json_t *rest = rights_handed_on_new(agent, json_list(options, "operator_rules"), bounds);
    if (!rest || rest == json_list(options, "bounds")) // those that everybody has
        return;
    if (!*handed_on)
        *handed_on = json_object();
    json_put(*handed_on, handoff, json_incref(rest));
}

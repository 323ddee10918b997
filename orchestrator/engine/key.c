#include "engine/key.h"

void key_of_stage(const struct key_parts *parts, char out[HASH_TEXT])
{
    AUTO_JSON json_t *v = json_object();
    json_put_int(v, "format", 1); // raise it when the meaning of a part changes
    json_put_str(v, "agent", parts->agent_hash);
    json_put_str(v, "worker", parts->worker);
    json_put_str(v, "mode", parts->mode);
    json_put_str(v, "task", parts->task);
    json_put(v, "input", parts->input ? json_incref((json_t *)(uintptr_t)parts->input) : json_object());
    json_put(v, "parents", parts->parents ? json_incref((json_t *)(uintptr_t)parts->parents) : json_array());
    json_put_str(v, "project", parts->project);
    json_put(v, "operator_rules", parts->operator_rules ? json_incref((json_t *)(uintptr_t)parts->operator_rules) : json_array());
    json_hash(v, out);
}

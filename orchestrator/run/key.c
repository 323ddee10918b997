#include "run/key.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

void key_of_content(const json_t *handoff, char out[HASH_TEXT])
{
    static const char *const IDENTITY[] = {"id", "parent", "run", "stage", "attempt", "created"};
    AUTO_JSON json_t *content = json_copy((json_t *)(uintptr_t)handoff); // shallow, the original is not changed
    for (size_t i = 0; i < ARRAY_LEN(IDENTITY); i++)
        json_object_del(content, IDENTITY[i]);
    json_hash(content, out);
}

void key_of_parent(const char *content, const char *stage_key, char out[HASH_TEXT])
{
    AUTO_FREE char *both = str_printf("%s %s", content, stage_key ? stage_key : "");
    hash_bytes(both, strlen(both), out);
}

void key_of_stage(const struct key_parts *parts, char out[HASH_TEXT])
{
    AUTO_JSON json_t *v = json_object();
    json_put_int(v, "format", 2); // raise it when the meaning of a part changes
    json_put_str(v, "agent", parts->agent_hash);
    json_put_str(v, "worker", parts->worker);
    json_put_str(v, "mode", parts->mode);
    json_put_str(v, "task", parts->task);
    json_put(v, "input", parts->input ? json_incref((json_t *)(uintptr_t)parts->input) : json_object());
    json_put(v, "parents", parts->parents ? json_incref((json_t *)(uintptr_t)parts->parents) : json_array());
    json_put_str(v, "project", parts->project);
    json_put(v, "operator_rules",
             parts->operator_rules ? json_incref((json_t *)(uintptr_t)parts->operator_rules) : json_array());
    json_hash(v, out);
}

#include "engine/request.h"

// Strings of an array as a NULL-terminated list.
static void read_words(const json_t *array, const char *list[REQUEST_WORDS_MAX + 1])
{
    size_t i, n = 0;
    json_t *item;
    json_array_foreach (array, i, item)
        if (n < REQUEST_WORDS_MAX && json_is_string(item))
            list[n++] = json_string_value(item);
    list[n] = NULL;
}

int request_read(const json_t *json, struct request_words *words, struct engine_request *ret, struct err *err)
{
    const char *workflow = NULL, *project = NULL;
    int r = json_need_str(json, "workflow", "the request", &workflow, err);
    if (r == 0)
        r = json_need_str(json, "project", "the request", &project, err);
    if (r == 0 && project[0] != '/')
        r = err_set(err, ERR_INVALID, "'project' must be an absolute path");
    if (r < 0)
        return r;
    read_words(json_list(json, "agents"), words->agents);
    read_words(json_list(json, "allow"), words->allow);
    read_words(json_list(json, "notify"), words->notify);
    *ret = (struct engine_request){.workflow = workflow,
                                   .project = project,
                                   .params = json_obj(json, "params"),
                                   .params_from_text = json_flag(json, "params_from_text", false),
                                   .agent_dirs = words->agents,
                                   .operator_rules = words->allow,
                                   .key = json_str(json, "key", NULL),
                                   .caller = json_str(json, "caller", NULL),
                                   .wall_ms = json_int(json, "wall_ms", 0),
                                   .limits = json_obj(json, "limits"),
                                   .notify = words->notify};
    return 0;
}

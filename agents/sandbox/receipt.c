#include "receipt.h"

#include "plan.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <sys/stat.h>

static json_t *texts_json(const char *const *list)
{
    json_t *out = json_array();
    for (; list && *list; list++)
        json_array_append_new(out, json_text_new(*list, strlen(*list)));
    return out;
}

static json_t *env_json(const char *const *env)
{
    json_t *out = json_object();
    for (; env && *env; env++) {
        size_t n = strcspn(*env, "=");
        AUTO_FREE char *name = str_ndup(*env, n);
        if ((*env)[n] == '=' && str_utf8_valid(name, n))
            json_put(out, name, json_text_new(*env + n + 1, strlen(*env + n + 1)));
    }
    return out;
}

json_t *receipt_new(const struct exec_call *call, const char *cwd, const struct decision *decision)
{
    char started[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), started);
    json_t *receipt = json_object();
    json_put(receipt, "argv", texts_json(call->argv));
    json_put_str(receipt, "cwd", cwd);
    json_put(receipt, "env", env_json(call->env));
    json_put(receipt, "exit", json_null());
    json_put_int(receipt, "signal", 0);
    json_put_flag(receipt, "timed_out", false);
    json_put_str(receipt, "started", started);
    json_put(receipt, "decision", decision_to_json_new(decision));
    if (call->by) {
        json_t *also = json_array();
        for (size_t i = 0; call->also && call->also[i]; i++)
            json_array_append_new(also, texts_json(call->also[i]));
        json_put_str(receipt, "by", call->by);
        json_put(receipt, "also", also);
    }
    return receipt;
}

json_t *receipt_file_new(const char *tool, const char *root, const struct decision *decision)
{
    char started[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), started);
    json_t *receipt = json_object();
    json_put_str(receipt, "tool", tool);
    json_put(receipt, "root", json_text_new(root, strlen(root)));
    json_put_str(receipt, "started", started);
    json_put(receipt, "decision", decision_to_json_new(decision));
    return receipt;
}

void receipt_put_stream(json_t *receipt, const char *name, const char *hash, uint64_t bytes)
{
    json_t *stream = json_object();
    json_put_str(stream, "hash", hash);
    json_put_int(stream, "bytes", (int64_t)bytes);
    json_put(receipt, name, stream);
}

void receipt_put_file(json_t *receipt, const char *name, const char *path)
{
    char hash[HASH_TEXT];
    struct stat st;
    if (file_hash(path, hash, NULL) == 0 && stat(path, &st) == 0)
        receipt_put_stream(receipt, name, hash, (uint64_t)st.st_size);
}

void receipt_put_result(json_t *receipt, const struct exec_result *r)
{
    json_put(receipt, "exit", r->exit_code < 0 ? json_null() : json_integer(r->exit_code));
    json_put_int(receipt, "signal", r->signal);
    json_put_flag(receipt, "timed_out", r->timed_out);
    json_put_int(receipt, "wall_ns", r->wall_ns);
    json_put_int(receipt, "user_ns", r->user_ns);
    json_put_int(receipt, "sys_ns", r->sys_ns);
    json_put_int(receipt, "max_rss_kb", r->max_rss_kb);
}

void receipt_put_box(json_t *receipt, const char *profile, enum box_net net, const struct exec_report *report)
{
    static const struct {
        enum exec_layer bit;
        const char *name;
    } NAMES[] = {{EXEC_LAYER_PROCESSES, "processes"}, {EXEC_LAYER_FILES, "files"}, {EXEC_LAYER_NETWORK, "network"},
                 {EXEC_LAYER_LANDLOCK, "landlock"},   {EXEC_LAYER_CALLS, "calls"}, {EXEC_LAYER_USER, "user"},
                 {EXEC_LAYER_COUNT, "group"}};
    json_t *box = json_object(), *layers = json_array();
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (report->layers & (int)NAMES[i].bit)
            json_add_str(layers, NAMES[i].name);
    json_put_str(box, "profile", profile);
    json_put(box, "layers", layers);
    json_put_str(box, "network", box_net_name(net));
    json_put(receipt, "box", box);
}

#include "run/key.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/write.h"

#include <string.h>

void key_of_content(const json_t *handoff, char out[HASH_TEXT])
{
    static const char *const IDENTITY[] = {"id", "parent", "run", "stage", "attempt", "depth", "created", NULL};
    AUTO_BUF struct buf b = BUF_INIT;
    json_write_without(&b, handoff, IDENTITY);
    hash_bytes(buf_str(&b), b.len, out);
}

void key_of_parent(const char *content, const char *stage_key, char out[HASH_TEXT])
{
    AUTO_FREE char *both = str_printf("%s %s", content, stage_key ? stage_key : "");
    hash_bytes(both, strlen(both), out);
}

static void put_value(struct buf *b, const json_t *v, const char *absent)
{
    if (v)
        json_write(b, v, true);
    else
        buf_str_add(b, absent);
}

// The canonical text of one object: its keys stand in order.
void key_of_stage(const struct key_parts *parts, char out[HASH_TEXT])
{
    AUTO_BUF struct buf b = BUF_INIT;
    buf_str_add(&b, "{\"agent\":");
    json_write_str(&b, parts->agent_hash);
    if (json_array_size(parts->bounds)) {
        buf_str_add(&b, ",\"bounds\":");
        put_value(&b, parts->bounds, "[]");
    }
    buf_str_add(&b, ",\"format\":2,\"input\":"); // raise it when the meaning of a part changes
    put_value(&b, parts->input, "{}");
    buf_str_add(&b, ",\"mode\":");
    json_write_str(&b, parts->mode);
    buf_str_add(&b, ",\"operator_rules\":");
    put_value(&b, parts->operator_rules, "[]");
    buf_str_add(&b, ",\"parents\":");
    put_value(&b, parts->parents, "[]");
    if (parts->profiles && *parts->profiles) {
        buf_str_add(&b, ",\"profiles\":");
        json_write_str(&b, parts->profiles);
    }
    buf_str_add(&b, ",\"project\":");
    json_write_str(&b, parts->project);
    buf_str_add(&b, ",\"task\":");
    json_write_str(&b, parts->task);
    buf_str_add(&b, ",\"worker\":");
    json_write_str(&b, parts->worker);
    buf_char(&b, '}');
    hash_bytes(buf_str(&b), b.len, out);
}

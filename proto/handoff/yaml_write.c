// Era B: block style, so that people and line-based readers cope; every string that is not a plain word is quoted or,
// when it has several lines, a literal block.
#include "handoff/handoff_md.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_id.h"
#include "handoff/text.h"
#include "json/json.h"

#include <string.h>

#define DEPTH_MAX 40

static void indent(struct buf *b, int depth)
{
    buf_printf(b, "%*s", 2 * depth, "");
}

// A literal block keeps its text exactly when no line has what YAML would treat specially.
static bool fits_literal(const char *s)
{
    if (!strchr(s, '\n') || strchr(" \t\n", *s) || str_ends(s, "\n"))
        return false;
    for (const unsigned char *p = (const unsigned char *)s; *p; p++)
        if ((*p < 0x20 && *p != '\n') || *p >= 0x7F)
            return false; // also everything beyond ASCII: some of it ends lines in YAML
    return true;
}

static void add_string(struct buf *b, const char *s, int depth)
{
    if (text_yaml_plain_safe(s)) {
        buf_str_add(b, s);
    } else if (!fits_literal(s)) {
        text_yaml_quoted(b, s);
    } else {
        buf_str_add(b, "|-");
        for (const char *p = s; p;) {
            size_t n = strcspn(p, "\n");
            buf_char(b, '\n');
            if (n > 0)
                indent(b, depth);
            buf_add(b, p, n);
            p = p[n] ? p + n + 1 : NULL;
        }
    }
}

static void add_key(struct buf *b, const char *key)
{
    if (text_yaml_plain_safe(key))
        buf_str_add(b, key);
    else
        text_yaml_quoted(b, key);
    buf_char(b, ':');
}

static bool is_block(const json_t *v)
{
    return json_array_size(v) > 0 || json_object_size(v) > 0;
}

static void add_map(struct buf *b, const json_t *v, int depth, bool behind_dash);

// The value behind "key:" or "-", with its newline. `depth` is where the lines of a block go.
static void add_value(struct buf *b, const json_t *v, int depth)
{
    if (json_is_string(v)) {
        buf_char(b, ' ');
        add_string(b, json_string_value(v), depth);
        buf_char(b, '\n');
        return;
    }
    if (!is_block(v) || depth > DEPTH_MAX) {
        AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
        buf_printf(b, " %s\n", text ? text : "null");
        return;
    }
    buf_char(b, '\n');
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        indent(b, depth);
        buf_char(b, '-');
        if (json_object_size(item) > 0 && depth < DEPTH_MAX)
            add_map(b, item, depth + 1, true);
        else
            add_value(b, item, depth + 1);
    }
    if (json_is_object(v))
        add_map(b, v, depth, false);
}

// The first key may stand on the line of its list's dash.
static void add_map(struct buf *b, const json_t *v, int depth, bool behind_dash)
{
    void *it = json_object_iter((json_t *)(uintptr_t)v);
    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)v, it), behind_dash = false) {
        if (behind_dash)
            buf_char(b, ' ');
        else
            indent(b, depth);
        add_key(b, json_object_iter_key(it));
        add_value(b, json_object_iter_value(it), depth + 1);
    }
}

static void add_member(struct buf *b, const char *key, const json_t *v)
{
    add_key(b, key);
    if (v)
        add_value(b, v, 1);
    else
        buf_str_add(b, " null\n");
}

static void add_parents(struct buf *b, const json_t *parents)
{
    if (json_array_size(parents) > 1)
        add_member(b, "parent", parents);
    else
        add_member(b, "parent", json_array_get(parents, 0));
}

static json_t *context_new(const json_t *h)
{
    json_t *given = json_object_get(h, "context");
    if (json_is_object(given))
        return json_incref(given);
    json_t *context = json_object();
    const char *run = json_str(h, "run", NULL);
    if (json_is_string(given) || !run) {
        json_put_str(context, "task", json_is_string(given) ? json_string_value(given) : json_str(h, "summary", ""));
        return context;
    }
    AUTO_FREE char *task = str_printf("stage %lld of run %s", (long long)json_int(h, "stage", 0), run);
    json_put_str(context, "task", task);
    return context;
}

static json_t *output_new(const json_t *h)
{
    json_t *output = json_object();
    const json_t *given = json_obj(h, "output");
    if (!json_object_get(given, "summary"))
        json_put_str(output, "summary", json_str(h, "summary", ""));
    if (str_eq(json_str(h, "agent", NULL), "review") && json_str(h, "verdict", NULL) &&
        !json_object_get(given, "review_status"))
        json_put_str(output, "review_status", json_str(h, "verdict", NULL));
    json_object_update(output, (json_t *)(uintptr_t)given);
    return output;
}

static json_t *next_new(const json_t *h)
{
    json_t *next = json_object();
    json_put_str(next, "agent", json_str(h, "next_agent", NULL));
    json_put_str(next, "task", json_str(h, "next_task", ""));
    json_put_str(next, "priority", json_str(h, "priority", "medium"));
    json_t *acceptance = json_list(h, "acceptance");
    if (json_array_size(acceptance) > 0)
        json_put(next, "acceptance_criteria", json_incref(acceptance));
    return next;
}

static void add_stamp(struct buf *b, const json_t *h)
{
    const char *id = json_str(h, "id", NULL), *given = json_str(h, "created", NULL);
    AUTO_FREE char *stamp = handoff_id_valid(id) ? str_ndup(id, HANDOFF_STAMP_LEN) : NULL;
    for (size_t i = 11; stamp && stamp[i]; i++)
        if (stamp[i] == '-')
            stamp[i] = ':';
    buf_str_add(b, "timestamp: ");
    text_yaml_quoted(b, json_str(h, "timestamp", stamp ? stamp : given ? given : ""));
    buf_char(b, '\n');
}

char *handoff_yaml_new(const json_t *handoff)
{
    static const char *const tail[] = {"summary", "verdict", "run", "stage", "attempt", "sections", "blockers"};
    AUTO_BUF struct buf b = BUF_INIT;
    AUTO_JSON json_t *context = context_new(handoff), *output = output_new(handoff), *next = next_new(handoff);
    add_member(&b, "id", json_object_get(handoff, "id"));
    add_parents(&b, json_list(handoff, "parent"));
    add_member(&b, "agent", json_object_get(handoff, "agent"));
    add_stamp(&b, handoff);
    add_member(&b, "status", json_object_get(handoff, "status"));
    add_member(&b, "context", context);
    add_member(&b, "output", output);
    add_member(&b, "next", next);
    for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
        const json_t *v = json_object_get(handoff, tail[i]);
        if (v && !json_is_null(v) && (is_block(v) || !json_is_array(v)))
            add_member(&b, tail[i], v);
    }
    json_t *extra = json_obj(handoff, "extra");
    for (void *it = json_object_iter(extra); it; it = json_object_iter_next(extra, it))
        if (json_object_iter_key(it)[0] != '\0' && !str_eq(json_object_iter_key(it), "next"))
            add_member(&b, json_object_iter_key(it), json_object_iter_value(it));
    return buf_steal(&b);
}

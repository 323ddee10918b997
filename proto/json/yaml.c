// libyaml's events are turned into values by one recursive walk; depth and number of values are bounded, and an
// alias counts with everything it copies, so that a few lines cannot grow into gigabytes.
#include "json/yaml.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const struct yaml_options *options;
    const char *what;
    json_t *anchors; // name -> value, only finished ones
    struct buf path; // of the value that is being read
    size_t nodes;
    struct err *err;
};

static json_t *read_node(struct reader *r, yaml_event_t *event_consumed, int depth);

static int line_of(const struct reader *r, size_t mark_line)
{
    int first = r->options->first_line > 0 ? r->options->first_line : 1;
    return first + (int)mark_line;
}

static bool next_event(struct reader *r, yaml_event_t *ret)
{
    if (yaml_parser_parse(&r->parser, ret))
        return true;
    const yaml_parser_t *p = &r->parser;
    size_t line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;
    err_set(r->err, ERR_PARSE, "%s, line %d: %s%s%s", r->what, line_of(r, line),
            p->problem ? p->problem : "not readable as YAML", p->context ? ", " : "", p->context ? p->context : "");
    return false;
}

static bool count_node(struct reader *r, const yaml_event_t *at)
{
    if (++r->nodes <= YAML_NODES_MAX)
        return true;
    err_set(r->err, ERR_LIMIT, "%s, line %d: more than %d values", r->what, line_of(r, at->start_mark.line),
            YAML_NODES_MAX);
    return false;
}

static void note_line(struct reader *r, const yaml_event_t *at)
{
    if (r->options->lines)
        json_object_set_new(r->options->lines, buf_str(&r->path), json_integer(line_of(r, at->start_mark.line)));
}

static bool is_null_text(const char *s)
{
    return !*s || str_eq(s, "~") || str_eq(s, "null") || str_eq(s, "Null") || str_eq(s, "NULL");
}

static bool is_number_text(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    size_t digits = strspn(s, "0123456789");
    size_t after = 0;
    const char *rest = s + digits;
    if (*rest == '.') {
        after = strspn(rest + 1, "0123456789");
        rest += 1 + after;
    }
    if (digits + after == 0)
        return false;
    if (*rest == 'e' || *rest == 'E') {
        rest++;
        rest += *rest == '-' || *rest == '+';
        size_t exponent = strspn(rest, "0123456789");
        if (!exponent)
            return false;
        rest += exponent;
    }
    return !*rest;
}

static json_t *core_scalar(const char *s, size_t len)
{
    if (is_null_text(s))
        return json_null();
    if (str_eq(s, "true") || str_eq(s, "True") || str_eq(s, "TRUE"))
        return json_true();
    if (str_eq(s, "false") || str_eq(s, "False") || str_eq(s, "FALSE"))
        return json_false();
    int64_t integer;
    double number;
    const char *unsigned_part = *s == '+' ? s + 1 : s;
    const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
        return json_stringn(s, len); // "007" is an identifier far more often than a number
    if (is_number_text(s) && str_to_i64(unsigned_part, &integer))
        return json_integer(integer);
    if (is_number_text(s) && strpbrk(s, ".eE") && str_to_double(unsigned_part, &number))
        return json_real(number);
    return json_stringn(s, len);
}

static json_t *scalar(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    const char *tag = (const char *)event->data.scalar.tag;
    json_t *value = NULL;
    if (memchr(text, 0, len))
        value = NULL;
    else if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (tag && str_ends(tag, ":str")))
        value = json_stringn(text, len);
    else if (r->options->as_text)
        value = is_null_text(text) ? json_null() : json_stringn(text, len);
    else
        value = core_scalar(text, len);
    if (!value)
        err_set(r->err, ERR_PARSE, "%s, line %d: a text with bytes that are not allowed", r->what,
                line_of(r, event->start_mark.line));
    return value;
}

// Number of values in v; *ret_depth is raised to how deep they nest, counted from `depth`.
static size_t measure(json_t *v, int depth, int *ret_depth)
{
    size_t n = 1, i;
    const char *key;
    json_t *member;
    if (depth > *ret_depth)
        *ret_depth = depth;
    json_array_foreach(v, i, member) n += measure(member, depth + 1, ret_depth);
    json_object_foreach(v, key, member) n += measure(member, depth + 1, ret_depth);
    return n;
}

static json_t *alias(struct reader *r, const yaml_event_t *event, int depth)
{
    const char *name = (const char *)event->data.alias.anchor;
    json_t *value = json_object_get(r->anchors, name);
    int line = line_of(r, event->start_mark.line);
    if (!value) {
        err_set(r->err, ERR_PARSE, "%s, line %d: alias '*%s' without an anchor before it", r->what, line, name);
        return NULL;
    }
    int deepest = 0;
    r->nodes += measure(value, depth, &deepest);
    if (deepest > YAML_DEPTH_MAX) {
        err_set(r->err, ERR_LIMIT, "%s, line %d: nested deeper than %d", r->what, line, YAML_DEPTH_MAX);
        return NULL;
    }
    return count_node(r, event) ? json_deep_copy(value) : NULL;
}

static json_t *sequence(struct reader *r, int depth)
{
    json_t *list = json_array();
    size_t path_len = r->path.len;
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            break;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return list;
        }
        buf_printf(&r->path, "/%zu", json_array_size(list));
        note_line(r, &event);
        json_t *item = read_node(r, &event, depth);
        r->path.len = path_len;
        if (r->path.data)
            r->path.data[path_len] = 0;
        if (!item)
            break;
        json_array_append_new(list, item);
    }
    json_decref(list);
    return NULL;
}

static void note_duplicate(struct reader *r, const yaml_event_t *key, json_t *was)
{
    if (!r->options->duplicates || !was)
        return;
    json_t *first = r->options->lines ? json_object_get(r->options->lines, buf_str(&r->path)) : NULL;
    json_array_append_new(r->options->duplicates,
                          json_pack("{s:s, s:i, s:I, s:O}", "path", buf_str(&r->path), "line",
                                    line_of(r, key->start_mark.line), "first", json_integer_value(first), "was", was));
}

// Reads the value that belongs to the key in `event`, and puts it into the map.
static bool map_entry(struct reader *r, json_t *map, yaml_event_t *event, int depth)
{
    if (event->type != YAML_SCALAR_EVENT || memchr(event->data.scalar.value, 0, event->data.scalar.length)) {
        err_set(r->err, ERR_PARSE, "%s, line %d: a key that is not a plain text", r->what,
                line_of(r, event->start_mark.line));
        yaml_event_delete(event);
        return false;
    }
    char *key = str_ndup((const char *)event->data.scalar.value, event->data.scalar.length);
    size_t path_len = r->path.len;
    buf_printf(&r->path, "/%s", key);
    note_duplicate(r, event, json_object_get(map, key));
    note_line(r, event);
    yaml_event_delete(event);
    yaml_event_t value_event;
    json_t *value = next_event(r, &value_event) ? read_node(r, &value_event, depth) : NULL;
    bool ok = value && json_object_set_new(map, key, value) == 0;
    if (value && !ok)
        err_set(r->err, ERR_PARSE, "%s: key '%s' cannot be kept", r->what, key);
    r->path.len = path_len;
    r->path.data[path_len] = 0;
    mem_free(key);
    return ok;
}

static json_t *mapping(struct reader *r, int depth)
{
    json_t *map = json_object();
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            break;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return map;
        }
        if (!map_entry(r, map, &event, depth))
            break;
    }
    json_decref(map);
    return NULL;
}

static const char *anchor_of(const yaml_event_t *event)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static json_t *read_node(struct reader *r, yaml_event_t *event, int depth)
{
    json_t *value = NULL;
    char *anchor = str_dup(anchor_of(event));
    if (depth >= YAML_DEPTH_MAX)
        err_set(r->err, ERR_LIMIT, "%s, line %d: nested deeper than %d", r->what, line_of(r, event->start_mark.line),
                YAML_DEPTH_MAX);
    else if (!count_node(r, event))
        value = NULL;
    else if (event->type == YAML_SCALAR_EVENT)
        value = scalar(r, event);
    else if (event->type == YAML_ALIAS_EVENT)
        value = alias(r, event, depth);
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        value = sequence(r, depth + 1);
    else if (event->type == YAML_MAPPING_START_EVENT)
        value = mapping(r, depth + 1);
    else
        err_set(r->err, ERR_PARSE, "%s, line %d: a value was expected", r->what, line_of(r, event->start_mark.line));
    if (anchor && value)
        json_object_set(r->anchors, anchor, value);
    mem_free(anchor);
    yaml_event_delete(event);
    return value;
}

// Stream and document brackets around the one value.
static json_t *read_document(struct reader *r)
{
    json_t *value = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            break;
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            return value ? value : json_null();
        }
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT ||
            (type == YAML_DOCUMENT_START_EVENT && !value)) {
            yaml_event_delete(&event);
            continue;
        }
        if (value) {
            err_set(r->err, ERR_PARSE, "%s, line %d: a second document, one was expected", r->what,
                    line_of(r, event.start_mark.line));
            yaml_event_delete(&event);
            break;
        }
        value = read_node(r, &event, 0);
        if (!value)
            break;
    }
    json_decref(value);
    return NULL;
}

json_t *yaml_parse_new(const char *text, size_t len, const char *what, const struct yaml_options *options,
                       struct err *err)
{
    static const struct yaml_options defaults = {0};
    if (len > YAML_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "%s: %zu bytes of YAML, at most %zu are read", what, len, YAML_TEXT_MAX);
        return NULL;
    }
    struct reader r = {.options = options ? options : &defaults, .what = what, .err = err, .anchors = json_object()};
    json_t *value = NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        err_set(err, ERR_INTERNAL, "%s: no memory for the YAML parser", what);
    } else {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
        value = read_document(&r);
        yaml_parser_delete(&r.parser);
    }
    json_decref(r.anchors);
    buf_free(&r.path);
    return value;
}

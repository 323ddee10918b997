// Values by a pattern. Patterns are literals of ours: a wrong one is a mistake in the program.
#include "json/tree.h"

#include <stdarg.h>
#include <string.h>

struct pattern {
    const char *at;
    va_list args;
    bool bad;
};

static char next(struct pattern *p)
{
    p->at += strspn(p->at, " ,:\t\n");
    char c = *p->at;
    p->at += c != '\0';
    return c;
}

static json_t *value_new(struct pattern *p, char kind);

static json_t *object_new(struct pattern *p)
{
    json_t *object = json_object();
    for (char c = next(p); c != '}' && !p->bad; c = next(p)) {
        const char *key = c == 's' ? va_arg(p->args, const char *) : NULL;
        p->bad = !key;
        json_t *v = key ? value_new(p, next(p)) : NULL;
        p->bad = json_object_set_new(object, key, v) < 0 || p->bad;
    }
    return object;
}

static json_t *array_new(struct pattern *p)
{
    json_t *array = json_array();
    for (char c = next(p); c != ']' && !p->bad; c = next(p))
        p->bad = json_array_append_new(array, value_new(p, c)) < 0 || p->bad;
    return array;
}

static json_t *value_new(struct pattern *p, char kind)
{
    switch (kind) {
    case '{':
        return object_new(p);
    case '[':
        return array_new(p);
    case 's':
        return json_string(va_arg(p->args, const char *));
    case 'i':
        return json_integer(va_arg(p->args, int));
    case 'I':
        return json_integer(va_arg(p->args, json_int_t));
    case 'f':
        return json_real(va_arg(p->args, double));
    case 'b':
        return json_boolean(va_arg(p->args, int));
    case 'n':
        return json_null();
    case 'o':
        return va_arg(p->args, json_t *);
    case 'O':
        return json_incref(va_arg(p->args, json_t *));
    default:
        p->bad = true;
        return NULL;
    }
}

json_t *json_pack(const char *pattern, ...)
{
    struct pattern p = {.at = pattern};
    va_start(p.args, pattern);
    json_t *v = value_new(&p, next(&p));
    p.bad = p.bad || next(&p) != '\0';
    va_end(p.args);
    if (!p.bad)
        return v;
    json_decref(v);
    return NULL;
}

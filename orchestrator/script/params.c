// The params of a workflow: defaults, types, choices. Works on the declaration as JSON, so that doors can check a
// request before a run exists.
#include "script/script.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static bool has_type(const json_t *v, const char *type)
{
    if (str_eq(type, "string"))
        return json_is_string(v);
    if (str_eq(type, "integer"))
        return json_is_integer(v);
    if (str_eq(type, "number"))
        return json_is_number(v);
    if (str_eq(type, "boolean"))
        return json_is_boolean(v);
    if (str_eq(type, "list"))
        return json_is_array(v);
    if (str_eq(type, "object"))
        return json_is_object(v);
    return true; // "any"
}

// A text from a command line as the declared type; NULL when it is none.
static json_t *from_text_new(const char *text, const char *type)
{
    int64_t i;
    double d;
    if (str_eq(type, "integer"))
        return str_to_i64(text, &i) ? json_integer(i) : NULL;
    if (str_eq(type, "number")) {
        if (str_to_i64(text, &i))
            return json_integer(i);
        return str_to_double(text, &d) ? json_real(d) : NULL;
    }
    if (str_eq(type, "boolean")) {
        if (str_eq(text, "true") || str_eq(text, "yes") || str_eq(text, "1"))
            return json_true();
        return str_eq(text, "false") || str_eq(text, "no") || str_eq(text, "0") ? json_false() : NULL;
    }
    if (str_eq(type, "list") && text[0] != '[') { // a,b,c
        json_t *list = json_array();
        char **parts = str_split(text, ",", true, NULL);
        for (char **p = parts; *p; p++)
            json_add_str(list, str_trim(*p));
        str_list_free(parts);
        return list;
    }
    if (str_eq(type, "list") || str_eq(type, "object")) {
        json_t *v = json_parse_new(text, strlen(text), "param", NULL);
        if (v && has_type(v, type))
            return v;
        json_decref(v);
        return NULL;
    }
    return json_text_new(text, strlen(text));
}

static char *names_of(const json_t *object)
{
    struct buf b = BUF_MAX(512);
    json_t *own = json_incref((json_t *)(uintptr_t)object);
    const char *key;
    json_t *v;
    json_object_foreach(own, key, v) buf_printf(&b, "%s%s", b.len ? ", " : "", key);
    json_decref(own);
    return buf_steal(&b);
}

static int check_choice(const char *name, const json_t *rule, const json_t *v, struct err *err)
{
    const json_t *choices = json_list(rule, "one_of");
    if (!choices)
        return 0;
    size_t i;
    const json_t *choice;
    struct buf b = BUF_MAX(512);
    json_array_foreach(choices, i, choice)
    {
        if (json_equal(choice, v)) {
            buf_free(&b);
            return 0;
        }
        char *text = json_is_string(choice) ? str_dup(json_string_value(choice)) : json_compact(choice);
        buf_printf(&b, "%s%s", i ? ", " : "", text);
        mem_free(text);
    }
    char *given = json_compact(v);
    err_set(err, ERR_INVALID, "param '%s' is %.80s; expected one of: %s", name, given, buf_str(&b));
    mem_free(given);
    buf_free(&b);
    return -ERR_INVALID;
}

static int put_param(json_t *out, const char *name, const json_t *rule, json_t *given, bool from_text, struct err *err)
{
    if (!given || json_is_null(given)) {
        json_t *def = json_object_get(rule, "default");
        if (def)
            json_put(out, name, json_incref(def));
        else if (json_flag(rule, "required", false))
            return err_set(err, ERR_INVALID, "param '%s' is missing%s%s", name,
                           json_str(rule, "about", NULL) ? ": " : "", json_str(rule, "about", ""));
        return 0;
    }
    const char *type = json_str(rule, "type", "any");
    json_t *v = from_text && json_is_string(given) ? from_text_new(json_string_value(given), type) : json_incref(given);
    if (!v || !has_type(v, type)) {
        json_decref(v);
        AUTO_FREE char *text = json_compact(given);
        return err_set(err, ERR_INVALID, "param '%s' is %.80s; expected: %s", name, text, type);
    }
    int r = check_choice(name, rule, v, err);
    if (r < 0)
        json_decref(v);
    else
        json_put(out, name, v);
    return r;
}

json_t *script_params_new(const json_t *declaration, const json_t *given, bool from_text, struct err *err)
{
    json_t *rules = json_obj(declaration, "params"), *own = json_object();
    const char *key;
    json_t *v;
    if (given && !json_is_object(given) && !json_is_null(given)) {
        err_set(err, ERR_INVALID, "the params of a workflow are an object");
        json_decref(own);
        return NULL;
    }
    json_t *all = json_incref((json_t *)(uintptr_t)given);
    int r = 0;
    json_object_foreach(all, key, v)
    {
        if (json_object_get(rules, key))
            continue;
        AUTO_FREE char *names = names_of(rules);
        r = err_set(err, ERR_INVALID, "workflow '%s' has no param '%s'; it has: %s", json_str(declaration, "name", "?"),
                    key, *names ? names : "none");
        break;
    }
    if (r >= 0) {
        json_object_foreach(rules, key, v)
        {
            r = put_param(own, key, v, json_object_get(all, key), from_text, err);
            if (r < 0)
                break;
        }
    }
    json_decref(all);
    if (r >= 0)
        return own;
    json_decref(own);
    return NULL;
}

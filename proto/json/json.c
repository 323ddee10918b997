#include "json/json.h"

#include "json/read.h"
#include "json/write.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

json_t *json_parse_new(const char *text, size_t len, const char *what, struct err *err)
{
    if (len > JSON_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", what, JSON_TEXT_MAX);
        return NULL;
    }
    json_error_t e;
    json_t *v = json_read_plain_new(text, len);
    if (!v && !(v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e)))
        err_set(err, ERR_PARSE, "%s is not JSON: line %d, column %d: %s", what, e.line, e.column, e.text);
    return v;
}

json_t *json_read_file_new(const char *path, size_t max, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    if (file_read(path, max, &text, &len, err) < 0)
        return NULL;
    json_t *v = json_parse_new(text, len, path, err);
    mem_free(text);
    return v;
}

static char *dump(const json_t *v, size_t flags)
{
    char *s = json_dumps(v, flags | JSON_ENCODE_ANY);
    must(s != NULL);
    return s;
}

char *json_canonical(const json_t *v)
{
    struct buf b = BUF_INIT;
    json_write(&b, v, true);
    return buf_steal(&b);
}

void json_hash(const json_t *v, char out[65])
{
    struct buf b = BUF_INIT;
    json_write(&b, v, true);
    hash_bytes(buf_str(&b), b.len, out);
    buf_free(&b);
}

char *json_compact(const json_t *v)
{
    struct buf b = BUF_INIT;
    json_write(&b, v, false);
    return buf_steal(&b);
}

char *json_pretty(const json_t *v)
{
    char *s = dump(v, JSON_INDENT(2));
    char *out = str_printf("%s\n", s);
    mem_free(s);
    return out;
}

// Such characters stand only inside of strings: control characters below U+0020 are escaped by the writers.
static char *escape_rest(char *text_consumed)
{
    struct buf b = BUF_INIT;
    size_t left = strlen(text_consumed);
    for (const char *p = text_consumed; left > 0;) {
        const unsigned char *u = (const unsigned char *)p;
        size_t n = *p == '\n' ? 1 : str_utf8_shown(p, left);
        if (n > 0) {
            buf_add(&b, p, n);
        } else if (u[0] < 0x80) {
            n = 1;
            buf_printf(&b, "\\u%04X", u[0]);
        } else if (u[0] < 0xe0) {
            n = 2;
            buf_printf(&b, "\\u%04X", (unsigned)((u[0] & 0x1f) << 6 | (u[1] & 0x3f)));
        } else {
            n = 3;
            buf_printf(&b, "\\u%04X", (unsigned)((u[0] & 0x0f) << 12 | (u[1] & 0x3f) << 6 | (u[2] & 0x3f)));
        }
        p += n;
        left -= n;
    }
    mem_free(text_consumed);
    return buf_steal(&b);
}

char *json_shown(const json_t *v)
{
    return escape_rest(json_compact(v));
}

char *json_shown_pretty(const json_t *v)
{
    return escape_rest(json_pretty(v));
}

const char *json_str(const json_t *object, const char *key, const char *def)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : def;
}

int64_t json_int(const json_t *object, const char *key, int64_t def)
{
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : def;
}

double json_num(const json_t *object, const char *key, double def)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : def;
}

bool json_flag(const json_t *object, const char *key, bool def)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : def;
}

json_t *json_list(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    return json_is_array(v) ? v : NULL;
}

json_t *json_obj(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    return json_is_object(v) ? v : NULL;
}

int json_need_str(const json_t *object, const char *key, const char *what, const char **ret, struct err *err)
{
    const char *s = json_str(object, key, NULL);
    if (!s)
        return err_set(err, ERR_INVALID, "%s: '%s' must be a string", what, key);
    *ret = s;
    return 0;
}

void json_put(json_t *object, const char *key, json_t *value_consumed)
{
    size_t len = strlen(key);
    must(str_utf8_valid(key, len) && json_object_setn_new_nocheck(object, key, len, value_consumed) == 0);
}

void json_put_str(json_t *object, const char *key, const char *s)
{
    json_put(object, key, s ? json_text_new(s, strlen(s)) : json_null());
}

void json_put_int(json_t *object, const char *key, int64_t v)
{
    json_put(object, key, json_integer(v));
}

void json_put_num(json_t *object, const char *key, double v)
{
    json_put(object, key, isfinite(v) ? json_real(v) : json_null());
}

void json_put_flag(json_t *object, const char *key, bool v)
{
    json_put(object, key, json_boolean(v));
}

void json_add_str(json_t *array, const char *s)
{
    must(json_array_append_new(array, json_text_new(s, strlen(s))) == 0);
}

json_t *json_text_new(const char *s, size_t len)
{
    if (str_utf8_valid(s, len))
        return json_stringn_nocheck(s, len);
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < len;) {
        size_t n = 1;
        while (n <= 4 && i + n <= len && !str_utf8_valid(s + i, n))
            n++;
        if (n <= 4 && i + n <= len) {
            buf_add(&b, s + i, n);
            i += n;
        } else {
            buf_str_add(&b, "\xEF\xBF\xBD");
            i++;
        }
    }
    json_t *v = json_stringn(buf_str(&b), b.len);
    buf_free(&b);
    return v;
}

void json_auto_decref(json_t **v)
{
    json_decref(*v);
    *v = NULL;
}

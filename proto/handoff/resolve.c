#include "handoff/handoff.h"

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

bool handoff_is_reference(const json_t *value)
{
    const char *hash = json_is_object(value) ? json_str(value, "$artifact", NULL) : NULL;
    return hash && strlen(hash) == 64 && hash[strspn(hash, "0123456789abcdef")] == '\0';
}

static int load_value(const json_t *reference, const struct handoff_load *load, json_t **ret, struct err *err)
{
    const char *hash = json_str(reference, "$artifact", "");
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    int r = load->get(load->context, hash, &text, &len, err);
    if (r < 0)
        return err_wrap(err, "artifact '%s'", hash);
    char got[HASH_TEXT];
    hash_bytes(text, len, got);
    if (!str_eq(got, hash))
        return err_set(err, ERR_INVALID, "artifact '%s' has other contents than its name says", hash);
    json_t *v = json_parse_new(text, len, "artifact", err);
    if (!v)
        return err ? -(int)err->code : -ERR_PARSE;
    *ret = v;
    return 0;
}

int handoff_resolve_new(const json_t *value, const struct handoff_load *load, json_t **ret, struct err *err)
{
    AUTO_JSON json_t *out = NULL;
    int r = 0;
    if (!handoff_is_reference(value))
        out = json_copy((json_t *)(uintptr_t)value); // shallow: members are replaced, never changed
    else if ((r = load_value(value, load, &out, err)) < 0)
        return r;
    for (size_t i = 0; json_is_array(out) && i < json_array_size(out); i++) {
        json_t *v = NULL;
        if (!handoff_is_reference(json_array_get(out, i)))
            continue;
        if ((r = load_value(json_array_get(out, i), load, &v, err)) < 0)
            return r;
        json_array_set_new(out, i, v);
    }
    void *it = json_is_object(out) ? json_object_iter(out) : NULL;
    for (; it; it = json_object_iter_next(out, it)) {
        json_t *v = NULL;
        if (!handoff_is_reference(json_object_iter_value(it)))
            continue;
        if ((r = load_value(json_object_iter_value(it), load, &v, err)) < 0)
            return r;
        json_object_iter_set_new(out, it, v);
    }
    *ret = json_incref(out);
    return 0;
}

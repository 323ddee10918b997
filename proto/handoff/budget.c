// What goes first: values of output, largest first, because a worker reads them back without noticing; then texts,
// which only people read; then lists. Small values stay, so that scripts can look at them.
#include "handoff/budget.h"

#include "base/mem.h"
#include "base/str.h"
#include "handoff/text.h"
#include "json/write.h"

#include <string.h>

#define MOVES_MAX    64  // beyond it the whole output goes at once
#define WORTH_MOVING 256 // bytes; a reference needs about half of it
#define HEAD_ITEMS   3
#define HEAD_BYTES   400

size_t budget_size(const json_t *v)
{
    struct buf b = BUF_INIT;
    json_write(&b, v, false);
    size_t len = b.len;
    buf_free(&b);
    return len;
}

static bool fits(const json_t *handoff)
{
    return budget_size(handoff) <= HANDOFF_BYTES_MAX;
}

static json_t *head_new(const json_t *value)
{
    json_t *head = json_array();
    size_t used = 0;
    if (json_is_string(value)) {
        AUTO_FREE char *cut = text_cut_new(json_string_value(value), 200);
        json_add_str(head, cut);
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value) && i < HEAD_ITEMS; i++) {
            json_t *item = json_array_get(value, i);
            used += budget_size(item) + 1;
            if (used > HEAD_BYTES)
                break;
            json_array_append(head, item);
        }
    } else {
        void *it = json_object_iter((json_t *)(uintptr_t)value);
        for (size_t i = 0; it && i < 2 * HEAD_ITEMS; i++, it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
            used += json_object_iter_key_len(it) + 3;
            if (used > HEAD_BYTES / 2)
                break;
            json_array_append_new(head, json_stringn(json_object_iter_key(it), json_object_iter_key_len(it)));
        }
    }
    return head;
}

static int store_text(const struct handoff_store *store, const char *text, size_t len, char hash[65], struct err *err)
{
    if (!store || !store->put)
        return err_set(err, ERR_LIMIT, "the handoff is larger than %zu bytes and there is no store for the rest",
                       HANDOFF_BYTES_MAX);
    int r = store->put(store->context, text, len, hash, err);
    return r < 0 ? err_wrap(err, "cannot move %zu bytes of the handoff out", len) : 0;
}

static int reference_new(const json_t *value, const struct handoff_store *store, json_t **ret, struct err *err)
{
    AUTO_FREE char *text = json_canonical(value);
    size_t len = strlen(text);
    char hash[65];
    int r = store_text(store, text, len, hash, err);
    if (r < 0)
        return r;
    size_t count = json_is_array(value)    ? json_array_size(value)
                   : json_is_object(value) ? json_object_size(value)
                                           : json_string_length(value);
    *ret = json_object();
    json_put_str(*ret, "$artifact", hash);
    json_put_int(*ret, "bytes", (int64_t)len);
    json_put_int(*ret, "count", (int64_t)count);
    json_put(*ret, "head", head_new(value));
    return 0;
}

static bool deeper_than(const json_t *v, int levels)
{
    if (!json_is_array(v) && !json_is_object(v))
        return false;
    if (levels == 0)
        return true;
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++)
        if (deeper_than(json_array_get(v, i), levels - 1))
            return true;
    void *it = json_is_object(v) ? json_object_iter((json_t *)(uintptr_t)v) : NULL;
    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)v, it))
        if (deeper_than(json_object_iter_value(it), levels - 1))
            return true;
    return false;
}

// The value of output to move next: any that is too deep, else the largest one worth it.
static json_t *pick_value(json_t *output, bool only_deep, const char **ret_key)
{
    json_t *best = NULL;
    size_t best_size = WORTH_MOVING;
    for (void *it = json_object_iter(output); it; it = json_object_iter_next(output, it)) {
        json_t *v = json_object_iter_value(it);
        if (handoff_is_reference(v))
            continue;
        bool deep = deeper_than(v, HANDOFF_OUTPUT_DEPTH);
        size_t size = deep ? SIZE_MAX : only_deep ? 0 : budget_size(v);
        if (size > best_size) {
            best = v;
            best_size = size;
            *ret_key = json_object_iter_key(it);
        }
    }
    return best;
}

static int move_values(json_t *handoff, const struct handoff_store *store, bool only_deep, struct err *err)
{
    json_t *output = json_obj(handoff, "output");
    for (unsigned moves = 0; moves < MOVES_MAX && (only_deep || !fits(handoff)); moves++) {
        const char *key = NULL;
        json_t *ref = NULL, *value = pick_value(output, only_deep, &key);
        if (!value)
            break;
        int r = reference_new(value, store, &ref, err);
        if (r < 0)
            return r;
        must(json_object_set_new(output, key, ref) == 0);
    }
    return 0;
}

static void drop_heads(json_t *handoff)
{
    json_t *output = json_obj(handoff, "output");
    for (void *it = json_object_iter(output); it; it = json_object_iter_next(output, it)) {
        if (!handoff_is_reference(json_object_iter_value(it)))
            continue;
        json_t *headless = json_copy(json_object_iter_value(it));
        json_put(headless, "head", json_array());
        json_object_iter_set_new(output, it, headless);
    }
}

// Cuts a text member to `keep` bytes with a pointer to the whole text.
static int cut_text(json_t *object, const char *key, size_t keep, const struct handoff_store *store, struct err *err)
{
    const char *text = json_str(object, key, NULL);
    char hash[65];
    if (!text || strlen(text) <= keep + 160)
        return 0;
    int r = store_text(store, text, strlen(text), hash, err);
    if (r < 0)
        return r;
    AUTO_FREE char *cut = text_cut_new(text, keep);
    AUTO_FREE char *whole = str_printf("%s\n\n(all %zu bytes: artifact `%s`)", cut, strlen(text), hash);
    json_put_str(object, key, whole);
    return 0;
}

static int cut_sections(json_t *handoff, size_t keep, const struct handoff_store *store, struct err *err)
{
    json_t *sections = json_list(handoff, "sections");
    for (size_t done = 0; done < json_array_size(sections) && !fits(handoff); done++) {
        json_t *largest = NULL;
        size_t size = keep + 160;
        for (size_t i = 0; i < json_array_size(sections); i++) {
            json_t *section = json_array_get(sections, i);
            if (strlen(json_str(section, "text", "")) > size) {
                largest = section;
                size = strlen(json_str(section, "text", ""));
            }
        }
        int r = largest ? cut_text(largest, "text", keep, store, err) : 0;
        if (r < 0 || !largest)
            return r;
    }
    return 0;
}

// Keeps the first entries of a list and moves the whole list out.
static int cut_list(json_t *handoff, const char *key, size_t keep_bytes, const struct handoff_store *store,
                    bool artifacts, struct err *err)
{
    json_t *list = json_list(handoff, key);
    if (budget_size(list) <= keep_bytes + WORTH_MOVING)
        return 0;
    AUTO_FREE char *text = json_canonical(list);
    char hash[65];
    int r = store_text(store, text, strlen(text), hash, err);
    if (r < 0)
        return r;
    size_t used = 0, n = 0;
    while (n < json_array_size(list) && (used += budget_size(json_array_get(list, n)) + 1) <= keep_bytes)
        n++;
    size_t all = json_array_size(list);
    while (json_array_size(list) > n)
        json_array_remove(list, json_array_size(list) - 1);
    if (artifacts) {
        json_t *entry = json_object();
        json_put_str(entry, "name", "artifacts.json");
        json_put_str(entry, "media", "application/json");
        json_put_str(entry, "hash", hash);
        json_put_int(entry, "bytes", (int64_t)strlen(text));
        json_array_append_new(list, entry);
    } else {
        AUTO_FREE char *note = str_printf("(all %zu: artifact `%s`)", all, hash);
        json_add_str(list, note);
    }
    return 0;
}

static int merge_sections(json_t *handoff, const struct handoff_store *store, struct err *err)
{
    AUTO_FREE char *text = json_canonical(json_list(handoff, "sections"));
    char hash[65];
    int r = store_text(store, text, strlen(text), hash, err);
    if (r < 0)
        return r;
    AUTO_FREE char *note = str_printf("%zu sections, %zu bytes: artifact `%s`",
                                      json_array_size(json_list(handoff, "sections")), strlen(text), hash);
    json_t *section = json_object(), *list = json_array();
    json_put_str(section, "label", "Sections");
    json_put_str(section, "text", note);
    json_array_append_new(list, section);
    json_put(handoff, "sections", list);
    return 0;
}

static int fit_rest(json_t *handoff, const struct handoff_store *store, struct err *err)
{
    int r = 0;
    if (!fits(handoff))
        drop_heads(handoff);
    if (!fits(handoff))
        r = cut_text(handoff, "blockers", 1200, store, err);
    if (r >= 0 && !fits(handoff))
        r = cut_list(handoff, "acceptance", 800, store, false, err);
    if (r >= 0 && !fits(handoff))
        r = cut_list(handoff, "artifacts", 1600, store, true, err);
    if (r >= 0 && !fits(handoff)) {
        json_t *ref = NULL;
        r = reference_new(json_obj(handoff, "output"), store, &ref, err);
        if (r >= 0)
            json_put(handoff, "output", ref);
    }
    if (r >= 0 && !fits(handoff))
        r = merge_sections(handoff, store, err);
    return r;
}

int budget_fit(json_t *handoff, const struct handoff_store *store, struct err *err)
{
    int r = move_values(handoff, store, true, err);
    if (r >= 0 && fits(handoff)) // nearly always
        return 0;
    if (r >= 0)
        r = move_values(handoff, store, false, err);
    static const size_t keeps[] = {600, 240, 80};
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(keeps); i++)
        r = cut_sections(handoff, keeps[i], store, err);
    if (r >= 0)
        r = fit_rest(handoff, store, err);
    if (r < 0)
        return r;
    return fits(handoff)
               ? 0
               : err_set(err, ERR_LIMIT,
                         "the handoff needs %zu bytes after everything movable was moved; expected at most %zu",
                         budget_size(handoff), HANDOFF_BYTES_MAX);
}

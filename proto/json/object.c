// Objects. Members lie in a row in the order of their coming; a member that was deleted leaves a hole until there are
// many. The texts of the keys lie in chunks that never move. From INDEX_FROM members on, an index of places finds them:
// open addressing, seeded with the object's address, so that nobody outside can choose keys that collide.
#include "json/inside.h"

#include "base/mem.h"
#include "base/small.h"

#include <string.h>

enum { INDEX_FROM = 9, CHUNK_FIRST = 112, CHUNK_MOST = 16384, LOST_PER_MEMBER = 64 };

struct member {
    const char *key;
    json_t *value; // NULL: a hole
    uint32_t len, hash;
};

struct keys {
    struct keys *before;
    uint32_t used, cap;
    char text[];
};

struct object {
    json_t base;
    uint32_t live, used, cap; // members; with the holes; room
    uint32_t places, lost;    // of the index, a power of two, or 0; bytes of keys that nobody has any more
    struct member *members;
    struct keys *keys;
    uint32_t *index; // place -> number of the member + 1, 0: free
};

static struct object *object_of(const json_t *v)
{
    return json_is_object(v) ? (struct object *)(uintptr_t)v : NULL;
}

json_t *json_object(void)
{
    struct object *o = small_get(sizeof(*o));
    *o = (struct object){.base = {JSON_OBJECT, 1}};
    return &o->base;
}

size_t json_object_size(const json_t *object)
{
    const struct object *o = object_of(object);
    return o ? o->live : 0;
}

// --- keys ---

static char *key_room(struct object *o, size_t len)
{
    struct keys *k = o->keys;
    if (!k || k->cap - k->used < len + 1) {
        size_t cap = k ? 2 * (size_t)k->cap : CHUNK_FIRST;
        cap = cap > CHUNK_MOST ? CHUNK_MOST : cap;
        cap = cap < len + 1 ? len + 1 : cap;
        k = small_get(sizeof(*k) + cap);
        *k = (struct keys){.before = o->keys, .cap = (uint32_t)cap};
        o->keys = k;
    }
    char *room = k->text + k->used;
    k->used += (uint32_t)len + 1;
    return room;
}

static const char *keep_key(struct object *o, const char *key, size_t len)
{
    char *room = key_room(o, len);
    memcpy(room, key, len);
    room[len] = '\0';
    return room;
}

static void keys_free(struct keys *k)
{
    while (k) {
        struct keys *before = k->before;
        small_put(k, sizeof(*k) + k->cap);
        k = before;
    }
}

// --- finding ---

static uint32_t hash_of(const struct object *o, const char *key, size_t len)
{
    uint64_t h = (uint64_t)(uintptr_t)o * UINT64_C(0x9E3779B97F4A7C15) ^ len;
    for (; len >= 8; key += 8, len -= 8) {
        uint64_t eight;
        memcpy(&eight, key, 8);
        h = (h ^ eight) * UINT64_C(0xD6E8FEB86659FD93);
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, key, len);
    h = (h ^ rest) * UINT64_C(0xD6E8FEB86659FD93);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(h >> 32);
}

static bool is_key(const struct member *m, const char *key, size_t len)
{
    return m->value && m->len == len &&
           (len == 0 || (m->key[len - 1] == key[len - 1] && memcmp(m->key, key, len) == 0));
}

static struct member *find_by_index(const struct object *o, const char *key, size_t len)
{
    uint32_t hash = hash_of(o, key, len);
    for (uint32_t at = hash & (o->places - 1); o->index[at]; at = (at + 1) & (o->places - 1)) {
        struct member *m = &o->members[o->index[at] - 1];
        if (m->hash == hash && is_key(m, key, len))
            return m;
    }
    return NULL;
}

static struct member *find(const struct object *o, const char *key, size_t len)
{
    if (!o)
        return NULL;
    if (o->places)
        return find_by_index(o, key, len);
    for (uint32_t i = 0; i < o->used; i++)
        if (is_key(&o->members[i], key, len))
            return &o->members[i];
    return NULL;
}

static void put_in_index(struct object *o, uint32_t number)
{
    uint32_t at = o->members[number].hash & (o->places - 1);
    while (o->index[at])
        at = (at + 1) & (o->places - 1);
    o->index[at] = number + 1;
}

static void make_index(struct object *o)
{
    bool first = !o->places;
    small_put(o->index, o->places * sizeof(*o->index));
    uint32_t places = 32;
    while (places < 2 * (uint64_t)o->cap)
        places *= 2;
    o->index = small_get(places * sizeof(*o->index));
    memset(o->index, 0, places * sizeof(*o->index));
    o->places = places;
    for (uint32_t i = 0; i < o->used; i++) {
        struct member *m = &o->members[i];
        if (first && m->value)
            m->hash = hash_of(o, m->key, m->len);
        if (m->value)
            put_in_index(o, i);
    }
}

json_t *json_object_getn(const json_t *object, const char *key, size_t len)
{
    const struct member *m = key ? find(object_of(object), key, len) : NULL;
    return m ? m->value : NULL;
}

json_t *json_object_get(const json_t *object, const char *key)
{
    return key && object ? json_object_getn(object, key, strlen(key)) : NULL;
}

// --- changing ---

// Without the holes, and with the texts of the keys that are still there.
static void close_holes(struct object *o)
{
    struct keys *old = o->keys;
    uint32_t used = 0;
    o->keys = NULL;
    for (uint32_t i = 0; i < o->used; i++) {
        struct member m = o->members[i];
        if (!m.value)
            continue;
        m.key = keep_key(o, m.key, m.len);
        o->members[used++] = m;
    }
    o->used = used;
    o->lost = 0;
    keys_free(old);
    if (o->places)
        make_index(o);
}

static void member_room(struct object *o)
{
    if (o->used < o->cap)
        return;
    if (o->used - o->live > o->used / 2) {
        close_holes(o);
        return;
    }
    uint32_t cap = o->cap ? 2 * o->cap : 5; // of 24 bytes each
    o->members = small_resize(o->members, o->cap * sizeof(*o->members), cap * sizeof(*o->members));
    o->cap = cap;
    if (cap >= INDEX_FROM && o->places && o->places < 2 * (uint64_t)cap)
        make_index(o);
}

int json_object_setn_new_nocheck(json_t *object, const char *key, size_t len, json_t *v)
{
    struct object *o = object_of(object);
    if (!o || !key || !v || v == object || len > UINT32_MAX / 4 || o->used > UINT32_MAX / 8) {
        json_decref(v);
        return -1;
    }
    struct member *m = find(o, key, len);
    if (m) {
        json_t *old = m->value;
        m->value = v;
        json_decref(old);
        return 0;
    }
    const char *kept = keep_key(o, key, len); // first: the text may lie in this object
    member_room(o);
    o->members[o->used] = (struct member){.key = kept, .value = v, .len = (uint32_t)len};
    o->live++;
    o->used++;
    if (o->places) {
        o->members[o->used - 1].hash = hash_of(o, kept, len);
        put_in_index(o, o->used - 1);
    } else if (o->used >= INDEX_FROM) {
        make_index(o);
    }
    return 0;
}

int json_object_setn_new(json_t *object, const char *key, size_t len, json_t *v)
{
    if (key && text_valid(key, len))
        return json_object_setn_new_nocheck(object, key, len, v);
    json_decref(v);
    return -1;
}

int json_object_set_new(json_t *object, const char *key, json_t *v)
{
    return json_object_setn_new(object, key, key ? strlen(key) : 0, v);
}

int json_object_set(json_t *object, const char *key, json_t *v)
{
    return json_object_set_new(object, key, json_incref(v));
}

int json_object_del(json_t *object, const char *key)
{
    struct object *o = object_of(object);
    struct member *m = key ? find(o, key, strlen(key)) : NULL;
    if (!m)
        return -1;
    json_t *old = m->value;
    m->value = NULL; // the index still leads here, which is no way to another member
    o->live--;
    o->lost += m->len + 1;
    if (m == &o->members[o->used - 1] && !o->places)
        o->used--;
    if (o->live == 0)
        json_object_clear(object);
    else if ((o->used - o->live > 8 && o->used - o->live > o->live) || o->lost > LOST_PER_MEMBER * (o->live + 4))
        close_holes(o);
    json_decref(old);
    return 0;
}

static void drop_members(struct object *o)
{
    for (uint32_t i = 0; i < o->used; i++)
        json_decref(o->members[i].value);
    small_put(o->members, o->cap * sizeof(*o->members));
    small_put(o->index, o->places * sizeof(*o->index));
    keys_free(o->keys);
}

int json_object_clear(json_t *object)
{
    struct object *o = object_of(object);
    if (!o)
        return -1;
    struct object old = *o;
    *o = (struct object){.base = o->base};
    drop_members(&old);
    return 0;
}

void object_delete(json_t *object)
{
    struct object *o = object_of(object);
    drop_members(o);
    small_put(o, sizeof(*o));
}

static int update(json_t *object, const json_t *other, bool replace)
{
    if (!json_is_object(object) || !json_is_object(other))
        return -1;
    for (void *it = object == other ? NULL : json_object_iter(other); it; it = json_object_iter_next(other, it)) {
        const struct member *m = it;
        if (replace || !find(object_of(object), m->key, m->len))
            json_object_setn_new_nocheck(object, m->key, m->len, json_incref(m->value));
    }
    return 0;
}

int json_object_update(json_t *object, const json_t *other)
{
    return update(object, other, true);
}

int json_object_update_missing(json_t *object, const json_t *other)
{
    return update(object, other, false);
}

// --- one after the other ---

static struct member *member_from(const struct object *o, uint32_t at)
{
    for (; o && at < o->used; at++)
        if (o->members[at].value)
            return &o->members[at];
    return NULL;
}

void *json_object_iter(const json_t *object)
{
    return member_from(object_of(object), 0);
}

void *json_object_iter_next(const json_t *object, void *iter)
{
    const struct object *o = object_of(object);
    return o && iter ? member_from(o, (uint32_t)((struct member *)iter - o->members) + 1) : NULL;
}

const char *json_object_iter_key(void *iter)
{
    return iter ? ((struct member *)iter)->key : NULL;
}

size_t json_object_iter_key_len(void *iter)
{
    return iter ? ((struct member *)iter)->len : 0;
}

json_t *json_object_iter_value(void *iter)
{
    return iter ? ((struct member *)iter)->value : NULL;
}

int json_object_iter_set_new(json_t *object, void *iter, json_t *v)
{
    struct member *m = iter;
    if (!object_of(object) || !m || !v) {
        json_decref(v);
        return -1;
    }
    json_t *old = m->value;
    m->value = v;
    json_decref(old);
    return 0;
}

void *json_object_walk(const json_t *object, void *iter, const char **ret_key, json_t **ret_value)
{
    struct member *m = iter ? json_object_iter_next(object, iter) : json_object_iter(object);
    if (m) {
        *ret_key = m->key;
        *ret_value = m->value;
    }
    return m;
}

// Open addressing over an array of entries; the bytes lie in large chunks that never move. A slot holds the upper
// half of the hash beside the number, so that a probe reads the entry only when it is almost surely the right one.
#include "profile/intern.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"

#include <string.h>

#define CHUNK_BYTES ((size_t)256 * 1024)
#define FIRST_SLOTS ((size_t)1024)

struct entry {
    const char *data;
    size_t len;
    uint64_t hash;
};

struct slot {
    uint32_t tag;       // upper half of the hash
    uint32_t id_plus_1; // 0: empty
};

struct intern {
    VEC(struct entry) entries;
    VEC(char *) chunks;
    char *chunk;
    size_t left; // in the current chunk
    size_t bytes;
    struct slot *slots;
    size_t mask;
};

__extension__ typedef unsigned __int128 wide;

static uint64_t read_word(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t intern_hash(const void *data, size_t len)
{
    static const uint64_t k0 = UINT64_C(0x9e3779b97f4a7c15), k1 = UINT64_C(0xd1b54a32d192ed03);
    const unsigned char *p = data;
    uint64_t h = k0 ^ len;
    size_t rest = len;
    for (; rest >= 16; rest -= 16, p += 16)
        h = fold(read_word(p) ^ h, read_word(p + 8) ^ k1);
    uint64_t tail[2] = {0, 0};
    if (rest)
        memcpy(tail, p, rest);
    h = fold(tail[0] ^ h, tail[1] ^ k1);
    return fold(h, k0);
}

struct intern *intern_new(void)
{
    struct intern *t = mem_alloc(sizeof(*t));
    t->slots = mem_array(FIRST_SLOTS, sizeof(*t->slots));
    t->mask = FIRST_SLOTS - 1;
    return t;
}

struct intern *intern_free(struct intern *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->chunks.len; i++)
        mem_free(t->chunks.items[i]);
    vec_free(&t->chunks);
    vec_free(&t->entries);
    mem_free(t->slots);
    mem_free(t);
    return NULL;
}

static const char *store(struct intern *t, const void *data, size_t len)
{
    size_t need = (len + 1 + 7) & ~(size_t)7;
    if (need > t->left) {
        size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        t->chunk = mem_resize(NULL, size, 1);
        t->left = size;
        vec_push(&t->chunks, t->chunk);
    }
    char *at = t->chunk;
    if (len)
        memcpy(at, data, len);
    at[len] = '\0';
    t->chunk += need;
    t->left -= need;
    t->bytes += need;
    return at;
}

static void grow(struct intern *t)
{
    size_t count = (t->mask + 1) * 2;
    mem_free(t->slots);
    t->slots = mem_array(count, sizeof(*t->slots));
    t->mask = count - 1;
    for (size_t i = 0; i < t->entries.len; i++) {
        uint64_t hash = t->entries.items[i].hash;
        size_t at = (size_t)hash & t->mask;
        while (t->slots[at].id_plus_1)
            at = (at + 1) & t->mask;
        t->slots[at] = (struct slot){.tag = (uint32_t)(hash >> 32), .id_plus_1 = (uint32_t)i + 1};
    }
}

uint32_t intern_bytes(struct intern *t, const void *data, size_t len, bool *ret_new)
{
    uint64_t hash = intern_hash(data, len);
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t at = (size_t)hash & t->mask;
    if (ret_new)
        *ret_new = false;
    for (; t->slots[at].id_plus_1; at = (at + 1) & t->mask) {
        if (t->slots[at].tag != tag)
            continue;
        const struct entry *e = &t->entries.items[t->slots[at].id_plus_1 - 1];
        if (e->len == len && (len == 0 || memcmp(e->data, data, len) == 0))
            return t->slots[at].id_plus_1 - 1;
    }
    if (t->entries.len >= INTERN_COUNT_MAX || len > INTERN_BYTES_MAX - t->bytes)
        return INTERN_NONE;
    vec_push(&t->entries, (struct entry){.data = store(t, data, len), .len = len, .hash = hash});
    t->slots[at] = (struct slot){.tag = tag, .id_plus_1 = (uint32_t)t->entries.len};
    if (t->entries.len * 2 > t->mask)
        grow(t);
    if (ret_new)
        *ret_new = true;
    return (uint32_t)(t->entries.len - 1);
}

uint32_t intern_find(const struct intern *t, const void *data, size_t len)
{
    uint64_t hash = intern_hash(data, len);
    for (size_t at = (size_t)hash & t->mask; t->slots[at].id_plus_1; at = (at + 1) & t->mask) {
        const struct entry *e = &t->entries.items[t->slots[at].id_plus_1 - 1];
        if (t->slots[at].tag == (uint32_t)(hash >> 32) && e->len == len &&
            (len == 0 || memcmp(e->data, data, len) == 0))
            return t->slots[at].id_plus_1 - 1;
    }
    return INTERN_NONE;
}

uint32_t intern_text(struct intern *t, const char *text)
{
    return intern_bytes(t, text, strlen(text), NULL);
}

size_t intern_count(const struct intern *t)
{
    return t->entries.len;
}

const void *intern_data(const struct intern *t, uint32_t id)
{
    must(id < t->entries.len);
    return t->entries.items[id].data;
}

size_t intern_len(const struct intern *t, uint32_t id)
{
    must(id < t->entries.len);
    return t->entries.items[id].len;
}

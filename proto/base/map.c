// Open addressing with linear probing; at most half full. Removing moves the followers up, so that there are no graves.
#include "base/map.h"

#include "base/err.h"
#include "base/mem.h"

static size_t place_of(const struct map *map, uint64_t key)
{
    uint64_t h = key * UINT64_C(0x9E3779B97F4A7C15); // Fibonacci hashing: 2^64 / golden ratio
    return (size_t)(h >> 32) & (map->cap - 1);
}

static struct map_entry *find(const struct map *map, uint64_t key)
{
    size_t at = place_of(map, key);
    while (map->entries[at].key && map->entries[at].key != key)
        at = (at + 1) & (map->cap - 1);
    return &map->entries[at];
}

static void grow(struct map *map)
{
    struct map old = *map;
    map->cap = old.cap ? 2 * old.cap : 16;
    map->entries = mem_array(map->cap, sizeof(*map->entries));
    for (size_t i = 0; i < old.cap; i++)
        if (old.entries[i].key)
            *find(map, old.entries[i].key) = old.entries[i];
    mem_free(old.entries);
}

void map_put(struct map *map, uint64_t key, void *value)
{
    must(key != 0);
    if (2 * (map->len + 1) > map->cap)
        grow(map);
    struct map_entry *e = find(map, key);
    map->len += e->key == 0;
    *e = (struct map_entry){key, value};
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->len && key ? find(map, key)->value : NULL;
}

void *map_remove(struct map *map, uint64_t key)
{
    struct map_entry *e = map->len && key ? find(map, key) : NULL;
    if (!e || !e->key)
        return NULL;
    void *value = e->value;
    size_t mask = map->cap - 1, hole = (size_t)(e - map->entries);
    for (size_t at = (hole + 1) & mask; map->entries[at].key; at = (at + 1) & mask) {
        size_t home = place_of(map, map->entries[at].key);
        if (((at - home) & mask) < ((at - hole) & mask)) // its home lies behind the hole
            continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (struct map_entry){0};
    map->len--;
    return value;
}

void map_free(struct map *map)
{
    mem_free(map->entries);
    *map = (struct map){0};
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->cap) {
        const struct map_entry *e = &map->entries[(*at)++];
        if (e->key)
            return e->value;
    }
    return NULL;
}

// Hash table from numbers (not 0) to pointers. Use:
//     struct map jobs = {0};
//     map_put(&jobs, lease, job);   // replaces
//     struct job *j = map_get(&jobs, lease);
//     map_remove(&jobs, lease);
//     map_free(&jobs);              // frees the table, not what the pointers point to
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map_entry {
    uint64_t key; // 0: free
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t len, cap; // cap: 0 or a power of two
};

void map_put(struct map *map, uint64_t key, void *value);
void *map_get(const struct map *map, uint64_t key); // NULL: not there
void *map_remove(struct map *map, uint64_t key);    // what was there, or NULL
void map_free(struct map *map);
// Each value in no order; *at begins with 0. NULL at the end. The table must not change meanwhile.
void *map_next(const struct map *map, size_t *at);

// Growable typed array. Use:
//     VEC(struct rule) rules = {0};
//     vec_push(&rules, (struct rule){...});
//     for (size_t i = 0; i < rules.len; i++) use(&rules.items[i]);
//     vec_free(&rules);                      // frees the array, not what the items point to
#pragma once

#include "base/mem.h"

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        size_t len, cap;                                                                                               \
    }

#define vec_reserve(v, n)                                                                                              \
    do {                                                                                                               \
        if ((n) > (v)->cap) {                                                                                          \
            (v)->cap = (n) > 2 * (v)->cap ? (n) : 2 * (v)->cap;                                                        \
            (v)->items = mem_resize((v)->items, (v)->cap, sizeof(*(v)->items));                                        \
        }                                                                                                              \
    } while (0)

#define vec_push(v, ...)                                                                                               \
    do {                                                                                                               \
        vec_reserve((v), (v)->len + 1);                                                                                \
        (v)->items[(v)->len++] = (__VA_ARGS__);                                                                        \
    } while (0)

#define vec_free(v)                                                                                                    \
    do {                                                                                                               \
        mem_free((v)->items);                                                                                          \
        (v)->items = NULL;                                                                                             \
        (v)->len = (v)->cap = 0;                                                                                       \
    } while (0)

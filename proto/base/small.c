// Lists of free blocks per thread and size, in steps of SMALL_STEP bytes. A sanitizer must see each block come and go:
// under one there are no lists.
#include "base/small.h"

#include "base/err.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SMALL_STEP = 16, SMALL_MAX = 512, CLASSES = SMALL_MAX / SMALL_STEP, KEPT_BYTES = 256 * 1024 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

struct block {
    struct block *next;
};

struct kept {
    struct block *first;
    uint32_t count, most;
};

// A cache, not a state: with it or without it a program does the same.
static _Thread_local struct kept lists[CLASSES];
static _Thread_local bool known; // the thread's end gives them back
static pthread_key_t at_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_back(void *user)
{
    (void)user;
    for (size_t i = 0; i < CLASSES; i++) {
        lists[i].most = 0;
        for (struct block *b = lists[i].first, *next; b; b = next) {
            next = b->next;
            mem_free(b);
        }
        lists[i].first = NULL;
    }
}

static void make_key(void)
{
    must(pthread_key_create(&at_end, give_back) == 0);
}

static void know_thread(void)
{
    known = true;
    must(pthread_once(&once, make_key) == 0);
    must(pthread_setspecific(at_end, lists) == 0);
    for (size_t i = 0; i < CLASSES; i++)
        lists[i].most = (uint32_t)(KEPT_BYTES / ((i + 1) * SMALL_STEP));
}

static size_t class_of(size_t size)
{
    return size ? (size - 1) / SMALL_STEP : 0;
}

size_t small_room(size_t size)
{
    return KEEPS && size <= SMALL_MAX ? (class_of(size) + 1) * SMALL_STEP : size;
}

void *small_get(size_t size)
{
    struct kept *list = KEEPS && size <= SMALL_MAX ? &lists[class_of(size)] : NULL;
    if (!list || !list->first)
        return mem_resize(NULL, small_room(size), 1);
    struct block *b = list->first;
    list->first = b->next;
    list->count--;
    return b;
}

void small_put(void *p, size_t size)
{
    if (!p)
        return;
    if (!KEEPS || size > SMALL_MAX) {
        mem_free(p);
        return;
    }
    if (!known)
        know_thread();
    struct kept *list = &lists[class_of(size)];
    if (list->count >= list->most) {
        mem_free(p);
        return;
    }
    struct block *b = p;
    b->next = list->first;
    list->first = b;
    list->count++;
}

void *small_resize(void *p, size_t size, size_t new_size)
{
    if (size > SMALL_MAX && new_size > SMALL_MAX)
        return mem_resize(p, new_size, 1);
    if (p && small_room(size) == small_room(new_size))
        return p;
    void *q = small_get(new_size);
    if (p)
        memcpy(q, p, size < new_size ? size : new_size);
    small_put(p, size);
    return q;
}

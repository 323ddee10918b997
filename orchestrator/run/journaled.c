#include "run/journaled.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

// Tables from numbers: what has the same number hangs together, and is compared.
struct place {
    char key[HASH_TEXT];
    int occurrence, seq;
    bool called;
    struct place *next;
};

struct asked {
    struct journaled_call call;
    char *task;
    unsigned n;
    struct asked *next;
};

struct journaled {
    struct map places, asked;
    VEC(struct place *) all_places;
    VEC(struct asked *) all_asked;
};

static uint64_t number_of(const char *text, uint64_t n)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ n * UINT64_C(0x9E3779B97F4A7C15);
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h ? h : 1;
}

static struct place *find_place(const struct journaled *j, const char *key, int occurrence)
{
    struct place *p = map_get(&j->places, number_of(key, (uint64_t)occurrence));
    while (p && (p->occurrence != occurrence || !str_eq(p->key, key)))
        p = p->next;
    return p;
}

static struct place *need_place(struct journaled *j, const char *key, int occurrence)
{
    struct place *p = find_place(j, key, occurrence);
    if (p)
        return p;
    uint64_t number = number_of(key, (uint64_t)occurrence);
    p = mem_alloc(sizeof(*p));
    memcpy(p->key, key, strnlen(key, HASH_TEXT - 1));
    p->occurrence = occurrence;
    p->next = map_get(&j->places, number);
    map_put(&j->places, number, p);
    vec_push(&j->all_places, p);
    return p;
}

static void add_call(struct journaled *j, const char *task, int64_t n, struct place *place, bool in_stage)
{
    uint64_t number = number_of(task, (uint64_t)n);
    struct asked *a = mem_alloc(sizeof(*a));
    memcpy(a->call.key, place->key, HASH_TEXT);
    a->call.occurrence = place->occurrence;
    a->call.in_stage = in_stage;
    a->task = str_dup(task);
    a->n = (unsigned)n;
    a->next = map_get(&j->asked, number);
    map_put(&j->asked, number, a);
    vec_push(&j->all_asked, a);
    place->called = true;
}

// A key that is longer than a hash is none of ours, nobody asks for it.
static void add_stage(void *user, const struct store_place *row)
{
    struct journaled *j = user;
    if (strlen(row->key) >= HASH_TEXT)
        return;
    struct place *place = need_place(j, row->key, (int)row->occurrence);
    place->seq = row->seq;
    if (row->called)
        add_call(j, row->task, row->n, place, true);
}

int journaled_new(struct store *store, const char *run, struct journaled **ret, struct err *err)
{
    struct journaled *j = mem_alloc(sizeof(*j));
    AUTO_JSON json_t *calls = NULL;
    int r = store_stage_places(store, run, add_stage, j, err);
    if (r >= 0 && !(calls = store_call_of_stages_new(store, run, err)))
        r = -(int)err->code;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        const json_t *answer = json_obj(call, "answer");
        const char *key = json_str(answer, "key", "");
        if (strlen(key) == HASH_TEXT - 1)
            add_call(j, json_str(call, "task", ""), json_int(call, "n", 0),
                     need_place(j, key, (int)json_int(answer, "occurrence", 0)), false);
    }
    if (r < 0) {
        journaled_free(j);
        return r;
    }
    *ret = j;
    return 0;
}

struct journaled *journaled_free(struct journaled *j)
{
    if (!j)
        return NULL;
    for (size_t i = 0; i < j->all_places.len; i++)
        mem_free(j->all_places.items[i]);
    for (size_t i = 0; i < j->all_asked.len; i++) {
        mem_free(j->all_asked.items[i]->task);
        mem_free(j->all_asked.items[i]);
    }
    vec_free(&j->all_places);
    vec_free(&j->all_asked);
    map_free(&j->places);
    map_free(&j->asked);
    mem_free(j);
    return NULL;
}

int journaled_stage(const struct journaled *j, const char *key, int occurrence)
{
    const struct place *p = find_place(j, key, occurrence);
    return p ? p->seq : 0;
}

bool journaled_is_called(const struct journaled *j, const char *key, int occurrence)
{
    const struct place *p = find_place(j, key, occurrence);
    return p && p->called;
}

const struct journaled_call *journaled_call(const struct journaled *j, const char *task, unsigned n)
{
    const struct asked *a = map_get(&j->asked, number_of(task, n));
    while (a && (a->n != n || !str_eq(a->task, task)))
        a = a->next;
    return a ? &a->call : NULL;
}

#include "engine/admission.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *run, *project;
};

struct admission {
    struct store *store;
    size_t most_running, most_queued;
    VEC(struct entry) entries; // in the order of their arrival
    json_t *served;            // project -> when a run of it began last
};

struct place {      // of an entry in the order of admission
    int64_t turn;   // runs of its project that are before it, at work or in the queue
    int64_t served; // when its project was, last
    size_t entry;
};

static void clear(struct admission *a)
{
    for (size_t i = 0; i < a->entries.len; i++) {
        mem_free(a->entries.items[i].run);
        mem_free(a->entries.items[i].project);
    }
    a->entries.len = 0;
}

struct admission *admission_new(struct store *store, size_t most_running, size_t most_queued)
{
    struct admission *a = mem_alloc(sizeof(*a));
    a->store = store;
    a->most_running = most_running;
    a->most_queued = most_queued;
    a->served = json_object();
    return a;
}

struct admission *admission_free(struct admission *a)
{
    if (!a)
        return NULL;
    clear(a);
    vec_free(&a->entries);
    json_decref(a->served);
    mem_free(a);
    return NULL;
}

static size_t find(const struct admission *a, const char *run)
{
    size_t i = 0;
    while (i < a->entries.len && !str_eq(a->entries.items[i].run, run))
        i++;
    return i;
}

void admission_add(struct admission *a, const char *run, const char *project)
{
    vec_push(&a->entries, (struct entry){str_dup(run), str_dup(project)});
}

// What the journal says of the projects that wait. ret_busy may be NULL.
static int load_projects(struct admission *a, json_t *ret_busy, struct err *err)
{
    AUTO_JSON json_t *projects = store_busy_projects_new(a->store, err);
    if (!projects)
        return -(int)err->code;
    size_t i;
    json_t *row;
    json_array_foreach (projects, i, row) {
        const char *project = json_str(row, "project", "");
        int64_t served = json_int(row, "started_ns", 0);
        if (served > json_int(a->served, project, 0))
            json_put_int(a->served, project, served);
        if (ret_busy)
            json_put_int(ret_busy, project, json_int(row, "runs", 0));
    }
    return 0;
}

static int load(struct admission *a, json_t *ret_busy, struct err *err)
{
    AUTO_JSON json_t *queue = store_queue_new(a->store, err);
    if (!queue)
        return -(int)err->code;
    clear(a);
    size_t i;
    json_t *run;
    json_array_foreach (queue, i, run)
        admission_add(a, json_str(run, "id", ""), json_str(run, "project", ""));
    return a->entries.len ? load_projects(a, ret_busy, err) : 0;
}

int admission_load(struct admission *a, struct err *err)
{
    struct err own;
    return a->most_running ? load(a, NULL, err ? err : &own) : 0;
}

void admission_served(struct admission *a, const char *project)
{
    if (a->most_running)
        json_put_int(a->served, project, clock_wall_ns());
}

size_t admission_length(const struct admission *a)
{
    return a->entries.len;
}

bool admission_has(const struct admission *a, const char *run)
{
    return find(a, run) < a->entries.len;
}

bool admission_has_place(const struct admission *a, size_t running)
{
    return !a->most_running || running < a->most_running;
}

int admission_check_room(const struct admission *a, struct err *err)
{
    if (a->entries.len < a->most_queued)
        return 0;
    return err_set(err, ERR_LIMIT,
                   "%zu runs wait in the queue, which is the limit; try again when some have ended, or raise it",
                   a->entries.len);
}

bool admission_remove(struct admission *a, const char *run)
{
    size_t at = find(a, run);
    if (at == a->entries.len)
        return false;
    mem_free(a->entries.items[at].run);
    mem_free(a->entries.items[at].project);
    memmove(&a->entries.items[at], &a->entries.items[at + 1], (a->entries.len - at - 1) * sizeof(a->entries.items[0]));
    a->entries.len--;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->turn != y->turn)
        return x->turn < y->turn ? -1 : 1;
    if (x->served != y->served)
        return x->served < y->served ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

// All entries in the order of their admission; owned by the caller.
static struct place *order_new(const struct admission *a, const json_t *busy)
{
    AUTO_JSON json_t *before = busy ? json_deep_copy(busy) : json_object();
    struct place *places = mem_array(a->entries.len + 1, sizeof(*places));
    for (size_t i = 0; i < a->entries.len; i++) {
        const char *project = a->entries.items[i].project;
        places[i] = (struct place){json_int(before, project, 0), json_int(a->served, project, 0), i};
        json_put_int(before, project, places[i].turn + 1);
    }
    qsort(places, a->entries.len, sizeof(*places), compare);
    return places;
}

const char *admission_next(const struct admission *a, const json_t *busy)
{
    struct place best = {INT64_MAX, INT64_MAX, 0};
    for (size_t i = 0; i < a->entries.len; i++) {
        const char *project = a->entries.items[i].project;
        struct place place = {json_int(busy, project, 0), json_int(a->served, project, 0), i};
        if (compare(&place, &best) < 0)
            best = place;
    }
    return a->entries.len ? a->entries.items[best.entry].run : NULL;
}

size_t admission_position(const struct admission *a, const char *run, const json_t *busy)
{
    size_t at = find(a, run), position = 0;
    if (at == a->entries.len)
        return 0;
    AUTO_FREE struct place *places = order_new(a, busy);
    while (places[position].entry != at)
        position++;
    return position + 1;
}

json_t *admission_positions_new(struct store *store, struct err *err)
{
    struct err own;
    struct admission *a = admission_new(store, 1, 0);
    AUTO_JSON json_t *busy = json_object();
    json_t *positions = load(a, busy, err ? err : &own) == 0 ? json_object() : NULL;
    AUTO_FREE struct place *places = order_new(a, busy);
    for (size_t i = 0; positions && i < a->entries.len; i++)
        json_put_int(positions, a->entries.items[places[i].entry].run, (int64_t)i + 1);
    admission_free(a);
    return positions;
}

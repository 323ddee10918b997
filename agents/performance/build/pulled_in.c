#include "buildinfo/pulled_in.h"

#include "base/mem.h"
#include "base/str.h"

#define USES (CARGO_USE_NORMAL | CARGO_USE_BUILD)
#define NONE SIZE_MAX

// Breadth first from the members: from[i] is who led to package i first; NONE for members and for what is not reached.
static void walk(const struct cargo_metadata *m, size_t *from, bool *seen)
{
    size_t *queue = mem_array(m->package_count, sizeof(*queue)), head = 0, tail = 0;
    for (size_t i = 0; i < m->package_count; i++) {
        from[i] = NONE;
        seen[i] = m->packages[i].is_member;
        if (seen[i])
            queue[tail++] = i;
    }
    while (head < tail) {
        size_t at = queue[head++];
        const struct cargo_package *p = &m->packages[at];
        for (size_t u = 0; u < p->use_count; u++) {
            size_t to = p->uses[u];
            if (!(p->use_flags[u] & USES) || seen[to])
                continue;
            seen[to] = true;
            from[to] = at;
            queue[tail++] = to;
        }
    }
    mem_free(queue);
}

static void add_label(json_t *list, const struct cargo_package *p)
{
    AUTO_FREE char *label = str_printf("%s %s", p->name, p->version);
    json_add_str(list, label);
}

static json_t *users_new(const struct cargo_metadata *m, size_t of, const bool *seen)
{
    json_t *users = json_array();
    for (size_t i = 0; i < m->package_count; i++)
        for (size_t u = 0; seen[i] && u < m->packages[i].use_count; u++)
            if (m->packages[i].uses[u] == of && (m->packages[i].use_flags[u] & USES) &&
                json_array_size(users) < PULLED_USERS_MAX)
                add_label(users, &m->packages[i]);
    return users;
}

static json_t *version_new(const struct cargo_metadata *m, size_t at, const size_t *from, const bool *seen)
{
    json_t *row = json_object(), *back = json_array(), *way = json_array();
    json_put_str(row, "version", m->packages[at].version);
    json_put(row, "users", users_new(m, at, seen));
    for (size_t i = at; i != NONE; i = from[i])
        add_label(back, &m->packages[i]);
    for (size_t i = json_array_size(back); i > 0; i--)
        json_array_append(way, json_array_get(back, i - 1));
    json_decref(back);
    json_put(row, "way", way);
    return row;
}

json_t *of_several_versions_new(json_t *names)
{
    json_t *list = json_array(), *versions;
    const char *name;
    json_object_foreach (names, name, versions) {
        if (json_array_size(versions) < 2)
            continue;
        json_t *row = json_object();
        json_put_str(row, "name", name);
        json_put(row, "versions", json_incref(versions));
        json_array_append_new(list, row);
    }
    return list;
}

json_t *pulled_in_new(const struct cargo_metadata *m)
{
    size_t *from = mem_array(m->package_count, sizeof(*from));
    bool *seen = mem_array(m->package_count, sizeof(*seen));
    walk(m, from, seen);
    AUTO_JSON json_t *names = json_object();
    for (size_t i = 0; i < m->package_count; i++) {
        const char *name = m->packages[i].name;
        if (!seen[i])
            continue;
        if (!json_list(names, name))
            json_put(names, name, json_array());
        json_array_append_new(json_list(names, name), version_new(m, i, from, seen));
    }
    mem_free(from);
    mem_free(seen);
    return of_several_versions_new(names);
}

json_t *proc_macros_new(const struct cargo_metadata *m)
{
    json_t *set = json_object();
    for (size_t i = 0; i < m->package_count; i++) {
        bool macro = false;
        for (size_t t = 0; t < m->packages[i].target_count; t++)
            macro = macro || m->packages[i].targets[t].proc_macro;
        AUTO_FREE char *label = str_printf("%s %s", m->packages[i].name, m->packages[i].version);
        if (macro)
            json_put(set, label, json_true());
    }
    return set;
}

#include "run/agents.h"

#include "agentfile/agentdir.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "rights/rights.h"
#include "roles/roles.h"
#include "run/catalog.h"
#include "json/write.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define UNUSED_MAX 64 // texts that are kept although no run has them
#define WALK_MAX   1000
#define WALK_DEPTH 8
// A file that was changed so short before it was read may be changed again without its time stamp showing it.
#define FRESH_NS (100 * NS_PER_MS)

struct seen { // a file or folder, as it was
    char *path;
    bool root; // one of the folders and files that were asked for
    bool absent;
    ino_t inode;
    int64_t changed_ns, bytes;
};

struct sight {
    VEC(struct seen) items;
    int64_t newest_ns;
    bool whole; // everything was seen
};

struct agents {
    struct store *store;
    char *data_dir, *shipped;
    struct sight sight; // what `set` was made from; nothing: not to be used again
    struct agentset *set;
    json_t *hashes; // {name: hash} of the whole set
    json_t *usable; // {name: true} of those whose file grants something by itself
    VEC(struct agent_text *) texts;
};

struct agents *agents_new(struct store *store, const char *data_dir)
{
    struct agents *a = mem_alloc(sizeof(*a));
    a->store = store;
    a->data_dir = str_dup(data_dir);
    a->shipped = path_join(data_dir, "agents");
    return a;
}

static void text_free(struct agent_text *t)
{
    mem_free(t->name);
    mem_free(t->text);
    mem_free(t->told);
    agentfile_free(t->file);
    mem_free(t);
}

static void sight_clear(struct sight *sight)
{
    for (size_t i = 0; i < sight->items.len; i++)
        mem_free(sight->items.items[i].path);
    vec_free(&sight->items);
    *sight = (struct sight){0};
}

struct agents *agents_free(struct agents *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->texts.len; i++)
        text_free(a->texts.items[i]);
    vec_free(&a->texts);
    agentset_free(a->set);
    sight_clear(&a->sight);
    json_decref(a->hashes);
    json_decref(a->usable);
    mem_free(a->data_dir);
    mem_free(a->shipped);
    mem_free(a);
    return NULL;
}

// --- has anything changed? ---

static mode_t look(struct seen *s)
{
    struct stat st;
    s->absent = stat(s->path, &st) < 0;
    if (s->absent)
        return 0;
    s->inode = st.st_ino;
    s->changed_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
    s->bytes = st.st_size;
    return st.st_mode;
}

static void walk(struct sight *w, const char *path, int depth)
{
    struct seen seen = {.path = str_dup(path), .root = depth == 0};
    mode_t mode = look(&seen);
    w->newest_ns = seen.changed_ns > w->newest_ns ? seen.changed_ns : w->newest_ns;
    vec_push(&w->items, seen);
    if (!S_ISDIR(mode))
        return;
    DIR *dir = depth < WALK_DEPTH ? opendir(path) : NULL;
    w->whole = w->whole && dir;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || (e->d_type == DT_REG && !str_ends(e->d_name, ".md")))
            continue;
        if (w->items.len > WALK_MAX) {
            w->whole = false;
            break;
        }
        AUTO_FREE char *child = path_join(path, e->d_name);
        walk(w, child, depth + 1);
    }
    if (dir)
        closedir(dir);
}

// To be used again only when everything was seen, and nothing of it is fresh.
static struct sight see(const struct agents *a, const char *const *agent_dirs)
{
    struct sight w = {.whole = true};
    for (const char *const *d = agent_dirs; d && *d; d++)
        walk(&w, *d, 0);
    walk(&w, a->shipped, 0);
    if (!w.whole || clock_wall_ns() - w.newest_ns <= FRESH_NS)
        sight_clear(&w);
    return w;
}

static bool same_roots(const struct agents *a, const char *const *agent_dirs)
{
    const char *const *d = agent_dirs;
    bool shipped = false;
    for (size_t i = 0; i < a->sight.items.len; i++) {
        const struct seen *s = &a->sight.items.items[i];
        if (!s->root)
            continue;
        const char *wanted = d && *d ? *d++ : shipped ? NULL : a->shipped;
        shipped = shipped || wanted == a->shipped;
        if (!str_eq(s->path, wanted))
            return false;
    }
    return shipped;
}

// A folder that has gained or lost something has changed itself: its entries need not be listed.
static bool is_unchanged(const struct agents *a, const char *const *agent_dirs)
{
    bool same = same_roots(a, agent_dirs);
    for (size_t i = 0; same && i < a->sight.items.len; i++) {
        const struct seen *before = &a->sight.items.items[i];
        struct seen now = *before;
        look(&now);
        same = now.absent == before->absent && now.inode == before->inode && now.changed_ns == before->changed_ns &&
               now.bytes == before->bytes;
    }
    return same;
}

// --- gathering ---

static int keep(struct agents *a, const struct agentfile *agent, json_t *hashes, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    char hash[HASH_TEXT];
    if (json_object_get(hashes, agent->name))
        return 0;
    int r = file_read(agent->file, AGENTFILE_TEXT_MAX, &text, &len, err);
    if (r == 0)
        r = store_artifact_put(a->store, text, len, hash, err);
    if (r == 0)
        json_put_str(hashes, agent->name, hash);
    mem_free(text);
    return r;
}

static int refuse_file(const struct agentfile *f, struct err *err)
{
    for (size_t i = 0; i < f->diagnostics.len; i++)
        if (f->diagnostics.items[i].level == AGENT_ERROR)
            return err_set(err, ERR_INVALID, "%s:%d: %s", f->file, f->diagnostics.items[i].line,
                           f->diagnostics.items[i].text);
    return err_set(err, ERR_INVALID, "'%s' cannot be used", f->file);
}

// What the caller names must be there and usable: falling back to the agents that ship would silently widen rights.
static int check_callers(const struct agentset *set, const char *const *agent_dirs, struct err *err)
{
    for (const char *const *d = agent_dirs; d && *d; d++) {
        size_t usable = 0;
        if (!file_exists(*d))
            return err_set(err, ERR_NOT_FOUND, "no agent file or folder '%s'", *d);
        for (size_t i = 0; i < set->files.len; i++) {
            const struct agentfile *f = set->files.items[i];
            if (!str_eq(f->file, *d) && !path_below(f->file, *d))
                continue;
            usable += f->mode != AGENT_MODE_NONE;
            if (f->mode == AGENT_MODE_NONE && f->name) // an agent, but not as it is written
                return refuse_file(f, err);
            if (f->mode == AGENT_MODE_NONE && f->diagnostics.len)
                log_fact(LOG_WARN, "agent_file_not_used", "file", f->file, "why", f->diagnostics.items[0].text, NULL);
        }
        if (!usable)
            return err_set(err, ERR_INVALID, "no usable agent file in '%s'; 'baton agent lint %s' says why", *d, *d);
    }
    return 0;
}

// usable: {name: true} of those whose file grants something by itself; NULL: nobody knows.
static int find_needed(const struct agentset *set, const json_t *usable, const char *name, const char *who,
                       const json_t *options, const struct agentfile **ret, struct err *err)
{
    *ret = agentset_find(set, name);
    if (!*ret)
        return err_set(err, ERR_NOT_FOUND, "the workflow '%s' needs the agent '%s', and no agent file has that name",
                       who, name);
    const json_t *rules = json_list(options, "operator_rules"), *bounds = json_list(options, "bounds");
    if (json_object_get(usable, (*ret)->name) && json_array_size(rules) == 0 && json_array_size(bounds) == 0)
        return 0;
    return rights_check((*ret)->name, *ret, rules, bounds, err);
}

int agents_check(const char *data_dir, const char *const *agent_dirs, const json_t *needed, const char *who,
                 const json_t *options, struct err *err)
{
    struct agentset *set = catalog_agents(data_dir, agent_dirs);
    const struct agentfile *agent = NULL;
    int r = check_callers(set, agent_dirs, err);
    size_t i;
    json_t *name;
    json_array_foreach (r == 0 ? needed : NULL, i, name) {
        r = find_needed(set, NULL, json_string_value(name), who, options, &agent, err);
        if (r < 0)
            break;
    }
    agentset_free(set);
    return r;
}

static int load(struct agents *a, const char *const *agent_dirs, struct err *err)
{
    struct sight sight = see(a, agent_dirs); // before they are read: what changes meanwhile shows the next time
    struct agentset *set = catalog_agents(a->data_dir, agent_dirs);
    int r = check_callers(set, agent_dirs, err);
    if (r < 0) {
        sight_clear(&sight);
        agentset_free(set);
        return r;
    }
    json_t *hashes = json_object(), *usable = json_object();
    for (size_t i = 0; i < set->agents.len && r == 0; i++) {
        const struct agentfile *agent = set->agents.items[i];
        r = keep(a, agent, hashes, err);
        if (rights_check(agent->name, agent, NULL, NULL, NULL) == 0)
            json_put_flag(usable, agent->name, true);
    }
    agentset_free(a->set);
    json_decref(a->hashes);
    json_decref(a->usable);
    a->set = set;
    a->hashes = hashes;
    a->usable = usable;
    sight_clear(&a->sight);
    if (r < 0)
        sight_clear(&sight);
    a->sight = sight;
    return r;
}

int agents_gather(struct agents *a, const char *const *agent_dirs, const json_t *needed, const char *who,
                  const json_t *options, json_t **ret, struct err *err)
{
    int changed = is_unchanged(a, agent_dirs) ? 0 : load(a, agent_dirs, err);
    if (changed < 0)
        return changed;
    AUTO_JSON json_t *agents = json_object(); // those it needs come first: a script may name them by role
    size_t i;
    json_t *name;
    json_array_foreach (needed, i, name) {
        const struct agentfile *agent = NULL;
        int r = find_needed(a->set, a->usable, json_string_value(name), who, options, &agent, err);
        if (r < 0)
            return r;
        json_object_set(agents, agent->name, json_object_get(a->hashes, agent->name));
    }
    json_object_update_missing(agents, a->hashes);
    *ret = json_incref(agents);
    return 0;
}

// --- texts ---

static struct agent_text *find(const struct agents *a, const char *name, const char *hash)
{
    for (size_t i = 0; i < a->texts.len; i++)
        if (str_eq(a->texts.items[i]->hash, hash) && str_eq(a->texts.items[i]->name, name))
            return a->texts.items[i];
    return NULL;
}

static void drop_unused(struct agents *a)
{
    size_t unused = 0;
    for (size_t i = a->texts.len; i > 0; i--) {
        if (a->texts.items[i - 1]->refs || ++unused <= UNUSED_MAX)
            continue;
        text_free(a->texts.items[i - 1]);
        memmove(&a->texts.items[i - 1], &a->texts.items[i], (a->texts.len - i) * sizeof(a->texts.items[0]));
        a->texts.len--;
    }
}

static char *told_new(const char *name, const char *path, const char *text)
{
    struct buf b = BUF_INIT;
    buf_str_add(&b, "{\"name\":");
    json_write_str(&b, name);
    buf_str_add(&b, ",\"path\":");
    json_write_str(&b, path);
    buf_str_add(&b, ",\"text\":");
    json_write_str(&b, text);
    buf_char(&b, '}');
    return buf_steal(&b);
}

int agents_ref(struct agents *a, const char *name, const char *hash, struct agent_text **ret, struct err *err)
{
    struct agent_text *t = find(a, name, hash);
    if (!t) {
        size_t len = 0;
        t = mem_alloc(sizeof(*t));
        t->name = str_dup(name);
        snprintf(t->hash, sizeof(t->hash), "%s", hash);
        AUTO_FREE char *file_name = str_printf("%s.md", role_bare_name(name));
        int r = store_artifact_get(a->store, t->hash, AGENTFILE_TEXT_MAX, &t->text, &len, err);
        if (r == 0)
            r = agentfile_parse(file_name, t->text, len, &t->file, err);
        if (r < 0) {
            text_free(t);
            return err_wrap(err, "agent '%s'", name);
        }
        t->told = told_new(name, file_name, t->text);
        t->usable = rights_check(name, t->file, NULL, NULL, NULL) == 0;
        drop_unused(a);
        vec_push(&a->texts, t);
    }
    t->refs++;
    *ret = t;
    return 0;
}

void agents_unref(struct agents *a, struct agent_text *text)
{
    (void)a; // kept for the next run
    must(text->refs > 0);
    text->refs--;
}

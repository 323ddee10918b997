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

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define UNUSED_MAX 64 // texts that are kept although no run has them
#define WALK_MAX   1000
#define WALK_DEPTH 8
// A file that was changed so short before it was read may be changed again without its time stamp showing it.
#define FRESH_NS (100 * NS_PER_MS)

struct agents {
    struct store *store;
    char *data_dir, *shipped;
    char sign[HASH_TEXT]; // of what `set` was made from; empty: not to be used again
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
    agentfile_free(t->file);
    mem_free(t);
}

struct agents *agents_free(struct agents *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->texts.len; i++)
        text_free(a->texts.items[i]);
    vec_free(&a->texts);
    agentset_free(a->set);
    json_decref(a->hashes);
    json_decref(a->usable);
    mem_free(a->data_dir);
    mem_free(a->shipped);
    mem_free(a);
    return NULL;
}

// --- has anything changed? ---

struct walk {
    struct buf seen;
    int64_t newest_ns;
    size_t count;
    bool whole; // everything was seen
};

static void walk(struct walk *w, const char *path, int depth)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        buf_printf(&w->seen, "%s absent\n", path);
        return;
    }
    int64_t changed = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
    w->newest_ns = changed > w->newest_ns ? changed : w->newest_ns;
    buf_printf(&w->seen, "%s %lld %lld %lld\n", path, (long long)st.st_ino, (long long)changed, (long long)st.st_size);
    if (!S_ISDIR(st.st_mode))
        return;
    DIR *dir = depth < WALK_DEPTH ? opendir(path) : NULL;
    w->whole = w->whole && dir;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || (e->d_type == DT_REG && !str_ends(e->d_name, ".md")))
            continue;
        if (++w->count > WALK_MAX) {
            w->whole = false;
            break;
        }
        AUTO_FREE char *child = path_join(path, e->d_name);
        walk(w, child, depth + 1);
    }
    if (dir)
        closedir(dir);
}

static void sign(const struct agents *a, const char *const *agent_dirs, char out[HASH_TEXT])
{
    struct walk w = {.seen = BUF_INIT, .whole = true};
    for (const char *const *d = agent_dirs; d && *d; d++)
        walk(&w, *d, 0);
    walk(&w, a->shipped, 0);
    out[0] = '\0';
    if (w.whole && clock_wall_ns() - w.newest_ns > FRESH_NS)
        hash_bytes(buf_str(&w.seen), w.seen.len, out);
    buf_free(&w.seen);
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

static int load(struct agents *a, const char *const *agent_dirs, const char signature[HASH_TEXT], struct err *err)
{
    struct agentset *set = catalog_agents(a->data_dir, agent_dirs);
    int r = check_callers(set, agent_dirs, err);
    if (r < 0) {
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
    memcpy(a->sign, r == 0 ? signature : "", r == 0 ? HASH_TEXT : 1);
    return r;
}

int agents_gather(struct agents *a, const char *const *agent_dirs, const json_t *needed, const char *who,
                  const json_t *options, json_t **ret, struct err *err)
{
    char now[HASH_TEXT];
    sign(a, agent_dirs, now);
    if (!*now || !str_eq(now, a->sign)) {
        int r = load(a, agent_dirs, now, err);
        if (r < 0)
            return r;
    }
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

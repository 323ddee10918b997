#include "agentfile/agentdir.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "roles/roles.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct place {
    dev_t device;
    ino_t inode;
};

struct loader {
    struct agentset *set;
    VEC(struct place) seen;
    bool full;
};

static void add_file(struct loader *l, struct agentfile *f)
{
    vec_push(&l->set->files, f);
}

static void add_note(struct loader *l, const char *path, enum agent_level level, const char *text)
{
    struct agentfile *f = agentfile_examine(path, "", 0);
    f->diagnostics.items[0].level = level;
    str_set(&f->diagnostics.items[0].text, text);
    add_file(l, f);
}

static bool seen_before(struct loader *l, const struct stat *st)
{
    for (size_t i = 0; i < l->seen.len; i++)
        if (l->seen.items[i].device == st->st_dev && l->seen.items[i].inode == st->st_ino)
            return true;
    vec_push(&l->seen, ((struct place){st->st_dev, st->st_ino}));
    return false;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static bool wanted(const char *name, bool is_dir)
{
    size_t len = strlen(name);
    if (is_dir)
        return !str_eq(name, ".git") && !str_eq(name, "node_modules");
    return len > 3 && strcasecmp(name + len - 3, ".md") == 0;
}

static void load_path(struct loader *l, const char *path, bool asked_for, int depth);

static void load_dir(struct loader *l, const char *path, int depth)
{
    DIR *dir = depth <= AGENTSET_DEPTH_MAX ? opendir(path) : NULL;
    if (!dir) {
        add_note(l, path, AGENT_ERROR,
                 depth > AGENTSET_DEPTH_MAX ? "folders are nested too deep, this one is left out"
                                            : "this folder cannot be read");
        return;
    }
    VEC(char *) names = {0};
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            vec_push(&names, str_dup(entry->d_name));
    closedir(dir);
    if (names.len)
        qsort(names.items, names.len, sizeof(char *), compare_names);
    for (size_t i = 0; i < names.len; i++) {
        char *child = path_join(path, names.items[i]);
        load_path(l, child, false, depth + 1);
        mem_free(child);
        mem_free(names.items[i]);
    }
    vec_free(&names);
}

// `asked_for`: named by the caller, so that every reason to leave it out is worth a word.
static void load_path(struct loader *l, const char *path, bool asked_for, int depth)
{
    struct stat st;
    if (l->full)
        return;
    if (l->set->files.len >= AGENTSET_FILES_MAX) {
        l->full = true;
        add_note(l, path, AGENT_ERROR, "too many files, this one and what follows are left out");
        return;
    }
    if (stat(path, &st) < 0) {
        if (asked_for || wanted(path_base(path), false))
            add_note(l, path, AGENT_ERROR, "there is no such file or folder, or the link leads nowhere");
        return;
    }
    if (!asked_for && !wanted(path_base(path), S_ISDIR(st.st_mode)))
        return;
    if (seen_before(l, &st)) {
        add_note(l, path, AGENT_INFO, "read before under another path, not read again");
        return;
    }
    if (S_ISDIR(st.st_mode))
        load_dir(l, path, depth);
    else
        add_file(l, agentfile_examine_path(path));
}

static void choose_agents(struct agentset *set)
{
    for (size_t i = 0; i < set->files.len; i++) {
        struct agentfile *f = set->files.items[i];
        struct agentfile *first = NULL;
        if (f->mode == AGENT_MODE_NONE)
            continue;
        for (size_t k = 0; k < set->agents.len && !first; k++)
            if (str_eq(set->agents.items[k]->name, f->name))
                first = set->agents.items[k];
        if (!first) {
            vec_push(&set->agents, f);
            continue;
        }
        agentfile_note(f, AGENT_WARNING, f->name_line,
                       "the name '%s' is taken by '%s', which was read first: this file is "
                       "not used",
                       f->name, first->file);
        agentfile_note(first, AGENT_WARNING, first->name_line, "'%s' declares the name '%s' too, and is not used",
                       f->file, f->name);
    }
}

struct agentset *agentset_load(const char *const *paths, size_t count)
{
    struct loader l = {.set = mem_alloc(sizeof(struct agentset))};
    for (size_t i = 0; i < count; i++)
        load_path(&l, paths[i], true, 0);
    vec_free(&l.seen);
    choose_agents(l.set);
    return l.set;
}

struct agentset *agentset_free(struct agentset *set)
{
    if (!set)
        return NULL;
    for (size_t i = 0; i < set->files.len; i++)
        agentfile_free(set->files.items[i]);
    vec_free(&set->files);
    vec_free(&set->agents);
    mem_free(set);
    return NULL;
}

const struct agentfile *agentset_find(const struct agentset *set, const char *name)
{
    if (!name)
        return NULL;
    for (size_t i = 0; i < set->agents.len; i++)
        if (str_eq(set->agents.items[i]->name, name))
            return set->agents.items[i];
    for (size_t i = 0; i < set->agents.len; i++)
        if (str_eq_nocase(role_bare_name(set->agents.items[i]->name), role_bare_name(name)))
            return set->agents.items[i];
    for (size_t i = 0; i < set->agents.len; i++)
        if (role_same_agent(set->agents.items[i]->name, name))
            return set->agents.items[i];
    return NULL;
}

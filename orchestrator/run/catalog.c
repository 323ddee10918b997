#include "run/catalog.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "script/script.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// File stems of <dir>/*.lua in order; freed with str_list_free.
static char **stems(const char *dir)
{
    VEC(char *) names = {0};
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (str_ends(e->d_name, ".lua"))
            vec_push(&names, str_ndup(e->d_name, strlen(e->d_name) - 4));
    if (d)
        closedir(d);
    if (names.len)
        qsort(names.items, names.len, sizeof(char *), by_name);
    vec_push(&names, NULL);
    return names.items;
}

json_t *catalog_workflows_new(const char *data_dir)
{
    AUTO_FREE char *dir = path_join(data_dir, "workflows");
    char **names = stems(dir);
    json_t *list = json_array();
    for (char **n = names; *n; n++) {
        AUTO_FREE char *path = str_printf("%s/%s.lua", dir, *n);
        json_t *row = json_object();
        json_put_str(row, "name", *n);
        json_put_str(row, "path", path);
        json_array_append_new(list, row);
    }
    str_list_free(names);
    return list;
}

static int no_such(const char *data_dir, const char *which, struct err *err)
{
    AUTO_JSON json_t *list = catalog_workflows_new(data_dir);
    struct buf names = BUF_INIT;
    size_t i;
    json_t *row;
    json_array_foreach (list, i, row)
        buf_printf(&names, "%s%s", i ? ", " : "", json_str(row, "name", ""));
    int r = err_set(err, ERR_NOT_FOUND, "no workflow '%s': there are %s, or give the path of a .lua file", which,
                    names.len ? buf_str(&names) : "none");
    buf_free(&names);
    return r;
}

int catalog_workflow(const char *data_dir, const char *which, char **ret_text, size_t *ret_len, char **ret_name,
                     struct err *err)
{
    bool is_path = str_ends(which, ".lua");
    if (!is_path && (strchr(which, '/') || !*which))
        return no_such(data_dir, which, err);
    AUTO_FREE char *path = is_path ? str_dup(which) : str_printf("%s/workflows/%s.lua", data_dir, which);
    if (!file_exists(path))
        return is_path ? err_set(err, ERR_NOT_FOUND, "no workflow file '%s'", which) : no_such(data_dir, which, err);
    int r = file_read(path, SCRIPT_TEXT_MAX, ret_text, ret_len, err);
    if (r < 0)
        return r;
    const char *base = path_base(path);
    *ret_name = str_ndup(base, strlen(base) - 4);
    return 0;
}

struct agentset *catalog_agents(const char *data_dir, const char *const *agent_dirs)
{
    AUTO_FREE char *shipped = path_join(data_dir, "agents");
    VEC(const char *) paths = {0};
    for (const char *const *d = agent_dirs; d && *d; d++)
        vec_push(&paths, *d);
    vec_push(&paths, shipped);
    struct agentset *set = agentset_load(paths.items, paths.len);
    vec_free(&paths);
    return set;
}

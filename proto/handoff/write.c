// link() is the exclusive create: it fails when the name exists, and the file behind it is already whole.
#include "handoff/handoff_md.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_id.h"
#include "json/json.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS_MAX 600 // seconds that an id may move on

static const char *const extensions[] = {".md", ".yaml", ".yml", ".json"};

static char *file_path(const char *dir, const char *id, const char *extension)
{
    AUTO_FREE char *name = str_printf("%s%s", id, extension);
    return path_join(dir, name);
}

// Is the stem used by a handoff of another format? A side file alone does not count: a crash may have left it behind.
static bool stem_taken(const char *dir, const char *id, const char *extension)
{
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
        AUTO_FREE char *path = file_path(dir, id, extensions[i]);
        if (!str_eq(extensions[i], extension) && !str_eq(extensions[i], ".json") && file_exists(path))
            return true;
    }
    return false;
}

static bool same_bytes(const char *path, const char *text)
{
    AUTO_FREE char *there = NULL;
    size_t len = 0;
    return file_read(path, strlen(text) + 1, &there, &len, NULL) >= 0 && len == strlen(text) &&
           memcmp(there, text, len) == 0;
}

// 1: the file is there with this text, 0: the name is taken by another.
static int create(const char *dir, const char *path, const char *text, struct err *err)
{
    if (file_exists(path))
        return same_bytes(path, text);
    char tag[ID_SHORT_TEXT];
    id_short(tag);
    AUTO_FREE char *name = str_printf(".handoff-%ld-%s", (long)getpid(), tag);
    AUTO_FREE char *temporary = path_join(dir, name);
    int r = file_write(temporary, text, strlen(text), true, err);
    if (r < 0)
        return r;
    int failed = link(temporary, path) == 0 ? 0 : errno;
    unlink(temporary);
    if (failed == EEXIST)
        return same_bytes(path, text);
    return failed ? err_sys(err, failed, "cannot create '%s'", path) : 1;
}

static int write_as(const char *dir, const json_t *h, enum handoff_format format, char **ret_path, struct err *err)
{
    const char *id = json_str(h, "id", ""), *extension = format == HANDOFF_YAML ? ".yaml" : ".md";
    if (stem_taken(dir, id, extension))
        return 0;
    AUTO_FREE char *text = format == HANDOFF_YAML ? handoff_yaml_new(h) : handoff_md_new(h);
    AUTO_FREE char *path = file_path(dir, id, extension);
    AUTO_FREE char *side = file_path(dir, id, ".json");
    AUTO_FREE char *json = json_pretty(h);
    // Two handoffs may read alike and still differ in their output.
    if (file_exists(path) && file_exists(side) && !same_bytes(side, json))
        return 0;
    int r = create(dir, path, text, err);
    if (r <= 0)
        return r;
    r = file_write(side, json, strlen(json), true, err);
    if (r < 0)
        return r;
    if (ret_path) {
        *ret_path = path;
        path = NULL;
    }
    return 1;
}

int handoff_write(const char *dir, const json_t *handoff, enum handoff_format format, json_t **ret_handoff,
                  char **ret_path, struct err *err)
{
    if (!handoff_id_valid(json_str(handoff, "id", NULL)))
        return err_set(err, ERR_INVALID, "the handoff has no valid id");
    int r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *h = json_copy((json_t *)(uintptr_t)handoff);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        r = write_as(dir, h, format, ret_path, err);
        if (r < 0)
            return r;
        if (r > 0) {
            if (ret_handoff)
                *ret_handoff = json_incref(h);
            return 0;
        }
        char next[HANDOFF_ID_MAX];
        handoff_id_next(json_str(h, "id", ""), next);
        json_put_str(h, "id", next);
    }
    return err_set(err, ERR_EXISTS, "no free name for handoff '%s' in '%s' within %d seconds",
                   json_str(handoff, "id", ""), dir, ATTEMPTS_MAX);
}

#include "shims.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <glob.h>
#include <string.h>

static const size_t VERSION_MAX = 4096;
enum { FOLDERS_MAX = 64 };

static void add(struct buf *out, const char *dir)
{
    if (file_is_dir(dir) && !strchr(dir, ':'))
        buf_printf(out, "%s%s", out->len ? ":" : "", dir);
}

// pyenv and its relatives: ROOT/version names versions, in their order.
static void by_version_file(const char *root, struct buf *out)
{
    AUTO_FREE char *file = path_join(root, "version");
    AUTO_FREE char *text = NULL;
    if (file_read(file, VERSION_MAX, &text, NULL, NULL) < 0)
        return;
    char **versions = str_split(text, " \t\r\n:", true, NULL);
    for (char **v = versions; *v && v - versions < FOLDERS_MAX; v++) {
        AUTO_FREE char *dir = str_printf("%s/versions/%s/bin", root, *v);
        if (!strchr(*v, '/') && (*v)[0] != '.')
            add(out, dir);
    }
    str_list_free(versions);
}

// asdf and mise: ROOT/installs/TOOL/VERSION/bin. `latest` is a link of mise; without it the only version counts.
static void by_installs(const char *root, struct buf *out)
{
    AUTO_FREE char *pattern = str_printf("%s/installs/*", root);
    glob_t tools = {0};
    if (strpbrk(root, "*?[\\") || glob(pattern, GLOB_ONLYDIR, NULL, &tools) != 0)
        return;
    for (size_t i = 0; i < tools.gl_pathc && i < FOLDERS_MAX; i++) {
        AUTO_FREE char *latest = str_printf("%s/latest/bin", tools.gl_pathv[i]);
        AUTO_FREE char *any = str_printf("%s/*/bin", tools.gl_pathv[i]);
        glob_t versions = {0};
        if (file_is_dir(latest))
            add(out, latest);
        else if (!strpbrk(tools.gl_pathv[i], "*?[\\") && glob(any, GLOB_ONLYDIR, NULL, &versions) == 0 &&
                 versions.gl_pathc == 1)
            add(out, versions.gl_pathv[0]);
        globfree(&versions);
    }
    globfree(&tools);
}

char *shims_folders(const char *dir)
{
    struct buf out = BUF_INIT;
    if (!str_eq(path_base(dir), "shims"))
        return NULL;
    AUTO_FREE char *root = path_dir(dir);
    by_version_file(root, &out);
    by_installs(root, &out);
    return out.len ? buf_steal(&out) : str_dup("");
}

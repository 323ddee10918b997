#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *test_temp_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = str_printf("%s/baton-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path))
        fail_msg("cannot create %s", path);
    return path;
}

void test_remove(char *path_consumed)
{
    file_remove_tree(path_consumed, NULL);
    mem_free(path_consumed);
}

char *test_read(const char *path)
{
    char *text = NULL;
    struct err err;
    if (file_read(path, (size_t)64 << 20, &text, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

char *test_source_path(const char *relative)
{
    return path_join(BATON_SOURCE_DIR, relative);
}

// A line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH"; without controllers it is version 2.
static bool limits_below(const char *line)
{
    const char *name = strchr(line, ':'), *path = name ? strchr(name + 1, ':') : NULL;
    if (!path || (!str_starts(name, "::") && !str_starts(name, ":pids:")))
        return false;
    AUTO_FREE char *group =
        str_printf("/sys/fs/cgroup/%s%s/baton-unit-%d", str_starts(name, "::") ? "" : "pids", path + 1, (int)getpid());
    AUTO_FREE char *limit = path_join(group, "pids.max");
    if (mkdir(group, 0755) < 0)
        return false;
    bool can = access(limit, W_OK) == 0;
    rmdir(group);
    return can;
}

bool test_can_limit_processes(void)
{
    char *text = test_read("/proc/self/cgroup"), **lines = str_split(text, "\n", true, NULL);
    bool can = false;
    for (char **l = lines; *l && !can; l++)
        can = limits_below(*l);
    str_list_free(lines);
    mem_free(text);
    return can;
}

#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

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

#include "performance/manifests.h"

#include "base/mem.h"

int manifests_read(struct files *files, const char *path, struct manifest *ret, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = files_read(files, path, MANIFEST_MAX, &text, &len, err);
    if (r == 0)
        r = manifest_parse(text, len, path, ret, err);
    mem_free(text);
    return r;
}

// The description of a box: anything is understood or refused as a whole, and nothing in it is a relative path.
#include "sandbox/box.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct box box;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    int e = box_parse(text, &box);
    if (e != 0 && e != EINVAL)
        abort();
    for (size_t i = 0; e == 0 && i < box.count; i++) {
        const struct box_item *item = &box.items[i];
        bool from = item->kind == BOX_MOUNT || item->kind == BOX_LINK;
        if (item->path[0] != '/' || (from && !item->source) || (item->pinned && item->kind != BOX_MOUNT))
            abort();
    }
    free(text);
    return 0;
}

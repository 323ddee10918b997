// A site's profiles: anything loads or is refused with its line; what loads answers for every key.
#include "base/mem.h"
#include "base/str.h"
#include "boxes/profile_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile_table *table = NULL;
    struct err err = {0};
    AUTO_FREE char *text = str_ndup((const char *)data, size);
    if (profile_table_new(text, "site", &table, &err) < 0) {
        if (!str_starts(err.text, "site:") || (err.code != ERR_PARSE && err.code != ERR_LIMIT))
            abort();
        return 0;
    }
    for (size_t i = 0; i < table->list.len; i++) {
        const struct profile_entry *e = &table->list.items[i];
        if (!e->site)
            continue;
        char **words = profile_table_words(table, e->profile, e->key);
        if (strlen(e->profile) >= PROFILE_NAME_MAX || !*e->words || (!e->replaced && !words[0]))
            abort();
        str_list_free(words);
    }
    profile_table_free(table);
    return 0;
}

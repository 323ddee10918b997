// A restriction that is lost to a forgotten letter gives the agent more, not less: such a file is no agent until the
// key is written as it was meant.
#include "near.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 32 };

static const struct {
    const char *letters; // without case, '-', '_' and blanks
    size_t edits;        // that still make it a misspelling
    const char *meant;
} RESTRICTIONS[] = {
#define X(letters, edits, meant) {letters, edits, meant},
#include "tbl/agent_near_keys.def"
#undef X
};

const char *near_restriction(const char *key)
{
    bool exact;
    char letters[WORD_MAX];
    size_t len = 0;
    if (agent_key_find(key, &exact))
        return NULL;
    for (const char *c = key; *c; c++) {
        if (strchr("-_ ", *c))
            continue;
        if (len + 1 == sizeof(letters))
            return NULL;
        letters[len++] = (char)tolower((unsigned char)*c);
    }
    letters[len] = '\0';
    const char *meant = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(RESTRICTIONS); i++) {
        size_t edits = str_edits(letters, RESTRICTIONS[i].letters);
        if (edits <= RESTRICTIONS[i].edits && edits < least) {
            least = edits;
            meant = RESTRICTIONS[i].meant;
        }
    }
    return meant;
}

bool near_check(const struct front *front, struct agentfile *f)
{
    const char *key;
    json_t *value;
    bool good = true;
    json_object_foreach (front->text, key, value) {
        const char *meant = near_restriction(key);
        if (!meant)
            continue;
        AUTO_FREE char *path = str_printf("/%s", key);
        agentfile_note(f, AGENT_ERROR, front_line(front, path, 1),
                       "the key '%s' means nothing, so it would restrict nothing; '%s' was probably meant", key, meant);
        good = false;
    }
    return good;
}

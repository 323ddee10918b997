// The known keys, and how far a spelling may be off.
#include "front.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

static const struct agent_key keys[] = {
#define X(name, use) {name, KEY_##use},
#include "tbl/agent_keys.def"
#undef X
};

static bool same_letters(const char *a, const char *b)
{
    for (;;) {
        while (*a && strchr("-_ ", *a))
            a++;
        while (*b && strchr("-_ ", *b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

const struct agent_key *agent_key_find(const char *name, bool *ret_exact)
{
    const struct agent_key *found = NULL;
    *ret_exact = false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(keys[i].name, name)) {
            *ret_exact = true;
            return &keys[i];
        }
        if (!found && same_letters(keys[i].name, name))
            found = &keys[i];
    }
    // A list of tools must not be lost to a forgotten letter: without it the agent would get more, not less.
    if (!found && same_letters(name, "tool"))
        found = agent_key_find("tools", ret_exact);
    else if (!found && same_letters(name, "allowed-tool"))
        found = agent_key_find("allowed-tools", ret_exact);
    else if (!found && same_letters(name, "disallowed-tool"))
        found = agent_key_find("disallowed-tools", ret_exact);
    else
        return found;
    *ret_exact = false;
    return found;
}

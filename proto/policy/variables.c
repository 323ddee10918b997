// What may stand in front of a command, by table.
#include "policy/variables.h"

#include "base/attr.h"
#include "policy/glob.h"
#include "policy/path.h"

#include <string.h>

enum class { SAFE, PLACE, NEVER };

static const struct {
    const char *name;
    enum class class;
} VARIABLES[] = {
#define X(name, class) {name, class},
#include "tbl/policy_variables.def"
#undef X
};

static bool place_ok(const struct policy_context *c, const char *base, const char *value)
{
    struct place_of p;
    return *value && !path_place(c, base, value, &p) && path_is_ours(c, &p);
}

enum variable_class variable_class(const struct policy_context *c, const char *base, const char *assignment)
{
    size_t len = strcspn(assignment, "=");
    for (size_t i = 0; i < ARRAY_LEN(VARIABLES); i++) {
        if (!glob_text(VARIABLES[i].name, strlen(VARIABLES[i].name), assignment, len))
            continue;
        switch (VARIABLES[i].class) {
        case SAFE:
            return VARIABLE_SAFE;
        case PLACE:
            return place_ok(c, base, assignment + len + 1) ? VARIABLE_SAFE : VARIABLE_OTHER;
        case NEVER:
            return VARIABLE_NEVER;
        }
    }
    return VARIABLE_OTHER;
}

bool variable_named(const struct rule *r, const char *assignment)
{
    for (size_t i = 0; r->assigns && r->assigns[i]; i++)
        if (glob_text(r->assigns[i], strlen(r->assigns[i]), assignment, strlen(assignment)))
            return true;
    return r->bare;
}

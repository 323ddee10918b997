// The names live in tbl/roles.def; "rust-" and plugin scopes are rules, not rows.
#include "roles/roles.h"

#include "base/attr.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

struct role_row {
    const char *role, *agent, *others;
    bool changes;
};

static const struct role_row rows[] = {
#define X(role, agent, others, changes) {role, agent, others, changes},
#include "tbl/roles.def"
#undef X
};

static const char *without_prefix(const char *name)
{
    return strncasecmp(name, "rust-", 5) == 0 && name[5] ? name + 5 : name;
}

static bool among(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; *at;) {
        size_t part = strcspn(at, "|");
        if (part == len && strncasecmp(at, name, len) == 0)
            return true;
        at += part + (at[part] == '|');
    }
    return false;
}

const char *role_bare_name(const char *name)
{
    const char *colon = name ? strrchr(name, ':') : NULL;
    return colon ? colon + 1 : name;
}

const char *role_of_agent(const char *name)
{
    if (!name || !*name)
        return NULL;
    const char *bare = without_prefix(role_bare_name(name));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(bare, rows[i].role)) // nearly always
            return rows[i].role;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq_nocase(bare, rows[i].role) || str_eq_nocase(bare, without_prefix(rows[i].agent)) ||
            among(rows[i].others, bare))
            return rows[i].role;
    return NULL;
}

const char *role_agent_name(const char *role)
{
    for (size_t i = 0; role && i < ARRAY_LEN(rows); i++)
        if (str_eq(role, rows[i].role))
            return rows[i].agent;
    return NULL;
}

bool role_changes(const char *role)
{
    for (size_t i = 0; role && i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].role, role))
            return rows[i].changes;
    return false;
}

bool role_same_agent(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    if (str_eq_nocase(role_bare_name(a), role_bare_name(b)))
        return true;
    const char *role = role_of_agent(a);
    return role && str_eq(role, role_of_agent(b));
}

const char *role_at(size_t n)
{
    return n < ARRAY_LEN(rows) ? rows[n].role : NULL;
}

// From a call to its box: which profile the program of the rule has, and what that profile means on this host for this
// call.
//
// The table of profiles: boxes/profile_table.h.
#pragma once

#include "base/err.h"
#include "boxes/profile_table.h"
#include "pins.h"
#include "places.h"
#include "plan.h"
#include "sandbox/exec.h"

struct profiles;

// site: what the site's files said (profile_table_site_text); NULL: they are read. ERR_PARSE, ERR_LIMIT: it is not
// understood; the text begins with file:line.
int profiles_load(const char *site, struct profiles **ret, struct err *err);
void profiles_free(struct profiles *p);

// Words of one key of a profile (not of those it includes); freed with str_list_free.
char **profiles_words(const struct profiles *p, const char *profile, enum box_key key);

struct box_call {
    const char *program; // absolute
    struct pins *pins;   // of the stage
    const char *const *argv;
    const char *const *const *also; // decided commands that are started beside argv, NULL-terminated; may be NULL
    const char *cwd;
    char *const *environment;
    const struct places *places;
    bool (*may)(void *user, const char *const *argv); // whether a rule allows this call too, which a launcher names
    void *user;
    enum exec_network network; // of the agent
    bool fetching;             // the worker's own step: dependencies are brought with network and the real CARGO_HOME
};

// Fills the plan. ret_name: the profile that was chosen. What the system has installed is looked up once for each
// profile and PATH: a stage goes on with what it began with, and a call does not pay for it.
int profile_plan(struct profiles *p, const struct box_call *call, struct plan *plan, char ret_name[PROFILE_NAME_MAX],
                 struct err *err);

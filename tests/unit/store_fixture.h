// A store in a folder of its own, for the tests of what lies above it.
#pragma once

#include "support/support.h"

#include "store/store.h"

struct fixture {
    char *dir;
    struct store *s;
    struct err err;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
// A run of the workflow "w" without params; key and parent may be NULL.
void fixture_run(struct fixture *f, const char *id, const char *project, const char *key, const char *parent);

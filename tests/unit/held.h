// A folder held by an agent that may read and write all of it, for what reads through sandbox/files.h.
#pragma once

#include "sandbox/files.h"

struct held {
    struct policy *policy;
    struct exec_context *exec;
    struct files *files;
};

void held_open(struct held *h, const char *root); // a failure fails the test
void held_close(struct held *h);

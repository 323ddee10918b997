// Mode review: clippy and our own checks over the project. Reads only; cargo writes below `cache`.
#pragma once

#include "reviewer/workplace.h"

struct review_request {
    struct exec_context *exec;
    const char *root, *dir;      // checkout root, project inside it
    const char *cache, *scratch; // folders: target directories that are kept; this stage's own
    const char *commit;          // what is checked out, NULL: unknown
    void (*progress)(void *user, double fraction, const char *text); // may be NULL
    void *user;
};

struct review {
    struct findings findings;
    json_t *limits; // texts: what could not be looked at, and why
    json_t *files;  // names of the reviewed sources and manifests
    size_t lines;
    char *compile_error; // the project does not compile; NULL else
};

// 0 also when clippy could not run: `limits` says so. Negative: nothing was reviewed.
int review_project(const struct review_request *request, struct review *ret, struct err *err);
void review_free(struct review *r);

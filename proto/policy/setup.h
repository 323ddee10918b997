// A pretended workspace, made from the `setup` text of a case.
#pragma once

#include "policy/policy.h"

struct setup;

#define SETUP_TEXT_MAX    16384
#define SETUP_ENTRIES_MAX 256

struct setup *setup_new(const char *workspace, const char *text); // text may be NULL
void setup_free(struct setup *s);
const struct policy_fs *setup_fs(const struct setup *s); // borrowed
const char *setup_project_acts(const struct setup *s);   // what the project makes tools run, or NULL; borrowed

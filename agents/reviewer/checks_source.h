// The source checks, one function per group. Each looks at a whole file and adds findings at live code only
// (no tests, no macro definitions). Why each is precise stands at the head of its file.
#pragma once

#include "reviewer/source.h"

void check_clones(const struct source *s, struct findings *f);   // checks_clone.c
void check_collects(const struct source *s, struct findings *f); // checks_collect.c
void check_growth(const struct source *s, struct findings *f);   // checks_growth.c
void check_blocking(const struct source *s, struct findings *f); // checks_async.c
void check_boxes(const struct source *s, struct findings *f);    // checks_box.c
void check_lookups(const struct source *s, struct findings *f);  // checks_lookup.c
void check_writes(const struct source *s, struct findings *f);   // checks_write.c

// All of them.
void check_source(const struct source *s, struct findings *f);

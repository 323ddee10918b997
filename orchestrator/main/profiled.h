// What `baton profile` found, for people: the table of functions with their evidence, annotated source, growth,
// allocation sites, differences. From the run's model (report/model.h), so `baton show` prints the same.
#pragma once

#include "main/cli.h"
#include "json/json.h"

#include <stdio.h>

#define PROFILED_ROWS_MAX 40
#define PROFILED_ROWS     10
#define PROFILED_FILE_MAX ((size_t)1 << 30)

void profiled_print(const json_t *model, size_t rows, FILE *out);
size_t profiled_rows_of(const struct cli *cli); // --top

// profiled_source.c: source of the first functions with the share of each line.
void profiled_print_source(const json_t *profiled, FILE *out);
// A name or a line of a file, so that nothing in it can steer a terminal. Owned by the caller.
char *profiled_plain(const char *text, size_t max);

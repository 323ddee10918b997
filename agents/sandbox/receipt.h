// The record of one call: what was asked, what was decided, what came of it (proto/README.md). It is made before the
// call starts, so that a refused one has a receipt, too.
#pragma once

#include "box.h"
#include "policy/policy.h"
#include "report.h"
#include "sandbox/exec.h"

json_t *receipt_new(const struct exec_call *call, const char *cwd, const struct decision *decision);
// Of a file tool: {tool, root, decision}.
json_t *receipt_file_new(const char *tool, const char *root, const struct decision *decision);
void receipt_put_result(json_t *receipt, const struct exec_result *r);
void receipt_put_box(json_t *receipt, const char *profile, enum box_net net, const struct exec_report *report);
void receipt_put_stream(json_t *receipt, const char *name, const char *hash, uint64_t bytes);
void receipt_put_file(json_t *receipt, const char *name, const char *path); // a stream that went to a file

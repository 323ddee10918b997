// The report of a run, from the journal: report.md, report.html (one file, pictures inline) and report.json in the
// run's folder, with flamegraph.svg beside them when there is one. Verdict first, then what changed with its interval,
// what was tried and dropped, hot paths, findings, the exact commands, toolchain and host, and how to reproduce it.
//
//   model, model_say       what is said, as data      text, mark          numbers, words, escaping by format
//   markdown…, md          report.md                  html…               report.html
#pragma once

#include "base/err.h"
#include "store/store.h"

// Writes the three files (again: a report can be made anew from the journal at any time). Runs of workflows without
// measurements get the parts that apply.
int report_write(struct store *store, const char *run, const char *dir, struct err *err);

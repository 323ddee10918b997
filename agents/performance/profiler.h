// Profilers, behind one interface: which ones are known, which are here, and which one records. perf records; samply and Instruments
// are recognised where they are present and named in the report, for a look by hand. Advice that applies to one platform only is
// given only there.
#pragma once

#include "performance/record.h"

#include "base/err.h"
#include "json/json.h"

struct profiler {
    const char *name, *program; // program: what is looked for in PATH
    const char *platform;       // uname's name of the only platform it runs on, NULL: any
    const char *by_hand;        // how a person uses it
    // Profiles subjects (record.h); NULL: recognised only.
    int (*record)(const struct recording *r, const json_t *subjects, const json_t *programs, struct profile **ret, struct err *err);
};

// The first profiler that is present and can record; NULL when there is none, with the reason in err.
const struct profiler *profiler_choose(struct err *err);
// [{name, program, present, records, by_hand}] of those that run on this platform. New reference.
json_t *profilers_json_new(void);
// Sentences that apply to this platform only (macOS: XProtect scans every new program). New reference, may be empty.
json_t *platform_advice_new(void);

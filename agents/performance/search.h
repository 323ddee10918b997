// Inside of the joint search for build settings: its steps share this. Every step is a stage of its own, so that the
// journal has each point that was measured, and none is measured twice after a kill.
//
//   space    what is searched: subjects, the points of the first rung         -> points, subjects, facts
//   point    builds one point and measures it (input: point; timed: against the base's programs) -> measured
//   choose   halves what was measured; gives what to measure next, or the order in which to confirm
//   confirm  (mode of its own: it commits) one point against the base on fresh pairs, by changed manifests
//
// measured: { the point's members, "title", "consent", "build_s", "build_cpu_s", "rebuild_s", "size", "memory_kb",
// "hash",
//             "subjects": {name: {"instructions", "cpu_ns"}}, "run", "run_by": "instructions|time|pairs", "low",
//             "high", "failed": why }
#pragma once

#include "base/err.h"
#include "rust/cargo_metadata.h"
#include "sandbox/files.h"
#include "sdk/agent.h"
#include "search/front.h"
#include "search/space.h"

struct search {
    struct job *job;
    const char *base, *work, *cache, *spool, *run, *commit;
    const struct goal *goal;
    struct files *files; // of the base
    char *project;       // in the base checkout
    char *root;          // workspace root in the base checkout; NULL before it is known
    json_t *subjects;    // NULL before they are known
    json_t *limits;
};

// Reads the assignment; search_close in either case.
int search_open(struct search *s, struct job *job, struct err *err);
void search_close(struct search *s);

int search_space(struct search *s, json_t *draft, struct err *err);
int search_point(struct search *s, json_t *draft, struct err *err);
int search_choose(struct search *s, json_t *draft, struct err *err);

// Facts as they travel: {"mold", "lld", "sccache", "nightly", "cranelift", "target"}. The text is borrowed.
struct space_facts search_facts(const json_t *facts);
// Folder for the programs of a point; owned by the caller.
char *search_programs_dir(const struct search *s, const char *point_id);

// The handoff: what a stage leaves for the next one. A worker's draft is checked, completed with what the engine knows,
// brought below the byte budget by moving large values to the artifact store, and is never changed afterwards. Shapes:
// proto/README.md.
#pragma once

#include "base/err.h"
#include "handoff/handoff_id.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

#define HANDOFF_BYTES_MAX     ((size_t)8 * 1024) // canonical JSON
#define HANDOFF_SUMMARY_MAX   300                // bytes, as for the lengths below
#define HANDOFF_TASK_MAX      1000
#define HANDOFF_LABEL_MAX     80
#define HANDOFF_SECTIONS_MAX  32
#define HANDOFF_TEXT_MAX      ((size_t)1024 * 1024) // one section, blockers
#define HANDOFF_ITEM_MAX      500                   // one acceptance criterion
#define HANDOFF_ITEMS_MAX     64
#define HANDOFF_ARTIFACTS_MAX 64
#define HANDOFF_PARENTS_MAX   32
#define HANDOFF_OUTPUT_DEPTH  24 // deeper values go to the store

struct handoff_facts {
    const char *id;             // given (must be valid), or NULL: made from wall_ns and role
    int64_t wall_ns;            // `created`
    const char *role;           // "performance"
    const char *agent_name;     // "rust-performance-engineer"; NULL: the role's usual name
    const char *const *parents; // NULL-terminated ids, may be NULL
    const char *run;            // may be NULL
    int64_t stage, attempt;
    int64_t depth; // delegations in a row that led to it (tbl/budgets.def)
};

struct handoff_store {
    // Keeps bytes under their SHA-256.
    int (*put)(void *context, const void *data, size_t len, char hash[65], struct err *err);
    // The same for a file a draft names in `artifacts[].path`; it also decides which paths are allowed. May be NULL:
    // then a draft must give `hash` and `bytes` instead.
    int (*put_file)(void *context, const char *path, char hash[65], int64_t *ret_bytes, struct err *err);
    void *context;
};

// Makes the handoff object of a draft (new reference). Refuses unknown keys, wrong types, text that is not UTF-8 and
// entries beyond the maxima above; cuts what may be cut (summary: one line). Nothing is kept half: on failure *ret is
// not set.
int handoff_seal(const json_t *draft, const struct handoff_facts *facts, const struct handoff_store *store,
                 json_t **ret, struct err *err);

// The draft that the engine writes for a worker that left none. `log_tail` (may be NULL) may be any bytes.
json_t *handoff_blocked_draft_new(const char *reason, const char *log_tail);

struct handoff_load {
    // *ret is owned by the caller.
    int (*get)(void *context, const char *hash, char **ret, size_t *ret_len, struct err *err);
    void *context;
};

bool handoff_is_reference(const json_t *value); // {"$artifact": "<sha256>", ...}
// `value` (an output, or one value of it) with its references replaced by what they stand for: itself and its direct
// members. New reference; contents whose hash differs are refused.
int handoff_resolve_new(const json_t *value, const struct handoff_load *load, json_t **ret, struct err *err);

// Claims of a draft that no evidence in the same draft carries, as an array of strings (empty: all grounded): entries
// of output.benchmarks and output.results that say "faster", "slower" or a percentage need `evidence` (or `artifact`,
// `receipt`, their own or output.evidence) that names an artifact of the draft or an index into its receipts;
// output.tests that passed, or a summary that says so, needs a receipt of a test command with exit 0.
json_t *handoff_check_draft_claims(const json_t *draft);

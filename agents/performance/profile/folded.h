// Folded stacks: different stacks, ROOT FIRST, each with a count. The text form is one line per stack,
// "root;caller;leaf 12", which every flame graph tool reads. Adding the same stack again adds to its count.
//
// Bounds: FOLDED_DEPTH_MAX frames (what is deeper is cut at the leaf side when reading text), INTERN_COUNT_MAX
// different stacks and names; beyond them counts go to folded_dropped.
#pragma once

#include "profile/crate_kind.h"

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDED_DEPTH_MAX   ((size_t)1024)
#define FOLDED_THREADS_MAX 8
#define FOLDED_PART_BYTES  ((size_t)4 << 20) // of the smallest part for a thread of its own

struct folded;

struct folded_stack {
    const uint32_t *frames; // root first
    size_t count;
    uint64_t weight;
    uint64_t before; // of a pair: what it was before, on the scale of now; else 0
};

struct folded_read_stats {
    uint64_t lines, bad_lines, cut_stacks;
    uint64_t first_bad_line; // 0: none
};

struct folded *folded_new(void);
struct folded *folded_free(struct folded *f); // takes NULL, returns NULL

// Number of the frame with that name and kind, INTERN_NONE when there are too many.
uint32_t folded_frame(struct folded *f, const char *name, size_t len, enum crate_kind kind);
const char *folded_frame_name(const struct folded *f, uint32_t frame);
enum crate_kind folded_frame_kind(const struct folded *f, uint32_t frame);
size_t folded_frame_count(const struct folded *f);

void folded_add(struct folded *f, const uint32_t *frames, size_t count, uint64_t weight);
void folded_merge(struct folded *into, const struct folded *from);
// The stacks of both, for a picture of what changed: weights are those of `after`; `before` is scaled so that both
// totals are the same. Stacks that are gone have weight 0.
struct folded *folded_pair_new(const struct folded *before, const struct folded *after);
bool folded_is_pair(const struct folded *f);

uint64_t folded_total(const struct folded *f);   // of all counts
uint64_t folded_dropped(const struct folded *f); // counts that found no room

// All stacks in the order of their text, as the text form writes them. Owned by the caller (mem_free); the frames in
// it are borrowed until the next change.
struct folded_stack *folded_sorted(const struct folded *f, size_t *ret_count);
size_t folded_stack_count(const struct folded *f);

// Reads text. The kind of a frame is guessed from its name ("std::..." is std), "_[k]" behind it means kernel and is
// taken off. roots may be NULL. Bad lines are counted and skipped.
void folded_read(struct folded *f, const char *text, size_t len, const struct crate_roots *roots,
                 struct folded_read_stats *ret);
// The same piece by piece: each piece holds whole lines, and may be gone afterwards. Counts are added to stats.
struct folded_reader;
struct folded_reader *folded_reader_new(struct folded *f, const struct crate_roots *roots);
struct folded_reader *folded_reader_free(struct folded_reader *r); // takes NULL, returns NULL
void folded_reader_feed(struct folded_reader *r, const char *text, size_t len, struct folded_read_stats *stats);
// Reads a file with so many threads (at most FOLDED_THREADS_MAX; small files with one). The result is that of reading
// it from start to end. Lines of more than 1 MiB are cut. Errors: ERR_NOT_FOUND, ERR_DENIED, ERR_IO.
int folded_read_file(struct folded *f, const char *path, const struct crate_roots *roots, int threads,
                     struct folded_read_stats *ret, struct err *err);
// ';' and line breaks inside of names become ':' and ' '.
void folded_write(const struct folded *f, struct buf *out);

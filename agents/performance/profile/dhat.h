// What valgrind's DHAT wrote: every place that allocates, with bytes, blocks, how long blocks lived, what of it was
// there at the peak, and the stack. Blocks are charged to the innermost function of the project on their stack, at the
// line where it was; what that line called (clone, format, a vector that grows) tells what to do about it.
#pragma once

#include "profile/profile.h"

#include "json/json.h"

struct dhat;

// Errors: ERR_PARSE, ERR_LIMIT.
int dhat_parse(const char *text, size_t len, struct dhat **ret, struct err *err);
struct dhat *dhat_free(struct dhat *d); // takes NULL, returns NULL

// A profile whose weights are bytes and whose samples are blocks. ERR_NOT_FOUND: nothing was allocated.
int dhat_profile(const struct dhat *d, const struct profile_options *options, struct profile **ret, struct err *err);

// {command, instructions, total: {bytes, blocks}, peak: …, end: …,
//  sites: [{function, short, what, file, line, crate_kind, bytes, blocks, bytes_pct, blocks_pct, lifetime (mean, in
//           instructions), lifetime_pct (of the run), peak_bytes, end_bytes, grows}] most blocks or bytes first,
//  findings: [{kind, file, line, function, text, blocks_pct, bytes_pct}]}
// p: the profile of it, which tells what is the project's. New reference.
json_t *dhat_json_new(const struct dhat *d, const struct profile *p, size_t max);
// Of two such results: {total: {bytes, blocks: {before, after}}, peak: …, sites: [{function, file, line, what, bytes:
// {before, after}, blocks: …}] largest change of blocks first}. New reference.
json_t *dhat_difference_new(const json_t *before, const json_t *after, size_t max);

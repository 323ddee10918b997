// Fixed text of flamegraph.c: style and script. Both hold neither '<' nor '&', so that they mean the same inside of
// XML and of HTML. Not for other modules.
#pragma once

#include "profile/crate_kind.h"

#define FLAMEGRAPH_SHADES 8

extern const char *const flamegraph_style[];  // lines, NULL-terminated
extern const char *const flamegraph_script[]; // the same
#define FLAMEGRAPH_CHANGE_SHADES 6
extern const char *const flamegraph_more[FLAMEGRAPH_CHANGE_SHADES]; // of pairs, from pale to strong
extern const char *const flamegraph_less[FLAMEGRAPH_CHANGE_SHADES];
extern const char *const flamegraph_same;
extern const char *const flamegraph_colours[CRATE_KINDS][FLAMEGRAPH_SHADES];

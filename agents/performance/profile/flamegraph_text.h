// Fixed text of flamegraph.c: style and script. Both hold neither '<' nor '&', so that they mean the same inside of
// XML and of HTML. Not for other modules.
#pragma once

#include "profile/crate_kind.h"

#define FLAMEGRAPH_SHADES 8

extern const char *const flamegraph_style[];  // lines, NULL-terminated
extern const char *const flamegraph_script[]; // the same
extern const char *const flamegraph_colours[CRATE_KINDS][FLAMEGRAPH_SHADES];

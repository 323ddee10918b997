// Flame graph: folded stacks as one self-contained SVG. In a browser it zooms by click, searches with the share that
// matches, and shows name and share of what is under the pointer; without script it is a readable picture with
// tooltips. It works as a file and inside of an HTML page (also several in one page, each with its own id): no
// external assets, no text that an HTML parser would read differently from an XML parser.
//
// Of a pair (folded_pair_new) widths are those of now, red is more than before, blue is less.
//
// Width is share. Colour is the owner of the code (crate_kind.h): warm for the project, cool for what it calls.
// The output is well-formed XML whatever the names hold: they are escaped, bytes that are no UTF-8 or that XML forbids
// become U+FFFD.
#pragma once

#include "profile/folded.h"

#include "base/buf.h"
#include "base/err.h"

#define FLAMEGRAPH_FRAMES_MAX ((size_t)200000) // drawn; narrower ones are left out first
#define FLAMEGRAPH_TITLE_MAX  160

struct flamegraph_options {
    const char *id;       // of the svg element, letters, digits, '-' and '_'; NULL: "baton-flame"
    const char *title;    // NULL: "Flame graph"
    const char *subtitle; // NULL: none
    const char *unit;     // what the counts are; NULL: "samples"
    bool icicle;          // root on top
    int width;            // of the picture without script, 400 to 4000; 0: 1200
    double min_width;     // narrower frames are not drawn, in pixels of that width; 0: 0.1
};

// Errors: ERR_INVALID for an id of other characters or a width out of range, ERR_NOT_FOUND when there are no stacks.
int flamegraph_write(const struct folded *f, const struct flamegraph_options *options, struct buf *out,
                     struct err *err);

// Pictures of a comparison: an SVG with both sets of samples and the interval of the change, and renderings for a
// terminal. Colours are mid-tones that can be read on light and dark grounds.
#pragma once

#include "base/buf.h"
#include "measure/ab.h"

#define PLOT_DOTS_MAX 400u // per side; longer sets are thinned evenly

// A whole <svg> element, to be written to a file or placed in HTML as it is. `title`: NULL for none.
void plot_svg(struct buf *out, const struct ab_result *r, const char *title);

// "faster: -21.0 % [-22.1, -19.8] CPU time, 20 pairs, p = 0.0002", no newline.
void plot_line(struct buf *out, const struct ab_result *r, bool utf8);

// Two boxes on one axis and the line above, for `columns` (40 or more) characters; lines end with newlines.
void plot_box(struct buf *out, const struct ab_result *r, unsigned columns, bool utf8);

// "12.3 ms" of a value of the metric.
void plot_value(enum ab_metric m, double v, char out[32]);

// Pictures of measurements as inline SVG, drawn with the colours of the page's style.
#pragma once

#include "base/buf.h"
#include "json/json.h"

// Both sides of a metric: one dot per run, the medians, and the interval of the change. pairs: [[before, after, order],
// …]. Nothing without at least two usable pairs.
void html_plot_pairs(struct buf *out, const json_t *metric, const json_t *pairs);
// A small picture of an interval against zero; max_pct is the end of its axis on both sides, for all rows alike.
void html_plot_interval(struct buf *out, double low, double change, double high, double max_pct);

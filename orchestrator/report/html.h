// The model as one HTML page: no scripts of its own, nothing loaded from anywhere, light and dark, readable on a phone.
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "json/json.h"

// flame: text of the flame graph's SVG, NULL when there is none.
void report_html(const json_t *model, const char *flame, struct buf *out);

// --- parts, for the modules of the page ---

// %s is escaped for text and for attributes in double quotes (see mark.h).
void html_put(struct buf *out, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Prose of tools: what stands between backticks becomes <code>.
void html_prose(struct buf *out, const char *text);
// <style> of the page and of the frame around the flame graph.
extern const char *const html_page_style[];
extern const char *const html_flame_style[];

// The three pattern languages of rules. All run in at most pattern × text steps.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define GLOB_SEGMENTS_MAX 128

// "*" is any bytes, everything else is itself.
bool glob_text(const char *pattern, size_t pattern_len, const char *text, size_t text_len);
// One path segment or host label: "*" any bytes, "?" one byte, "[a-z]" and "[!a-z]" classes, "\x" is x.
bool glob_segment(const char *pattern, size_t pattern_len, const char *text, size_t text_len);
// Slash-separated: "**" as a whole segment is any number of segments (none included), others as glob_segment.
// With `below`, a pattern that matches a folder also matches everything in it. More than GLOB_SEGMENTS_MAX segments: no
// match.
bool glob_path(const char *pattern, const char *path, bool below);
// Host names, lower case. A leading "*." is one or more labels, another "*" stays in its label.
bool glob_host(const char *pattern, const char *host);
bool glob_has_wildcard(const char *text); // any of * ? [

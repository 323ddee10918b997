// Backtracking only to the last star keeps the text matchers at pattern × text steps; the path matcher is a table.
#include "policy/glob.h"

#include <string.h>

bool glob_text(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
{
    size_t p = 0, t = 0, star = pattern_len, resume = 0;
    while (t < text_len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern_len && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star < pattern_len) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

// Length of the class that starts at pattern[0] == '[', 0 when it is not closed (then '[' is itself).
static size_t class_len(const char *pattern, size_t len)
{
    size_t i = 1;
    if (i < len && (pattern[i] == '!' || pattern[i] == '^'))
        i++;
    if (i < len && pattern[i] == ']')
        i++;
    while (i < len && pattern[i] != ']')
        i++;
    return i < len ? i + 1 : 0;
}

static bool class_has(const char *class, size_t len, unsigned char c)
{
    size_t i = 1, end = len - 1;
    bool negated = class[i] == '!' || class[i] == '^';
    bool found = false;
    for (i += negated; i < end; i++) {
        unsigned char low = (unsigned char)class[i], high = low;
        if (i + 2 < end && class[i + 1] == '-') {
            high = (unsigned char)class[i + 2];
            i += 2;
        }
        found = found || (c >= low && c <= high);
    }
    return found != negated;
}

// Matches one pattern element against one byte; *ret_used is the element's length.
static bool element_matches(const char *pattern, size_t len, char c, size_t *ret_used)
{
    *ret_used = 1;
    if (pattern[0] == '?')
        return true;
    if (pattern[0] == '[') {
        size_t n = class_len(pattern, len);
        if (n > 0) {
            *ret_used = n;
            return class_has(pattern, n, (unsigned char)c);
        }
    }
    if (pattern[0] == '\\' && len > 1) {
        *ret_used = 2;
        return pattern[1] == c;
    }
    return pattern[0] == c;
}

bool glob_segment(const char *pattern, size_t pattern_len, const char *text, size_t text_len)
{
    size_t p = 0, t = 0, star = pattern_len, resume = 0;
    while (t < text_len) {
        size_t used = 0;
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern_len && element_matches(pattern + p, pattern_len - p, text[t], &used)) {
            p += used;
            t++;
        } else if (star < pattern_len) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

struct span {
    const char *start;
    size_t len;
};

// Splits at slashes, empty segments dropped. Returns the number, GLOB_SEGMENTS_MAX + 1 when there are more.
static size_t segments(const char *path, struct span out[GLOB_SEGMENTS_MAX])
{
    size_t n = 0;
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len > 0) {
            if (n == GLOB_SEGMENTS_MAX)
                return GLOB_SEGMENTS_MAX + 1;
            out[n++] = (struct span){path, len};
        }
        path += len;
        path += *path == '/';
    }
    return n;
}

static bool is_any_depth(struct span s)
{
    return s.len == 2 && s.start[0] == '*' && s.start[1] == '*';
}

bool glob_path(const char *pattern, const char *path, bool below)
{
    struct span want[GLOB_SEGMENTS_MAX], have[GLOB_SEGMENTS_MAX];
    size_t n = segments(pattern, want), m = segments(path, have);
    if (n > GLOB_SEGMENTS_MAX || m > GLOB_SEGMENTS_MAX)
        return false;
    bool row[GLOB_SEGMENTS_MAX + 1],
        next[GLOB_SEGMENTS_MAX + 1]; // row[j]: the pattern so far matches the first j segments
    memset(row, 0, sizeof(row));
    row[0] = true;
    for (size_t i = 0; i < n; i++) {
        memset(next, 0, sizeof(next));
        bool reached = false;
        for (size_t j = 0; j <= m; j++) {
            if (is_any_depth(want[i])) {
                reached = reached || row[j];
                next[j] = reached;
            } else if (j > 0 && row[j - 1]) {
                next[j] = glob_segment(want[i].start, want[i].len, have[j - 1].start, have[j - 1].len);
            }
        }
        memcpy(row, next, sizeof(row));
    }
    if (row[m])
        return true;
    for (size_t j = 1; below && j < m; j++)
        if (row[j])
            return true;
    return false;
}

bool glob_host(const char *pattern, const char *host)
{
    bool deep = strncmp(pattern, "*.", 2) == 0;
    if (strcmp(pattern, "*") == 0)
        return host[0] != '\0';
    // Compared from the right, label by label, so that "deep" eats what is left over on the left.
    const char *p = pattern + strlen(pattern), *h = host + strlen(host);
    const char *p_first = deep ? pattern + 2 : pattern;
    for (;;) {
        const char *p_label = p, *h_label = h;
        while (p_label > p_first && p_label[-1] != '.')
            p_label--;
        while (h_label > host && h_label[-1] != '.')
            h_label--;
        if (h_label == h || !glob_text(p_label, (size_t)(p - p_label), h_label, (size_t)(h - h_label)))
            return false;
        if (p_label == p_first)
            return deep ? h_label > host + 1 : h_label == host;
        if (h_label == host)
            return false;
        p = p_label - 1;
        h = h_label - 1;
    }
}

bool glob_has_wildcard(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

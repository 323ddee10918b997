// What an agent says in its last message. The parent routes from this and need not open the file.
#include "handoff/handoff_read.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/read_parts.h"
#include "json/json.h"

#include <string.h>

struct reply {
    char *path;       // of the handoff file it names
    const char *yaml; // of the fenced block
    size_t yaml_len;
    int yaml_line;
    json_t *values; // from bold lines or a table
};

static size_t line_length(const char *p, const char *end)
{
    const char *q = memchr(p, '\n', (size_t)(end - p));
    return q ? (size_t)(q - p) + 1 : (size_t)(end - p);
}

// Key and value of `**Key:** value`, `**Key**: value`, `Key: value` and `| Key | value |`. Both in the given line,
// changed.
static bool split_pair(char *line, char **ret_key, char **ret_value)
{
    char *s = str_trim(line);
    bool table = *s == '|';
    s += strspn(s, "|-* \t");
    char *at = strpbrk(s, table ? "|" : ":*");
    if (!at)
        return false;
    char *value = at + strspn(at, "|:* \t");
    *at = '\0';
    size_t n = strlen(value);
    while (n > 0 && strchr("| \t*", value[n - 1]))
        value[--n] = '\0';
    if (n > 1 && *value == '`' && value[n - 1] == '`') {
        value[n - 1] = '\0';
        value++;
    }
    *ret_key = str_trim(s);
    *ret_value = str_trim(value);
    return **ret_key != '\0';
}

static void take_pair(struct reply *r, char *line)
{
    static const char *const names[][2] = {{"Status", "status"},         {"Recommended next", "next_agent"},
                                           {"Next agent", "next_agent"}, {"Task for next agent", "next_task"},
                                           {"Next task", "next_task"},   {"Summary", "summary"},
                                           {"Verdict", "verdict"},       {"Review Status", "review_status"}};
    char *key = NULL, *value = NULL;
    if (!split_pair(line, &key, &value) || !*value)
        return;
    if (str_eq_nocase(key, "File") || str_eq_nocase(key, "Handoff file") || str_eq_nocase(key, "Handoff")) {
        str_set(&r->path, value);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(key, names[i][0]))
            json_put(r->values, names[i][1], json_text_new(value, strlen(value)));
}

// Reads from the line behind the heading to the end of the text or the next heading of level 1 or 2.
static void scan_block(struct reply *r, const char *p, const char *end, int line)
{
    bool inside = false;
    for (size_t n = 0; p < end; p += n, line++) {
        n = line_length(p, end);
        AUTO_FREE char *copy = str_ndup(p, n);
        char *text = str_trim(copy);
        bool fence = str_starts(text, "```");
        if (fence && inside) {
            r->yaml_len = (size_t)(p - r->yaml);
            return;
        }
        if (fence && !r->yaml) {
            r->yaml = p + n;
            r->yaml_line = line + 1;
            inside = true;
        } else if (!inside) {
            if (str_starts(text, "## ") || str_starts(text, "# "))
                return;
            take_pair(r, text);
        }
    }
    if (inside)
        r->yaml_len = (size_t)(end - r->yaml);
}

// The last `## Handoff` (also with more words, as "## Handoff Complete"); 0 when there is none.
static size_t find_heading(const char *text, size_t len, int *ret_line)
{
    size_t found = 0;
    int line = 1;
    for (const char *p = text, *end = text + len; p < end; line++) {
        size_t n = line_length(p, end);
        const char *s = p + strspn(p, "#");
        if (s > p && s < p + n && *s == ' ' && (size_t)(p + n - s) > 7 && strncasecmp(s + 1, "Handoff", 7) == 0) {
            found = (size_t)(p - text) + n;
            *ret_line = line + 1;
        }
        p += n;
    }
    return found;
}

// An incoming handoff: `---`, keys with an id, `---`, and `File: path` near it. Fills `r` and returns true.
static bool find_incoming(struct reply *r, const char *text, size_t len)
{
    const char *end = text + len, *open = NULL;
    int line = 1, open_line = 0;
    bool id = false;
    for (const char *p = text; p < end; line++) {
        size_t n = line_length(p, end);
        AUTO_FREE char *copy = str_ndup(p, n);
        char *s = str_trim(copy);
        if (str_starts(s, "---")) {
            if (open && id && !r->yaml) {
                r->yaml = open;
                r->yaml_len = (size_t)(p - open);
                r->yaml_line = open_line;
            }
            open = p + n;
            open_line = line + 1;
            id = false;
        } else if (str_starts(s, "id:")) {
            id = true;
        } else if (str_starts(s, "File:")) {
            take_pair(r, s);
        }
        p += n;
    }
    return r->yaml != NULL;
}

static bool is_handoff(const json_t *values)
{
    return json_object_get(values, "id") || json_object_get(values, "status") || json_object_get(values, "agent");
}

json_t *handoff_read_reply_new(const char *text, size_t len, struct err *err)
{
    if (len > HANDOFF_FILE_MAX || !str_utf8_valid(text, len)) {
        err_set(err, len > HANDOFF_FILE_MAX ? ERR_LIMIT : ERR_PARSE, "the message is %s",
                len > HANDOFF_FILE_MAX ? "larger than 1 MiB" : "not UTF-8 text");
        return NULL;
    }
    AUTO_FREE char *copy = str_ndup(text, len); // strspn() below needs an end
    AUTO_JSON json_t *values = json_object(), *lines = json_object(), *diagnostics = json_array(),
                     *headings = json_array();
    struct reply r = {.values = values};
    int line = 0;
    size_t at = find_heading(copy, len, &line);
    if (at > 0)
        scan_block(&r, copy + at, copy + len, line);
    else
        find_incoming(&r, copy, len);
    AUTO_FREE char *path = r.path;
    AUTO_JSON json_t *front =
        r.yaml ? front_parse_new(r.yaml, r.yaml_len, r.yaml_line, lines, diagnostics) : json_object();
    json_object_update(values, front);
    if (!is_handoff(values)) {
        err_set(err, ERR_NOT_FOUND,
                "no handoff found; expected frontmatter between '---' lines, or '## Handoff' with a yaml block");
        return NULL;
    }
    struct read_source s = {
        .values = values, .lines = lines, .diagnostics = diagnostics, .file_name = path, .era = "reply"};
    return read_normalize_new(&s, headings);
}

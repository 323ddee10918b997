// The text inside a hunk is counted down by the hunk's header, so that a removed line "-- a/x" is never taken for a
// file header.
#include "reviewer/diff.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct diff *d;
    struct diff_file *file; // current one or NULL
    uint32_t old_line, new_line, old_left, new_left;
    size_t lines;
};

// A path behind "a/" or "b/", perhaps in quotes with C escapes; NULL for /dev/null.
static char *read_path(const char *s)
{
    struct buf b = BUF_INIT;
    if (*s == '"') {
        for (s++; *s && *s != '"'; s++) {
            if (*s != '\\') {
                buf_char(&b, *s);
            } else if (s[1] >= '0' && s[1] <= '3' && isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3])) {
                buf_char(&b, (char)(((s[1] - '0') << 6) | ((s[2] - '0') << 3) | (s[3] - '0')));
                s += 3;
            } else if (s[1]) {
                s++;
                buf_char(&b, *s == 't' ? '\t' : *s == 'n' ? '\n' : *s);
            }
        }
    } else {
        buf_add(&b, s, strcspn(s, "\t"));
    }
    char *path = buf_steal(&b), *out = NULL;
    if (str_starts(path, "a/") || str_starts(path, "b/"))
        out = str_dup(path + 2);
    mem_free(path);
    return out;
}

static int begin_file(struct reader *r, const char *line, struct err *err)
{
    if (r->d->files.len >= DIFF_FILES_MAX)
        return err_set(err, ERR_LIMIT, "the diff touches more than %zu files", DIFF_FILES_MAX);
    struct diff_file f = {0};
    const char *b = strstr(line, " \"b/"); // diff --git a/x b/x: the new name is the second half
    if (!b) {
        size_t n = strlen(line);
        b = n > 0 ? line + n / 2 : NULL; // equal names: the middle blank
    }
    f.path = b ? read_path(b + 1) : NULL;
    if (!f.path)
        f.path = str_dup("");
    vec_push(&r->d->files, f);
    r->file = &r->d->files.items[r->d->files.len - 1];
    return 0;
}

static void set_path(struct diff_file *f, const char *s)
{
    char *path = read_path(s);
    if (path) {
        mem_free(f->path);
        f->path = path;
    }
}

// "@@ -12,3 +14,0 @@"
static void begin_hunk(struct reader *r, const char *line)
{
    unsigned long v[4] = {0, 1, 0, 1};
    const char *s = strchr(line, '-');
    char *end;
    if (!s)
        return;
    v[0] = strtoul(s + 1, &end, 10);
    if (*end == ',')
        v[1] = strtoul(end + 1, &end, 10);
    s = strchr(end, '+');
    if (!s)
        return;
    v[2] = strtoul(s + 1, &end, 10);
    if (*end == ',')
        v[3] = strtoul(end + 1, &end, 10);
    for (int i = 0; i < 4; i++)
        if (v[i] > UINT32_MAX / 4)
            return;
    r->old_line = (uint32_t)v[0];
    r->old_left = (uint32_t)v[1];
    r->new_line = (uint32_t)v[2];
    r->new_left = (uint32_t)v[3];
}

static int hunk_line(struct reader *r, const char *line, struct err *err)
{
    char sign = *line;
    if (sign == '\\')
        return 0; // "\ No newline at end of file"
    bool removed = sign == '-', added = sign == '+';
    if (removed || added) {
        if (++r->lines > DIFF_LINES_MAX)
            return err_set(err, ERR_LIMIT, "the diff has more than %zu changed lines", DIFF_LINES_MAX);
        struct diff_line l = {.line = added ? r->new_line : r->old_line, .added = added, .text = str_dup(line + 1)};
        vec_push(&r->file->lines, l);
        r->file->added += added;
        r->file->removed += removed;
    }
    if (!added) {
        r->old_line++;
        r->old_left -= r->old_left > 0;
    }
    if (!removed) {
        r->new_line++;
        r->new_left -= r->new_left > 0;
    }
    return 0;
}

static int read_line(struct reader *r, const char *line, struct err *err)
{
    if (r->file && (r->old_left > 0 || r->new_left > 0))
        return hunk_line(r, line, err);
    if (str_starts(line, "diff --git "))
        return begin_file(r, line + strlen("diff --git "), err);
    if (!r->file)
        return 0;
    if (str_starts(line, "new file mode"))
        r->file->created = true;
    else if (str_starts(line, "deleted file mode"))
        r->file->deleted = true;
    else if (str_starts(line, "Binary files "))
        r->file->binary = true;
    else if (str_starts(line, "--- ") || str_starts(line, "+++ "))
        set_path(r->file, line + 4);
    else if (str_starts(line, "@@ "))
        begin_hunk(r, line);
    return 0;
}

int diff_parse(const char *text, size_t len, struct diff *ret, struct err *err)
{
    if (len > DIFF_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "the diff is larger than %zu bytes", DIFF_TEXT_MAX);
    struct diff d = {0};
    struct reader r = {.d = &d};
    int code = 0;
    for (size_t at = 0; code == 0 && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        char *line = str_ndup(text + at, n);
        code = read_line(&r, line, err);
        mem_free(line);
        at += n + 1;
    }
    if (code == 0 && d.files.len == 0 && len > 0)
        code = err_set(err, ERR_PARSE, "the text is not the output of git diff");
    if (code < 0) {
        diff_free(&d);
        return code;
    }
    *ret = d;
    return 0;
}

void diff_free(struct diff *d)
{
    for (size_t i = 0; i < d->files.len; i++) {
        struct diff_file *f = &d->files.items[i];
        for (size_t k = 0; k < f->lines.len; k++)
            mem_free(f->lines.items[k].text);
        vec_free(&f->lines);
        mem_free(f->path);
    }
    vec_free(&d->files);
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += n) {
        bool before = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (before && !(isalnum((unsigned char)at[n]) || at[n] == '_'))
            return true;
    }
    return false;
}

uint32_t diff_line_with(const struct diff_file *f, const char *word)
{
    uint32_t first = 0;
    for (size_t i = 0; i < f->lines.len; i++) {
        const struct diff_line *l = &f->lines.items[i];
        if (!l->added)
            continue;
        if (!first)
            first = l->line;
        if (word && has_word(l->text, word))
            return l->line;
    }
    return first ? first : 1;
}

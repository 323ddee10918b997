// The way of a text: bytes that are text, fences, frontmatter values, members, body, lint.
#include "agentfile/agentfile.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "body.h"
#include "fields.h"
#include "front.h"
#include "tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *agent_mode_name(enum agent_mode mode)
{
    static const char *const names[] = {"none", "yaml", "quoted", "tolerant"};
    return names[mode];
}

const char *agent_level_name(enum agent_level level)
{
    static const char *const names[] = {"info", "warning", "error"};
    return names[level];
}

static const char *const NETWORKS[] = {NULL, "none", "lo", "host"};

const char *agent_network_name(enum agent_network network)
{
    return NETWORKS[network];
}

const char *agent_tools_state_name(enum agent_tools_state state)
{
    static const char *const names[] = {"absent", "blank", "empty", "all", "list"};
    return names[state];
}

void agentfile_note(struct agentfile *f, enum agent_level level, int line, const char *fmt, ...)
{
    if (f->diagnostics.len >= AGENTFILE_DIAGNOSTICS_MAX)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(text))
        text[str_utf8_cut(text, sizeof(text) - 1)] = 0;
    struct agent_diagnostic note = {.level = level, .line = line > 0 ? line : 1, .text = str_dup(text)};
    vec_push(&f->diagnostics, note);
    size_t at = f->diagnostics.len - 1; // kept in the order of lines, later notes behind
    for (; at > 0 && f->diagnostics.items[at - 1].line > note.line; at--)
        f->diagnostics.items[at] = f->diagnostics.items[at - 1];
    f->diagnostics.items[at] = note;
}

// ---- bytes ----

// Line of the first one that is no valid text (UTF-8 without NUL), 0 when all are.
static int bad_line(const char *text, size_t len)
{
    int line = 1;
    for (size_t at = 0; at < len; line++) {
        size_t end = at;
        while (end < len && text[end] != '\n' && text[end] != '\r')
            end++;
        if (!str_utf8_valid(text + at, end - at))
            return line;
        at = end + 1 + (end + 1 < len && text[end] == '\r' && text[end + 1] == '\n');
    }
    return 0;
}

static bool check_bytes(struct agentfile *f, const char *text, size_t len)
{
    if (len > AGENTFILE_TEXT_MAX) {
        agentfile_note(f, AGENT_ERROR, 1, "%zu bytes: an agent file has at most %zu", len, AGENTFILE_TEXT_MAX);
        return false;
    }
    if (len >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
        agentfile_note(f, AGENT_ERROR, 1, "the file is in UTF-16: save it as UTF-8");
        return false;
    }
    int line = bad_line(text, len);
    if (line) {
        agentfile_note(f, AGENT_ERROR, line,
                       memchr(text, 0, len) ? "a NUL byte or bytes that are no UTF-8: this is no text "
                                              "file"
                                            : "not UTF-8 in this line: save the file as UTF-8");
        return false;
    }
    return true;
}

static void note_no_front(const struct source *s, struct agentfile *f)
{
    bool prose = agent_path_is_prose(f->file);
    size_t later = 0;
    for (size_t i = s->open + 1; i + 1 < s->lines.len && i < s->open + 20 && !later; i++)
        if (line_fence(&s->lines.items[i]) && s->lines.items[i + 1].len > 5 &&
            memcmp(s->lines.items[i + 1].text, "name:", 5) == 0)
            later = i + 1;
    if (s->open == s->lines.len)
        agentfile_note(f, AGENT_ERROR, 1, "the file is empty");
    else if (later)
        agentfile_note(f, AGENT_ERROR, (int)later,
                       "the frontmatter must be the first thing in the file; '---' was expected "
                       "in line 1");
    else
        agentfile_note(f, prose ? AGENT_INFO : AGENT_ERROR, (int)s->open + 1,
                       "no frontmatter, so this is no agent: the "
                       "file would have to begin with '---', a name and a description");
}

static void read_parts(const struct source *s, struct agentfile *f)
{
    struct front front;
    front_read(s, &front, f);
    if (front.mode == AGENT_MODE_NONE) {
        agentfile_note(f, AGENT_ERROR, (int)s->open + 1,
                       "no 'key: value' behind the '---' here: there is no frontmatter, so "
                       "this is no agent");
        front_free(&front);
        return;
    }
    f->mode = front.mode;
    f->body_line = (int)front.body + 1;
    f->body_offset = front.body < s->lines.len ? s->lines.items[front.body].start : s->len;
    bool good = fields_read(s, &front, f);
    body_read(s, front.body, f);
    lint_check(s, &front, f);
    if (!good)
        f->mode = AGENT_MODE_NONE;
    front_free(&front);
}

static struct agentfile *new_agentfile(const char *path)
{
    struct agentfile *f = mem_alloc(sizeof(*f));
    f->file = str_dup(path ? path : "");
    f->extra = json_object();
    f->body_line = 1;
    return f;
}

struct agentfile *agentfile_examine(const char *path, const char *text, size_t len)
{
    struct agentfile *f = new_agentfile(path);
    struct source s;
    if (!check_bytes(f, text, len))
        return f;
    source_scan(&s, text, len);
    if (s.has_front)
        read_parts(&s, f);
    else
        note_no_front(&s, f);
    source_free(&s);
    return f;
}

struct agentfile *agentfile_examine_path(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    struct err err = {0};
    if (file_read(path, AGENTFILE_TEXT_MAX, &text, &len, &err) < 0) {
        struct agentfile *f = new_agentfile(path);
        agentfile_note(f, AGENT_ERROR, 1, "%s", err.text);
        return f;
    }
    struct agentfile *f = agentfile_examine(path, text, len);
    mem_free(text);
    return f;
}

static int take_agent(struct agentfile *f, enum err_code code, struct agentfile **ret, struct err *err)
{
    if (f->mode != AGENT_MODE_NONE) {
        *ret = f;
        return 0;
    }
    const struct agent_diagnostic *why = f->diagnostics.items;
    for (size_t i = f->diagnostics.len; i-- > 0;)
        if (f->diagnostics.items[i].level == AGENT_ERROR)
            why = &f->diagnostics.items[i];
    int result = err_set(err, code, "%s:%d: %s", f->file, why ? why->line : 1, why ? why->text : "no agent");
    agentfile_free(f);
    return result;
}

int agentfile_parse(const char *path, const char *text, size_t len, struct agentfile **ret, struct err *err)
{
    enum err_code code = len > AGENTFILE_TEXT_MAX ? ERR_LIMIT : ERR_PARSE;
    return take_agent(agentfile_examine(path, text, len), code, ret, err);
}

int agentfile_load(const char *path, struct agentfile **ret, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int result = file_read(path, AGENTFILE_TEXT_MAX, &text, &len, err);
    if (result < 0)
        return result;
    result = agentfile_parse(path, text, len, ret, err);
    mem_free(text);
    return result;
}

static void free_strings(char **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(items[i]);
}

struct agentfile *agentfile_free(struct agentfile *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->tools.len; i++)
        tool_free(&f->tools.items[i]);
    for (size_t i = 0; i < f->disallowed.len; i++)
        tool_free(&f->disallowed.items[i]);
    for (size_t i = 0; i < f->grants.len; i++)
        tool_free(&f->grants.items[i]);
    for (size_t i = 0; i < f->focus.len; i++) {
        mem_free(f->focus.items[i].previous);
        mem_free(f->focus.items[i].expected_context);
        mem_free(f->focus.items[i].focus);
    }
    for (size_t i = 0; i < f->chains.len; i++)
        chain_free(&f->chains.items[i]);
    for (size_t i = 0; i < f->diagnostics.len; i++)
        mem_free(f->diagnostics.items[i].text);
    free_strings(f->skills.items, f->skills.len);
    free_strings(f->delegates.items, f->delegates.len);
    char *texts[] = {f->file, f->name, f->description, f->model, f->color, f->memory, f->effort, f->permission_mode};
    free_strings(texts, ARRAY_LEN(texts));
    vec_free(&f->tools);
    vec_free(&f->disallowed);
    vec_free(&f->grants);
    vec_free(&f->focus);
    vec_free(&f->chains);
    vec_free(&f->diagnostics);
    vec_free(&f->skills);
    vec_free(&f->delegates);
    json_decref(f->extra);
    mem_free(f);
    return NULL;
}

// Strict YAML, YAML with quotes put in, then line by line. In the last way each key's lines are tried as YAML again,
// so that one broken value does not spoil the others.
#include "front.h"

#include "base/mem.h"
#include "base/str.h"
#include "front_lines.h"
#include "json/yaml.h"

#include <ctype.h>
#include <string.h>

static int line_number(size_t index)
{
    return (int)index + 1;
}

int front_line(const struct front *front, const char *path, int def)
{
    const json_t *line = json_object_get(front->lines, path);
    return line ? (int)json_integer_value(line) : def;
}

void front_free(struct front *front)
{
    json_decref(front->text);
    json_decref(front->typed);
    json_decref(front->lines);
    json_decref(front->duplicates);
    *front = (struct front){0};
}

// Parses text as a map, both ways; fills the front only on success.
static bool parse_map(struct front *front, const char *text, size_t len, int first_line, struct err *err)
{
    json_t *lines = json_object(), *duplicates = json_array();
    struct yaml_options options = {.as_text = true, .first_line = first_line, .lines = lines, .duplicates = duplicates};
    json_t *value = yaml_parse_new(text, len, "frontmatter", &options, err);
    json_t *typed = NULL;
    if (value) {
        options = (struct yaml_options){.first_line = first_line};
        typed = yaml_parse_new(text, len, "frontmatter", &options, err);
    }
    if (value && json_is_null(value)) {
        json_decref(value);
        json_decref(typed);
        value = json_object();
        typed = json_object();
    }
    bool ok = json_is_object(value) && json_is_object(typed);
    if (ok) {
        front_free(front);
        *front = (struct front){.text = value, .typed = typed, .lines = lines, .duplicates = duplicates};
        return true;
    }
    if (value)
        err_set(err, ERR_PARSE, "frontmatter, line %d: 'key: value' was expected", first_line);
    json_decref(value);
    json_decref(typed);
    json_decref(lines);
    json_decref(duplicates);
    return false;
}

static bool read_yaml(const struct source *s, size_t to, struct front *front, struct err *err)
{
    struct buf b = BUF_INIT;
    source_join(s, s->open + 1, to, &b);
    bool ok = parse_map(front, buf_str(&b), b.len, line_number(s->open + 1), err);
    buf_free(&b);
    return ok;
}

static bool continues(const struct source *s, size_t i, size_t to)
{
    return i < to && s->lines.items[i].len && strchr(" \t", s->lines.items[i].text[0]) &&
           !line_blank(&s->lines.items[i]);
}

static void add_quoted(struct buf *b, const struct key_line *key)
{
    const char *value = key->value;
    size_t len = key->len;
    value_strip_outer_quotes(&value, &len);
    buf_printf(b, "%s: '", key->key);
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '\'')
            buf_char(b, '\'');
        buf_char(b, value[i]);
    }
    buf_str_add(b, "'\n");
}

// Joins lines [from, to) with quotes around the one-line values that need them; *ret_first is the first such line.
static void join_quoted(const struct source *s, size_t from, size_t to, struct buf *b, size_t *ret_first)
{
    *ret_first = to;
    for (size_t i = from; i < to; i++) {
        struct key_line key;
        if (key_line_read(&s->lines.items[i], false, &key) && !continues(s, i + 1, to) &&
            value_wants_quotes(key.value, key.len)) {
            add_quoted(b, &key);
            if (*ret_first == to)
                *ret_first = i;
        } else {
            source_join(s, i, i + 1, b);
        }
    }
}

static bool read_quoted(const struct source *s, struct front *front, size_t *ret_first)
{
    struct buf b = BUF_INIT;
    join_quoted(s, s->open + 1, s->close, &b, ret_first);
    bool ok = *ret_first < s->close && parse_map(front, buf_str(&b), b.len, line_number(s->open + 1), NULL);
    buf_free(&b);
    return ok;
}

// ---- line by line ----

struct walk {
    const struct source *s;
    struct front *front;
    size_t end;   // first line behind the frontmatter
    bool closed;  // by a fence, not by a heading or the end of the file
    bool guessed; // the end was found by what the text looks like
};

static bool seen(const struct walk *w, const char *key)
{
    return json_object_get(w->front->text, key) != NULL;
}

// Does this line begin an entry, when `current` is the key of the entry before it?
static bool begins_entry(const struct source_line *line, const char *current, struct key_line *ret)
{
    bool exact;
    if (!key_line_read(line, true, ret))
        return false;
    if (!str_eq(current, "description"))
        return true;
    // Descriptions hold dialogue: "Context: ..." and "user: ..." are prose there, `tools: ...` is not.
    const struct agent_key *known = agent_key_find(ret->key, &exact);
    return known && (exact || known->use == KEY_ALLOW || known->use == KEY_DENY);
}

static size_t next_line_with_text(const struct walk *w, size_t i)
{
    while (i < w->end && line_blank(&w->s->lines.items[i]))
        i++;
    return i;
}

// A heading at column 0 is a YAML comment when keys go on behind it, otherwise the body begins there.
static bool heading_ends_front(const struct walk *w, size_t at)
{
    size_t next = next_line_with_text(w, at + 1);
    while (next < w->end && line_heading(&w->s->lines.items[next]) && next == at + 1)
        next = next_line_with_text(w, ++at + 1);
    if (next >= w->end)
        return !w->closed;
    struct key_line key;
    bool exact;
    if (!key_line_read(&w->s->lines.items[next], true, &key))
        return true;
    if (agent_key_find(key.key, &exact) && exact)
        return seen(w, key.key) && next != at + 1;
    return !islower((unsigned char)key.key[0]) || !w->closed;
}

static void keep(struct walk *w, const char *key, json_t *text, json_t *typed, json_t *lines, int line)
{
    struct front *front = w->front;
    if (seen(w, key)) {
        char path[80];
        (void)snprintf(path, sizeof(path), "/%s", key);
        json_array_append_new(front->duplicates, json_pack("{s:s, s:i, s:i, s:o}", "path", path, "line", line, "first",
                                                           front_line(front, path, 0), "was", text));
        json_decref(typed);
        json_decref(lines);
        return;
    }
    json_object_set_new(front->text, key, text);
    json_object_set_new(front->typed, key, typed);
    json_object_update(front->lines, lines);
    json_decref(lines);
}

static bool try_entry(struct walk *w, const struct buf *b, const struct key_line *key, int line)
{
    struct front one = {0};
    bool ok = parse_map(&one, buf_str(b), b->len, line, NULL) && json_object_size(one.text) == 1 &&
              json_object_get(one.text, key->key);
    if (ok)
        keep(w, key->key, json_incref(json_object_get(one.text, key->key)),
             json_incref(json_object_get(one.typed, key->key)), json_incref(one.lines), line);
    front_free(&one);
    return ok;
}

static void take_entry(struct walk *w, size_t from, size_t to, const struct key_line *key)
{
    int line = line_number(from);
    struct buf b = BUF_INIT;
    size_t first;
    source_join(w->s, from, to, &b);
    bool ok = try_entry(w, &b, key, line);
    if (!ok) {
        buf_clear(&b);
        join_quoted(w->s, from, to, &b, &first);
        ok = first < to && try_entry(w, &b, key, line);
    }
    if (!ok) {
        json_t *raw = value_raw(w->s, from, to, key);
        json_t *lines = json_object();
        char path[80];
        (void)snprintf(path, sizeof(path), "/%s", key->key);
        json_object_set_new(lines, path, json_integer(line));
        keep(w, key->key, raw, json_deep_copy(raw), lines, line);
    }
    buf_free(&b);
}

// The character that closes the list, map or quote a value opens, 0 when it opens none.
static char closing_of(const struct key_line *key)
{
    if (!key->len || !strchr("[{\"'", *key->value))
        return 0;
    return *key->value == '[' ? ']' : *key->value == '{' ? '}' : *key->value;
}

// Text at column 0 that is no key: does it still belong to the entry? Dialogue under a description does, and what
// stands inside an open list or quote.
static bool text_belongs(const struct walk *w, size_t at, const struct key_line *key, bool open)
{
    const struct source_line *line = &w->s->lines.items[at];
    if (line_blank(line) || strchr(" \t-#", line->text[0]))
        return true;
    if (!w->closed && line_blank(&w->s->lines.items[at - 1]))
        return false;
    return open || str_eq(key->key, "description");
}

// Where an entry that begins at `from` ends; may pull in the end of the frontmatter.
static size_t entry_end(struct walk *w, size_t from, const struct key_line *key)
{
    size_t i = from + 1;
    char closing = closing_of(key);
    bool open = closing && !memchr(key->value + 1, closing, key->len - 1);
    for (; i < w->end; i++) {
        const struct source_line *line = &w->s->lines.items[i];
        struct key_line next;
        if (begins_entry(line, key->key, &next))
            return i;
        if (line_heading(line) && heading_ends_front(w, i)) {
            w->end = i;
            w->closed = false;
            w->guessed = true;
            return i;
        }
        if (!text_belongs(w, i, key, open))
            return i;
        open = open && !memchr(line->text, closing, line->len);
    }
    return i;
}

// In frontmatter without a fence behind it, prose after a blank line belongs to the body.
static size_t cut_prose(struct walk *w, size_t from, size_t to)
{
    if (w->closed || to < w->end)
        return to;
    for (size_t i = from + 1; i < to; i++) {
        const struct source_line *line = &w->s->lines.items[i];
        bool after_blank = line_blank(&w->s->lines.items[i - 1]);
        if (after_blank && line->len && !strchr(" \t-", line->text[0])) {
            w->end = i;
            w->guessed = true;
            return i;
        }
    }
    return to;
}

static void read_lines(const struct source *s, struct front *front, struct agentfile *f, bool *ret_guessed)
{
    struct walk w = {.s = s, .front = front, .end = s->close, .closed = s->close < s->lines.len};
    front_free(front);
    *front = (struct front){
        .text = json_object(), .typed = json_object(), .lines = json_object(), .duplicates = json_array()};
    size_t i = s->open + 1;
    while (i < w.end) {
        struct key_line key;
        const struct source_line *line = &s->lines.items[i];
        if (begins_entry(line, NULL, &key)) {
            size_t to = cut_prose(&w, i, entry_end(&w, i, &key));
            take_entry(&w, i, to, &key);
            i = to;
            continue;
        }
        if (line_heading(line) ? heading_ends_front(&w, i) : !line_blank(line) && line->text[0] != '#' && !w.closed) {
            w.end = i;
            w.guessed = true;
            w.closed = false;
            break;
        }
        if (!line_blank(line) && line->text[0] != '#')
            agentfile_note(f, AGENT_WARNING, line_number(i), "this line belongs to no key and is left out");
        i++;
    }
    *ret_guessed = w.guessed;
    front->body = w.guessed ? w.end : s->close + (s->close < s->lines.len);
}

// "frontmatter, line 3: reason" -> 3 and "reason"
static const char *split_error(const struct err *err, int *ret_line)
{
    const char *at = strstr(err->text, ", line ");
    if (!at)
        return err->text;
    at += strlen(", line ");
    int line = 0;
    while (isdigit((unsigned char)*at))
        line = line * 10 + (*at++ - '0');
    *ret_line = line;
    return str_starts(at, ": ") ? at + 2 : at;
}

static void read_tolerant(const struct source *s, struct front *front, const struct err *why, struct agentfile *f)
{
    bool guessed;
    read_lines(s, front, f, &guessed);
    front->mode = json_object_size(front->text) ? AGENT_MODE_TOLERANT : AGENT_MODE_NONE;
    if (front->mode == AGENT_MODE_NONE)
        return;
    int line = line_number(s->open);
    if (s->close == s->lines.len)
        agentfile_note(f, AGENT_WARNING, line,
                       "the fence '---' that opens here is never closed; the frontmatter was "
                       "taken to end before line %d",
                       line_number(front->body));
    else if (guessed)
        agentfile_note(f, AGENT_WARNING, line_number(front->body),
                       "no closing fence '---' before this line, where the "
                       "body seems to begin; put one before it");
    if (why->code) {
        const char *reason = split_error(why, &line);
        agentfile_note(f, AGENT_WARNING, line,
                       "not valid YAML (%s): read line by line; the usual host may drop the "
                       "file; put the value in quotes or behind '|'",
                       reason);
    }
}

void front_read(const struct source *s, struct front *front, struct agentfile *f)
{
    struct err err = {0};
    *front = (struct front){0};
    size_t first;
    if (s->dots < s->close && s->dots > s->open + 1 && read_yaml(s, s->dots, front, NULL)) {
        front->mode = AGENT_MODE_YAML;
        bool fence_behind = s->close == s->dots + 1;
        front->body = s->dots + 1 + fence_behind;
    } else if (s->close == s->lines.len) {
        read_tolerant(s, front, &err, f);
    } else if (read_yaml(s, s->close, front, &err)) {
        front->mode = AGENT_MODE_YAML;
        front->body = s->close + 1;
    } else if (read_quoted(s, front, &first)) {
        front->mode = AGENT_MODE_QUOTED;
        front->body = s->close + 1;
        int line = line_number(first);
        const char *reason = split_error(&err, &line);
        agentfile_note(f, AGENT_WARNING, line,
                       "not valid YAML (%s): read as if the value stood in quotes; a strict host "
                       "drops the file; put the value in quotes",
                       reason);
    } else {
        read_tolerant(s, front, &err, f);
    }
}

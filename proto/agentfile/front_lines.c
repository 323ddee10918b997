#include "front_lines.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "front.h"

#include <ctype.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *len)
{
    while (*len && blank(**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len && blank((*text)[*len - 1]))
        (*len)--;
}

static size_t key_length(const struct source_line *line)
{
    size_t n = 0;
    if (!line->len || !(isalpha((unsigned char)line->text[0]) || line->text[0] == '_'))
        return 0;
    while (n < line->len && (isalnum((unsigned char)line->text[n]) || strchr("_.- ", line->text[n])) && line->text[n])
        n++;
    return n;
}

bool key_line_read(const struct source_line *line, bool loose, struct key_line *ret)
{
    struct source_line at = *line;
    char quote = loose && at.len && strchr("\"'", at.text[0]) ? at.text[0] : 0;
    if (quote && at.text[0]) {
        at.text++;
        at.len--;
    }
    size_t n = key_length(&at), behind = n;
    if (quote && (n == at.len || at.text[behind++] != quote))
        return false;
    if (!n || behind >= at.len || at.text[behind] != ':')
        return false;
    while (n && blank(at.text[n - 1]))
        n--;
    if (n >= sizeof(ret->key))
        return false;
    memcpy(ret->key, at.text, n);
    ret->key[n] = 0;
    ret->value = at.text + behind + 1;
    ret->len = at.len - behind - 1;
    bool exact;
    const struct agent_key *known = agent_key_find(ret->key, &exact);
    if (ret->len && !blank(*ret->value) && !(loose && known && exact && *ret->value != '/' && *ret->value != ':'))
        return false;
    if (strchr(ret->key, ' ') && !known)
        return false;
    trim(&ret->value, &ret->len);
    return true;
}

bool value_is_block_mark(const char *value, size_t len)
{
    if (!len || !strchr("|>", *value))
        return false;
    size_t i = 1;
    while (i < len && i < 3 && strchr("+-123456789", value[i]) && value[i])
        i++;
    return i == len || (blank(value[i]) && memchr(value + i, '#', len - i));
}

// Length of a quoted scalar that begins at value, 0 when it does not end.
static size_t quoted_length(const char *value, size_t len)
{
    char quote = value[0];
    for (size_t i = 1; i < len; i++) {
        if (quote == '"' && value[i] == '\\') {
            i++;
        } else if (value[i] == quote) {
            if (quote == '\'' && i + 1 < len && value[i + 1] == quote)
                i++;
            else
                return i + 1;
        }
    }
    return 0;
}

void value_strip_outer_quotes(const char **value, size_t *len)
{
    if (*len < 2 || !strchr("\"'", **value) || (*value)[*len - 1] != **value)
        return;
    size_t n = quoted_length(*value, *len);
    if (n && n < *len && !isalnum((unsigned char)(*value)[n]) && (*value)[n] > 0) // "a" and "b": two quotes, not one
        return;
    (*value)++;
    *len -= 2;
}

bool value_wants_quotes(const char *value, size_t len)
{
    if (!len || *value == '#' || value_is_block_mark(value, len))
        return false;
    if (*value == '"' || *value == '\'') {
        size_t n = quoted_length(value, len);
        const char *rest = value + n;
        size_t rest_len = len - n;
        trim(&rest, &rest_len);
        return !n || (rest_len && *rest != '#');
    }
    if (*value == '[' || *value == '{')
        return value[len - 1] != (*value == '[' ? ']' : '}');
    if (strchr("*&!%@`|>,]}", *value) || (strchr("-?:", *value) && (len == 1 || blank(value[1]))))
        return true;
    for (size_t i = 0; i < len; i++)
        if (value[i] == ':' && (i + 1 == len || blank(value[i + 1])))
            return true;
    return false;
}

static void unquote(const char **text, size_t *len)
{
    trim(text, len);
    if (*len >= 2 && strchr("\"'", **text) && (*text)[*len - 1] == **text) {
        (*text)++;
        *len -= 2;
    }
}

static bool list_item(const struct source_line *line, const char **text, size_t *len)
{
    *text = line->text;
    *len = line->len;
    trim(text, len);
    if (!*len || **text != '-' || (*len > 1 && !blank((*text)[1])))
        return false;
    (*text)++;
    (*len)--;
    unquote(text, len);
    return true;
}

static json_t *raw_list(const struct source *s, size_t from, size_t to)
{
    json_t *list = json_array();
    for (size_t i = from; i < to; i++) {
        const char *text;
        size_t len;
        if (line_blank(&s->lines.items[i]) || line_heading(&s->lines.items[i]))
            continue;
        if (!list_item(&s->lines.items[i], &text, &len)) {
            json_decref(list);
            return NULL;
        }
        if (len)
            json_array_append_new(list, json_stringn(text, len));
    }
    if (json_array_size(list))
        return list;
    json_decref(list);
    return NULL;
}

json_t *value_raw(const struct source *s, size_t from, size_t to, const struct key_line *key)
{
    bool block = value_is_block_mark(key->value, key->len);
    if (!key->len) {
        json_t *list = raw_list(s, from + 1, to);
        if (list)
            return list;
    }
    struct buf b = BUF_INIT;
    if (!block)
        buf_add(&b, key->value, key->len);
    for (size_t i = from + 1; i < to; i++) {
        const char *text = s->lines.items[i].text;
        size_t len = s->lines.items[i].len;
        if (block || b.len)
            trim(&text, &len);
        if (b.len)
            buf_char(&b, '\n');
        buf_add(&b, text, len);
    }
    char *whole = buf_steal(&b);
    const char *text = str_trim(whole);
    size_t len = strlen(text);
    unquote(&text, &len);
    if (len && strchr("\"'", *text) && !memchr(text + 1, *text, len - 1)) { // a quote that was never closed
        text++;
        len--;
    }
    json_t *value = len ? json_stringn(text, len) : json_null();
    mem_free(whole);
    return value;
}

// Words: what is quoted is taken as it stands, what a shell would expand is refused where it stands.
#include "policy/parser.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/rule.h"
#include "policy/text.h"

#include <ctype.h>
#include <string.h>

int parser_refuse_at(struct parser *p, size_t pos, const char *why)
{
    return err_set(p->err, ERR_PARSE, "column %zu: %s", text_column(p->text, pos), why);
}

int parser_refuse(struct parser *p, const char *why)
{
    return parser_refuse_at(p, p->pos, why);
}

char parser_at(const struct parser *p, size_t offset)
{
    return p->pos + offset < p->len ? p->text[p->pos + offset] : '\0';
}

bool parser_looking_at(const struct parser *p, const char *s)
{
    size_t n = strlen(s);
    return p->len - p->pos >= n && memcmp(p->text + p->pos, s, n) == 0;
}

void parser_skip_blanks(struct parser *p)
{
    for (;;) {
        if (parser_at(p, 0) == ' ' || parser_at(p, 0) == '\t')
            p->pos++;
        else if (parser_looking_at(p, "\\\n"))
            p->pos += 2;
        else
            return;
    }
}

bool parser_ends_word(char c)
{
    return c == '\0' || strchr(" \t\n;|&<>()", c) != NULL;
}

// The delimiter of a here-document; *ret_literal: quoted, so that its text is taken as it stands. NULL when there is
// none.
char *parser_delimiter(struct parser *p, bool *ret_literal)
{
    char quote = parser_at(p, 0);
    *ret_literal = quote == '\'' || quote == '"';
    size_t start = p->pos + *ret_literal;
    size_t end = start;
    while (end < p->len && (isalnum((unsigned char)p->text[end]) || strchr("_-.", p->text[end])))
        end++;
    if (end == start || (*ret_literal && (end >= p->len || p->text[end] != quote)))
        return NULL;
    p->pos = end + *ret_literal;
    return parser_ends_word(parser_at(p, 0)) ? str_ndup(p->text + start, end - start) : NULL;
}

bool parser_read_heredoc(struct parser *p, const char *delim, bool strip_tabs, struct buf *ret)
{
    size_t n = strlen(delim);
    while (p->pos < p->len) {
        const char *line = p->text + p->pos;
        const char *newline = memchr(line, '\n', p->len - p->pos);
        size_t len = newline ? (size_t)(newline - line) : p->len - p->pos;
        p->pos += len + (newline != NULL);
        while (strip_tabs && len > 0 && *line == '\t') {
            line++;
            len--;
        }
        if (len == n && memcmp(line, delim, n) == 0)
            return true;
        buf_add(ret, line, len);
        buf_char(ret, '\n');
    }
    return false;
}

// "$(cat <<'EOF' … EOF)" inside double quotes: the one substitution that is a literal. The position is at "$(".
static int literal_substitution(struct parser *p, struct word *w)
{
    size_t begin = p->pos;
    static const char WHY[] =
        "a command substitution cannot be judged; the only accepted form is \"$(cat <<'EOF' … EOF)\" "
        "with the quoted delimiter on its own line";
    p->pos += 2;
    parser_skip_blanks(p);
    if (!parser_looking_at(p, "cat") || !strchr(" \t<", parser_at(p, 3)))
        return parser_refuse_at(p, begin, WHY);
    p->pos += 3;
    parser_skip_blanks(p);
    if (!parser_looking_at(p, "<<") || parser_at(p, 2) == '<')
        return parser_refuse_at(p, begin, WHY);
    p->pos += 2;
    bool tabs = parser_at(p, 0) == '-', literal = false;
    p->pos += tabs;
    parser_skip_blanks(p);
    AUTO_FREE char *delim = parser_delimiter(p, &literal);
    parser_skip_blanks(p);
    if (!delim || !literal || parser_at(p, 0) != '\n')
        return parser_refuse_at(p, begin, WHY);
    p->pos++;
    struct buf body = BUF_INIT;
    bool closed = parser_read_heredoc(p, delim, tabs, &body);
    while (closed && p->pos < p->len && strchr(" \t\n", p->text[p->pos]))
        p->pos++;
    if (!closed || parser_at(p, 0) != ')') {
        buf_free(&body);
        return parser_refuse_at(p, begin, WHY);
    }
    p->pos++;
    while (body.len > 0 && body.data[body.len - 1] == '\n')
        body.len--; // as a shell does with the output of a substitution
    buf_add(&w->text, body.data, body.len);
    buf_free(&body);
    return 0;
}

static int double_quoted(struct parser *p, struct word *w)
{
    size_t begin = p->pos++;
    while (p->pos < p->len) {
        char c = p->text[p->pos];
        if (c == '"') {
            p->pos++;
            return 0;
        }
        if (c == '`')
            return parser_refuse(p, "a backtick runs a command; in double quotes write \\`, or use single quotes");
        if (c == '$' && parser_at(p, 1) == '(' && parser_at(p, 2) != '(') {
            int rc = literal_substitution(p, w);
            if (rc < 0)
                return rc;
            continue;
        }
        if (c == '$')
            return parser_refuse(p, "\"$\" is expanded inside double quotes; use single quotes for a literal one");
        if (c == '\\' && parser_at(p, 1) == '\n') {
            p->pos += 2;
            continue;
        }
        if (c == '\\' && p->pos + 1 < p->len && strchr("\"\\$`", parser_at(p, 1)))
            p->pos++; // any other backslash is literal here
        buf_char(&w->text, p->text[p->pos++]);
    }
    return parser_refuse_at(p, begin, "this double quote is not closed");
}

static int single_quoted(struct parser *p, struct word *w)
{
    const char *start = p->text + p->pos + 1;
    const char *end = memchr(start, '\'', p->len - p->pos - 1);
    if (!end)
        return parser_refuse(p, "this single quote is not closed");
    buf_add(&w->text, start, (size_t)(end - start));
    p->pos = (size_t)(end - p->text) + 1;
    return 0;
}

// Braces are literal unless a shell would expand them: "{a,b}" and "{1..3}".
static bool brace_expands(const struct parser *p)
{
    for (size_t i = 1; !parser_ends_word(parser_at(p, i)); i++) {
        char c = parser_at(p, i);
        if (c == '}')
            return false;
        if (c == ',' || (c == '.' && parser_at(p, i + 1) == '.'))
            return true;
    }
    return false;
}

static const char *plain_problem(const struct parser *p, const struct word *w, char c)
{
    bool first = w->text.len == 0 && !w->quoted;
    if (c == '$')
        return parser_at(p, 1) == '('
                   ? "a command substitution cannot be judged; run the inner command first and pass its output"
                   : "\"$\" is expanded by shells and no shell runs here; write the value, or single-quote it";
    if (c == '`')
        return "a backtick runs a command, which cannot be judged; run it first and pass its output";
    if (strchr("*?[", c))
        return "an unquoted wildcard is expanded by shells and no shell runs here; quote it or name the files";
    if (c == '{' && brace_expands(p))
        return "an unquoted brace list is expanded by shells and no shell runs here; quote it or write the words";
    if (c == '~' && (first || (w->text.len > 0 && !w->quoted && strchr("=:", w->text.data[w->text.len - 1]) &&
                               rule_is_variable(w->text.data, strcspn(buf_str(&w->text), "=")))))
        return "\"~\" is expanded by shells and no shell runs here; write the path";
    return NULL;
}

int parser_read_word(struct parser *p, struct word *w)
{
    size_t begin = p->pos;
    while (!parser_ends_word(parser_at(p, 0))) {
        char c = p->text[p->pos];
        int rc = 0;
        if (c == '\'' || c == '"' || c == '\\') {
            if (!w->quoted)
                w->plain = w->text.len;
            if (c == '\\' && parser_at(p, 1) == '\n') {
                p->pos += 2;
                continue;
            }
            w->quoted = true;
        }
        if (c == '\'') {
            rc = single_quoted(p, w);
        } else if (c == '"') {
            rc = double_quoted(p, w);
        } else if (c == '\\') {
            if (p->pos + 1 >= p->len)
                return parser_refuse(p, "a backslash at the end escapes nothing");
            w->escaped = true;
            buf_char(&w->text, p->text[p->pos + 1]);
            p->pos += 2;
        } else {
            const char *why = plain_problem(p, w, c);
            if (why)
                return parser_refuse(p, why);
            buf_char(&w->text, c);
            p->pos++;
        }
        if (rc < 0)
            return rc;
    }
    if (!w->quoted)
        w->plain = w->text.len;
    if (memchr(buf_str(&w->text), WORD_SEP, w->text.len))
        return parser_refuse_at(p, begin, "a control character");
    return 0;
}

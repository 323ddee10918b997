// A stage is read word by word; a word knows which of its bytes were quoted only as far as that matters: where quoting began
// (assignments, control words and the program's name must be plain).
#include "policy/command.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/policy.h"
#include "policy/rule.h"
#include "policy/text.h"

#include <ctype.h>
#include <string.h>

struct parser {
    const char *text;
    size_t len, pos;
    VEC(struct stage) stages;
    VEC(char *) argv;
    VEC(char *) env;
    VEC(struct redirect) redirects;
    size_t start;   // offset of the stage being read
    size_t pending; // here-documents of the present line whose text is still to come
    struct err *err;
};

struct word {
    struct buf text;
    size_t plain;   // length of the part before the first quote or backslash
    bool quoted, escaped;
};

static int refuse_at(struct parser *p, size_t pos, const char *why)
{
    return err_set(p->err, ERR_PARSE, "column %zu: %s", text_column(p->text, pos), why);
}

static int refuse(struct parser *p, const char *why)
{
    return refuse_at(p, p->pos, why);
}

static char at(const struct parser *p, size_t offset)
{
    return p->pos + offset < p->len ? p->text[p->pos + offset] : '\0';
}

static bool looking_at(const struct parser *p, const char *s)
{
    size_t n = strlen(s);
    return p->len - p->pos >= n && memcmp(p->text + p->pos, s, n) == 0;
}

static void skip_blanks(struct parser *p)
{
    for (;;) {
        if (at(p, 0) == ' ' || at(p, 0) == '\t')
            p->pos++;
        else if (looking_at(p, "\\\n"))
            p->pos += 2;
        else
            return;
    }
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\n;|&<>()", c) != NULL;
}

// The delimiter of a here-document; *ret_literal: quoted, so that its text is taken as it stands. NULL when there is none.
static char *delimiter(struct parser *p, bool *ret_literal)
{
    char quote = at(p, 0);
    *ret_literal = quote == '\'' || quote == '"';
    size_t start = p->pos + *ret_literal;
    size_t end = start;
    while (end < p->len && (isalnum((unsigned char)p->text[end]) || strchr("_-.", p->text[end])))
        end++;
    if (end == start || (*ret_literal && (end >= p->len || p->text[end] != quote)))
        return NULL;
    p->pos = end + *ret_literal;
    return ends_word(at(p, 0)) ? str_ndup(p->text + start, end - start) : NULL;
}

// Reads lines up to the delimiter line; the position is at the start of a line. false when the delimiter never comes.
static bool read_heredoc(struct parser *p, const char *delim, bool strip_tabs, struct buf *ret)
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
    static const char WHY[] = "a command substitution cannot be judged; the only accepted form is \"$(cat <<'EOF' … EOF)\" "
                              "with the quoted delimiter on its own line";
    p->pos += 2;
    skip_blanks(p);
    if (!looking_at(p, "cat") || !strchr(" \t<", at(p, 3)))
        return refuse_at(p, begin, WHY);
    p->pos += 3;
    skip_blanks(p);
    if (!looking_at(p, "<<") || at(p, 2) == '<')
        return refuse_at(p, begin, WHY);
    p->pos += 2;
    bool tabs = at(p, 0) == '-', literal = false;
    p->pos += tabs;
    skip_blanks(p);
    AUTO_FREE char *delim = delimiter(p, &literal);
    skip_blanks(p);
    if (!delim || !literal || at(p, 0) != '\n')
        return refuse_at(p, begin, WHY);
    p->pos++;
    struct buf body = BUF_INIT;
    bool closed = read_heredoc(p, delim, tabs, &body);
    while (closed && p->pos < p->len && strchr(" \t\n", p->text[p->pos]))
        p->pos++;
    if (!closed || at(p, 0) != ')') {
        buf_free(&body);
        return refuse_at(p, begin, WHY);
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
            return refuse(p, "a backtick runs a command; in double quotes write \\`, or use single quotes");
        if (c == '$' && at(p, 1) == '(' && at(p, 2) != '(') {
            int rc = literal_substitution(p, w);
            if (rc < 0)
                return rc;
            continue;
        }
        if (c == '$')
            return refuse(p, "\"$\" is expanded inside double quotes; use single quotes for a literal one");
        if (c == '\\' && at(p, 1) == '\n') {
            p->pos += 2;
            continue;
        }
        if (c == '\\' && p->pos + 1 < p->len && strchr("\"\\$`", at(p, 1)))
            p->pos++; // any other backslash is literal here
        buf_char(&w->text, p->text[p->pos++]);
    }
    return refuse_at(p, begin, "this double quote is not closed");
}

static int single_quoted(struct parser *p, struct word *w)
{
    const char *start = p->text + p->pos + 1;
    const char *end = memchr(start, '\'', p->len - p->pos - 1);
    if (!end)
        return refuse(p, "this single quote is not closed");
    buf_add(&w->text, start, (size_t)(end - start));
    p->pos = (size_t)(end - p->text) + 1;
    return 0;
}

// Braces are literal unless a shell would expand them: "{a,b}" and "{1..3}".
static bool brace_expands(const struct parser *p)
{
    for (size_t i = 1; !ends_word(at(p, i)); i++) {
        char c = at(p, i);
        if (c == '}')
            return false;
        if (c == ',' || (c == '.' && at(p, i + 1) == '.'))
            return true;
    }
    return false;
}

static const char *plain_problem(const struct parser *p, const struct word *w, char c)
{
    bool first = w->text.len == 0 && !w->quoted;
    if (c == '$')
        return at(p, 1) == '(' ? "a command substitution cannot be judged; run the inner command first and pass its output"
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

static int read_word(struct parser *p, struct word *w)
{
    size_t begin = p->pos;
    while (!ends_word(at(p, 0))) {
        char c = p->text[p->pos];
        int rc = 0;
        if (c == '\'' || c == '"' || c == '\\') {
            if (!w->quoted)
                w->plain = w->text.len;
            if (c == '\\' && at(p, 1) == '\n') {
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
                return refuse(p, "a backslash at the end escapes nothing");
            w->escaped = true;
            buf_char(&w->text, p->text[p->pos + 1]);
            p->pos += 2;
        } else {
            const char *why = plain_problem(p, w, c);
            if (why)
                return refuse(p, why);
            buf_char(&w->text, c);
            p->pos++;
        }
        if (rc < 0)
            return rc;
    }
    if (!w->quoted)
        w->plain = w->text.len;
    if (memchr(buf_str(&w->text), WORD_SEP, w->text.len))
        return refuse_at(p, begin, "a control character");
    return 0;
}

static bool is_control_word(const struct word *w)
{
    static const char *const WORDS[] = {"if",   "then", "else",   "elif",     "fi", "for", "while", "until",  "do",
                                        "done", "case", "select", "function", "{",  "}",   "[[",    "coproc", "esac"};
    for (size_t i = 0; !w->quoted && i < ARRAY_LEN(WORDS); i++)
        if (strcmp(buf_str(&w->text), WORDS[i]) == 0)
            return true;
    return false;
}

static const char *program_problem(const struct word *w)
{
    const char *s = buf_str(&w->text);
    if (w->text.len == 0)
        return "the program's name is empty";
    if (w->escaped)
        return "a backslash in the program's name; write the name plainly";
    if (s[0] == '!')
        return "\"!\" is history or negation of a shell, and no shell runs here";
    if (is_control_word(w))
        return "control words, groups and functions need a shell, and none runs here; send the commands one by one";
    for (; *s; s++)
        if ((unsigned char)*s >= 0x80)
            return "the program's name has a character outside ASCII, which may only look like the name it means";
    return NULL;
}

static bool is_assignment(const struct word *w)
{
    const char *eq = memchr(buf_str(&w->text), '=', w->text.len);
    size_t name = eq ? (size_t)(eq - w->text.data) : 0;
    return eq && name < w->plain && rule_is_variable(w->text.data, name);
}

static int add_word(struct parser *p)
{
    struct word w = {.text = BUF_INIT};
    size_t begin = p->pos;
    int rc = read_word(p, &w);
    if (rc == 0 && p->argv.len == 0 && is_assignment(&w)) {
        vec_push(&p->env, buf_steal(&w.text));
        return 0;
    }
    if (rc == 0 && p->argv.len == 0) {
        const char *why = program_problem(&w);
        if (why)
            rc = refuse_at(p, begin, why);
    }
    if (rc == 0 && p->argv.len >= POLICY_WORDS_MAX)
        rc = err_set(p->err, ERR_LIMIT, "a command has more than %d words", POLICY_WORDS_MAX);
    if (rc == 0)
        vec_push(&p->argv, buf_steal(&w.text));
    buf_free(&w.text);
    return rc;
}

// Here-documents are stored with their delimiter as target until their line ends. from: 1 literal, 2 also strips tabs (bits).
static int add_heredoc(struct parser *p, int fd)
{
    size_t begin = p->pos;
    p->pos += 2;
    bool tabs = at(p, 0) == '-', literal = false;
    p->pos += tabs;
    skip_blanks(p);
    char *delim = delimiter(p, &literal);
    if (!delim)
        return refuse_at(p, begin, "expected a plain or quoted delimiter behind \"<<\", such as <<'EOF'");
    vec_push(&p->redirects, (struct redirect){REDIRECT_TEXT, fd, (literal ? 1 : 0) | (tabs ? 2 : 0), delim});
    p->pending++;
    return 0;
}

static int fill_heredocs(struct parser *p)
{
    for (size_t i = 0; i < p->stages.len && p->pending > 0; i++) {
        for (size_t k = 0; k < p->stages.items[i].redirect_count; k++) {
            struct redirect *r = &p->stages.items[i].redirects[k];
            if (r->kind != REDIRECT_TEXT || r->from < 0)
                continue;
            struct buf body = BUF_INIT;
            size_t begin = p->pos;
            bool closed = read_heredoc(p, r->target, r->from & 2, &body);
            bool plain = r->from & 1 || !strpbrk(buf_str(&body), "$`\\");
            mem_free(r->target);
            r->target = buf_steal(&body);
            r->from = -1;
            p->pending--;
            if (!closed)
                return refuse_at(p, begin, "the here-document has no line with its delimiter");
            if (!plain)
                return refuse_at(p, begin, "the here-document would be expanded; quote its delimiter: <<'EOF'");
        }
    }
    return 0;
}

static const char *redirect_problem(const struct parser *p)
{
    if (looking_at(p, "<<<"))
        return "\"<<<\" is not known to every shell; use a here-document with a quoted delimiter";
    if (looking_at(p, "<>") || looking_at(p, ">|"))
        return "this redirect is not accepted; use <, > or >>";
    if (looking_at(p, "<(") || looking_at(p, ">("))
        return "a process substitution cannot be judged; run the inner command into a file first";
    return NULL;
}

static int add_redirect(struct parser *p, int fd)
{
    const char *why = redirect_problem(p);
    if (why)
        return refuse(p, why);
    bool in = at(p, 0) == '<';
    fd = fd >= 0 ? fd : in ? 0 : 1;
    if (looking_at(p, "<<"))
        return add_heredoc(p, fd);
    struct redirect r = {in ? REDIRECT_READ : REDIRECT_WRITE, fd, -1, NULL};
    if (at(p, 1) == '&') {
        char digit = at(p, 2);
        if (in || digit < '0' || digit > '2' || !ends_word(at(p, 3)))
            return refuse(p, "expected 0, 1 or 2 behind \">&\", as in 2>&1");
        r.kind = REDIRECT_DUP;
        r.from = digit - '0';
        p->pos += 3;
        vec_push(&p->redirects, r);
        return 0;
    }
    p->pos++;
    if (!in && at(p, 0) == '>') {
        r.kind = REDIRECT_APPEND;
        p->pos++;
    }
    skip_blanks(p);
    if (ends_word(at(p, 0)))
        return refuse(p, "expected a file name behind the redirect");
    struct word w = {.text = BUF_INIT};
    int rc = read_word(p, &w);
    if (rc == 0 && w.text.len == 0)
        rc = refuse(p, "the file name of the redirect is empty");
    if (rc < 0) {
        buf_free(&w.text);
        return rc;
    }
    r.target = buf_steal(&w.text);
    vec_push(&p->redirects, r);
    return 0;
}

static int end_stage(struct parser *p, enum stage_join join)
{
    if (p->argv.len == 0 && (p->env.len > 0 || p->redirects.len > 0))
        return refuse_at(p, p->start, "assignments or redirects without a command need a shell, and none runs here");
    if (p->argv.len == 0)
        return refuse(p, "expected a command here");
    if (p->stages.len >= POLICY_STAGES_MAX)
        return err_set(p->err, ERR_LIMIT, "more than %d commands in one text; send them in several calls", POLICY_STAGES_MAX);
    size_t argc = p->argv.len;
    vec_push(&p->argv, NULL);
    vec_push(&p->env, NULL);
    vec_push(&p->stages, (struct stage){p->argv.items, p->env.items, argc, p->redirects.items, p->redirects.len, join,
                                        text_column(p->text, p->start)});
    memset(&p->argv, 0, sizeof(p->argv));
    memset(&p->env, 0, sizeof(p->env));
    memset(&p->redirects, 0, sizeof(p->redirects));
    return 0;
}

static bool stage_empty(const struct parser *p)
{
    return p->argv.len == 0 && p->env.len == 0 && p->redirects.len == 0;
}

static void skip_comment(struct parser *p)
{
    while (p->pos < p->len && p->text[p->pos] != '\n')
        p->pos++;
}

// Blank lines and comments behind an operator.
static int skip_lines(struct parser *p)
{
    for (;;) {
        skip_blanks(p);
        if (at(p, 0) == '#')
            skip_comment(p);
        if (at(p, 0) != '\n')
            return 0;
        p->pos++;
        if (p->pending > 0) {
            int rc = fill_heredocs(p);
            if (rc < 0)
                return rc;
        }
    }
}

// An operator or the end. *ret_more: another stage must (&& || |) or may follow.
static int read_operator(struct parser *p, bool *ret_must)
{
    *ret_must = false;
    char c = at(p, 0);
    if (c == '(' || c == ')')
        return refuse(p, "subshells and functions need a shell, and none runs here; send the commands one by one");
    bool operator = c == '&' || c == '|' || c == ';';
    if (operator && stage_empty(p))
        return refuse(p, "expected a command before this operator");
    if (looking_at(p, "&&") || looking_at(p, "||")) {
        p->pos += 2;
        *ret_must = true;
        return end_stage(p, c == '&' ? JOIN_AND : JOIN_OR);
    }
    if (c == '|') {
        if (at(p, 1) == '&')
            vec_push(&p->redirects, (struct redirect){REDIRECT_DUP, 2, 1, NULL});
        p->pos += at(p, 1) == '&' ? 2 : 1;
        *ret_must = true;
        return end_stage(p, JOIN_PIPE);
    }
    if (c == '&')
        return refuse(p, at(p, 1) == '>' ? "\"&>\" is not known to every shell; write > FILE 2>&1"
                                         : "\"&\" would leave a process behind; nothing outlives a call");
    if (looking_at(p, ";;"))
        return refuse(p, "\";;\" belongs to control words, which need a shell");
    if (c == ';') {
        p->pos++;
        return end_stage(p, JOIN_THEN);
    }
    return stage_empty(p) ? 0 : end_stage(p, JOIN_THEN); // newline or end of text
}

static int redirect_number(const struct parser *p)
{
    size_t n = 0;
    while (isdigit((unsigned char)at(p, n)))
        n++;
    return n > 0 && (at(p, n) == '<' || at(p, n) == '>') ? (int)n : 0;
}

// One stage's words and redirects, up to its operator.
static int read_stage(struct parser *p)
{
    for (;;) {
        skip_blanks(p);
        char c = at(p, 0);
        int digits = redirect_number(p);
        int rc;
        if (c == '#') {
            skip_comment(p);
            continue;
        }
        if (stage_empty(p))
            p->start = p->pos;
        if (digits > 0) {
            if (digits > 1 || c > '2')
                return refuse(p, "only the descriptors 0, 1 and 2 can be redirected");
            p->pos++;
            rc = add_redirect(p, c - '0');
        } else if (c == '<' || c == '>') {
            rc = add_redirect(p, -1);
        } else if (ends_word(c)) {
            return 0;
        } else {
            rc = add_word(p);
        }
        if (rc < 0)
            return rc;
    }
}

static int parse_all(struct parser *p)
{
    bool must = true;
    for (;;) {
        int rc = skip_lines(p);
        if (rc < 0)
            return rc;
        if (p->pos >= p->len)
            break;
        if ((rc = read_stage(p)) < 0 || (rc = read_operator(p, &must)) < 0)
            return rc;
    }
    if (p->stages.len == 0)
        return refuse(p, "there is no command");
    if (must)
        return refuse(p, "expected a command behind the last operator");
    if (p->pending > 0)
        return refuse(p, "the here-document has no text");
    p->stages.items[p->stages.len - 1].join = JOIN_END;
    return 0;
}

static void free_redirects(struct redirect *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(list[i].target);
    mem_free(list);
}

void command_free(struct command *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        str_list_free(c->stages[i].argv);
        str_list_free(c->stages[i].env);
        free_redirects(c->stages[i].redirects, c->stages[i].redirect_count);
    }
    mem_free(c->stages);
    mem_free(c);
}

int command_parse(const char *text, size_t len, struct command **ret, struct err *err)
{
    size_t bad = 0;
    if (len > POLICY_COMMAND_MAX)
        return err_set(err, ERR_LIMIT, "the command has %zu bytes, at most %d are accepted; put long input in a file", len,
                       POLICY_COMMAND_MAX);
    const char *why = text_problem(text, len, true, &bad);
    if (why)
        return err_set(err, ERR_PARSE, "column %zu: the command has %s", text_column(text, bad), why);
    struct parser p = {.text = text, .len = len, .err = err};
    int rc = parse_all(&p);
    vec_push(&p.argv, NULL);
    vec_push(&p.env, NULL);
    str_list_free(p.argv.items);
    str_list_free(p.env.items);
    free_redirects(p.redirects.items, p.redirects.len);
    struct command *c = mem_alloc(sizeof(*c));
    c->stages = p.stages.items;
    c->count = p.stages.len;
    if (rc < 0) {
        command_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

// A stage is read word by word; a word knows which of its bytes were quoted only as far as that matters: where quoting
// began (assignments, control words and the program's name must be plain).
#include "policy/command.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/parser.h"
#include "policy/policy.h"
#include "policy/rule.h"
#include "policy/text.h"

#include <ctype.h>
#include <string.h>

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
    int rc = parser_read_word(p, &w);
    if (rc == 0 && p->argv.len == 0 && is_assignment(&w)) {
        vec_push(&p->env, buf_steal(&w.text));
        return 0;
    }
    if (rc == 0 && p->argv.len == 0) {
        const char *why = program_problem(&w);
        if (why)
            rc = parser_refuse_at(p, begin, why);
    }
    if (rc == 0 && p->argv.len >= POLICY_WORDS_MAX)
        rc = err_set(p->err, ERR_LIMIT, "a command has more than %d words", POLICY_WORDS_MAX);
    if (rc == 0)
        vec_push(&p->argv, buf_steal(&w.text));
    buf_free(&w.text);
    return rc;
}

// Here-documents are stored with their delimiter as target until their line ends. from: 1 literal, 2 also strips tabs
// (bits).
static int add_heredoc(struct parser *p, int fd)
{
    size_t begin = p->pos;
    p->pos += 2;
    bool tabs = parser_at(p, 0) == '-', literal = false;
    p->pos += tabs;
    parser_skip_blanks(p);
    char *delim = parser_delimiter(p, &literal);
    if (!delim)
        return parser_refuse_at(p, begin, "expected a plain or quoted delimiter behind \"<<\", such as <<'EOF'");
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
            bool closed = parser_read_heredoc(p, r->target, r->from & 2, &body);
            bool plain = r->from & 1 || !strpbrk(buf_str(&body), "$`\\");
            mem_free(r->target);
            r->target = buf_steal(&body);
            r->from = -1;
            p->pending--;
            if (!closed)
                return parser_refuse_at(p, begin, "the here-document has no line with its delimiter");
            if (!plain)
                return parser_refuse_at(p, begin, "the here-document would be expanded; quote its delimiter: <<'EOF'");
        }
    }
    return 0;
}

static const char *redirect_problem(const struct parser *p)
{
    if (parser_looking_at(p, "<<<"))
        return "\"<<<\" is not known to every shell; use a here-document with a quoted delimiter";
    if (parser_looking_at(p, "<>") || parser_looking_at(p, ">|"))
        return "this redirect is not accepted; use <, > or >>";
    if (parser_looking_at(p, "<(") || parser_looking_at(p, ">("))
        return "a process substitution cannot be judged; run the inner command into a file first";
    return NULL;
}

static int add_redirect(struct parser *p, int fd)
{
    const char *why = redirect_problem(p);
    if (why)
        return parser_refuse(p, why);
    bool in = parser_at(p, 0) == '<';
    fd = fd >= 0 ? fd : in ? 0 : 1;
    if (parser_looking_at(p, "<<"))
        return add_heredoc(p, fd);
    struct redirect r = {in ? REDIRECT_READ : REDIRECT_WRITE, fd, -1, NULL};
    if (parser_at(p, 1) == '&') {
        char digit = parser_at(p, 2);
        if (in || digit < '0' || digit > '2' || !parser_ends_word(parser_at(p, 3)))
            return parser_refuse(p, "expected 0, 1 or 2 behind \">&\", as in 2>&1");
        r.kind = REDIRECT_DUP;
        r.from = digit - '0';
        p->pos += 3;
        vec_push(&p->redirects, r);
        return 0;
    }
    p->pos++;
    if (!in && parser_at(p, 0) == '>') {
        r.kind = REDIRECT_APPEND;
        p->pos++;
    }
    parser_skip_blanks(p);
    if (parser_ends_word(parser_at(p, 0)))
        return parser_refuse(p, "expected a file name behind the redirect");
    struct word w = {.text = BUF_INIT};
    int rc = parser_read_word(p, &w);
    if (rc == 0 && w.text.len == 0)
        rc = parser_refuse(p, "the file name of the redirect is empty");
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
        return parser_refuse_at(p, p->start,
                                "assignments or redirects without a command need a shell, and none runs here");
    if (p->argv.len == 0)
        return parser_refuse(p, "expected a command here");
    if (p->stages.len >= POLICY_STAGES_MAX)
        return err_set(p->err, ERR_LIMIT, "more than %d commands in one text; send them in several calls",
                       POLICY_STAGES_MAX);
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
        parser_skip_blanks(p);
        if (parser_at(p, 0) == '#')
            skip_comment(p);
        if (parser_at(p, 0) != '\n')
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
    char c = parser_at(p, 0);
    if (c == '(' || c == ')')
        return parser_refuse(p,
                             "subshells and functions need a shell, and none runs here; send the commands one by one");
    bool operator= c == '&' || c == '|' || c == ';';
    if (operator&& stage_empty(p))
        return parser_refuse(p, "expected a command before this operator");
    if (parser_looking_at(p, "&&") || parser_looking_at(p, "||")) {
        p->pos += 2;
        *ret_must = true;
        return end_stage(p, c == '&' ? JOIN_AND : JOIN_OR);
    }
    if (c == '|') {
        if (parser_at(p, 1) == '&')
            vec_push(&p->redirects, (struct redirect){REDIRECT_DUP, 2, 1, NULL});
        p->pos += parser_at(p, 1) == '&' ? 2 : 1;
        *ret_must = true;
        return end_stage(p, JOIN_PIPE);
    }
    if (c == '&')
        return parser_refuse(p, parser_at(p, 1) == '>' ? "\"&>\" is not known to every shell; write > FILE 2>&1"
                                                       : "\"&\" would leave a process behind; nothing outlives a call");
    if (parser_looking_at(p, ";;"))
        return parser_refuse(p, "\";;\" belongs to control words, which need a shell");
    if (c == ';') {
        p->pos++;
        return end_stage(p, JOIN_THEN);
    }
    return stage_empty(p) ? 0 : end_stage(p, JOIN_THEN); // newline or end of text
}

static int redirect_number(const struct parser *p)
{
    size_t n = 0;
    while (isdigit((unsigned char)parser_at(p, n)))
        n++;
    return n > 0 && (parser_at(p, n) == '<' || parser_at(p, n) == '>') ? (int)n : 0;
}

// One stage's words and redirects, up to its operator.
static int read_stage(struct parser *p)
{
    for (;;) {
        parser_skip_blanks(p);
        char c = parser_at(p, 0);
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
                return parser_refuse(p, "only the descriptors 0, 1 and 2 can be redirected");
            p->pos++;
            rc = add_redirect(p, c - '0');
        } else if (c == '<' || c == '>') {
            rc = add_redirect(p, -1);
        } else if (parser_ends_word(c)) {
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
        return parser_refuse(p, "there is no command");
    if (must)
        return parser_refuse(p, "expected a command behind the last operator");
    if (p->pending > 0)
        return parser_refuse(p, "the here-document has no text");
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
        return err_set(err, ERR_LIMIT, "the command has %zu bytes, at most %d are accepted; put long input in a file",
                       len, POLICY_COMMAND_MAX);
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

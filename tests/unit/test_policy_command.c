// policy/command: accepted texts become exactly these words, everything that a shell would interpret is refused with
// its column.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/command.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

// Stages as text: words in [], assignments in {}, redirects as kind:fd:target, joined by the join's sign.
static void render(const struct command *c, struct buf *ret)
{
    static const char *const JOINS[] = {"", " && ", " || ", " ; ", " | "};
    static const char *const KINDS[] = {"<", ">", ">>", "&", "text"};
    for (size_t i = 0; i < c->count; i++) {
        const struct stage *s = &c->stages[i];
        for (size_t k = 0; s->env[k]; k++)
            buf_printf(ret, "{%s}", s->env[k]);
        for (size_t k = 0; s->argv[k]; k++)
            buf_printf(ret, "[%s]", s->argv[k]);
        for (size_t k = 0; k < s->redirect_count; k++) {
            const struct redirect *r = &s->redirects[k];
            if (r->kind == REDIRECT_DUP)
                buf_printf(ret, " %d>&%d", r->fd, r->from);
            else
                buf_printf(ret, " %d%s%s", r->fd, KINDS[r->kind], r->target);
        }
        buf_str_add(ret, JOINS[s->join]);
    }
}

static void test_policy_command_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } CASES[] = {
        {"cargo build", "[cargo][build]"},
        {"  cargo\t'b u'\"i l\"d  ", "[cargo][b ui ld]"},
        {"\"cargo\" \"\"", "[cargo][]"},
        {"a \"x\\\"y\\\\z\\q\"", "[a][x\"y\\z\\q]"},
        {"a b\\ c \\$HOME '$HOME' '`x`'", "[a][b c][$HOME][$HOME][`x`]"},
        {"a \\\n b", "[a][b]"},
        {"a \"b\\\nc\"", "[a][bc]"},
        {"a \"line\n two\"", "[a][line\n two]"},
        {"a && b || c ; d | e", "[a] && [b] || [c] ; [d] | [e]"},
        {"a\nb\n\n# note\nc", "[a] ; [b] ; [c]"},
        {"a &&\n  b", "[a] && [b]"},
        {"a |& b", "[a] 2>&1 | [b]"},
        {"a;", "[a]"},
        {"a # && rm", "[a]"},
        {"a b#c", "[a][b#c]"},
        {"X=1 Y='a b' a Z=2", "{X=1}{Y=a b}[a][Z=2]"},
        {"'X=1' a", "[X=1][a]"},
        {"a > o 2>&1 < i 2>> e >/dev/null", "[a] 1>o 2>&1 0<i 2>>e 1>/dev/null"},
        {"a 3 2>e", "[a][3] 2>e"},
        {"a >&2", "[a] 1>&2"},
        {"git show stash@{0} HEAD~1 main..x {} a{b}c", "[git][show][stash@{0}][HEAD~1][main..x][{}][a{b}c]"},
        {"a <<'E' | b\n$x `y`\nE\nc", "[a] 0text$x `y`\n | [b] ; [c]"},
        {"a <<-'E'\n\tx\n\tE", "[a] 0textx\n"},
        {"a <<E\nplain\nE", "[a] 0textplain\n"},
        {"git commit -m \"$(cat <<'EOF'\na: $b\n\n(c)\nEOF\n)\"", "[git][commit][-m][a: $b\n\n(c)]"},
        {"git commit -m \"x $(cat <<\"E\"\nb\nE\n) y\" && z", "[git][commit][-m][x b y] && [z]"},
        {"a -m 'wip ♻️ ü'", "[a][-m][wip ♻️ ü]"},
        {"a 'if' then", "[a][if][then]"},
        {"find . ! -name x -o -type f", "[find][.][!][-name][x][-o][-type][f]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct command *c = NULL;
        struct err err = {0};
        struct buf b = BUF_INIT;
        if (command_parse(CASES[i].text, strlen(CASES[i].text), &c, &err) < 0)
            fail_msg("%s: %s", CASES[i].text, err.text);
        render(c, &b);
        assert_string_equal(buf_str(&b), CASES[i].expected);
        buf_free(&b);
        command_free(c);
    }
}

static void test_policy_command_refusals_have_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column;
    } CASES[] = {
        {"a $x", 3},
        {"a ${x}", 3},
        {"a $(id)", 3},
        {"a `id`", 3},
        {"a \"$x\"", 4},
        {"a \"`id`\"", 4},
        {"a $(( 1 ))", 3},
        {"a $'x'", 3},
        {"a *.rs", 3},
        {"a b?", 4},
        {"a [x]", 3},
        {"a {b,c}", 3},
        {"a x{1..3}", 4},
        {"a ~/x", 3},
        {"X=~/y a", 3},
        {"a <(b)", 3},
        {"a > >(b)", 5},
        {"(a)", 1},
        {"a & b", 3},
        {"a &", 3},
        {"a &> f", 3},
        {"a && ", 6},
        {"&& a", 1},
        {"a || || b", 6},
        {"a | ", 5},
        {"a ;; b", 3},
        {"! a", 1},
        {"!!", 1},
        {"if a", 1},
        {"{ a; }", 1},
        {"[[ a ]]", 1},
        {"c\\argo b", 1},
        {"с b", 1},
        {"a \"b", 3},
        {"a 'b", 3},
        {"a \\", 3},
        {"a >| f", 3},
        {"a <> f", 3},
        {"a <<< x", 3},
        {"a > ", 5},
        {"a >&x", 3},
        {"a 3> f", 3},
        {"a 22> f", 3},
        {"a > ''", 7},
        {"X=1", 1},
        {"> f", 1},
        {"", 1},
        {"# x", 4},
        {"a <<E\n$x\nE", 7},
        {"a <<'E'\nx", 9},
        {"a << $x", 3},
        {"a <<'E'", 8},
        {"\"\" a", 1},
        {"while a", 1},
        {"a \"$(cat <<E\nx\nE\n)\"", 4},
        {"a \"$(cat <<'E'\nx\nE\n; id)\"", 4},
        {"a \"$(cat <<'E'\nx\n)\"", 4},
        {"a $(cat <<'E'\nx\nE\n)", 3},
        {"a\rb", 2},
        {"a \x01", 3},
        {"a \xe2\x80\x8b", 3},
        {"a \xe2\x80\xae", 3},
        {"a \xc2\xa0", 3},
        {"ü \xff", 3},
        {"a \x7f", 3},
        {"a ;; ", 3},
        {"f() { x; }", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct command *c = NULL;
        struct err err = {0};
        char column[40];
        snprintf(column, sizeof(column), "column %zu: ", CASES[i].column);
        if (command_parse(CASES[i].text, strlen(CASES[i].text), &c, &err) != -ERR_PARSE)
            fail_msg("\"%s\" was accepted", CASES[i].text);
        if (!str_starts(err.text, column))
            fail_msg("\"%s\": expected %s, got: %s", CASES[i].text, column, err.text);
    }
}

static void test_policy_command_limits(void **state)
{
    (void)state;
    struct command *c = NULL;
    struct err err = {0};
    struct buf b = BUF_INIT;
    for (int i = 0; i < POLICY_STAGES_MAX; i++)
        buf_str_add(&b, i ? "&& a " : "a ");
    assert_ok(command_parse(buf_str(&b), b.len, &c, &err), &err);
    command_free(c);
    buf_str_add(&b, "&& a");
    assert_int_equal(command_parse(buf_str(&b), b.len, &c, &err), -ERR_LIMIT);
    buf_clear(&b);
    buf_str_add(&b, "a ");
    while (b.len <= POLICY_COMMAND_MAX)
        buf_char(&b, 'x');
    assert_int_equal(command_parse(buf_str(&b), b.len, &c, &err), -ERR_LIMIT);
    assert_int_equal(command_parse("a\0b", 3, &c, &err), -ERR_PARSE);
    buf_clear(&b);
    for (int i = 0; i < POLICY_WORDS_MAX + 1; i++)
        buf_str_add(&b, "a ");
    assert_int_equal(command_parse(buf_str(&b), b.len, &c, &err), -ERR_LIMIT);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_command_words),
        cmocka_unit_test(test_policy_command_refusals_have_columns),
        cmocka_unit_test(test_policy_command_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

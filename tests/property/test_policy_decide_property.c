// Laws of decide(): quoting cannot matter, an added deny never allows, an added list never allows, a compound command
// is as denied as its worst part, and text and argv agree.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "policy/command.h"
#include "policy/policy_cases.h"

#include <stdint.h>
#include <string.h>

enum { ROUNDS = 20000 };

static const char *const WORDS[] = {"cargo", "git",   "test", "build", "push", "--release", "-p",     "x y",
                                    "a;b",   "$HOME", "*",    "'",     "\"",   "\\",        "rm",     "timeout",
                                    "5",     "perf",  "stat", "sh",    "-c",   "../../x",   "/etc/x", "{a,b}",
                                    "#",     "~",     "ü",    "`id`",  "log",  "env"};
static const char *const RULES[] = {"Bash(cargo *)",    "Bash(git log *)", "Bash(git * push)",
                                    "Bash(cargo test)", "Bash(perf *)",    "Bash",
                                    "Bash(rm*)",        "Bash(env *)",     "Read"};
static const struct policy_context CONTEXT = {.workspace = "/ws"};
static uint64_t seed = 42;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 33) % n);
}

static struct policy *random_policy(void)
{
    struct err err = {0};
    struct policy *p = policy_new("p");
    for (unsigned n = 1 + pick(3); n > 0; n--)
        assert_ok(policy_allow(p, RULES[pick(ARRAY_LEN(RULES))], "f", 1, &err), &err);
    if (pick(3) == 0)
        assert_ok(policy_deny(p, RULES[pick(ARRAY_LEN(RULES))], "f", 2, &err), &err);
    return p;
}

static size_t random_argv(const char *argv[8])
{
    size_t n = 1 + pick(6);
    for (size_t i = 0; i < n; i++)
        argv[i] = WORDS[pick(ARRAY_LEN(WORDS))];
    argv[n] = NULL;
    return n;
}

// Each word in single quotes, or in double quotes with escapes.
static void quote(const char *const *argv, struct buf *ret)
{
    for (size_t i = 0; argv[i]; i++) {
        bool twice = strchr(argv[i], '\'') || pick(2);
        buf_str_add(ret, i ? " " : "");
        buf_char(ret, twice ? '"' : '\'');
        for (const char *s = argv[i]; *s; s++) {
            if (twice && strchr("\"\\$`", *s))
                buf_char(ret, '\\');
            buf_char(ret, *s);
        }
        buf_char(ret, twice ? '"' : '\'');
    }
}

static void test_policy_decide_text_and_argv_agree(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const char *argv[8];
        struct decision by_text, by_argv;
        struct buf text = BUF_INIT;
        struct policy *p = random_policy();
        random_argv(argv);
        quote(argv, &text);
        decide_command(p, &CONTEXT, buf_str(&text), &by_text);
        decide_argv(p, &CONTEXT, argv, NULL, &by_argv);
        if (by_text.verdict != by_argv.verdict && strcmp(argv[0], "cd") != 0)
            fail_msg("%s: text %s (%s), argv %s (%s)", buf_str(&text), policy_verdict_name(by_text.verdict),
                     by_text.reason, policy_verdict_name(by_argv.verdict), by_argv.reason);
        buf_free(&text);
        policy_free(p);
    }
}

static void test_policy_decide_more_rules_against_it_never_allow(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const char *argv[8];
        struct decision before, after;
        struct err err = {0};
        struct policy *p = random_policy();
        random_argv(argv);
        decide_argv(p, &CONTEXT, argv, NULL, &before);
        unsigned more = pick(4);
        if (more == 0)
            assert_ok(policy_deny(p, RULES[pick(ARRAY_LEN(RULES))], "f", 9, &err), &err);
        else
            policy_next_list(p); // every call must also be allowed by it
        for (; more > 1; more--)
            assert_ok(policy_allow(p, RULES[pick(ARRAY_LEN(RULES))], "f", 10, &err), &err);
        decide_argv(p, &CONTEXT, argv, NULL, &after);
        if (before.verdict == POLICY_DENY)
            assert_int_equal(after.verdict, POLICY_DENY);
        policy_free(p);
    }
}

static void test_policy_decide_compound_is_as_denied_as_its_parts(void **state)
{
    (void)state;
    static const char *const JOINS[] = {" && ", " || ", "; ", " | ", "\n"};
    for (int i = 0; i < ROUNDS; i++) {
        const char *argv[2][8];
        struct decision part[2], whole;
        struct buf text = BUF_INIT;
        struct policy *p = random_policy();
        for (size_t k = 0; k < 2; k++) {
            random_argv(argv[k]);
            decide_argv(p, &CONTEXT, argv[k], NULL, &part[k]);
            buf_str_add(&text, k ? JOINS[pick(ARRAY_LEN(JOINS))] : "");
            quote(argv[k], &text);
        }
        decide_command(p, &CONTEXT, buf_str(&text), &whole);
        bool denied = part[0].verdict == POLICY_DENY || part[1].verdict == POLICY_DENY;
        assert_int_equal(whole.verdict == POLICY_DENY, denied);
        bool plain = part[0].verdict == POLICY_ALLOW && part[1].verdict == POLICY_ALLOW;
        assert_int_equal(whole.verdict == POLICY_ALLOW, plain);
        buf_free(&text);
        policy_free(p);
    }
}

static void test_policy_decide_parsed_words_survive_quoting(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const char *argv[8];
        struct buf text = BUF_INIT;
        struct command *c = NULL;
        struct err err = {0};
        size_t n = random_argv(argv);
        quote(argv, &text);
        if (command_parse(buf_str(&text), text.len, &c, &err) == 0) {
            assert_int_equal(c->count, 1);
            assert_int_equal(c->stages[0].argc, n);
            for (size_t k = 0; k < n; k++)
                assert_string_equal(c->stages[0].argv[k], argv[k]);
            command_free(c);
        } else { // only a program's name may be refused when everything is quoted
            assert_true((unsigned char)argv[0][0] >= 0x80);
        }
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_decide_text_and_argv_agree),
        cmocka_unit_test(test_policy_decide_more_rules_against_it_never_allow),
        cmocka_unit_test(test_policy_decide_compound_is_as_denied_as_its_parts),
        cmocka_unit_test(test_policy_decide_parsed_words_survive_quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// orchestrator/main: the parser of the command line on a table of this test's own is not possible (the table is the
// program's), so it is tested with the commands that only look: their exit status and what they print. And the names of
// runs.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "main/cli.h"
#include "main/commands.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct said {
    int status;
    char *out, *err;
};

static char *take(FILE *f)
{
    long n = ftell(f);
    char *text = mem_alloc((size_t)n + 1);
    rewind(f);
    assert_int_equal(fread(text, 1, (size_t)n, f), (size_t)n);
    fclose(f);
    return text;
}

// Runs the command with standard output and error in files.
static struct said run(const char *const *words)
{
    const char *argv[32] = {"baton"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = words[argc - 1];
    FILE *out = tmpfile(), *err = tmpfile();
    fflush(stdout);
    fflush(stderr);
    int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    char **mutable_argv;
    const char **source = argv;
    memcpy(&mutable_argv, &source, sizeof(mutable_argv)); // argv of main is not const, and nothing is changed
    struct said s = {.status = cli_main(argc, mutable_argv)};
    fflush(stdout);
    fflush(stderr);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(old_out);
    close(old_err);
    fseek(out, 0, SEEK_END);
    fseek(err, 0, SEEK_END);
    s.out = take(out);
    s.err = take(err);
    return s;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void done(struct said s, int status, const char *out, const char *err)
{
    if (s.status != status || (out && !strstr(s.out, out)) || (err && !strstr(s.err, err)))
        fail_msg("exit %d instead of %d\n--- out\n%s--- err\n%s", s.status, status, s.out, s.err);
    mem_free(s.out);
    mem_free(s.err);
}

#define POLICY "policy", "check"

static void test_options_in_every_form(void **state)
{
    (void)state;
    done(RUN(POLICY, "--tools", "Read", "--tool", "Read", "--input", "x"), 0, "allow", NULL);
    done(RUN(POLICY, "--tools=Read", "--tool=Read", "--input=x"), 0, "allow", NULL);
    done(RUN(POLICY, "--tools=Edit", "--tools=Read", "--tool=Read", "--input=x"), 0, "allow",
         NULL); // the last one counts
    done(RUN(POLICY, "--tools=Bash(echo *)", "--tool=Bash", "--input", "--help"), 6, "deny",
         NULL); // a value may look like an option
    done(RUN(POLICY, "--tools=Read", "--tool=Read", "--input="), 6, NULL, NULL);
}

static void test_usage_errors_say_what_is_wrong(void **state)
{
    (void)state;
    done(RUN("nope"), 2, NULL, "unknown command 'nope'");
    done(RUN("runs", "--nope"), 2, NULL, "unknown option '--nope'");
    done(RUN("runs", "-zope"), 2, NULL, "unknown option '-zope'");
    done(RUN("runs", "-nope"), 2, NULL, "--limit 'ope'"); // -n has a value
    done(RUN("tune", "-qn"), 2, NULL, "unknown option '-qn'"); // flags stand alone
    done(RUN("runs", "--limit"), 2, NULL, "option '--limit' needs a value");
    done(RUN("runs", "--json=yes"), 2, NULL, "option '--json' takes no value");
    done(RUN("runs", "more"), 2, NULL, "unexpected argument 'more'");
    done(RUN("run"), 2, NULL, "missing argument: WORKFLOW");
    done(RUN("runs", "--", "--json"), 2, NULL, "unexpected argument '--json'"); // behind "--" nothing is an option
    done(RUN("runs", "--limit", "0"), 2, NULL, "--limit '0'");
    done(RUN("policy"), 2, NULL, NULL);
    done(RUN("policy", "nope"), 2, NULL, NULL);
}

static void test_format_signs_in_words_are_text(void **state)
{
    (void)state;
    done(RUN("%s%s%n"), 2, NULL, "unknown command '%s%s%n'");
    done(RUN("runs", "--%s%n"), 2, NULL, "unknown option '--%s%n'");
}

static void test_help(void **state)
{
    (void)state;
    done(RUN("--help"), 0, "commands", NULL);
    done(RUN("-h"), 0, "commands", NULL);
    done(RUN("--version"), 0, "baton ", NULL);
    done(RUN("help", "policy", "check"), 0, "--cases", NULL);
    done(RUN("tune", "--nope", "--help"), 2, NULL, "--nope");
    for (const struct cli_command *c = CLI_COMMANDS; c->name; c++) {
        char **words = str_split(c->name, " ", true, NULL);
        struct said s = words[1] ? RUN(words[0], words[1], "--help") : RUN(words[0], "--help");
        assert_int_equal(s.status, 0);
        assert_non_null(strstr(s.out, c->name));
        assert_non_null(strstr(s.out, c->examples[0]));
        for (const struct cli_option *o = c->options; o && o->name; o++)
            assert_non_null(strstr(s.out, o->name));
        mem_free(s.out);
        mem_free(s.err);
        str_list_free(words);
    }
}

// --- names of runs ---

static void add_run(struct store *store, const char *id)
{
    struct err err;
    char ret[STORE_NAME_MAX];
    AUTO_JSON json_t *empty = json_object();
    struct store_run r = {.id = id,
                          .workflow = "w",
                          .script_hash = "0000000000000000000000000000000000000000000000000000000000000000",
                          .project = "/p",
                          .caller = "test",
                          .params = empty,
                          .agents = empty,
                          .options = empty};
    assert_ok(store_run_create(store, &r, ret, &err), &err);
}

static void assert_run(struct store *store, const char *word, const char *expected)
{
    char *found = NULL;
    struct err err;
    int r = commands_find_run(store, word, &found, &err);
    if (!expected) {
        assert_true(r < 0);
        return;
    }
    assert_ok(r, &err);
    assert_string_equal(found, expected);
    mem_free(found);
}

static void test_find_run(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    struct store *store = NULL;
    struct err err;
    assert_ok(store_open(dir, &store, &err), &err);
    assert_run(store, "last", NULL);
    add_run(store, "relay-abc123");
    add_run(store, "relay-abd456");
    add_run(store, "relay");
    add_run(store, "echo-zzz999");
    assert_run(store, "last", "echo-zzz999");
    assert_run(store, "relay-abc123", "relay-abc123");
    assert_run(store, "relay-abc", "relay-abc123");
    assert_run(store, "abd456", "relay-abd456");
    assert_run(store, "relay", "relay"); // a whole id, though it begins others
    assert_run(store, "relay-ab", NULL);
    assert_run(store, "nothing", NULL);
    char *found = NULL;
    assert_int_equal(commands_find_run(store, "relay-ab", &found, &err), -ERR_INVALID);
    assert_non_null(strstr(err.text, "relay-abc123"));
    assert_non_null(strstr(err.text, "relay-abd456"));
    assert_int_equal(commands_find_run(store, "", &found, &err), -ERR_INVALID);
    store_close(store);
    test_remove(dir);
}

int main(void)
{
    char *dir = test_temp_dir();
    setenv("BATON_STATE", dir, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_in_every_form),
        cmocka_unit_test(test_usage_errors_say_what_is_wrong),
        cmocka_unit_test(test_format_signs_in_words_are_text),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_find_run),
    };
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    test_remove(dir);
    return r;
}

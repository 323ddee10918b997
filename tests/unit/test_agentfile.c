// proto/agentfile: files as people write them. Real files first, then one trap after another.
#include "support/support.h"

#include "agentfile/agentfile.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

static struct agentfile *read_text(const char *text)
{
    return agentfile_examine("dir/some-file.md", text, strlen(text));
}

static bool noted(const struct agentfile *f, enum agent_level level, int line, const char *part)
{
    for (size_t i = 0; i < f->diagnostics.len; i++)
        if (f->diagnostics.items[i].level == level && (!line || f->diagnostics.items[i].line == line) &&
            str_has_nocase(f->diagnostics.items[i].text, part))
            return true;
    return false;
}

static char *joined_tools(const struct agentfile *f)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < f->tools.len; i++)
        buf_printf(&b, "%s%s", i ? " | " : "", f->tools.items[i].text);
    return buf_steal(&b);
}

// ---- real files ----

static void check_real(const char *const *column)
{
    char *relative = str_printf("tests/fixtures/agentfile/corpus/%s", column[0]);
    char *path = test_source_path(relative);
    struct agentfile *f = agentfile_examine_path(path);
    if (!str_eq(agent_mode_name(f->mode), column[1]) || !str_eq(f->name ? f->name : "-", column[2]) ||
        !str_eq(agent_tools_state_name(f->tools_state), column[3]))
        fail_msg("%s: %s '%s' %s", column[0], agent_mode_name(f->mode), f->name,
                 agent_tools_state_name(f->tools_state));
    int64_t tools = 0, line = 0;
    assert_true(str_to_i64(column[4], &tools) && str_to_i64(column[5], &line));
    assert_int_equal(f->tools.len, tools);
    assert_int_equal(f->body_line, line);
    bool has_error = noted(f, AGENT_ERROR, 0, "") || noted(f, AGENT_INFO, 0, "no frontmatter");
    assert_int_equal(f->mode == AGENT_MODE_NONE, has_error);
    if (f->mode == AGENT_MODE_TOLERANT || f->mode == AGENT_MODE_QUOTED)
        assert_true(noted(f, AGENT_WARNING, 0, "not valid YAML"));
    agentfile_free(f);
    mem_free(path);
    mem_free(relative);
}

static void test_agentfile_reads_the_corpus(void **state)
{
    (void)state;
    char *path = test_source_path("tests/fixtures/agentfile/expected.tsv");
    char *text = test_read(path);
    size_t n;
    char **lines = str_split(text, "\n", true, &n);
    assert_true(n > 30);
    for (size_t i = 1; i < n; i++) {
        size_t columns;
        char **column = str_split(lines[i], "\t", false, &columns);
        assert_int_equal(columns, 6);
        check_real((const char *const *)column);
        str_list_free(column);
    }
    str_list_free(lines);
    mem_free(text);
    mem_free(path);
}

static void test_agentfile_reads_the_seed_under_any_name(void **state)
{
    (void)state;
    char *path = test_source_path("tests/fixtures/agentfile/seed-family/04-rust-performance-engineer.md");
    char *text = test_read(path);
    struct agentfile *f = NULL;
    struct err err;
    assert_int_equal(strlen(text), 4723);
    assert_ok(agentfile_parse("whatever", text, strlen(text), &f, &err), &err);
    assert_int_equal(f->mode, AGENT_MODE_YAML);
    assert_string_equal(f->name, "rust-performance-engineer");
    assert_true(f->name_declared);
    assert_string_equal(f->model, "opus");
    assert_string_equal(f->color, "yellow");
    assert_int_equal(f->skills.len, 1);
    assert_string_equal(f->skills.items[0], "rust-agent-handoff");
    assert_int_equal(f->tools_state, AGENT_TOOLS_LIST);
    assert_int_equal(f->tools.len, 13);
    assert_string_equal(f->tools.items[2].text, "Bash(cargo *)");
    assert_string_equal(f->tools.items[2].name, "Bash");
    assert_string_equal(f->tools.items[2].spec, "cargo *");
    assert_string_equal(f->tools.items[2].key, "allowed-tools");
    assert_int_equal(f->tools.items[2].line, 11);
    assert_int_equal(f->delegates.len, 4);
    assert_string_equal(f->delegates.items[3], "rust-cicd-devops");
    assert_int_equal(f->focus.len, 4);
    assert_string_equal(f->focus.items[1].focus, "Benchmark and optimize");
    assert_int_equal(f->chains.len, 1);
    assert_int_equal(f->chains.items[0].steps.len, 4);
    assert_true(f->chains.items[0].steps.items[1].self);
    assert_false(f->chains.items[0].steps.items[2].self);
    assert_int_equal(strncmp(text + f->body_offset, "\nYou are an expert", 18), 0);
    assert_true(agentfile_may_ask_for(f, "rust-agents:rust-developer"));
    assert_false(agentfile_may_ask_for(f, "rust-debugger"));
    assert_string_equal(agentfile_focus_after(f, "review")->focus, "Profile specific code");
    assert_null(agentfile_focus_after(f, "rust-architect"));
    assert_null(agentfile_focus_after(f, NULL));
    for (size_t i = 0; i < f->diagnostics.len; i++)
        assert_int_equal(f->diagnostics.items[i].level, AGENT_INFO);
    agentfile_free(f);
    mem_free(text);
    mem_free(path);
}

static void test_agentfile_json_has_the_agreed_form(void **state)
{
    (void)state;
    struct agentfile *f =
        read_text("---\nname: a\ndescription: d\ntools: Read, Task(b)\ndisallowedTools: Write\nmemory: user\n"
                  "maxTurns: 15\n---\n# Typical Workflow Chains\n```\nb -> [a] -> b\n```\n"
                  "| Previous Agent | Expected Context | Focus |\n|---|---|---|\n| b | c | d |\n");
    json_t *j = agentfile_to_json(f);
    char *text = json_compact(j);
    assert_string_equal(text,
                        "{\"name\":\"a\",\"file\":\"dir/some-file.md\",\"description\":\"d\",\"model\":null,"
                        "\"tools\":[\"Read\",\"Task(b)\"],\"delegates\":[\"b\"],"
                        "\"focus\":[{\"previous\":\"b\",\"context\":\"c\",\"focus\":\"d\"}],"
                        "\"chains\":[[\"b\",\"a\",\"b\"]],\"mode\":\"yaml\",\"diagnostics\":[],"
                        "\"tools_state\":\"list\",\"disallowed_tools\":[\"Write\"],\"grants\":null,\"attenuate\":false,"
                        "\"network\":null,"
                        "\"extra\":{\"memory\":\"user\",\"maxTurns\":15}}");
    assert_int_equal(f->max_turns, 15);
    assert_string_equal(f->memory, "user");
    mem_free(text);
    json_decref(j);
    agentfile_free(f);
}

// ---- fences and line ends ----

static void check_agent(const char *text, const char *name, const char *tools, const char *body)
{
    struct agentfile *f = read_text(text);
    if (f->mode == AGENT_MODE_NONE)
        fail_msg("%s: %s", text, f->diagnostics.items[0].text);
    assert_string_equal(f->name, name);
    char *have = joined_tools(f);
    assert_string_equal(have, tools);
    assert_string_equal(text + f->body_offset, body);
    mem_free(have);
    agentfile_free(f);
}

static void test_agentfile_fences(void **state)
{
    (void)state;
    check_agent("---\nname: a\ntools: Read\n---\nBody\n", "a", "Read", "Body\n");
    check_agent("\xEF\xBB\xBF---\nname: a\ntools: Read\n---\nBody", "a", "Read", "Body");
    check_agent("---\r\nname: a\r\ntools: Read\r\n---\r\nBody\r\n", "a", "Read", "Body\r\n");
    check_agent("---\rname: a\rtools: Read\r---\rBody\r", "a", "Read", "Body\r");
    check_agent("\n\n  ---\n  name: a\n  tools: Read\n  ---\n  Body\n", "a", "Read", "  Body\n");
    check_agent("-----\nname: a\ntools: Read\n---------   \nBody", "a", "Read", "Body");
    check_agent("---\nname: a\ntools: Read\n...\nBody\n---\n", "a", "Read", "Body\n---\n");
    check_agent("---\nname: a\ntools: Read\n...\n---\nBody\n", "a", "Read", "Body\n");
    check_agent("---\nname: a\ndescription: |\n  x\n  ---\n  y\ntools: Read\n---\nBody\n", "a", "Read", "Body\n");
    check_agent("---\nname: a\ntools: Read\n---", "a", "Read", "");
    check_agent("---\n---\nBody", "some-file", "", "Body");
    check_agent("---\nname: a\ntools: Read", "a", "Read", "");
    check_agent("---\nname: a\ntools: Read\n\nYou are: x\n", "a", "Read", "You are: x\n");
    check_agent("---\nname: a\ntools: Read\n\nYou do things.\nNote: x\n", "a", "Read", "You do things.\nNote: x\n");
    check_agent("---\nname: a\n# A Title\ntools: Read\n\n## Part\nProse text.\n\n---\nmore\n", "a", "Read",
                "## Part\nProse text.\n\n---\nmore\n");
    check_agent("---\nname: a\ndescription: one: two\n# comment\ntools: Read\n---\nBody\n", "a", "Read", "Body\n");
}

static void test_agentfile_without_frontmatter_is_no_agent(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "# Title\n\nText\n",
                                        "---\n# Title\n\nProse here.\n---\n",
                                        "Text\n---\nname: a\n---\n",
                                        "---",
                                        "---\n- a\n- b\n---\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct agentfile *f = read_text(texts[i]);
        if (f->mode != AGENT_MODE_NONE || !noted(f, AGENT_ERROR, 0, ""))
            fail_msg("%zu: %s", i, texts[i]);
        assert_null(f->name);
        agentfile_free(f);
        struct err err = {0};
        assert_int_equal(agentfile_parse("x.md", texts[i], strlen(texts[i]), &f, &err), -ERR_PARSE);
        assert_true(str_starts(err.text, "x.md:"));
    }
    struct agentfile *f = agentfile_examine("agents/README.md", "# Agents\n", 9);
    assert_int_equal(f->mode, AGENT_MODE_NONE);
    assert_int_equal(f->diagnostics.items[0].level, AGENT_INFO);
    agentfile_free(f);
}

static void test_agentfile_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct agentfile *f = agentfile_examine("x.md", "---\nname: a\0b\n---\n", 18);
    assert_true(noted(f, AGENT_ERROR, 2, "NUL"));
    agentfile_free(f);
    f = read_text("---\nname: a\n---\ncaf\xE9 au lait and more text\n");
    assert_true(noted(f, AGENT_ERROR, 4, "UTF-8"));
    agentfile_free(f);
    f = agentfile_examine("x.md", "\xFF\xFE-\0-\0", 6);
    assert_true(noted(f, AGENT_ERROR, 1, "UTF-16"));
    agentfile_free(f);
    size_t big = (size_t)10 << 20;
    char *text = mem_alloc(big);
    memset(text, 'x', big);
    f = agentfile_examine("x.md", text, big);
    assert_true(noted(f, AGENT_ERROR, 1, "10485760"));
    agentfile_free(f);
    struct err err = {0};
    assert_int_equal(agentfile_parse("x.md", text, big, &f, &err), -ERR_LIMIT);
    mem_free(text);
}

// ---- values ----

static void test_agentfile_names(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name;
        bool declared;
        enum agent_level level;
        const char *note;
    } table[] = {
        {"name: 123", "123", true, AGENT_INFO, "read as text"},
        {"name: yes", "yes", true, AGENT_INFO, "read as text"},
        {"name: 'x y'", "x y", true, AGENT_INFO, "no list of tools"},
        {"name: null", "some-file", false, AGENT_WARNING, "no value"},
        {"name:", "some-file", false, AGENT_WARNING, "no value"},
        {"name: \"\"", "some-file", false, AGENT_WARNING, "cannot be used"},
        {"name: [a]", "a", true, AGENT_INFO, "list"},
        {"name: {a: b}", "some-file", false, AGENT_WARNING, "map"},
        {"name: a:b", "a:b", true, AGENT_WARNING, "':'"},
        {"name: -a", "-a", true, AGENT_WARNING, "'-'"},
        {"title: x", "some-file", false, AGENT_WARNING, "no name"},
        {"Name: a", "a", true, AGENT_WARNING, "'Name' is read as 'name'"},
        {"name:\ta", "a", true, AGENT_INFO, "no list"},
        {"name : a", "a", true, AGENT_INFO, "no list"},
        {"name:a", "a", true, AGENT_WARNING, "not valid YAML"},
        {"name: >-\n  a\n  b", "a b", true, AGENT_INFO, "no list"},
        {"name: a\nname: b", "b", true, AGENT_WARNING, "twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *text = str_printf("---\n%s\ndescription: d\n---\n", table[i].line);
        struct agentfile *f = read_text(text);
        if (!str_eq(f->name, table[i].name) || f->name_declared != table[i].declared ||
            !noted(f, table[i].level, 0, table[i].note))
            fail_msg("%s: '%s' (%s)", table[i].line, f->name, f->diagnostics.len ? f->diagnostics.items[0].text : "");
        agentfile_free(f);
        mem_free(text);
    }
}

static void test_agentfile_broken_yaml(void **state)
{
    (void)state;
    struct agentfile *f = read_text("---\nname: a\ndescription: Use when: things, 'x' and #1\ntools: Read\n---\nB\n");
    assert_int_equal(f->mode, AGENT_MODE_QUOTED);
    assert_string_equal(f->description, "Use when: things, 'x' and #1");
    assert_true(noted(f, AGENT_WARNING, 3, "not valid YAML"));
    agentfile_free(f);
    f = read_text(
        "---\nname: a\ndescription: One. Examples:\n<example>\nContext: c\nuser: \"hi\"\nassistant: ok\n\n</example>\n"
        "tools: Read, Bash(git *)\nmodel: opus\n---\nB\n");
    assert_int_equal(f->mode, AGENT_MODE_TOLERANT);
    assert_true(str_starts(f->description, "One. Examples:\n<example>\nContext: c"));
    assert_true(str_ends(f->description, "</example>"));
    assert_string_equal(f->model, "opus");
    assert_int_equal(f->tools.len, 2);
    agentfile_free(f);
    f = read_text(
        "---\nname: a\ndescription: \"He said \"no\" and left\"\ncolor: #FF6B35\ntools:\n\t- Read\n\t- Write\n---\n");
    assert_int_equal(f->mode, AGENT_MODE_TOLERANT);
    assert_string_equal(f->description, "He said \"no\" and left");
    assert_string_equal(f->color, "#FF6B35");
    assert_true(noted(f, AGENT_WARNING, 4, "comment"));
    assert_int_equal(f->tools.len, 2);
    assert_true(noted(f, AGENT_INFO, 6, "tab"));
    agentfile_free(f);
}

// ---- tools ----

struct shape {
    const char *front;
    enum agent_tools_state state;
    const char *tools;
};

static void test_agentfile_tool_shapes(void **state)
{
    (void)state;
    static const struct shape table[] = {
        {"", AGENT_TOOLS_ABSENT, ""},
        {"tools:", AGENT_TOOLS_BLANK, ""},
        {"tools: \"\"", AGENT_TOOLS_BLANK, ""},
        {"tools: []", AGENT_TOOLS_EMPTY, ""},
        {"tools: '*'", AGENT_TOOLS_ALL, ""},
        {"tools: *", AGENT_TOOLS_ALL, ""},
        {"tools: [\"*\"]", AGENT_TOOLS_ALL, ""},
        {"tools: Read", AGENT_TOOLS_LIST, "Read"},
        {"tools: Read, Write ,Bash(git diff:*, git log:*),", AGENT_TOOLS_LIST,
         "Read | Write | Bash(git diff:*, git log:*)"},
        {"tools: Read Write Bash(git log *)", AGENT_TOOLS_LIST, "Read | Write | Bash(git log *)"},
        {"tools: \"Read\", \"Write\"", AGENT_TOOLS_LIST, "Read | Write"},
        {"tools: [Agent(a, b), Read]", AGENT_TOOLS_LIST, "Agent(a, b) | Read"},
        {"tools: [\"Bash(git diff:*, git log:*)\", 'Read']", AGENT_TOOLS_LIST, "Bash(git diff:*, git log:*) | Read"},
        {"tools:\n  [\n    \"Read\",\n    Write\n  ]", AGENT_TOOLS_LIST, "Read | Write"},
        {"tools: [Read,\n  Write]", AGENT_TOOLS_LIST, "Read | Write"},
        {"tools:\n- Read\n- Bash(cargo *)", AGENT_TOOLS_LIST, "Read | Bash(cargo *)"},
        {"tools:\n  - Bash(git: *)\n  - Bash(RUST_BACKTRACE=* *)", AGENT_TOOLS_LIST,
         "Bash(git: *) | Bash(RUST_BACKTRACE=* *)"},
        {"tools: |\n  - Read\n  - Write", AGENT_TOOLS_LIST, "Read | Write"},
        {"tools: >\n  Read,\n  Write", AGENT_TOOLS_LIST, "Read | Write"},
        {"tools:\n  allow: [read, Bash(cargo *)]\n  deny: [Write]", AGENT_TOOLS_LIST, "read | Bash(cargo *)"},
        {"tools:\n  bash: true\n  write: false", AGENT_TOOLS_LIST, "bash"},
        {"tools:\n  write: false", AGENT_TOOLS_ABSENT, ""},
        {"allowed-tools: Read", AGENT_TOOLS_LIST, "Read"},
        {"allowedTools: [Read]", AGENT_TOOLS_LIST, "Read"},
        {"allowed_tools: Read", AGENT_TOOLS_LIST, "Read"},
        {"Allowed Tools: Read", AGENT_TOOLS_LIST, "Read"},
        {"tool: Read", AGENT_TOOLS_LIST, "Read"},
        {"tools: Read, Write\nallowed-tools: Write, Grep", AGENT_TOOLS_LIST, "Write"},
        {"tools: Read, Write\ntools: Write", AGENT_TOOLS_LIST, "Write"},
        {"tools: Bash, Read\nallowed-tools: Bash(git *)", AGENT_TOOLS_LIST, "Bash(git *)"},
        {"tools: Bash(git *)\nallowed-tools: Bash(git log *), Bash(gitk)", AGENT_TOOLS_LIST, "Bash(git log *)"},
        {"tools: Task(a, b)\nallowed-tools: Agent(b, c)", AGENT_TOOLS_LIST, "Task(b) | Agent(b)"},
        {"tools: '*'\nallowed-tools: Read", AGENT_TOOLS_LIST, "Read"},
        {"tools: []\nallowed-tools: Read", AGENT_TOOLS_EMPTY, ""},
        {"tools: Read\nallowed-tools: Write", AGENT_TOOLS_LIST, ""},
        {"tools: Bash(git *, Read", AGENT_TOOLS_LIST, "Bash(git *, Read"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *text = str_printf("---\nname: a\ndescription: d\n%s\n---\nBody\n", table[i].front);
        struct agentfile *f = read_text(text);
        char *tools = joined_tools(f);
        if (f->tools_state != table[i].state || !str_eq(tools, table[i].tools))
            fail_msg("%s: %s [%s]", table[i].front, agent_tools_state_name(f->tools_state), tools);
        mem_free(tools);
        mem_free(text);
        agentfile_free(f);
    }
}

static void test_agentfile_delegates(void **state)
{
    (void)state;
    struct agentfile *f =
        read_text("---\nname: a\ntools: Task(x), Agent(y, p:z), Agent(x), Read\ndisallowedTools: Agent(y)\n---\n");
    assert_int_equal(f->delegates.len, 2);
    assert_string_equal(f->delegates.items[0], "x");
    assert_string_equal(f->delegates.items[1], "p:z");
    assert_false(f->delegates_any);
    assert_int_equal(f->disallowed.len, 1);
    agentfile_free(f);
    f = read_text("---\nname: a\ntools: Task\n---\n");
    assert_true(f->delegates_any);
    assert_true(agentfile_may_ask_for(f, "anybody"));
    agentfile_free(f);
}

static void test_agentfile_lint(void **state)
{
    (void)state;
    struct agentfile *f =
        read_text("---\nname: a\nmodel: gpt-9\ncolor: teal\nvibe: x\n"
                  "tools: Read, Write(src/**), Foo, Read, mcp__*, Write\ndisallowedTools: Write\n---\n");
    assert_true(noted(f, AGENT_WARNING, 0, "no description"));
    assert_true(noted(f, AGENT_INFO, 3, "gpt-9"));
    assert_true(noted(f, AGENT_INFO, 4, "teal"));
    assert_true(noted(f, AGENT_INFO, 5, "vibe"));
    assert_true(noted(f, AGENT_WARNING, 6, "'Foo'"));
    assert_true(noted(f, AGENT_WARNING, 6, "Edit(src/**)"));
    assert_true(noted(f, AGENT_INFO, 6, "'Read' stands twice"));
    assert_true(noted(f, AGENT_WARNING, 6, "server must be named"));
    assert_true(noted(f, AGENT_WARNING, 6, "both allowed and denied"));
    agentfile_free(f);
    struct buf b = BUF_INIT;
    buf_str_add(&b, "---\nname: a\ndescription: ");
    for (int i = 0; i < 1025; i++)
        buf_str_add(&b, "ü");
    buf_str_add(&b, "\nallowed-tools: Read\n---\n");
    f = read_text(buf_str(&b));
    assert_true(noted(f, AGENT_INFO, 3, "1025"));
    assert_true(noted(f, AGENT_INFO, 4, "restricts"));
    agentfile_free(f);
    buf_free(&b);
}

static void check_refused(const char *line, const char *part)
{
    char *text = str_printf("---\nname: a\ndescription: d\n%s\ntools: Read\n---\n", line);
    struct agentfile *f = NULL;
    struct err err;
    if (agentfile_parse("x.md", text, strlen(text), &f, &err) == 0)
        fail_msg("%s loads", line);
    if (!str_starts(err.text, "x.md:4: ") || !str_has_nocase(err.text, part))
        fail_msg("%s: %s", line, err.text);
    mem_free(text);
}

static void test_agentfile_near_misses_of_restrictions_are_errors(void **state)
{
    (void)state;
    static const char *const ROWS[][2] = {{"disallowTools: Read(src/**)", "'disallowedTools'"},
                                          {"denyTools: Read", "'disallowedTools'"},
                                          {"deny: Read", "'disallowedTools'"},
                                          {"disalowed-tools: Read", "'disallowedTools'"},
                                          {"alowed-tools: Read", "'allowed-tools'"},
                                          {"allow: Read", "'allowed-tools'"},
                                          {"toosl: Read", "'tools'"},
                                          {"grant: Read", "'grants'"},
                                          {"atenuate: true", "'attenuate'"},
                                          {"netwrok: none", "'network'"},
                                          {"attenuate: maybe", "expected true or false"},
                                          {"attenuate:", "expected true or false"}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        check_refused(ROWS[i][0], ROWS[i][1]);
    struct agentfile *f = read_text("---\nname: a\ndescription: d\ntags: x\ntodos: y\nframework: z\npermission: ask\n"
                                    "disallowed_tools: Read(src/**)\nattenuate: yes\ngrants: Read\n---\n");
    assert_int_equal(f->mode, AGENT_MODE_YAML);
    assert_int_equal(f->disallowed.len, 1);
    json_t *j = agentfile_to_json(f);
    assert_true(json_flag(j, "attenuate", false));
    assert_int_equal(json_array_size(json_list(j, "grants")), 1);
    assert_null(json_object_get(json_obj(j, "extra"), "grants"));
    json_decref(j);
    agentfile_free(f);
}

static void check_network(const char *lines, const char *expected, int line)
{
    char *text = str_printf("---\nname: a\ndescription: d\ntools: Read\n%s---\n", lines);
    struct err err;
    struct agentfile *f = NULL;
    assert_ok(agentfile_parse("a.md", text, strlen(text), &f, &err), &err);
    assert_true(str_eq(agent_network_name(f->network), expected));
    assert_int_equal(f->network_line, line);
    assert_int_equal(noted(f, AGENT_WARNING, line, "talk to whatever this machine can reach"),
                     str_eq(expected, "host"));
    agentfile_free(f);
    mem_free(text);
}

static void test_agentfile_network(void **state)
{
    (void)state;
    static const char *const BAD[] = {"network: internet\n",         "network:\n",
                                      "network: [lo, host]\n",       "network: HOST\n",
                                      "network: lo\nnetwork: all\n", "description: x: y: z\nnetwork: any\n"};
    check_network("", NULL, 0);
    check_network("network: none\n", "none", 5);
    check_network("network: lo\n", "lo", 5);
    check_network("model: x\nnetwork: host\n", "host", 6);
    check_network("Network: 'none'\n", "none", 5);
    check_network("network: none\nnetwork: host\n", "none", 5); // said twice: the narrower one
    check_network("network: host\nnetwork: none\n", "none", 6);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        char *text = str_printf("---\nname: a\ntools: Read\n%s---\n", BAD[i]);
        struct err err;
        struct agentfile *f = NULL;
        assert_int_equal(agentfile_parse("a.md", text, strlen(text), &f, &err), -ERR_PARSE);
        assert_true(str_starts(err.text, "a.md:"));
        assert_non_null(strstr(err.text, "expected none, lo or host"));
        mem_free(text);
    }
}

// ---- body ----

static void check_chains(const char *body, const char *expected)
{
    char *text = str_printf("---\nname: a\n---\n%s", body);
    struct agentfile *f = read_text(text);
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < f->chains.len; i++) {
        const struct agent_chain *c = &f->chains.items[i];
        buf_printf(&b, "%s%s:", i ? "\n" : "", c->title ? c->title : "");
        for (size_t k = 0; k < c->steps.len; k++)
            buf_printf(&b, " %s%s%s%s%s", c->steps.items[k].self ? "*" : "", c->steps.items[k].agent,
                       c->steps.items[k].note ? "(" : "", c->steps.items[k].note ? c->steps.items[k].note : "",
                       c->steps.items[k].note ? ")" : "");
    }
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
    agentfile_free(f);
    mem_free(text);
}

static void test_agentfile_chains(void **state)
{
    (void)state;
    check_chains("## Typical Workflow Chains\n\n```\nx → [a] → x (if changes) -> [a]\n```\n",
                 ": x *a x(if changes) *a");
    check_chains("## Typical Workflow Chains\n### 1. New thing\n```\n[a] --> b\n```\n### 2. Old\n```text\nc -> a\n```\n"
                 "## Other\n```\nq -> r\n```\n",
                 "New thing: *a b\nOld: c a");
    check_chains("Typical chains:\n- New Feature: x → **a** → p:y\n- **Bug Fix**: x → **a**\n\nProse.\n- q → r\n",
                 "New Feature: x *a p:y\nBug Fix: x *a");
    check_chains("**Typical chains:**\n- x → `a` (MANDATORY)\n", ": x a(MANDATORY)");
    check_chains("# Typical Workflow Chains\n```\nx skill → [a (audit)] → (findings) → y\n```\n",
                 ": x skill *a(audit; findings) y");
    check_chains("# Workflow Chains\n```\na →\n  b →\n  c\nd\n  -> e\n\n-> f\n```\n", ": a b c\n: d e");
    check_chains("# Workflow Chains\n```\na\n↓\n[b]\n↓\nc\n```\n", ": a *b c");
    check_chains("# Workflow Chains\n```\na -> b\n  -> c\n```\n", ": a b c");
    check_chains("# Steps\n- a → b\n```\nfn x() -> y\n```\n", "");
    check_chains("# Supply Chain\n- a → b\n", "");
}

static void test_agentfile_focus_tables(void **state)
{
    (void)state;
    struct agentfile *f =
        read_text("---\nname: a\n---\n```\n| Previous | Context | Focus |\n|---|---|---|\n| no | no | no |\n```\n"
                  "When called after another agent:\n\n| Previous | Expected Context | Critic Focus |\n|:--|--:|---|\n"
                  "| `rust-developer` | a \\| b | Check |\n| **x** or y | c | Z |\n| User (raw idea) | idea | All |\n| "
                  " | q | r |\n\n"
                  "| Other | Table |\n|---|---|\n| 1 | 2 |\n");
    assert_int_equal(f->focus.len, 3);
    assert_string_equal(f->focus.items[0].previous, "rust-developer");
    assert_string_equal(f->focus.items[0].expected_context, "a | b");
    assert_int_equal(f->focus.items[0].line, 13);
    assert_string_equal(agentfile_focus_after(f, "developer")->focus, "Check");
    assert_string_equal(agentfile_focus_after(f, "y")->focus, "Z");
    assert_string_equal(agentfile_focus_after(f, NULL)->focus, "All");
    assert_true(noted(f, AGENT_WARNING, 16, "without a previous agent"));
    agentfile_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agentfile_reads_the_corpus),
        cmocka_unit_test(test_agentfile_reads_the_seed_under_any_name),
        cmocka_unit_test(test_agentfile_json_has_the_agreed_form),
        cmocka_unit_test(test_agentfile_fences),
        cmocka_unit_test(test_agentfile_without_frontmatter_is_no_agent),
        cmocka_unit_test(test_agentfile_bytes_that_are_no_text),
        cmocka_unit_test(test_agentfile_names),
        cmocka_unit_test(test_agentfile_broken_yaml),
        cmocka_unit_test(test_agentfile_tool_shapes),
        cmocka_unit_test(test_agentfile_delegates),
        cmocka_unit_test(test_agentfile_lint),
        cmocka_unit_test(test_agentfile_near_misses_of_restrictions_are_errors),
        cmocka_unit_test(test_agentfile_network),
        cmocka_unit_test(test_agentfile_chains),
        cmocka_unit_test(test_agentfile_focus_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

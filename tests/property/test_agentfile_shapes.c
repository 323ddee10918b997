// The same agent written in every shape is the same agent. Models are random but the same in each run; BATON_SEED
// starts elsewhere.
#include "support/support.h"

#include "agentfile/agentfile.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS    3000
#define TOOLS_MAX 9

static uint64_t random_state = 20261122;

static uint32_t pick(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

struct model {
    char *name, *description;
    const char *tools[TOOLS_MAX];
    size_t n_tools;
    const char *model, *memory;
    size_t n_chain;
    const char *chain[6];
    bool self[6];
    size_t n_focus;
    const char *previous[4], *focus[4];
};

static const char *const tool_pool[] = {"Read",
                                        "Write",
                                        "Bash(cargo *)",
                                        "Bash(git diff:*, git log:*)",
                                        "Task(rust-developer)",
                                        "Agent(a, b)",
                                        "mcp__srv__do",
                                        "Grep",
                                        "Bash(RUST_BACKTRACE=* *)",
                                        "Edit(src/**)",
                                        "Bash(x (y) z)",
                                        "WebFetch(domain:a.b)",
                                        "Skill"};
static const char *const agents[] = {"rust-developer", "rust-code-reviewer", "p:helper", "tester", "x1"};
static const char *const words[] = {"use",        "when:",  "things",  "#1",    "fail",       "'quoted'",
                                    "\"double\"", "a - b",  "ünïcode", "→",     "[brackets]", "{x}",
                                    "*star*",     "`tick`", "100%",    "& more"};
static const char *const focus_words[] = {"Full review", "Profile specific code", "Fix it"};

static char *random_text(void)
{
    struct buf b = BUF_INIT;
    buf_str_add(&b, "Agent"); // begins like prose does
    for (uint32_t i = 0, n = 1 + pick(12); i < n; i++)
        buf_printf(&b, " %s", words[pick(ARRAY_LEN(words))]);
    return buf_steal(&b);
}

static void make_model(struct model *m)
{
    *m = (struct model){.name = str_printf("agent-%u", pick(100000)), .description = random_text()};
    m->n_tools = 1 + pick(TOOLS_MAX);
    for (size_t i = 0; i < m->n_tools; i++)
        m->tools[i] = tool_pool[pick(ARRAY_LEN(tool_pool))];
    m->model = pick(2) ? "opus" : NULL;
    m->memory = pick(2) ? "user" : NULL;
    m->n_chain = pick(2) ? 2 + pick(5) : 0;
    for (size_t i = 0; i < m->n_chain; i++) {
        m->chain[i] = agents[pick(ARRAY_LEN(agents))];
        m->self[i] = pick(3) == 0;
    }
    m->n_focus = pick(5);
    for (size_t i = 0; i < m->n_focus; i++) {
        m->previous[i] = agents[pick(ARRAY_LEN(agents))];
        m->focus[i] = focus_words[pick(ARRAY_LEN(focus_words))];
    }
}

static void quoted(struct buf *b, const char *text, char quote)
{
    buf_char(b, quote);
    for (const char *c = text; *c; c++) {
        if (quote == '\'' && *c == '\'')
            buf_char(b, '\'');
        if (quote == '"' && (*c == '"' || *c == '\\'))
            buf_char(b, '\\');
        buf_char(b, *c);
    }
    buf_char(b, quote);
}

static void write_description(struct buf *b, const char *text)
{
    buf_str_add(b, "description: ");
    switch (pick(5)) {
    case 0:
        quoted(b, text, '"');
        break;
    case 1:
        quoted(b, text, '\'');
        break;
    case 2:
        buf_printf(b, "|\n  %s", text);
        break;
    case 3:
        buf_printf(b, ">-\n    %s", text);
        break;
    default:
        // Plain, also where YAML does not allow it; a comment sign would be taken by YAML, so it is glued.
        for (const char *c = text; *c; c++)
            if (!(*c == ' ' && c[1] == '#'))
                buf_char(b, *c);
        break;
    }
    buf_char(b, '\n');
}

static void write_list(struct buf *b, const struct model *m, const char *open, const char *before, const char *between,
                       const char *close, char quote)
{
    buf_str_add(b, open);
    for (size_t i = 0; i < m->n_tools; i++) {
        buf_printf(b, "%s%s", i ? between : "", before);
        if (quote)
            quoted(b, m->tools[i], quote);
        else
            buf_str_add(b, m->tools[i]);
    }
    buf_printf(b, "%s\n", close);
}

static void write_tools(struct buf *b, const struct model *m)
{
    static const char *const keys[] = {"tools", "allowed-tools", "allowedTools", "allowed_tools"};
    buf_printf(b, "%s:", keys[pick(ARRAY_LEN(keys))]);
    switch (pick(9)) {
    case 0:
        write_list(b, m, " ", "", ", ", "", 0);
        break;
    case 1:
        write_list(b, m, "\n", "  - ", "\n", "", 0);
        break;
    case 2:
        write_list(b, m, "\n", "- ", "\n", "", '"');
        break;
    case 3:
        write_list(b, m, " [", "", ", ", "]", '\'');
        break;
    case 4:
        write_list(b, m, "\n  [", "\n    ", ",", "\n  ]", '"');
        break;
    case 5:
        write_list(b, m, "\n  allow:\n", "    - ", "\n", "", 0);
        break;
    case 6:
        write_list(b, m, " ", "", ",", ",", 0);
        break;
    case 7:
        write_list(b, m, " |\n", "  - ", "\n", "", 0);
        break;
    default:
        write_list(b, m, " [ ", "", " , ", " ]", 0);
        break;
    }
}

static void write_body(struct buf *b, const struct model *m)
{
    const char *arrow = pick(2) ? " → " : " -> ";
    bool bullet = pick(2);
    if (m->n_chain)
        buf_str_add(b, bullet ? "\nTypical chains:\n- Some Title: " : "\n## Typical Workflow Chains\n\n```\n");
    for (size_t i = 0; i < m->n_chain; i++)
        buf_printf(b, "%s%s%s%s%s", i ? arrow : "", m->self[i] ? (bullet ? "**" : "[") : "", m->chain[i],
                   m->self[i] ? (bullet ? "**" : "]") : "", pick(4) ? "" : " (if needed)");
    if (m->n_chain)
        buf_str_add(b, bullet ? "\n" : "\n```\n");
    if (m->n_focus)
        buf_printf(b, "\n## When Called After Another Agent\n\n| %s | Expected Context | Focus |\n|---|:-:|---|\n",
                   pick(2) ? "Previous Agent" : "Previous");
    for (size_t i = 0; i < m->n_focus; i++)
        buf_printf(b, "| %s%s%s | some context | %s |\n", i % 2 ? "`" : "", m->previous[i], i % 2 ? "`" : "",
                   m->focus[i]);
}

// Writes \n as another line end, and puts every line further in.
static char *dressed(const char *text, const char *line_end, const char *indent, const char *front)
{
    struct buf b = BUF_INIT;
    buf_str_add(&b, front);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        if (len)
            buf_str_add(&b, indent);
        buf_add(&b, at, len);
        if (at[len])
            buf_str_add(&b, line_end);
        at += len + (at[len] != 0);
    }
    return buf_steal(&b);
}

static char *write_model(const struct model *m)
{
    static const char *const ends[] = {"\n", "\n", "\r\n", "\r"};
    struct buf b = BUF_INIT;
    buf_str_add(&b, pick(5) ? "---\n" : "------\n");
    bool tools_first = pick(2);
    buf_printf(&b, pick(3) ? "name: %s\n" : "name: '%s'\n", m->name);
    if (tools_first)
        write_tools(&b, m);
    write_description(&b, m->description);
    if (m->model)
        buf_printf(&b, "model: %s\n", m->model);
    if (!tools_first)
        write_tools(&b, m);
    if (m->memory)
        buf_printf(&b, "memory: %s%s\n", m->memory, pick(2) ? "" : "  # why");
    buf_str_add(&b, pick(5) ? "---\n" : "-----   \n");
    write_body(&b, m);
    char *text = dressed(buf_str(&b), ends[pick(ARRAY_LEN(ends))], pick(6) ? "" : "  ",
                         pick(6)   ? ""
                         : pick(2) ? "\xEF\xBB\xBF"
                                   : "\n");
    buf_free(&b);
    return text;
}

static bool same_text(const char *a, const char *b) // blanks left out: plain values may lose some
{
    for (;; a++, b++) {
        while (*a == ' ' || *a == '\n')
            a++;
        while (*b == ' ' || *b == '\n')
            b++;
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

static const char *difference(const struct model *m, const struct agentfile *f)
{
    if (f->mode == AGENT_MODE_NONE || !str_eq(f->name, m->name))
        return "name";
    if (!f->description || !same_text(f->description, m->description))
        return "description";
    if (!str_eq(f->model, m->model) || !str_eq(f->memory, m->memory))
        return "model or memory";
    if (f->tools_state != AGENT_TOOLS_LIST || f->tools.len != m->n_tools)
        return "number of tools";
    for (size_t i = 0; i < m->n_tools; i++)
        if (!same_text(f->tools.items[i].text, m->tools[i]) || f->tools.items[i].line < 2)
            return "tools";
    if (f->chains.len != (m->n_chain ? 1 : 0) || (m->n_chain && f->chains.items[0].steps.len != m->n_chain))
        return "number of steps";
    for (size_t i = 0; i < m->n_chain; i++)
        if (!str_eq(f->chains.items[0].steps.items[i].agent, m->chain[i]) ||
            f->chains.items[0].steps.items[i].self != m->self[i])
            return "steps";
    if (f->focus.len != m->n_focus)
        return "number of focus rows";
    for (size_t i = 0; i < m->n_focus; i++)
        if (!str_eq(f->focus.items[i].previous, m->previous[i]) || !str_eq(f->focus.items[i].focus, m->focus[i]))
            return "focus rows";
    return NULL;
}

static void test_agentfile_is_the_same_in_every_shape(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct model m;
        make_model(&m);
        char *text = write_model(&m);
        struct agentfile *f = agentfile_examine("x.md", text, strlen(text));
        const char *what = difference(&m, f);
        if (what)
            fail_msg("round %d: %s differs (mode %s, description '%s') in:\n%s", round, what, agent_mode_name(f->mode),
                     f->description ? f->description : "", text);
        agentfile_free(f);
        mem_free(text);
        mem_free(m.name);
        mem_free(m.description);
    }
}

// A cut or changed file never crashes, and an agent that is left has a name.
static void test_agentfile_survives_damage(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct model m;
        make_model(&m);
        char *text = write_model(&m);
        size_t len = strlen(text);
        for (uint32_t i = pick(4); i > 0; i--)
            text[pick((uint32_t)len)] = (char)pick(256);
        len = pick(2) ? len : pick((uint32_t)len);
        struct agentfile *f = agentfile_examine("x.md", text, len);
        assert_true(f->mode == AGENT_MODE_NONE ? f->diagnostics.len > 0 : f->name && *f->name);
        assert_true(f->body_offset <= len);
        agentfile_free(f);
        mem_free(text);
        mem_free(m.name);
        mem_free(m.description);
    }
}

int main(void)
{
    const char *seed = getenv("BATON_SEED");
    if (seed)
        random_state = strtoull(seed, NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agentfile_is_the_same_in_every_shape),
        cmocka_unit_test(test_agentfile_survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Edges and focus tables are two relations: who may be asked for, and what to do when one comes after another. Neither
// follows from the other, so each is held against the other here, and the chains against the edges.
#include "agentfile/agentdir.h"

#include "base/str.h"
#include "relate.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
    struct agentset *set;
    json_t *edges, *problems;
};

static void problem(struct check *c, const char *kind, const char *from, const char *to, struct agentfile *in, int line,
                    enum agent_level level, const char *fmt, ...) ATTR_PRINTF(8, 9);

static void problem(struct check *c, const char *kind, const char *from, const char *to, struct agentfile *in, int line,
                    enum agent_level level, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(text))
        text[str_utf8_cut(text, sizeof(text) - 1)] = 0;
    json_t *one = json_object();
    json_put_str(one, "kind", kind);
    json_put_str(one, "from", from);
    json_put_str(one, "to", to);
    json_put_str(one, "file", in->file);
    json_put_int(one, "line", line);
    json_put_str(one, "level", agent_level_name(level));
    json_put_str(one, "text", text);
    json_array_append_new(c->problems, one);
    agentfile_note(in, level, line, "%s", text);
}

static int delegate_line(const struct agentfile *f, const char *name)
{
    for (size_t i = 0; i < f->tools.len; i++)
        if (f->tools.items[i].spec && strstr(f->tools.items[i].spec, name))
            return f->tools.items[i].line;
    return 1;
}

static void check_edges(struct check *c, struct agentfile *from)
{
    for (size_t i = 0; i < from->delegates.len; i++) {
        const char *name = from->delegates.items[i];
        const struct agentfile *to = agentset_find(c->set, name);
        int line = delegate_line(from, name);
        json_t *edge = json_object();
        json_put_str(edge, "from", from->name);
        json_put_str(edge, "to", to ? to->name : name);
        json_array_append_new(c->edges, edge);
        if (!to)
            problem(c, "unknown_agent", from->name, name, from, line, AGENT_WARNING,
                    "'%s' may ask for '%s', but no file "
                    "of this set has that name",
                    from->name, name);
        else if (!agentfile_focus_after(to, from->name))
            problem(c, "edge_without_focus", from->name, to->name, from, line, AGENT_INFO,
                    "'%s' may ask for '%s', which has "
                    "no focus row for it: only the next task is passed on",
                    from->name, to->name);
    }
}

// Rows of `to` whose predecessor is in the set but lacks the edge. A row may name several predecessors.
static void check_focus(struct check *c, struct agentfile *to)
{
    for (size_t i = 0; i < to->focus.len; i++) {
        const struct agent_focus *row = &to->focus.items[i];
        if (focus_names_nobody(row->previous))
            continue;
        for (size_t k = 0; k < c->set->agents.len; k++) {
            const struct agentfile *from = c->set->agents.items[k];
            if (focus_names(row->previous, from->name) && !agentfile_may_ask_for(from, to->name))
                problem(c, "focus_not_permitted", from->name, to->name, to, row->line, AGENT_WARNING,
                        "the focus row for "
                        "'%s' is never reached by its own request: '%s' may not ask for '%s'",
                        row->previous, from->name, to->name);
        }
    }
}

static bool reported(const struct check *c, const struct agentfile *in, const char *from, const char *to)
{
    size_t i;
    json_t *one;
    json_array_foreach(c->problems, i, one)
    {
        if (str_eq(json_str(one, "kind", ""), "chain_not_permitted") && str_eq(json_str(one, "from", ""), from) &&
            str_eq(json_str(one, "to", ""), to) && str_eq(json_str(one, "file", ""), in->file))
            return true;
    }
    return false;
}

static void check_chains(struct check *c, struct agentfile *f)
{
    for (size_t i = 0; i < f->chains.len; i++) {
        const struct agent_chain *chain = &f->chains.items[i];
        for (size_t k = 1; k < chain->steps.len; k++) {
            const struct agentfile *from = agentset_find(c->set, chain->steps.items[k - 1].agent);
            const struct agentfile *to = agentset_find(c->set, chain->steps.items[k].agent);
            if (!from || !to || from == to || agentfile_may_ask_for(from, to->name) ||
                reported(c, f, from->name, to->name))
                continue;
            problem(c, "chain_not_permitted", from->name, to->name, f, chain->line, AGENT_WARNING,
                    "this chain goes from "
                    "'%s' to '%s', but '%s' may not ask for it: only a workflow can route it",
                    from->name, to->name, from->name);
        }
    }
}

json_t *agentset_check(struct agentset *set)
{
    struct check c = {.set = set, .edges = json_array(), .problems = json_array()};
    for (size_t i = 0; i < set->agents.len; i++)
        check_edges(&c, set->agents.items[i]);
    for (size_t i = 0; i < set->agents.len; i++)
        check_focus(&c, set->agents.items[i]);
    for (size_t i = 0; i < set->agents.len; i++)
        check_chains(&c, set->agents.items[i]);
    json_t *result = json_object();
    json_put_int(result, "agents", (int64_t)set->agents.len);
    json_put(result, "edges", c.edges);
    json_put(result, "problems", c.problems);
    return result;
}

// What a set of agents can cause together: a breadth-first walk along the Task rules from each agent.
#include "policy/closure.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/set.h"
#include "json/json.h"

#include <string.h>

#define CYCLES_MAX 32

struct graph {
    const struct closure_agent *agents;
    size_t count;
    bool *edges; // count × count
};

static bool edge(const struct graph *g, size_t from, size_t to)
{
    return g->edges[from * g->count + to];
}

static void find_edges(struct graph *g)
{
    g->edges = mem_array(g->count * g->count, sizeof(bool));
    for (size_t i = 0; i < g->count; i++) {
        for (size_t k = 0; k < g->count; k++) {
            struct decision d;
            decide_agent(g->agents[i].use, g->agents[k].name, &d);
            g->edges[i * g->count + k] = i != k && d.verdict == POLICY_ALLOW;
        }
    }
}

// Whether a rule of `p` grants all that `r` grants, as far as texts tell.
static bool has_right(const struct policy *p, const struct rule *r)
{
    for (size_t i = 0; i < p->lists.len; i++) {
        bool found = false;
        for (size_t k = 0; k < p->lists.items[i].rules.len && !found; k++) {
            const struct rule *own = &p->lists.items[i].rules.items[k];
            found = (own->bare && rule_speaks_for(own, r->kind, r->tool, false)) || strcmp(own->text, r->text) == 0 ||
                    (own->kind == TOOL_MCP && r->kind == TOOL_MCP && strcmp(own->pattern, r->pattern) == 0);
        }
        if (!found)
            return false;
    }
    return p->lists.len > 0;
}

static json_t *way_new(const struct graph *g, const size_t *from, size_t start, size_t end)
{
    json_t *way = json_array();
    for (size_t at = end; at != start; at = from[at])
        json_array_insert_new(way, 0, json_string(g->agents[at].name));
    return way;
}

static void add_gain(const struct graph *g, const size_t *from, size_t start, size_t end, const struct rule *r,
                     json_t *gains)
{
    size_t i;
    json_t *old;
    json_array_foreach (gains, i, old)
        if (str_eq(json_str(old, "right", ""), r->text))
            return;
    json_t *gain = json_object();
    json_put_str(gain, "right", r->text);
    json_put(gain, "through", way_new(g, from, start, end));
    json_array_append_new(gains, gain);
}

// An agent that attenuates hands on only what it has, and one that lists what it hands on no more than that: those
// below are still reached.
static bool way_keeps_back(const struct graph *g, const size_t *from, size_t start, size_t end, const struct rule *r)
{
    for (size_t at = from[end];; at = from[at]) {
        const struct closure_agent *a = &g->agents[at];
        if ((a->attenuate && !has_right(a->use, r)) || (a->grant && !has_right(a->grant, r)))
            return true;
        if (at == start)
            return false;
    }
}

static void walk(const struct graph *g, size_t start, json_t *reaches, json_t *gains)
{
    size_t *queue = mem_array(g->count, sizeof(size_t)), *from = mem_array(g->count, sizeof(size_t));
    bool *seen = mem_array(g->count, sizeof(bool));
    size_t head = 0, tail = 0;
    queue[tail++] = start;
    seen[start] = true;
    while (head < tail) {
        size_t at = queue[head++];
        for (size_t k = 0; k < g->count; k++) {
            if (seen[k] || !edge(g, at, k))
                continue;
            seen[k] = true;
            from[k] = at;
            queue[tail++] = k;
            json_add_str(reaches, g->agents[k].name);
            const struct policy *use = g->agents[k].use;
            for (size_t i = 0; use->lists.len > 0 && i < use->lists.items[0].rules.len; i++) {
                const struct rule *r = &use->lists.items[0].rules.items[i];
                if (r->kind != TOOL_AGENT && !has_right(g->agents[start].use, r) &&
                    !way_keeps_back(g, from, start, k, r))
                    add_gain(g, from, start, k, r, gains);
            }
        }
    }
    mem_free(queue);
    mem_free(from);
    mem_free(seen);
}

// A shortest way from `start` back to itself over agents that come later in the list, so that each cycle is found once,
// from its first agent.
static void find_cycle(const struct graph *g, size_t start, json_t *cycles)
{
    size_t *queue = mem_array(g->count, sizeof(size_t)), *from = mem_array(g->count, sizeof(size_t));
    bool *seen = mem_array(g->count, sizeof(bool));
    size_t head = 0, tail = 0;
    queue[tail++] = start;
    while (head < tail && json_array_size(cycles) < CYCLES_MAX) {
        size_t at = queue[head++];
        if (at != start && edge(g, at, start)) {
            json_t *cycle = way_new(g, from, start, at);
            json_array_insert_new(cycle, 0, json_string(g->agents[start].name));
            json_array_append_new(cycle, json_string(g->agents[start].name));
            json_array_append_new(cycles, cycle);
            break;
        }
        for (size_t k = start + 1; k < g->count; k++) {
            if (seen[k] || !edge(g, at, k))
                continue;
            seen[k] = true;
            from[k] = at;
            queue[tail++] = k;
        }
    }
    mem_free(queue);
    mem_free(from);
    mem_free(seen);
}

// Agents a Task rule names, but that are not in the set.
static json_t *unknown_new(const struct graph *g, size_t agent)
{
    json_t *out = json_array();
    const struct policy *use = g->agents[agent].use;
    for (size_t i = 0; use->lists.len > 0 && i < use->lists.items[0].rules.len; i++) {
        const struct rule *r = &use->lists.items[0].rules.items[i];
        for (size_t n = 0; r->kind == TOOL_AGENT && !r->bare && r->names && r->names[n]; n++) {
            bool known = false;
            for (size_t k = 0; k < g->count && !known; k++)
                known = strcmp(g->agents[k].name, r->names[n]) == 0;
            if (!known)
                json_add_str(out, r->names[n]);
        }
    }
    return out;
}

int closure_of(const struct closure_agent *agents, size_t count, json_t **ret, struct err *err)
{
    if (count > CLOSURE_AGENTS_MAX)
        return err_set(err, ERR_LIMIT, "%zu agents in one set, at most %d are looked at together", count,
                       CLOSURE_AGENTS_MAX);
    struct graph g = {agents, count, NULL};
    find_edges(&g);
    json_t *list = json_array(), *cycles = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object(), *starts = json_array(), *reaches = json_array(), *gains = json_array();
        for (size_t k = 0; k < count; k++)
            if (edge(&g, i, k))
                json_add_str(starts, agents[k].name);
        walk(&g, i, reaches, gains);
        find_cycle(&g, i, cycles);
        json_put_str(one, "agent", agents[i].name);
        json_put(one, "starts", starts);
        json_put(one, "reaches", reaches);
        json_put(one, "unknown", unknown_new(&g, i));
        json_put(one, "gains", gains);
        json_array_append_new(list, one);
    }
    mem_free(g.edges);
    *ret = json_object();
    json_put(*ret, "agents", list);
    json_put(*ret, "cycles", cycles);
    return 0;
}

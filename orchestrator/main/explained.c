#include "main/explained.h"

#include "agentfile/agentfile.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "report/text.h"
#include "rights/together.h"
#include "run/bounds.h"

#include <inttypes.h>
#include <stdio.h>

#define COMMAND_SHOWN ((size_t)160) // bytes

struct agents {
    VEC(struct agentfile *) files;
};

static void agents_clear(struct agents *a)
{
    for (size_t i = 0; i < a->files.len; i++)
        agentfile_free(a->files.items[i]);
    vec_free(&a->files);
}

static int load(struct store *store, const json_t *record, struct agents *ret, struct err *err)
{
    const char *name;
    json_t *hash;
    json_object_foreach (json_obj(record, "agents"), name, hash) {
        char *text = NULL;
        size_t len = 0;
        struct agentfile *file = NULL;
        AUTO_FREE char *path = str_printf("%s.md", name);
        int r = store_artifact_get(store, json_string_value(hash), AGENTFILE_TEXT_MAX, &text, &len, err);
        if (r == 0)
            r = agentfile_parse(path, text, len, &file, err);
        mem_free(text);
        if (r < 0)
            return err_wrap(err, "agent '%s'", name);
        vec_push(&ret->files, file);
    }
    return 0;
}

static const struct agentfile *find(const struct agents *a, const char *name)
{
    for (size_t i = 0; i < a->files.len; i++)
        if (str_eq(a->files.items[i]->name, name))
            return a->files.items[i];
    return NULL;
}

// --- agents ---

static void add_rules(json_t *rules, const struct agent_tool *tools, size_t count, bool deny)
{
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        json_put_str(row, "rule", tools[i].text);
        json_put_int(row, "line", tools[i].line);
        json_put_flag(row, "deny", deny);
        json_array_append_new(rules, row);
    }
}

static json_t *agent_new(const struct agentfile *f, const json_t *causes)
{
    json_t *one = json_object(), *rules = json_array();
    json_put_str(one, "agent", f->name);
    json_put_str(one, "lists", agent_tools_state_name(f->tools_state));
    add_rules(rules, f->tools.items, f->tools.len, false);
    add_rules(rules, f->disallowed.items, f->disallowed.len, true);
    json_put(one, "rules", rules);
    json_put_flag(one, "attenuate", f->attenuate);
    json_put_str(one, "network", agent_network_name(f->network));
    if (f->grants_declared) {
        json_t *grants = json_array();
        for (size_t i = 0; i < f->grants.len; i++)
            json_add_str(grants, f->grants.items[i].text);
        json_put(one, "grants", grants);
    }
    json_put(one, "causes", causes ? json_incref((json_t *)(uintptr_t)causes) : json_array());
    return one;
}

static int put_agents(const struct agents *a, const json_t *options, json_t *out, struct err *err)
{
    AUTO_JSON json_t *together =
        rights_together_new((const struct agentfile *const *)a->files.items, a->files.len,
                            json_list(options, "operator_rules"), json_list(options, "bounds"), err);
    if (!together)
        return -(int)err->code;
    json_t *list = json_array();
    for (size_t i = 0; i < a->files.len; i++)
        json_array_append_new(
            list, agent_new(a->files.items[i], json_list(json_array_get(json_list(together, "agents"), i), "gains")));
    json_put(out, "agents", list);
    json_put(out, "cycles", json_incref(json_list(together, "cycles")));
    return 0;
}

// --- stages ---

static json_t *call_new(const json_t *receipt)
{
    static const char *const KEPT[] = {"argv", "tool", "path", "paths", "files", "exit", "error", "box", "program"};
    json_t *call = json_object();
    json_object_update(call, json_obj(receipt, "decision"));
    for (size_t i = 0; i < ARRAY_LEN(KEPT); i++)
        if (json_object_get(receipt, KEPT[i]))
            json_put(call, KEPT[i], json_incref(json_object_get(receipt, KEPT[i])));
    return call;
}

// The same call again and again is one line.
static json_t *calls_new(const json_t *receipts)
{
    json_t *calls = json_array(), *last = NULL, *receipt;
    size_t i;
    int64_t times = 1;
    json_array_foreach (receipts, i, receipt) {
        AUTO_JSON json_t *call = call_new(receipt);
        if (last)
            json_object_del(last, "times"); // is no part of the comparison
        bool again = last && json_equal(last, call);
        if (last)
            json_put_int(last, "times", times);
        times = again ? times + 1 : 1;
        if (times == 1) {
            json_array_append(calls, call);
            last = call;
        }
        json_put_int(last, "times", times);
    }
    return calls;
}

// Who the stage works for: by a Task rule of theirs, or because the script says so.
static json_t *entered_new(const struct agents *a, const json_t *after, const json_t *authors, const char *agent)
{
    json_t *entered = json_array(), *id;
    size_t i;
    json_array_foreach (after, i, id) {
        const char *from = json_str(authors, json_is_string(id) ? json_string_value(id) : "", NULL);
        const struct agentfile *file = from ? find(a, from) : NULL;
        if (!file || str_eq(from, agent))
            continue;
        json_t *edge = json_object();
        json_put_str(edge, "from", from);
        json_put_flag(edge, "listed", agentfile_may_ask_for(file, agent));
        json_array_append_new(entered, edge);
    }
    return entered;
}

static json_t *stages_new(const struct agents *a, const json_t *stages, const json_t *options)
{
    json_t *out = json_array(), *stage, *handed_on = NULL;
    AUTO_JSON json_t *authors = json_object();
    size_t i;
    json_array_foreach (stages, i, stage) {
        const char *agent = json_str(stage, "agent", ""), *id = json_str(json_obj(stage, "handoff"), "id", NULL);
        const json_t *after = json_list(json_obj(stage, "request"), "after");
        const struct agentfile *file = find(a, agent);
        AUTO_JSON json_t *bounds = bounds_new(options, handed_on, after);
        json_t *one = json_object();
        json_put_int(one, "stage", json_int(stage, "seq", 0));
        json_put_str(one, "agent", agent);
        json_put_str(one, "mode", json_str(stage, "mode", NULL));
        json_put_str(one, "state", json_str(stage, "state", NULL));
        json_put(one, "entered", entered_new(a, after, authors, agent));
        if (bounds)
            json_put(one, "bounds", json_incref(bounds));
        json_put(one, "calls", calls_new(json_list(stage, "receipts")));
        json_array_append_new(out, one);
        if (id && file) {
            json_put_str(authors, id, agent);
            bounds_hand_on(&handed_on, id, file, options, bounds);
        }
    }
    json_decref(handed_on);
    return out;
}

json_t *explained_new(struct store *store, const char *run, struct err *err)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, err);
    AUTO_JSON json_t *stages = record ? store_stage_list_new(store, run, true, err) : NULL;
    if (!stages)
        return NULL;
    const json_t *options = json_obj(record, "options");
    struct agents agents = {0};
    json_t *out = json_object(), *site = json_list(options, "bounds"), *rules = json_list(options, "operator_rules");
    json_put_str(out, "run", run);
    json_put(out, "ceiling", site ? json_incref(site) : json_array());
    json_put_str(out, "profiles", json_str(options, "profiles", ""));
    json_put(out, "operator_rules", rules ? json_incref(rules) : json_array());
    int r = load(store, record, &agents, err);
    if (r == 0)
        r = put_agents(&agents, options, out, err);
    if (r == 0)
        json_put(out, "stages", stages_new(&agents, stages, options));
    agents_clear(&agents);
    if (r == 0)
        return out;
    json_decref(out);
    return NULL;
}

// --- printing ---

static void join(struct buf *b, const json_t *words, const char *between)
{
    size_t i;
    json_t *word;
    json_array_foreach (words, i, word)
        buf_printf(b, "%s%s", i ? between : "",
                   json_is_string(word) ? json_string_value(word) : json_string_value(json_array_get(word, 0)));
}

static void print_list(const char *indent, const char *what, const json_t *words, const char *between)
{
    struct buf b = BUF_INIT;
    join(&b, words, between);
    printf("%s%s%s\n", indent, what, buf_str(&b));
    buf_free(&b);
}

static void print_bounds(const char *indent, const json_t *bounds)
{
    size_t i;
    json_t *bound;
    json_array_foreach (bounds, i, bound) {
        printf("%s%s\n", indent, json_str(bound, "of", "?"));
        AUTO_FREE char *deeper = str_printf("%s  ", indent);
        if (json_list(bound, "allow"))
            print_list(deeper, "at most  ", json_list(bound, "allow"), ", ");
        if (json_list(bound, "deny"))
            print_list(deeper, "never    ", json_list(bound, "deny"), ", ");
        if (json_str(bound, "network", NULL))
            printf("%snetwork  at most %s\n", deeper, json_str(bound, "network", NULL));
    }
}

// Rights that come the same way stand in one line.
static void print_causes(FILE *out, const char *indent, const json_t *causes)
{
    size_t i;
    json_t *cause;
    const json_t *way = NULL;
    struct buf line = BUF_INIT;
    for (i = 0; i <= json_array_size(causes); i++) {
        cause = json_array_get(causes, i);
        const json_t *next = json_list(cause, "through");
        if (way && !json_equal(way, next)) {
            buf_str_add(&line, " through ");
            join(&line, way, " -> ");
            fprintf(out, "%s%s\n", indent, buf_str(&line));
            buf_clear(&line);
        }
        buf_printf(&line, "%s%s", line.len ? ", " : "can cause ", json_str(cause, "right", ""));
        way = next;
    }
    buf_free(&line);
}

static void print_agent(const json_t *agent)
{
    struct buf may = BUF_INIT, never = BUF_INIT;
    size_t i;
    json_t *row;
    json_array_foreach (json_list(agent, "rules"), i, row) {
        struct buf *to = json_flag(row, "deny", false) ? &never : &may;
        buf_printf(to, "%s%s", to->len ? ", " : "", json_str(row, "rule", "?"));
    }
    bool open = str_eq(json_str(agent, "lists", ""), agent_tools_state_name(AGENT_TOOLS_ABSENT)) ||
                str_eq(json_str(agent, "lists", ""), agent_tools_state_name(AGENT_TOOLS_ALL));
    printf("  %s\n    may      %s\n", json_str(agent, "agent", "?"),
           may.len ? buf_str(&may)
           : open  ? "what the ceiling allows"
                   : "nothing");
    if (never.len)
        printf("    never    %s\n", buf_str(&never));
    if (json_str(agent, "network", NULL))
        printf("    network  %s\n", json_str(agent, "network", NULL));
    if (json_list(agent, "grants"))
        print_list("    ", "hands on at most  ", json_list(agent, "grants"), ", ");
    else if (json_flag(agent, "attenuate", false))
        printf("    hands on no more than that\n");
    print_causes(stdout, "    ", json_list(agent, "causes"));
    buf_free(&may);
    buf_free(&never);
}

static bool denied(const json_t *call)
{
    return str_eq(json_str(call, "decision", ""), "deny");
}

// "Read Cargo.toml and 4 more", or the command and how it failed.
static void describe(const json_t *call, struct buf *ret)
{
    const json_t *paths = json_list(call, "paths");
    const char *path = json_str(call, "path", json_string_value(json_array_get(paths, 0)));
    int64_t more = json_int(call, "files", 1) - 1, status = json_int(call, "exit", 0);
    if (json_list(call, "argv")) {
        text_command(ret, call);
        if (status)
            buf_printf(ret, "  (exit status %" PRId64 ")", status);
        return;
    }
    buf_printf(ret, "%s ", json_str(call, "tool", "?"));
    text_shell_word(ret, path ? path : "");
    if (more > 0)
        buf_printf(ret, " and %" PRId64 " more", more);
}

static void print_call(const json_t *call)
{
    int64_t times = json_int(call, "times", 1);
    struct buf command = BUF_INIT;
    describe(call, &command);
    size_t len = str_utf8_cut(buf_str(&command), COMMAND_SHOWN);
    printf("  %-7s %.*s%s", denied(call) ? "deny" : "allow", (int)len, buf_str(&command),
           len < command.len ? " …" : "");
    if (times > 1)
        printf("  (%" PRId64 " times)", times);
    printf("\n");
    if (*json_str(call, "rule", ""))
        printf("          rule    %s  %s%s%s\n", json_str(call, "rule", ""), json_str(call, "where", ""),
               json_obj(call, "box") ? "  in the box " : "", json_str(json_obj(call, "box"), "profile", ""));
    const json_t *box = json_obj(call, "box"), *program = json_obj(call, "program");
    if (program)
        printf("          program %s  %.12s%s%s\n", json_str(program, "path", "?"), json_str(program, "hash", ""),
               box ? "  network " : "", json_str(box, "network", ""));
    if (denied(call) || !*json_str(call, "rule", ""))
        printf("          reason  %s\n", json_str(call, "reason", "?"));
    if (*json_str(call, "needed", ""))
        printf("          needed  %s\n", json_str(call, "needed", ""));
    buf_free(&command);
}

// How many of its calls were printed.
static size_t print_stage(const json_t *stage, const json_t *site, bool denied_only)
{
    size_t i, shown = 0;
    json_t *one;
    json_array_foreach (json_list(stage, "calls"), i, one)
        shown += !denied_only || denied(one);
    if (denied_only && shown == 0)
        return 0;
    printf("stage %" PRId64 "  %s (%s), %s\n", json_int(stage, "stage", 0), json_str(stage, "agent", "?"),
           json_str(stage, "mode", "-"), json_str(stage, "state", "?"));
    json_array_foreach (json_list(stage, "entered"), i, one)
        printf("  after %s, %s\n", json_str(one, "from", "?"),
               json_flag(one, "listed", false) ? "which lists it" : "which does not list it: the script asked for it");
    if (json_list(stage, "bounds") && !json_equal(json_list(stage, "bounds"), site))
        print_bounds("  bound by ", json_list(stage, "bounds"));
    json_array_foreach (json_list(stage, "calls"), i, one)
        if (!denied_only || denied(one))
            print_call(one);
    if (shown == 0)
        printf("  no tool was called\n");
    return shown;
}

static void print_profiles(const char *text)
{
    char **lines = str_split(text, "\n", true, NULL);
    for (char **line = lines; *line; line++)
        printf("  boxes are changed here  %s\n", *line);
    str_list_free(lines);
}

static bool has_stage(const json_t *e, const char *agent)
{
    size_t i;
    json_t *stage;
    json_array_foreach (json_list(e, "stages"), i, stage)
        if (str_eq(json_str(stage, "agent", ""), agent))
            return true;
    return false;
}

// Agents that did nothing are left out, unless there is nothing else to tell.
void explained_print(const json_t *e, bool denied_only)
{
    size_t i;
    json_t *one;
    printf("%s\n", json_str(e, "run", "?"));
    if (json_array_size(json_list(e, "ceiling")))
        print_bounds("  ceiling ", json_list(e, "ceiling"));
    else
        printf("  ceiling  none: agents may do what their files list, and nothing without a list\n");
    print_profiles(json_str(e, "profiles", ""));
    if (json_array_size(json_list(e, "operator_rules")))
        print_list("  ", "granted beside the files  ", json_list(e, "operator_rules"), ", ");
    bool none = json_array_size(json_list(e, "stages")) == 0;
    json_array_foreach (denied_only ? NULL : json_list(e, "agents"), i, one)
        if (none || has_stage(e, json_str(one, "agent", "")))
            print_agent(one);
    size_t shown = 0;
    json_array_foreach (json_list(e, "stages"), i, one)
        shown += print_stage(one, json_list(e, "ceiling"), denied_only);
    if (denied_only && shown == 0)
        printf("nothing was denied\n");
}

void explained_print_causes(const json_t *explained, FILE *out)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_list(explained, "agents"), i, one) {
        AUTO_FREE char *who = str_printf("%s ", json_str(one, "agent", "?"));
        print_causes(out, who, json_list(one, "causes"));
    }
}

void explained_print_together(const json_t *together)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_list(together, "agents"), i, one) {
        AUTO_FREE char *who = str_printf("%s ", json_str(one, "agent", "?"));
        print_causes(stdout, who, json_list(one, "gains"));
    }
    json_array_foreach (json_list(together, "cycles"), i, one)
        print_list("", "cycle: ", one, " -> ");
}

#include "report/model.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "handoff/handoff.h"
#include "report/children.h"
#include "report/model_say.h"

#include <stdio.h>
#include <string.h>

#define ARTIFACT_MAX ((size_t)64 << 20)

struct model {
    struct store *store;
    const char *run;
    json_t *out;
    json_t *profile, *develop, *verify, *review, *bench, *explain, *search,
        *check; // outputs of the newest stage of each kind, resolved; borrowed from outputs
    json_t *outputs;
    json_t *rounds;    // outputs of all verify stages, oldest first; borrowed by the array's own references
    json_t *developed; // outputs of all developer stages
};

static int get_artifact(void *context, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    return store_artifact_get(context, hash, ARTIFACT_MAX, ret, ret_len, err);
}

static void copy(json_t *to, const json_t *from, const char *key, const char *as)
{
    json_t *v = json_object_get(from, key);
    json_put(to, as ? as : key, v ? json_deep_copy(v) : json_null());
}

static void put_time(json_t *to, const char *key, const json_t *ns)
{
    char text[CLOCK_TEXT_MAX];
    if (!json_is_integer(ns)) {
        json_put(to, key, json_null());
        return;
    }
    clock_iso(json_integer_value(ns), text);
    json_put_str(to, key, text);
}

// --- stages ---

static void note_output(struct model *m, const json_t *stage)
{
    const char *mode = json_str(stage, "mode", ""), *role = json_str(json_obj(stage, "handoff"), "agent", "");
    json_t *resolved = NULL;
    struct handoff_load load = {.get = get_artifact, .context = m->store};
    const json_t *output = json_obj(json_obj(stage, "handoff"), "output");
    if (!output || handoff_resolve_new(output, &load, &resolved, NULL) < 0)
        return;
    json_array_append_new(m->outputs, resolved);
    if (str_eq(role, "performance") && (str_eq(mode, "verify") || str_eq(mode, "confirm"))) {
        m->verify = resolved;
        json_array_append(m->rounds, resolved);
    } else if (str_eq(role, "performance") && str_eq(mode, "bench")) {
        m->bench = resolved;
    } else if (str_eq(role, "performance") && str_eq(mode, "explain")) {
        m->explain = resolved;
    } else if (str_eq(role, "performance") && str_eq(mode, "search")) {
        if (json_obj(resolved, "search")) // points and spaces are parts of it
            m->search = resolved;
    } else if (str_eq(role, "performance")) {
        m->profile = resolved;
    } else if (str_eq(role, "developer")) {
        m->develop = resolved;
        json_array_append(m->developed, resolved);
    } else if (str_eq(role, "review"))
        *(str_eq(mode, "verify") ? &m->check : &m->review) = resolved;
}

static void add_commands(json_t *commands, const json_t *stage)
{
    size_t i;
    json_t *receipt;
    json_array_foreach (json_list(stage, "receipts"), i, receipt) {
        if (!json_list(receipt, "argv")) // of a model
            continue;
        json_t *row = json_object();
        const json_t *decision = json_obj(receipt, "decision");
        json_put_int(row, "stage", json_int(stage, "seq", 0));
        json_put_str(row, "agent", json_str(stage, "agent", NULL));
        copy(row, receipt, "argv", NULL);
        copy(row, receipt, "cwd", NULL);
        copy(row, receipt, "env", NULL);
        copy(row, receipt, "exit", NULL);
        copy(row, receipt, "signal", NULL);
        copy(row, receipt, "timed_out", NULL);
        if (json_obj(receipt, "box")) // not when it was refused
            copy(row, receipt, "box", NULL);
        if (json_list(receipt, "also")) { // started by a program of ours, many times
            copy(row, receipt, "by", NULL);
            copy(row, receipt, "also", NULL);
        }
        json_put_int(row, "wall_ms", json_int(receipt, "wall_ns", 0) / NS_PER_MS);
        json_put_str(row, "decision", json_str(decision, "decision", NULL));
        json_put_str(row, "rule", json_str(decision, "rule", NULL));
        json_put_str(row, "where", json_str(decision, "where", NULL));
        json_put_str(row, "reason", json_str(decision, "reason", NULL));
        json_array_append_new(commands, row);
    }
}

// What workers read and changed themselves (sandbox/files.h).
static void add_file_calls(json_t *files, const json_t *stage)
{
    static const char *const KEYS[] = {"tool", "root", "path", "paths", "files", "bytes", "hash", "removed"},
                             *const DECISION[] = {"decision", "rule", "where", "reason"};
    size_t i;
    json_t *receipt;
    json_array_foreach (json_list(stage, "receipts"), i, receipt) {
        if (!json_str(receipt, "tool", NULL))
            continue;
        json_t *row = json_object();
        json_put_int(row, "stage", json_int(stage, "seq", 0));
        json_put_str(row, "agent", json_str(stage, "agent", NULL));
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++)
            if (json_object_get(receipt, KEYS[k]))
                copy(row, receipt, KEYS[k], NULL);
        for (size_t k = 0; k < ARRAY_LEN(DECISION); k++)
            json_put_str(row, DECISION[k], json_str(json_obj(receipt, "decision"), DECISION[k], NULL));
        json_array_append_new(files, row);
    }
}

// options: as the run was started with them.
static void add_budget(struct model *m, const json_t *options, int64_t wall_ms)
{
    const json_t *limits = json_obj(options, "limits");
    // What went on from another run draws on the account of that one.
    AUTO_JSON json_t *ledger = store_ledger_new(m->store, json_str(options, "account", m->run), NULL);
    struct budget b;
    budget_load(&b, limits, ledger);
    if (b.limited[BUDGET_WALL])
        b.used.of[BUDGET_WALL] = wall_ms;
    json_put(m->out, "budget", budget_report_new(&b));
}

// What the calls of tools took, by their receipts.
static void add_spent(struct model *m, const json_t *stages)
{
    int64_t calls = 0, processes = 0, cpu_ns = 0, money = 0, tokens = 0;
    size_t i, k;
    json_t *stage, *receipt, *spent = json_object();
    json_array_foreach (stages, i, stage) {
        if (json_str(stage, "reused_from", NULL)) // paid by another run
            continue;
        json_array_foreach (json_list(stage, "receipts"), k, receipt) {
            calls += !json_is_null(json_object_get(receipt, "wall_ns")) && json_object_get(receipt, "wall_ns");
            processes += json_int(receipt, "processes", 0);
            money += json_int(receipt, "money", 0);
            tokens += json_int(receipt, "tokens", 0);
            cpu_ns += json_int(receipt, "user_ns", 0) + json_int(receipt, "sys_ns", 0);
        }
    }
    json_put_int(spent, "calls", calls);
    json_put_int(spent, "processes", processes);
    json_put_int(spent, "cpu_ms", cpu_ns / NS_PER_MS);
    json_put_int(spent, "money", money);
    json_put_int(spent, "tokens", tokens);
    json_put(m->out, "spent", spent);
}

static int add_stages(struct model *m, struct err *err)
{
    AUTO_JSON json_t *list = store_stage_list_new(m->store, m->run, true, err);
    if (!list)
        return -(int)err->code;
    json_t *rows = json_array(), *commands = json_array(), *files = json_array();
    size_t i;
    json_t *stage;
    json_array_foreach (list, i, stage) {
        const json_t *handoff = json_obj(stage, "handoff");
        json_t *row = json_object();
        const char *const keys[] = {"seq", "agent", "mode", "state", "attempt", "reused_from"};
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            copy(row, stage, keys[k], NULL);
        int64_t end = json_int(stage, "finished_ns", 0), start = json_int(stage, "created_ns", 0);
        json_put_int(row, "elapsed_ms", end > start ? (end - start) / NS_PER_MS : 0);
        json_put_str(row, "summary", json_str(handoff, "summary", NULL));
        json_put_str(row, "verdict", json_str(handoff, "verdict", NULL));
        json_put_str(row, "handoff", json_str(handoff, "id", NULL));
        copy(row, handoff, "blockers", NULL);
        json_array_append_new(rows, row);
        add_commands(commands, stage);
        add_file_calls(files, stage);
        note_output(m, stage);
    }
    add_spent(m, list);
    json_put(m->out, "stages", rows);
    json_put(m->out, "commands", commands);
    json_put(m->out, "files", files);
    return 0;
}

// --- what changed ---

// part: where in measurements.json the raw pairs stand.
static json_t *metric_new(const json_t *c, const char *part)
{
    json_t *row = json_object();
    const json_t *a = json_obj(c, "a"), *b = json_obj(c, "b"), *interval = json_list(c, "interval");
    json_put_str(row, "subject", json_str(c, "subject", NULL));
    json_put_str(row, "metric", json_str(c, "metric", NULL));
    const char *median = json_object_get(a, "median") ? "median" : "median_ns"; // of an older worker
    copy(row, c, "unit", NULL);
    copy(row, a, median, "before_ns");
    copy(row, b, median, "after_ns");
    copy(row, c, "change_pct", NULL);
    json_t *low = json_array_get(interval, 0), *high = json_array_get(interval, 1);
    json_put(row, "low_pct", json_is_number(low) ? json_incref(low) : json_null());
    json_put(row, "high_pct", json_is_number(high) ? json_incref(high) : json_null());
    json_put_str(row, "verdict", json_str(c, "verdict", NULL));
    const char *const same[] = {"pairs", "level", "p", "outputs", "theta", "mde_pct", "metrics", "reasons"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        copy(row, c, same[i], NULL);
    copy(row, a, "max_rss_kb", "before_rss_kb");
    copy(row, b, "max_rss_kb", "after_rss_kb");
    json_put_str(row, "part", part);
    return row;
}

static void add_metrics(struct model *m)
{
    json_t *rows = json_array();
    size_t i, k;
    json_t *c, *result;
    json_array_foreach (json_list(m->verify, "overall"), i, c)
        json_array_append_new(rows, metric_new(c, "overall"));
    json_array_foreach (json_list(m->bench, "overall"), i, c)
        json_array_append_new(rows, metric_new(c, "overall"));
    // Build configuration is not part of the overall comparison of programs: its own comparison is the row.
    json_array_foreach (json_list(m->verify, "results"), i, result)
        if (json_flag(result, "kept", false) && str_eq(json_str(result, "scope", ""), "build"))
            json_array_foreach (json_list(result, "comparisons"), k, c)
                json_array_append_new(rows, metric_new(c, json_str(result, "id", "")));
    json_put(m->out, "metrics", rows);
}

static bool has_id(const json_t *rows, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        if (str_eq(json_str(row, "id", NULL), id))
            return true;
    return false;
}

// What a later round decided about a change counts; what only an earlier round tried was tried all the same.
static void add_rounds(const json_t *outputs, const char *member, const json_t *decided, json_t *to, bool only_dropped)
{
    for (size_t i = json_array_size(outputs); i-- > 0;) {
        size_t k;
        json_t *row;
        json_array_foreach (json_list(json_array_get(outputs, i), member), k, row)
            if (!has_id(decided, json_str(row, "id", "")) && !has_id(to, json_str(row, "id", "")) &&
                !(only_dropped && json_flag(row, "kept", false)))
                json_array_append(to, row);
    }
}

static void add_changes(struct model *m)
{
    json_t *changes = json_array(), *dropped = json_array(), *skipped = json_array();
    size_t i;
    json_t *result;
    json_array_foreach (json_list(m->verify, "results"), i, result)
        json_array_append(json_flag(result, "kept", false) ? changes : dropped, result);
    add_rounds(m->rounds, "results", changes, dropped, true);
    add_rounds(m->developed, "skipped", changes, skipped, false);
    json_put(m->out, "changes", changes);
    json_put(m->out, "dropped", dropped);
    json_put(m->out, "skipped", skipped);
}

// The reviewer counts the tests of both sides; without it there is the base of the measurement.
static void add_tests(struct model *m)
{
    copy(m->out, m->check, "tests", NULL);
    const json_t *before = json_obj(m->verify, "tests_before");
    if (json_obj(m->out, "tests") || !before)
        return;
    json_t *tests = json_object();
    json_put(tests, "before", json_deep_copy(before));
    json_put(tests, "after", json_null());
    json_put(m->out, "tests", tests);
}

// What `baton bench` found; its comparisons are the metrics.
static void copy_bench(struct model *m)
{
    static const char *const KEYS[] = {"kind", "sides", "verdict", "outputs", "sentence", "plot", "export", "overall"};
    json_t *bench = m->bench ? json_object() : json_null();
    for (size_t i = 0; i < ARRAY_LEN(KEYS) && m->bench; i++)
        copy(bench, m->bench, KEYS[i], str_eq(KEYS[i], "overall") ? "comparisons" : NULL);
    json_put(m->out, "bench", bench);
}

static void add_evidence(struct model *m)
{
    static const char *const FROM_PROFILE[] = {"baseline", "hot_paths", "findings", "build", "host", "subjects"};
    for (size_t i = 0; i < ARRAY_LEN(FROM_PROFILE); i++)
        copy(m->out, m->profile ? m->profile : m->bench, FROM_PROFILE[i], NULL);
    copy_bench(m);
    copy(m->out, m->explain, "build_report", NULL);
    copy(m->out, m->search, "search", NULL);
    if (m->search && m->verify)
        copy(json_obj(m->out, "search"), m->verify, "patch", NULL);
    if (!json_list(m->out, "findings"))
        copy(m->out, m->review, "findings", NULL);
    copy(m->out, json_obj(m->profile, "build"), "toolchain", NULL);
    copy(m->out, m->profile, "profile", NULL);
    copy(m->out, m->profile, "profiled", NULL);
    copy(m->out, m->check, "requests", NULL);
    copy(m->out, m->check, "diff", NULL);
    add_tests(m);
    json_t *limits = json_array();
    const json_t *from[] = {m->review, m->profile, m->verify, m->check, m->bench, m->explain};
    for (size_t i = 0; i < ARRAY_LEN(from); i++)
        if (json_list(from[i], "limits"))
            json_array_extend(limits, json_list(from[i], "limits"));
    json_put(m->out, "limits", limits);
}

// --- artifacts ---

static void add_artifacts(struct model *m)
{
    AUTO_JSON json_t *list = store_artifact_list_new(m->store, m->run, NULL);
    json_t *rows = json_array();
    size_t i;
    json_t *a;
    json_put(m->out, "measurements", json_object());
    json_array_foreach (list, i, a) {
        json_t *row = json_deep_copy(a);
        AUTO_FREE char *path = store_artifact_path(m->store, json_str(a, "hash", ""));
        json_put_str(row, "path", path);
        json_array_append_new(rows, row);
        char *text = NULL;
        size_t len = 0;
        if (str_eq(json_str(a, "name", ""), "measurements.json") &&
            store_artifact_get(m->store, json_str(a, "hash", ""), ARTIFACT_MAX, &text, &len, NULL) == 0) {
            json_t *parsed = json_parse_new(text, len, "measurements.json", NULL);
            if (json_is_object(parsed)) // of several rounds the newest counts
                json_object_update(json_obj(m->out, "measurements"), parsed);
            json_decref(parsed);
            mem_free(text);
        }
    }
    json_put(m->out, "artifacts", rows);
}

// What the script finished with, without what the engine adds.
static void put_result(json_t *out, const json_t *result)
{
    static const char *const ADDED[] = {"outcome", "reason", "git", "undone", "continued_as"};
    json_t *own = result ? json_copy((json_t *)(uintptr_t)result) : json_object();
    for (size_t i = 0; i < ARRAY_LEN(ADDED); i++)
        json_object_del(own, ADDED[i]);
    if (json_is_null(json_object_get(own, "value"))) // it finished with nothing
        json_object_del(own, "value");
    json_put(out, "result", own);
}

static bool is_open(const char *state)
{
    enum run_state known = RUN_LOST;
    return run_state_from_name(state, &known) && !run_state_final(known);
}

static void add_what_came(struct model *m)
{
    if (json_obj(m->out, "git"))
        copy(json_obj(m->out, "git"), m->verify, "head", NULL);
    add_metrics(m);
    add_changes(m);
    add_evidence(m);
    add_artifacts(m);
    const struct model_ran ran = {
        .profiled = m->profile, .developed = m->develop, .reviewed = m->review, .compared = m->bench, .searched = m->search};
    model_say_headline(m->out, &ran);
    model_say_reproduce(m->out);
}

// What an unfinished run needs to go on and the state folder has not any more: ["script", "agent echo"].
static json_t *missing_new(struct store *store, const json_t *record)
{
    json_t *missing = json_array(), *hash;
    const char *name;
    if (!store_artifact_has(store, json_str(record, "script_hash", "")))
        json_add_str(missing, "script");
    json_object_foreach (json_obj(record, "agents"), name, hash) {
        AUTO_FREE char *what = str_printf("agent %s", name);
        if (!store_artifact_has(store, json_string_value(hash)))
            json_add_str(missing, what);
    }
    return missing;
}

json_t *report_model_new(struct store *store, const char *run, struct err *err)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, err);
    if (!record)
        return NULL;
    struct model m = {.store = store,
                      .run = run,
                      .out = json_object(),
                      .outputs = json_array(),
                      .rounds = json_array(),
                      .developed = json_array()};
    const json_t *result = json_obj(record, "result");
    const char *state = json_str(record, "state", "?");
    json_put_str(m.out, "run", run);
    json_put_str(m.out, "state", state);
    json_put_flag(m.out, "interrupted", store_run_interrupted(store, record));
    copy(m.out, record, "workflow", NULL);
    copy(m.out, record, "project", NULL);
    copy(m.out, record, "params", NULL);
    copy(m.out, result, "reason", NULL);
    copy(m.out, result, "git", NULL);
    put_result(m.out, result);
    put_time(m.out, "created", json_object_get(record, "created_ns"));
    put_time(m.out, "finished", json_object_get(record, "finished_ns"));
    int64_t start = json_int(record, "created_ns", 0), end = json_int(record, "finished_ns", 0);
    json_put_int(m.out, "duration_ms", end > start ? (end - start) / NS_PER_MS : 0);
    int64_t begun = json_int(record, "started_ns", start);
    json_put(m.out, "missing", is_open(state) ? missing_new(store, record) : json_array());
    AUTO_JSON json_t *waits = is_open(state) ? store_waits_new(store, run, NULL) : NULL;
    json_put(m.out, "waits", waits ? json_incref(waits) : json_array());
    add_budget(&m, json_obj(record, "options"), ((end ? end : clock_wall_ns()) - begun) / NS_PER_MS);
    int r = add_stages(&m, err);
    copy(m.out, record, "parent", NULL);
    json_put(m.out, "children", children_new(store, run));
    if (r == 0)
        add_what_came(&m);
    else
        json_decref(m.out);
    json_decref(m.outputs);
    json_decref(m.rounds);
    json_decref(m.developed);
    return r == 0 ? m.out : NULL;
}

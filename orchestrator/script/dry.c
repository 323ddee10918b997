// The outputs have the keys that the shipped workers give, all roles in one: a script reads those it knows.
#include "script/dry.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define COMMIT       "0123456789abcdef0123456789abcdef01234567"
#define OTHER_COMMIT "89abcdef0123456789abcdef0123456789abcdef"

static json_t *need(json_t *v)
{
    must(v != NULL);
    return v;
}

// Of a comparison, and of what lies between two revisions: slower at first, then not to be told, when the gate says so.
static void put_comparison(const struct dry *d, json_t *out)
{
    const char *closed = d->gate == DRY_GATE_CLOSED || d->stages <= 2 ? "slower" : "undecided";
    json_put_str(out, "verdict", d->unproven ? "undecided" : d->gate == DRY_GATE_OPEN ? "no_difference" : closed);
    json_put_str(out, "sentence", "made up by the dry run");
    json_put_str(out, "outputs", "identical");
    json_put_str(out, "from", COMMIT);
    json_put_str(out, "to", d->changes ? OTHER_COMMIT : COMMIT);
    json_put(out, "commits",
             need(json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "commit", "1", "title", "made up", "commit", "2",
                            "title", "made up", "commit", OTHER_COMMIT, "title", "made up")));
}

static json_t *output_new(const struct dry *d)
{
    json_t *out = json_object();
    json_t *finding = need(json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "id", "F1", "kind", "clippy", "lint",
                                     "clippy::useless_vec", "file", "src/lib.rs", "line", 10, "message", "made up",
                                     "scope", "runtime"));
    json_put_flag(out, "measurable", d->measurable);
    put_comparison(d, out);
    json_put(out, "subjects",
             d->measurable ? need(json_pack("[{s:s, s:s}]", "kind", "bench", "name", "made_up")) : json_array());
    json_put(out, "hot_paths",
             need(json_pack("[{s:s, s:f, s:f, s:s, s:i}]", "function", "made_up", "self", 60.0, "total", 90.0, "file",
                            "src/lib.rs", "line", 10)));
    json_put(out, "baseline", need(json_pack("[{s:s, s:[f,f,f]}]", "name", "made_up", "samples", 1.0, 1.1, 0.9)));
    json_put(out, "build", need(json_pack("{s:f}", "seconds", 2.5)));
    json_put(out, "findings", need(json_pack("[o]", finding)));
    json_put(out, "skipped", json_array());
    json_put(out, "requests",
             d->gate == DRY_GATE_OPEN ? json_array() : need(json_pack("[{s:s, s:s}]", "id", "R1", "text", "made up")));
    json_put(out, "tests", need(json_pack("{s:i, s:i}", "passed", 3, "failed", 0)));
    json_put(out, "measured", need(json_pack("{s:s, s:f}", "id", "P0", "run", 1.0)));
    json_put(out, "points", need(json_pack("[{s:s}, {s:s}]", "id", "P0", "id", "P1")));
    json_put(out, "recommended", need(json_pack("[{s:s}]", "id", "P1")));
    json_put_str(out, "head", COMMIT);
    json_put_int(out, "changed", d->changes);
    json_put_int(out, "kept", d->changes && d->approved);
    json_put_flag(out, "proven", d->changes && d->approved && !d->unproven);
    json_put_int(out, "dropped", d->changes && !d->approved);
    json_put_int(out, "undecided", d->changes && !d->approved);
    if (!d->changes) {
        json_put(out, "candidates", json_array());
        json_put(out, "changes", json_array());
        json_put(out, "results", json_array());
        return out;
    }
    json_put(out, "candidates", need(json_pack("[{s:s, s:s, s:s}]", "id", "C1", "kind", "lint", "title", "made up")));
    json_put(out, "changes",
             need(json_pack("[{s:s, s:s, s:s, s:s, s:[s]}]", "id", "C1", "kind", "lint", "title", "made up", "commit",
                            COMMIT, "files", "src/lib.rs")));
    json_put(out, "results", need(json_pack("[{s:s, s:b}]", "id", "C1", "kept", 1)));
    return out;
}

static json_t *stage_new(struct dry *d, uint64_t call_id, const json_t *args)
{
    const char *agent = json_str(args, "agent", "");
    bool blocked = ++d->stages == d->blocked_stage;
    if (d->note_agent)
        d->note_agent(d->ctx, agent, script_line(d->script, call_id));
    bool approves = d->gate == DRY_GATE_OPEN || (d->gate == DRY_GATE_CLOSED_ONCE && d->gates > 0);
    bool judge = str_has_nocase(agent, "review") || str_has_nocase(agent, "critic");
    json_t *r = json_object();
    char id[64];
    snprintf(id, sizeof(id), "2026-01-01T00-00-%02d-%d", d->stages % 60, d->stages);
    json_put_str(r, "id", id);
    json_put_int(r, "stage", d->stages);
    json_put_str(r, "agent", agent);
    json_put_str(r, "key", COMMIT);
    json_put_flag(r, "ok", !blocked);
    json_put_str(r, "status", !blocked ? "completed" : d->discuss ? "needs_discussion" : "blocked");
    json_put_str(r, "verdict", !judge || blocked ? NULL : approves ? "approved" : "changes_requested");
    json_put_str(r, "summary", "made up by the dry run");
    json_put(r, "output", blocked ? json_object() : output_new(d));
    json_put(r, "artifacts", json_array());
    json_put_str(r, "next_agent", NULL);
    json_put_str(r, "next_task", NULL);
    return r;
}

static json_t *gate_new(struct dry *d)
{
    bool open = d->gate == DRY_GATE_OPEN || (d->gate == DRY_GATE_CLOSED_ONCE && d->gates > 0);
    d->gates++;
    json_t *r = json_object();
    json_put_flag(r, "open", open);
    json_put_str(r, "reason", open ? "approved" : "changes_requested");
    return r;
}

static json_t *child_new(struct dry *d, uint64_t call_id, const json_t *args)
{
    if (d->note_workflow)
        d->note_workflow(d->ctx, json_str(args, "workflow", ""), script_line(d->script, call_id));
    return need(json_pack("{s:b, s:s, s:s, s:{s:s}, s:s}", "ok", d->approved, "outcome",
                          d->approved ? "accepted" : "failed", "reason", "made up", "result", "outcome",
                          d->approved ? "accepted" : "failed", "run", "dry-run"));
}

int dry_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
             json_t **ret_answer, struct err *err)
{
    (void)task;
    (void)n;
    struct dry *d = ctx;
    if (++d->calls > DRY_CALLS_MAX)
        return err_set(err, ERR_CANCELLED, "the dry run asked for more than %d things", DRY_CALLS_MAX);
    if (str_eq(op, "stage"))
        *ret_answer = stage_new(d, call_id, args);
    else if (str_eq(op, "gate"))
        *ret_answer = gate_new(d);
    else if (str_eq(op, "approve"))
        *ret_answer = need(json_pack("{s:b, s:s, s:s}", "approved", d->approved, "by", "dry run", "note", ""));
    else if (str_eq(op, "child"))
        *ret_answer = child_new(d, call_id, args);
    else if (str_eq(op, "signal"))
        *ret_answer = need(json_pack("{s:b, s:o, s:s}", "came", d->approved, "value",
                                     d->approved ? json_object() : json_null(), "by", "dry run"));
    else if (str_eq(op, "now"))
        *ret_answer = json_integer(1767225600 + d->calls);
    else if (str_eq(op, "random"))
        *ret_answer = json_real((double)(d->calls % 10) / 10.0);
    else if (str_eq(op, "last_run"))
        *ret_answer = d->approved ? need(json_pack("{s:s, s:i, s:{s:s}}", "run", "dry-run", "finished", 1767225600,
                                                   "result", "commit", COMMIT))
                                  : json_object();
    else if (str_eq(op, "continue")) {
        d->continued = true;
        return err_set(err, ERR_CANCELLED, "it goes on in another run");
    } else {
        d->handlers += str_eq(op, "on_failure");
        *ret_answer = json_null();
    }
    return 0;
}

// What came of a run that was decided again: differences, how it ended, the final hashes.
#include "replay/replay_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "run/words.h"

#define DIFFERENCES_MAX 200

json_t *replay_differ(struct replay *r, const char *task, unsigned n, const char *op, const char *what,
                      const char *journaled, const char *now)
{
    if (json_array_size(r->differences) >= DIFFERENCES_MAX)
        return NULL;
    json_t *d = json_object();
    json_put_str(d, "task", task);
    json_put_int(d, "n", n);
    json_put_int(d, "line", r->line);
    json_put_str(d, "op", op);
    json_put_str(d, "what", what);
    json_put_str(d, "journaled", journaled);
    json_put_str(d, "now", now);
    json_array_append_new(r->differences, d);
    return d;
}

void replay_add_hashes(json_t *difference, const char *journaled, const char *now)
{
    if (!difference)
        return;
    json_put_str(difference, "journaled_hash", journaled);
    json_put_str(difference, "now_hash", now);
}

// --- the final hash ---

// differences: what was decided differently, NULL for the run as it was journaled.
static void final_hash(const struct replay *r, const char *state, const json_t *result, const json_t *differences,
                       char out[HASH_TEXT])
{
    AUTO_JSON json_t *v = json_object();
    json_t *stages = json_array();
    size_t i;
    json_t *stage;
    json_array_foreach (r->stages, i, stage) {
        char hash[HASH_TEXT];
        json_hash(json_object_get(stage, "handoff"), hash);
        json_t *row = json_object();
        json_put_str(row, "key", json_str(stage, "key", NULL));
        json_put_int(row, "occurrence", json_int(stage, "occurrence", 0));
        json_put_str(row, "state", json_str(stage, "state", NULL));
        json_put_str(row, "handoff", hash);
        json_array_append_new(stages, row);
    }
    json_put_str(v, "state", state);
    json_put(v, "result", result ? json_deep_copy(result) : json_null());
    json_put(v, "stages", stages);
    if (json_array_size(differences) > 0)
        json_put(v, "differences", json_deep_copy(differences));
    json_hash(v, out);
}

// What the script itself finished with: the engine adds outcome, reason and git facts to it.
static json_t *script_part_new(const json_t *result)
{
    json_t *copy = json_is_object(result) ? json_deep_copy(result) : json_object();
    if (result && !json_is_object(result))
        json_put(copy, "value", json_deep_copy(result));
    json_object_del(copy, "outcome");
    json_object_del(copy, "git");
    json_object_del(copy, "undone");
    json_object_del(copy, "continued_as");
    return copy;
}

static void differ_result(struct replay *r, const json_t *journaled, const json_t *now)
{
    char hash[HASH_TEXT], now_hash[HASH_TEXT];
    json_hash(journaled, hash);
    json_hash(now, now_hash);
    if (str_eq(hash, now_hash))
        return;
    AUTO_FREE char *was = words_of_value_new(journaled, now);
    AUTO_FREE char *is = words_of_value_new(now, journaled);
    replay_add_hashes(replay_differ(r, "0", 0, "finish", "result", was, is), hash, now_hash);
}

void replay_judge(struct replay *r, json_t *out)
{
    const char *state = json_str(r->run, "state", "?");
    const json_t *result = json_obj(r->run, "result");
    const char *failure = r->end.failure, *now = r->end.outcome;
    AUTO_JSON json_t *journaled_part = script_part_new(result);
    AUTO_JSON json_t *now_part = script_part_new(r->end.result);
    if (failure && !json_str(now_part, "reason", NULL))
        json_put_str(now_part, "reason", failure);
    if (r->stopped) {
        now = run_state_name(r->stopped_as);
        json_decref(now_part);
        now_part = json_incref(r->stopped);
        failure = NULL;
    }
    if (r->unknown) {
        now = run_state_name(RUN_RUNNING);
        failure = NULL;
    }
    bool over = str_eq(state, "over_budget") && !r->unknown && (walls_stood(r->walls, NULL, 0) || str_eq(now, state));
    bool ended_by_script = str_eq(state, "failed") || str_eq(state, "accepted") || str_eq(state, "rejected") ||
                           str_eq(state, "needs_discussion") || str_eq(state, "nothing_measurable") ||
                           str_eq(state, "continued") || over;
    r->line = r->end.line;
    if (ended_by_script && (str_eq(state, now) || (!failure && !r->stopped)))
        differ_result(r, journaled_part, now_part);
    if (ended_by_script && !str_eq(state, now))
        replay_differ(r, "0", 0, "finish", "outcome", state, failure && !str_eq(now, state) ? failure : now);
    if (!ended_by_script && !r->unknown && !r->stopped) { // cancelled, timed out …: the script has no say in it
        json_decref(now_part);
        now_part = json_deep_copy(journaled_part);
        now = state;
    }
    char hash[HASH_TEXT], replay_hash[HASH_TEXT];
    final_hash(r, state, journaled_part, NULL, hash);
    final_hash(r, now, now_part, r->differences, replay_hash);
    json_put_str(out, "run", json_str(r->run, "id", NULL));
    json_put_str(out, "state", state);
    json_put_str(out, "outcome", now);
    json_put_flag(out, "same", json_array_size(r->differences) == 0 && str_eq(hash, replay_hash));
    json_put_int(out, "stages", (int64_t)json_array_size(r->stages));
    json_put_int(out, "calls", (int64_t)r->answered);
    json_put(out, "differences", json_incref(r->differences));
    json_put_str(out, "hash", hash);
    json_put_str(out, "replay_hash", replay_hash);
}

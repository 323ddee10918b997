// A replay that asks for something else than the journal has: both sides in words.
#include "run/calls.h"
#include "run/stage_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "run/words.h"

// The stage that the journaled call began; NULL: none.
static json_t *stage_of_new(struct run *run, const json_t *record)
{
    const json_t *answer = str_eq(json_str(record, "op", ""), "stage") ? json_obj(record, "answer") : NULL;
    struct err ignored;
    const struct journaled *j = answer ? run_journaled(run, &ignored) : NULL;
    int seq = j ? journaled_stage(j, json_str(answer, "key", ""), (int)json_int(answer, "occurrence", 0)) : 0;
    return seq ? store_stage_get_new(run->env.store, run->id, seq, NULL) : NULL;
}

static int say(struct run *run, const struct call *c, const struct words_stage *now, const char *hash,
               const json_t *record, struct err *err)
{
    AUTO_JSON json_t *stage = stage_of_new(run, record);
    const struct words_stage was = {.seq = (int)json_int(stage, "seq", 0),
                                    .agent = json_str(stage, "agent", NULL),
                                    .mode = json_str(stage, "mode", NULL),
                                    .request = json_obj(stage, "request")};
    const char *op = json_str(record, "op", "");
    int line = script_line(run->script, c->id);
    AUTO_FREE char *where = line ? str_printf(" (line %d)", line) : str_dup("");
    AUTO_FREE char *journaled = stage                 ? words_of_stage_new(&was, now)
                                : str_eq(op, "stage") ? str_dup("a stage that was not begun")
                                                      : words_of_record_new(record);
    AUTO_FREE char *asked = now ? words_of_stage_new(now, stage ? &was : NULL) : words_of_call_new(c->op, c->args);
    AUTO_FREE char *parts = now && stage ? words_of_change_new(&was, now) : NULL;
    return err_set(err, ERR_CONFLICT,
                   "the run diverged at call %u of task %s%s: the journal has '%s', the script now asks for '%s'%s%s "
                   "(request %.12s, now %.12s)",
                   c->n, c->task, where, journaled, asked, parts ? "; different: " : "", parts ? parts : "",
                   json_str(record, "request_hash", "?"), hash);
}

int call_diverged(struct run *run, const struct call *c, const json_t *record, struct err *err)
{
    char hash[HASH_TEXT];
    json_hash(c->args, hash);
    const struct words_stage now = {
        .agent = json_str(c->args, "agent", "?"), .mode = json_str(c->args, "mode", NULL), .request = c->args};
    return say(run, c, str_eq(c->op, "stage") ? &now : NULL, hash, record, err);
}

int stage_diverged(const struct stage *s, struct err *err)
{
    struct run *run = s->run;
    AUTO_JSON json_t *record = call_record_new(run, s->task, s->n, err);
    const struct call c = {.id = s->call, .task = s->task, .n = s->n, .op = "stage", .args = s->args};
    const struct words_stage now = {.agent = s->agent->name, .mode = s->focus.mode, .request = s->args};
    return record ? say(run, &c, &now, s->key, record, err) : -ERR_CONFLICT;
}

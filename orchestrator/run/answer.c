#include "run/answer.h"

#include "base/mem.h"
#include "base/str.h"

json_t *answer_of_stage_new(const json_t *handoff, enum stage_state state, int seq, const char *key)
{
    json_t *a = json_object();
    const char *status = json_str(handoff, "status", "blocked");
    json_put_flag(a, "ok", state == STAGE_COMPLETED && str_eq(status, "completed"));
    json_put_str(a, "id", json_str(handoff, "id", NULL));
    json_put_str(a, "agent", json_str(handoff, "agent_name", NULL));
    json_put_str(a, "status", state == STAGE_COMPLETED ? status : stage_state_name(state));
    const char *const texts[] = {"verdict", "summary", "next_agent", "next_task"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_put_str(a, texts[i], json_str(handoff, texts[i], NULL));
    const json_t *output = json_obj(handoff, "output"), *artifacts = json_list(handoff, "artifacts");
    // References: an answer is only read.
    json_put(a, "output", output ? json_incref((json_t *)(uintptr_t)output) : json_object());
    json_put(a, "artifacts", artifacts ? json_incref((json_t *)(uintptr_t)artifacts) : json_array());
    json_put_str(a, "key", key);
    json_put_int(a, "stage", seq);
    return a;
}

json_t *answer_of_gate_new(const json_t *args, const json_t *handoff, bool ungrounded)
{
    const char *wanted = json_str(args, "verdict", "approved"), *verdict = json_str(handoff, "verdict", NULL);
    AUTO_FREE char *reason = NULL;
    bool open = false;
    if (!handoff)
        reason = str_printf("handoff '%s' is not of this run", json_str(args, "id", "?"));
    else if (!str_eq(json_str(handoff, "status", ""), "completed"))
        reason = str_printf("the stage is %s", json_str(handoff, "status", "?"));
    else if (!verdict)
        reason = str_dup("the stage gave no verdict");
    else if (!str_eq(verdict, wanted))
        reason = str_printf("verdict is '%s', wanted is '%s'", verdict, wanted);
    else if (ungrounded)
        reason = str_dup("the handoff claims what its receipts do not show");
    else
        reason = str_printf("verdict '%s'", verdict);
    open = handoff && str_eq(json_str(handoff, "status", ""), "completed") && str_eq(verdict, wanted) && !ungrounded;
    json_t *answer = json_object();
    json_put_flag(answer, "open", open);
    json_put_str(answer, "reason", reason);
    return answer;
}

json_t *answer_ungrounded_new(struct store *store, const char *run)
{
    AUTO_JSON json_t *events = store_event_list_new(store, run, 0, 0, NULL),
                     *stages = store_stage_list_new(store, run, false, NULL);
    json_t *ungrounded = json_object();
    size_t i, k;
    json_t *event, *stage;
    json_array_foreach (events, i, event) {
        if (!str_eq(json_str(event, "kind", ""), event_kind_name(EVENT_CLAIM_UNGROUNDED)))
            continue;
        json_array_foreach (stages, k, stage)
            if (json_int(stage, "seq", 0) == json_int(json_obj(event, "body"), "stage", -1))
                json_put(ungrounded, json_str(stage, "handoff_id", ""), json_true());
    }
    return ungrounded;
}

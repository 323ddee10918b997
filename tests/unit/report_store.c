#include "support/support.h"

#include "report_store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/report.h"

#include <stdio.h>
#include <string.h>

#define FIXTURE_MAX ((size_t)4 << 20)

json_t *report_fixture(void)
{
    struct err err;
    AUTO_FREE char *path = test_source_path("tests/fixtures/report/relay.json");
    json_t *v = json_read_file_new(path, FIXTURE_MAX, &err);
    if (!v)
        fail_msg("%s", err.text);
    return v;
}

static void put_artifact(struct store *s, const char *run, const json_t *entry, const char *name, const char *text)
{
    struct err err;
    char hash[HASH_TEXT];
    assert_ok(store_artifact_put(s, text, strlen(text), hash, &err), &err);
    assert_ok(store_artifact_ref(s, run, (int)json_int(entry, "seq", 1), name, hash, NULL, (int64_t)strlen(text), &err),
              &err);
}

static void put_stage(struct store *s, const char *run, int seq, const json_t *stage)
{
    struct err err;
    char key[32];
    AUTO_JSON json_t *request = json_object();
    snprintf(key, sizeof(key), "key-%d", seq);
    struct store_stage next = {.run = run,
                               .seq = seq,
                               .key = key,
                               .task = "0",
                               .agent = json_str(stage, "agent", "?"),
                               .mode = json_str(stage, "mode", NULL),
                               .lease = "l",
                               .request = request};
    assert_ok(store_commit_stage(s, NULL, &next, 1, &err), &err);
    enum stage_state state = STAGE_COMPLETED;
    if (!stage_state_from_name(json_str(stage, "state", ""), &state) || !stage_state_final(state))
        return; // stays reserved
    const json_t *handoff = json_obj(stage, "handoff");
    struct store_result result = {.run = run,
                                  .seq = seq,
                                  .lease = "l",
                                  .state = state,
                                  .handoff = handoff,
                                  .handoff_id = handoff ? json_str(handoff, "id", "h") : NULL,
                                  .receipts = json_list(stage, "receipts"),
                                  .worker = "test"};
    assert_ok(store_commit_stage(s, &result, NULL, 0, &err), &err);
}

void report_store_fill(struct store *s, const json_t *description)
{
    struct err err;
    const json_t *run = json_obj(description, "run"), *flame = json_obj(description, "flamegraph");
    const json_t *measurements = json_obj(description, "measurements");
    AUTO_JSON json_t *agents = json_object();
    char script[HASH_TEXT];
    assert_ok(store_artifact_put(s, "script", 6, script, &err), &err);
    struct store_run record = {.id = json_str(run, "id", "run-1"),
                               .workflow = json_str(run, "workflow", "relay"),
                               .script_hash = script,
                               .project = json_str(run, "project", "/p"),
                               .params = json_obj(run, "params"),
                               .agents = agents};
    char id[STORE_NAME_MAX];
    assert_ok(store_run_create(s, &record, id, &err), &err);
    assert_ok(store_run_set_state(s, id, RUN_RUNNING, NULL, &err), &err);
    size_t i;
    json_t *stage;
    json_array_foreach (json_list(description, "stages"), i, stage)
        put_stage(s, id, (int)i + 1, stage);
    if (measurements) {
        AUTO_FREE char *text = json_compact(json_obj(measurements, "body"));
        put_artifact(s, id, measurements, "measurements.json", text);
    }
    if (flame) {
        AUTO_FREE char *path = test_source_path("tests/fixtures/report/flamegraph.svg");
        AUTO_FREE char *text = json_str(flame, "text", NULL) ? str_dup(json_str(flame, "text", NULL)) : test_read(path);
        put_artifact(s, id, flame, "flamegraph.svg", text);
    }
    enum run_state state = RUN_RUNNING;
    assert_true(run_state_from_name(json_str(run, "state", ""), &state));
    if (run_state_final(state))
        assert_ok(store_run_set_state(s, id, state, json_obj(run, "result"), &err), &err);
}

static char *read_in(const char *dir, const char *name)
{
    AUTO_FREE char *path = path_join(dir, name);
    return test_read(path);
}

void report_written(const json_t *description, struct written *ret)
{
    struct store *s = NULL;
    struct err err;
    char *dir = test_temp_dir();
    AUTO_FREE char *out = path_join(dir, "report");
    assert_ok(store_open(dir, &s, &err), &err);
    report_store_fill(s, description);
    assert_ok(report_write(s, json_str(json_obj(description, "run"), "id", "run-1"), out, &err), &err);
    store_close(s);
    AUTO_FREE char *json = read_in(out, "report.json");
    *ret = (struct written){.dir = dir,
                            .md = read_in(out, "report.md"),
                            .html = read_in(out, "report.html"),
                            .model = json_parse_new(json, strlen(json), "report.json", &err)};
    if (!ret->model)
        fail_msg("%s", err.text);
}

void written_free(struct written *w)
{
    test_remove(w->dir);
    mem_free(w->md);
    mem_free(w->html);
    json_decref(w->model);
}

// The commands behind the table in table.c; each returns the exit status.
#pragma once

#include "main/cli.h"
#include "main/places.h"
#include "store/store.h"

int cmd_run(const struct cli *cli);
int cmd_tune(const struct cli *cli);
int cmd_bench(const struct cli *cli);
int cmd_profile(const struct cli *cli);
int cmd_bench_history(const struct cli *cli); // of cmd_bench
int cmd_build_report(const struct cli *cli);
int cmd_resume(const struct cli *cli);
int cmd_start(const struct cli *cli);
int cmd_metrics(const struct cli *cli);
int cmd_schedule_add(const struct cli *cli);
int cmd_schedule_list(const struct cli *cli);
int cmd_schedule_show(const struct cli *cli);
int cmd_schedule_remove(const struct cli *cli);
int cmd_schedule_pause(const struct cli *cli);
int cmd_schedule_resume(const struct cli *cli);
int cmd_schedule_trigger(const struct cli *cli);
int cmd_top(const struct cli *cli);
int cmd_serve(const struct cli *cli);

int cmd_runs(const struct cli *cli);
int cmd_show(const struct cli *cli);
int cmd_events(const struct cli *cli);
int cmd_logs(const struct cli *cli);
int cmd_cancel(const struct cli *cli);
int cmd_questions(const struct cli *cli);
int cmd_approve(const struct cli *cli);
int cmd_signal(const struct cli *cli);
int cmd_query(const struct cli *cli);
int cmd_apply(const struct cli *cli);
int cmd_outbox(const struct cli *cli);
int cmd_report(const struct cli *cli);
int cmd_export(const struct cli *cli);
int cmd_replay(const struct cli *cli);

int cmd_agent_list(const struct cli *cli);
int cmd_agent_show(const struct cli *cli);
int cmd_agent_lint(const struct cli *cli);
int cmd_handoff_show(const struct cli *cli);
int cmd_handoff_lint(const struct cli *cli);
int cmd_workflow_list(const struct cli *cli);
int cmd_workflow_check(const struct cli *cli);
int cmd_policy_check(const struct cli *cli);
int cmd_policy_explain(const struct cli *cli);
int cmd_doctor(const struct cli *cli);
int cmd_help(const struct cli *cli);

// --- shared ---
// Runs what was asked for (cleared) in this process until its end. `ended` (may be NULL): called with the exit status behind
// the result, returns that of the command; not for a run that was interrupted.
struct run_request;
typedef int cmd_run_ended(void *user, struct store *store, const char *run, int status);
int cmd_run_request(const struct cli *cli, struct run_request *request, cmd_run_ended *ended, void *user);
// A folder without a Cargo.toml is no project: ERR_INVALID.
int commands_check_project(const char *dir, struct err *err);
// State folder and journal of this user.
int commands_open(struct places *places, struct store **ret, struct err *err);
// The same for commands that start workers: what the site's files say of boxes must be understood, too. ERR_PARSE,
// ERR_LIMIT and others, with file:line.
int commands_open_to_work(struct places *places, struct store **ret, struct err *err);
// The same for commands that only read: a damaged journal is an error that says so, a read-only folder is none.
int commands_open_to_look(struct places *places, struct store **ret, struct err *err);
void commands_say_lost_journal(struct store *store); // on standard error, when one was set aside here
void commands_close(struct places *places, struct store *store);
// The run a person means: a whole id, a unique beginning, the part behind the dash, or "last". Owned by the caller.
int commands_find_run(struct store *store, const char *word, char **ret, struct err *err);
#define COMMANDS_ORDINAL_MAX 32
void commands_ordinal(int64_t n, char out[COMMANDS_ORDINAL_MAX]); // 1st, 2nd, 3rd, 11th
void commands_say_started(const char *run, int64_t position); // "… is queued, 3rd", or at work
// Until no notification is being delivered: a bit more than one attempt takes at most.
struct engine;
struct loop;
void commands_wait_for_effects(struct engine *engine, struct loop *loop);
// Prints JSON (consumed) and a newline on standard output.
void commands_print_json(json_t *value_consumed);

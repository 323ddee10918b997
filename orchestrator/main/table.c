// Every command with its options and examples: parser, --help and man page come from here.
#include "main/commands.h"

#define END {0}
#define JSON_OPTION {"json", 0, NULL, false, "print JSON, for machines"}

#define REQUEST_OPTIONS                                                                                                \
    {"focus", 0, "WHAT", false, "what to make faster: runtime, build or all (default: all)"},                          \
        {"bench", 0, "CMD", false, "what to run and measure, as words: 'PROGRAM ARGS' (no shell)"},                    \
        {"budget", 0, "MINUTES", false, "time for measuring changes (default: 20)"},                                   \
        {"max-rounds", 0, "N", false, "rounds of review and fixing before people must decide (default: 2)"},           \
        {"agents", 0, "DIR", true, "agent files of your own (file or folder), before the ones that ship"},             \
        {"allow", 0, "RULE", true, "grant a rule beside the agent files, e.g. 'Bash(./gen.sh *)'"},                    \
        {"param", 0, "NAME=VALUE", true, "any parameter of the workflow"},                                             \
        {"key", 0, "KEY", false, "idempotency key: a second call with it starts nothing"},                             \
        {"timeout", 0, "MINUTES", false, "end the run after that time"},                                               \
        {"limit", 0, "NAME=VALUE", true, "a wall: stages=20, fix_rounds=3, money=2.50, tokens=200k, processes=64 …"},  \
    {                                                                                                                  \
        "notify", 0, "URL", true, "POST a JSON object there when the run ends (http or https)"                         \
    }

#define RUN_OPTIONS                                                                                                    \
    REQUEST_OPTIONS, {"quiet", 'q', NULL, false, "no progress, only the result"},                                      \
        {"json", 0, NULL, false, "every event as one JSON line, the result last"}, END

static const struct cli_option RUN[] = {{"project", 'p', "DIR", false, "the project (default: the current folder)"}, RUN_OPTIONS};
static const struct cli_option START[] = {{"project", 'p', "DIR", false, "the project (default: the current folder)"}, REQUEST_OPTIONS,
                                          {"wait", 0, "SECONDS", false, "how long to wait for a service that is not there or is being restarted (default: 10)"},
                                          JSON_OPTION, END};
static const struct cli_option SCHEDULE[] = {
    {"project", 'p', "DIR", false, "the project (default: the current folder)"},
    REQUEST_OPTIONS,
    {"zone", 0, "ZONE", false, "time zone of the times, e.g. Europe/Berlin (default: the machine's)"},
    {"overlap", 0, "WHAT", false, "when the run before has not ended: skip (default), queue, or cancel it"},
    {"catch-up", 0, "WHAT", false, "for times that were missed by more than five minutes: none (default), or once"},
    END};
static const struct cli_option BENCH[] = {
    {"project", 'p', "DIR", false, "the project of revisions (default: the current folder); commands run in a checkout of it"},
    {"bench", 0, "CMD", false, "A and B are revisions: what to run of each, as words: 'PROGRAM ARGS' (no shell)"},
    {"baseline", 0, "REV", false, "compare this revision with B (default: HEAD)"},
    {"revisions", 0, NULL, false, "A and B are revisions, measured by what the project declares or offers"},
    {"profile-a", 0, "NAME", false, "A and B are built with different profiles of cargo (of one revision: HEAD, or the one given)"},
    {"profile-b", 0, "NAME", false, "profile of B (default: release)"},
    {"metric", 0, "WHAT", false, "what decides: cpu (default), wall, memory, allocations, syscalls, size; of revisions also build, incremental"},
    {"bisect", 0, NULL, false, "A was fast, B is slow: find the commit in between (the workflow 'regression')"},
    {"history", 0, NULL, false, "show the benches of revisions of the project so far, by host; with --json or --svg"},
    {"svg", 0, "FILE", false, "write the history as a picture"},
    {"theta", 0, "PERCENT", false, "smallest change that counts (default: 2%)"},
    {"budget", 0, "MINUTES", false, "time for measuring; what is decided earlier ends earlier (default: 5)"},
    {"fail-on", 0, "WHAT", true, "what gives another exit status than 0: slower, undecided, outputs (default: the first two)"},
    {"export", 0, "FORMAT=FILE", true, "write the result for other tools: bencher=FILE, github-action=FILE"},
    {"agents", 0, "DIR", true, "agent files of your own (file or folder), before the ones that ship"},
    {"allow", 0, "RULE", true, "grant a rule beside the agent files, e.g. 'Bash(./gen.sh *)'"},
    {"key", 0, "KEY", false, "idempotency key: a second call with it starts nothing"},
    {"timeout", 0, "MINUTES", false, "end the run after that time"},
    {"limit", 0, "NAME=VALUE", true, "a wall: processes=64, wall=30m …"},
    {"notify", 0, "URL", true, "POST a JSON object there when the run ends (http or https)"},
    {"quiet", 'q', NULL, false, "no progress, only the result"},
    {"json", 0, NULL, false, "every event as one JSON line, the result last"},
    END};
static const struct cli_option PROFILE[] = {
    {"output", 'o', "DIR", false, "write all formats there, or those that are asked for"},
    {"format", 0, "FORMAT", true, "flamegraph, icicle, folded, speedscope, firefox, pprof, table or json: on standard output, or with --output several"},
    {"diff", 0, "FILE", false, "what it was before, a file of any profiler: differential flame graph, and a table of what changed"},
    {"memory", 0, NULL, false, "follow allocations (valgrind DHAT) instead of time"},
    {"scale", 0, "CMD", false, "a command with {n} in it, counted at the sizes: which functions grow faster than their input"},
    {"sizes", 0, "N[,M…]", false, "what stands for {n}: 1000,2000,4000; one number stands for itself and twice as much"},
    {"source", 0, "DIR", true, "folder with the project's source, to which time is charged (default: the current folder)"},
    {"tool", 0, "TOOL", false, "auto (default: perf, and calls counted for short runs), perf, or callgrind"},
    {"call-graph", 0, "HOW", false, "how perf finds callers: dwarf (default), fp or lbr"},
    {"frequency", 0, "HZ", false, "samples per second (default: by how long it runs)"},
    {"every-frame", 0, NULL, false, "show the frames of async runtimes and rayon one by one"},
    {"top", 0, "N", false, "functions shown (default: 10)"},
    {"agents", 0, "DIR", true, "agent files of your own (file or folder), before the ones that ship"},
    {"allow", 0, "RULE", true, "grant a rule beside the agent files, e.g. 'Bash(./gen.sh *)'"},
    {"key", 0, "KEY", false, "idempotency key: a second call with it starts nothing"},
    {"timeout", 0, "MINUTES", false, "end the run after that time"},
    {"limit", 0, "NAME=VALUE", true, "a wall: processes=64, wall=30m …"},
    {"notify", 0, "URL", true, "POST a JSON object there when the run ends (http or https)"},
    {"quiet", 'q', NULL, false, "no progress, only the result"},
    {"json", 0, NULL, false, "every event as one JSON line, the result last"},
    END};
static const struct cli_option BUILD_REPORT[] = {
    {"release", 0, NULL, false, "build the release profile (default: the one that 'cargo build' uses)"},
    {"no-proof", 0, NULL, false, "do not try what could be left out: no tests are run"},
    {"budget", 0, "MINUTES", false, "time for proving what can be left out (default: 10)"},
    {"agents", 0, "DIR", true, "agent files of your own (file or folder), before the ones that ship"},
    {"allow", 0, "RULE", true, "grant a rule beside the agent files, e.g. 'Bash(./gen.sh *)'"},
    {"key", 0, "KEY", false, "idempotency key: a second call with it starts nothing"},
    {"timeout", 0, "MINUTES", false, "end the run after that time"},
    {"limit", 0, "NAME=VALUE", true, "a wall: processes=64, wall=30m …"},
    {"notify", 0, "URL", true, "POST a JSON object there when the run ends (http or https)"},
    {"quiet", 'q', NULL, false, "no progress, only the result"},
    {"json", 0, NULL, false, "every event as one JSON line, the result last"},
    END};
static const struct cli_option TUNE[] = {
    {"for", 0, "GOAL", false, "search the build settings together for runtime, build, size or balanced: the workflow 'search'"},
    {"accept", 0, "WHAT", true, "with --for, what may be taken over although it costs something: abort, native, debug"},
    RUN_OPTIONS};
static const struct cli_option RESUME[] = {
    {"again", 0, NULL, false, "take up a run that has ended: what failed is executed again"},
    {"with-new-script", 0, "FILE", false, "go on with another version of the workflow"},
    {"agents", 0, "DIR", true, "go on with these agent files (file or folder)"},
    {"limit", 0, "NAME=VALUE", true, "another limit than before, e.g. stages=40"},
    {"yes", 'y', NULL, false, "do not ask: go on as the plan says"},
    {"quiet", 'q', NULL, false, "no progress, only the result"},
    {"json", 0, NULL, false, "every event as one JSON line, the result last"},
    END};
static const struct cli_option JSON_ONLY[] = {JSON_OPTION, END};
static const struct cli_option RUNS[] = {{"limit", 'n', "N", false, "at most so many, newest first (default: 20)"},
                                         {"state", 0, "STATE", false, "only runs in this state"},
                                         {"unfinished", 0, NULL, false, "only runs that can be resumed"}, JSON_OPTION, END};
static const struct cli_option LOGS[] = {{"follow", 'f', NULL, false, "wait for more until the run has ended"}, JSON_OPTION, END};
static const struct cli_option EVENTS[] = {{"follow", 'f', NULL, false, "wait for more (of a run: until it has ended)"},
                                           {"since", 0, "ID", false, "only those behind this one; 'now': only those to come"},
                                           {"kind", 0, "KIND", true, "only of this kind: run_finished, 'stage_*'"}, JSON_OPTION, END};
static const struct cli_option TOP[] = {{"once", 0, NULL, false, "look once and end"},
                                        {"interval", 0, "SECONDS", false, "time between two looks (default: 1)"},
                                        {"json", 0, NULL, false, "every look as one JSON line"},
                                        END};
static const struct cli_option OUTBOX[] = {{"deliver", 0, NULL, false, "try those that wait now"}, JSON_OPTION, END};
static const struct cli_option CANCEL[] = {{"reason", 0, "TEXT", false, "why, for the record"}, END};
static const struct cli_option APPROVE[] = {{"deny", 0, NULL, false, "say no"}, {"note", 0, "TEXT", false, "why, for the record"},
                                            {"for", 0, "SUBJECT", false, "what you looked at: refused when the question is about something else"},
                                            {"question", 0, "ID", false, "of several, the one that is meant ('baton show RUN' lists them)"},
                                            {"by", 0, "NAME", false, "who answers (default: your user name)"}, JSON_OPTION, END};
static const struct cli_option SIGNAL[] = {{"by", 0, "NAME", false, "who sends it (default: your user name)"}, JSON_OPTION, END};
static const struct cli_option CHECK[] = {{"agents", 0, "DIR", true, "agent files of your own"}, JSON_OPTION, END};
static const struct cli_option SERVE[] = {{"max-runs", 0, "N", false, "runs at work at the same time (default: 4)"},
                                          {"max-queue", 0, "N", false, "runs that may wait for a place; more are refused (default: 1000)"},
                                          {"drain", 0, "SECONDS", false, "how long stages at work may go on after SIGTERM (default: 60)"},
                                          {"replace", 0, NULL, false, "take over from the service that is there: it drains, nobody is refused"},
                                          {"metrics-listen", 0, "ADDRESS", false, "serve GET /metrics over HTTP: 127.0.0.1:9464, or a port alone for this machine"},
                                          {"log-format", 0, "FORMAT", false, "text or json, one object per line (default: text)"},
                                          {"log-level", 0, "LEVEL", false, "error, warn, info or debug (default: info, or BATON_LOG)"}, END};
static const struct cli_option EXPORT[] = {{"output", 'o', "FILE", false, "where to write it (default: RUN.baton)"}, END};
static const struct cli_option REPLAY[] = {{"script", 0, "FILE", false, "decide with another version of the workflow"},
                                           {"limit", 0, "NAME=VALUE", true, "decide with another limit, e.g. stages=10: where would the wall have stood?"},
                                           JSON_OPTION, END};
static const struct cli_option HELP[] = {{"man", 0, NULL, false, "the man page, as roff"}, END};
static const struct cli_option EXPLAIN[] = {{"denied", 0, NULL, false, "only calls that were refused"}, JSON_OPTION, END};
static const struct cli_option POLICY[] = {{"agent", 0, "FILE", false, "the rules of an agent file"},
                                           {"tools", 0, "LIST", false, "a list of rules: 'Read, Bash(cargo *)'; '*' means what the ceiling of this machine allows"},
                                           {"tool", 0, "TOOL", false, "the tool that is called: Bash, Read, Edit, WebFetch, Task …"},
                                           {"input", 0, "TEXT", false, "its input: a command, a JSON list of words or {\"command\": …}, an address, a name, a path; with Grep and Glob of the files, not the text to find"},
                                           {"project", 'p', "DIR", false, "the project that is meant (default: the current folder)"},
                                           {"cases", 0, "FILE", false, "JSON lines with a case each; one JSON line is answered for each"},
                                           JSON_OPTION, END};

#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct cli_command CLI_COMMANDS[] = {
    {"tune", "[DIR]", 0, 1, "make the Rust project in DIR faster: the workflow 'relay'",
     "Reviews, profiles and benchmarks the project, tries changes one by one on a branch of their own, keeps what "
     "measures better "
     "and still passes the tests, and writes a report. Your working tree is not touched. With --for GOAL it searches the build "
     "settings together (opt-level, lto, codegen-units, strip, panic, target-cpu; for build debug, linker, cache) instead: counted "
     "instructions, size, memory and build time of every point, halving, the Pareto front, and the best point for the goal confirmed on "
     "fresh pairs.",
     TUNE,
     EXAMPLES("baton tune .", "baton tune ~/src/mytool --bench 'mytool big.txt'",
              "baton tune . --focus runtime --budget 5", "baton tune . --for size --budget 10"),
     cmd_tune},
    {"run", "WORKFLOW", 1, 1, "run a workflow on a project",
     "WORKFLOW is a name ('baton workflow list') or the path of a .lua file. Exit status: 0 improved or already "
     "optimal, "
     "3 needs discussion, 4 nothing measurable, 8 cancelled, 130 interrupted (resumable), others: error.",
     RUN,
     EXAMPLES("baton run relay --project .", "baton run relay --project . --focus build --json",
              "baton run ./mine.lua --project . --param depth=3"),
     cmd_run},
    {"bench", "[A] [B]", 0, 2, "is B faster than A? two commands of any language, or two revisions: the workflow 'bench'",
     "Pairs of runs in random order, until the statistics decide: faster, slower, no difference that counts, or undecided with "
     "the number of pairs that are missing. The outputs are compared, too. Commands are words without a shell, and are granted by "
     "being named; they see the files that they name. Revisions are built first. "
     "Exit status: 0 not slower, 1 slower, 3 undecided (see --fail-on), 4 nothing measurable, others: error.",
     BENCH,
     EXAMPLES("baton bench './old --x' './new --x'", "baton bench main HEAD --bench 'mytool big.txt'",
              "baton bench --baseline v1.2 --theta 3% --json", "baton bench --profile-a release --profile-b small --metric size",
              "baton bench --bisect v1.2 HEAD --bench 'mytool big.txt'", "baton bench --history",
              "baton bench ./old ./new --export bencher=result.json"),
     cmd_bench},
    {"profile", "[FILE | -- CMD ARGS…]", 0, 0, "where a command of any language spends its time or memory, and which function to fix: the workflow 'sample'",
     "Profiles the command behind '--' with perf in a box, where perf has no rights with callgrind, and says which functions of the "
     "project are answerable, with the evidence: time of libraries is charged to the function that called them, with system calls "
     "and loops. Short commands are repeated. Or reads FILE: perf.data, perf script, folded stacks, samply and Firefox profiles, "
     "speedscope, callgrind, DHAT; gzip is undone. A file on standard input is the command's. "
     "Exit status: 0 profiled, 2 wrong usage, 4 nothing to be seen, others: error.",
     PROFILE,
     EXAMPLES("baton profile -- ./mytool big.txt", "baton profile perf.data --format flamegraph > flame.svg",
              "baton profile --output after --diff before/stacks.folded -- ./mytool big.txt",
              "baton profile --memory -- ./mytool big.txt", "baton profile --scale './mytool {n}' --sizes 1000,2000"),
     cmd_profile},
    {"build-report", "[DIR]", 0, 1, "what makes the build of the Rust project in DIR slow, and what of it nobody needs",
     "Builds it from nothing and shows the critical path with the share of code generation, build scripts and procedural macros; "
     "crates in several versions with who pulls them in; dependencies and default features that can be left out, each proven by "
     "building all targets and running the tests; and what the release programs are made of. Nothing is changed: it is the workflow "
     "'build-report'.",
     BUILD_REPORT,
     EXAMPLES("baton build-report .", "baton build-report ~/src/mytool --release --no-proof", "baton build-report . --budget 5 --json"),
     cmd_build_report},
    {"start", "WORKFLOW", 1, 1, "hand a run to the service and return: prints its id and its place in the queue",
     "As 'run', but 'baton serve' does the work. Exit status: 0 the run is journaled, others: it was not started. See "
     "it with 'baton show', 'baton logs --follow', 'baton top'.",
     START, EXAMPLES("baton start relay --project .", "baton start ./mine.lua --project . --key nightly --json"),
     cmd_start},
    {"resume", "[RUN]", 0, 1, "continue a run that was interrupted or killed",
     "Finished stages are taken from the journal and are not executed again. With --again, --with-new-script, --agents "
     "or "
     "--limit, also a run that has ended: the plan of what is reused and what is executed is shown first, then you are "
     "asked (exit status 3: "
     "not wanted, or nobody there to ask; nothing was changed). A stage is reused when its key is the same, wherever "
     "it stands in the script.",
     RESUME,
     EXAMPLES("baton resume", "baton resume relay-7f3k2q", "baton resume last --again",
              "baton resume last --with-new-script mine.lua --yes", "baton resume last --limit stages=40"),
     cmd_resume},
    {"apply", "RUN", 1, 1, "bring the accepted changes of a run into the project",
     "Refuses when the project has uncommitted changes.", NULL, EXAMPLES("baton apply last"), cmd_apply},
    {"outbox", NULL, 0, 0, "what was to be done outside of the journal: notifications, applied changes",
     "Notifications that were not taken are tried again by every 'baton' that runs, with growing pauses. Each has an "
     "Idempotency-Key header "
     "that stays the same.",
     OUTBOX, EXAMPLES("baton outbox", "baton outbox --deliver", "baton outbox --json"), cmd_outbox},
    {"runs", NULL, 0, 0, "list runs", NULL, RUNS,
     EXAMPLES("baton runs", "baton runs --unfinished", "baton runs --json"), cmd_runs},
    {"show", "[RUN]", 0, 1, "what a run did and found", NULL, JSON_ONLY,
     EXAMPLES("baton show last", "baton show relay-7f3k2q --json"), cmd_show},
    {"report", "[RUN]", 0, 1, "write the report of a run again and say where it is", NULL, NULL,
     EXAMPLES("baton report last"), cmd_report},
    {"export", "RUN", 1, 1, "write a run to one file: script, agent files, journal, handoffs, receipts, artifacts",
     NULL, EXPORT, EXAMPLES("baton export last -o run.baton"), cmd_export},
    {"replay", "FILE", 1, 1,
     "decide an exported run again without executing anything, and show what is decided differently now",
     "Prints the final hash: two machines that print the same one agree on the run. Exit status 1 when a decision "
     "differs.",
     REPLAY, EXAMPLES("baton replay run.baton", "baton replay run.baton --script workflows/relay.lua", "baton replay run.baton --limit stages=3"), cmd_replay},
    {"top", NULL, 0, 0, "what is at work now: runs, their stages, the queue, workers and their tools",
     "Refreshes in place on a terminal, until ^C. Without a service it shows the runs of other processes. The CPU time and "
     "memory of a worker are those of its tools, too.",
     TOP, EXAMPLES("baton top", "baton top --once --json"), cmd_top},
    {"events", "[RUN]", 0, 1, "what happened in the state folder: all runs, and the service",
     "Every event has an id, and ids grow: whoever goes on with --since behind the last one it has seen misses and "
     "repeats none, whatever was restarted meanwhile. "
     "The kinds are those of proto/tbl/events.def; progress of stages is not journaled and not here.",
     EVENTS,
     EXAMPLES("baton events --since now --follow", "baton events last --kind 'stage_*'",
              "baton events --since 4711 --json"),
     cmd_events},
    {"logs", "[RUN]", 0, 1, "the events of a run", NULL, LOGS, EXAMPLES("baton logs last", "baton logs last --follow"),
     cmd_logs},
    {"cancel", "RUN", 1, 1, "end a run; no process, checkout or branch of it stays", NULL, CANCEL,
     EXAMPLES("baton cancel last --reason 'wrong project'"), cmd_cancel},
    {"questions", NULL, 0, 0, "what runs want to know from people, with the commands that answer",
     "Of all runs that have not ended. 'baton show RUN' has the questions of one.", JSON_ONLY,
     EXAMPLES("baton questions", "baton questions --json"), cmd_questions},
    {"approve", "RUN", 1, 1, "answer the question a run waits with",
     "'baton show RUN' lists the open questions: their text, what they are about, who may answer, until when. Without "
     "--question the oldest is answered.",
     APPROVE,
     EXAMPLES("baton approve last", "baton approve last --for 2026-11-22T21-30-00-review",
              "baton approve last --deny --note 'not today'"),
     cmd_approve},
    {"signal", "RUN NAME [JSON]", 2, 3, "send a run something it waits for: signal(\"NAME\") in its script",
     "A signal is kept until the script waits for it, also while no process has the run; each is delivered once, in "
     "order.",
     SIGNAL, EXAMPLES("baton signal last go", "baton signal last limit '{\"rounds\": 3}'"), cmd_signal},
    {"query", "RUN [NAME]", 1, 2, "what the script of a run has published, also when the run has ended",
     "With NAME the value alone, as JSON.", JSON_ONLY, EXAMPLES("baton query last", "baton query last progress"),
     cmd_query},
    {"agent list", "[FILE|DIR...]", 0, 0, "list agent files", "Without arguments: the ones that ship.", JSON_ONLY,
     EXAMPLES("baton agent list", "baton agent list .claude/agents --json"), cmd_agent_list},
    {"agent show", "FILE|DIR...", 1, 0, "everything that was read from agent files", NULL, JSON_ONLY,
     EXAMPLES("baton agent show agents/rust-developer.md"), cmd_agent_show},
    {"agent lint", "FILE|DIR...", 1, 0, "what is wrong or doubtful in agent files, and between them", NULL, JSON_ONLY,
     EXAMPLES("baton agent lint .claude/agents"), cmd_agent_lint},
    {"handoff show", "FILE|RUN...", 1, 0, "a handoff file of any era, or the handoffs of a run", NULL, JSON_ONLY,
     EXAMPLES("baton handoff show last", "baton handoff show .local/handoff/2026-01-15T10-00-00-review.yaml --json"),
     cmd_handoff_show},
    {"handoff lint", "FILE...", 1, 0, "what a strict reader would object to", NULL, JSON_ONLY,
     EXAMPLES("baton handoff lint .local/handoff/*.md"), cmd_handoff_lint},
    {"workflow list", NULL, 0, 0, "the workflows that ship", NULL, JSON_ONLY, EXAMPLES("baton workflow list"),
     cmd_workflow_list},
    {"workflow check", "FILE|NAME...", 1, 0, "load a workflow and run it dry, all gates both ways", NULL, CHECK,
     EXAMPLES("baton workflow check relay", "baton workflow check ./mine.lua"), cmd_workflow_check},
    {"policy check", NULL, 0, 0, "would this tool call be allowed, and by which rule", NULL, POLICY,
     EXAMPLES("baton policy check --tools 'Bash(cargo *)' --tool Bash --input 'cargo test'",
              "baton policy check --agent agents/rust-developer.md --tool Edit --input src/lib.rs",
              "baton policy check --cases cases.jsonl"),
     cmd_policy_check},
    {"policy explain", "[RUN]", 0, 1, "what the agents of a run may do, and why each of their calls was allowed or refused",
     "Of each call: the rule that covers it and the line it stands on, or the reason of the refusal and the rule that would "
     "allow it; the box it ran in. Of each agent: what it can cause through those it lists in Task rules. Of each stage: "
     "what bounds it because of those whose handoffs it got.",
     EXPLAIN, EXAMPLES("baton policy explain", "baton policy explain last --denied", "baton policy explain last --json"),
     cmd_policy_explain},
    {"serve", NULL, 0, 0, "run as a service: takes up unfinished runs and starts those it is asked for",
     "Listens on the unix socket 'serve.sock' of the state folder, one JSON object per line "
     "(docs/files.md). Runs beyond --max-runs wait in a queue that survives any end of the service; the projects take "
     "turns. The first SIGTERM or ^C lets the stages at work end, the second ends at once; "
     "either way nothing finished is lost, and the next service goes on.",
     SERVE,
     EXAMPLES("baton serve", "baton serve --max-runs 8 --log-format json", "baton serve --replace",
              "systemctl --user start baton"),
     cmd_serve},
    {"schedule add", "NAME CRON WORKFLOW", 3, 3, "begin a workflow at times, by the service",
     "CRON has five fields: minute, hour, day of month, month, day of week, with names, lists, ranges and steps, or is "
     "@hourly, @daily, @weekly, @monthly or @yearly. A time that is left out when the clocks go forward comes once, then; one "
     "that occurs twice comes once. Every time starts one run, however often the service is restarted or killed. "
     "The workflow, its params and agents are checked now.",
     SCHEDULE,
     EXAMPLES("baton schedule add nightly '30 2 * * MON-FRI' relay --project ~/src/mytool --zone Europe/Berlin",
              "baton schedule add weekly @weekly review --project . --catch-up once"),
     cmd_schedule_add},
    {"schedule list", NULL, 0, 0, "all schedules, their next times and what became of the last one", NULL, JSON_ONLY,
     EXAMPLES("baton schedule list"), cmd_schedule_list},
    {"schedule show", "NAME", 1, 1, "a schedule, its next times, its last run and what became of its last time", NULL, JSON_ONLY,
     EXAMPLES("baton schedule show nightly"), cmd_schedule_show},
    {"schedule remove", "NAME", 1, 1, "forget a schedule; its runs stay", NULL, NULL,
     EXAMPLES("baton schedule remove nightly"), cmd_schedule_remove},
    {"schedule pause", "NAME", 1, 1, "let a schedule do nothing for a while", NULL, NULL,
     EXAMPLES("baton schedule pause nightly"), cmd_schedule_pause},
    {"schedule resume", "NAME", 1, 1, "let a paused schedule go on; what it left out is not caught up", NULL, NULL,
     EXAMPLES("baton schedule resume nightly"), cmd_schedule_resume},
    {"schedule trigger", "NAME", 1, 1, "start the run of a schedule now",
     "Whether it is paused or not, and whatever else of it is at work.", NULL,
     EXAMPLES("baton schedule trigger nightly"), cmd_schedule_trigger},
    {"metrics", NULL, 0, 0, "what the service measures, in the text format of Prometheus",
     "For a collector, 'baton serve --metrics-listen 9464' serves the same as GET /metrics. The table is "
     "proto/tbl/metrics.def.",
     JSON_ONLY, EXAMPLES("baton metrics", "baton metrics --json"), cmd_metrics},
    {"doctor", NULL, 0, 0,
     "what this host offers of the box that tools run in, what is open where a layer is missing, and which tools there are",
     "Exit status 0 when tools can run, 1 when they are refused: what the site requires must be there (Landlock and the filter of system "
     "calls unless it says otherwise), and the files in which it changes profiles must be understood. docs/security.md tells the columns and the JSON. The folder it is called in may choose another toolchain.",
     JSON_ONLY, EXAMPLES("baton doctor", "baton doctor --json"), cmd_doctor},
    {"help", "[COMMAND]", 0, 2, "this text, or that of a command", NULL, HELP, EXAMPLES("baton help run"), cmd_help},
    {0},
};

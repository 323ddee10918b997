// One call: decide, look the program up, run it under baton-exec, write the receipt.
#include "sandbox/exec.h"

#include "capture.h"
#include "environment.h"
#include "profile.h"
#include "spawn.h"
#include "words.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/policy_cases.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECEIPTS_MAX = 20000, ARGV_MAX = 4096 };
static const size_t OUTPUT_MAX_DEFAULT = (size_t)16 << 20;
static const size_t OUTPUT_MAX = (size_t)256 << 20;
static const int64_t WALL_DEFAULT_NS = 30 * 60 * NS_PER_SEC;
static const int64_t FETCH_WALL_NS = 10 * 60 * NS_PER_SEC;

struct exec_context {
    const struct policy *policy;
    char *workspace, *home, *helper;
    char **built, **own, **readonly, **writable;
    struct profiles *profiles;
    VEC(char *) fetched; // folders whose dependencies were brought
    bool prepared;       // places made and resolved: done by the first call, a stage without calls costs nothing
    int64_t processes;   // of one call at the same time; 0: no limit
    int cancel_fd;
    atomic_bool cancelled;
    json_t *receipts;
};

static char **copy_list(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    char **out = mem_array(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        out[i] = str_dup(list[i]);
    return out;
}

// NULL stays NULL: "not said" differs from "none".
static char **copy_if_given(const char *const *list)
{
    return list ? copy_list(list) : NULL;
}

static int make_home(const char *home, struct err *err)
{
    static const char *const PARTS[] = {"home", "tmp"};
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        AUTO_FREE char *path = path_join(home, PARTS[i]);
        int r = file_make_dirs(path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int exec_context_new(const struct policy *policy, const struct exec_places *places, struct exec_context **ret,
                     struct err *err)
{
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel_fd < 0)
        return err_sys(err, errno, "cannot make an event descriptor");
    struct exec_context *ctx = mem_alloc(sizeof(*ctx));
    ctx->policy = policy;
    ctx->cancel_fd = cancel_fd;
    ctx->receipts = json_array();
    ctx->built = copy_list(places->built);
    ctx->own = copy_list(places->own);
    ctx->readonly = copy_if_given(places->readonly);
    ctx->writable = copy_if_given(places->writable);
    ctx->workspace = str_dup(places->workspace);
    ctx->home = str_dup(places->home);
    *ret = ctx;
    return 0;
}

static int prepare(struct exec_context *ctx, struct err *err)
{
    if (ctx->prepared)
        return 0;
    int r = make_home(ctx->home, err);
    if (r < 0)
        return err_wrap(err, "tools have no home");
    r = file_make_dirs(ctx->workspace, err); // a run without a project has no folder until a tool is to work in it
    if (r < 0)
        return err_wrap(err, "tools have no place to work in");
    char *workspace = path_real(ctx->workspace, err);
    char *home = workspace ? path_real(ctx->home, err) : NULL;
    r = home ? spawn_find_helper(&ctx->helper, err) : -(int)ERR_NOT_FOUND;
    if (r == 0)
        r = profiles_load(&ctx->profiles, err);
    if (r < 0) {
        mem_free(workspace);
        mem_free(home);
        return r;
    }
    mem_free(ctx->workspace);
    mem_free(ctx->home);
    ctx->workspace = workspace;
    ctx->home = home;
    ctx->prepared = true;
    return 0;
}

void exec_context_free(struct exec_context *ctx)
{
    if (!ctx)
        return;
    if (ctx->cancel_fd >= 0)
        close(ctx->cancel_fd);
    json_decref(ctx->receipts);
    str_list_free(ctx->built);
    str_list_free(ctx->own);
    str_list_free(ctx->readonly);
    str_list_free(ctx->writable);
    profiles_free(ctx->profiles);
    for (size_t i = 0; i < ctx->fetched.len; i++)
        mem_free(ctx->fetched.items[i]);
    vec_free(&ctx->fetched);
    mem_free(ctx->workspace);
    mem_free(ctx->home);
    mem_free(ctx->helper);
    mem_free(ctx);
}

void exec_cancel(struct exec_context *ctx)
{
    const uint64_t one = 1;
    int e = errno; // a signal handler must leave it alone
    atomic_store(&ctx->cancelled, true);
    ssize_t ignored = write(ctx->cancel_fd, &one, sizeof(one)); // stays readable: every later call ends, too
    (void)ignored;
    errno = e;
}

const json_t *exec_receipts(const struct exec_context *ctx)
{
    return ctx->receipts;
}

void exec_limit_processes(struct exec_context *ctx, int64_t most)
{
    ctx->processes = most > 0 ? most : 0;
}

// --- deciding ---

static const char *cwd_of(const struct exec_context *ctx, const struct exec_call *call)
{
    return call->cwd ? call->cwd : ctx->workspace;
}

// Folders of the context and files of the call in one list: freed with mem_free, the texts are borrowed.
static const char **own_new(const struct exec_context *ctx, const char *const *reach)
{
    VEC(const char *) list = {0};
    for (char *const *own = ctx->own; own && *own; own++)
        vec_push(&list, *own);
    for (; reach && *reach; reach++)
        vec_push(&list, *reach);
    vec_push(&list, NULL);
    return list.items;
}

static int decide(const struct exec_context *ctx, const char *const *argv, const char *cwd, const char *const *reach,
                  struct decision *ret, struct err *err)
{
    const char **own = own_new(ctx, reach);
    const struct policy_context context = {
        .workspace = ctx->workspace,
        .cwd = cwd,
        .home = ctx->home,
        .built = (const char *const *)ctx->built,
        .own = own,
        .fs = policy_real_fs(),
    };
    decide_argv(ctx->policy, &context, argv, NULL, ret);
    mem_free((void *)(uintptr_t)own);
    if (ret->verdict != POLICY_DENY)
        return 0;
    if (ret->needed[0])
        return err_set(err, ERR_DENIED, "'%s' is not allowed: %s; the rule '%s' would allow it", argv[0], ret->reason,
                       ret->needed);
    return err_set(err, ERR_DENIED, "'%s' is not allowed: %s", argv[0], ret->reason);
}

// --- receipts ---

static json_t *texts_json(const char *const *list)
{
    json_t *out = json_array();
    for (; list && *list; list++)
        json_array_append_new(out, json_text_new(*list, strlen(*list)));
    return out;
}

static json_t *env_json(const char *const *env)
{
    json_t *out = json_object();
    for (; env && *env; env++) {
        size_t n = strcspn(*env, "=");
        AUTO_FREE char *name = str_ndup(*env, n);
        if ((*env)[n] == '=' && str_utf8_valid(name, n))
            json_put(out, name, json_text_new(*env + n + 1, strlen(*env + n + 1)));
    }
    return out;
}

static json_t *receipt_new(const struct exec_context *ctx, const struct exec_call *call,
                           const struct decision *decision)
{
    char started[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), started);
    json_t *receipt = json_object();
    json_put(receipt, "argv", texts_json(call->argv));
    json_put_str(receipt, "cwd", cwd_of(ctx, call));
    json_put(receipt, "env", env_json(call->env));
    json_put(receipt, "exit", json_null());
    json_put_int(receipt, "signal", 0);
    json_put_flag(receipt, "timed_out", false);
    json_put_str(receipt, "started", started);
    json_put(receipt, "decision", decision_to_json_new(decision));
    return receipt;
}

static void put_stream(json_t *receipt, const char *name, const char *hash, uint64_t bytes)
{
    json_t *stream = json_object();
    json_put_str(stream, "hash", hash);
    json_put_int(stream, "bytes", (int64_t)bytes);
    json_put(receipt, name, stream);
}

static void put_file_stream(json_t *receipt, const char *name, const char *path)
{
    char hash[HASH_TEXT];
    struct stat st;
    if (file_hash(path, hash, NULL) == 0 && stat(path, &st) == 0)
        put_stream(receipt, name, hash, (uint64_t)st.st_size);
}

static void put_result(json_t *receipt, const struct exec_result *r)
{
    json_put(receipt, "exit", r->exit_code < 0 ? json_null() : json_integer(r->exit_code));
    json_put_int(receipt, "signal", r->signal);
    json_put_flag(receipt, "timed_out", r->timed_out);
    json_put_int(receipt, "wall_ns", r->wall_ns);
    json_put_int(receipt, "user_ns", r->user_ns);
    json_put_int(receipt, "sys_ns", r->sys_ns);
    json_put_int(receipt, "max_rss_kb", r->max_rss_kb);
}

// --- running ---

static void take_report(const struct spawn_result *from, struct exec_result *r)
{
    int status = from->report.wait_status;
    r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    r->timed_out = from->timed_out;
    r->wall_ns = from->wall_ns;
    r->user_ns = from->report.user_ns;
    r->sys_ns = from->report.sys_ns;
    r->max_rss_kb = from->report.max_rss_kb;
}

static int start_error(const char *name, const struct exec_report *report, struct err *err)
{
    int start_errno = report->start_errno;
    if (report->failed[0])
        return err_set(err, ERR_DENIED,
                       "'%s' was not started, because its box cannot be made: %.110s: %s; `baton doctor` tells what "
                       "this host lacks",
                       name, report->failed, strerror(start_errno));
    if (start_errno == ENOENT || start_errno == ENOEXEC)
        return err_set(err, ERR_NOT_FOUND, "cannot start '%s': its interpreter is missing, or it is not a program",
                       name);
    return err_sys(err, start_errno, "cannot start '%s'", name);
}

static void put_box(json_t *receipt, const char *profile, const struct exec_report *report)
{
    static const struct {
        enum exec_layer bit;
        const char *name;
    } NAMES[] = {{EXEC_LAYER_PROCESSES, "processes"}, {EXEC_LAYER_FILES, "files"}, {EXEC_LAYER_NETWORK, "network"},
                 {EXEC_LAYER_LANDLOCK, "landlock"},   {EXEC_LAYER_CALLS, "calls"}, {EXEC_LAYER_USER, "user"},
                 {EXEC_LAYER_COUNT, "group"}};
    json_t *box = json_object(), *layers = json_array();
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (report->layers & (int)NAMES[i].bit)
            json_add_str(layers, NAMES[i].name);
    json_put_str(box, "profile", profile);
    json_put(box, "layers", layers);
    json_put(receipt, "box", box);
}

static int box_file(const struct buf *text, struct err *err)
{
    int fd = memfd_create("box", MFD_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n < 0 && errno != EINTR) {
            close(fd);
            fd = -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    return err_sys(err, errno, "cannot hand a box to a tool");
}

// The places of the context; while dependencies are brought, a lock file may be written into every checkout.
static struct places places_of(const struct exec_context *ctx, char **all)
{
    return (struct places){.workspace = ctx->workspace,
                           .home = ctx->home,
                           .built = ctx->built,
                           .own = ctx->own,
                           .readonly = all ? NULL : ctx->readonly,
                           .writable = all ? all : ctx->writable};
}

static char **all_checkouts(const struct exec_context *ctx)
{
    VEC(char *) all = {0};
    for (char **d = ctx->readonly; d && *d; d++)
        vec_push(&all, *d);
    for (char **d = ctx->writable; d && *d; d++)
        vec_push(&all, *d);
    vec_push(&all, NULL);
    return all.items;
}

static int make_box(const struct exec_context *ctx, const struct exec_call *call, const char *program,
                    char *const *environment, bool fetching, struct steering *steering,
                    char ret_profile[PROFILE_NAME_MAX], struct err *err)
{
    char **all = fetching && (ctx->readonly || ctx->writable) ? all_checkouts(ctx) : NULL;
    struct places places = places_of(ctx, all);
    places.reach = call->reach;
    AUTO_FREE char *cwd = path_real(cwd_of(ctx, call), NULL);
    const struct box_call what = {.program = program,
                                  .argv = call->argv,
                                  .cwd = cwd ? cwd : cwd_of(ctx, call),
                                  .environment = environment,
                                  .places = &places,
                                  .fetching = fetching};
    struct plan plan = {0};
    struct buf text = BUF_INIT;
    int r = profile_plan(ctx->profiles, &what, &plan, ret_profile, err);
    plan.processes = (uint64_t)ctx->processes;
    if (r == 0 && !str_starts(ret_profile, "git"))
        places_steering(&places, what.cwd, steering, &plan);
    if (r == 0)
        r = plan_write(&plan, &text, err);
    if (r == 0)
        r = box_file(&text, err);
    plan_free(&plan);
    buf_free(&text);
    mem_free(all);
    return r;
}

static int run(const struct exec_context *ctx, const struct exec_call *call, const char *program,
               char *const *environment, bool fetching, json_t *receipt, struct exec_result *ret, struct err *err)
{
    char profile[PROFILE_NAME_MAX];
    struct steering steering = {0};
    int box_fd = make_box(ctx, call, program, environment, fetching, &steering, profile, err);
    if (box_fd < 0) {
        places_sweep(&steering);
        return box_fd;
    }
    size_t max = call->output_max ? call->output_max : OUTPUT_MAX_DEFAULT;
    max = max > OUTPUT_MAX ? OUTPUT_MAX : max < 2 ? 2 : max;
    struct capture out, errs;
    capture_init(&out, max, NULL, NULL);
    capture_init(&errs, max, call->on_line, call->user);
    const struct spawn s = {
        .helper = ctx->helper,
        .program = program,
        .argv = call->argv,
        .environment = environment,
        .cwd = cwd_of(ctx, call),
        .stdin_path = call->stdin_path,
        .stdout_path = call->stdout_path,
        .stderr_path = call->stderr_path,
        .out = &out,
        .err = &errs,
        .box_fd = box_fd,
        .cancel_fd = ctx->cancel_fd,
        .wall_ns = call->wall_ns > 0 ? call->wall_ns : WALL_DEFAULT_NS,
    };
    struct spawn_result result;
    int r = spawn_run(&s, &result, err);
    close(box_fd);
    places_sweep(&steering);
    uint64_t out_bytes = out.bytes, err_bytes = errs.bytes;
    char out_hash[HASH_TEXT], err_hash[HASH_TEXT];
    capture_finish(&out, out_hash, &ret->out);
    capture_finish(&errs, err_hash, &ret->err);
    if (r < 0)
        return r;
    if (result.report.no_wall)
        return err_set(
            err, ERR_UNSUPPORTED,
            "'%s' was not started: its limit of %" PRId64
            " processes cannot be kept here (it takes Linux 6.14, or user namespaces and another user than root)",
            call->argv[0], ctx->processes);
    if (result.report.start_errno)
        return start_error(call->argv[0], &result.report, err);
    put_box(receipt, profile, &result.report);
    take_report(&result, ret);
    put_result(receipt, ret);
    if (result.report.tasks > 0)
        json_put_int(receipt, "processes", result.report.tasks);
    if (call->stdout_path)
        put_file_stream(receipt, "stdout", call->stdout_path);
    else
        put_stream(receipt, "stdout", out_hash, out_bytes);
    if (call->stderr_path)
        put_file_stream(receipt, "stderr", call->stderr_path);
    else
        put_stream(receipt, "stderr", err_hash, err_bytes);
    return result.cancelled ? err_set(err, ERR_CANCELLED, "'%s' was cancelled", call->argv[0]) : 0;
}

static int check_call(const struct exec_context *ctx, const struct exec_call *call, struct err *err)
{
    size_t words = 0;
    while (call->argv[words])
        words++;
    if (words == 0 || words > ARGV_MAX)
        return err_set(err, ERR_INVALID, "a call has 1 to %d words, this one %zu", ARGV_MAX, words);
    if (json_array_size(ctx->receipts) >= RECEIPTS_MAX)
        return err_set(err, ERR_LIMIT, "this stage has made %d calls, which is the maximum", RECEIPTS_MAX);
    if (atomic_load(&ctx->cancelled))
        return err_set(err, ERR_CANCELLED, "'%s' was not started: the stage is cancelled", call->argv[0]);
    return 0;
}

// Tools that find no network should not look for one.
static char **environment_of(const struct exec_context *ctx, const struct exec_call *call, bool fetching)
{
    VEC(const char *) extra = {0};
    vec_push(&extra, "RUSTUP_AUTO_INSTALL=0");
    if (!fetching)
        vec_push(&extra, "CARGO_NET_OFFLINE=true");
    for (const char *const *e = call->env; e && *e; e++)
        vec_push(&extra, *e);
    vec_push(&extra, NULL);
    char **environment = environment_new(ctx->home, extra.items);
    vec_free(&extra);
    return environment;
}

static int find_and_run(const struct exec_context *ctx, const struct exec_call *call, bool fetching, json_t *receipt,
                        struct exec_result *ret, struct err *err)
{
    char **environment = environment_of(ctx, call, fetching);
    char *program = environment_find_program(environment, cwd_of(ctx, call), call->argv[0]);
    int r = program ? run(ctx, call, program, environment, fetching, receipt, ret, err)
                    : err_set(err, ERR_NOT_FOUND, "the program '%s' is not installed (PATH is %s)", call->argv[0],
                              environment_get(environment, "PATH"));
    mem_free(program);
    str_list_free(environment);
    return r;
}

// --- dependencies ---

static int fetch_once(struct exec_context *ctx, const char *cwd, const char *const *argv, bool online, struct err *err)
{
    const struct exec_call call = {.argv = argv, .cwd = cwd, .wall_ns = FETCH_WALL_NS};
    struct decision decision = {.verdict = POLICY_ALLOW,
                                .rule = "",
                                .reason = "the worker's own step: dependencies come before tools run without network"};
    json_t *receipt = receipt_new(ctx, &call, &decision);
    struct exec_result result = {.exit_code = -1};
    json_array_append_new(ctx->receipts, receipt);
    int r = find_and_run(ctx, &call, online, receipt, &result, err);
    if (r == 0 && result.exit_code != 0)
        r = err_set(err, ERR_TOOL, "cargo fetch ended with %d", result.exit_code);
    exec_result_free(&result);
    return r;
}

// Once per folder. That something could not be brought is not told here: cargo itself says best what it misses.
static void fetch(struct exec_context *ctx, const struct exec_call *call)
{
    static const char *const OFFLINE[] = {"cargo", "fetch", "--locked", "--offline", "--quiet", NULL},
                             *const ONLINE[] = {"cargo", "fetch", "--quiet", NULL};
    const char *cwd = cwd_of(ctx, call);
    struct err why;
    if (!words_need_dependencies(call->argv) || !words_file_above(cwd, "Cargo.toml"))
        return;
    for (size_t i = 0; i < ctx->fetched.len; i++)
        if (str_eq(ctx->fetched.items[i], cwd))
            return;
    vec_push(&ctx->fetched, str_dup(cwd));
    if (!words_file_above(cwd, "Cargo.lock") || fetch_once(ctx, cwd, OFFLINE, false, &why) != 0)
        fetch_once(ctx, cwd, ONLINE, true, &why);
}

int exec_run(struct exec_context *ctx, const struct exec_call *call, struct exec_result *ret, struct err *err)
{
    *ret = (struct exec_result){.exit_code = -1};
    int r = check_call(ctx, call, err);
    if (r == 0)
        r = prepare(ctx, err);
    if (r < 0)
        return r;
    struct decision decision;
    r = decide(ctx, call->argv, cwd_of(ctx, call), call->reach, &decision, err);
    if (r == 0)
        fetch(ctx, call);
    json_t *receipt = receipt_new(ctx, call, &decision);
    ret->receipt = json_array_size(ctx->receipts);
    json_array_append_new(ctx->receipts, receipt);
    return r < 0 ? r : find_and_run(ctx, call, false, receipt, ret, err);
}

void exec_result_free(struct exec_result *r)
{
    buf_free(&r->out);
    buf_free(&r->err);
}

// --- checked calls ---

int exec_check(struct exec_context *ctx, const struct exec_call *call, struct exec_result *ret, struct err *err)
{
    int r = exec_run(ctx, call, ret, err);
    if (r < 0 || (ret->exit_code == 0 && !ret->timed_out))
        return r;
    AUTO_FREE char *command = words_command(call->argv);
    if (ret->timed_out) {
        char limit[CLOCK_TEXT_MAX];
        clock_human(call->wall_ns > 0 ? call->wall_ns : WALL_DEFAULT_NS, limit);
        return err_set(err, ERR_TIMEOUT, "'%s' was ended after %s", command, limit);
    }
    AUTO_FREE char *tail = str_dup(words_last_lines(&ret->err));
    if (ret->signal)
        return err_set(err, ERR_TOOL, "'%s' was ended by signal %d: %s", command, ret->signal, str_trim(tail));
    return err_set(err, ERR_TOOL, "'%s' failed with exit status %d: %s", command, ret->exit_code, str_trim(tail));
}

bool exec_possible(struct exec_context *ctx, const char *const *argv, struct err *why)
{
    struct decision decision;
    if (!argv[0] || prepare(ctx, why) < 0 || decide(ctx, argv, ctx->workspace, NULL, &decision, why) < 0)
        return false;
    char **environment = environment_new(ctx->home, NULL);
    char *program = environment_find_program(environment, ctx->workspace, argv[0]);
    str_list_free(environment);
    bool found = program != NULL;
    if (!found)
        err_set(why, ERR_NOT_FOUND, "the program '%s' is not installed", argv[0]);
    mem_free(program);
    return found;
}

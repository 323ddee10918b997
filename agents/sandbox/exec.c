// One call: decide, look the program up, run it under baton-exec, write the receipt.
#include "sandbox/exec.h"

#include "capture.h"
#include "environment.h"
#include "spawn.h"

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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECEIPTS_MAX = 20000, ARGV_MAX = 4096, TAIL_LINES = 20, TAIL_BYTES = 600 };
static const size_t OUTPUT_MAX_DEFAULT = (size_t)16 << 20;
static const size_t OUTPUT_MAX = (size_t)256 << 20;
static const int64_t WALL_DEFAULT_NS = 30 * 60 * NS_PER_SEC;

struct exec_context {
    const struct policy *policy;
    char *workspace, *home, *helper;
    char **built, **own;
    bool prepared; // places made and resolved: done by the first call, a stage without calls costs nothing
    int64_t processes; // of one call at the same time; 0: no limit
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
    if (ret->verdict == POLICY_ALLOW_SANDBOXED && ret->needs_box) {
        // No confinement of files and network yet: what only that could refuse is refused here.
        ret->verdict = POLICY_DENY;
    }
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

static int start_error(const char *name, int start_errno, struct err *err)
{
    if (start_errno == ENOENT || start_errno == ENOEXEC)
        return err_set(err, ERR_NOT_FOUND, "cannot start '%s': its interpreter is missing, or it is not a program",
                       name);
    return err_sys(err, start_errno, "cannot start '%s'", name);
}

static int run(const struct exec_context *ctx, const struct exec_call *call, const char *program,
               char *const *environment, json_t *receipt, struct exec_result *ret, struct err *err)
{
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
        .cancel_fd = ctx->cancel_fd,
        .wall_ns = call->wall_ns > 0 ? call->wall_ns : WALL_DEFAULT_NS,
        .processes = ctx->processes,
    };
    struct spawn_result result;
    int r = spawn_run(&s, &result, err);
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
        return start_error(call->argv[0], result.report.start_errno, err);
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
    json_t *receipt = receipt_new(ctx, call, &decision);
    ret->receipt = json_array_size(ctx->receipts);
    json_array_append_new(ctx->receipts, receipt);
    if (r < 0)
        return r;
    char **environment = environment_new(ctx->home, call->env);
    char *program = environment_find_program(environment, cwd_of(ctx, call), call->argv[0]);
    if (program)
        r = run(ctx, call, program, environment, receipt, ret, err);
    else
        r = err_set(err, ERR_NOT_FOUND, "the program '%s' is not installed (PATH is %s)", call->argv[0],
                    environment_get(environment, "PATH"));
    mem_free(program);
    str_list_free(environment);
    return r;
}

void exec_result_free(struct exec_result *r)
{
    buf_free(&r->out);
    buf_free(&r->err);
}

// --- checked calls ---

static char *command_text(const char *const *argv)
{
    struct buf b = BUF_MAX(300);
    for (; *argv; argv++)
        buf_printf(&b, "%s%s", b.len ? " " : "", *argv);
    return buf_steal(&b);
}

static const char *last_lines(const struct buf *b)
{
    const char *text = buf_str(b);
    const char *end = text + b->len;
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    const char *p = end;
    for (int lines = 0; p > text && lines < TAIL_LINES && (size_t)(end - p) < TAIL_BYTES; p--) {
        if (p[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    }
    while (((unsigned char)*p & 0xC0) == 0x80)
        p++; // not inside a character
    return p;
}

int exec_check(struct exec_context *ctx, const struct exec_call *call, struct exec_result *ret, struct err *err)
{
    int r = exec_run(ctx, call, ret, err);
    if (r < 0 || (ret->exit_code == 0 && !ret->timed_out))
        return r;
    AUTO_FREE char *command = command_text(call->argv);
    if (ret->timed_out) {
        char limit[CLOCK_TEXT_MAX];
        clock_human(call->wall_ns > 0 ? call->wall_ns : WALL_DEFAULT_NS, limit);
        return err_set(err, ERR_TIMEOUT, "'%s' was ended after %s", command, limit);
    }
    AUTO_FREE char *tail = str_dup(last_lines(&ret->err));
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

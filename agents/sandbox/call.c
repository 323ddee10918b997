// One call: the program is looked up, its box made, and the tool run in it.
#include "call.h"

#include "capture.h"
#include "environment.h"
#include "program.h"
#include "receipt.h"
#include "spawn.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t OUTPUT_MAX_DEFAULT = (size_t)16 << 20;
static const size_t OUTPUT_MAX = (size_t)256 << 20;

const char *call_cwd(const struct exec_context *ctx, const struct exec_call *call)
{
    return call->cwd ? call->cwd : ctx->workspace;
}

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
    if (start_errno == ESTALE)
        return err_set(err, ERR_DENIED,
                       "'%s' was not started: the program '%.110s' was replaced since this stage began; if the change "
                       "is yours, start the stage again",
                       name, report->failed);
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

// The program of ours that starts the commands of the call; NULL: none does.
static char *ours(const struct exec_context *ctx, const struct exec_call *call)
{
    if (!call->by)
        return NULL;
    AUTO_FREE char *dir = path_dir(ctx->helper);
    AUTO_FREE char *path = path_join(dir, call->by);
    char *real = path_real(path, NULL); // the box shows no ".." through folders that it does not have
    return real ? real : str_dup(path);
}

// The limit of processes and threads is one more than what the tool may have: the init is a member, too.
static void give_group(struct exec_context *ctx, struct plan *plan)
{
    uint64_t most = plan->pids_max;
    if (plan->processes && (!most || plan->processes < most))
        most = plan->processes;
    plan->counted = group_ready(&ctx->group, most ? most + 1 : 0, plan->memory_max);
    size_t n = 0;
    if (ctx->group.pids[0])
        plan->groups[n++] = ctx->group.pids;
    if (ctx->group.memory[0] && !str_eq(ctx->group.memory, ctx->group.pids))
        plan->groups[n++] = ctx->group.memory;
}

// Where the kernel counts processes by user namespace, a call with a limit has one of its own.
static bool give_spaces(const struct exec_context *ctx, struct plan *plan)
{
    bool share = plan->net == BOX_NET_LO && !plan->processes; // one without a loopback is no use to those with one
    if (share && ctx->stage.net >= 0)
        plan->given = ctx->stage.user >= 0 ? BOX_GIVEN_USER : BOX_GIVEN_NET;
    return share;
}

struct asker {
    const struct exec_context *ctx;
    const struct exec_call *call;
};

static bool may(void *user, const char *const *argv)
{
    const struct asker *asker = user;
    struct decision decision;
    call_decide(asker->ctx, argv, call_cwd(asker->ctx, asker->call), asker->call->reach, &decision);
    return decision.verdict != POLICY_DENY;
}

struct made { // about the box of a call
    char profile[PROFILE_NAME_MAX];
    enum box_net net;
    bool share;
};

static int make_box(struct exec_context *ctx, const struct exec_call *call, const struct lookup *found,
                    char *const *environment, bool fetching, struct made *ret, struct err *err)
{
    char **all = fetching && (ctx->readonly || ctx->writable) ? all_checkouts(ctx) : NULL;
    struct places places = places_of(ctx, all);
    places.reach = call->reach;
    AUTO_FREE char *cwd = path_real(call_cwd(ctx, call), NULL);
    struct asker asker = {ctx, call};
    const struct box_call what = {.program = found->program,
                                  .pins = ctx->pins,
                                  .may = may,
                                  .user = &asker,
                                  .argv = call->argv,
                                  .also = call->also,
                                  .cwd = cwd ? cwd : call_cwd(ctx, call),
                                  .environment = environment,
                                  .places = &places,
                                  .fetching = fetching,
                                  .network = ctx->network};
    struct plan plan = {0};
    struct buf text = BUF_INIT;
    int r = profile_plan(ctx->profiles, &what, &plan, ret->profile, err);
    plan.processes = (uint64_t)ctx->processes;
    ret->net = plan.net;
    if (r == 0)
        give_group(ctx, &plan);
    ret->share = give_spaces(ctx, &plan);
    AUTO_FREE char *by = ours(ctx, call);
    if (r == 0 && by)
        program_give(&plan, ctx->pins, environment, by);
    if (r == 0 && !str_starts(ret->profile, "git"))
        places_steering(&places, what.cwd, &ctx->steering, &plan);
    if (r == 0)
        r = plan_write(&plan, &text, err);
    if (r == 0)
        r = box_file(&text, err);
    plan_free(&plan);
    buf_free(&text);
    mem_free(all);
    return r;
}

static bool in_one_of(char *const *list, const char *path, bool resolved)
{
    for (; list && *list; list++) {
        AUTO_FREE char *real = resolved ? path_real(*list, NULL) : NULL;
        if (path_below(path, *list) || (real && path_below(path, real)))
            return true;
    }
    return false;
}

static bool in_places(const struct exec_context *ctx, const char *path, bool resolved)
{
    char *const first[] = {ctx->workspace, ctx->home, NULL};
    char *const *const lists[] = {first, ctx->readonly, ctx->writable, ctx->own, ctx->built};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (in_one_of(lists[i], path, resolved))
            return true;
    return false;
}

// The worker opens it, outside of the box: a link in the project must not lead it to what the tool could not read.
static int check_input(const struct exec_context *ctx, const struct exec_call *call, struct err *err)
{
    if (!call->stdin_path || !in_places(ctx, call->stdin_path, false))
        return 0;
    AUTO_FREE char *real = path_real(call->stdin_path, err);
    if (!real)
        return err_wrap(err, "the input of '%s'", call->argv[0]);
    if (in_places(ctx, real, true))
        return 0;
    return err_set(err, ERR_DENIED, "the input '%s' of '%s' leads to '%s', outside of the stage's folders",
                   call->stdin_path, call->argv[0], real);
}

// A tool can leave a link in the folders that it shares with the worker, where the worker expects a folder or a file of
// its own. Nothing of the call lives any more.
static void straighten(char *const *folders)
{
    for (; folders && *folders; folders++) {
        DIR *d = opendir(*folders);
        struct dirent *e;
        while (d && (e = readdir(d)) != NULL)
            if (e->d_type == DT_LNK)
                unlinkat(dirfd(d), e->d_name, 0);
        if (d)
            closedir(d);
    }
}

static int run(struct exec_context *ctx, const struct exec_call *call, const struct lookup *found,
               char *const *environment, bool fetching, json_t *receipt, struct exec_result *ret, struct err *err)
{
    struct made made = {.net = BOX_NET_NONE};
    int box_fd = make_box(ctx, call, found, environment, fetching, &made, err);
    if (box_fd < 0) {
        places_sweep(&ctx->steering);
        return box_fd;
    }
    AUTO_FREE char *by = ours(ctx, call);
    const char *const alone[] = {call->by, NULL};
    size_t max = call->output_max ? call->output_max : OUTPUT_MAX_DEFAULT;
    max = max > OUTPUT_MAX ? OUTPUT_MAX : max < 2 ? 2 : max;
    struct capture out, errs;
    capture_init(&out, max, NULL, NULL);
    capture_init(&errs, max, call->on_line, call->user);
    const struct spawn s = {
        .helper = ctx->helper,
        .program = by ? by : found->program,
        .argv = by            ? alone
                : found->argv ? found->argv
                              : call->argv,
        .environment = environment,
        .cwd = call_cwd(ctx, call),
        .stdin_path = call->stdin_path,
        .stdout_path = call->stdout_path,
        .stderr_path = call->stderr_path,
        .out = &out,
        .err = &errs,
        .box_fd = box_fd,
        .cancel_fd = ctx->cancel_fd,
        .wall_ns = call->wall_ns > 0 ? call->wall_ns : CALL_WALL_NS,
        .stage = &ctx->stage,
        .share = made.share,
    };
    struct spawn_result result;
    int r = spawn_run(&s, &result, err);
    close(box_fd);
    places_sweep(&ctx->steering);
    if (ctx->readonly || ctx->writable) { // a stage with checkouts: these folders are Baton's, not somebody's project
        straighten(ctx->own);
        straighten(ctx->built);
    }
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
    receipt_put_box(receipt, made.profile, made.net, &result.report);
    take_report(&result, ret);
    receipt_put_result(receipt, ret);
    if (result.report.tasks > 0)
        json_put_int(receipt, "processes", result.report.tasks);
    if (call->stdout_path)
        receipt_put_file(receipt, "stdout", call->stdout_path);
    else
        receipt_put_stream(receipt, "stdout", out_hash, out_bytes);
    if (call->stderr_path)
        receipt_put_file(receipt, "stderr", call->stderr_path);
    else
        receipt_put_stream(receipt, "stderr", err_hash, err_bytes);
    return result.cancelled ? err_set(err, ERR_CANCELLED, "'%s' was cancelled", call->argv[0]) : 0;
}

// Tools that find no network should not look for one.
static char **environment_of(struct exec_context *ctx, const struct exec_call *call, bool fetching)
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
    const struct policy_context context = call_context(ctx, ctx->workspace, NULL);
    const char *path = trust_path(ctx->trust, &context, environment_get(environment, "PATH"));
    if (!ctx->pinned)
        lookup_pin_rules(ctx->pins, ctx->policy, path);
    ctx->pinned = true;
    return environment_put(environment, str_printf("PATH=%s", path));
}

static int look_up(const struct exec_context *ctx, const struct exec_call *call, char *const *environment,
                   struct lookup *ret, struct err *err)
{
    AUTO_FREE char *cwd = path_real(call_cwd(ctx, call), NULL);
    char **toolchains = profiles_words(ctx->profiles, "cargo-read", BOX_KEY_TOOLCHAIN);
    const struct lookup_call what = {.argv = call->argv,
                                     .cwd = cwd ? cwd : call_cwd(ctx, call),
                                     .path = environment_get(environment, "PATH"),
                                     .left_out = trust_left_out(ctx->trust),
                                     .rustup_home = environment_get(environment, "RUSTUP_HOME"),
                                     .rustup_toolchain = environment_get(environment, "RUSTUP_TOOLCHAIN"),
                                     .toolchains = toolchains};
    int r = lookup_program(ctx->pins, &what, ret, err);
    str_list_free(toolchains);
    return r;
}

int call_lookup(struct exec_context *ctx, const struct exec_call *call, struct lookup *ret, struct err *err)
{
    char **environment = environment_of(ctx, call, false);
    int r = look_up(ctx, call, environment, ret, err);
    str_list_free(environment);
    return r;
}

int call_run(struct exec_context *ctx, const struct exec_call *call, bool fetching, json_t *receipt,
             struct exec_result *ret, struct err *err)
{
    char **environment = environment_of(ctx, call, fetching);
    struct lookup found;
    int r = look_up(ctx, call, environment, &found, err);
    if (found.record)
        json_put(receipt, "program", json_incref(found.record));
    if (found.toolchain) // proxies that are started inside mean the same one
        environment = environment_put(environment, str_printf("RUSTUP_TOOLCHAIN=%s", found.toolchain));
    if (r == 0)
        r = check_input(ctx, call, err);
    if (r == 0)
        r = run(ctx, call, &found, environment, fetching, receipt, ret, err);
    lookup_free(&found);
    str_list_free(environment);
    return r;
}

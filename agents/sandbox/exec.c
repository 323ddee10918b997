// The context of a stage, and what comes before a call: its decision, its dependencies, its receipt.
#include "sandbox/exec.h"

#include "call.h"
#include "fetch.h"
#include "receipt.h"
#include "spawn.h"
#include "words.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/policy_cases.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ARGV_MAX = 4096 };

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
    ctx->stage = (struct spawn_stage)SPAWN_STAGE_INIT;
    ctx->receipts = json_array();
    ctx->built = copy_list(places->built);
    ctx->own = copy_list(places->own);
    ctx->readonly = copy_if_given(places->readonly);
    ctx->writable = copy_if_given(places->writable);
    ctx->workspace = str_dup(places->workspace);
    ctx->site = str_dup(places->site);
    ctx->home = str_dup(places->home);
    *ret = ctx;
    return 0;
}

// Nothing in the folders of the stage is pinned: they are there to be changed.
static struct pins *pins_of(const struct exec_context *ctx)
{
    char *const single[] = {ctx->workspace, ctx->home, NULL};
    char *const *const lists[] = {single, ctx->built, ctx->own, ctx->readonly, ctx->writable};
    VEC(char *) folders = {0};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (char *const *d = lists[i]; d && *d; d++) {
            char *real = path_real(*d, NULL);
            vec_push(&folders, real ? real : str_dup(*d));
        }
    vec_push(&folders, NULL);
    struct pins *pins = pins_new(folders.items);
    str_list_free(folders.items);
    return pins;
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
    r = !home         ? -(int)ERR_NOT_FOUND
        : ctx->helper ? 0
                      : spawn_find_helper(&ctx->helper, err); // kept when the rest fails
    if (r == 0)
        r = profiles_load(ctx->site, &ctx->profiles, err);
    if (r < 0) {
        mem_free(workspace);
        mem_free(home);
        return r;
    }
    mem_free(ctx->workspace);
    mem_free(ctx->home);
    ctx->workspace = workspace;
    ctx->home = home;
    ctx->pins = pins_of(ctx);
    ctx->trust = trust_new(ctx->pins, ctx->policy);
    ctx->prepared = true;
    return 0;
}

void exec_context_free(struct exec_context *ctx)
{
    if (!ctx)
        return;
    places_unmake(&ctx->steering);
    spawn_stage_end(&ctx->stage);
    group_remove(&ctx->group);
    if (ctx->cancel_fd >= 0)
        close(ctx->cancel_fd);
    json_decref(ctx->receipts);
    str_list_free(ctx->built);
    str_list_free(ctx->own);
    str_list_free(ctx->readonly);
    str_list_free(ctx->writable);
    profiles_free(ctx->profiles);
    mem_free(ctx->site);
    trust_free(ctx->trust);
    pins_free(ctx->pins);
    for (size_t i = 0; i < ctx->fetched.len; i++)
        mem_free(ctx->fetched.items[i]);
    vec_free(&ctx->fetched);
    mem_free(ctx->not_fetched);
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

void exec_limit_network(struct exec_context *ctx, enum exec_network network)
{
    ctx->network = network;
}

void exec_on_step(struct exec_context *ctx, void (*on_step)(void *user, const char *text), void *user)
{
    ctx->on_step = on_step;
    ctx->step_user = user;
}

// --- deciding ---

struct policy_context call_context(const struct exec_context *ctx, const char *cwd, const char *const *own)
{
    return (struct policy_context){
        .workspace = ctx->workspace,
        .cwd = cwd,
        .home = ctx->home,
        .built = (const char *const *)ctx->built,
        .own = own,
        .fs = policy_real_fs(),
    };
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

void call_decide(const struct exec_context *ctx, const char *const *argv, const char *cwd, const char *const *reach,
                 struct decision *ret)
{
    const char **own = own_new(ctx, reach);
    const struct policy_context context = call_context(ctx, cwd, own);
    decide_argv(ctx->policy, &context, argv, NULL, ret);
    mem_free((void *)(uintptr_t)own);
}

static int decide(const struct exec_context *ctx, const char *const *argv, const char *cwd, const char *const *reach,
                  struct decision *ret, struct err *err)
{
    call_decide(ctx, argv, cwd, reach, ret);
    if (ret->verdict != POLICY_DENY)
        return 0;
    if (ret->needed[0])
        return err_set(err, ERR_DENIED, "'%s' is not allowed: %s; the rule '%s' would allow it", argv[0], ret->reason,
                       ret->needed);
    return err_set(err, ERR_DENIED, "'%s' is not allowed: %s", argv[0], ret->reason);
}

static int check_call(const struct exec_context *ctx, const struct exec_call *call, struct err *err)
{
    size_t words = 0;
    while (call->argv[words])
        words++;
    if (words == 0 || words > ARGV_MAX)
        return err_set(err, ERR_INVALID, "a call has 1 to %d words, this one %zu", ARGV_MAX, words);
    if (json_array_size(ctx->receipts) >= EXEC_RECEIPTS_MAX)
        return err_set(err, ERR_LIMIT, "this stage has made %d calls, which is the maximum", EXEC_RECEIPTS_MAX);
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
    r = decide(ctx, call->argv, call_cwd(ctx, call), call->reach, &decision, err);
    for (size_t i = 0; r == 0 && call->also && call->also[i]; i++)
        r = decide(ctx, call->also[i], call_cwd(ctx, call), call->reach, &decision, err);
    if (r == 0)
        fetch_dependencies(ctx, call);
    json_t *receipt = receipt_new(call, call_cwd(ctx, call), &decision);
    ret->receipt = json_array_size(ctx->receipts);
    json_array_append_new(ctx->receipts, receipt);
    return r < 0 ? r : call_run(ctx, call, false, receipt, ret, err);
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
        clock_human(call->wall_ns > 0 ? call->wall_ns : CALL_WALL_NS, limit);
        return err_set(err, ERR_TIMEOUT, "'%s' was ended after %s", command, limit);
    }
    AUTO_FREE char *tail = str_dup(words_last_lines(&ret->err));
    if (ret->signal)
        return err_set(err, ERR_TOOL, "'%s' was ended by signal %d: %s", command, ret->signal, str_trim(tail));
    bool missing = ctx->not_fetched && words_need_dependencies(call->argv);
    return err_set(err, ERR_TOOL, "'%s' failed with exit status %d: %s%s%s", command, ret->exit_code, str_trim(tail),
                   missing ? "; its dependencies could not be fetched before: " : "", missing ? ctx->not_fetched : "");
}

bool exec_possible(struct exec_context *ctx, const char *const *argv, struct err *why)
{
    struct decision decision;
    if (!argv[0] || prepare(ctx, why) < 0 || decide(ctx, argv, ctx->workspace, NULL, &decision, why) < 0)
        return false;
    const struct exec_call call = {.argv = argv};
    struct lookup found;
    int r = call_lookup(ctx, &call, &found, why);
    lookup_free(&found);
    return r == 0;
}

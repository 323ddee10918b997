#include "fetch.h"

#include "receipt.h"
#include "words.h"

#include "base/mem.h"
#include "base/str.h"

static const int64_t FETCH_WALL_NS = 10 * 60 * NS_PER_SEC;

static int fetch_once(struct exec_context *ctx, const char *cwd, const char *const *argv, bool online, struct err *err)
{
    const struct exec_call call = {.argv = argv, .cwd = cwd, .wall_ns = FETCH_WALL_NS};
    struct decision decision = {.verdict = POLICY_ALLOW,
                                .rule = "",
                                .reason = "the worker's own step: dependencies come before tools run without network"};
    json_t *receipt = receipt_new(&call, cwd, &decision);
    struct exec_result result = {.exit_code = -1};
    json_array_append_new(ctx->receipts, receipt);
    int r = call_run(ctx, &call, online, receipt, &result, err);
    if (r == 0 && result.exit_code != 0)
        r = err_set(err, ERR_TOOL, "cargo fetch ended with %d", result.exit_code);
    exec_result_free(&result);
    return r;
}

void fetch_dependencies(struct exec_context *ctx, const struct exec_call *call)
{
    static const char *const OFFLINE[] = {"cargo", "fetch", "--locked", "--offline", "--quiet", NULL},
                             *const ONLINE[] = {"cargo", "fetch", "--quiet", NULL};
    const char *cwd = call_cwd(ctx, call);
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

#include "fetch.h"

#include "fetch_hosts.h"
#include "receipt.h"
#include "words.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const int64_t FETCH_WALL_NS = 10 * 60 * NS_PER_SEC;
static const int64_t LOOK_WALL_NS = 60 * NS_PER_SEC;

struct project {
    char *manifest, *root; // the nearest Cargo.toml; the folder of the lock file, or else of the manifest
    bool locked;
};

static const struct decision OWN_STEP = {
    .verdict = POLICY_ALLOW,
    .reason = "the worker's own step: dependencies come before tools run without network",
};

static bool find_project(const char *cwd, struct project *ret)
{
    AUTO_FREE char *dir = words_folder_above(cwd, "Cargo.toml");
    if (!dir)
        return false;
    char *root = words_folder_above(cwd, "Cargo.lock");
    *ret = (struct project){.manifest = path_join(dir, "Cargo.toml"), .root = root, .locked = root != NULL};
    if (!root)
        ret->root = str_dup(dir);
    return true;
}

static int fetch_once(struct exec_context *ctx, const struct exec_call *call, bool online, struct err *err)
{
    json_t *receipt = receipt_new(call, call->cwd, &OWN_STEP);
    struct exec_result result = {.exit_code = -1};
    json_array_append_new(ctx->receipts, receipt);
    int r = call_run(ctx, call, online, receipt, &result, err);
    if (r == 0 && result.timed_out)
        r = err_set(err, ERR_TIMEOUT, "cargo fetch was ended after its time limit");
    else if (r == 0 && result.exit_code != 0) {
        AUTO_FREE char *tail = str_dup(words_last_lines(&result.err));
        r = err_set(err, ERR_TOOL, "%s", str_trim(tail));
    }
    if (r < 0)
        json_put(receipt, "message", json_text_new(err->text, strlen(err->text)));
    exec_result_free(&result);
    return r;
}

static bool fetch_offline(struct exec_context *ctx, const char *cwd)
{
    static const char *const ARGV[] = {"cargo", "fetch", "--locked", "--offline", "--quiet", NULL};
    const struct exec_call call = {.argv = ARGV, .cwd = cwd, .wall_ns = LOOK_WALL_NS};
    struct err ignored; // it is what the next step is for
    return fetch_once(ctx, &call, false, &ignored) == 0;
}

// A refusal has a receipt, although nothing was started.
static int check_hosts(struct exec_context *ctx, const struct project *project, struct err *err)
{
    char **hosts = profiles_words(ctx->profiles, "fetch", BOX_KEY_HOSTS);
    int r = fetch_hosts_check(project->root, hosts, err);
    str_list_free(hosts);
    if (r < 0) {
        const char *argv[] = {"cargo", "fetch", NULL};
        struct decision refused = {.verdict = POLICY_DENY};
        snprintf(refused.reason, sizeof(refused.reason), "%.500s", err->text);
        json_array_append_new(ctx->receipts, receipt_new(&(struct exec_call){.argv = argv}, project->root, &refused));
    }
    return r;
}

static bool has_word(const struct exec_context *ctx, enum box_key key, const char *word)
{
    char **words = profiles_words(ctx->profiles, "fetch", key);
    bool found = false;
    for (char **w = words; *w; w++)
        found = found || str_eq(*w, word);
    str_list_free(words);
    return found;
}

static int fetch_online(struct exec_context *ctx, const char *cwd, const struct project *project, struct err *err)
{
    static const char *const CARGO[] = {"cargo", NULL};
    const char *argv[] = {"cargo", "fetch", "--quiet", "--manifest-path", project->manifest, NULL};
    struct lookup found;
    int r = check_hosts(ctx, project, err);
    if (r < 0)
        return r;
    // The project's choice of a toolchain counts, although the working folder is another one.
    r = call_lookup(ctx, &(struct exec_call){.argv = CARGO, .cwd = cwd}, &found, err);
    AUTO_FREE char *toolchain = found.toolchain ? str_printf("RUSTUP_TOOLCHAIN=%s", found.toolchain) : NULL;
    lookup_free(&found);
    if (r < 0)
        return r;
    VEC(const char *) env = {0};
    vec_push(&env, "HOME=/tmp"); // the tools' own has what earlier calls have left there, .gitconfig perhaps
    vec_push(&env, "TMPDIR=/tmp");
    vec_push(&env, "CARGO_NET_RETRY=1");
    if (!has_word(ctx, BOX_KEY_PROGRAM, "git"))
        vec_push(&env, "CARGO_NET_GIT_FETCH_WITH_CLI=false"); // there is no git in the box
    if (toolchain)
        vec_push(&env, toolchain);
    vec_push(&env, NULL);
    const struct exec_call call = {
        .argv = argv,
        .cwd = has_word(ctx, BOX_KEY_CONFIG, "project") ? cwd : "/", // configuration is read from there upwards
        .env = env.items,
        .wall_ns = FETCH_WALL_NS};
    if (ctx->on_step)
        ctx->on_step(ctx->step_user, "fetching dependencies");
    r = fetch_once(ctx, &call, true, err);
    vec_free(&env);
    return r;
}

void fetch_dependencies(struct exec_context *ctx, const struct exec_call *call)
{
    const char *cwd = call_cwd(ctx, call);
    struct project project;
    struct err err;
    if (!words_need_dependencies(call->argv) || !find_project(cwd, &project))
        return;
    bool known = false;
    for (size_t i = 0; i < ctx->fetched.len; i++)
        known = known || str_eq(ctx->fetched.items[i], project.root);
    if (!known) {
        vec_push(&ctx->fetched, str_dup(project.root));
        if (!(project.locked && fetch_offline(ctx, cwd)) && fetch_online(ctx, cwd, &project, &err) < 0)
            str_set(&ctx->not_fetched, err.text);
    }
    mem_free(project.manifest);
    mem_free(project.root);
}

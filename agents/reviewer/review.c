#include "reviewer/review.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_project.h"
#include "reviewer/checks_source.h"
#include "reviewer/clippy.h"

#include <string.h>

#define CLIPPY_OUTPUT_MAX ((size_t)128 * 1024 * 1024)

static void tell(const struct review_request *request, double fraction, const char *text)
{
    if (request->progress)
        request->progress(request->user, fraction, text);
}

static void on_line(void *user, const char *line)
{
    const struct review_request *request = user;
    while (*line == ' ')
        line++;
    if (str_starts(line, "Checking ") || str_starts(line, "Compiling ")) {
        AUTO_FREE char *text = str_printf("clippy: %s", line);
        tell(request, -1, text);
    }
}

static void add_limit(struct review *r, const char *what, const char *why)
{
    AUTO_FREE char *text = str_printf("%s: %s", what, why);
    json_add_str(r->limits, text);
}

// False: nothing was checked, because clippy does not know some lints; they are out of argv now, so call it again.
static bool read_clippy(struct files *files, const struct workplace *w, const struct exec_result *result,
                        const char **argv, struct review *ret)
{
    struct cargo_messages messages;
    cargo_messages_parse(buf_str(&result->out), result->out.len, &messages);
    AUTO_FREE char *unknown = clippy_drop_unknown(&messages, argv);
    if (unknown) {
        add_limit(ret, "this toolchain's clippy does not know", unknown);
        cargo_messages_free(&messages);
        return false;
    }
    struct clippy_scope scope = {
        .files = files, .root = w->root, .workspace_root = w->has_metadata ? w->metadata.workspace_root : w->dir};
    clippy_findings(&messages, &scope, &ret->findings);
    ret->compile_error = clippy_compile_error(&messages);
    if (ret->compile_error) {
        add_limit(ret, "clippy stopped at a compile error", ret->compile_error);
    } else if (result->exit_code != 0 || result->timed_out) {
        AUTO_FREE char *line = last_line(&result->err);
        add_limit(ret, result->timed_out ? "clippy took too long" : "clippy failed", line);
    }
    if (messages.left_out > 0)
        add_limit(ret, "clippy", "more diagnostics than can be kept");
    cargo_messages_free(&messages);
    return true;
}

static int run_clippy(const struct review_request *request, struct files *files, const struct workplace *w,
                      struct review *ret, struct err *err)
{
    AUTO_FREE char *real = path_real(w->dir, NULL);
    bool whole =
        !w->has_metadata || str_eq(w->metadata.workspace_root, w->dir) || str_eq(w->metadata.workspace_root, real);
    const char **argv = clippy_argv(whole, w->has_metadata && !w->copied);
    const char *const env[] = {w->target.env, NULL};
    struct exec_call call = {.argv = argv,
                             .cwd = w->dir,
                             .env = env,
                             .output_max = CLIPPY_OUTPUT_MAX,
                             .on_line = on_line,
                             .user = (void *)(uintptr_t)request};
    struct err why;
    int r = 0;
    for (bool done = false; !done;) {
        struct exec_result result;
        r = exec_run(request->exec, &call, &result, &why);
        done = r < 0 || read_clippy(files, w, &result, argv, ret);
        if (r < 0 && r != -ERR_CANCELLED)
            add_limit(ret, "clippy could not run, so only our own checks were made", why.text);
        exec_result_free(&result);
    }
    mem_free(argv);
    return r == -ERR_CANCELLED ? err_set(err, ERR_CANCELLED, "%s", why.text) : 0;
}

static void visit_source(void *user, const struct source *s)
{
    struct review *r = user;
    check_source(s, &r->findings);
    json_add_str(r->files, s->file);
}

static int own_checks(struct files *files, const struct workplace *w, struct review *ret, struct err *err)
{
    struct project p;
    const struct cargo_metadata *metadata = w->has_metadata ? &w->metadata : NULL;
    int r = project_open(files, w->root, w->dir, metadata, &p, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p.manifests.len; i++)
        json_add_str(ret->files, p.manifests.items[i].file);
    project_each_source(&p, visit_source, ret);
    ret->lines = p.lines;
    check_profiles(&p, &ret->findings);
    check_features(&p, &ret->findings);
    check_build_setup(&p, &ret->findings);
    size_t deeper = check_duplicates(&p, &ret->findings);
    if (deeper > 0) {
        AUTO_FREE char *text = str_printf(
            "%zu further crates are built in several versions, but deeper in the tree than the project decides",
            deeper);
        json_add_str(ret->limits, text);
    }
    if (p.skipped_large > 0) {
        AUTO_FREE char *text = str_printf("%zu sources are too large or unreadable and were left out", p.skipped_large);
        json_add_str(ret->limits, text);
    }
    project_close(&p);
    return 0;
}

int review_project(const struct review_request *request, struct review *ret, struct err *err)
{
    struct review r = {.limits = json_array(), .files = json_array()};
    struct workplace w;
    const struct workplace_request place = {.root = request->root,
                                            .dir = request->dir,
                                            .cache = request->cache,
                                            .scratch = request->scratch,
                                            .name = "review",
                                            .commit = request->commit};
    findings_init(&r.findings);
    tell(request, 0, "reading the workspace");
    int code = workplace_open(request->exec, &place, r.limits, &w, err);
    if (code == 0) {
        struct files *files = NULL;
        code = files_open(request->exec, w.root, &files, err);
        if (code == 0) {
            tell(request, 0.1, "checking the sources");
            code = own_checks(files, &w, &r, err);
        }
        if (code == 0) {
            tell(request, 0.3, "running clippy");
            code = run_clippy(request, files, &w, &r, err);
        }
        files_free(files);
        workplace_close(&w);
    }
    if (code < 0) {
        review_free(&r);
        return code;
    }
    findings_finish(&r.findings);
    if (r.findings.left_out > 0) {
        AUTO_FREE char *text =
            str_printf("%zu findings beyond the first %zu were left out", r.findings.left_out, FINDINGS_MAX);
        json_add_str(r.limits, text);
    }
    *ret = r;
    return 0;
}

void review_free(struct review *r)
{
    findings_free(&r->findings);
    json_decref(r->limits);
    json_decref(r->files);
    mem_free(r->compile_error);
    *r = (struct review){0};
}

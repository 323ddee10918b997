#include "reviewer/verify.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REQUESTS_MAX ((size_t)100)

static void init(struct verification *v)
{
    *v = (struct verification){
        .requests = json_array(), .limits = json_array(), .tests = json_null(), .files = json_array()};
}

void verification_free(struct verification *v)
{
    json_decref(v->requests);
    json_decref(v->limits);
    json_decref(v->tests);
    json_decref(v->files);
    *v = (struct verification){0};
}

// The kept change that names the file, when it is the only one.
static const char *change_of_file(const struct verify_request *request, const char *file)
{
    const char *found = NULL;
    size_t i, k;
    json_t *change, *name;
    json_array_foreach (request->changes, i, change) {
        json_array_foreach (json_list(change, "files"), k, name) {
            if (!file || !str_eq(json_string_value(name), file))
                continue;
            if (found)
                return NULL;
            found = json_str(change, "id", NULL);
        }
    }
    return found;
}

void verify_ask(struct verification *v, const struct verify_request *request, const char *change, const char *file,
                uint32_t line, const char *severity, const char *fix, const char *issue_fmt, ...)
{
    char issue[600], id[24];
    va_list args;
    va_start(args, issue_fmt);
    vsnprintf(issue, sizeof(issue), issue_fmt, args);
    va_end(args);
    issue[str_utf8_cut(issue, sizeof(issue) - 1)] = '\0';
    size_t n = json_array_size(v->requests);
    if (n >= REQUESTS_MAX)
        return;
    snprintf(id, sizeof(id), "R%zu", n + 1);
    json_t *r = json_object();
    json_put_str(r, "id", id);
    json_put_str(r, "change", change ? change : change_of_file(request, file));
    json_put_str(r, "file", file);
    json_put(r, "line", line ? json_integer(line) : json_null());
    json_put_str(r, "severity", severity);
    json_put_str(r, "issue", issue);
    json_put_str(r, "fix", fix);
    json_array_append_new(v->requests, r);
}

static int read_diff(const struct verify_request *request, struct diff *ret, struct err *err)
{
    const char *const argv[] = {"git",
                                "diff",
                                "--no-color",
                                "--no-ext-diff",
                                "--no-textconv",
                                "--no-renames",
                                "--src-prefix=a/",
                                "--dst-prefix=b/",
                                "--unified=0",
                                request->base_commit,
                                "HEAD",
                                NULL};
    struct exec_result result;
    struct exec_call call = {.argv = argv, .cwd = request->work, .output_max = DIFF_TEXT_MAX};
    int r = exec_check(request->exec, &call, &result, err);
    if (r == 0 && result.out.cut)
        r = err_set(err, ERR_LIMIT, "the diff is larger than %zu bytes", DIFF_TEXT_MAX);
    if (r == 0)
        r = diff_parse(buf_str(&result.out), result.out.len, ret, err);
    exec_result_free(&result);
    return r;
}

static int head_commit(const struct verify_request *request, char **ret, struct err *err)
{
    static const char *const ARGV[] = {"git", "rev-parse", "HEAD", NULL};
    struct exec_result result;
    int r = exec_check(request->exec, &(struct exec_call){.argv = ARGV, .cwd = request->work}, &result, err);
    if (r == 0)
        *ret = str_ndup(buf_str(&result.out), strcspn(buf_str(&result.out), "\n"));
    exec_result_free(&result);
    return r;
}

static int check_tests(const struct verify_request *request, const struct diff *diff, struct verification *v,
                       struct err *err)
{
    struct workplace base, work;
    AUTO_FREE char *head = NULL;
    int r = head_commit(request, &head, err);
    const struct workplace_request at_base = {.root = request->base,
                                              .dir = request->base_dir,
                                              .cache = request->cache,
                                              .scratch = request->scratch,
                                              .name = "tests-base",
                                              .commit = request->base_commit};
    const struct workplace_request at_work = {.root = request->work,
                                              .dir = request->work_dir,
                                              .cache = request->cache,
                                              .scratch = request->scratch,
                                              .name = "tests-branch",
                                              .commit = head};
    if (r == 0)
        r = workplace_open(request->exec, &at_base, v->limits, &base, err);
    if (r < 0)
        return r;
    r = workplace_open(request->exec, &at_work, v->limits, &work, err);
    if (r == 0) {
        verify_content(request, diff, &work, v);
        r = verify_tests(request, &base, &work, v, err);
        workplace_close(&work);
    }
    workplace_close(&base);
    return r;
}

static int verify_held(const struct verify_request *request, struct verification *ret, struct err *err)
{
    struct verification v;
    struct diff diff = {0};
    init(&v);
    if (request->progress)
        request->progress(request->user, 0, "reading the diff");
    int r = read_diff(request, &diff, err);
    for (size_t i = 0; r == 0 && i < diff.files.len; i++) {
        json_add_str(v.files, diff.files.items[i].path);
        v.added += diff.files.items[i].added;
        v.removed += diff.files.items[i].removed;
    }
    v.nothing_changed = r == 0 && diff.files.len == 0;
    if (r == 0 && !v.nothing_changed) {
        verify_claims(request, &diff, &v);
        r = check_tests(request, &diff, &v, err);
    }
    diff_free(&diff);
    if (r < 0) {
        verification_free(&v);
        return r;
    }
    *ret = v;
    return 0;
}

int verify_branch(const struct verify_request *request, struct verification *ret, struct err *err)
{
    struct verify_request held = *request;
    int r = files_open(request->exec, request->base, &held.base_files, err);
    if (r == 0)
        r = files_open(request->exec, request->work, &held.work_files, err);
    if (r == 0)
        r = verify_held(&held, ret, err);
    files_free(held.base_files);
    files_free(held.work_files);
    return r;
}

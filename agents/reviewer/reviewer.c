// The rust-code-reviewer worker. It reads and judges; it never writes into a checkout.
//
// Mode review, output: { "findings": [Finding], "counts": {total, critical, important, suggestions, clippy, source,
// manifest, build,
//   machine_applicable}, "limits": ["what could not be looked at"], "reviewed": {files, lines} }
// Mode verify, output: { "requests": [{id, change, file, line, severity, issue, fix}], "tests": {before, after,
// receipt}|null,
//   "diff": {files, added, removed}, "limits": [...], "review_status": "approved|changes_requested" }
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/review.h"
#include "reviewer/verify.h"
#include "sdk/agent.h"

#include <string.h>

#define LISTED_MAX 12 // of each severity in the handoff's text; the output has them all

static void on_progress(void *user, double fraction, const char *text)
{
    job_progress(user, fraction, "%s", text);
}

static void put_member(json_t *object, const char *key, json_t *borrowed)
{
    json_put(object, key, json_incref(borrowed));
}

static void list_texts(struct buf *b, const json_t *texts)
{
    size_t i;
    json_t *v;
    json_array_foreach (texts, i, v)
        buf_printf(b, "- %s\n", json_string_value(v));
}

static void limits_section(json_t *draft, const json_t *limits)
{
    if (json_array_size(limits) == 0)
        return;
    struct buf b = BUF_INIT;
    list_texts(&b, limits);
    draft_section(draft, "Limits", buf_str(&b));
    buf_free(&b);
}

// --- mode review ---

static json_t *counts_of(const struct review *r)
{
    static const char *const KINDS[] = {"clippy", "source", "manifest", "build"};
    json_t *counts = json_object();
    json_put_int(counts, "total", (int64_t)json_array_size(r->findings.list));
    json_put_int(counts, "critical", (int64_t)findings_count(&r->findings, "severity", "critical"));
    json_put_int(counts, "important", (int64_t)findings_count(&r->findings, "severity", "important"));
    json_put_int(counts, "suggestions", (int64_t)findings_count(&r->findings, "severity", "suggestion"));
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        json_put_int(counts, KINDS[i], (int64_t)findings_count(&r->findings, "kind", KINDS[i]));
    int64_t machine = 0;
    size_t i;
    json_t *v;
    json_array_foreach (r->findings.list, i, v)
        machine += str_eq(json_str(json_obj(v, "fix"), "applicability", ""), "machine");
    json_put_int(counts, "machine_applicable", machine);
    return counts;
}

static void issues_of_severity(struct buf *b, const json_t *findings, const char *severity, const char *heading)
{
    size_t i, n = 0;
    json_t *v;
    json_array_foreach (findings, i, v) {
        if (!str_eq(json_str(v, "severity", NULL), severity))
            continue;
        if (n == 0)
            buf_printf(b, "%s**%s**\n\n", b->len ? "\n" : "", heading);
        if (n++ < LISTED_MAX)
            buf_printf(b, "- %s `%s:%lld` %s: %s%s\n", json_str(v, "id", ""), json_str(v, "file", ""),
                       (long long)json_int(v, "line", 0), json_str(v, "lint", ""), json_str(v, "message", ""),
                       str_eq(json_str(json_obj(v, "fix"), "applicability", ""), "machine") ? " (a machine can fix it)"
                                                                                            : "");
    }
    if (n > LISTED_MAX)
        buf_printf(b, "- and %zu more\n", n - LISTED_MAX);
}

static void review_sections(json_t *draft, const struct review *r)
{
    struct buf b = BUF_INIT;
    size_t n = json_array_size(r->findings.list);
    draft_section(draft, "Review Status",
                  r->compile_error ? "The project does not compile."
                                   : "Review for performance; no verdict in this mode.");
    buf_printf(&b, "%zu findings: %zu critical, %zu important, %zu suggestions.", n,
               findings_count(&r->findings, "severity", "critical"),
               findings_count(&r->findings, "severity", "important"),
               findings_count(&r->findings, "severity", "suggestion"));
    draft_section(draft, "Review Summary", buf_str(&b));
    buf_clear(&b);
    issues_of_severity(&b, r->findings.list, "critical", "Critical");
    issues_of_severity(&b, r->findings.list, "important", "Important");
    issues_of_severity(&b, r->findings.list, "suggestion", "Suggestions");
    draft_section(draft, "Issues", b.len ? buf_str(&b) : "None.");
    buf_clear(&b);
    buf_printf(&b, "%zu files, %zu lines of Rust: ", json_array_size(r->files), r->lines);
    for (size_t i = 0; i < json_array_size(r->files) && i < LISTED_MAX; i++)
        buf_printf(&b, "%s`%s`", i ? ", " : "", json_string_value(json_array_get(r->files, i)));
    if (json_array_size(r->files) > LISTED_MAX)
        buf_printf(&b, " and %zu more", json_array_size(r->files) - LISTED_MAX);
    draft_section(draft, "Files Reviewed", buf_str(&b));
    buf_free(&b);
    limits_section(draft, r->limits);
}

static void review_draft(json_t *draft, const struct review *r)
{
    json_t *output = json_obj(draft, "output"), *reviewed = json_object();
    size_t n = json_array_size(r->findings.list);
    put_member(output, "findings", r->findings.list);
    json_put(output, "counts", counts_of(r));
    put_member(output, "limits", r->limits);
    json_put_int(reviewed, "files", (int64_t)json_array_size(r->files));
    json_put_int(reviewed, "lines", (int64_t)r->lines);
    json_put(output, "reviewed", reviewed);
    json_put(draft, "verdict", json_null());
    review_sections(draft, r);
    if (r->compile_error) {
        draft_status(draft, "blocked");
        draft_summary(draft, "The project does not compile: %s", r->compile_error);
        AUTO_FREE char *blocker =
            str_printf("clippy stopped at a compile error: %s; make `cargo build` pass first", r->compile_error);
        json_put_str(draft, "blockers", blocker);
        draft_next(draft, NULL, NULL);
        return;
    }
    draft_summary(draft, "%zu findings (%zu important, %zu suggestions) in %zu files, %zu lines%s", n,
                  findings_count(&r->findings, "severity", "important"),
                  findings_count(&r->findings, "severity", "suggestion"), json_array_size(r->files), r->lines,
                  json_array_size(r->limits) ? "; with limits" : "");
    draft_next(draft, "rust-performance-engineer",
               n ? "Profile the project and rank the findings by the time spent where they lie"
                 : "Profile the project: the review found nothing");
}

static int mode_review(struct job *job, json_t *draft, struct err *err)
{
    const char *root = job_dir(job, "base"), *cache = job_dir(job, "cache"), *spool = job_dir(job, "spool");
    if (!root || !cache || !spool)
        return err_set(err, ERR_INVALID, "the assignment lacks 'dirs.base', 'dirs.cache' or 'dirs.spool'");
    AUTO_FREE char *dir = job_project_in(job, "base");
    struct review_request request = {.exec = job_exec(job),
                                     .root = root,
                                     .dir = dir,
                                     .cache = cache,
                                     .scratch = spool,
                                     .commit = json_str(json_obj(job_assignment(job), "git"), "base", NULL),
                                     .progress = on_progress,
                                     .user = job};
    struct review review;
    int r = review_project(&request, &review, err);
    if (r < 0)
        return r;
    review_draft(draft, &review);
    review_free(&review);
    return 0;
}

// --- mode verify ---

static void requests_section(json_t *draft, const json_t *requests)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *v;
    json_array_foreach (requests, i, v) {
        const char *file = json_str(v, "file", NULL);
        if (i == 0)
            buf_str_add(&b, "**Critical**\n\n");
        if (i >= LISTED_MAX)
            break;
        buf_printf(&b, "- %s ", json_str(v, "id", ""));
        if (file)
            buf_printf(&b, "`%s:%lld` ", file, (long long)json_int(v, "line", 1));
        buf_printf(&b, "%s: %s\n", json_str(v, "issue", ""), json_str(v, "fix", ""));
    }
    if (i < json_array_size(requests))
        buf_printf(&b, "- and %zu more\n", json_array_size(requests) - i);
    draft_section(draft, "Issues", b.len ? buf_str(&b) : "None.");
    buf_free(&b);
}

static void tests_section(json_t *draft, const json_t *tests)
{
    const json_t *before = json_obj(tests, "before"), *after = json_obj(tests, "after");
    if (!before)
        return;
    AUTO_FREE char *text =
        str_printf("| | passed | failed | ignored |\n|---|---|---|---|\n| base | %lld | %lld | %lld |\n| branch | %lld "
                   "| %lld | %lld |",
                   (long long)json_int(before, "passed", 0), (long long)json_int(before, "failed", 0),
                   (long long)json_int(before, "ignored", 0), (long long)json_int(after, "passed", 0),
                   (long long)json_int(after, "failed", 0), (long long)json_int(after, "ignored", 0));
    draft_section(draft, "Tests", text);
}

// "Tests pass" is said only when the whole command did: a base with failing tests is no reason against the branch, but is named.
static void approve(json_t *draft, const struct verification *v)
{
    const json_t *after = json_obj(v->tests, "after");
    AUTO_FREE char *change = str_printf("Approved: %zu file%s, +%zu -%zu lines", json_array_size(v->files),
                                        json_array_size(v->files) == 1 ? "" : "s", v->added, v->removed);
    if (json_int(after, "passed", 0) > 0 && json_int(v->tests, "exit", 0) == 0)
        draft_summary(draft, "%s, %lld tests pass", change, (long long)json_int(after, "passed", 0));
    else if (json_int(after, "passed", 0) + json_int(after, "failed", 0) > 0)
        draft_summary(draft, "%s, tests as on the base: %lld ok, %lld failing", change, (long long)json_int(after, "passed", 0),
                      (long long)json_int(after, "failed", 0));
    else
        draft_summary(draft, "%s, no tests", change);
}

static void verify_draft(json_t *draft, const struct verification *v)
{
    json_t *output = json_obj(draft, "output"), *diff = json_object();
    size_t requests = json_array_size(v->requests);
    const char *verdict = requests == 0 ? "approved" : "changes_requested";
    put_member(output, "requests", v->requests);
    put_member(output, "tests", v->tests);
    put_member(output, "limits", v->limits);
    put_member(diff, "files", v->files);
    json_put_int(diff, "added", (int64_t)v->added);
    json_put_int(diff, "removed", (int64_t)v->removed);
    json_put(output, "diff", diff);
    json_put_str(output, "review_status", verdict);
    json_put_str(draft, "verdict", verdict);
    draft_section(draft, "Review Status", verdict);
    if (v->nothing_changed)
        draft_summary(draft, "Approved: nothing to change, the branch is the base");
    else if (requests == 0)
        approve(draft, v);
    else
        draft_summary(draft, "Changes requested: %zu (%s)", requests,
                      json_str(json_array_get(v->requests, 0), "issue", ""));
    draft_section(draft, "Review Summary", json_str(draft, "summary", ""));
    requests_section(draft, v->requests);
    tests_section(draft, v->tests);
    struct buf b = BUF_INIT;
    list_texts(&b, v->files);
    draft_section(draft, "Files Reviewed", b.len ? buf_str(&b) : "None.");
    buf_free(&b);
    limits_section(draft, v->limits);
    if (requests > 0)
        draft_next(draft, "rust-developer", "Address what the review asks for");
    else
        draft_next(draft, NULL, NULL);
}

static int mode_verify(struct job *job, json_t *draft, struct err *err)
{
    const char *base = job_dir(job, "base"), *work = job_dir(job, "work"), *cache = job_dir(job, "cache"),
               *spool = job_dir(job, "spool");
    const char *commit = json_str(json_obj(job_assignment(job), "git"), "base", NULL);
    if (!base || !work || !cache || !spool || !commit)
        return err_set(err, ERR_INVALID,
                       "the assignment lacks 'dirs.base', 'dirs.work', 'dirs.cache', 'dirs.spool' or 'git.base'");
    AUTO_FREE char *base_dir = job_project_in(job, "base");
    AUTO_FREE char *work_dir = job_project_in(job, "work");
    AUTO_JSON json_t *results = job_context_new(job, "results", err);
    AUTO_JSON json_t *changes = job_context_new(job, "changes", err);
    struct verify_request request = {.exec = job_exec(job),
                                     .base = base,
                                     .work = work,
                                     .base_dir = base_dir,
                                     .work_dir = work_dir,
                                     .cache = cache,
                                     .scratch = spool,
                                     .base_commit = commit,
                                     .results = results,
                                     .changes = changes,
                                     .progress = on_progress,
                                     .user = job};
    struct verification verification;
    int r = verify_branch(&request, &verification, err);
    if (r < 0)
        return r;
    verify_draft(draft, &verification);
    verification_free(&verification);
    return 0;
}

static int run(struct job *job, json_t *draft, struct err *err)
{
    return str_eq(job_mode(job), "verify") ? mode_verify(job, draft, err) : mode_review(job, draft, err);
}

int main(int argc, char **argv)
{
    static const char *const MODES[] = {"review", "verify", NULL};
    static const struct agent REVIEWER = {.role = "review", .version = "1", .modes = MODES, .run = run};
    return agent_main(argc, argv, &REVIEWER);
}

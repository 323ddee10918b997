#include "performance/sample.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "profile/dhat.h"
#include "profile/read.h"

#include <dirent.h>

#define MEMORY_WALL_NS (10 * 60 * NS_PER_SEC)
#define SITES_MAX      40

int sample_memory_of(struct sample *s, const char *path, struct profile **ret, json_t **ret_memory, struct err *err)
{
    const struct profile_options options = sample_options(s);
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    struct dhat *d = NULL;
    int r = file_read(path, READ_JSON_MAX, &text, &len, err);
    if (r == 0)
        r = dhat_parse(text, len, &d, err);
    if (r == 0)
        r = dhat_profile(d, &options, ret, err);
    if (r == 0)
        *ret_memory = dhat_json_new(d, *ret, SITES_MAX);
    dhat_free(d);
    return r;
}

// Of the processes of one command the one that allocated most: the largest file.
static char *largest(const char *dir, size_t *ret_count)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char *best = NULL;
    size_t most = 0;
    *ret_count = 0;
    while (d && (e = readdir(d)) != NULL) {
        AUTO_FREE char *path = path_join(dir, e->d_name), *text = NULL;
        size_t len = 0;
        if (!str_starts(e->d_name, "dhat.") || file_read(path, READ_JSON_MAX, &text, &len, NULL) < 0)
            continue;
        (*ret_count)++;
        if (len >= most)
            str_set(&best, path);
        most = len >= most ? len : most;
    }
    if (d)
        closedir(d);
    return best;
}

static int run_dhat(struct sample *s, const char *dir, struct err *err)
{
    AUTO_FREE char *out = str_printf("--dhat-out-file=%s/dhat.%%p", dir);
    AUTO_FREE char *log = str_printf("--log-file=%s/log.%%p", dir);
    VEC(const char *) argv = {0};
    const char *const begin[] = {"valgrind",
                                 "--tool=dhat",
                                 "--demangle=no",
                                 "--num-callers=60",
                                 "--fullpath-after=",
                                 "--trace-children=yes",
                                 out,
                                 log};
    for (size_t i = 0; i < ARRAY_LEN(begin); i++)
        vec_push(&argv, begin[i]);
    for (const char *const *word = s->command.words.items; *word; word++)
        vec_push(&argv, *word);
    vec_push(&argv, NULL);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv.items,
                                   .cwd = s->cwd,
                                   .reach = s->command.reach,
                                   .stdin_path = s->command.input,
                                   .stdout_path = "/dev/null",
                                   .wall_ns = MEMORY_WALL_NS};
    job_progress(s->job, -1, "following every block with DHAT, 50 times as slow as the program");
    int r = exec_run(job_exec(s->job), &call, &result, err);
    if (r == 0 && result.timed_out)
        r = err_set(err, ERR_TIMEOUT, "the run under DHAT took longer than %lld minutes",
                    (long long)(MEMORY_WALL_NS / NS_PER_SEC / 60));
    if (r == 0 && result.exit_code > 0)
        sample_note(s, "the command ended with exit status %d", result.exit_code);
    exec_result_free(&result);
    vec_free(&argv);
    return r;
}

int sample_memory(struct sample *s, struct err *err)
{
    AUTO_FREE char *dir = path_join(s->spool, "blocks"), *file = NULL;
    size_t count = 0;
    file_remove_tree(dir, NULL);
    int r = file_make_dirs(dir, err);
    if (r == 0)
        r = run_dhat(s, dir, err);
    if (r == 0)
        file = largest(dir, &count);
    if (r == 0 && !file)
        r = err_set(err, ERR_TOOL, "DHAT wrote nothing: the program may not run under valgrind");
    if (r == 0 && count > 1)
        sample_note(s, "the command is %zu processes; this is the one whose blocks came from most places", count);
    if (r == 0)
        r = sample_memory_of(s, file, &s->now, &s->memory, err);
    file_remove_tree(dir, NULL);
    s->how = str_dup("DHAT, every block followed");
    return r;
}

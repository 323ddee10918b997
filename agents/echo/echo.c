// The smallest worker: gives back what it was given. README.md beside this file walks through it.
// Input, all optional: "sleep_ms" waits (in small steps, to notice a cancel), "exec" is an argv to run, "size" adds a
// text of so many bytes to the output, "fail" is an error text to end with, "mark" is a file of the run's folder that
// gets a line at the begin and the end of each execution: a count of what was really done that does not depend on the
// journal, "verdict" is the verdict, "output" has more members of the output, "spend" is what a model would have taken.
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "sdk/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 20, SIZE_MAX_BYTES = 32 * 1024 * 1024 };

static void wait_ms(const struct job *job, int64_t ms)
{
    for (; ms > 0 && !job_cancelled(job); ms -= STEP_MS) {
        const struct timespec step = {.tv_nsec = (ms < STEP_MS ? ms : STEP_MS) * 1000000};
        nanosleep(&step, NULL);
    }
}

static void show_line(void *user, const char *line)
{
    job_progress(user, -1, "%s", line);
}

static int run_tool(struct job *job, const json_t *words, json_t *output, struct err *err)
{
    VEC(const char *) argv = {0};
    size_t i;
    json_t *word;
    json_array_foreach (words, i, word)
        vec_push(&argv, json_string_value(word));
    vec_push(&argv, NULL);
    struct exec_result result = {0};
    const struct exec_call call = {.argv = argv.items, .on_line = show_line, .user = job};
    int r = exec_check(job_exec(job), &call, &result, err);
    if (r == 0)
        json_put(output, "stdout", json_text_new(buf_str(&result.out), result.out.len));
    exec_result_free(&result);
    vec_free(&argv);
    return r;
}

// One line in one write: also whole when many workers write, or when this one is killed.
static int mark(const struct job *job, const char *name, const char *what, struct err *err)
{
    const char *dir = job_dir(job, "run");
    if (!dir || strchr(name, '/'))
        return err_set(err, ERR_INVALID, "the mark '%s' must be a file name, and the run must have a folder", name);
    const json_t *a = job_assignment(job);
    int r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FREE char *line = str_printf("%s %" PRId64 " %" PRId64 " %s\n", what, json_int(a, "stage", 0),
                                      json_int(a, "attempt", 0), json_str(a, "lease", "-"));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        err_sys(err, errno, "cannot write to '%s'", path);
        if (fd >= 0)
            close(fd);
        return -(int)err->code;
    }
    close(fd);
    return 0;
}

static int echo_run(struct job *job, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output");
    const json_t *input = json_obj(job_assignment(job), "input");
    if (input)
        json_put(output, "echo", json_deep_copy(input));
    const char *name = json_str(input, "mark", NULL);
    int r = name ? mark(job, name, "begin", err) : 0;
    if (r < 0)
        return r;
    if (json_int(input, "sleep_ms", 0) > 0) {
        job_progress(job, 0, "waiting %d ms", (int)json_int(input, "sleep_ms", 0));
        wait_ms(job, json_int(input, "sleep_ms", 0));
    }
    r = json_list(input, "exec") ? run_tool(job, json_list(input, "exec"), output, err) : 0;
    if (r < 0)
        return r;
    int64_t size = json_int(input, "size", 0);
    if (size > 0 && size <= SIZE_MAX_BYTES) {
        AUTO_FREE char *text = mem_alloc((size_t)size + 1);
        memset(text, 'x', (size_t)size);
        json_put_str(output, "text", text);
    }
    const json_t *spend = json_obj(input, "spend");
    job_spend(job, json_int(spend, "money", 0), json_int(spend, "tokens", 0));
    json_put_str(draft, "verdict", json_str(input, "verdict", NULL));
    if (json_obj(input, "output"))
        json_object_update(output, json_obj(input, "output"));
    if (json_str(input, "fail", NULL))
        return err_set(err, ERR_TOOL, "%s", json_str(input, "fail", ""));
    r = name ? mark(job, name, "end", err) : 0;
    if (r < 0)
        return r;
    draft_summary(draft, "echoed %zu values", json_object_size(input));
    return 0;
}

static const char *const MODES[] = {"echo", NULL};
static const struct agent ECHO = {.role = "echo", .version = "0.1.0", .modes = MODES, .run = echo_run, .jobs = 64};

int main(int argc, char **argv)
{
    return agent_main(argc, argv, &ECHO);
}

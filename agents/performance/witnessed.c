#include "performance/witnessed.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/witness.h"

#include <dirent.h>
#include <string.h>

#define WALL_NS (120 * NS_PER_SEC) // of one run

static const struct {
    const char *tool, *out; // what it writes besides is not wanted
    bool lines;             // a line on standard error for each call, instead of logs
} TOOLS[WITNESSED_TOOLS] = {{"--tool=callgrind", "--callgrind-out-file=/dev/null", false},
                            {"--tool=dhat", "--dhat-out-file=/dev/null", false},
                            {"--tool=none", "--trace-syscalls=yes", true}};

// Every process of a command has a log of its own.
static void read_logs(const char *dir, struct witness_counts *counts)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        AUTO_FREE char *path = path_join(dir, e->d_name), *text = NULL;
        size_t len = 0;
        if (e->d_type == DT_REG && file_read(path, WITNESS_LOG_MAX, &text, &len, NULL) == 0)
            witness_read(text, len, counts);
    }
    if (d)
        closedir(d);
}

static void count_line(void *user, const char *line)
{
    struct witness_counts *counts = user;
    counts->system_calls += witness_is_call(line);
}

int witnessed_count(const struct witnessed *w, enum witnessed_tool tool, size_t side, struct witness_counts *counts,
                    char **ret_why, struct err *err)
{
    const char *const *command = w->command[side];
    AUTO_FREE char *dir = path_join(w->scratch, "witness");
    AUTO_FREE char *log = str_printf("--log-file=%s/%%p", dir);
    VEC(const char *) argv = {0};
    const char *const begin[] = {"valgrind", TOOLS[tool].tool, TOOLS[tool].out, "--trace-children=yes", log};
    for (size_t i = 0; i < ARRAY_LEN(begin) - TOOLS[tool].lines; i++)
        vec_push(&argv, begin[i]);
    for (; *command; command++)
        vec_push(&argv, *command);
    vec_push(&argv, NULL);
    struct exec_result result = {0};
    struct err why = {0};
    const struct exec_call call = {.argv = argv.items,
                                   .cwd = w->cwd_of[side] ? w->cwd_of[side] : w->cwd,
                                   .env = w->env,
                                   .reach = w->reach,
                                   .stdin_path = w->stdin_path,
                                   .stdout_path = "/dev/null",
                                   .wall_ns = WALL_NS,
                                   .on_line = TOOLS[tool].lines ? count_line : NULL,
                                   .user = counts};
    file_remove_tree(dir, NULL);
    int r = file_make_dirs(dir, &why);
    if (r == 0)
        r = exec_check(job_exec(w->job), &call, &result, &why);
    if (r == 0)
        read_logs(dir, counts);
    exec_result_free(&result);
    vec_free(&argv);
    file_remove_tree(dir, NULL);
    if (r == -ERR_CANCELLED)
        return err_set(err, why.code, "%s", why.text);
    *ret_why = r < 0 ? str_dup(why.text) : NULL;
    return 0;
}

static json_t *silent_new(const char *why)
{
    json_t *o = json_object();
    json_put_str(o, "view", witness_view_name(WITNESS_SILENT));
    json_put_str(o, "why_not", why);
    return o;
}

// System calls are asked about only when the others contradict the clock: they may be what it sees.
static bool is_open(enum witnessed_tool tool, const struct ab_result *ab, const struct witness_counts counts[2])
{
    enum witness_view view = witness_view(&counts[0], &counts[1]);
    return tool != WITNESSED_CALLS || (ab->verdict == VERDICT_FASTER && view == WITNESS_AGAINST) ||
           (ab->verdict == VERDICT_SLOWER && view == WITNESS_FOR);
}

int witnessed_apply(const struct witnessed *w, struct ab_result *ab, json_t **ret, struct err *err)
{
    struct witness_counts counts[2] = {0};
    AUTO_FREE char *why = NULL;
    struct err missing = {0};
    double run_ns = ab->a.wall_median > ab->b.wall_median ? ab->a.wall_median : ab->b.wall_median;
    int r = 0;
    *ret = NULL;
    if (run_ns > (double)WITNESSED_RUN_MAX_NS)
        why = str_printf("a run takes %.1f s, which valgrind makes 50 times as long", run_ns / (double)NS_PER_SEC);
    else if (!exec_possible(job_exec(w->job), (const char *const[]){"valgrind", "--version", NULL}, &missing))
        why = str_dup(missing.text);
    for (size_t tool = 0; tool < ARRAY_LEN(TOOLS) && !why && r == 0; tool++) {
        if (!is_open((enum witnessed_tool)tool, ab, counts))
            break;
        job_progress(w->job, -1, "asking the second witness (valgrind %s)", TOOLS[tool].tool);
        for (size_t side = 0; side < 2 && !why && r == 0; side++)
            r = witnessed_count(w, (enum witnessed_tool)tool, side, &counts[side], &why, err);
    }
    if (r < 0)
        return r;
    bool any = witness_view(&counts[0], &counts[1]) != WITNESS_SILENT || counts[0].instructions > 0;
    if (!any || (why && counts[1].instructions <= 0)) {
        *ret = silent_new(why ? why : "valgrind counted nothing");
        return 0;
    }
    if (ab->metric == AB_CPU)
        witness_apply(ab, &counts[0], &counts[1]);
    *ret = witness_json_new(&counts[0], &counts[1]);
    return 0;
}

char *witnessed_line(const json_t *witness)
{
    static const char *const KEYS[][2] = {{"instructions", "instructions"},
                                          {"allocations", "allocations"},
                                          {"allocated_bytes", "allocated bytes"},
                                          {"system_calls", "system calls"}};
    struct buf line = BUF_INIT;
    const char *why_not = json_str(witness, "why_not", NULL);
    buf_str_add(&line, "second witness: ");
    if (why_not)
        buf_printf(&line, "none (%s)", why_not);
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        const json_t *row = json_obj(witness, KEYS[i][0]);
        if (!row)
            continue;
        buf_printf(&line, "%s%s %+.2f %%", any ? ", " : "", KEYS[i][1], json_num(row, "change_pct", 0));
        any = true;
    }
    return buf_steal(&line);
}

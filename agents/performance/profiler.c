#include "performance/profiler.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <sys/utsname.h>

static const struct profiler PROFILERS[] = {
    {"perf", "perf", "Linux", "perf record --call-graph dwarf PROGRAM, then perf report", record_subjects},
    {"samply", "samply", NULL, "samply record PROGRAM opens the Firefox Profiler", NULL},
    {"Instruments", "xctrace", "Darwin", "xctrace record --template 'Time Profiler' --launch PROGRAM", NULL},
    {"cargo-flamegraph", "flamegraph", NULL, "cargo flamegraph writes flamegraph.svg", NULL},
};

static const struct {
    const char *platform, *text;
} ADVICE[] = {
    {"Darwin", "XProtect scans every program that was just built: allow your terminal under System Settings, Privacy & Security, "
               "Developer Tools, and builds and test runs start faster"},
};

static const char *platform(void)
{
    static struct utsname name;
    return uname(&name) == 0 ? name.sysname : "unknown";
}

static bool runs_here(const char *where)
{
    return !where || str_eq(where, platform());
}

static bool is_present(const struct profiler *p)
{
    AUTO_FREE char *path = path_find_program(p->program);
    return path != NULL;
}

const struct profiler *profiler_choose(struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(PROFILERS); i++)
        if (PROFILERS[i].record && runs_here(PROFILERS[i].platform) && is_present(&PROFILERS[i]))
            return &PROFILERS[i];
    err_set(err, ERR_NOT_FOUND, "no profiler that baton can drive is installed; on Debian: apt-get install linux-perf");
    return NULL;
}

json_t *profilers_json_new(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(PROFILERS); i++) {
        if (!runs_here(PROFILERS[i].platform))
            continue;
        json_t *row = json_object();
        json_put_str(row, "name", PROFILERS[i].name);
        json_put_str(row, "program", PROFILERS[i].program);
        json_put_flag(row, "present", is_present(&PROFILERS[i]));
        json_put_flag(row, "records", PROFILERS[i].record != NULL);
        json_put_str(row, "by_hand", PROFILERS[i].by_hand);
        json_array_append_new(list, row);
    }
    return list;
}

json_t *platform_advice_new(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(ADVICE); i++)
        if (runs_here(ADVICE[i].platform))
            json_add_str(list, ADVICE[i].text);
    return list;
}

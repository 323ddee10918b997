#include "profile/perf_command.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

typedef VEC(char *) argv_list;

static void add(argv_list *list, const char *text)
{
    vec_push(list, str_dup(text));
}

static char **finish(argv_list *list)
{
    vec_push(list, NULL);
    return list->items;
}

static const char *event_name(const struct perf_record_options *o)
{
    if (o->hardware)
        return o->kernel ? "cycles" : "cycles:u";
    return o->kernel ? "cpu-clock" : "cpu-clock:u";
}

static const char *unwind_name(enum perf_unwind unwind)
{
    switch (unwind) {
    case PERF_UNWIND_FP:
        return "fp";
    case PERF_UNWIND_DWARF:
        return "dwarf,8192";
    case PERF_UNWIND_LBR:
        return "lbr";
    }
    return "fp";
}

char **profile_perf_record_argv(const struct perf_record_options *options, const char *const *command)
{
    must(options->output && command && command[0]);
    argv_list list = {0};
    add(&list, options->perf ? options->perf : "perf");
    add(&list, "record");
    add(&list, "-e");
    add(&list, event_name(options));
    add(&list, "-F");
    vec_push(&list, str_printf("%d", options->frequency > 0 ? options->frequency : 997));
    add(&list, "--call-graph");
    add(&list, unwind_name(options->unwind));
    add(&list, "-o");
    add(&list, options->output);
    add(&list, "--");
    for (size_t i = 0; command[i]; i++)
        add(&list, command[i]);
    return finish(&list);
}

char **profile_perf_script_argv(const char *perf, const char *data_path)
{
    static const char *const rest[] = {
        "-F", "comm,tid,time,period,event,ip,sym,symoff,dso", "--no-demangle", "--no-inline", "--show-lost-events",
        "-f"};
    must(data_path);
    argv_list list = {0};
    add(&list, perf ? perf : "perf");
    add(&list, "script");
    add(&list, "-i");
    add(&list, data_path);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        add(&list, rest[i]);
    return finish(&list);
}

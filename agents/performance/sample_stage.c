#include "performance/sample.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/stages.h"

#include <stdarg.h>
#include <stdio.h>

struct profile_options sample_options(const struct sample *s)
{
    return (struct profile_options){
        .project_roots = s->roots, .guess_owner = true, .every_frame = json_is_true(job_input(s->job, "every_frame"))};
}

void sample_note(struct sample *s, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_add_str(s->limits, text);
}

static const char **list_of(const json_t *texts)
{
    VEC(const char *) list = {0};
    size_t i;
    json_t *text;
    json_array_foreach (texts, i, text)
        if (json_is_string(text))
            vec_push(&list, json_string_value(text));
    vec_push(&list, NULL);
    return list.items;
}

static int take(struct sample *s, struct err *err)
{
    const json_t *file = job_input(s->job, "file"), *command = job_input(s->job, "command");
    const json_t *scaled = job_input(s->job, "scaled");
    if (json_is_string(file))
        return sample_read(s, json_string_value(file), &s->now, &s->memory, err);
    if (json_array_size(scaled) > 0)
        return sample_scale(s, scaled, err);
    if (json_array_size(command) == 0)
        return err_set(err, ERR_INVALID, "give a 'command' (a list of words), 'scaled' commands or a 'file' to read");
    int r = sample_command_read(command, &s->command, err);
    if (r < 0)
        return r;
    return json_is_true(job_input(s->job, "memory")) ? sample_memory(s, err) : sample_record(s, err);
}

// Nothing to be seen is an answer, not a failure.
static int fill(struct sample *s, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output");
    const char *before = json_string_value(job_input(s->job, "before"));
    int r = take(s, err);
    json_put_flag(output, "measurable", r == 0);
    if (r == -ERR_NOT_FOUND && !s->now && !s->growth) {
        json_put_str(output, "why_not", err->text);
        json_put(output, "limits", json_incref(s->limits));
        draft_summary(draft, "nothing measurable: %s", err->text);
        return 0;
    }
    if (r == 0 && before)
        r = sample_read(s, before, &s->before, &s->memory_before, err);
    if (r == 0 && before && (s->memory != NULL) != (s->memory_before != NULL))
        r = err_set(err, ERR_INVALID, "'%s' is %s of memory: both must be of the same kind", before,
                    s->memory_before ? "a profile" : "no profile");
    return r < 0 ? r : sample_tell(s, draft, err);
}

static void clear(struct sample *s)
{
    sample_command_free(&s->command);
    callgrind_owned_free(s->owned);
    callgrind_free(s->counts);
    profile_free(s->now);
    profile_free(s->before);
    json_decref(s->limits);
    json_decref(s->memory);
    json_decref(s->memory_before);
    json_decref(s->growth);
    mem_free(s->roots);
    mem_free(s->name);
    mem_free(s->how);
    mem_free(s->cwd);
}

int stage_sample(struct job *job, json_t *draft, struct err *err)
{
    const char *tool = json_string_value(job_input(job, "tool"));
    struct sample s = {.job = job, .spool = job_dir(job, "spool"), .tool = tool ? tool : "auto"};
    if (!s.spool || !job_dir(job, "base"))
        return err_set(err, ERR_INVALID, "the assignment lacks 'dirs.base' or 'dirs.spool'");
    s.cwd = job_project_in(job, "base");
    s.roots = list_of(job_input(job, "roots"));
    s.name = str_dup(json_string_value(job_input(job, "title")));
    s.limits = json_array();
    if (!s.name)
        s.name = str_dup("a profile");
    int r = file_make_dirs(s.spool, err);
    if (r == 0)
        r = fill(&s, draft, err);
    clear(&s);
    return r;
}

#include "sdk/agent.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void draft_summary(json_t *draft, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_put_str(draft, "summary", n < 0 ? "" : text);
}

void draft_status(json_t *draft, const char *status)
{
    json_put_str(draft, "status", status);
}

void draft_next(json_t *draft, const char *agent, const char *task)
{
    json_put_str(draft, "next_agent", agent);
    json_put_str(draft, "next_task", task);
}

void draft_section(json_t *draft, const char *label, const char *markdown)
{
    json_t *section = json_object();
    json_put_str(section, "label", label);
    json_put_str(section, "text", markdown);
    json_array_append_new(json_list(draft, "sections"), section);
}

void draft_artifact(json_t *draft, const char *name, const char *path, const char *media)
{
    json_t *artifact = json_object();
    json_put_str(artifact, "name", name);
    json_put_str(artifact, "path", path);
    json_put_str(artifact, "media", media);
    json_array_append_new(json_list(draft, "artifacts"), artifact);
}

int draft_artifact_bytes(struct job *job, json_t *draft, const char *name, const void *data, size_t len, const char *media,
                         struct err *err)
{
    const char *spool = job_dir(job, "spool");
    if (!spool)
        return err_set(err, ERR_STATE, "artifact '%s' cannot be written: the assignment has no 'dirs.spool'", name);
    if (strchr(name, '/') || !*name || *name == '.')
        return err_set(err, ERR_INVALID, "'%s' is not a name for an artifact, expected a plain file name", name);
    AUTO_FREE char *path = path_join(spool, name);
    int r = file_make_dirs(spool, err);
    if (r == 0)
        r = file_write(path, data, len, false, err);
    if (r == 0)
        draft_artifact(draft, name, path, media);
    return r;
}

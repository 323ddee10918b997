// Mode commits: what lies between two revisions.
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "performance/stages.h"

#include <string.h>

#define COMMITS_MAX 10000
#define TITLE_MAX   200

static void add_commit(json_t *list, char *line)
{
    char *tab = strchr(line, '\t');
    if (!tab)
        return;
    *tab = '\0';
    json_t *o = json_object();
    json_put_str(o, "commit", line);
    json_put(o, "title", json_text_new(tab + 1, str_utf8_cut(tab + 1, TITLE_MAX)));
    json_array_append_new(list, o);
}

int stage_commits(struct job *job, json_t *draft, struct err *err)
{
    const char *names[] = {json_string_value(job_input(job, "from")), json_string_value(job_input(job, "to"))};
    const char *work = job_dir(job, "work");
    json_t *output = json_obj(draft, "output"), *list = json_array();
    char *commit[2] = {0}, **lines = NULL;
    json_put(output, "commits", list);
    if (!names[0] || !names[1] || !work)
        return err_set(err, ERR_INVALID, "give 'from' and 'to', the names of two revisions");
    int r = branch_resolve(job_exec(job), work, names[0], &commit[0], err);
    if (r == 0)
        r = branch_resolve(job_exec(job), work, names[1], &commit[1], err);
    if (r == 0)
        r = branch_between(job_exec(job), work, commit[0], commit[1], COMMITS_MAX, &lines, err);
    for (char **line = lines; line && *line; line++)
        add_commit(list, *line);
    if (r == 0) {
        json_put_str(output, "from", commit[0]);
        json_put_str(output, "to", commit[1]);
        draft_summary(draft, "%zu commits between %.12s and %.12s", json_array_size(list), commit[0], commit[1]);
    }
    str_list_free(lines);
    mem_free(commit[0]);
    mem_free(commit[1]);
    return r;
}

// Rules that the code does not show:
// - A file is read by a call that was granted to whoever named it (cat, in a box), never by this process itself: an
//   assignment alone opens nothing. What is read afterwards is the copy in the spool.
#include "performance/sample.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/record.h"
#include "profile/read.h"

#include <stdio.h>
#include <string.h>

int sample_command_read(const json_t *words, struct sample_command *ret, struct err *err)
{
    VEC(const char *) reach = {0};
    size_t i, n = json_array_size(words);
    for (i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word) {
            vec_free(&reach);
            return err_set(err, ERR_INVALID, "a command is a list of words");
        }
        bool input = str_eq(word, "<");
        if (input)
            word = ret->input = json_string_value(json_array_get(words, ++i));
        if (input && !word) {
            vec_free(&reach);
            return err_set(err, ERR_INVALID, "'<' must be followed by a file");
        }
        const char *equals = word[0] == '-' ? strchr(word, '=') : NULL, *path = equals ? equals + 1 : word;
        if (path[0] == '/' && path[strspn(path, "/")] && file_exists(path))
            vec_push(&reach, path);
        if (!input)
            vec_push(&ret->words, word);
    }
    vec_push(&ret->words, NULL);
    vec_push(&reach, NULL);
    ret->reach = reach.items;
    return ret->words.len > 1 ? 0 : err_set(err, ERR_INVALID, "a command names no program");
}

void sample_command_free(struct sample_command *c)
{
    vec_free(&c->words);
    mem_free(c->reach);
    *c = (struct sample_command){0};
}

int sample_fetch(struct sample *s, const char *path, char **ret, struct err *err)
{
    const char *const argv[] = {"cat", path, NULL}, *const reach[] = {path, NULL};
    AUTO_FREE char *copy = str_printf("%s/read-%s", s->spool, path_base(path));
    struct exec_result result = {0};
    int r =
        exec_check(job_exec(s->job),
                   &(struct exec_call){.argv = argv, .cwd = s->cwd, .reach = reach, .stdout_path = copy}, &result, err);
    exec_result_free(&result);
    if (r < 0)
        return err_wrap(err, "'%s' cannot be read", path);
    *ret = str_dup(copy);
    return 0;
}

// --- perf.data ---

static bool is_elf(const char *path)
{
    char magic[4] = {0};
    FILE *f = fopen(path, "rbe");
    bool yes = f && fread(magic, 1, 4, f) == 4 && memcmp(magic, "\177ELF", 4) == 0;
    if (f)
        fclose(f);
    return yes;
}

// What every box shows, as programs need it: naming it once more would take the right to run it away.
static bool is_system(const char *path)
{
    static const char *const DIRS[] = {"/usr/", "/lib/", "/lib64/", "/lib32/", "/bin/", "/sbin/"};
    for (size_t i = 0; i < ARRAY_LEN(DIRS); i++)
        if (str_starts(path, DIRS[i]))
            return true;
    return false;
}

// From "<build id> <path>" on each line: the programs and libraries that ran.
static char **programs_of(struct sample *s, const char *data)
{
    const char *const argv[] = {"perf", "buildid-list", "-i", data, NULL};
    struct exec_result result = {0};
    VEC(char *) list = {0};
    if (exec_run(job_exec(s->job), &(struct exec_call){.argv = argv, .cwd = s->cwd}, &result, NULL) == 0) {
        char **lines = str_split(buf_str(&result.out), "\n", true, NULL);
        for (char **line = lines; *line; line++) {
            const char *path = strchr(*line, '/');
            if (path && !is_system(path) && is_elf(path))
                vec_push(&list, str_dup(path));
        }
        str_list_free(lines);
    }
    exec_result_free(&result);
    vec_push(&list, NULL);
    return list.items;
}

static int read_perf_data(struct sample *s, const char *data, struct profile **ret, struct err *err)
{
    const struct profile_options options = sample_options(s);
    AUTO_FREE char *script = str_printf("%s.txt", data);
    char **programs = programs_of(s, data);
    int r = record_script_of(s->job, data, s->cwd, (const char *const *)programs, script, err);
    if (r == 0)
        r = profile_load((const char *const[]){script}, 1, &options, ret, err);
    str_list_free(programs);
    file_remove_tree(script, NULL);
    return r;
}

int sample_read(struct sample *s, const char *path, struct profile **ret, json_t **ret_memory, struct err *err)
{
    const struct profile_options options = sample_options(s);
    enum read_format format = READ_UNKNOWN;
    char *copy = NULL;
    job_progress(s->job, -1, "reading '%s'", path_base(path));
    int r = sample_fetch(s, path, &copy, err);
    if (r == 0)
        r = profile_read_format(copy, &format, err);
    if (r == 0 && format == READ_PERF_DATA)
        r = read_perf_data(s, copy, ret, err);
    else if (r == 0 && format == READ_DHAT)
        r = sample_memory_of(s, copy, ret, ret_memory, err);
    else if (r == 0)
        r = profile_read(copy, &options, NULL, ret, err);
    if (r == 0 && !s->how)
        s->how = str_printf("read as %s", read_format_name(format));
    if (copy)
        file_remove_tree(copy, NULL);
    mem_free(copy);
    return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

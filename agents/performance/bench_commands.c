// Rules that the code does not show:
// - Commands run in the read-only checkout of the project; what they name by its full path is shown to them as well.
// - A command is calibrated against itself.
#include "performance/bench.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/compare.h"
#include "performance/counted.h"
#include "performance/measured.h"
#include "performance/subject.h"
#include "performance/witnessed.h"

#include <string.h>
#include <sys/stat.h>

void bench_add_row(struct bench *b, const char *subject, const char *what, struct ab_result *ab, json_t *witness)
{
    mem_free(ab->name_a);
    mem_free(ab->name_b);
    ab->name_a = str_dup(b->name[0]);
    ab->name_b = str_dup(b->name[1]);
    const struct bench_row row = {.subject = str_dup(subject), .what = str_dup(what), .ab = ab, .witness = witness};
    vec_push(&b->rows, row);
}

// --- commands ---

struct command {
    VEC(const char *) words; // NULL-terminated
    const char *input;       // behind "<"
};

static int read_command(const json_t *words, struct command *ret, struct err *err)
{
    size_t i, n = json_array_size(words);
    for (i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word)
            return err_set(err, ERR_INVALID, "a command is a list of words");
        if (!str_eq(word, "<")) {
            vec_push(&ret->words, word);
            continue;
        }
        ret->input = json_string_value(json_array_get(words, ++i));
        if (!ret->input)
            return err_set(err, ERR_INVALID, "'<' must be followed by a file");
    }
    if (ret->words.len == 0)
        return err_set(err, ERR_INVALID, "a command names no program");
    vec_push(&ret->words, NULL);
    return 0;
}

// Files that are named by their full path, also behind "=": they can be read.
static void add_reach(const char *word, json_t *reach)
{
    const char *equals = word[0] == '-' ? strchr(word, '=') : NULL, *path = equals ? equals + 1 : word;
    if (path[0] == '/' && path[strspn(path, "/")] && file_exists(path))
        json_add_str(reach, path);
}

struct watch {
    struct job *job;
};

static void on_progress(void *user, const struct ab_progress *p)
{
    const struct watch *w = user;
    if (p->ratio > 0)
        job_progress(w->job, -1, "%s, pair %u of at most %u, change %+.1f %%", p->phase, p->pairs, p->max_pairs,
                     (p->ratio - 1) * 100);
    else
        job_progress(w->job, -1, "%s, pair %u", p->phase, p->pairs);
}

// Named by a path; what is found through PATH has no size here.
static double size_of_program(const char *path)
{
    struct stat st;
    return strchr(path, '/') && stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static int compare_commands(struct bench *b, const struct command *c, const char **reach, struct err *err)
{
    struct watch watch = {b->job};
    AUTO_FREE char *cwd = job_project_in(b->job, "base");
    AUTO_FREE char *scratch = path_join(b->spool, "scratch");
    AUTO_FREE char *input = c[0].input ? path_join(cwd, c[0].input) : NULL;
    char **env = compare_environment(scratch, cwd);
    const struct session session = {.kind = SESSION_COMMAND,
                                    .metric = b->metric,
                                    .command = {c[0].words.items, c[1].words.items, c[0].words.items},
                                    .cwd = cwd,
                                    .stdin_path = input,
                                    .env = (const char *const *)env,
                                    .max_wall_ns = b->wall_ns,
                                    .theta = b->theta};
    const struct measured m = {.job = b->job,
                               .session = &session,
                               .scratch = scratch,
                               .reach = reach,
                               .on_progress = on_progress,
                               .user = &watch};
    const struct witnessed w = {.job = b->job,
                                .command = {session.command[0], session.command[1]},
                                .cwd = cwd,
                                .stdin_path = input,
                                .reach = reach,
                                .scratch = scratch};
    const struct counted counted = {
        .b = b, .w = &w, .size = {size_of_program(c[0].words.items[0]), size_of_program(c[1].words.items[0])}};
    struct ab_result *ab = NULL;
    json_t *witness = NULL;
    bool timed = b->metric <= AB_RSS;
    int r = timed ? measured_compare(&m, &ab, err) : counted_compare(&counted, &ab, err);
    if (r == 0 && b->metric <= AB_WALL)
        r = witnessed_apply(&w, ab, &witness, err);
    if (r == 0)
        bench_add_row(b, "command", b->name[1], ab, witness);
    else
        ab_result_free(ab);
    str_list_free(env);
    return r;
}

static char *name_of(const struct command *c)
{
    struct buf name = BUF_INIT;
    for (size_t i = 0; i + 1 < c->words.len; i++)
        buf_printf(&name, "%s%s", i ? " " : "",
                   c->words.items[i][0] == '/' ? path_base(c->words.items[i]) : c->words.items[i]);
    return buf_steal(&name);
}

int bench_commands(struct bench *b, const json_t *commands, struct err *err)
{
    struct command c[2] = {0};
    AUTO_JSON json_t *reach = json_array(), *subject = json_object();
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        r = read_command(json_array_get(commands, i), &c[i], err);
        for (size_t k = 0; r == 0 && k + 1 < c[i].words.len; k++)
            add_reach(c[i].words.items[k], reach);
        if (r == 0 && c[i].input)
            add_reach(c[i].input, reach);
        b->name[i] = r == 0 ? name_of(&c[i]) : NULL;
    }
    if (r == 0 && !str_eq(c[0].input ? c[0].input : "", c[1].input ? c[1].input : ""))
        r = err_set(err, ERR_INVALID, "both commands must read the same input: one has '< %s', the other '< %s'",
                    c[0].input ? c[0].input : "", c[1].input ? c[1].input : "");
    json_put(subject, "reach", json_incref(reach));
    const char **paths = subject_reach(subject);
    if (r == 0)
        r = compare_commands(b, c, paths, err);
    mem_free(paths);
    vec_free(&c[0].words);
    vec_free(&c[1].words);
    return r;
}

// baton profile: where a command spends its time or its memory, or what a file of another profiler says, as a run of
// the workflow "sample".
#include "main/commands.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/words.h"
#include "main/named_command.h"
#include "main/profiled.h"
#include "main/run_request.h"
#include "report/model.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZES_MAX     8
#define FREQUENCY_MAX 20000
#define TITLE_MAX     200
#define PLACE         "{n}"

static const struct {
    const char *name, *file;
} FORMATS[] = {
#define X(name, file, media, about) {name, file},
#include "tbl/profile_formats.def"
#undef X
};

static const char *file_of(const char *format)
{
    for (size_t i = 0; i < ARRAY_LEN(FORMATS); i++)
        if (str_eq(FORMATS[i].name, format))
            return FORMATS[i].file;
    return NULL;
}

// --- options ---

static int check_word(const struct cli *cli, const char *option, const char *const *list, const char *expected,
                      struct err *err)
{
    const char *word = cli_value(cli, option, NULL);
    for (size_t i = 0; word && list[i]; i++)
        if (str_eq(word, list[i]))
            return 0;
    return word ? err_set(err, ERR_INVALID, "--%s '%s' must be %s", option, word, expected) : 0;
}

static int put_formats(const struct cli *cli, json_t *params, struct err *err)
{
    const char *const *given = cli_values(cli, "format");
    json_t *list = json_array();
    json_put(params, "formats", list);
    if (given[0] && given[1] && !cli_value(cli, "output", NULL))
        return err_set(err, ERR_INVALID, "several formats are written to a folder: give --output DIR");
    for (const char *const *format = given; *format; format++) {
        struct buf names = BUF_INIT;
        for (size_t i = 0; i < ARRAY_LEN(FORMATS); i++)
            buf_printf(&names, "%s%s", i ? ", " : "", FORMATS[i].name);
        int r = file_of(*format)
                    ? 0
                    : err_set(err, ERR_INVALID, "--format '%s' must be one of %s", *format, buf_str(&names));
        buf_free(&names);
        if (r < 0)
            return r;
        json_add_str(list, *format);
    }
    for (size_t i = 0; !*given && i < ARRAY_LEN(FORMATS) && cli_value(cli, "output", NULL); i++)
        json_add_str(list, FORMATS[i].name);
    return 0;
}

static int put_numbers(const struct cli *cli, json_t *params, struct err *err)
{
    const char *frequency = cli_value(cli, "frequency", NULL), *top = cli_value(cli, "top", NULL);
    int64_t number = 0;
    if (frequency && (!str_to_i64(frequency, &number) || number < 1 || number > FREQUENCY_MAX))
        return err_set(err, ERR_INVALID, "--frequency '%s' must be a number from 1 to %d", frequency, FREQUENCY_MAX);
    if (frequency)
        json_put_str(params, "frequency", frequency);
    if (top && (!str_to_i64(top, &number) || number < 1 || number > PROFILED_ROWS_MAX))
        return err_set(err, ERR_INVALID, "--top '%s' must be a number from 1 to %d", top, PROFILED_ROWS_MAX);
    return 0;
}

static int put_options(const struct cli *cli, json_t *params, struct err *err)
{
    static const char *const TOOLS[] = {"auto", "perf", "callgrind", NULL}, *const GRAPHS[] = {"dwarf", "fp", "lbr",
                                                                                               NULL};
    int r = check_word(cli, "tool", TOOLS, "auto, perf or callgrind", err);
    if (r == 0)
        r = check_word(cli, "call-graph", GRAPHS, "dwarf, fp or lbr", err);
    if (r == 0)
        r = put_formats(cli, params, err);
    if (r == 0)
        r = put_numbers(cli, params, err);
    if (cli_value(cli, "tool", NULL))
        json_put_str(params, "tool", cli_value(cli, "tool", NULL));
    if (cli_value(cli, "call-graph", NULL))
        json_put_str(params, "call_graph", cli_value(cli, "call-graph", NULL));
    if (cli_flag(cli, "memory"))
        json_put_str(params, "memory", "true");
    if (cli_flag(cli, "every-frame"))
        json_put_str(params, "every_frame", "true");
    return r;
}

static int put_roots(const struct cli *cli, json_t *params, struct err *err)
{
    json_t *roots = json_array();
    json_put(params, "roots", roots);
    const char *const *given = cli_values(cli, "source"), *const here[] = {".", NULL};
    for (const char *const *root = *given ? given : here; *root; root++) {
        AUTO_FREE char *full = path_real(*root, err);
        if (!full)
            return err_wrap(err, "--source '%s'", *root);
        json_add_str(roots, full);
    }
    return 0;
}

// --- what is profiled ---

static void put_title(json_t *params, const char *const *words)
{
    struct buf title = BUF_MAX(TITLE_MAX);
    for (size_t i = 0; words[i]; i++)
        buf_printf(&title, "%s%s", i ? " " : "", i ? words[i] : path_base(words[i]));
    json_put_str(params, "title", buf_str(&title));
    buf_free(&title);
}

// A file that the caller's shell put on standard input is the command's.
static char *input_file(void)
{
    struct stat st;
    char path[4096];
    ssize_t n =
        fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) ? readlink("/proc/self/fd/0", path, sizeof(path) - 1) : -1;
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    return file_exists(path) ? str_dup(path) : NULL;
}

static int put_command(const struct cli *cli, struct run_request *q, struct err *err)
{
    const char *words[NAMED_WORDS_MAX + 3];
    size_t n = 0, count = cli_arg_count(cli);
    AUTO_FREE char *input = input_file();
    if (count > NAMED_WORDS_MAX)
        return err_set(err, ERR_LIMIT, "a command has at most %d words", NAMED_WORDS_MAX);
    for (; n < count; n++)
        words[n] = cli_arg(cli, n);
    words[n] = NULL;
    put_title(q->params, words);
    if (input) {
        words[n++] = "<";
        words[n++] = input;
        words[n] = NULL;
    }
    json_t *command = json_array();
    json_put(q->params, "command", command);
    return named_command(words, q, command, err);
}

static char *filled(const char *word, const char *number)
{
    struct buf b = BUF_INIT;
    for (const char *at; (at = strstr(word, PLACE)) != NULL; word = at + strlen(PLACE)) {
        buf_add(&b, word, (size_t)(at - word));
        buf_str_add(&b, number);
    }
    buf_str_add(&b, word);
    return buf_steal(&b);
}

static int put_size(char *const *words, const char *size, struct run_request *q, json_t *scaled, struct err *err)
{
    VEC(char *) list = {0};
    double number = 0;
    if (!str_to_double(size, &number) || !(number > 0))
        return err_set(err, ERR_INVALID, "--sizes '%s': '%s' is no number above 0", size, size);
    for (; *words; words++)
        vec_push(&list, filled(*words, size));
    vec_push(&list, NULL);
    json_t *one = json_object(), *command = json_array();
    json_put_num(one, "size", number);
    json_put(one, "command", command);
    json_array_append_new(scaled, one);
    int r = named_command((const char *const *)list.items, q, command, err);
    str_list_free(list.items);
    return r;
}

static int put_scaled(const struct cli *cli, struct run_request *q, struct err *err)
{
    const char *text = cli_value(cli, "scale", ""), *sizes = cli_value(cli, "sizes", NULL);
    char **words = NULL;
    size_t count = 0;
    if (cli_arg_count(cli) > 0)
        return err_set(err, ERR_INVALID, "--scale is given the command itself, in one word with {n} in it");
    if (!strstr(text, PLACE) || !sizes)
        return err_set(err, ERR_INVALID, "--scale 'PROGRAM {n}' needs a {n} in it, and --sizes N,M what to put there");
    int r = words_split(text, "the command", NAMED_WORDS_MAX, &words, err);
    if (r < 0)
        return r;
    json_t *scaled = json_array();
    json_put(q->params, "scaled", scaled);
    json_put_str(q->params, "title", text);
    double one = 0;
    AUTO_FREE char *doubled = str_to_double(sizes, &one) ? str_printf("%s,%.15g", sizes, 2 * one) : NULL;
    char **each = str_split(doubled ? doubled : sizes, ",", true, &count);
    if (count < 2 || count > SIZES_MAX)
        r = err_set(err, ERR_INVALID, "--sizes '%s' must be a number, or 2 to %d with commas between them", sizes,
                    SIZES_MAX);
    for (size_t i = 0; i < count && r == 0; i++)
        r = put_size(words, each[i], q, scaled, err);
    str_list_free(each);
    str_list_free(words);
    return r;
}

static int put_file(const struct cli *cli, struct run_request *q, struct err *err)
{
    AUTO_FREE char *file = NULL;
    const char *path = cli_arg(cli, 0);
    if (cli_arg_count(cli) > 1)
        return err_set(err, ERR_INVALID, "a command stands behind '--': baton profile -- %s …", path);
    int r = named_file(path, q, &file, err);
    if (r < 0)
        return r;
    if (access(file, X_OK) == 0)
        return err_set(err, ERR_INVALID, "'%s' is a program, no profile; to profile it: baton profile -- %s", path,
                       path);
    const char *const title[] = {path, NULL};
    put_title(q->params, title);
    json_put_str(q->params, "file", file);
    return 0;
}

static int put_what(const struct cli *cli, struct run_request *q, struct err *err)
{
    size_t plain = cli_plain_count(cli), all = cli_arg_count(cli);
    if (cli_value(cli, "scale", NULL))
        return put_scaled(cli, q, err);
    if (cli_value(cli, "sizes", NULL))
        return err_set(err, ERR_INVALID, "--sizes belongs to --scale 'PROGRAM {n}'");
    if (all == 0 || (plain > 0 && all > plain))
        return err_set(err, ERR_INVALID,
                       "give a command behind '--', or a file of a profiler: baton profile -- PROGRAM ARGS");
    return plain == 0 ? put_command(cli, q, err) : put_file(cli, q, err);
}

static int put_before(const struct cli *cli, struct run_request *q, struct err *err)
{
    const char *path = cli_value(cli, "diff", NULL);
    AUTO_FREE char *file = NULL;
    int r = path ? named_file(path, q, &file, err) : 0;
    if (r == 0 && path)
        json_put_str(q->params, "before", file);
    return r < 0 ? err_wrap(err, "--diff") : r;
}

// --- what came of it ---

static int print_format(const json_t *model, const struct cli *cli, const char *format, FILE *out, struct err *err)
{
    const json_t *profiled = json_obj(model, "profiled");
    if (str_eq(format, "json")) {
        AUTO_FREE char *text = json_shown_pretty(profiled);
        fputs(text, out);
        return 0;
    }
    if (str_eq(format, "table")) {
        profiled_print(model, profiled_rows_of(cli), out);
        return 0;
    }
    size_t i;
    json_t *artifact;
    json_array_foreach (json_list(model, "artifacts"), i, artifact) {
        AUTO_FREE char *text = NULL;
        size_t len = 0;
        if (!str_eq(json_str(artifact, "name", ""), file_of(format)))
            continue;
        int r = file_read(json_str(artifact, "path", ""), PROFILED_FILE_MAX, &text, &len, err);
        if (r == 0 && fwrite(text, 1, len, out) != len)
            r = err_set(err, ERR_IO, "it cannot be written");
        return r;
    }
    return err_set(err, ERR_NOT_FOUND, "the run left no '%s'", file_of(format));
}

static int write_all(const json_t *model, const struct cli *cli, const char *dir, struct err *err)
{
    size_t i;
    json_t *format;
    int r = file_make_dirs(dir, err);
    json_array_foreach (json_list(json_obj(model, "params"), "formats"), i, format) {
        const char *name = json_string_value(format), *file = name ? file_of(name) : NULL;
        AUTO_FREE char *path = file ? path_join(dir, file) : NULL;
        FILE *out = r == 0 && path ? fopen(path, "wbe") : NULL;
        if (r == 0 && path && !out)
            r = err_set(err, ERR_IO, "'%s' cannot be written", path);
        if (out) {
            r = print_format(model, cli, name, out, err);
            if (fclose(out) != 0 && r == 0)
                r = err_set(err, ERR_IO, "'%s' cannot be written", path);
        }
    }
    return r;
}

static int ended(void *user, struct store *store, const char *run, int status)
{
    const struct cli *cli = user;
    struct err err;
    const char *dir = cli_value(cli, "output", NULL), *format = cli_value(cli, "format", NULL);
    AUTO_JSON json_t *model = report_model_new(store, run, &err);
    if (!model)
        return cli_fail(&err);
    if (!json_obj(model, "profiled")) { // nothing was profiled: say why where it does not disturb
        fprintf(stderr, "baton: %s\n", json_str(model, "headline", "no profile was taken"));
        return status;
    }
    int r = 0;
    if (dir)
        r = write_all(model, cli, dir, &err);
    else if (format)
        r = print_format(model, cli, format, stdout, &err);
    if (r == 0 && dir && !cli_flag(cli, "json") && !cli_flag(cli, "quiet"))
        fprintf(stderr, "baton: written to %s\n", dir);
    return r < 0 ? cli_fail(&err) : status;
}

int cmd_profile(const struct cli *cli)
{
    struct err err;
    struct run_request q;
    AUTO_FREE char *empty = NULL;
    if (named_empty_project(&empty, &err) < 0 || run_request_read(cli, "sample", empty, &q, &err) < 0)
        return cli_fail(&err);
    int r = put_what(cli, &q, &err);
    if (r == 0)
        r = put_options(cli, q.params, &err);
    if (r == 0)
        r = put_roots(cli, q.params, &err);
    if (r == 0)
        r = put_before(cli, &q, &err);
    if (r < 0) {
        run_request_clear(&q);
        return cli_fail(&err);
    }
    q.silent = cli_value(cli, "format", NULL) && !cli_value(cli, "output", NULL);
    return cmd_run_request(cli, &q, ended, (void *)(uintptr_t)cli); // read only
}

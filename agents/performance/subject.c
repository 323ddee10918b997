// Rules that the code does not show:
// - A command is words, never a shell text. Quotes group words; anything a shell would interpret is refused.
// - `cargo run … -- ARGS`, `./target/release/NAME` and a bare NAME of a program of the project all mean the program we build
//   ourselves: both sides of a comparison must come from the same hands.
#include "performance/subject.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "base/words.h"
#include "performance/manifests.h"
#include "toml/toml.h"

#include <string.h>

// --- words ---

static json_t *split_words(const char *text, struct err *err)
{
    char **list = NULL;
    if (words_split(text, "the bench command", SUBJECT_WORDS_MAX, &list, err) < 0)
        return NULL;
    json_t *words = json_array();
    for (char **word = list; *word; word++)
        json_add_str(words, *word);
    str_list_free(list);
    return words;
}

// --- programs of the project ---

static bool has_target(const struct cargo_metadata *m, const char *kind, const char *name)
{
    for (size_t i = 0; i < m->package_count; i++) {
        const struct cargo_package *p = &m->packages[i];
        for (size_t t = 0; p->is_member && t < p->target_count; t++)
            if (str_eq(p->targets[t].kind, kind) && (!name || str_eq(p->targets[t].name, name)))
                return true;
    }
    return false;
}

static const char *only_bin(const struct cargo_metadata *m)
{
    const char *name = NULL;
    for (size_t i = 0; i < m->package_count; i++) {
        const struct cargo_package *p = &m->packages[i];
        for (size_t t = 0; p->is_member && t < p->target_count; t++) {
            if (!str_eq(p->targets[t].kind, "bin"))
                continue;
            if (name)
                return NULL;
            name = p->targets[t].name;
        }
    }
    return name;
}

// "cargo run --release --bin x -- a b" -> ["{bin:x}", "a", "b"]; NULL when it is no cargo run or says which program unclearly.
static json_t *from_cargo_run(const struct cargo_metadata *m, const json_t *words)
{
    if (!str_eq(json_string_value(json_array_get(words, 0)), "cargo") ||
        !str_eq(json_string_value(json_array_get(words, 1)), "run"))
        return NULL;
    const char *kind = "bin", *name = NULL;
    size_t i = 2, n = json_array_size(words);
    for (; i < n && !str_eq(json_string_value(json_array_get(words, i)), "--"); i++) {
        const char *w = json_string_value(json_array_get(words, i));
        if ((str_eq(w, "--bin") || str_eq(w, "--example")) && i + 1 < n) {
            kind = w + 2;
            name = json_string_value(json_array_get(words, ++i));
        }
    }
    if (!name)
        name = only_bin(m);
    if (!name || !has_target(m, kind, name))
        return NULL;
    json_t *out = json_array();
    AUTO_FREE char *program = str_printf("{%s:%s}", kind, name);
    json_add_str(out, program);
    for (i++; i < n; i++)
        json_array_append(out, json_array_get(words, i));
    return out;
}

static json_t *program_words(const struct cargo_metadata *m, json_t *words_consumed)
{
    json_t *run = from_cargo_run(m, words_consumed);
    if (run) {
        json_decref(words_consumed);
        return run;
    }
    const char *first = json_string_value(json_array_get(words_consumed, 0));
    const char *base = path_base(first);
    bool built = !strchr(first, '/') || strstr(first, "target/") != NULL;
    const char *kind = strstr(first, "/examples/") ? "example" : "bin";
    if (built && first[0] != '{' && has_target(m, kind, base)) {
        AUTO_FREE char *program = str_printf("{%s:%s}", kind, base);
        json_array_set_new(words_consumed, 0, json_string(program));
    }
    return words_consumed;
}

static json_t *subject_new(const char *name, const char *kind, const char *source, json_t *words_consumed)
{
    json_t *s = json_object();
    json_put_str(s, "name", name);
    json_put_str(s, "kind", kind);
    json_put_str(s, "source", source);
    json_put(s, "words", words_consumed);
    json_put_str(s, "cwd", "");
    json_put(s, "stdin", json_null());
    json_put(s, "id", json_null());
    json_put(s, "reach", json_array());
    return s;
}

// --- sources ---

struct bench_choice { // of a `cargo bench` command; NULL: all
    const char *package, *program, *filter;
};

// "cargo bench -p PACKAGE --bench PROGRAM -- FILTER"; other words change nothing here.
static void read_choice(const json_t *words, struct bench_choice *ret)
{
    size_t n = json_array_size(words);
    for (size_t i = 2; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        const char *next = i + 1 < n ? json_string_value(json_array_get(words, i + 1)) : NULL;
        if (next && (str_eq(word, "-p") || str_eq(word, "--package"))) {
            ret->package = next;
            i++;
        } else if (next && str_eq(word, "--bench")) {
            ret->program = next;
            i++;
        } else if (word[0] != '-' && !ret->filter) {
            ret->filter = word;
        }
    }
}

static bool is_chosen(const char *wanted, const char *name)
{
    return !wanted || str_eq(wanted, name);
}

static void from_cargo_bench(struct files *files, const struct cargo_metadata *m, const struct bench_choice *choice, json_t *list)
{
    for (size_t i = 0; i < m->package_count; i++) {
        const struct cargo_package *p = &m->packages[i];
        struct manifest manifest;
        bool known = p->is_member && manifests_read(files, p->manifest_path, &manifest, NULL) == 0;
        for (size_t t = 0; known && t < p->target_count && json_array_size(list) < SUBJECTS_MAX; t++) {
            const char *name = p->targets[t].name;
            // libtest's own benches need a nightly compiler: only programs with a harness of their own can be run everywhere.
            if (!str_eq(p->targets[t].kind, "bench") || manifest_harness(&manifest, "bench", name) ||
                !is_chosen(choice->package, p->name) || !is_chosen(choice->program, name))
                continue;
            AUTO_FREE char *program = str_printf("{bench:%s}", name);
            json_t *words = json_array();
            json_add_str(words, program);
            json_add_str(words, "--bench");
            json_t *s = subject_new(name, "plain", "cargo bench", words);
            AUTO_FREE char *dir = path_dir(p->manifest_path);
            const char *below = path_below(dir, m->workspace_root);
            json_put_str(s, "package", p->name);
            json_put_str(s, "filter", choice->filter);
            json_put_str(s, "cwd", below ? below : "");
            json_array_append_new(list, s);
        }
        if (known)
            manifest_free(&manifest);
    }
}

// The part of a word that may name a file: all of it, or what follows "=" or a short option.
static size_t path_start(const char *word)
{
    const char *eq = strchr(word, '=');
    if (eq)
        return (size_t)(eq + 1 - word);
    return word[0] == '-' && word[1] && word[1] != '-' && word[2] == '/' ? 2 : 0;
}

// What the caller names by its full path may be read, and so may what lies in the caller's folder but not in git: that word
// gets its full path, because the subject runs in a checkout.
static char *caller_word_new(const char *word, const struct subject_places *places, json_t *reach)
{
    size_t at = path_start(word);
    const char *path = word + at;
    if (path[0] == '/')
        json_add_str(reach, path);
    if (path[0] == '/' || !path[0] || !places->user || (word[0] == '-' && at == 0))
        return str_dup(word);
    AUTO_FREE char *here = path_join(places->project, path);
    AUTO_FREE char *there = path_join(places->user, path);
    if (file_exists(here) || !file_exists(there))
        return str_dup(word);
    json_add_str(reach, there);
    return str_printf("%.*s%s", (int)at, word, there);
}

static int caller_subject(const struct subject_places *places, const struct cargo_metadata *m, const json_t *words,
                          json_t *list, struct err *err)
{
    json_t *out = json_array(), *s = subject_new("bench", "command", "--bench", out);
    json_t *reach = json_list(s, "reach");
    const char *below = path_below(places->project, m->workspace_root);
    size_t n = json_array_size(words);
    json_array_append_new(list, s);
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        bool input = str_eq(word, "<");
        if (input && i + 1 >= n)
            return err_set(err, ERR_INVALID, "'<' must be followed by a file");
        AUTO_FREE char *named = i == 0 ? str_dup(word)
                                       : caller_word_new(input ? json_string_value(json_array_get(words, ++i)) : word, places, reach);
        AUTO_FREE char *from_root = path_join(below ? below : "", named);
        if (input)
            json_put_str(s, "stdin", from_root);
        else
            json_add_str(out, named);
    }
    json_put_str(s, "cwd", below);
    if (json_array_size(out) == 0)
        return err_set(err, ERR_INVALID, "the bench command names no program");
    json_put(s, "words", program_words(m, json_incref(out)));
    return 0;
}

static int from_caller(const struct subject_places *places, const struct cargo_metadata *m, const char *bench, json_t *list,
                       struct err *err)
{
    struct bench_choice choice = {0};
    AUTO_JSON json_t *words = split_words(bench, err);
    if (!words)
        return err_wrap(err, "--bench '%s'", bench);
    if (str_eq(json_string_value(json_array_get(words, 0)), "cargo") &&
        str_eq(json_string_value(json_array_get(words, 1)), "bench")) {
        read_choice(words, &choice);
        from_cargo_bench(places->files, m, &choice, list);
        return 0;
    }
    int r = caller_subject(places, m, words, list, err);
    return r < 0 ? err_wrap(err, "--bench '%s'", bench) : 0;
}

static int declared_words(const json_t *entry, json_t **ret, struct err *err)
{
    const json_t *command = json_object_get(entry, "command");
    size_t i;
    json_t *word;
    if (json_is_string(command)) {
        *ret = split_words(json_string_value(command), err);
        return *ret ? 0 : -(int)err->code;
    }
    if (json_array_size(command) == 0 || json_array_size(command) > SUBJECT_WORDS_MAX)
        return err_set(err, ERR_INVALID, "'command' must be a text or a list of words");
    json_array_foreach (command, i, word)
        if (!json_is_string(word))
            return err_set(err, ERR_INVALID, "'command' must be a list of words");
    *ret = json_deep_copy(command);
    return 0;
}

static bool inside(const char *path)
{
    return path[0] != '/' && !str_starts(path, "..") && !strstr(path, "/..");
}

static int from_declaration(const char *project_dir, const struct cargo_metadata *m, const json_t *entry, json_t *list, struct err *err)
{
    const char *name = json_str(entry, "name", NULL);
    json_t *words = NULL;
    if (!name)
        return err_set(err, ERR_INVALID, "'name' is missing");
    int r = declared_words(entry, &words, err);
    if (r < 0)
        return r;
    json_t *s = subject_new(name, "command", "baton.toml", program_words(m, words));
    const char *cwd = json_str(entry, "cwd", ""), *input = json_str(entry, "stdin", NULL);
    const char *below = path_below(project_dir, m->workspace_root);
    AUTO_FREE char *from_root = path_join(below ? below : "", cwd);
    AUTO_FREE char *input_from_root = input ? path_join(below ? below : "", input) : NULL;
    json_put_str(s, "cwd", from_root);
    json_put_str(s, "stdin", input_from_root);
    json_array_append_new(list, s);
    if (!inside(cwd) || (input && !inside(input)))
        return err_set(err, ERR_INVALID, "'cwd' and 'stdin' of bench '%s' must lie in the project", name);
    return 0;
}

// A name that is not known is a mistake that would go unnoticed: it is named, with its line. prefix: the table it
// stands in, "" for the file.
static int refuse_unknown(const char *text, size_t len, const json_t *table, const char *prefix, const char *const *known,
                          struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)table, key, value) {
        struct buf names = BUF_INIT;
        bool found = false;
        for (const char *const *k = known; *k; k++) {
            found = found || str_eq(*k, key);
            buf_printf(&names, "%s'%s'", k == known ? "" : ", ", *k);
        }
        if (!found) {
            AUTO_FREE char *full = str_printf("%s%s", prefix, key);
            err_set(err, ERR_INVALID, "baton.toml:%d: unknown %s '%s'; known here: %s", toml_line_near(text, len, full),
                    json_is_string(value) || json_is_number(value) ? "key" : "section or key", key, buf_str(&names));
        }
        buf_free(&names);
        if (!found)
            return -ERR_INVALID;
    }
    return 0;
}

static int check_names(const char *text, size_t len, const json_t *root, struct err *err)
{
    static const char *const SECTIONS[] = {"bench", "measure", NULL}, *const KEYS[] = {"name", "command", "cwd", "stdin", NULL},
                             *const MEASURE[] = {"metric", "theta_pct", NULL};
    int r = refuse_unknown(text, len, root, "", SECTIONS, err);
    if (r == 0 && json_object_get(root, "measure") && !json_obj(root, "measure"))
        return err_set(err, ERR_INVALID, "baton.toml: 'measure' is a section: write its header as [measure]");
    if (r == 0)
        r = refuse_unknown(text, len, json_obj(root, "measure"), "measure.", MEASURE, err);
    if (r == 0 && json_object_get(root, "bench") && !json_list(root, "bench"))
        return err_set(err, ERR_INVALID, "baton.toml: 'bench' is a list: write its header as [[bench]]");
    size_t i;
    json_t *entry;
    json_array_foreach (json_list(root, "bench"), i, entry) {
        AUTO_FREE char *prefix = str_printf("bench.%zu.", i);
        if (r == 0)
            r = refuse_unknown(text, len, entry, prefix, KEYS, err);
    }
    return r;
}

// *ret: NULL when the project declares nothing.
static int read_declaration(const struct subject_places *places, json_t **ret, struct err *err)
{
    AUTO_FREE char *path = path_join(places->project, "baton.toml"), *text = NULL;
    size_t len = 0;
    int r = files_read(places->files, path, TOML_TEXT_MAX, &text, &len, err);
    if (r < 0)
        return r == -ERR_NOT_FOUND ? 0 : r;
    AUTO_JSON json_t *root = toml_parse_new(text, len, "baton.toml", err);
    if (!root)
        return -(int)err->code;
    r = check_names(text, len, root, err);
    if (r == 0)
        *ret = json_incref(root);
    return r;
}

static int from_baton_toml(const struct subject_places *places, const struct cargo_metadata *m, json_t *list, struct err *err)
{
    AUTO_JSON json_t *root = NULL;
    int r = read_declaration(places, &root, err);
    size_t i;
    json_t *entry;
    json_array_foreach (json_list(root, "bench"), i, entry) {
        if (r < 0 || json_array_size(list) >= SUBJECTS_MAX)
            break;
        r = from_declaration(places->project, m, entry, list, err);
        if (r < 0)
            return err_wrap(err, "baton.toml, bench %zu", i + 1);
    }
    return r;
}

int subject_measure(const struct subject_places *places, struct subject_measure *ret, struct err *err)
{
    *ret = (struct subject_measure){0};
    AUTO_JSON json_t *root = NULL;
    int r = read_declaration(places, &root, err);
    const json_t *measure = json_obj(root, "measure"), *theta = json_object_get(measure, "theta_pct");
    const json_t *metric = json_object_get(measure, "metric");
    double percent = json_number_value(theta);
    if (r < 0)
        return r;
    if (theta && !(percent >= 0.01 && percent <= 100))
        return err_set(err, ERR_INVALID, "baton.toml: 'theta_pct' must be a number from 0.01 to 100");
    if (metric && !ab_metric_find(json_string_value(metric), &ret->metric))
        return err_set(err, ERR_INVALID, "baton.toml: 'metric' must be one of those of baton bench --metric");
    ret->has_metric = metric != NULL;
    ret->theta = percent / 100;
    return 0;
}

// Cargo builds a target only with its required features switched on. Adds those of the program that a word names.
static void add_features(const struct cargo_metadata *m, const char *program, json_t *features)
{
    size_t i, k, n;
    json_t *package, *target, *feature;
    json_array_foreach (json_list(m->root, "packages"), i, package) {
        if (json_str(package, "source", NULL)) // of a registry
            continue;
        json_array_foreach (json_list(package, "targets"), k, target) {
            const char *kind = json_string_value(json_array_get(json_list(target, "kind"), 0));
            AUTO_FREE char *name = str_printf("{%s:%s}", kind ? kind : "?", json_str(target, "name", "?"));
            if (!str_eq(name, program))
                continue;
            json_array_foreach (json_list(target, "required-features"), n, feature) {
                AUTO_FREE char *full = str_printf("%s/%s", json_str(package, "name", "?"), json_string_value(feature));
                json_add_str(features, full);
            }
        }
    }
}

static void note_features(const struct cargo_metadata *m, json_t *subjects)
{
    size_t i, k;
    json_t *subject, *word;
    json_array_foreach (subjects, i, subject) {
        json_t *features = json_array();
        json_array_foreach (json_list(subject, "words"), k, word)
            if (json_string_value(word)[0] == '{')
                add_features(m, json_string_value(word), features);
        json_put(subject, "features", features);
    }
}

int subject_find(const struct subject_places *places, const struct cargo_metadata *metadata, const char *bench, json_t **ret,
                 char **ret_why, struct err *err)
{
    json_t *list = json_array();
    int r = 0;
    *ret_why = NULL;
    if (bench && *bench) {
        r = from_caller(places, metadata, bench, list, err);
    } else {
        r = from_baton_toml(places, metadata, list, err);
        if (r == 0 && json_array_size(list) == 0)
            from_cargo_bench(places->files, metadata, &(struct bench_choice){0}, list);
    }
    if (r < 0) {
        json_decref(list);
        return r;
    }
    if (json_array_size(list) == 0)
        *ret_why = str_dup(has_target(metadata, "bin", NULL) || has_target(metadata, "example", NULL)
                               ? "the project has programs, but nothing says with which arguments to run them: give --bench "
                                 "'PROGRAM ARGS', or declare it in baton.toml ([[bench]] name = \"…\" command = \"PROGRAM ARGS\")"
                               : "the project has neither benches with a harness of their own nor programs: give --bench 'CMD'");
    note_features(metadata, list);
    *ret = list;
    return 0;
}

// --- programs ---

// "{bin:wordmill}" -> "bin:wordmill" (owned by the caller), NULL when the word is no placeholder.
static char *placeholder(const char *word)
{
    size_t n = strlen(word);
    if (n < 4 || word[0] != '{' || word[n - 1] != '}' || !strchr(word, ':'))
        return NULL;
    return str_ndup(word + 1, n - 2);
}

json_t *subject_programs(const json_t *subjects)
{
    AUTO_JSON json_t *set = json_object();
    size_t i, k;
    json_t *subject, *word;
    json_array_foreach (subjects, i, subject) {
        json_array_foreach (json_list(subject, "words"), k, word) {
            AUTO_FREE char *name = placeholder(json_string_value(word));
            if (name)
                json_put(set, name, json_true());
        }
    }
    json_t *list = json_array();
    const char *name;
    json_t *value;
    json_object_foreach (set, name, value)
        json_add_str(list, name);
    return list;
}

int subject_argv(const json_t *subject, const json_t *programs, char ***ret, struct err *err)
{
    VEC(char *) argv = {0};
    size_t i;
    json_t *word;
    json_array_foreach (json_list(subject, "words"), i, word) {
        AUTO_FREE char *name = placeholder(json_string_value(word));
        const char *path = name ? json_str(programs, name, NULL) : json_string_value(word);
        if (!path) {
            err_set(err, ERR_NOT_FOUND, "subject '%s' needs the program '%s', which the build did not make",
                    json_str(subject, "name", "?"), name);
            vec_push(&argv, NULL);
            str_list_free(argv.items);
            return -(int)err->code;
        }
        vec_push(&argv, str_dup(path));
    }
    if (str_eq(json_str(subject, "kind", ""), "printed"))
        vec_push(&argv, str_dup(json_str(subject, "id", "")));
    vec_push(&argv, NULL);
    *ret = argv.items;
    return 0;
}

const char **subject_reach(const json_t *subject)
{
    VEC(const char *) list = {0};
    size_t i;
    json_t *path;
    json_array_foreach (json_list(subject, "reach"), i, path)
        vec_push(&list, json_string_value(path));
    vec_push(&list, NULL);
    return list.items;
}

char *subject_features(const json_t *subjects)
{
    AUTO_JSON json_t *seen = json_object();
    struct buf out = BUF_INIT;
    size_t i, k;
    json_t *subject, *feature;
    json_array_foreach (subjects, i, subject) {
        json_array_foreach (json_list(subject, "features"), k, feature) {
            const char *name = json_string_value(feature);
            if (!name || json_object_get(seen, name))
                continue;
            json_put(seen, name, json_true());
            buf_printf(&out, "%s%s", out.len ? "," : "", name);
        }
    }
    char *text = out.len ? buf_steal(&out) : NULL;
    buf_free(&out);
    return text;
}

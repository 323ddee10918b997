#include "profile_table.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum { ENTRIES_MAX = 2000 };

static const struct {
    const char *profile, *key, *words;
} SHIPPED[] = {
#define BOX(profile, key, words) {profile, key, words},
#include "tbl/box_profiles.def"
#undef BOX
};

static const char *const KEYS[] = {"match",   "include", "program", "exec",    "read",      "write", "give",
                                   "network", "pids",    "memory",  "require", "toolchain", "hosts", "config"};

// --- the table and the sites' files ---

static void add(struct profile_table *p, const char *profile, const char *key, const char *words)
{
    vec_push(&p->list,
             (struct profile_entry){.profile = str_dup(profile), .key = str_dup(key), .words = str_dup(words)});
}

static bool known_key(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (str_eq(key, KEYS[i]))
            return true;
    return false;
}

// What a word of a key must be; any other key takes any word.
static const struct {
    const char *key, *words[8]; // NULL-terminated
} VALUES[] = {{"network", {"none", "lo", "host"}},
              {"require", {"full", "landlock", "none"}},
              {"config", {"user", "project"}},
              {"give", {"target", "temporary", "workspace", "cargo", "git", "perf", "inner"}}};

static bool known_profile(const struct profile_table *p, const char *name)
{
    for (size_t i = 0; i < p->list.len; i++)
        if (str_eq(p->list.items[i].profile, name))
            return true;
    return false;
}

static int check_word(const struct profile_table *p, const char *key, const char *word, const char *file, int number,
                      struct err *err)
{
    int64_t n = 0;
    if (str_eq(key, "pids") && (!str_to_i64(word, &n) || n < 1))
        return err_set(err, ERR_PARSE, "%s:%d: pids is '%.40s', expected a number from 1 on", file, number, word);
    if (str_eq(key, "memory") && (!str_to_i64(word, &n) || n < 1 || n > MEMORY_MIB_MOST))
        return err_set(err, ERR_PARSE, "%s:%d: memory is '%.40s', expected a number of MiB", file, number, word);
    if (str_eq(key, "include") && !known_profile(p, word))
        return err_set(err, ERR_PARSE, "%s:%d: there is no profile '%.40s' to include", file, number, word);
    bool path = str_eq(key, "exec") || str_eq(key, "read") || str_eq(key, "write");
    if (path && word[0] != '/')
        return err_set(err, ERR_PARSE, "%s:%d: '%.200s' is no absolute path", file, number, word);
    for (size_t i = 0; i < ARRAY_LEN(VALUES); i++) {
        struct buf expected = BUF_INIT;
        bool known = !str_eq(VALUES[i].key, key);
        for (const char *const *w = VALUES[i].words; *w && !known; w++) {
            known = str_eq(*w, word);
            buf_printf(&expected, "%s%s", expected.len ? ", " : "", *w);
        }
        int r = known ? 0
                      : err_set(err, ERR_PARSE, "%s:%d: %s is '%.40s', expected one of %s", file, number, key, word,
                                buf_str(&expected));
        buf_free(&expected);
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_line(struct profile_table *p, char *line, const char *file, int number, struct err *err)
{
    line[strcspn(line, "#")] = '\0';
    char **words = str_split(line, " \t\r", true, NULL);
    int r = 0;
    size_t first = words[0] && words[1] && str_eq(words[2], "=") ? 3 : 2;
    if (words[0] &&
        (!words[1] || !words[2] || !words[first] || !known_key(words[1]) || strlen(words[0]) >= PROFILE_NAME_MAX))
        r = err_set(err, ERR_PARSE,
                    "%s:%d: expected 'PROFILE KEY WORDS' or 'PROFILE KEY = WORDS' with a key of match, include, "
                    "program, exec, read, write, give, network, pids, memory, require, toolchain, hosts, config",
                    file, number);
    else if (words[0] && p->list.len >= ENTRIES_MAX)
        r = err_set(err, ERR_LIMIT, "%s:%d: more than %d entries", file, number, ENTRIES_MAX);
    for (size_t i = first; words[0] && r == 0 && words[i]; i++)
        r = check_word(p, words[1], words[i], file, number, err);
    if (words[0] && r == 0) {
        struct buf b = BUF_INIT;
        for (size_t i = first; words[i]; i++)
            buf_printf(&b, "%s%s", b.len ? " " : "", words[i]);
        for (size_t i = 0; first == 3 && i < p->list.len; i++)
            if (str_eq(p->list.items[i].profile, words[0]) && str_eq(p->list.items[i].key, words[1]))
                p->list.items[i].replaced = true;
        add(p, words[0], words[1], buf_str(&b));
        p->list.items[p->list.len - 1].site = true;
        buf_free(&b);
    }
    str_list_free(words);
    return r;
}

static int take_text(struct profile_table *p, const char *text, const char *file, struct err *err)
{
    char **lines = str_split(text, "\n", false, NULL);
    int r = 0;
    for (int i = 0; r == 0 && lines[i]; i++)
        r = take_line(p, lines[i], file, i + 1, err);
    str_list_free(lines);
    return r;
}

static int take_file(struct profile_table *p, const char *file, struct err *err)
{
    char *text = NULL;
    if (!file_exists(file))
        return 0;
    int r = file_read(file, PROFILE_SITE_MAX, &text, NULL, err);
    if (r == 0)
        r = take_text(p, text, file, err);
    mem_free(text);
    return r;
}

int profile_table_new(const char *text, const char *name, struct profile_table **ret, struct err *err)
{
    struct profile_table *p = mem_alloc(sizeof(*p));
    for (size_t i = 0; i < ARRAY_LEN(SHIPPED); i++)
        add(p, SHIPPED[i].profile, SHIPPED[i].key, SHIPPED[i].words);
    int r = text ? take_text(p, text, name, err) : 0;
    if (r < 0) {
        profile_table_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

char **profile_table_files(void)
{
    VEC(char *) files = {0};
    char *own = path_user_config("baton/sandbox.profiles");
    vec_push(&files, str_dup("/etc/baton/sandbox.profiles"));
    if (own)
        vec_push(&files, own);
    vec_push(&files, NULL);
    return files.items;
}

int profile_table_load(struct profile_table **ret, struct err *err)
{
    struct profile_table *p = NULL;
    char **files = profile_table_files();
    int r = profile_table_new(NULL, NULL, &p, err);
    for (char **f = files; *f && r == 0; f++)
        r = take_file(p, *f, err);
    str_list_free(files);
    if (r < 0) {
        profile_table_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void profile_table_free(struct profile_table *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->list.len; i++) {
        mem_free(p->list.items[i].profile);
        mem_free(p->list.items[i].key);
        mem_free(p->list.items[i].words);
    }
    vec_free(&p->list);
    mem_free(p);
}

char **profile_table_words(const struct profile_table *p, const char *profile, const char *key)
{
    VEC(char *) all = {0};
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        if (e->replaced || !str_eq(e->profile, profile) || !str_eq(e->key, key))
            continue;
        char **words = str_split(e->words, " ", true, NULL);
        for (char **w = words; *w; w++)
            vec_push(&all, *w);
        mem_free(words);
    }
    vec_push(&all, NULL);
    return all.items;
}

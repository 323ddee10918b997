// Shell lines are understood when every command is one that makes files; anything else is a description in words, of
// which two things matter: links, and that the project holds something that acts when tools run.
#include "policy/setup.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/command.h"
#include "policy/path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *path;
    struct policy_file file;
};

struct setup {
    char *workspace, *acts;
    VEC(struct entry) entries;
    struct policy_fs fs;
    struct policy_file spare;
};

static struct entry *find(const struct setup *s, const char *path)
{
    for (size_t i = 0; i < s->entries.len; i++)
        if (strcmp(s->entries.items[i].path, path) == 0)
            return &s->entries.items[i];
    return NULL;
}

static void look(void *user, const char *path, struct policy_file *ret)
{
    const struct setup *s = user;
    const struct entry *e = find(s, path);
    memset(ret, 0, sizeof(*ret));
    if (e) {
        *ret = e->file;
        return;
    }
    bool parent = path_inside(s->workspace, path) != NULL;
    for (size_t i = 0; i < s->entries.len && !parent; i++)
        parent = path_inside(s->entries.items[i].path, path) != NULL;
    if (parent)
        ret->kind = POLICY_FILE_DIR;
}

static struct policy_file *make(struct setup *s, const char *name, enum policy_file_kind kind)
{
    char path[POLICY_PATH_MAX];
    if (s->entries.len >= SETUP_ENTRIES_MAX || !path_normal(s->workspace, name, path))
        return &s->spare; // what does not fit is dropped
    struct entry *e = find(s, path);
    if (!e) {
        vec_push(&s->entries, (struct entry){str_dup(path), {0}});
        e = &s->entries.items[s->entries.len - 1];
    }
    e->file.kind = kind;
    e->file.links = 1;
    return &e->file;
}

static void make_link(struct setup *s, const char *name, const char *target, bool unstable)
{
    struct policy_file *f = make(s, name, POLICY_FILE_LINK);
    size_t len = strlen(target) < sizeof(f->target) ? strlen(target) : sizeof(f->target) - 1;
    memcpy(f->target, target, len);
    f->target[len] = '\0';
    f->unstable = unstable;
}

static int64_t size_of(const char *text)
{
    char *end = NULL;
    long long n = strtoll(text, &end, 10);
    static const char UNITS[] = "KMGTP";
    const char *unit = *end ? strchr(UNITS, toupper((unsigned char)*end)) : NULL;
    for (const char *u = UNITS; unit && u <= unit && n < INT64_MAX / 1024; u++)
        n *= 1024;
    return n;
}

// The name a command makes in a folder when its destination ends in a slash: cp -r hello crates/
static void make_copy(struct setup *s, const char *from, const char *to)
{
    const char *slash = strrchr(from, '/');
    AUTO_FREE char *name = str_ends(to, "/") ? str_printf("%s%s", to, slash ? slash + 1 : from) : str_dup(to);
    make(s, name, POLICY_FILE_DIR);
}

// The operands of a command, options dropped; at most `max`.
static size_t operands(char *const *argv, const char **ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 1; argv[i] && n < max; i++)
        if (argv[i][0] != '-')
            ret[n++] = argv[i];
    return n;
}

// One shell command. false when it is not one that only makes files.
static bool perform(struct setup *s, const struct stage *stage)
{
    char *const *argv = stage->argv;
    const char *op[8];
    size_t n = operands(argv, op, ARRAY_LEN(op));
    const char *name = argv[0];
    bool writes = strcmp(name, "echo") == 0 || strcmp(name, "printf") == 0 || strcmp(name, "cat") == 0;
    for (size_t i = 0; i < stage->redirect_count; i++)
        if (stage->redirects[i].kind == REDIRECT_WRITE || stage->redirects[i].kind == REDIRECT_APPEND)
            make(s, stage->redirects[i].target, POLICY_FILE_REGULAR);
    if (strcmp(name, "ln") == 0 && n == 2 && argv[1][0] == '-' && strchr(argv[1], 's')) {
        make_link(s, op[1], op[0], false);
    } else if (strcmp(name, "ln") == 0 && n == 2) {
        make(s, op[0], POLICY_FILE_REGULAR)->links = 2;
        make(s, op[1], POLICY_FILE_REGULAR)->links = 2;
    } else if (strcmp(name, "truncate") == 0 && n == 2) {
        make(s, op[1], POLICY_FILE_REGULAR)->size = size_of(op[0]);
    } else if (strcmp(name, "mkfifo") == 0 || strcmp(name, "mknod") == 0) {
        make(s, n > 0 ? op[0] : "fifo", POLICY_FILE_OTHER);
    } else if ((strcmp(name, "cp") == 0 || strcmp(name, "mv") == 0) && n == 2) {
        make_copy(s, op[0], op[1]);
    } else if (strcmp(name, "mkdir") == 0 || strcmp(name, "touch") == 0) {
        for (size_t i = 0; i < n; i++)
            make(s, op[i], name[0] == 'm' ? POLICY_FILE_DIR : POLICY_FILE_REGULAR);
    } else {
        return writes || strcmp(name, "chmod") == 0;
    }
    return true;
}

static bool perform_all(struct setup *s, const char *text)
{
    struct command *c = NULL;
    if (command_parse(text, strlen(text), &c, NULL) < 0)
        return false;
    bool ok = true;
    for (size_t i = 0; i < c->count && ok; i++)
        ok = perform(s, &c->stages[i]);
    command_free(c);
    return ok;
}

static bool is_filler(const char *word)
{
    static const char *const WORDS[] = {"a",        "an",       "the",  "is",        "to",      "by",        "as",
                                        "and",      "with",     "for",  "into",      "becomes", "named",     "called",
                                        "symbolic", "hard",     "loop", "rename",    "renames", "swap",      "swaps",
                                        "swapped",  "replaced", "<->",  "->",        "in",      "workspace", "second",
                                        "name",     "of",       "file", "directory", "folder"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (str_eq_nocase(word, WORDS[i]))
            return true;
    return false;
}

// "target is a symlink to /x", "rename d <-> symlink to /outside", "f is a hard link to /outside/f", "p is a fifo"
static void describe_links(struct setup *s, const char *text)
{
    size_t n = 0;
    char **words = str_split(text, " \t\n,:;", true, &n);
    bool moving = strstr(text, "<->") || str_has_nocase(text, "swap") || str_has_nocase(text, "race") ||
                  str_has_nocase(text, "loop");
    for (size_t i = 0; i < n; i++) {
        bool link = str_has_nocase(words[i], "link"),
             special = str_has_nocase(words[i], "fifo") || str_has_nocase(words[i], "socket");
        bool hard = link && (str_has_nocase(words[i], "hard") || (i > 0 && str_eq_nocase(words[i - 1], "hard")));
        const char *name = NULL, *target = "/outside";
        for (size_t k = i; k-- > 0 && !name;)
            name = is_filler(words[k]) ? NULL : words[k];
        for (size_t k = i + 1; k < n && k < i + 4; k++)
            if (words[k][0] == '/' || str_starts(words[k], "../"))
                target = words[k];
        if (hard && name)
            make(s, name, POLICY_FILE_REGULAR)->links = 2;
        else if (link && name)
            make_link(s, name, target, moving);
        else if (special && name && i > 1 && str_eq_nocase(words[i - 1], "a"))
            make(s, name, POLICY_FILE_OTHER);
    }
    str_list_free(words);
}

static bool has_actor(const char *text)
{
    static const char *const ACTORS[] = {
#define X(word) word,
#include "tbl/policy_actors.def"
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(ACTORS); i++)
        if (str_has_nocase(text, ACTORS[i]))
            return true;
    return false;
}

struct setup *setup_new(const char *workspace, const char *text)
{
    struct setup *s = mem_alloc(sizeof(*s));
    s->workspace = str_dup(workspace);
    s->fs = (struct policy_fs){look, s};
    if (text && *text && strlen(text) <= SETUP_TEXT_MAX && !perform_all(s, text)) {
        describe_links(s, text);
        if (has_actor(text))
            s->acts = str_dup(text);
    }
    return s;
}

void setup_free(struct setup *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->entries.len; i++)
        mem_free(s->entries.items[i].path);
    vec_free(&s->entries);
    mem_free(s->workspace);
    mem_free(s->acts);
    mem_free(s);
}

const struct policy_fs *setup_fs(const struct setup *s)
{
    return &s->fs;
}

const char *setup_project_acts(const struct setup *s)
{
    return s->acts;
}

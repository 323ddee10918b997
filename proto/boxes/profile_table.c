#include "boxes/profile_table.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum { ENTRIES_MAX = 2000 };

enum kind { KIND_PROFILE, KIND_PATH, KIND_CHOICE, KIND_COUNT, KIND_MIB, KIND_PATTERN };

static const struct {
    const char *name;
    enum kind kind;
} KEYS[] = {
#define BOX_KEY(code, name, kind, meaning) {name, KIND_##kind},
#include "tbl/box_keys.def"
};

static const struct {
    enum box_key key;
    const char *word;
} WORDS[] = {
#define BOX_NETWORK(code, word, meaning) {BOX_KEY_NETWORK, word},
#define BOX_REQUIRE(code, word, meaning) {BOX_KEY_REQUIRE, word},
#define BOX_GIVE(code, word, meaning)    {BOX_KEY_GIVE, word},
#define BOX_CONFIG(code, word, meaning)  {BOX_KEY_CONFIG, word},
#include "tbl/box_words.def"
};

static const struct {
    const char *profile, *key, *words;
} SHIPPED[] = {
#define BOX(profile, key, words) {profile, key, words},
#include "tbl/box_profiles.def"
#undef BOX
};

enum {
#define BOX_REQUIRE(code, word, meaning) REQUIRE_##code,
#include "tbl/box_words.def"
};

const char *box_key_name(enum box_key key)
{
    return KEYS[key].name;
}

static bool key_of(const char *name, enum box_key *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        if (str_eq(name, KEYS[i].name)) {
            *ret = (enum box_key)i;
            return true;
        }
    }
    return false;
}

int box_word_index(enum box_key key, const char *word)
{
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        if (WORDS[i].key == key && str_eq(WORDS[i].word, word))
            return n;
        n += WORDS[i].key == key;
    }
    return -1;
}

const char *box_word(enum box_key key, int index)
{
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (WORDS[i].key == key && index-- == 0)
            return WORDS[i].word;
    return "?";
}

// --- the table and the sites' files ---

struct line { // that is being read
    const char *file;
    int number;
};

static const struct profile_entry *find_profile(const struct profile_table *p, const char *name)
{
    for (size_t i = 0; i < p->list.len; i++)
        if (str_eq(p->list.items[i].profile, name))
            return &p->list.items[i];
    return NULL;
}

static int refuse_choice(enum box_key key, const char *word, const struct line *at, struct err *err)
{
    AUTO_BUF struct buf expected = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (WORDS[i].key == key)
            buf_printf(&expected, "%s%s", expected.len ? ", " : "", WORDS[i].word);
    return err_set(err, ERR_PARSE, "%s:%d: %s is '%.40s', expected one of %s", at->file, at->number, KEYS[key].name,
                   word, buf_str(&expected));
}

static int check_word(const struct profile_table *p, enum box_key key, const char *word, const struct line *at,
                      struct err *err)
{
    int64_t n = 0;
    switch (KEYS[key].kind) {
    case KIND_COUNT:
        if (!str_to_i64(word, &n) || n < 1)
            return err_set(err, ERR_PARSE, "%s:%d: %s is '%.40s', expected a number from 1 on", at->file, at->number,
                           KEYS[key].name, word);
        break;
    case KIND_MIB:
        if (!str_to_i64(word, &n) || n < 1 || n > MEMORY_MIB_MOST)
            return err_set(err, ERR_PARSE, "%s:%d: %s is '%.40s', expected a number of MiB", at->file, at->number,
                           KEYS[key].name, word);
        break;
    case KIND_PROFILE:
        if (!find_profile(p, word))
            return err_set(err, ERR_PARSE, "%s:%d: there is no profile '%.40s' to include", at->file, at->number, word);
        break;
    case KIND_PATH:
        if (word[0] != '/')
            return err_set(err, ERR_PARSE, "%s:%d: '%.200s' is no absolute path", at->file, at->number, word);
        break;
    case KIND_CHOICE:
        if (box_word_index(key, word) < 0)
            return refuse_choice(key, word, at, err);
        break;
    case KIND_PATTERN:
        break;
    }
    return 0;
}

static int refuse_line(const struct line *at, struct err *err)
{
    AUTO_BUF struct buf keys = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        buf_printf(&keys, "%s%s", keys.len ? ", " : "", KEYS[i].name);
    return err_set(err, ERR_PARSE, "%s:%d: expected 'PROFILE KEY WORDS' or 'PROFILE KEY = WORDS' with a key of %s",
                   at->file, at->number, buf_str(&keys));
}

static int add(struct profile_table *p, struct profile_entry entry, const char *profile, char *const *words,
               const struct line *at, struct err *err)
{
    AUTO_BUF struct buf b = BUF_INIT;
    int r = 0;
    for (char *const *w = words; *w && r == 0; w++) {
        r = check_word(p, entry.key, *w, at, err);
        buf_printf(&b, "%s%s", b.len ? " " : "", *w);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; entry.replaces && i < p->list.len; i++)
        if (str_eq(p->list.items[i].profile, profile) && p->list.items[i].key == entry.key)
            p->list.items[i].replaced = true;
    entry.profile = str_dup(profile);
    entry.words = buf_steal(&b);
    entry.where = entry.site ? str_printf("%s:%d", at->file, at->number) : NULL;
    vec_push(&p->list, entry);
    return 0;
}

static int take_line(struct profile_table *p, char *text, const struct line *at, bool *ret_includes, struct err *err)
{
    text[strcspn(text, "#")] = '\0';
    char **words = str_split(text, " \t\r", true, NULL);
    struct profile_entry entry = {.site = true};
    int r = 0;
    entry.replaces = words[0] && words[1] && str_eq(words[2], "=");
    size_t first = entry.replaces ? 3 : 2;
    if (words[0] && (!words[1] || !words[2] || !words[first] || !key_of(words[1], &entry.key) ||
                     strlen(words[0]) >= PROFILE_NAME_MAX))
        r = refuse_line(at, err);
    else if (words[0] && p->list.len >= ENTRIES_MAX)
        r = err_set(err, ERR_LIMIT, "%s:%d: more than %d entries", at->file, at->number, ENTRIES_MAX);
    else if (words[0])
        r = add(p, entry, words[0], words + first, at, err);
    *ret_includes = words[0] && entry.key == BOX_KEY_INCLUDE;
    str_list_free(words);
    return r;
}

// --- what is included ---

struct walk { // over a profile and what it includes, each once, as profile.c applies them
    const struct profile_table *p;
    enum box_key key;
    const char *found; // the last word of the key
    bool too_deep;
    VEC(const char *) done;
};

static void walk(struct walk *w, const char *profile, int depth)
{
    for (size_t i = 0; i < w->done.len; i++)
        if (w->done.items[i] == profile)
            return;
    if (depth >= PROFILE_DEPTH_MAX) { // one less than what is applied: a launcher's inner program begins one below
        w->too_deep = true;
        return;
    }
    vec_push(&w->done, profile);
    for (size_t i = 0; i < w->p->list.len; i++) {
        const struct profile_entry *e = &w->p->list.items[i];
        if (e->replaced || e->key != BOX_KEY_INCLUDE || !str_eq(e->profile, profile))
            continue;
        char **words = str_split(e->words, " ", true, NULL);
        for (char **word = words; *word; word++) {
            const struct profile_entry *included = find_profile(w->p, *word);
            if (included)
                walk(w, included->profile, depth + 1);
        }
        str_list_free(words);
    }
    for (size_t i = 0; i < w->p->list.len; i++) {
        const struct profile_entry *e = &w->p->list.items[i];
        const char *last = strrchr(e->words, ' ');
        if (!e->replaced && e->key == w->key && str_eq(e->profile, profile))
            w->found = last ? last + 1 : e->words;
    }
}

const char *profile_table_word(const struct profile_table *p, const char *profile, enum box_key key)
{
    const struct profile_entry *known = find_profile(p, profile);
    struct walk w = {.p = p, .key = key};
    if (known)
        walk(&w, known->profile, 0);
    vec_free(&w.done);
    return w.found;
}

static int check_depth(const struct profile_table *p, const struct line *at, struct err *err)
{
    for (size_t i = 0; i < p->list.len; i++) {
        const char *profile = p->list.items[i].profile;
        struct walk w = {.p = p, .key = BOX_KEY_INCLUDE};
        if (find_profile(p, profile) == &p->list.items[i])
            walk(&w, profile, 0);
        vec_free(&w.done);
        if (w.too_deep)
            return err_set(err, ERR_LIMIT, "%s:%d: with this, profiles include each other more than %d deep from '%s'",
                           at->file, at->number, PROFILE_DEPTH_MAX, profile);
    }
    return 0;
}

// --- what is reached ---

static bool names(const struct profile_entry *e, const char *profile)
{
    size_t len = strlen(profile);
    for (const char *w = e->words; *w; w += strcspn(w, " "), w += *w == ' ')
        if (strcspn(w, " ") == len && strncmp(w, profile, len) == 0)
            return true;
    return false;
}

// Whether a call can ever get it: it ships, a program is matched to it, or another includes it.
static bool is_reached(const struct profile_table *p, const char *profile)
{
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        bool own = str_eq(e->profile, profile);
        if (own && (!e->site || (e->key == BOX_KEY_MATCH && !e->replaced)))
            return true;
        if (!own && e->key == BOX_KEY_INCLUDE && !e->replaced && names(e, profile))
            return true;
    }
    return false;
}

static const char *nearest(const struct profile_table *p, const char *profile)
{
    const char *found = "generic";
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        size_t edits = e->site ? SIZE_MAX : str_edits(profile, e->profile);
        if (edits < least) {
            least = edits;
            found = e->profile;
        }
    }
    return found;
}

// What a misspelt name says would change no box, without a word.
static int check_reached(const struct profile_table *p, struct err *err)
{
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        if (e->site && !is_reached(p, e->profile))
            return err_set(
                err, ERR_PARSE,
                "%s: there is no profile '%s', and nothing includes it or matches a program to it; the nearest "
                "one is '%s'",
                e->where, e->profile, nearest(p, e->profile));
    }
    return 0;
}

static int take_text(struct profile_table *p, const char *text, const char *file, struct err *err)
{
    char **lines = str_split(text, "\n", false, NULL);
    struct line at = {file, 0}, include = {file, 0};
    int r = 0;
    for (int i = 0; r == 0 && lines[i]; i++) {
        bool includes = false;
        at.number = i + 1;
        r = take_line(p, lines[i], &at, &includes, err);
        include.number = includes ? at.number : include.number;
    }
    if (r == 0 && include.number)
        r = check_depth(p, &include, err);
    str_list_free(lines);
    return r;
}

static int take_file(struct profile_table *p, const char *file, struct err *err)
{
    char *text = NULL;
    int r = file_read_if_there(file, PROFILE_SITE_MAX, &text, err);
    if (r == 0 && text)
        r = take_text(p, text, file, err);
    mem_free(text);
    return r;
}

// --- public ---

int profile_table_new(const char *text, const char *name, struct profile_table **ret, struct err *err)
{
    struct profile_table *p = mem_alloc(sizeof(*p));
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(SHIPPED) && r == 0; i++) {
        struct profile_entry entry = {0};
        char **words = str_split(SHIPPED[i].words, " ", true, NULL);
        must(key_of(SHIPPED[i].key, &entry.key));
        r = add(p, entry, SHIPPED[i].profile, words, &(struct line){"box_profiles.def", (int)i + 1}, err);
        str_list_free(words);
    }
    if (r == 0 && text)
        r = take_text(p, text, name, err);
    if (r == 0)
        r = check_reached(p, err);
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
    if (r == 0)
        r = check_reached(p, err);
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
        mem_free(p->list.items[i].words);
        mem_free(p->list.items[i].where);
    }
    vec_free(&p->list);
    mem_free(p);
}

char *profile_table_site_text(const struct profile_table *p)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        if (e->site)
            buf_printf(&b, "%s %s %s%s\n", e->profile, KEYS[e->key].name, e->replaces ? "= " : "", e->words);
    }
    return buf_steal(&b);
}

char *profile_site_text_new(struct err *err)
{
    char **files = profile_table_files();
    struct profile_table *p = NULL;
    bool any = false;
    for (char **f = files; *f; f++)
        any = any || file_is_named(*f);
    str_list_free(files);
    if (!any)
        return str_dup("");
    if (profile_table_load(&p, err) < 0)
        return NULL;
    char *text = profile_table_site_text(p);
    profile_table_free(p);
    return text;
}

char **profile_table_words(const struct profile_table *p, const char *profile, enum box_key key)
{
    VEC(char *) all = {0};
    for (size_t i = 0; i < p->list.len; i++) {
        const struct profile_entry *e = &p->list.items[i];
        if (e->replaced || e->key != key || !str_eq(e->profile, profile))
            continue;
        char **words = str_split(e->words, " ", true, NULL);
        for (char **w = words; *w; w++)
            vec_push(&all, *w);
        mem_free(words);
    }
    vec_push(&all, NULL);
    return all.items;
}

int profile_table_least_require(const struct profile_table *p)
{
    int least = REQUIRE_FULL;
    for (size_t i = 0; i < p->list.len; i++) {
        if (find_profile(p, p->list.items[i].profile) != &p->list.items[i])
            continue;
        const char *word = profile_table_word(p, p->list.items[i].profile, BOX_KEY_REQUIRE);
        int level = word ? box_word_index(BOX_KEY_REQUIRE, word) : REQUIRE_LANDLOCK;
        least = level > least ? level : least; // the later in the list, the less
    }
    return least;
}

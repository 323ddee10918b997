#include "profile.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "environment.h"
#include "program.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { LOCK_MAX = 8 << 20, BASES_MAX = 100 };

static const uint64_t FILE_MAX_BYTES = (uint64_t)64 << 30;

enum gift {
#define BOX_GIVE(code, word, meaning) GIFT_##code,
#include "tbl/box_words.def"
    GIFT_COUNT_
};

struct gifts { // of a profile and those it includes
    bool has[GIFT_COUNT_];
};

struct base { // what a profile means on this host, whatever the call
    char *profile, *path;
    struct plan plan;
    struct gifts gifts;
    char **included; // profiles
};

struct profiles {
    struct profile_table *table;
    VEC(struct base) bases;
};

int profiles_load(const char *site, struct profiles **ret, struct err *err)
{
    struct profile_table *table = NULL;
    int r = site ? profile_table_new(site, "the sandbox.profiles that the run began with", &table, err)
                 : profile_table_load(&table, err);
    if (r < 0)
        return r;
    struct profiles *p = mem_alloc(sizeof(*p));
    p->table = table;
    *ret = p;
    return 0;
}

void profiles_free(struct profiles *p)
{
    if (!p)
        return;
    profile_table_free(p->table);
    for (size_t i = 0; i < p->bases.len; i++) {
        mem_free(p->bases.items[i].profile);
        mem_free(p->bases.items[i].path);
        plan_free(&p->bases.items[i].plan);
        str_list_free(p->bases.items[i].included);
    }
    vec_free(&p->bases);
    mem_free(p);
}

char **profiles_words(const struct profiles *p, const char *profile, enum box_key key)
{
    return profile_table_words(p->table, profile, key);
}

// --- choosing ---

static bool takes_value(const char *option)
{
    static const char *const OPTIONS[] = {"-C",        "-c",          "-Z",          "--config",
                                          "--git-dir", "--work-tree", "--namespace", "--color"};
    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++)
        if (str_eq(option, OPTIONS[i]))
            return true;
    return false;
}

static const char *subcommand(const char *const *argv)
{
    const char *flag = NULL;
    for (size_t i = 1; argv[i]; i++) {
        if (argv[i][0] == '+')
            continue;
        if (argv[i][0] != '-')
            return argv[i];
        flag = flag ? flag : argv[i];
        if (takes_value(argv[i]) && argv[i + 1])
            i++;
    }
    return flag;
}

static const char *match_one(const struct profiles *p, const char *wanted)
{
    const char *found = NULL;
    for (size_t i = 0; i < p->table->list.len; i++) {
        const struct profile_entry *e = &p->table->list.items[i];
        if (e->replaced || e->key != BOX_KEY_MATCH)
            continue;
        char **words = str_split(e->words, " ", true, NULL);
        for (char **w = words; *w; w++)
            found = str_eq(*w, wanted) ? e->profile : found; // a site's word comes later and wins
        str_list_free(words);
    }
    return found;
}

static bool names_foreign_code(const char *lock)
{
    static const char *const CRATES[] = {"cc",      "cmake",     "pkg-config", "bindgen",
                                         "nasm-rs", "autotools", "vcpkg",      "prost-build"};
    for (size_t i = 0; i < ARRAY_LEN(CRATES); i++) {
        AUTO_FREE char *line = str_printf("\nname = \"%s\"\n", CRATES[i]);
        if (strstr(lock, line))
            return true;
    }
    return false;
}

static bool builds_foreign_code(const char *cwd)
{
    AUTO_FREE char *at = str_dup(cwd);
    bool found = false;
    for (bool more = true; more && !found; more = path_up(&at)) {
        AUTO_FREE char *path = path_join(at, "Cargo.lock");
        char *text = NULL;
        if (file_read(path, LOCK_MAX, &text, NULL, NULL) == 0)
            found = names_foreign_code(text);
        mem_free(text);
    }
    return found;
}

static bool in_any(char *const *dirs, const char *path)
{
    for (; dirs && *dirs; dirs++)
        if (path_below(path, *dirs))
            return true;
    return false;
}

static bool is_built(const struct places *s, const char *program)
{
    return in_any(s->built, program) || in_any(s->own, program) ||
           (strstr(program, "/target/") && path_below(program, s->workspace));
}

// Where agents write, a name says nothing: a program of the project that is called "sh" is no shell.
static bool is_installed(const struct box_call *call, const char *program)
{
    const struct places *s = call->places;
    AUTO_FREE char *path = path_join(call->cwd, program);
    AUTO_FREE char *real = path_real(path, NULL);
    return !strchr(program, '/') || !real ||
           !(is_built(s, real) || path_below(real, s->workspace) || path_below(real, s->home) ||
             in_any(s->readonly, real) || in_any(s->writable, real));
}

static const char *choose(const struct profiles *p, const struct box_call *call, const char *const *argv)
{
    if (!is_installed(call, argv[0]))
        return NULL;
    const char *name = path_base(argv[0]), *sub = subcommand(argv);
    AUTO_FREE char *both = str_printf("%s:%s", name, sub ? sub : "");
    const char *found = sub ? match_one(p, both) : NULL;
    if (!found)
        found = match_one(p, name);
    if (!found && str_starts(name, "python"))
        found = "shell";
    if (str_eq(found, "cargo") && builds_foreign_code(call->cwd))
        found = "cargo+cc";
    return found;
}

// A rule that names a script names its interpreter.
static const char *of_script(const struct profiles *p, const char *program)
{
    char line[256] = {0};
    FILE *file = fopen(program, "re");
    bool script = file && fgets(line, sizeof(line), file) && str_starts(line, "#!");
    if (file)
        fclose(file);
    char **words = script ? str_split(line + 2, " \t\r\n", true, NULL) : NULL;
    const char *found = NULL;
    for (char **w = words; w && *w && !found; w++)
        if ((*w)[0] != '-' && !str_eq(path_base(*w), "env"))
            found = str_starts(path_base(*w), "python") ? "shell" : match_one(p, path_base(*w));
    str_list_free(words);
    return found;
}

// --- applying ---

struct applying {
    const struct profiles *profiles;
    const struct box_call *call;
    struct plan *plan;
    VEC(char *) done; // profiles
    struct gifts gifts;
};

static int apply(struct applying *a, const char *profile, int depth, struct err *err);

static void give_paths(struct applying *a, const char *word, unsigned mode)
{
    glob_t found;
    if (word[0] != '/' || glob(word, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        AUTO_FREE char *real = path_real(found.gl_pathv[i], NULL);
        if (!real)
            continue;
        if (!plan_covers(a->plan, real))
            plan_mount(a->plan, mode, real, real);
        plan_allow(a->plan, mode, real);
        if (!str_eq(real, found.gl_pathv[i]) && path_below(found.gl_pathv[i], "/etc"))
            plan_mount(a->plan, mode, found.gl_pathv[i], real);
    }
    globfree(&found);
}

// The table has checked every word.
static int64_t number_of(const char *word)
{
    int64_t n = 0;
    must(str_to_i64(word, &n) && n > 0);
    return n;
}

static int take_word(struct applying *a, enum box_key key, const char *word, int depth, struct err *err)
{
    struct plan *plan = a->plan;
    int choice = box_word_index(key, word);
    uint64_t n = 0;
    switch (key) {
    case BOX_KEY_INCLUDE:
        return apply(a, word, depth + 1, err);
    case BOX_KEY_PROGRAM:
        program_give_named(plan, a->call->pins, a->call->environment, word);
        break;
    case BOX_KEY_EXEC:
        give_paths(a, word, BOX_READ | BOX_EXEC);
        break;
    case BOX_KEY_READ:
        give_paths(a, word, BOX_READ | BOX_MAP);
        break;
    case BOX_KEY_WRITE:
        give_paths(a, word, BOX_READ | BOX_WRITE);
        break;
    case BOX_KEY_GIVE:
        a->gifts.has[choice] = true;
        plan->perf = plan->perf || choice == GIFT_PERF;
        break;
    case BOX_KEY_NETWORK:
        plan->net = (enum box_net)choice;
        break;
    case BOX_KEY_REQUIRE:
        plan->require = (enum box_require)choice;
        break;
    case BOX_KEY_PIDS:
        n = (uint64_t)number_of(word);
        plan->pids_max = n > plan->pids_max ? n : plan->pids_max;
        break;
    case BOX_KEY_MEMORY:
        n = (uint64_t)number_of(word) << 20;
        plan->memory_max = plan->memory_max && plan->memory_max < n ? plan->memory_max : n;
        break;
    case BOX_KEY_MATCH: // chosen by; what follows is asked for where it counts
    case BOX_KEY_TOOLCHAIN:
    case BOX_KEY_HOSTS:
    case BOX_KEY_CONFIG:
    case BOX_KEY_COUNT_:
        break;
    }
    return 0;
}

static int apply(struct applying *a, const char *profile, int depth, struct err *err)
{
    for (size_t i = 0; i < a->done.len; i++)
        if (str_eq(a->done.items[i], profile))
            return 0;
    if (depth > PROFILE_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "profiles include each other more than %d deep at '%s'", PROFILE_DEPTH_MAX,
                       profile);
    vec_push(&a->done, str_dup(profile));
    int r = 0;
    for (enum box_key key = 0; key < BOX_KEY_COUNT_; key++) {
        for (size_t i = 0; r == 0 && i < a->profiles->table->list.len; i++) {
            const struct profile_entry *e = &a->profiles->table->list.items[i];
            if (e->replaced || e->key != key || !str_eq(e->profile, profile))
                continue;
            char **words = str_split(e->words, " ", true, NULL);
            for (char **w = words; *w && r == 0; w++)
                r = take_word(a, key, *w, depth, err);
            str_list_free(words);
        }
    }
    return r;
}

static char *find_inner(const struct box_call *call, const char *word)
{
    const char *path = environment_get(call->environment, "PATH");
    char *program = strchr(word, '/') ? path_join(call->cwd, word) : str_dup(pins_find(call->pins, path, word));
    if (program && file_exists(program))
        return program;
    mem_free(program);
    return NULL;
}

// The program that a launcher starts: the first word that names one with a profile, or one that can be found. It is
// given when a rule allows it as well.
static int apply_inner(struct applying *a, const char *const *argv, struct err *err)
{
    for (size_t i = 1; argv[i]; i++) {
        if (argv[i][0] == '-' || argv[i][0] == '\0')
            continue;
        const char *profile = choose(a->profiles, a->call, argv + i);
        AUTO_FREE char *program = find_inner(a->call, argv[i]);
        if (!profile && !program)
            continue;
        if (!profile && !is_built(a->call->places, program))
            profile = of_script(a->profiles, program);
        int r = 0;
        if (!a->call->may(a->call->user, argv + i))
            return 0;
        if (profile)
            r = apply(a, profile, 1, err);
        if (r == 0 && program)
            program_give(a->plan, a->call->pins, a->call->environment, program);
        return r;
    }
    return 0;
}

// /bin and /lib are links into /usr on most hosts; where they are folders, they are shown like /usr/lib.
static void give_roots(struct plan *plan)
{
    static const char *const ROOTS[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    for (size_t i = 0; i < ARRAY_LEN(ROOTS); i++) {
        char target[256];
        ssize_t n = readlink(ROOTS[i], target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            plan_link(plan, ROOTS[i], target);
        } else if (str_starts(ROOTS[i], "/lib")) {
            plan_give(plan, BOX_READ | BOX_MAP, ROOTS[i], ROOTS[i]);
        }
    }
}

static uint64_t memory_limit(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / 10 * 9 : 0;
}

static int give_places(struct applying *a, struct err *err)
{
    const struct box_call *c = a->call;
    places_private(c->places, a->gifts.has[GIFT_TEMPORARY], a->plan);
    places_give(c->places, c->cwd, c->environment, a->gifts.has[GIFT_TARGET], a->gifts.has[GIFT_WORKSPACE], a->plan);
    places_git(c->places, c->cwd, a->gifts.has[GIFT_GIT], a->plan);
    return a->gifts.has[GIFT_CARGO] ? places_cargo(c->places, c->pins, c->environment, c->fetching, a->plan, err) : 0;
}

static const struct base *find_base(const struct profiles *p, const char *profile, const char *path)
{
    for (size_t i = 0; i < p->bases.len; i++)
        if (str_eq(p->bases.items[i].profile, profile) && str_eq(p->bases.items[i].path, path))
            return &p->bases.items[i];
    return NULL;
}

// The plan of the profile without anything of the call, remembered.
static int apply_base(struct applying *a, struct profiles *p, const char *profile, struct err *err)
{
    const char *path = environment_get(a->call->environment, "PATH");
    const struct base *known = find_base(p, profile, path ? path : "");
    if (known) {
        plan_copy(&known->plan, a->plan);
        a->gifts = known->gifts;
        for (char **name = known->included; *name; name++)
            vec_push(&a->done, str_dup(*name));
        return 0;
    }
    give_roots(a->plan);
    int r = apply(a, profile, 0, err);
    if (r < 0 || p->bases.len == BASES_MAX)
        return r;
    struct base base = {.profile = str_dup(profile), .path = str_dup(path ? path : ""), .gifts = a->gifts};
    VEC(char *) included = {0};
    for (size_t i = 0; i < a->done.len; i++)
        vec_push(&included, str_dup(a->done.items[i]));
    vec_push(&included, NULL);
    base.included = included.items;
    plan_copy(a->plan, &base.plan);
    vec_push(&p->bases, base);
    return 0;
}

// What is said of the agent narrows what the profile has. It widens the loopback, but not a profile without network.
static void take_network(const struct box_call *call, struct plan *plan)
{
    if (call->fetching || call->network == EXEC_NETWORK_OF_PROFILE)
        return;
    enum box_net wanted = (enum box_net)(call->network - EXEC_NETWORK_NONE);
    if (wanted < plan->net || plan->net == BOX_NET_LO)
        plan->net = wanted;
}

// The profile of one command whose program was found.
static const char *profile_of(const struct profiles *p, const struct box_call *call, const char *const *argv,
                              const char *program)
{
    const char *name = choose(p, call, argv);
    bool built = is_built(call->places, program);
    if (!name && !built)
        name = of_script(p, program);
    return name ? name : built ? "built" : "generic";
}

// What is started beside argv may be another program: it needs its own profile, and to be shown. first: the profile of
// argv.
static int apply_also(struct applying *a, const char *first, struct err *err)
{
    int r = 0;
    for (const char *const *const *also = a->call->also; also && *also && r == 0; also++) {
        const char *const *argv = *also;
        AUTO_FREE char *program = find_inner(a->call, argv[0]);
        if (!program)
            return err_set(err, ERR_NOT_FOUND, "there is no program '%s'", argv[0]);
        const char *profile = profile_of(a->profiles, a->call, argv, program);
        bool inner = a->gifts.has[GIFT_INNER];
        a->gifts.has[GIFT_INNER] = inner && str_eq(profile, first);
        r = apply(a, profile, 0, err);
        if (r == 0 && a->gifts.has[GIFT_INNER])
            r = apply_inner(a, argv, err);
        a->gifts.has[GIFT_INNER] = a->gifts.has[GIFT_INNER] || inner;
        if (r == 0)
            program_give(a->plan, a->call->pins, a->call->environment, program);
    }
    return r;
}

int profile_plan(struct profiles *p, const struct box_call *call, struct plan *plan, char ret_name[PROFILE_NAME_MAX],
                 struct err *err)
{
    struct applying a = {.profiles = p, .call = call, .plan = plan};
    const char *name = call->fetching ? "fetch" : profile_of(p, call, call->argv, call->program);
    *plan = (struct plan){
        .net = BOX_NET_LO, .require = BOX_REQUIRE_LANDLOCK, .memory_max = memory_limit(), .file_max = FILE_MAX_BYTES};
    int r = apply_base(&a, p, name, err);
    if (r == 0 && a.gifts.has[GIFT_INNER])
        r = apply_inner(&a, call->argv, err);
    if (r == 0 && call->also && !call->fetching)
        r = apply_also(&a, name, err);
    if (r == 0)
        r = give_places(&a, err);
    if (r == 0)
        program_give(plan, call->pins, call->environment, call->program);
    take_network(call, plan);
    if (plan->net == BOX_NET_HOST)
        give_paths(&a, "/etc/resolv.conf", BOX_READ);
    for (size_t i = 0; i < a.done.len; i++)
        mem_free(a.done.items[i]);
    vec_free(&a.done);
    size_t len = strlen(name);
    memcpy(ret_name, name, len + 1);
    return r;
}

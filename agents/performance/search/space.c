#include "search/space.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "change/change.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PARENTS_MAX 3 // of the second rung
#define STRIDE      7 // coprime to the sizes of the grids: every beginning covers all values

static json_t *point_new(size_t id, const char *profile)
{
    char name[24];
    json_t *p = json_object();
    snprintf(name, sizeof(name), "P%zu", id);
    json_put_str(p, "id", name);
    json_put_str(p, "profile", profile);
    json_put(p, "set", json_object());
    return p;
}

static const char *profile_of(const struct goal *goal)
{
    return str_eq(goal_name(goal), "build") ? "dev" : "release";
}

// --- the first rung ---

static void add_release_grid(const struct goal *goal, json_t *list)
{
    static const char *const SPEED[] = {"3", "2", "\"s\""}, *const SMALL[] = {"\"z\"", "\"s\"", "3"};
    static const char *const LTO[] = {"\"fat\"", "\"thin\"", "\"off\""}, *const UNITS[] = {"1", "16"};
    const char *const *levels = str_eq(goal_name(goal), "size") ? SMALL : SPEED;
    size_t n = ARRAY_LEN(SPEED) * ARRAY_LEN(LTO) * ARRAY_LEN(UNITS);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * STRIDE % n;
        json_t *p = point_new(json_array_size(list), "release");
        json_put_str(json_obj(p, "set"), "opt-level", levels[at % ARRAY_LEN(SPEED)]);
        json_put_str(json_obj(p, "set"), "lto", LTO[at / ARRAY_LEN(SPEED) % ARRAY_LEN(LTO)]);
        json_put_str(json_obj(p, "set"), "codegen-units", UNITS[at / (ARRAY_LEN(SPEED) * ARRAY_LEN(LTO))]);
        json_array_append_new(list, p);
    }
}

// debug NULL: as it is.
static void add_dev(json_t *list, const char *debug, const char *linker)
{
    json_t *p = point_new(json_array_size(list), "dev");
    if (debug)
        json_put_str(json_obj(p, "set"), "debug", debug);
    if (linker)
        json_put_str(p, "linker", linker);
    json_array_append_new(list, p);
}

static void add_dev_grid(const struct space_facts *facts, json_t *list)
{
    static const char *const DEBUG[] = {"\"line-tables-only\"", "0", NULL};
    const char *const linkers[] = {NULL, facts->mold ? "mold" : NULL, facts->lld ? "lld" : NULL};
    for (size_t l = 0; l < ARRAY_LEN(linkers); l++)
        for (size_t d = 0; d < ARRAY_LEN(DEBUG); d++)
            if ((l == 0 && DEBUG[d]) || linkers[l])
                add_dev(list, DEBUG[d], linkers[l]);
}

json_t *space_first_new(const struct goal *goal, const struct space_facts *facts)
{
    json_t *list = json_array();
    json_array_append_new(list, point_new(0, profile_of(goal)));
    if (str_eq(profile_of(goal), "dev"))
        add_dev_grid(facts, list);
    else
        add_release_grid(goal, list);
    return list;
}

// --- the second rung ---

static json_t *child_new(const json_t *parent, size_t id)
{
    static const char *const KEYS[] = {"cpu", "linker", "toolchain", "threads", "backend", "wrapper"};
    json_t *p = point_new(id, json_str(parent, "profile", "release"));
    json_put(p, "set", json_deep_copy(json_obj(parent, "set")));
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (json_object_get(parent, KEYS[i]))
            json_put(p, KEYS[i], json_incref(json_object_get(parent, KEYS[i])));
    return p;
}

struct crossing {
    json_t *list;
    const json_t *parent;
    size_t first;
};

static json_t *cross(const struct crossing *c)
{
    json_t *p = child_new(c->parent, c->first + json_array_size(c->list));
    json_array_append_new(c->list, p);
    return p;
}

static void cross_set(const struct crossing *c, const char *key, const char *setting)
{
    if (!json_object_get(json_obj(c->parent, "set"), key))
        json_put_str(json_obj(cross(c), "set"), key, setting);
}

static void cross_release(const struct goal *goal, const struct crossing *c)
{
    if (!str_eq(goal_name(goal), "runtime"))
        cross_set(c, "strip", "\"symbols\"");
    cross_set(c, "panic", "\"abort\"");
    if (!str_eq(goal_name(goal), "size"))
        json_put_str(cross(c), "cpu", "native");
}

static void cross_dev(const struct space_facts *facts, const struct crossing *c)
{
    cross_set(c, "incremental", "false");
    cross_set(c, "codegen-units", "16");
    if (facts->sccache) // it caches nothing that is incremental
        json_put_str(cross(c), "wrapper", "sccache");
    if (facts->nightly) {
        json_t *p = cross(c);
        json_put_str(p, "toolchain", "nightly");
        json_put_int(p, "threads", 8);
    }
    if (facts->nightly && facts->cranelift) {
        json_t *p = cross(c);
        json_put_str(p, "toolchain", "nightly");
        json_put_str(p, "backend", "cranelift");
    }
}

json_t *space_crossed_new(const struct goal *goal, const struct space_facts *facts, const json_t *survivors,
                          size_t first_id)
{
    struct crossing c = {.list = json_array(), .first = first_id};
    size_t i;
    json_t *parent;
    json_array_foreach (survivors, i, parent) {
        c.parent = parent;
        if (i == PARENTS_MAX)
            break;
        if (str_eq(profile_of(goal), "dev"))
            cross_dev(facts, &c);
        else
            cross_release(goal, &c);
    }
    return c.list;
}

// --- what a point means ---

const char *space_consent(const json_t *point)
{
    const json_t *set = json_obj(point, "set");
    if (json_str(point, "toolchain", NULL))
        return "toolchain";
    if (json_str(point, "cpu", NULL))
        return "native";
    if (str_eq(json_str(set, "panic", ""), "\"abort\""))
        return "abort";
    return str_eq(json_str(set, "debug", ""), "0") ? "debug" : NULL;
}

static void add_word(struct buf *b, const char *key, const char *word)
{
    buf_printf(b, "%s%s = %s", b->len ? ", " : "", key, word);
}

char *space_title_new(const json_t *point)
{
    static const char *const KEYS[][2] = {{"cpu", "target-cpu"},
                                          {"linker", "linker"},
                                          {"toolchain", "toolchain"},
                                          {"backend", "backend"},
                                          {"wrapper", "rustc-wrapper"}};
    AUTO_BUF struct buf b = BUF_INIT;
    const char *key;
    json_t *v;
    json_object_foreach (json_obj(point, "set"), key, v)
        add_word(&b, key, json_string_value(v));
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (json_str(point, KEYS[i][0], NULL))
            add_word(&b, KEYS[i][1], json_str(point, KEYS[i][0], ""));
    if (json_int(point, "threads", 0))
        buf_printf(&b, ", front end with %lld threads", (long long)json_int(point, "threads", 0));
    return b.len ? buf_steal(&b) : str_dup("as it is");
}

// CARGO_PROFILE_RELEASE_OPT_LEVEL=3; TOML's quotes are none of the variable.
static char *variable_new(const char *profile, const char *key, const char *setting)
{
    size_t n = strlen(setting);
    bool quoted = n >= 2 && setting[0] == '"';
    char *text = str_printf("CARGO_PROFILE_%s_%s=%.*s", profile, key, (int)(quoted ? n - 2 : n), setting + quoted);
    for (char *c = text; *c != '='; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return text;
}

char **space_env_new(const json_t *point)
{
    VEC(char *) env = {0};
    AUTO_BUF struct buf flags = BUF_INIT;
    const char *key, *linker = json_str(point, "linker", NULL), *wrapper = json_str(point, "wrapper", NULL);
    json_t *v;
    json_object_foreach (json_obj(point, "set"), key, v)
        vec_push(&env, variable_new(json_str(point, "profile", "release"), key, json_string_value(v)));
    if (json_str(point, "cpu", NULL))
        buf_printf(&flags, " -Ctarget-cpu=%s", json_str(point, "cpu", ""));
    if (linker)
        buf_printf(&flags, " -Clink-arg=-fuse-ld=%s", linker);
    if (json_int(point, "threads", 0))
        buf_printf(&flags, " -Zthreads=%lld", (long long)json_int(point, "threads", 0));
    if (json_str(point, "backend", NULL))
        buf_printf(&flags, " -Zcodegen-backend=%s", json_str(point, "backend", ""));
    if (flags.len)
        vec_push(&env, str_printf("CARGO_BUILD_RUSTFLAGS=%s", buf_str(&flags) + 1));
    if (wrapper)
        vec_push(&env, str_printf("CARGO_BUILD_RUSTC_WRAPPER=%s", wrapper));
    if (wrapper)
        vec_push(&env, str_dup("CARGO_INCREMENTAL=0"));
    if (json_str(point, "toolchain", NULL))
        vec_push(&env, str_printf("RUSTUP_TOOLCHAIN=%s", json_str(point, "toolchain", "")));
    vec_push(&env, NULL);
    return env.items;
}

static void add_set(json_t *candidate, const char *file, const char *const *path, const char *setting)
{
    json_t *set = json_object(), *keys = json_array();
    for (; *path; path++)
        json_add_str(keys, *path);
    json_put_str(set, "file", file);
    json_put(set, "path", keys);
    json_put_str(set, "value", setting);
    json_array_append_new(json_list(candidate, "set"), set);
}

json_t *space_candidate_new(const struct goal *goal, const json_t *point, const struct space_facts *facts,
                            const char *manifest, const char *config)
{
    AUTO_FREE char *title = space_title_new(point);
    AUTO_FREE char *why = str_printf("The best point of a joint search for %s.", goal_name(goal));
    const char *profile = json_str(point, "profile", "release"), *linker = json_str(point, "linker", NULL), *key;
    bool dev = str_eq(profile, "dev");
    json_t *c = json_object(), *evidence = json_object(), *v;
    json_put_str(c, "id", json_str(point, "id", "P"));
    json_put_str(c, "kind", dev ? "build" : "profile");
    json_put_str(c, "scope", dev ? "build" : "runtime");
    json_put_str(c, "title", title);
    json_put_str(c, "why", why);
    json_put_str(evidence, "measure", "clean");
    json_put(c, "evidence", evidence);
    json_put(c, "set", json_array());
    json_object_foreach (json_obj(point, "set"), key, v)
        add_set(c, manifest, (const char *const[]){"profile", profile, key, NULL}, json_string_value(v));
    if (linker)
        add_set(c, config, (const char *const[]){"target", facts->target, "rustflags", NULL},
                str_eq(linker, "mold") ? CHANGE_LINKER : CHANGE_LINKER_LLD);
    if (json_str(point, "cpu", NULL))
        add_set(c, config, (const char *const[]){"target", facts->target, "rustflags", NULL}, CHANGE_NATIVE);
    if (json_str(point, "wrapper", NULL))
        add_set(c, config, (const char *const[]){"build", "rustc-wrapper", NULL}, CHANGE_WRAPPER);
    return c;
}

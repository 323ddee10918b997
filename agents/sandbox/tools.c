#include "tools.h"

#include "environment.h"
#include "lookup.h"
#include "profile.h"
#include "trust.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"

#include <string.h>
#include <unistd.h>

static json_t *files_json(void)
{
    json_t *list = json_array();
    char **files = profile_table_files();
    for (char **f = files; *f; f++) {
        json_t *one = json_object();
        json_put_str(one, "path", *f);
        json_put_flag(one, "present", file_exists(*f));
        json_array_append_new(list, one);
    }
    str_list_free(files);
    return list;
}

// --- profiles ---

static bool changed(const struct profile_table *table, const char *profile)
{
    for (size_t i = 0; i < table->list.len; i++)
        if (str_eq(table->list.items[i].profile, profile) && table->list.items[i].site)
            return true;
    return false;
}

static json_t *words_json(const struct profile_table *table, const char *profile, enum box_key key)
{
    json_t *list = json_array();
    char **words = profile_table_words(table, profile, key);
    for (char **w = words; *w; w++)
        json_array_append_new(list, json_text_new(*w, strlen(*w)));
    str_list_free(words);
    return list;
}

static json_t *profiles_json(const struct profile_table *table)
{
    json_t *list = json_array();
    AUTO_JSON json_t *seen = json_object();
    for (size_t i = 0; i < table->list.len; i++) {
        const char *name = table->list.items[i].profile;
        if (json_object_get(seen, name))
            continue;
        const char *network = profile_table_word(table, name, BOX_KEY_NETWORK);
        json_t *one = json_object();
        json_put_flag(seen, name, true);
        json_put(one, "profile", json_text_new(name, strlen(name)));
        json_put(one, "match", words_json(table, name, BOX_KEY_MATCH));
        json_put_str(one, "network", network ? network : "lo");
        json_put_flag(one, "changed", changed(table, name));
        json_array_append_new(list, one);
    }
    return list;
}

// --- programs ---

struct seeker {
    struct pins *pins;
    struct lookup_call call;
    json_t *seen, *found;
};

static void seek(struct seeker *s, const char *name)
{
    const char *argv[] = {name, NULL};
    struct lookup found;
    struct err err;
    if (strchr(name, ':') || json_object_get(s->seen, name))
        return;
    json_put_flag(s->seen, name, true);
    s->call.argv = argv;
    int r = lookup_program(s->pins, &s->call, &found, &err);
    json_t *one = r == 0 && found.record ? json_copy(found.record) : json_object();
    json_put(one, "name", json_text_new(name, strlen(name)));
    if (r < 0)
        json_put(one, "problem", json_text_new(err.text, strlen(err.text)));
    if (r == 0 || pins_find(s->pins, s->call.path, name)) // what is not installed is not listed
        json_array_append(s->found, one);
    json_decref(one);
    lookup_free(&found);
}

static void put_programs(const struct profile_table *table, json_t *out)
{
    static const char NOWHERE[] = "/nonexistent";
    char *const none[] = {NULL};
    char **environment = environment_new(NOWHERE, NULL),
         **toolchains = profile_table_words(table, "cargo-read", BOX_KEY_TOOLCHAIN);
    struct policy *policy = policy_new("doctor");
    struct pins *pins = pins_new(none);
    struct trust *trust = trust_new(pins, policy);
    const struct policy_context context = {.workspace = NOWHERE, .cwd = NOWHERE, .fs = policy_real_fs()};
    AUTO_FREE char *cwd = getcwd(NULL, 0);
    const char *path = trust_path(trust, &context, environment_get(environment, "PATH"));
    struct seeker s = {.pins = pins, .seen = json_object(), .found = json_array()};
    s.call = (struct lookup_call){.cwd = cwd ? cwd : "/",
                                  .path = path,
                                  .rustup_home = environment_get(environment, "RUSTUP_HOME"),
                                  .rustup_toolchain = environment_get(environment, "RUSTUP_TOOLCHAIN"),
                                  .toolchains = toolchains};
    for (size_t i = 0; i < table->list.len; i++) {
        char **words =
            table->list.items[i].key == BOX_KEY_MATCH ? str_split(table->list.items[i].words, " ", true, NULL) : NULL;
        for (char **w = words; w && *w; w++)
            seek(&s, *w);
        str_list_free(words);
    }
    json_put(out, "search", json_text_new(path, strlen(path)));
    json_put(out, "not_searched", json_text_new(trust_left_out(trust), strlen(trust_left_out(trust))));
    json_put(out, "programs", s.found);
    json_decref(s.seen);
    trust_free(trust);
    pins_free(pins);
    policy_free(policy);
    str_list_free(toolchains);
    str_list_free(environment);
}

int tools_new(json_t **ret, struct err *err)
{
    struct profile_table *table = NULL;
    int r = profile_table_load(&table, err);
    if (r < 0)
        return r;
    json_t *out = json_object();
    json_put(out, "site_files", files_json());
    json_put(out, "profiles", profiles_json(table));
    put_programs(table, out);
    profile_table_free(table);
    *ret = out;
    return 0;
}

#include "fetch_hosts.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"
#include "json/json.h"

#include <dirent.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 12, FILES_MAX = 2000, VALUE_DEPTH_MAX = TOML_DEPTH_MAX };

struct search {
    char *const *hosts;
    int files;
};

char *fetch_hosts_of(const char *source)
{
    static const char INDEX[] = "github.com/rust-lang/crates.io-index"; // how a lock file names the default registry
    const char *at = strstr(source, "://");
    bool url = at != NULL;
    at = url ? at + 3 : source;
    if (url && str_starts(source, "file:"))
        return str_dup("");
    if (url && str_starts(at, INDEX) && strchr("/?#", at[sizeof(INDEX) - 1]))
        return str_dup("default");
    size_t end = strcspn(at, "/?#");
    for (size_t i = 0; i < end; i++)
        if (at[i] == '@') {
            at += i + 1;
            end -= i + 1;
            i = (size_t)-1;
        }
    if (!url && !memchr(at, ':', end)) // neither a URL nor host:path: a folder
        return str_dup("");
    const char *bracket = at[0] == '[' ? memchr(at, ']', end) : NULL;
    const char *colon = bracket ? NULL : memchr(at, ':', end);
    return bracket ? str_ndup(at, (size_t)(bracket - at) + 1) : str_ndup(at, colon ? (size_t)(colon - at) : end);
}

static int check_source(const struct search *s, const char *file, const char *source, struct err *err)
{
    AUTO_FREE char *host = fetch_hosts_of(source);
    if (!*host || str_eq(host, "default"))
        return 0;
    for (char *const *p = s->hosts; *p; p++)
        if (fnmatch(*p, host, FNM_CASEFOLD) == 0)
            return 0;
    return err_set(err, ERR_DENIED,
                   "'%s' names '%.200s', and this site lets dependencies come from its listed hosts only (key hosts of "
                   "the profile fetch in sandbox.profiles)",
                   file, source);
}

static int check_value(const struct search *s, const char *file, const json_t *value, int depth, struct err *err)
{
    static const char *const KEYS[] = {"git", "registry-index", "source"};
    const char *key;
    json_t *member;
    size_t at;
    int r = 0;
    if (depth > VALUE_DEPTH_MAX)
        return err_set(err, ERR_DENIED, "'%s' is nested too deeply to tell which hosts it names", file);
    json_array_foreach (value, at, member)
        if (r == 0)
            r = check_value(s, file, member, depth + 1, err);
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        for (size_t i = 0; i < ARRAY_LEN(KEYS) && r == 0; i++)
            if (str_eq(key, KEYS[i]) && json_is_string(member))
                r = check_source(s, file, json_string_value(member), err);
        if (r == 0)
            r = check_value(s, file, member, depth + 1, err);
    }
    return r;
}

static int check_file(struct search *s, const char *file, struct err *err)
{
    if (++s->files > FILES_MAX)
        return err_set(err, ERR_DENIED, "there are more than %d manifests: which hosts they name cannot be told",
                       FILES_MAX);
    AUTO_JSON json_t *toml = toml_read_file_new(file, err);
    return toml ? check_value(s, file, toml, 0, err)
                : err_set(err, ERR_DENIED, "'%s' cannot be read, so it cannot be told which hosts it names", file);
}

static int check_folder(struct search *s, const char *dir, int depth, struct err *err)
{
    DIR *d = depth > DEPTH_MAX ? NULL : opendir(dir);
    struct dirent *e;
    int r = 0;
    while (d && r == 0 && (e = readdir(d)) != NULL) {
        struct stat st;
        AUTO_FREE char *path = path_join(dir, e->d_name);
        if (e->d_name[0] == '.' || str_eq(e->d_name, "target") || lstat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            r = check_folder(s, path, depth + 1, err);
        else if (str_eq(e->d_name, "Cargo.toml") || str_eq(e->d_name, "Cargo.lock"))
            r = check_file(s, path, err);
    }
    if (d)
        closedir(d);
    return r;
}

int fetch_hosts_check(const char *root, char *const *hosts, struct err *err)
{
    struct search s = {.hosts = hosts};
    for (char *const *p = hosts; *p; p++)
        if (str_eq(*p, "*"))
            return 0;
    return check_folder(&s, root, 0, err);
}

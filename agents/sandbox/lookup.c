#include "lookup.h"

#include "toolchain.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SCRIPT_MAX = 4096 };

void lookup_free(struct lookup *l)
{
    mem_free(l->program);
    mem_free((void *)(uintptr_t)l->argv);
    mem_free(l->toolchain);
    json_decref(l->record);
    *l = (struct lookup){0};
}

static char *runnable(char *path_consumed)
{
    if (access(path_consumed, X_OK) == 0 && !file_is_dir(path_consumed))
        return path_consumed;
    mem_free(path_consumed);
    return NULL;
}

static int not_installed(const struct lookup_call *call, struct err *err)
{
    bool more = call->left_out && *call->left_out;
    return err_set(err, ERR_NOT_FOUND, "the program '%s' is not installed (PATH is %s)%s%s", call->argv[0], call->path,
                   more ? "; not searched, because the agent could change what lies there: " : "",
                   more ? call->left_out : "");
}

// --- scripts ---

// Beginning of the file, "" when it is no script.
static void script_text(const char *path, char ret[SCRIPT_MAX + 1])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, SCRIPT_MAX);
    if (fd >= 0)
        close(fd);
    ret[n > 0 ? n : 0] = '\0';
    if (!str_starts(ret, "#!"))
        ret[0] = '\0';
}

// The interpreter; for `#!/usr/bin/env NAME` what NAME means.
static char *interpreter(struct pins *pins, const struct lookup_call *call, const char *text)
{
    AUTO_FREE char *line = str_ndup(text + 2, strcspn(text + 2, "\n"));
    char **words = str_split(line, " \t\r", true, NULL);
    char *found = NULL;
    if (words[0] && str_eq(path_base(words[0]), "env")) {
        const char *name = words[1] && !str_eq(words[1], "-S") ? words[1] : words[1] ? words[2] : NULL;
        found = str_dup(name ? pins_find(pins, call->path, name) : NULL);
    } else if (words[0] && words[0][0] == '/') {
        found = str_dup(words[0]);
    }
    str_list_free(words);
    return found;
}

static void record_next(struct pins *pins, json_t *list, const char *path)
{
    AUTO_FREE char *real = path ? path_real(path, NULL) : NULL;
    const struct pin *pin = NULL;
    if (!real || pins_changeable(pins, real) || pins_hash(pins, real, &pin, NULL) < 0)
        return;
    json_t *entry = json_object();
    json_put(entry, "path", json_text_new(real, strlen(real)));
    json_put_str(entry, "hash", pin->hash);
    json_array_append_new(list, entry);
}

// The binary that a wrapper (`exec $0.bin`) ends with, as Debian installs valgrind: the wrapper is not needed, and the
// shell that it would take would be there for everybody in the box.
static char *behind_wrapper(char *path_consumed)
{
    char text[SCRIPT_MAX + 1];
    AUTO_FREE char *real = path_real(path_consumed, NULL);
    script_text(real ? real : path_consumed, text);
    if (!real || (!strstr(text, "exec $0.bin") && !strstr(text, "exec \"$0.bin\"")))
        return path_consumed;
    char *binary = runnable(str_printf("%s.bin", real));
    if (!binary)
        return path_consumed;
    mem_free(path_consumed);
    return binary;
}

// What a script leads to: its interpreter.
static void record_script(struct pins *pins, const struct lookup_call *call, const char *file, json_t *record)
{
    char text[SCRIPT_MAX + 1];
    script_text(file, text);
    if (!*text)
        return;
    json_t *list = json_array();
    AUTO_FREE char *by = interpreter(pins, call, text);
    record_next(pins, list, by);
    json_put(record, "starts", list);
}

// --- proxies ---

static void drop_plus(const struct lookup_call *call, struct lookup *l)
{
    VEC(const char *) words = {0};
    for (size_t i = 0; call->argv[i]; i++)
        if (i != 1)
            vec_push(&words, call->argv[i]);
    vec_push(&words, NULL);
    l->argv = words.items;
}

static int resolve_proxy(const struct lookup_call *call, char **path, struct lookup *l, struct err *err)
{
    const char *plus = call->argv[1] && call->argv[1][0] == '+' ? call->argv[1] + 1 : NULL;
    const struct toolchain_wish wish = {.rustup_home = call->rustup_home,
                                        .cwd = call->cwd,
                                        .plus = plus,
                                        .variable = call->rustup_toolchain,
                                        .permitted = call->toolchains};
    struct toolchain chosen;
    int r = toolchain_choose(&wish, &chosen, err);
    if (r < 0)
        return r;
    const char *name = path_base(*path);
    char *binary = runnable(path_join(chosen.bin, name));
    if (!binary)
        r = err_set(err, ERR_NOT_FOUND, "the toolchain '%s' has no '%s'; `rustup component add` installs more of it",
                    chosen.name, name);
    else {
        mem_free(*path);
        *path = binary;
        l->toolchain = str_dup(chosen.name);
        if (plus)
            drop_plus(call, l);
    }
    toolchain_free(&chosen);
    return r;
}

// Owned by the caller; NULL: none.
static char *find(struct pins *pins, const struct lookup_call *call)
{
    const char *name = call->argv[0];
    char *path = strchr(name, '/') ? runnable(path_join(call->cwd, name)) : str_dup(pins_find(pins, call->path, name));
    return path ? behind_wrapper(path) : NULL;
}

// "Bash(cargo test *)" names cargo; NULL: no plain word. Owned by the caller.
static char *named_by(const char *rule)
{
    if (!str_starts(rule, "Bash("))
        return NULL;
    const char *word = rule + 5;
    size_t n = strcspn(word, " :*?[)");
    bool plain = n > 0 && strchr(" :)", word[n]) && !memchr(word, '/', n);
    return plain ? str_ndup(word, n) : NULL;
}

void lookup_pin_rules(struct pins *pins, const struct policy *policy, const char *path)
{
    AUTO_FREE struct policy_rule_view *rules = mem_array(POLICY_RULES_MAX, sizeof(*rules));
    for (size_t list = 0; list < policy_list_count(policy); list++) {
        size_t n = policy_list_rules(policy, list, rules, POLICY_RULES_MAX);
        for (size_t i = 0; i < n && i < POLICY_RULES_MAX; i++) {
            AUTO_FREE char *name = named_by(rules[i].text);
            const char *found = name ? pins_find(pins, path, name) : NULL;
            AUTO_FREE char *real = found ? path_real(found, NULL) : NULL;
            if (real)
                pins_was(pins, real);
        }
    }
}

int lookup_program(struct pins *pins, const struct lookup_call *call, struct lookup *ret, struct err *err)
{
    *ret = (struct lookup){0};
    char *path = find(pins, call);
    if (!path)
        return not_installed(call, err);
    int r = call->rustup_home && toolchain_is_proxy(path) ? resolve_proxy(call, &path, ret, err) : 0;
    AUTO_FREE char *real = r < 0 ? NULL : path_real(path, err);
    const struct pin *pin = NULL;
    if (r < 0 || !real || pins_changeable(pins, real)) {
        ret->program = path;
        return r < 0 ? r : real ? 0 : -ERR_NOT_FOUND;
    }
    r = pins_hash(pins, real, &pin, err);
    char text[SCRIPT_MAX + 1];
    script_text(real, text);
    ret->program = *text ? path : str_dup(real);
    if (!*text)
        mem_free(path);
    if (r < 0)
        return r;
    ret->file = pin->path;
    ret->record = json_object();
    json_put(ret->record, "path", json_text_new(real, strlen(real)));
    json_put_str(ret->record, "hash", pin->hash);
    if (ret->toolchain)
        json_put_str(ret->record, "toolchain", ret->toolchain);
    record_script(pins, call, ret->program, ret->record);
    return 0;
}

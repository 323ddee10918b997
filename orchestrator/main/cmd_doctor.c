// baton doctor: what this host offers of the box that tools run in, and which tools these are. The probing is done by
// those who will have to do it: baton-exec makes the box, and a worker looks programs up. Both lie beside this program
// or in ../libexec/baton.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/layers.h"
#include "boxes/profile_table.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; // NOLINT: declared by POSIX for the program to use

enum { OUTPUT_MAX = 1 << 20, HASH_SHOWN = 12 };

static char *find_program(const char *name, struct err *err)
{
    static const char *const PLACES[] = {"", "../libexec/baton/"};
    AUTO_FREE char *self = path_real("/proc/self/exe", err);
    AUTO_FREE char *dir = self ? path_dir(self) : NULL;
    for (size_t i = 0; dir && i < ARRAY_LEN(PLACES); i++) {
        char *path = str_printf("%s/%s%s", dir, PLACES[i], name);
        if (file_exists(path))
            return path;
        mem_free(path);
    }
    if (dir)
        err_set(err, ERR_NOT_FOUND, "'%s' is neither in '%s' nor in '%s/../libexec/baton': reinstall Baton", name, dir,
                dir);
    return NULL;
}

static void read_all(int fd, struct buf *out)
{
    char chunk[4096];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, chunk, (size_t)n);
}

// Standard output of a program with up to two options. Its exit status, negative when it could not be started.
static int ask(const char *name, const char *option, const char *more, struct buf *out, struct err *err)
{
    AUTO_FREE char *path = find_program(name, err);
    AUTO_FREE char *first = str_dup(option);
    AUTO_FREE char *second = str_dup(more);
    char *argv[] = {path, first, second, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0;
    pid_t pid = 0;
    if (!path)
        return -ERR_NOT_FOUND;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int e = posix_spawn(&pid, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (e == 0)
        read_all(ends[0], out);
    close(ends[0]);
    if (e)
        return err_sys(err, e, "cannot start '%s'", path);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void print_profiles(const json_t *tools)
{
    size_t i;
    json_t *one, *word;
    json_array_foreach (json_list(tools, "profiles"), i, one) {
        size_t k;
        struct buf match = BUF_MAX(120);
        json_array_foreach (json_list(one, "match"), k, word)
            buf_printf(&match, "%s%s", match.len ? " " : "", json_string_value(word));
        if (match.len || json_flag(one, "changed", false))
            printf("%-12s %-5s %s%s%s\n", json_str(one, "profile", "?"), json_str(one, "network", "?"), buf_str(&match),
                   match.cut ? "…" : "", json_flag(one, "changed", false) ? "  (changed here)" : "");
        buf_free(&match);
    }
}

static void print_tools(const json_t *tools)
{
    size_t i;
    json_t *one;
    printf("\nProgram      File that a stage begun here would start\n");
    json_array_foreach (json_list(tools, "programs"), i, one)
        printf("%-12s %s  %.*s\n", json_str(one, "name", "?"),
               json_str(one, "path", json_str(one, "problem", "in this folder")), HASH_SHOWN,
               json_str(one, "hash", ""));
    if (*json_str(tools, "not_searched", ""))
        printf("\nNot searched, because others can write there: %s\n", json_str(tools, "not_searched", ""));
    printf("\nProfile      Net   Programs\n");
    print_profiles(tools);
    printf("\nChanged by");
    json_array_foreach (json_list(tools, "site_files"), i, one)
        printf("%s %s (%s)", i ? "," : "", json_str(one, "path", "?"),
               json_flag(one, "present", false) ? "read" : "absent");
    printf("\n");
}

static void print_layers(const json_t *box)
{
    size_t i;
    json_t *row;
    printf("%-14s %-8s %s\n", "Layer", "", "Detail, or what its absence leaves open");
    json_array_foreach (json_list(box, "layers"), i, row) {
        bool present = json_flag(row, "present", false);
        printf("%-14s %-8s %s%s%s\n", json_str(row, "layer", "?"), present ? "present" : "missing",
               json_str(row, "detail", ""), present ? "" : ": ", present ? "" : json_str(row, "open", ""));
    }
}

// What the host has, with what this site makes of it: {layers, usable, require, site_problem?}. NULL with err.
static json_t *box_new(struct err *err)
{
    struct profile_table *table = NULL;
    AUTO_BUF struct buf text = BUF_MAX(OUTPUT_MAX);
    int status = ask("baton-exec", "--probe", NULL, &text, err);
    json_t *box = status < 0 ? NULL : json_parse_new(buf_str(&text), text.len, "the probe", err);
    if (!box)
        return NULL;
    if (profile_table_load(&table, err) < 0) {
        json_put_flag(box, "usable", false);
        json_put_str(box, "site_problem", err->text);
        return box;
    }
    AUTO_JSON json_t *facts = layers_facts_new(box, profile_table_least_require(table));
    profile_table_free(table);
    json_put_flag(box, "usable", json_flag(facts, "usable", false));
    json_put_str(box, "require", json_str(facts, "require", NULL));
    json_put_str(box, "why", json_str(facts, "why", NULL));
    return box;
}

static json_t *tools_new(struct err *err)
{
    AUTO_BUF struct buf text = BUF_MAX(OUTPUT_MAX);
    int status = ask("baton-agent-echo", "--tools", NULL, &text, err);
    if (status > 0) // it has said why
        err_set(err, ERR_TOOL, "which tools there are is not known");
    return status == 0 ? json_parse_new(buf_str(&text), text.len, "the tools", err) : NULL;
}

int cmd_doctor(const struct cli *cli)
{
    struct err err;
    json_t *box = box_new(&err);
    if (!box) {
        fprintf(stderr, "baton: %s\n", err.text);
        return 1;
    }
    bool usable = json_flag(box, "usable", false);
    const char *problem = json_str(box, "site_problem", NULL);
    AUTO_JSON json_t *tools = problem ? NULL : tools_new(&err);
    if (!problem && !tools)
        fprintf(stderr, "baton: %s\n", err.text);
    if (problem)
        fprintf(stderr, "baton: nothing that runs tools starts before this is corrected: %s\n", problem);
    if (cli_flag(cli, "json")) {
        if (tools)
            json_object_set(box, "tools", tools);
        commands_print_json(json_incref(box));
    } else {
        print_layers(box);
        if (!problem)
            printf("\n%s%s\n", usable ? "Tools run in a box." : "Tools are refused: ", json_str(box, "why", ""));
        if (tools)
            print_tools(tools);
    }
    json_decref(box);
    return usable && tools ? 0 : 1;
}

// baton doctor: what this host offers of the box that tools run in, and which tools these are. The probing is done by
// those who will have to do it: baton-exec makes the box, and a worker looks programs up. Both lie beside this program
// or in ../libexec/baton.
#include "main/commands.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
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

static void print_json(const struct buf *box, json_t *tools, const char *problem, struct err *err)
{
    json_t *out = json_parse_new(buf_str(box), box->len, "the probe", err);
    if (!out) {
        fprintf(stderr, "baton: %s\n", err->text);
        return;
    }
    if (tools)
        json_object_set(out, "tools", tools);
    json_put_str(out, "site_problem", problem);
    commands_print_json(out);
}

// 0: what a site's files say is understood. 1: it is not, and stands in *ret.
static int check_site(struct err *ret)
{
    struct profile_table *table = NULL;
    int r = profile_table_load(&table, ret);
    profile_table_free(r == 0 ? table : NULL);
    return r < 0;
}

int cmd_doctor(const struct cli *cli)
{
    struct err err, site;
    bool json = cli_flag(cli, "json");
    struct buf box = BUF_MAX(OUTPUT_MAX), rest = BUF_MAX(OUTPUT_MAX);
    int status = ask("baton-exec", "--probe", json ? "--json" : NULL, &box, &err), broken = check_site(&site);
    int told = status < 0 || broken ? 0 : ask("baton-agent-echo", "--tools", NULL, &rest, &err);
    AUTO_JSON json_t *tools =
        rest.len && told == 0 ? json_parse_new(buf_str(&rest), rest.len, "the tools", &err) : NULL;
    if (status >= 0 && json)
        print_json(&box, tools, broken ? site.text : NULL, &err);
    else if (status >= 0)
        fputs(buf_str(&box), stdout);
    if (tools && !json)
        print_tools(tools);
    buf_free(&box);
    buf_free(&rest);
    if (status < 0 || told < 0)
        fprintf(stderr, "baton: %s\n", err.text);
    if (broken)
        fprintf(stderr, "baton: nothing that runs tools starts before this is corrected: %s\n", site.text);
    return status != 0 || told != 0 || broken ? 1 : 0;
}

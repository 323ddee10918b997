// orchestrator/run/agents: the files are read again when, and only when, something about them has changed.
#include "store_fixture.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/agents.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const struct fixture *f, const char *name)
{
    return str_printf("%s/data/agents%s%s", f->dir, *name ? "/" : "", name);
}

// Long ago: what was changed a moment ago is read every time.
static void set_time(const struct fixture *f, const char *name, int64_t seconds)
{
    AUTO_FREE char *path = path_of(f, name);
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put(struct fixture *f, const char *name, char letter, int64_t seconds)
{
    AUTO_FREE char *dir = path_of(f, ""), *path = path_of(f, name);
    char text[200];
    size_t stem = strlen(name) - strlen(".md");
    snprintf(text, sizeof(text),
             "---\nname: %.*s\ndescription: For tests.\nallowed-tools:\n  - Read\n---\n\nEchoes %c.\n", (int)stem, name,
             letter);
    assert_ok(file_make_dirs(dir, &f->err), &f->err);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); // in its place: the folder stays as it is
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    set_time(f, name, seconds);
    set_time(f, "", 1000);
}

// {name: hash}
static json_t *gather_new(struct fixture *f, struct agents *a, const char *const *dirs)
{
    json_t *agents = NULL;
    AUTO_JSON json_t *needed = json_array();
    assert_ok(agents_gather(a, dirs, needed, "w", NULL, &agents, &f->err), &f->err);
    return agents;
}

static void check(struct fixture *f, struct agents *a, const char *const *dirs, size_t count, const char *echo,
                  bool same)
{
    AUTO_JSON json_t *agents = gather_new(f, a, dirs);
    assert_int_equal(json_object_size(agents), count);
    assert_int_equal(str_eq(json_str(agents, "echo", ""), echo), same);
}

static void test_agents_are_read_again_when_they_changed(void **state)
{
    struct fixture *f = *state;
    AUTO_FREE char *data = str_printf("%s/data", f->dir), *own = str_printf("%s/own", f->dir);
    put(f, "echo.md", 'a', 1000);
    struct agents *a = agents_new(f->s, data);
    AUTO_JSON json_t *first = gather_new(f, a, NULL);
    const char *echo = json_str(first, "echo", "");
    assert_true(*echo);
    put(f, "echo.md", 'b', 1000); // nothing tells it from before
    check(f, a, NULL, 1, echo, true);
    put(f, "echo.md", 'b', 1001);
    check(f, a, NULL, 1, echo, false);
    put(f, "echo.md", 'a', 1002);
    check(f, a, NULL, 1, echo, true);
    put(f, "other.md", 'a', 1000);
    set_time(f, "", 1003); // as an addition leaves it
    check(f, a, NULL, 2, echo, true);
    AUTO_FREE char *path = path_of(f, "other.md");
    assert_int_equal(unlink(path), 0);
    check(f, a, NULL, 1, echo, true);
    // Other folders are another question.
    assert_ok(file_make_dirs(own, &f->err), &f->err);
    const char *const dirs[] = {own, NULL};
    json_t *none = NULL;
    AUTO_JSON json_t *needed = json_array();
    assert_int_equal(agents_gather(a, dirs, needed, "w", NULL, &none, &f->err), -ERR_INVALID);
    static const char MINE[] = "---\nname: mine\ndescription: For tests.\nallowed-tools:\n  - Read\n---\n\nMine.\n";
    AUTO_FREE char *mine = str_printf("%s/mine.md", own);
    assert_ok(file_write(mine, MINE, strlen(MINE), false, &f->err), &f->err);
    check(f, a, dirs, 2, echo, true);
    check(f, a, NULL, 1, echo, true);
    agents_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_agents_are_read_again_when_they_changed, fixture_setup, fixture_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

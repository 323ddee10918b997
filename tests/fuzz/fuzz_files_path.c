// The path argument of the file tools, on a real folder with links that lead everywhere. Nothing outside is read or
// changed, whatever the path.
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET      "what lies outside"
#define RENEW_AFTER 200 // inputs: folders that were made on the way pile up, and a stage has a limit of receipts

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char *dir, *root, *key;
    struct policy *policy;
    struct exec_context *ctx;
    struct files *files;
    unsigned calls;
} world;

static void must_work(int r)
{
    if (r < 0)
        abort();
}

static void put(const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(world.dir, name);
    AUTO_FREE char *folder = path_dir(path);
    must_work(file_make_dirs(folder, NULL));
    must_work(file_write(path, text, strlen(text), false, NULL));
}

static void link_to(const char *target, const char *name)
{
    AUTO_FREE char *path = path_join(world.root, name);
    must_work(symlink(target, path));
}

static void clean_up(void)
{
    files_free(world.files);
    exec_context_free(world.ctx);
    policy_free(world.policy);
    file_remove_tree(world.dir, NULL);
    mem_free(world.dir);
    mem_free(world.root);
    mem_free(world.key);
}

static void open_stage(void)
{
    const struct exec_places places = {.workspace = world.root, .home = world.dir};
    files_free(world.files);
    exec_context_free(world.ctx);
    world.files = NULL;
    world.ctx = NULL;
    world.calls = 0;
    must_work(file_remove_tree(world.root, NULL));
    put("root/a/b", "inside");
    put("root/c", "inside");
    link_to("..", "up");
    link_to("/", "top");
    link_to("a", "d");
    link_to("../key", "k");
    link_to("/proc/self/root", "m");
    link_to("e", "e");
    must_work(exec_context_new(world.policy, &places, &world.ctx, NULL));
    must_work(files_open(world.ctx, world.root, &world.files, NULL));
}

static void make_world(void)
{
    const char *base = getenv("TMPDIR");
    AUTO_FREE char *made = str_printf("%s/baton-fuzz-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(made))
        abort();
    world.dir = path_real(made, NULL);
    world.root = path_join(world.dir, "root");
    world.key = path_join(world.dir, "key");
    put("key", SECRET);
    put("a/key", SECRET);
    world.policy = policy_new("fuzz");
    must_work(policy_allow(world.policy, "Edit", "f", 1, NULL));
    must_work(policy_allow(world.policy, "Edit(//**)", "f", 2, NULL));
    if (atexit(clean_up) != 0)
        abort();
    open_stage();
}

static void check_outside(void)
{
    static const char *const OUTSIDE[] = {"key", "a/key"};
    for (size_t i = 0; i < ARRAY_LEN(OUTSIDE); i++) {
        AUTO_FREE char *path = path_join(world.dir, OUTSIDE[i]);
        AUTO_FREE char *text = NULL;
        if (file_read(path, 100, &text, NULL, NULL) < 0 || strcmp(text, SECRET) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.files)
        make_world();
    if (++world.calls > RENEW_AFTER)
        open_stage();
    AUTO_FREE char *path = str_ndup((const char *)data, size);
    AUTO_FREE char *text = NULL;
    if (files_read(world.files, path, 1000, &text, NULL, NULL) == 0 && strstr(text, SECRET))
        abort();
    json_t *found = NULL;
    if (files_glob(world.files, path, &found, NULL) == 0)
        json_decref(found);
    if (strlen(path) < 200 && files_write(world.files, path, "inside", 6, NULL) == 0 &&
        files_remove(world.files, path, NULL) < 0)
        abort();
    check_outside();
    return 0;
}

// agents/sandbox/files: what the file tools open, and above all what they do not.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define SECRET "a secret from elsewhere"

struct fixture {
    char *dir, *root, *outside, *key;
    struct policy *policy;
    struct exec_context *ctx;
    struct files *files;
};

static void put(const char *dir, const char *name, const char *text)
{
    struct err err;
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FREE char *folder = path_dir(path);
    assert_ok(file_make_dirs(folder, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
}

static void begin(struct fixture *f, const char *const *rules)
{
    struct err err;
    char *made = test_temp_dir();
    f->dir = path_real(made, &err);
    mem_free(made);
    f->root = path_join(f->dir, "root");
    f->outside = path_join(f->dir, "outside");
    f->key = path_join(f->outside, "key");
    put(f->root, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    put(f->root, "src/deep/mod.rs", "fn one() {}\n");
    put(f->root, "Cargo.toml", "[package]\n");
    put(f->root, "private/notes", "not for everybody\n");
    put(f->outside, "key", SECRET);
    put(f->outside, "lib.rs", SECRET);
    f->policy = policy_new("test-agent");
    for (; *rules; rules++)
        assert_ok(policy_allow(f->policy, *rules, "agent.md", 5, &err), &err);
    AUTO_FREE char *home = path_join(f->dir, "home");
    const struct exec_places places = {.workspace = f->root, .home = home};
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
    assert_ok(files_open(f->ctx, f->root, &f->files, &err), &err);
}

static void finish(struct fixture *f)
{
    files_free(f->files);
    exec_context_free(f->ctx);
    policy_free(f->policy);
    mem_free(f->root);
    mem_free(f->outside);
    mem_free(f->key);
    test_remove(f->dir);
}

static const char *const ALL[] = {"Read", "Edit", NULL};

static void link_to(const struct fixture *f, const char *target, const char *name)
{
    AUTO_FREE char *path = path_join(f->root, name);
    assert_int_equal(symlink(target, path), 0);
}

static int read_it(struct fixture *f, const char *path, char **ret, struct err *err)
{
    *ret = NULL;
    return files_read(f->files, path, 1 << 20, ret, NULL, err);
}

static void assert_reads(struct fixture *f, const char *path, const char *expected)
{
    struct err err;
    AUTO_FREE char *text = NULL;
    assert_ok(read_it(f, path, &text, &err), &err);
    assert_string_equal(text, expected);
}

static void assert_unread(struct fixture *f, const char *path, enum err_code code)
{
    struct err err;
    char *text = NULL;
    int r = read_it(f, path, &text, &err);
    if (r != -(int)code)
        fail_msg("'%s': %d (%s), expected %s", path, r, r < 0 ? err.text : "it was read", err_name(code));
    assert_null(text);
}

static void assert_unwritten(struct fixture *f, const char *path, enum err_code code)
{
    struct err err;
    int r = files_write(f->files, path, "x", 1, &err);
    if (r != -(int)code)
        fail_msg("'%s': %d (%s), expected %s", path, r, r < 0 ? err.text : "it was written", err_name(code));
}

static void assert_outside_is_whole(const struct fixture *f)
{
    AUTO_FREE char *text = test_read(f->key);
    AUTO_FREE char *path = path_join(f->outside, "lib.rs");
    AUTO_FREE char *other = test_read(path);
    assert_string_equal(text, SECRET);
    assert_string_equal(other, SECRET);
}

// --- the work they do ---

static void test_files_read_and_write(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, ALL);
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    AUTO_FREE char *whole = path_join(f.root, "src/lib.rs");
    assert_reads(&f, whole, "fn one() {}\nfn two() {}\n");
    assert_reads(&f, "src/../Cargo.toml", "[package]\n");
    assert_int_equal(chmod(whole, 0750), 0);
    assert_ok(files_write(f.files, "src/lib.rs", "a\0b", 3, &err), &err); // any bytes
    char *text = NULL;
    size_t len = 0;
    assert_ok(files_read(f.files, "src/lib.rs", 10, &text, &len, &err), &err);
    assert_int_equal(len, 3);
    assert_memory_equal(text, "a\0b", 3);
    mem_free(text);
    struct stat st;
    assert_int_equal(stat(whole, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_ok(files_write(f.files, "new/deep/er/file", "text", 4, &err), &err);
    assert_reads(&f, "new/deep/er/file", "text");
    assert_ok(files_write(f.files, "empty", NULL, 0, &err), &err);
    assert_reads(&f, "empty", "");
    assert_ok(files_remove(f.files, "new/deep/er/file", &err), &err);
    assert_ok(files_remove(f.files, "new/deep/er/file", &err), &err);
    assert_ok(files_remove(f.files, "never/was", &err), &err);
    assert_unread(&f, "new/deep/er/file", ERR_NOT_FOUND);
    assert_int_equal(files_remove(f.files, "src", &err), -ERR_INVALID);
    // nothing of ours stays beside the files
    AUTO_JSON json_t *found = NULL;
    assert_ok(files_glob(f.files, "**/.baton*", &found, &err), &err);
    assert_int_equal(json_array_size(found), 0);
    finish(&f);
}

static void test_files_edit_one_place(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, ALL);
    assert_ok(files_edit(f.files, "src/lib.rs", "two", "three", &err), &err);
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn three() {}\n");
    assert_int_equal(files_edit(f.files, "src/lib.rs", "fn ", "x", &err), -ERR_CONFLICT);
    assert_int_equal(files_edit(f.files, "src/lib.rs", "nowhere", "x", &err), -ERR_NOT_FOUND);
    assert_int_equal(files_edit(f.files, "src/lib.rs", "", "x", &err), -ERR_NOT_FOUND);
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn three() {}\n");
    put(f.root, "twice", "aaa");
    assert_int_equal(files_edit(f.files, "twice", "aa", "x", &err), -ERR_CONFLICT); // also where they overlap
    finish(&f);
}

static void test_files_find(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, (const char *const[]){"Read(src/**)", "Glob", "Grep", NULL});
    link_to(&f, f.outside, "src/away");
    link_to(&f, "lib.rs", "src/same.rs");
    json_t *found = NULL;
    assert_ok(files_glob(f.files, "**/*", &found, &err), &err);
    AUTO_FREE char *text = json_compact(found);
    json_decref(found);
    assert_string_equal(text, "[\"src/deep/mod.rs\",\"src/lib.rs\"]"); // neither links nor what may not be read
    assert_ok(files_grep(f.files, "one", "**/*.rs", &found, &err), &err);
    AUTO_FREE char *lines = json_compact(found);
    json_decref(found);
    assert_string_equal(lines, "{\"matches\":[{\"path\":\"src/deep/mod.rs\",\"line\":1,\"text\":\"fn one() {}\"},"
                               "{\"path\":\"src/lib.rs\",\"line\":1,\"text\":\"fn one() {}\"}],\"cut\":false}");
    assert_int_equal(files_grep(f.files, "", "**/*.rs", &found, &err), -ERR_INVALID);
    assert_int_equal(files_glob(f.files, "../**", &found, &err), -ERR_DENIED);
    finish(&f);
}

static void test_files_search_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, ALL);
    struct buf b = BUF_INIT;
    for (int i = 0; i < FILES_LINES_MAX + 50; i++)
        buf_str_add(&b, "again\n");
    for (int i = 0; i < 5000; i++)
        buf_str_add(&b, "long ");
    put(f.root, "many", buf_str(&b));
    buf_free(&b);
    json_t *found = NULL;
    assert_ok(files_grep(f.files, "again", "many", &found, &err), &err);
    assert_int_equal(json_array_size(json_list(found, "matches")), FILES_LINES_MAX);
    assert_true(json_flag(found, "cut", false));
    json_decref(found);
    assert_ok(files_grep(f.files, "long", "many", &found, &err), &err);
    assert_int_equal(strlen(json_str(json_array_get(json_list(found, "matches"), 0), "text", "")), FILES_LINE_MAX);
    json_decref(found);
    finish(&f);
}

static void test_files_copy_out(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, (const char *const[]){"Bash(git *)", NULL}); // no rule of files: this is for the stage's own folders
    struct files *own = NULL;
    assert_ok(files_open_own(f.root, &own, &err), &err);
    AUTO_FREE char *program = path_join(f.root, "src/lib.rs"), *copy = path_join(f.dir, "copy");
    assert_int_equal(chmod(program, 0751), 0);
    assert_ok(files_copy_out(own, program, copy, &err), &err);
    AUTO_FREE char *text = test_read(copy);
    struct stat st;
    assert_string_equal(text, "fn one() {}\nfn two() {}\n");
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0751);
    assert_int_equal(files_copy_out(own, program, copy, &err), -ERR_EXISTS);
    AUTO_FREE char *other = path_join(f.dir, "other");
    link_to(&f, f.key, "planted");
    link_to(&f, f.outside, "folder");
    AUTO_FREE char *planted = path_join(f.root, "planted"), *through = path_join(f.root, "folder/key");
    const char *const WAYS[] = {planted, through, f.key, "../outside/key", "src"};
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++) {
        assert_true(files_copy_out(own, WAYS[i], other, &err) < 0);
        assert_false(file_exists(other));
    }
    assert_int_equal(json_array_size(exec_receipts(f.ctx)), 0);
    files_free(own);
    finish(&f);
}

static void test_files_touch(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    struct stat st;
    begin(&f, (const char *const[]){"Read(src/**)", NULL});
    AUTO_FREE char *path = path_join(f.root, "src/lib.rs");
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, f.key, old, 0), 0);
    assert_ok(files_touch(f.files, "src/lib.rs", &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_mtime > 1000);
    link_to(&f, f.key, "src/key");
    link_to(&f, f.outside, "src/away");
    assert_int_equal(files_touch(f.files, "src/key", &err), -ERR_DENIED);
    assert_int_equal(files_touch(f.files, "src/away/key", &err), -ERR_DENIED);
    assert_int_equal(files_touch(f.files, "Cargo.toml", &err), -ERR_DENIED);
    assert_int_equal(files_touch(f.files, "src/gone", &err), -ERR_NOT_FOUND);
    assert_int_equal(stat(f.key, &st), 0);
    assert_int_equal(st.st_mtime, 1000);
    finish(&f);
}

// --- rules ---

static void test_files_rules_bind(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, (const char *const[]){"Read(src/**)", "Edit(src/deep/**)", NULL});
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    assert_unread(&f, "private/notes", ERR_DENIED);
    assert_unread(&f, "src/../private/notes", ERR_DENIED);
    assert_ok(files_write(f.files, "src/deep/mod.rs", "x", 1, &err), &err);
    assert_int_equal(files_write(f.files, "src/lib.rs", "x", 1, &err), -ERR_DENIED);
    assert_non_null(strstr(err.text, "the rule 'Edit(/src/lib.rs)' would allow it"));
    assert_int_equal(files_edit(f.files, "src/lib.rs", "one", "1", &err), -ERR_DENIED);
    assert_int_equal(files_remove(f.files, "src/lib.rs", &err), -ERR_DENIED);
    link_to(&f, "../private/notes", "src/shown");
    assert_unread(&f, "src/shown", ERR_DENIED); // where it leads to has no rule
    link_to(&f, "lib.rs", "src/same.rs");
    assert_reads(&f, "src/same.rs", "fn one() {}\nfn two() {}\n");
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    finish(&f);
}

static void test_files_leave_receipts(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, (const char *const[]){"Read(src/**)", "Edit(src/deep/**)", NULL});
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    assert_unread(&f, "private/notes", ERR_DENIED);
    assert_ok(files_write(f.files, "src/deep/mod.rs", "x", 1, &err), &err);
    const json_t *receipts = exec_receipts(f.ctx);
    assert_int_equal(json_array_size(receipts), 3);
    const json_t *reads = json_array_get(receipts, 0), *denied = json_array_get(receipts, 1),
                 *written = json_array_get(receipts, 2);
    assert_string_equal(json_str(reads, "tool", ""), "Read");
    assert_int_equal(json_int(reads, "files", 0), 2);
    assert_string_equal(json_str(json_obj(reads, "decision"), "rule", ""), "Read(src/**)");
    assert_string_equal(json_str(json_obj(denied, "decision"), "decision", ""), "deny");
    assert_string_equal(json_str(denied, "path", ""), "private/notes");
    assert_string_equal(json_str(written, "tool", ""), "Write");
    assert_string_equal(json_str(json_obj(written, "decision"), "where", ""), "agent.md:5");
    assert_int_equal(strlen(json_str(written, "hash", "")), 64);
    exec_cancel(f.ctx);
    assert_unread(&f, "src/lib.rs", ERR_CANCELLED);
    finish(&f);
}

static void test_files_that_steer_tools(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, (const char *const[]){"Edit", NULL});
    assert_unwritten(&f, ".git/hooks/pre-commit", ERR_DENIED);
    assert_unwritten(&f, ".cargo/config.toml", ERR_DENIED);
    assert_unwritten(&f, "member/.claude/agents/x.md", ERR_DENIED);
    assert_ok(files_write_settings(f.files, ".cargo/config.toml", "[build]\n", 8, &err), &err);
    assert_reads(&f, ".cargo/config.toml", "[build]\n");
    assert_ok(files_write_settings(f.files, ".cargo/config.toml", NULL, 0, &err), &err);
    assert_unread(&f, ".cargo/config.toml", ERR_NOT_FOUND);
    assert_int_equal(files_write_settings(f.files, ".cargo/other", "x", 1, &err), -ERR_INVALID);
    assert_int_equal(files_write_settings(f.files, "x.cargo/config.toml", "x", 1, &err), -ERR_INVALID);
    finish(&f);
    begin(&f, (const char *const[]){"Read", "Edit(src/**)", NULL});
    assert_int_equal(files_write_settings(f.files, ".cargo/config.toml", "x", 1, &err), -ERR_DENIED);
    assert_ok(files_write_settings(f.files, "src/.cargo/config.toml", "x", 1, &err), &err);
    finish(&f);
}

// --- attacks ---

static void test_files_ways_out(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, (const char *const[]){"Read", "Edit", "Read(//**)", "Edit(//**)", NULL}); // the rules would not hold it
    link_to(&f, f.outside, "folder");
    link_to(&f, f.key, "file");
    link_to(&f, "../outside/key", "relative");
    link_to(&f, "/proc/self/root", "magic");
    link_to(&f, "round", "round");
    static const char *const WAYS[] = {
        "folder/key", "file", "relative", "../outside/key", "src/../../outside/key", "round", "folder/../outside/key"};
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++) {
        assert_unread(&f, WAYS[i], ERR_DENIED);
        struct err err;
        assert_true(files_write(f.files, WAYS[i], "x", 1, &err) < 0);
        assert_true(files_edit(f.files, WAYS[i], "secret", "x", &err) < 0);
    }
    AUTO_FREE char *magic = str_printf("magic%s", f.key);
    struct err err;
    char *text = NULL;
    assert_true(read_it(&f, magic, &text, &err) < 0);
    assert_true(files_write(f.files, magic, "x", 1, &err) < 0);
    assert_unread(&f, f.key, ERR_DENIED);
    assert_true(files_write(f.files, f.key, "x", 1, &err) < 0);
    assert_true(files_remove(f.files, "folder/key", &err) < 0);
    assert_unread(&f, "/proc/self/environ", ERR_DENIED);
    AUTO_FREE char *beside = str_printf("%s-beside/x", f.root); // a name that only begins like the folder
    assert_true(files_write(f.files, beside, "x", 1, &err) < 0);
    assert_outside_is_whole(&f);
    finish(&f);
}

static void test_files_links_and_second_names_are_not_written(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, ALL);
    AUTO_FREE char *linked = path_join(f.root, "linked");
    assert_int_equal(link(f.key, linked), 0);
    link_to(&f, "src/lib.rs", "soft");
    link_to(&f, "src", "folder");
    assert_unwritten(&f, "linked", ERR_DENIED);
    assert_unwritten(&f, "soft", ERR_DENIED);
    assert_unwritten(&f, "folder/lib.rs", ERR_DENIED);
    assert_unwritten(&f, "folder/new", ERR_DENIED);
    assert_unwritten(&f, "src", ERR_INVALID);
    assert_unwritten(&f, ".", ERR_INVALID);
    assert_int_equal(files_edit(f.files, "linked", "secret", "x", &err), -ERR_DENIED);
    assert_int_equal(files_remove(f.files, "linked", &err), -ERR_DENIED);
    assert_ok(files_remove(f.files, "soft", &err), &err); // the link itself
    assert_reads(&f, "src/lib.rs", "fn one() {}\nfn two() {}\n");
    assert_outside_is_whole(&f);
    finish(&f);
}

static void test_files_special_files_do_not_hang(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, ALL);
    AUTO_FREE char *pipe_path = path_join(f.root, "pipe"), *device = path_join(f.root, "device"),
                   *sock = path_join(f.root, "socket");
    assert_int_equal(mkfifo(pipe_path, 0666), 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(strlen(sock) < sizeof(at.sun_path));
    memcpy(at.sun_path, sock, strlen(sock) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    static const char *const NAMES[] = {"pipe", "socket", "src"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        assert_unread(&f, NAMES[i], ERR_INVALID);
        assert_unwritten(&f, NAMES[i], ERR_INVALID);
    }
    if (mknod(device, S_IFCHR | 0666, makedev(1, 5)) == 0) { // /dev/zero, only for root
        assert_unread(&f, "device", ERR_INVALID);
        assert_unwritten(&f, "device", ERR_INVALID);
    }
    close(fd);
    finish(&f);
}

static void test_files_sizes_and_odd_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, ALL);
    AUTO_FREE char *huge = path_join(f.root, "huge");
    int fd = open(huge, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)1 << 40) == 0);
    close(fd);
    assert_unread(&f, "huge", ERR_LIMIT);
    struct err err;
    char *text = NULL;
    assert_int_equal(files_read(f.files, "src/lib.rs", 5, &text, NULL, &err), -ERR_LIMIT);
    AUTO_FREE char *long_name = mem_alloc(5001);
    memset(long_name, 'a', 5000);
    assert_true(read_it(&f, long_name, &text, &err) < 0);
    static const char *const ODD[] = {"",   "a\nb",  "a\033[2Jb",   "\xff\xfe", "//", "/",
                                      "..", "../..", "src/lib.rs/", "src//",    "."};
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++) {
        assert_true(read_it(&f, ODD[i], &text, &err) < 0);
        assert_true(files_write(f.files, ODD[i], "x", 1, &err) < 0);
    }
    assert_outside_is_whole(&f);
    finish(&f);
}

// Somebody swaps a folder for a link to the outside, and back, as fast as it goes.
struct swapper {
    char *folder, *link;
    atomic_bool stop;
    atomic_uint swaps;
};

static void *swap(void *user)
{
    struct swapper *s = user;
    while (!atomic_load(&s->stop)) {
        if (renameat2(AT_FDCWD, s->folder, AT_FDCWD, s->link, RENAME_EXCHANGE) != 0)
            break;
        atomic_fetch_add(&s->swaps, 1);
    }
    return NULL;
}

#define RACE_TRIES 4000

static void test_files_swapped_folder(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, (const char *const[]){"Read", "Edit", "Read(//**)", "Edit(//**)", NULL});
    put(f.root, "race/lib.rs", "inside");
    link_to(&f, f.outside, "race-link");
    struct swapper s = {.folder = path_join(f.root, "race"), .link = path_join(f.root, "race-link")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
    unsigned inside = 0, written = 0, refused = 0;
    for (int i = 0; i < RACE_TRIES; i++) {
        struct err err;
        char *text = NULL;
        if (read_it(&f, "race/lib.rs", &text, &err) == 0) {
            assert_string_not_equal(text, SECRET);
            inside++;
        } else {
            refused++;
        }
        mem_free(text);
        if (i % 8 == 0)
            written += files_write(f.files, "race/lib.rs", "inside", 6, &err) == 0;
        if (i % 8 == 1)
            (void)files_write(f.files, "race/key", "inside", 6, &err);
        if (i % 8 == 2)
            (void)files_remove(f.files, "race/key", &err);
    }
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&s.swaps) > 0);
    assert_true(inside + refused == RACE_TRIES);
    (void)written;
    assert_outside_is_whole(&f);
    mem_free(s.folder);
    mem_free(s.link);
    finish(&f);
}

// The same inside the folder: from what a rule names to what none does.
static void test_files_swapped_for_what_has_no_rule(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, (const char *const[]){"Read(src/**)", "Edit(src/**)", NULL});
    put(f.root, "src/race", "allowed");
    link_to(&f, "../private/notes", "src/race-link");
    struct swapper s = {.folder = path_join(f.root, "src/race"), .link = path_join(f.root, "src/race-link")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
    for (int i = 0; i < RACE_TRIES; i++) {
        struct err err;
        char *text = NULL;
        if (read_it(&f, "src/race", &text, &err) == 0)
            assert_string_equal(text, "allowed");
        mem_free(text);
        if (i % 16 == 0)
            (void)files_write(f.files, "src/race", "allowed", 7, &err);
    }
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    AUTO_FREE char *path = path_join(f.root, "private/notes");
    AUTO_FREE char *notes = test_read(path);
    assert_string_equal(notes, "not for everybody\n");
    mem_free(s.folder);
    mem_free(s.link);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_read_and_write),
        cmocka_unit_test(test_files_edit_one_place),
        cmocka_unit_test(test_files_find),
        cmocka_unit_test(test_files_search_is_bounded),
        cmocka_unit_test(test_files_copy_out),
        cmocka_unit_test(test_files_touch),
        cmocka_unit_test(test_files_rules_bind),
        cmocka_unit_test(test_files_leave_receipts),
        cmocka_unit_test(test_files_that_steer_tools),
        cmocka_unit_test(test_files_ways_out),
        cmocka_unit_test(test_files_links_and_second_names_are_not_written),
        cmocka_unit_test(test_files_special_files_do_not_hang),
        cmocka_unit_test(test_files_sizes_and_odd_names),
        cmocka_unit_test(test_files_swapped_folder),
        cmocka_unit_test(test_files_swapped_for_what_has_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

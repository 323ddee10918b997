// orchestrator/store when things go wrong: kill -9, two processes, damaged files, newer schema, no room, no right.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store *must_open(const char *dir)
{
    struct store *s = NULL;
    struct err err;
    assert_ok(store_open(dir, &s, &err), &err);
    return s;
}

static int create(struct store *s, const char *id, struct err *err)
{
    AUTO_JSON json_t *object = json_object();
    char ret[STORE_NAME_MAX];
    struct store_run run = {
        .id = id, .workflow = "w", .script_hash = "h", .project = "/p", .params = object, .agents = object};
    return store_run_create(s, &run, ret, err);
}

// Finishes stage `seq` (if > 0) and reserves the next one.
static int advance(struct store *s, const char *run, int seq, struct err *err)
{
    char id[64], key[64];
    snprintf(id, sizeof(id), "h-%d", seq);
    snprintf(key, sizeof(key), "k-%d", seq + 1);
    AUTO_JSON json_t *handoff = json_pack("{s:i}", "seq", seq);
    struct store_result result = {
        .run = run, .seq = seq, .lease = "l", .state = STAGE_COMPLETED, .handoff_id = id, .handoff = handoff};
    AUTO_JSON json_t *request = json_object();
    struct store_stage next = {
        .run = run, .seq = seq + 1, .key = key, .task = "0", .agent = "echo", .lease = "l", .request = request};
    return store_commit_stage(s, seq > 0 ? &result : NULL, &next, 1, err);
}

static void run_sql(const char *dir, const char *sql)
{
    AUTO_FREE char *path = path_join(dir, "baton.db");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

// Writes until it is killed; tells the number of each stage whose commit returned.
static void writer_child(const char *dir, int out)
{
    struct store *s = NULL;
    struct err err;
    if (store_open(dir, &s, &err) < 0)
        _exit(1);
    AUTO_JSON json_t *list = store_stage_list_new(s, "r", false, &err);
    for (int seq = (int)json_array_size(list);; seq++) {
        bool batch = seq % 3 == 0;
        if ((batch && store_begin(s, &err) < 0) || advance(s, "r", seq, &err) < 0 ||
            store_event_add(s, "r", EVENT_STAGE_FINISHED, NULL, NULL, &err) < 0 || (batch && store_commit(s, &err) < 0))
            _exit(1);
        if (write(out, &seq, sizeof(seq)) != sizeof(seq))
            _exit(1);
    }
}

// What was told as committed is there; every stage but the last has its result; nothing is half done.
static int check_chain(const char *dir, int told)
{
    struct store *s = must_open(dir);
    struct err err;
    AUTO_JSON json_t *list = store_stage_list_new(s, "r", true, &err);
    int n = (int)json_array_size(list);
    assert_true(n >= told + 1);
    for (int i = 0; i < n; i++) {
        const json_t *row = json_array_get(list, (size_t)i);
        assert_int_equal(json_int(row, "seq", 0), i + 1);
        bool last = i == n - 1;
        assert_string_equal(json_str(row, "state", ""), last ? "reserved" : "completed");
        if (!last)
            assert_int_equal(json_int(json_obj(row, "handoff"), "seq", 0), i + 1);
    }
    AUTO_JSON json_t *lost = store_lost_list_new(s, &err);
    assert_int_equal(json_array_size(lost), 0);
    store_close(s);
    return n;
}

static void test_store_survives_kill_in_the_middle_of_commits(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    struct store *s = must_open(dir);
    struct err err;
    assert_ok(create(s, "r", &err), &err);
    store_close(s);
    for (int round = 0; round < 15; round++) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t child = fork();
        if (child == 0)
            writer_child(dir, p[1]);
        close(p[1]);
        int told = -1, seq = 0;
        // A different number of commits each round, then the kill hits wherever the writer is.
        for (int i = 0; i < 1 + round * 2 && read(p[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq); i++)
            told = seq;
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        while (read(p[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq))
            told = seq;
        close(p[0]);
        check_chain(dir, told);
    }
    test_remove(dir);
}

static void test_store_two_processes_write_at_once(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    pid_t child[2];
    for (int c = 0; c < 2; c++) { // both also race for the creation of the database
        child[c] = fork();
        if (child[c] == 0) {
            struct store *s = NULL;
            struct err err;
            const char *run = c == 0 ? "a" : "b";
            bool ok = store_open(dir, &s, &err) >= 0 && create(s, run, &err) >= 0;
            for (int seq = 0; ok && seq < 30; seq++)
                ok = advance(s, run, seq, &err) >= 0;
            if (!ok)
                fprintf(stderr, "%s\n", err.text);
            store_close(s);
            _exit(ok ? 0 : 1);
        }
    }
    for (int c = 0; c < 2; c++) {
        int status = 1;
        waitpid(child[c], &status, 0);
        assert_int_equal(status, 0);
    }
    struct store *s = must_open(dir);
    struct err err;
    AUTO_JSON json_t *a = store_stage_list_new(s, "a", false, &err);
    AUTO_JSON json_t *b = store_stage_list_new(s, "b", false, &err);
    assert_int_equal(json_array_size(a), 30);
    assert_int_equal(json_array_size(b), 30);
    store_close(s);
    test_remove(dir);
}

static void test_store_refuses_newer_and_foreign_databases(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    store_close(must_open(dir));
    run_sql(dir, "PRAGMA user_version = 99");
    struct store *s = NULL;
    struct err err;
    assert_int_equal(store_open(dir, &s, &err), -ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "newer baton (schema 99"));
    run_sql(dir, "PRAGMA user_version = 0; PRAGMA application_id = 7");
    assert_int_equal(store_open(dir, &s, &err), -ERR_INVALID);
    assert_non_null(strstr(err.text, "another program"));
    assert_null(s);
    test_remove(dir);
}

// The fixture is a dump of what the first schema held after two real runs.
static void test_store_brings_an_old_journal_up_to_date(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    char *dump = test_read(BATON_SOURCE_DIR "/tests/fixtures/store/schema1.sql");
    run_sql(dir, dump);
    mem_free(dump);
    run_sql(dir, "PRAGMA user_version = 1; PRAGMA application_id = 1113683054");
    struct store *s = must_open(dir);
    struct err err;
    AUTO_JSON json_t *runs = store_run_list_new(s, NULL, &err);
    assert_int_equal(json_array_size(runs), 2);
    AUTO_JSON json_t *open = store_run_list_new(s, &(struct store_run_filter){.unfinished = true}, &err);
    assert_int_equal(json_array_size(open), 1);
    const char *id = json_str(json_array_get(runs, 1), "id", "");
    AUTO_JSON json_t *stages = store_stage_list_new(s, id, true, &err);
    assert_int_equal(json_array_size(stages), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *stage = json_array_get(stages, i);
        assert_int_equal(json_int(stage, "seq", 0), (int)i + 1);
        assert_string_equal(json_str(json_obj(stage, "handoff"), "id", ""), json_str(stage, "handoff_id", "-"));
    }
    AUTO_JSON json_t *calls = store_call_list_new(s, id, &err), *handoffs = store_handoff_list_new(s, id, &err);
    assert_int_equal(json_array_size(calls), 2);
    assert_int_equal(json_array_size(handoffs), 2);
    AUTO_JSON json_t *events = store_event_list_new(s, id, 0, 0, &err);
    assert_string_equal(json_str(json_array_get(events, json_array_size(events) - 1), "kind", ""), "run_finished");
    assert_ok(create(s, "fresh", &err), &err);
    store_close(s);
    test_remove(dir);
}

static void test_store_sets_aside_what_is_no_database(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    AUTO_FREE char *path = path_join(dir, "baton.db");
    struct err err;
    AUTO_FREE char *garbage = mem_alloc(9000);
    memset(garbage, 'g', 8999);
    assert_ok(file_write(path, garbage, 8999, false, &err), &err);
    struct store *s = must_open(dir);
    AUTO_JSON json_t *events = store_event_list_new(s, NULL, 0, 0, &err);
    assert_string_equal(json_str(json_array_get(events, 0), "kind", ""), "store_lost");
    AUTO_JSON json_t *lost = store_lost_list_new(s, &err);
    const char *moved = json_str(json_array_get(lost, 0), "ref", "");
    char *text = test_read(moved);
    assert_string_equal(text, garbage);
    mem_free(text);
    assert_ok(create(s, "r", &err), &err);
    store_close(s);
    test_remove(dir);
}

static void test_store_moves_unreadable_records_away(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    struct store *s = must_open(dir);
    struct err err;
    assert_ok(create(s, "r", &err), &err);
    assert_ok(create(s, "q", &err), &err);
    for (int seq = 0; seq < 4; seq++)
        assert_ok(advance(s, "r", seq, &err), &err);
    run_sql(dir,
            "UPDATE stage SET request = '{\"half' WHERE id % 1048576 IN (2, 3);"
            "UPDATE runs SET params = 'rubbish' WHERE id = 'q';"
            "INSERT INTO event (run, kind, at, body) SELECT n, 'script_log', 1, 'rubbish' FROM runs WHERE id = 'r';");
    AUTO_JSON json_t *list = store_stage_list_new(s, "r", true, &err);
    assert_int_equal(json_array_size(list), 2);
    assert_null(store_stage_get_new(s, "r", 2, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    AUTO_JSON json_t *run = store_run_get_new(s, "q", &err);
    assert_string_equal(json_str(run, "state", ""), "lost");
    AUTO_JSON json_t *first = store_event_list_new(s, NULL, 0, 0, &err);
    AUTO_JSON json_t *events = store_event_list_new(s, "r", 0, 0, &err);
    assert_non_null(first);
    assert_string_equal(json_str(json_array_get(events, 0), "kind", ""), "record_lost");
    AUTO_JSON json_t *lost = store_lost_list_new(s, &err);
    assert_int_equal(json_array_size(lost), 4);
    assert_non_null(strstr(json_str(json_array_get(lost, 0), "text", ""), "{\"half"));
    assert_string_equal(json_str(json_array_get(lost, 0), "source", ""), "stage");
    assert_ok(create(s, "alive", &err), &err);
    store_close(s);
    test_remove(dir);
}

// In a child, because the limit cannot be raised again everywhere and SIGXFSZ is process-wide.
static void no_room_child(const char *dir, int out)
{
    struct store *s = NULL;
    struct err err = {0};
    signal(SIGXFSZ, SIG_IGN);
    int r = store_open(dir, &s, &err);
    struct rlimit limit = {200 * 1024, 200 * 1024};
    setrlimit(RLIMIT_FSIZE, &limit);
    int seq = 1;
    for (; r >= 0 && seq < 5000; seq++)
        r = advance(s, "r", seq, &err);
    // What was committed can still be read, and the failed one left nothing.
    struct err ignored;
    json_t *list = store_stage_list_new(s, "r", false, &ignored);
    bool ok = r == -ERR_IO && json_array_size(list) == (size_t)seq - 1;
    char hash[HASH_TEXT];
    AUTO_FREE char *big = mem_alloc(300 * 1024);
    ok = ok && store_artifact_put(s, big, 300 * 1024, hash, &ignored) == -ERR_IO && !strstr(ignored.text, "(null)");
    dprintf(out, "%s%s", ok ? "ok " : "bad ", err.text);
    _exit(0);
}

static void test_store_full_disk_is_an_error_with_a_reason(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    struct store *s = must_open(dir);
    struct err err;
    assert_ok(create(s, "r", &err), &err);
    assert_ok(advance(s, "r", 0, &err), &err);
    store_close(s);
    int p[2];
    assert_int_equal(pipe(p), 0);
    pid_t child = fork();
    if (child == 0)
        no_room_child(dir, p[1]);
    close(p[1]);
    char text[2048] = "";
    size_t len = 0;
    ssize_t n;
    while ((n = read(p[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    close(p[0]);
    waitpid(child, NULL, 0);
    assert_true(str_starts(text, "ok cannot write to the journal '"));
    assert_non_null(strstr(text, dir));
    s = must_open(dir); // with room again, it goes on
    AUTO_JSON json_t *list = store_stage_list_new(s, "r", false, &err);
    assert_ok(advance(s, "r", (int)json_array_size(list), &err), &err);
    store_close(s);
    test_remove(dir);
}

static void test_store_folder_in_the_way_is_an_error_with_a_reason(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    AUTO_FREE char *file = path_join(dir, "state");
    struct err err;
    assert_ok(file_write(file, "x", 1, false, &err), &err);
    struct store *s = NULL;
    assert_true(store_open(file, &s, &err) < 0);
    assert_non_null(strstr(err.text, file));
    AUTO_FREE char *sub = path_join(dir, "ro");
    assert_ok(file_make_dirs(sub, &err), &err);
    AUTO_FREE char *db = path_join(sub, "baton.db");
    assert_ok(file_make_dirs(db, &err),
              &err); // a folder where the database should be: as unopenable as a read-only disk
    assert_true(store_open(sub, &s, &err) < 0);
    assert_non_null(strstr(err.text, "baton.db"));
    assert_null(s);
    test_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_survives_kill_in_the_middle_of_commits),
        cmocka_unit_test(test_store_two_processes_write_at_once),
        cmocka_unit_test(test_store_refuses_newer_and_foreign_databases),
        cmocka_unit_test(test_store_brings_an_old_journal_up_to_date),
        cmocka_unit_test(test_store_sets_aside_what_is_no_database),
        cmocka_unit_test(test_store_moves_unreadable_records_away),
        cmocka_unit_test(test_store_full_disk_is_an_error_with_a_reason),
        cmocka_unit_test(test_store_folder_in_the_way_is_an_error_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

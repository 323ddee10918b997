// Large files are read in parts by several threads: what comes out is what reading them from start to end gives.
#include "support/support.h"

#include "profile/profile.h"

#include "base/file.h"
#include "base/mem.h"

#include <string.h>

// A file of the fixture again and again, large enough to be parted.
static char *repeated(const char *name, size_t size)
{
    size_t len = 0;
    struct buf all = BUF_INIT;
    char *text = NULL, *dir = test_temp_dir();
    struct err err;
    AUTO_FREE char *relative = path_join("tests/fixtures/profile", name);
    AUTO_FREE char *source = test_source_path(relative);
    assert_ok(file_read(source, PERF_SCRIPT_PART_BYTES, &text, &len, &err), &err);
    while (all.len < size)
        buf_add(&all, text, len);
    char *path = path_join(dir, "large");
    mem_free(text);
    mem_free(dir);
    assert_ok(file_write(path, all.data, all.len, false, &err), &err);
    buf_free(&all);
    return path;
}

static void remove_with_folder(char *path)
{
    test_remove(path_dir(path));
    mem_free(path);
}

static void test_parts_are_the_whole(void **state)
{
    (void)state;
    char *path = repeated("fp.perf.txt", 3 * PERF_SCRIPT_PART_BYTES);
    struct buf out[2] = {BUF_INIT, BUF_INIT};
    struct err err;
    for (int i = 0; i < 2; i++) {
        struct perf_script *p = perf_script_new(NULL);
        assert_ok(perf_script_read_threads(p, path, i ? 3 : 1, &err), &err);
        perf_script_finish(p);
        const struct perf_script_stats *s = perf_script_stats(p);
        struct folded *f = folded_of_script(p);
        folded_write(f, &out[i]);
        buf_printf(&out[i], "%llu %llu %llu %s %zu\n", (unsigned long long)s->samples, (unsigned long long)s->weight,
                   (unsigned long long)s->lines, s->event, perf_script_frame_count(p));
        folded_free(f);
        perf_script_free(p);
    }
    assert_string_equal(buf_str(&out[0]), buf_str(&out[1]));
    assert_true(out[0].len > 1000);
    remove_with_folder(path);
    buf_free(&out[0]);
    buf_free(&out[1]);
}

static void test_parts_of_folded_text_are_the_whole(void **state)
{
    (void)state;
    struct buf text = BUF_INIT, out[2] = {BUF_INIT, BUF_INIT};
    char *dir = test_temp_dir();
    AUTO_FREE char *path = path_join(dir, "large");
    struct err err;
    for (unsigned i = 0; text.len < 2 * FOLDED_PART_BYTES + 1000; i++)
        buf_printf(&text, i % 1000 == 7 ? "no stack\n" : "main;a%u;b%u;std::vec::Vec<T>::push %u\n", i % 91, i % 1013,
                   i % 5 + 1);
    assert_ok(file_write(path, text.data, text.len, false, &err), &err);
    struct folded_read_stats stats[2];
    for (int i = 0; i < 2; i++) {
        struct folded *f = folded_new();
        assert_ok(folded_read_file(f, path, NULL, i ? 2 : 1, &stats[i], &err), &err);
        folded_write(f, &out[i]);
        folded_free(f);
    }
    assert_true(strcmp(buf_str(&out[0]), buf_str(&out[1])) == 0);
    assert_int_equal(stats[0].lines, stats[1].lines);
    assert_true(stats[0].bad_lines > 0);
    assert_int_equal(stats[0].bad_lines, stats[1].bad_lines);
    assert_int_equal(stats[0].first_bad_line, 8);
    assert_int_equal(stats[1].first_bad_line, 8);
    test_remove(dir);
    buf_free(&text);
    buf_free(&out[0]);
    buf_free(&out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_the_whole),
        cmocka_unit_test(test_parts_of_folded_text_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

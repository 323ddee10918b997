// perf_line, perf_script, perf_command: the grammar of perf's text, streaming, bounds, command lines.
#include "support/support.h"

#include "profile/intern.h"
#include "profile/perf_command.h"
#include "profile/perf_line.h"
#include "profile/perf_script.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static void assert_slice(struct slice s, const char *text)
{
    char *copy = str_ndup(s.at, s.len);
    assert_string_equal(copy, text);
    mem_free(copy);
}

static void assert_header(const char *line, const char *comm, uint32_t tid, uint64_t time, uint64_t period,
                          const char *event, const char *rest)
{
    struct perf_header h;
    if (!perf_line_header(line, strlen(line), &h))
        fail_msg("not a header: %s", line);
    assert_slice(h.comm, comm);
    assert_int_equal(h.tid, tid);
    assert_int_equal(h.time_ns, time);
    assert_int_equal(h.period, period);
    assert_slice(h.event, event);
    assert_slice(h.rest, rest);
}

static void test_header_forms(void **state)
{
    (void)state;
    assert_header("hot  8197   984.830028:    1003009 cpu-clock:u: ", "hot", 8197, 984830028000, 1003009, "cpu-clock:u",
                  "");
    assert_header("hot 8197/8199 [003]   984.830028036:  77 cycles:u: ", "hot", 8199, 984830028036, 77, "cycles:u", "");
    assert_header("          perf     1 [000] 2.000001: 1 cpu/event=0x3c,umask=0/u: ", "perf", 1, 2000001000, 1,
                  "cpu/event=0x3c,umask=0/u", "");
    assert_header("tokio-runtime w 12 1.500: 250 cycles: ", "tokio-runtime w", 12, 1500000000, 250, "cycles", "");
    assert_header("pool 2 io: 9 1.500: 250 cycles: ", "pool 2 io:", 9, 1500000000, 250, "cycles", "");
    assert_header("a 9 1.500: cycles: ", "a", 9, 1500000000, 1, "cycles", "");
    assert_header("a 9 250 cycles:ppp:", "a", 9, 0, 250, "cycles:ppp", "");
    assert_header("a 9 1.500: 250 cycles:u:   7f01 main+0x0 (/bin/a)", "a", 9, 1500000000, 250, "cycles:u",
                  "7f01 main+0x0 (/bin/a)");
}

static void test_header_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "hot", "hot 12", "hot x 1.5: cycles:", "12 words without an end",
                                      "a 9 1.5: 77"};
    struct perf_header h;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (perf_line_header(bad[i], strlen(bad[i]), &h))
            fail_msg("taken as a header: %s", bad[i]);
}

static void assert_frame(const char *line, uint64_t ip, const char *symbol, int64_t offset, const char *dso,
                         bool inlined)
{
    struct perf_frame_text f;
    if (!perf_line_frame(line, strlen(line), &f))
        fail_msg("not a frame: %s", line);
    assert_int_equal(f.ip, ip);
    assert_slice(f.symbol, symbol);
    assert_slice(f.dso, dso);
    assert_int_equal(f.has_offset, offset >= 0);
    if (offset >= 0)
        assert_int_equal(f.offset, offset);
    assert_int_equal(f.inlined, inlined);
}

static void test_frame_forms(void **state)
{
    (void)state;
    assert_frame("\t           147eb hot::main+0xeb (/tmp/hot)", 0x147eb, "hot::main", 0xeb, "/tmp/hot", false);
    assert_frame("14 <&dyn core::ops::function::Fn<(), Output = i32> as X<(A, B)>>::call+0x1f (/a)", 0x14,
                 "<&dyn core::ops::function::Fn<(), Output = i32> as X<(A, B)>>::call", 0x1f, "/a", false);
    assert_frame("1 std::rt::lang_start::{{closure}}+0xc (/a b/c (copy)/d (deleted))", 1,
                 "std::rt::lang_start::{{closure}}", 0xc, "/a b/c (copy)/d (deleted)", false);
    assert_frame("2 f (/x (deleted))", 2, "f", -1, "/x (deleted)", false);
    assert_frame("ff [unknown] ([unknown])", 0xff, "[unknown]", -1, "[unknown]", false);
    assert_frame("ff foo (inlined)", 0xff, "foo", -1, "", true);
    assert_frame("ff foo+0x10 (inlined)", 0xff, "foo", 0x10, "", true);
    assert_frame("ffffffff81000c82 asm_exc_page_fault+0x22 ([kernel.kallsyms])", 0xffffffff81000c82,
                 "asm_exc_page_fault", 0x22, "[kernel.kallsyms]", false);
    assert_frame("10 operator+(int)+0x4 (/a)", 0x10, "operator+(int)", 4, "/a", false);
    assert_frame("10 main+0x4", 0x10, "main", 4, "", false);
    assert_frame("10", 0x10, "[unknown]", -1, "", false);
    assert_frame("10 a+0x1 (odd", 0x10, "a+0x1 (odd", -1, "", false);
    struct perf_frame_text f;
    assert_false(perf_line_frame("xyz main (/a)", 13, &f));
    assert_false(perf_line_frame("12g main (/a)", 13, &f));
    assert_false(perf_line_frame("", 0, &f));
}

static void test_lost_records(void **state)
{
    (void)state;
    static const char line[] = "hot 8197 984.83: PERF_RECORD_LOST lost 12";
    uint64_t lost = 0;
    assert_true(perf_line_lost(line, strlen(line), &lost));
    assert_int_equal(lost, 12);
    assert_false(perf_line_lost("hot 1 1.5: 3 cycles:", 20, &lost));
}

static const char text[] = "# comment\n"
                           "a 1 1.000: 10 cycles:u: \n"
                           "\t 10 leaf+0x1 (/bin/a)\n"
                           "\t 20 main+0x2 (/bin/a)\n"
                           "\n"
                           "a 1 1.001: 30 cycles:u: \n"
                           "\t 10 leaf+0x1 (/bin/a)\n"
                           "\t 20 main+0x2 (/bin/a)\n"
                           "\n"
                           "a 1 1.002: 5 branches:u: \n"
                           "\t 10 leaf+0x1 (/bin/a)\n"
                           "\n"
                           "this line is not of perf\n"
                           "a 1 1.003: PERF_RECORD_LOST lost 7\n"
                           "a 1 1.004: 2 cycles:u: \n"
                           "\n"
                           "b 2 1.005: 4 cycles:u: \n"
                           "\t ffffffff81000000 entry+0x2 ([kernel.kallsyms])\n"
                           "\t not a frame\n"
                           "\t 20 main+0x2 (/bin/a)";

static void check_text(struct perf_script *p)
{
    const struct perf_script_stats *s = perf_script_stats(p);
    assert_string_equal(s->event, "cycles:u");
    assert_int_equal(s->samples, 3);
    assert_int_equal(s->weight, 44);
    assert_int_equal(s->lost, 7);
    assert_int_equal(s->other_events, 1);
    assert_int_equal(s->without_stack, 1);
    assert_int_equal(s->kernel_samples, 1);
    assert_int_equal(s->bad_lines, 2);
    assert_int_equal(s->first_bad_line, 13);
    assert_string_equal(s->first_bad, "this line is not of perf");
    assert_false(s->truncated);
    assert_int_equal(perf_script_stack_count(p), 2);
    struct perf_stack first = perf_script_stack(p, 0), second = perf_script_stack(p, 1);
    assert_int_equal(first.samples, 2);
    assert_int_equal(first.weight, 40);
    assert_int_equal(first.count, 2);
    assert_string_equal(first.comm, "a");
    assert_string_equal(perf_script_frame(p, first.frames[0])->symbol, "leaf"); // leaf first
    assert_int_equal(perf_script_frame(p, first.frames[0])->ip, 0x10);
    assert_string_equal(perf_script_frame(p, first.frames[1])->symbol, "main");
    assert_string_equal(perf_script_frame(p, first.frames[1])->dso, "/bin/a");
    assert_true(perf_script_frame(p, second.frames[0])->kernel);
    assert_int_equal(second.frames[1], first.frames[1]); // one number for the same line
}

static void test_script_in_one_piece_and_byte_by_byte(void **state)
{
    (void)state;
    struct perf_script *whole = perf_script_new(NULL), *bytes = perf_script_new("cycles:u");
    perf_script_feed(whole, text, strlen(text));
    perf_script_finish(whole);
    check_text(whole);
    for (size_t i = 0; i < strlen(text); i++)
        perf_script_feed(bytes, text + i, 1);
    perf_script_finish(bytes);
    check_text(bytes);
    perf_script_free(whole);
    perf_script_free(bytes);
}

static void test_script_of_another_event(void **state)
{
    (void)state;
    struct perf_script *p = perf_script_new("branches:u");
    perf_script_feed(p, text, strlen(text));
    perf_script_finish(p);
    assert_int_equal(perf_script_stats(p)->samples, 1);
    assert_int_equal(perf_script_stats(p)->other_events, 4);
    perf_script_free(p);
}

static void test_script_bounds_line_and_depth(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    buf_str_add(&b, "a 1 1.000: 10 cycles:u: \n");
    for (int i = 0; i < 600; i++)
        buf_printf(&b, "\t %d f%d+0x0 (/bin/a)\n", i + 16, i);
    buf_str_add(&b, "\n");
    for (size_t i = 0; i < PERF_SCRIPT_LINE_MAX + 10; i++)
        buf_char(&b, 'x');
    buf_str_add(&b, "\na 1 1.000: 10 cycles:u: \n\t 10 f0+0x0 (/bin/a)\n");
    for (size_t piece = 1000; piece <= b.len; piece += b.len - 1000) { // in pieces, then at once
        struct perf_script *p = perf_script_new(NULL);
        for (size_t at = 0; at < b.len; at += piece)
            perf_script_feed(p, b.data + at, b.len - at < piece ? b.len - at : piece);
        perf_script_finish(p);
        assert_int_equal(perf_script_stats(p)->samples, 2);
        assert_int_equal(perf_script_stats(p)->deep, 1);
        assert_int_equal(perf_script_stats(p)->bad_lines, 1);
        assert_int_equal(perf_script_stack(p, 0).count, PERF_SCRIPT_DEPTH_MAX);
        assert_string_equal(perf_script_frame(p, perf_script_stack(p, 0).frames[0])->symbol, "f0");
        perf_script_free(p);
    }
    buf_free(&b);
}

static void test_script_missing_file(void **state)
{
    (void)state;
    struct err err;
    struct perf_script *p = perf_script_new(NULL);
    assert_int_equal(perf_script_read_file(p, "/nonexistent/perf.txt", &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/perf.txt"));
    perf_script_free(p);
}

static char *joined(char **argv)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; argv[i]; i++)
        buf_printf(&b, i ? " %s" : "%s", argv[i]);
    str_list_free(argv);
    return buf_steal(&b);
}

static void test_command_lines(void **state)
{
    (void)state;
    const char *const command[] = {"./a b", "--x", NULL};
    struct perf_record_options o = {.output = "/tmp/perf.data"};
    char *record = joined(profile_perf_record_argv(&o, command));
    assert_string_equal(record, "perf record -e cpu-clock:u -F 997 --call-graph fp -o /tmp/perf.data -- ./a b --x");
    mem_free(record);
    o = (struct perf_record_options){.perf = "/usr/bin/perf",
                                     .output = "d",
                                     .hardware = true,
                                     .kernel = true,
                                     .frequency = 99,
                                     .unwind = PERF_UNWIND_DWARF};
    record = joined(profile_perf_record_argv(&o, command));
    assert_string_equal(record, "/usr/bin/perf record -e cycles -F 99 --call-graph dwarf,8192 -o d -- ./a b --x");
    mem_free(record);
    char *script = joined(profile_perf_script_argv(NULL, "d"));
    assert_string_equal(script, "perf script -i d -F comm,tid,time,period,event,ip,sym,symoff,dso --no-demangle "
                                "--no-inline --show-lost-events -f");
    mem_free(script);
}

static void test_intern_numbers_and_growth(void **state)
{
    (void)state;
    struct intern *t = intern_new();
    bool fresh;
    assert_int_equal(intern_bytes(t, "", 0, &fresh), 0);
    assert_true(fresh);
    for (uint32_t i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "name %u", i);
        assert_int_equal(intern_text(t, name), i + 1);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "name %u", i);
        assert_int_equal(intern_bytes(t, name, (size_t)n, &fresh), i + 1);
        assert_false(fresh);
        assert_string_equal(intern_data(t, i + 1), name);
        assert_int_equal(intern_len(t, i + 1), n);
    }
    assert_int_equal(intern_count(t), 20001);
    intern_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_forms),
        cmocka_unit_test(test_header_refuses),
        cmocka_unit_test(test_frame_forms),
        cmocka_unit_test(test_lost_records),
        cmocka_unit_test(test_script_in_one_piece_and_byte_by_byte),
        cmocka_unit_test(test_script_of_another_event),
        cmocka_unit_test(test_script_bounds_line_and_depth),
        cmocka_unit_test(test_script_missing_file),
        cmocka_unit_test(test_command_lines),
        cmocka_unit_test(test_intern_numbers_and_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

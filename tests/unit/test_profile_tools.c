// Profiles of other tools in, profiles for other tools out: what is read is what was counted, and what is written can
// be read again, by ourselves and by a decoder of the format.
#include "support/support.h"

#include "profile/callgrind_owner.h"
#include "profile/demangle.h"
#include "profile/dhat.h"
#include "profile/export.h"
#include "profile/growth.h"
#include "profile/hot_walk.h"
#include "profile/ranking.h"
#include "profile/read.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char *const roots[] = {"/example/src", NULL};
static const struct profile_options OPTIONS = {.project_roots = roots, .guess_owner = true};

static char *fixture(const char *name, size_t *ret_len)
{
    char *text = NULL;
    struct err err;
    AUTO_FREE char *relative = path_join("tests/fixtures/profile", name);
    AUTO_FREE char *path = test_source_path(relative);
    assert_ok(file_read(path, READ_TEXT_MAX, &text, ret_len, &err), &err);
    return text;
}

static struct profile *read_text(const char *text, size_t len)
{
    struct err err;
    struct profile *p = NULL;
    assert_ok(profile_read_text(text, len, &OPTIONS, &p, &err), &err);
    return p;
}

static struct profile *read_fixture(const char *name)
{
    struct err err;
    struct profile *p = NULL;
    AUTO_FREE char *relative = path_join("tests/fixtures/profile", name);
    AUTO_FREE char *path = test_source_path(relative);
    assert_ok(profile_read(path, &OPTIONS, NULL, &p, &err), &err);
    return p;
}

static const json_t *row_of(const json_t *rows, const char *function)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        if (str_eq(json_str(row, "short", ""), function))
            return row;
    fail_msg("no row of '%s'", function);
    abort(); // not reached: fail_msg leaves the test
}

static bool says(const json_t *row, const char *part)
{
    size_t i;
    json_t *text;
    json_array_foreach (json_list(row, "evidence"), i, text)
        if (strstr(json_string_value(text), part))
            return true;
    return false;
}

static void test_files_are_told_by_their_content(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum read_format format;
    } CASES[] = {
        {"PERFILE2\x01\x02", READ_PERF_DATA},
        {"hot 12 3.5: 1003009 cpu-clock:u: \n\t  55 main+0x1 (/a)\n\n", READ_PERF_SCRIPT},
        {"main;work;std::vec::Vec<T>::push 12\n", READ_FOLDED},
        {"# a comment\n[thread start];a b;c 3\n", READ_FOLDED},
        {"{\"meta\":{},\"threads\":[]}", READ_FIREFOX},
        {"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\"}", READ_SPEEDSCOPE},
        {"{\"dhatFileVersion\":2}", READ_DHAT},
        {"# callgrind format\nversion: 1\n", READ_CALLGRIND},
        {"version: 1\nevents: Ir\n", READ_CALLGRIND},
        {"fn main() {\n}\n", READ_UNKNOWN},
        {"{\"name\": 1}", READ_UNKNOWN},
        {"", READ_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(read_detect(CASES[i].text, strlen(CASES[i].text)), CASES[i].format);
    struct err err;
    struct profile *p = NULL;
    assert_int_equal(profile_read_text("fn main() {}\n", 13, &OPTIONS, &p, &err), -ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "perf.data"));
    assert_int_equal(profile_read("/no/such/file", &OPTIONS, NULL, &p, &err), -ERR_NOT_FOUND);
}

// The same table, whatever way a profile took.
static void assert_same_shares(const struct profile *a, const struct profile *b)
{
    json_t *rows = ranking_difference_new(a, b, 1);
    assert_true(json_array_size(rows) > 0);
    assert_true(fabs(json_num(json_array_get(rows, 0), "change_pct", 100)) < 1e-6);
    json_decref(rows);
}

static void test_written_and_read_again(void **state)
{
    (void)state;
    struct profile *p = read_fixture("fp.perf.txt");
    struct buf out = BUF_INIT;
    folded_write(p->folded, &out);
    struct profile *again = read_text(buf_str(&out), out.len);
    assert_string_equal(again->format, "folded");
    assert_int_equal(folded_total(again->folded), folded_total(p->folded));
    profile_free(again);
    buf_clear(&out);
    export_speedscope(p, "a \"name\"\n", &out);
    again = read_text(buf_str(&out), out.len);
    assert_string_equal(again->format, "speedscope");
    assert_int_equal(hot_total_weight(again->hot), hot_total_weight(p->hot));
    assert_same_shares(p, again);
    profile_free(again);
    buf_clear(&out);
    export_firefox(p, "t", &out);
    again = read_text(buf_str(&out), out.len);
    assert_string_equal(again->format, "firefox");
    assert_int_equal(profile_stats(again)->samples, profile_stats(p)->samples);
    assert_same_shares(p, again);
    profile_free(again);
    buf_free(&out);
    profile_free(p);
}

static void test_threads_of_speedscope_and_firefox(void **state)
{
    (void)state;
    static const char text[] =
        "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"shared\":{\"frames\":[{\"name\":\"a\"},"
        "{\"name\":\"b\"}]},\"profiles\":[{\"type\":\"sampled\",\"name\":\"one\",\"unit\":\"milliseconds\","
        "\"samples\":[[0,1],[0]],\"weights\":[2,1]},{\"type\":\"evented\",\"name\":\"two\",\"unit\":\"milliseconds\","
        "\"startValue\":0,\"events\":[{\"type\":\"O\",\"frame\":0,\"at\":0},{\"type\":\"O\",\"frame\":1,\"at\":1},"
        "{\"type\":\"C\",\"frame\":1,\"at\":4},{\"type\":\"C\",\"frame\":0,\"at\":4}]}]}";
    struct profile *p = read_text(text, strlen(text));
    assert_int_equal(hot_total_weight(p->hot), 7000000);
    assert_int_equal(profile_thread_count(p), 2);
    struct buf out = BUF_INIT;
    folded_write(p->folded, &out);
    assert_string_equal(buf_str(&out), "one;a 1000000\none;a;b 2000000\ntwo;a 1000000\ntwo;a;b 3000000\n");
    buf_clear(&out);
    export_firefox(p, "t", &out);
    AUTO_JSON json_t *firefox = json_parse_new(buf_str(&out), out.len, "firefox", NULL);
    assert_int_equal(json_array_size(json_list(firefox, "threads")), 2);
    buf_free(&out);
    profile_free(p);
}

// --- pprof ---

struct message { // fields of one protobuf message
    const unsigned char *at, *end;
};

static uint64_t varint(struct message *m)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        assert_true(m->at < m->end);
        unsigned char c = *m->at++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    fail_msg("a varint of more than ten bytes");
    return 0;
}

// The next field: its number; *ret_value for numbers, *ret_inner for bytes. 0: the end.
static unsigned field(struct message *m, uint64_t *ret_value, struct message *ret_inner)
{
    if (m->at == m->end)
        return 0;
    uint64_t tag = varint(m);
    *ret_value = varint(m);
    if ((tag & 7) == 2) {
        assert_true(*ret_value <= (uint64_t)(m->end - m->at));
        *ret_inner = (struct message){m->at, m->at + *ret_value};
        m->at += *ret_value;
    } else {
        assert_int_equal(tag & 7, 0);
    }
    return (unsigned)(tag >> 3);
}

static void test_pprof_is_what_its_decoder_reads(void **state)
{
    (void)state;
    struct profile *p = read_fixture("fp.perf.txt");
    struct buf out = BUF_INIT;
    struct err err;
    assert_ok(export_pprof(p, "title", &out, &err), &err);
    unsigned char *plain = mem_alloc(1 << 22);
    z_stream z = {.next_in = (Bytef *)out.data, .avail_in = (uInt)out.len, .next_out = plain, .avail_out = 1 << 22};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    struct message all = {plain, plain + z.total_out}, inner = {0}, value = {0};
    inflateEnd(&z);
    uint64_t v, samples = 0, locations = 0, functions = 0, strings = 0, types = 0, weight = 0, highest = 0;
    for (unsigned f; (f = field(&all, &v, &inner)) != 0;) {
        types += f == 1;
        locations += f == 4;
        functions += f == 5;
        if (f == 6 && strings++ == 0)
            assert_int_equal(v, 0); // the first string is empty
        if (f != 2)
            continue;
        uint64_t ignored;
        assert_int_equal(field(&inner, &ignored, &value), 1); // locations of the sample
        while (value.at < value.end) {
            uint64_t id = varint(&value);
            assert_true(id > 0);
            highest = id > highest ? id : highest;
        }
        assert_int_equal(field(&inner, &ignored, &value), 2); // its two values
        samples += varint(&value);
        weight += varint(&value);
        assert_true(value.at == value.end);
    }
    assert_int_equal(types, 2);
    assert_int_equal(samples, profile_stats(p)->samples);
    assert_int_equal(weight, hot_total_weight(p->hot));
    assert_int_equal(locations, hot_frame_count(p->hot));
    assert_true(highest <= locations);
    assert_int_equal(functions, hot_function_count(p->hot));
    assert_true(strings > functions / 2);
    mem_free(plain);
    buf_free(&out);
    profile_free(p);
}

// --- callgrind ---

static struct callgrind *count(const char *name)
{
    struct err err;
    size_t len = 0;
    AUTO_FREE char *text = fixture(name, &len);
    struct callgrind *c = callgrind_new();
    assert_ok(callgrind_add(c, text, len, &err), &err);
    callgrind_finish(c);
    return c;
}

static const struct callgrind_function *counted(const struct callgrind *c, const char *part)
{
    for (uint32_t i = 0; i < callgrind_function_count(c); i++)
        if (strstr(callgrind_function_at(c, i)->name, part))
            return callgrind_function_at(c, i);
    fail_msg("no function '%s'", part);
    abort(); // not reached
}

static void test_callgrind_counts(void **state)
{
    (void)state;
    struct callgrind *c = count("grow-40.callgrind");
    assert_int_equal(callgrind_total(c, CALLGRIND_INSTRUCTIONS), 108854); // as valgrind printed it
    assert_int_equal(counted(c, "4grow4find")->called, 40);
    assert_int_equal(counted(c, "4grow6unique")->called, 1);
    assert_string_equal(counted(c, "4grow4find")->file, "/example/src/grow.rs");
    assert_true(callgrind_has_syscalls(c));
    struct err err;
    struct profile *p = NULL;
    assert_ok(profile_of_callgrind(c, &OPTIONS, &p, &err), &err);
    struct callgrind_owned *owned = callgrind_owned_new(c, p);
    const struct ranking_facts facts = {.counts = c, .owned = owned};
    AUTO_JSON json_t *rows = ranking_new(p, &facts, 20, 20);
    const json_t *find = row_of(rows, "grow::find");
    assert_string_equal(json_str(find, "file", ""), "grow.rs");
    assert_int_equal(json_int(find, "called", 0), 40);
    assert_true(says(find, "in what it calls outside of the project"));
    assert_true(json_array_size(json_list(find, "lines")) > 0);
    callgrind_owned_free(owned);
    profile_free(p);
    callgrind_free(c);
    static const char stripped[] = "events: Ir\nob=/usr/bin/sort\nfn=0x00000000000037d0\n0 2\n";
    c = callgrind_new();
    assert_ok(callgrind_add(c, stripped, strlen(stripped), &err), &err);
    callgrind_finish(c);
    assert_string_equal(callgrind_function_at(c, 0)->name, "sort+0x37d0");
    callgrind_free(c);
    static const char wrong[] = "events: Ir\nfn=(1) a\n1 2\nfn=(2\n";
    c = callgrind_new();
    assert_int_equal(callgrind_add(c, wrong, strlen(wrong), &err), -ERR_PARSE);
    assert_non_null(strstr(err.text, "line 4 is \"fn=(2\""));
    callgrind_free(c);
}

static void test_system_calls_are_charged_to_who_makes_them(void **state)
{
    (void)state;
    static const char text[] =
        "events: Ir sysCount sysTime\n"
        "ob=(1) /example/target/x\nfl=(1) /example/src/a.c\n"
        "fn=(1) main\n1 1000\ncfn=(2) save\ncalls=1 5\n2 400 300 9\ncfn=(3) think\ncalls=1 9\n3 9000\n"
        "fn=(2)\n5 100\ncob=(2) /lib/libc.so.6\ncfi=(2) /usr/src/write.c\ncfn=(4) write\ncalls=300 1\n6 300 300 9\n"
        "fn=(3)\n9 9000\n"
        "ob=(2)\nfl=(2)\nfn=(4)\n1 300 300 9\n";
    struct err err;
    struct profile *p = NULL;
    struct callgrind *c = callgrind_new();
    assert_ok(callgrind_add(c, text, strlen(text), &err), &err);
    callgrind_finish(c);
    assert_ok(profile_of_callgrind(c, &OPTIONS, &p, &err), &err);
    struct callgrind_owned *owned = callgrind_owned_new(c, p);
    struct ranking_facts facts = {.counts = c, .owned = owned};
    json_t *rows = ranking_new(p, &facts, 20, 0);
    assert_string_equal(json_str(json_array_get(rows, 0), "function", ""), "think");
    assert_true(says(row_of(rows, "save"), "300 system calls below it, 100 % of all"));
    assert_true(says(row_of(rows, "save"), "loops: calls write 300 times in one call"));
    json_decref(rows);
    facts.user_ns = 1000; // the run spent nine tenths of its time in the kernel
    facts.sys_ns = 9000;
    rows = ranking_new(p, &facts, 20, 0);
    assert_string_equal(json_str(json_array_get(rows, 0), "function", ""), "save");
    json_decref(rows);
    callgrind_owned_free(owned);
    profile_free(p);
    callgrind_free(c);
}

static void test_growth_names_the_function_and_the_loop_around_it(void **state)
{
    (void)state;
    struct callgrind *c[2] = {count("grow-40.callgrind"), count("grow-80.callgrind")};
    struct growth_point points[2];
    for (size_t i = 0; i < 2; i++) {
        struct err err;
        struct profile *p = NULL;
        assert_ok(profile_of_callgrind(c[i], &OPTIONS, &p, &err), &err);
        points[i] = (struct growth_point){i ? 80 : 40, c[i], callgrind_owned_new(c[i], p)};
        profile_free(p);
    }
    const struct crate_roots where = {roots, NULL};
    AUTO_JSON json_t *growth = growth_new(points, 2, &where, 20);
    const json_t *rows = json_list(growth, "rows"), *find = json_array_get(rows, 0);
    assert_string_equal(json_str(find, "short", ""), "grow::find");
    assert_true(json_num(find, "exponent", 0) > 1.7);
    assert_string_equal(json_str(find, "loop_owner", ""), "grow::unique");
    assert_true(says(row_of(rows, "grow::unique"), "loop owner: below it grow::find is called 40 → 80 times"));
    assert_true(json_num(row_of(rows, "grow::count"), "exponent", 9) < 1.3);
    const json_t *finding = json_array_get(json_list(growth, "findings"), 0);
    assert_string_equal(json_str(finding, "kind", ""), "quadratic");
    assert_string_equal(json_str(finding, "file", ""), "grow.rs");
    assert_int_equal(json_array_size(json_list(growth, "findings")), 1);
    for (size_t i = 0; i < 2; i++) {
        callgrind_owned_free((struct callgrind_owned *)(uintptr_t)points[i].owned);
        callgrind_free(c[i]);
    }
    const double sizes[] = {1, 2, 4}, costs[] = {3, 12, 48}, gap[] = {0, 1, 2};
    assert_true(fabs(growth_exponent(sizes, costs, 3) - 2) < 1e-9);
    assert_true(isnan(growth_exponent(sizes, gap, 3)));
}

// --- memory ---

static json_t *memory_of(const char *text, size_t len, struct profile **ret)
{
    struct err err;
    struct dhat *d = NULL;
    assert_ok(dhat_parse(text, len, &d, &err), &err);
    assert_ok(dhat_profile(d, &OPTIONS, ret, &err), &err);
    json_t *memory = dhat_json_new(d, *ret, 40);
    dhat_free(d);
    return memory;
}

static void test_blocks_are_charged_to_lines_of_the_project(void **state)
{
    (void)state;
    size_t len = 0;
    struct profile *p = NULL;
    AUTO_FREE char *text = fixture("grow-40.dhat.json", &len);
    AUTO_JSON json_t *memory = memory_of(text, len, &p);
    size_t i;
    json_t *site;
    bool cloned = false, formatted = false;
    json_array_foreach (json_list(memory, "sites"), i, site) {
        const char *function = json_str(site, "short", ""), *what = json_str(site, "what", "");
        cloned |= str_eq(function, "grow::unique") && str_eq(what, "clone") && json_int(site, "blocks", 0) == 40 &&
                  json_int(site, "line", 0) == 11;
        formatted |= str_eq(function, "grow::main") && str_eq(what, "format") && json_int(site, "blocks", 0) == 40;
    }
    assert_true(cloned && formatted);
    assert_string_equal(p->unit, "bytes");
    assert_int_equal(hot_total_weight(p->hot), json_int(json_obj(memory, "total"), "bytes", 0));
    AUTO_JSON json_t *same = dhat_difference_new(memory, memory, 40);
    assert_int_equal(json_array_size(json_list(same, "sites")), 0);
    profile_free(p);
}

static void test_hot_places_that_allocate_are_findings(void **state)
{
    (void)state;
    static const char text[] =
        "{\"dhatFileVersion\":2,\"cmd\":\"x\",\"te\":1000000,\"pps\":["
        "{\"tb\":64000,\"tbk\":2000,\"tl\":4000000,\"gb\":32,\"gbk\":1,\"eb\":0,\"ebk\":0,\"fs\":[1,2,3]},"
        "{\"tb\":99000,\"tbk\":12,\"tl\":900000,\"gb\":9000,\"gbk\":1,\"eb\":0,\"ebk\":0,\"fs\":[1,4,5]},"
        "{\"tb\":48000,\"tbk\":1500,\"tl\":1500000,\"gb\":0,\"gbk\":0,\"eb\":0,\"ebk\":0,\"fs\":[1,6]}],"
        "\"ftbl\":[\"[root]\",\"0x1: malloc (in /usr/libexec/valgrind/vgpreload_dhat-amd64-linux.so)\","
        "\"0x2: clone<u8> (/rustc/abc/library/alloc/src/vec/mod.rs:1)\",\"0x3: a::copy (/example/src/a.rs:7)\","
        "\"0x4: grow_one<u8> (/rustc/abc/library/alloc/src/raw_vec.rs:1)\",\"0x5: a::fill (/example/src/a.rs:20)\","
        "\"0x6: a::raw (/example/src/a.rs:30)\"]}";
    static const char *const KINDS[][2] = {{"a::copy", "borrow"}, {"a::fill", "pre-allocate"}, {"a::raw", "reuse"}};
    struct profile *p = NULL;
    AUTO_JSON json_t *memory = memory_of(text, strlen(text), &p);
    size_t found = 0, i;
    json_t *finding;
    json_array_foreach (json_list(memory, "findings"), i, finding)
        for (size_t k = 0; k < ARRAY_LEN(KINDS); k++)
            found += str_eq(json_str(finding, "function", ""), KINDS[k][0]) &&
                     str_eq(json_str(finding, "kind", ""), KINDS[k][1]) &&
                     str_eq(json_str(finding, "file", ""), "a.rs");
    assert_int_equal(found, ARRAY_LEN(KINDS));
    profile_free(p);
    struct err err;
    struct dhat *d = NULL;
    assert_int_equal(dhat_parse("{\"dhatFileVersion\":1}", 21, &d, &err), -ERR_PARSE);
}

// --- shown stacks ---

static void test_frames_of_runtimes_are_one(void **state)
{
    (void)state;
    static const char text[] =
        "app::main;rayon::iter::go;core::ops::call;rayon_core::join::a;rayon_core::join::b;app::work;memcpy 4\n"
        "app::main;tokio::spawn;app::work 2\n"
        "app::main;tokio::run;tokio::park;std::thread::park 3\n";
    struct profile *p = NULL;
    struct err err;
    struct buf out = BUF_INIT;
    static const char *const crates[] = {"app", NULL};
    struct profile_options options = {.crates = crates};
    assert_ok(profile_read_text(text, strlen(text), &options, &p, &err), &err);
    folded_write(p->folded, &out);
    assert_string_equal(buf_str(&out), "app::main;[async runtime];std::thread::park 3\n"
                                       "app::main;[rayon];app::work;memcpy 4\n"
                                       "app::main;tokio::spawn;app::work 2\n");
    profile_free(p);
    options.every_frame = true;
    assert_ok(profile_read_text(text, strlen(text), &options, &p, &err), &err);
    buf_clear(&out);
    folded_write(p->folded, &out);
    assert_non_null(strstr(buf_str(&out), "rayon_core::join::a;rayon_core::join::b;app::work"));
    buf_free(&out);
    profile_free(p);
}

static void test_a_picture_of_what_changed(void **state)
{
    (void)state;
    static const char before[] = "main;old 50\nmain;same 50\n", after[] = "main;new 100\nmain;same 300\n";
    struct profile *a = read_text(before, strlen(before)), *b = read_text(after, strlen(after));
    struct folded *pair = folded_pair_new(a->folded, b->folded);
    struct buf svg = BUF_INIT;
    struct err err;
    assert_true(folded_is_pair(pair));
    assert_ok(flamegraph_write(pair, &(struct flamegraph_options){.title = "t"}, &svg, &err), &err);
    assert_non_null(strstr(buf_str(&svg), "new\n100 samples, 25.00 % (before 0.00 %, +25.00)"));
    assert_non_null(strstr(buf_str(&svg), "same\n300 samples, 75.00 % (before 50.00 %, +25.00)"));
    assert_null(strstr(buf_str(&svg), "<title>old")); // it is gone
    assert_non_null(strstr(buf_str(&svg), "50.0 % of before is gone"));
    buf_free(&svg);
    folded_free(pair);
    json_t *rows = ranking_difference_new(a, b, 10);
    assert_int_equal(json_array_size(rows), 4);
    assert_string_equal(json_str(json_array_get(rows, 0), "function", ""), "old");
    assert_true(fabs(json_num(json_array_get(rows, 0), "change_pct", 0) + 50) < 1e-9);
    json_decref(rows);
    profile_free(a);
    profile_free(b);
}

static void test_closures_belong_to_the_function_around_them(void **state)
{
    (void)state;
    static const struct {
        const char *name, *outer;
    } CASES[] = {{"a::main::{{closure}}", "a::main"},
                 {"a::main::{closure#0}::{closure#12}", "a::main"},
                 {"<a::S as core::fmt::Debug>::fmt::{closure#1}", "<a::S as core::fmt::Debug>::fmt"},
                 {"a::main", "a::main"},
                 {"{closure#0}", "{closure#0}"},
                 {"", ""}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(demangle_outer(CASES[i].name), strlen(CASES[i].outer));
    static const char text[] = "a::main;a::find;a::find::{{closure}};memcmp 6\na::main;a::find 1\na::main 3\n";
    static const char *const crates[] = {"a", NULL};
    const struct profile_options options = {.crates = crates};
    const struct ranking_facts facts = {0};
    struct profile *p = NULL;
    struct err err;
    assert_ok(profile_read_text(text, strlen(text), &options, &p, &err), &err);
    AUTO_JSON json_t *rows = ranking_new(p, &facts, 10, 0);
    assert_string_equal(json_str(json_array_get(rows, 0), "function", ""), "a::find");
    assert_true(fabs(json_num(json_array_get(rows, 0), "owned_pct", 0) - 70) < 1e-9);
    assert_true(says(json_array_get(rows, 0), "memcmp 60.0 %"));
    assert_true(says(json_array_get(rows, 0), "for comparing 60.0 %"));
    profile_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_told_by_their_content),
        cmocka_unit_test(test_written_and_read_again),
        cmocka_unit_test(test_threads_of_speedscope_and_firefox),
        cmocka_unit_test(test_pprof_is_what_its_decoder_reads),
        cmocka_unit_test(test_callgrind_counts),
        cmocka_unit_test(test_system_calls_are_charged_to_who_makes_them),
        cmocka_unit_test(test_growth_names_the_function_and_the_loop_around_it),
        cmocka_unit_test(test_blocks_are_charged_to_lines_of_the_project),
        cmocka_unit_test(test_hot_places_that_allocate_are_findings),
        cmocka_unit_test(test_frames_of_runtimes_are_one),
        cmocka_unit_test(test_a_picture_of_what_changed),
        cmocka_unit_test(test_closures_belong_to_the_function_around_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

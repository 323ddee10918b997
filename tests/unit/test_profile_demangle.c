// demangle: both schemes, against names recorded from real programs and case by case; short names; crates.
#include "support/support.h"

#include "profile/demangle.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct pair {
    const char *in, *out;
};

static void check(const struct pair *pairs, size_t n, char *(*f)(const char *))
{
    for (size_t i = 0; i < n; i++) {
        char *got = f(pairs[i].in);
        if (strcmp(got, pairs[i].out) != 0)
            fail_msg("%s\n  gives    %s\n  expected %s", pairs[i].in, got, pairs[i].out);
        mem_free(got);
    }
}

static void test_recorded_names(void **state)
{
    (void)state;
    char *path = test_source_path("tests/fixtures/profile/names.tsv"), *text = test_read(path);
    size_t n;
    char **lines = str_split(text, "\n", true, &n);
    assert_true(n > 300);
    for (size_t i = 0; i < n; i++) {
        char *tab = strchr(lines[i], '\t');
        assert_non_null(tab);
        *tab = '\0';
        check(&(struct pair){lines[i], tab + 1}, 1, demangle);
    }
    str_list_free(lines);
    mem_free(text);
    mem_free(path);
}

static void test_legacy(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"_ZN3hot4main17h28c0ab870516aaa7E", "hot::main"},
        {"_ZN3hot4main17h28c0ab870516aaa7E.llvm.123", "hot::main"},
        {"__ZN3hot4main17h28c0ab870516aaa7E", "hot::main"},
        {"_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h8c507c98f25de309E",
         "std::rt::lang_start::{{closure}}"},
        {"_ZN43_$LT$hot..S$LT$T$GT$$u20$as$u20$hot..Go$GT$2go17hba67a6ceda832948E", "<hot::S<T> as hot::Go>::go"},
        {"_ZN4a$RF$b4$BP$c1d17h28c0ab870516aaa7E", "_ZN4a$RF$b4$BP$c1d17h28c0ab870516aaa7E"}, // lengths do not fit
        {"_ZN5a$RF$6b$BP$c17h28c0ab870516aaa7E", "a&::b*c"},
        {"_ZN3a.b3c$x17h28c0ab870516aaa7E", "a.b::c$x"},
        {"_ZN6$u41$_17h28c0ab870516aaa7E", "A_"},
        {"_ZN6$u0a$_17h28c0ab870516aaa7E", "$u0a$_"}, // control characters stay escaped
    };
    check(pairs, ARRAY_LEN(pairs), demangle);
}

static void test_v0(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"_RNvC6_123foo3bar", "123foo::bar"},
        {"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
        {"_RNvCs1234_7mycrate3foo.llvm.8", "mycrate::foo"},
        {"_RNvNvC1a4mainu8mdchen_e7b", "_RNvNvC1a4mainu8mdchen_e7b"}, // length does not fit
        {"_RNCNvC1a4main0B3_", "a::main::{closure#0}"},
        {"_RNCNvC1a4mains_0B3_", "a::main::{closure#1}"},
        {"_RNCNvC1a4main3fooB3_", "a::main::{closure:foo#0}"},
        {"_RNSNvC1a4mains_3refB3_", "a::main::{shim:ref#1}"},
        {"_RNZNvC1a4main0B3_", "a::main::{Z#0}"},
        {"_RNvMC1aNtB2_1S3new", "<a::S>::new"},
        {"_RNvXs_C1aNtB4_1SNtB4_1T3run", "<a::S as a::T>::run"},
        {"_RNvYhNtC1a1T3run", "<u8 as a::T>::run"},
        {"_RINvC1a1fhjaE", "a::f::<u8, usize, i8>"},
        {"_RINvC1a1fINtC1b1VRShEE", "a::f::<b::V<&[u8]>>"},
        {"_RINvC1a1fQTElPhOaE", "a::f::<&mut (), i32, *const u8, *mut i8>"},
        {"_RINvC1a1fThETheEE", "a::f::<(u8,), (u8, str)>"},
        {"_RINvC1a1fAhj10_E", "a::f::<[u8; 16]>"},
        {"_RINvC1a1fFEuE", "a::f::<fn()>"},
        {"_RINvC1a1fFUKChEmE", "a::f::<unsafe extern \"C\" fn(u8) -> u32>"},
        {"_RINvC1a1fFK7stdcallEuE", "a::f::<extern \"stdcall\" fn()>"},
        {"_RINvC1a1fFG_RL0_hEuE", "a::f::<for<'a> fn(&'a u8)>"},
        {"_RINvC1a1fDNtC1b1TEL_E", "a::f::<dyn b::T>"},
        {"_RINvC1a1fDNtC1b1TNtB5_1UEL_E", "_RINvC1a1fDNtC1b1TNtB5_1UEL_E"}, // B5_ is no path
        {"_RINvC1a1fDINtC1b2FnThEEp6OutputlEL_E", "a::f::<dyn b::Fn<(u8,), Output = i32>>"},
        {"_RINvC1a1fDNtC1b4Iterp4ItemhEL_E", "a::f::<dyn b::Iter<Item = u8>>"},
        {"_RINvC1a1fKj7b_E", "a::f::<123>"},
        {"_RINvC1a1fKanb_E", "a::f::<-11>"},
        {"_RINvC1a1fKb1_Kb0_E", "a::f::<true, false>"},
        {"_RINvC1a1fKc27_Kca_E", "a::f::<'\\'', '\\n'>"},
        {"_RINvC1a1fKcac_E", "a::f::<'\xc2\xac'>"},
        {"_RINvC1a1fKpE", "a::f::<_>"},
        {"_RINvC1a1fKRe616263_E", "a::f::<\"abc\">"},
        {"_RINvC1a1fKe61_E", "a::f::<{*\"a\"}>"},
        {"_RINvC1a1fKTj1_j2_EE", "a::f::<{(1, 2)}>"},
        {"_RINvC1a1fKAj1_j2_EE", "a::f::<{[1, 2]}>"},
        {"_RINvC1a1fKVNtC1b1SS1xj1_EE", "a::f::<{b::S { x: 1 }}>"},
        {"_RINvC1a1fKVNtC1b1STj1_EE", "a::f::<{b::S(1)}>"},
        {"_RINvC1a1fKVNtC1b1SUE", "a::f::<{b::S}>"},
        {"_RINvC1a1fKo10000000000000000_E", "a::f::<0x10000000000000000>"},
        {"_RNvCa4foo", "_RNvCa4foo"},
        {"_RINvC1a1fzE", "a::f::<!>"},
        {"_RINvC1a1fhEC3bin", "a::f::<u8>"}, // instantiating crate
        {"_RNvC1au10mnchen_3ya", "a::münchen"},
        {"_RNvC1au8gdel_5qa", "a::gödel"},
        {"_RNvC1au1__", "a::punycode{_}"},
    };
    check(pairs, ARRAY_LEN(pairs), demangle);
}

static void test_unknown_is_unchanged(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "main",
        "_",
        "_R",
        "_ZN",
        "_ZNE",
        "malloc",
        "[unknown]",
        "__libc_start_main",
        "_ZN3foo3barEv",                  // C++
        "_ZN3foo3barE",                   // no hash
        "_ZN3foo3bar17h28c0ab870516aaa7", // no end
        "_ZN99999999999999999999999993fooE",
        "_RNvC6_123foo3ba",
        "_RNvC1a1bgarbage",
        "_RB_",
        "_RNvB_1a",
        "_RIC0",
        "_RNvC1a1b\xff",
        "_RNvC1a99999999999999999999b",
        "_RNvCszzzzzzzzzzzzzzzzzzz_1a1b",
        "_RMC0",
        "_RINvC1a1fRL5_hE", // lifetime that is not bound
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check(&(struct pair){names[i], names[i]}, 1, demangle);
}

// Depth and doubling back references: neither the stack nor time may run out.
static void test_hostile_symbols_are_bounded(void **state)
{
    (void)state;
    struct buf deep = BUF_INIT;
    buf_str_add(&deep, "_RINvC1a1f");
    for (int i = 0; i < 8000; i++)
        buf_char(&deep, 'R');
    buf_str_add(&deep, "hE");
    check(&(struct pair){deep.data, deep.data}, 1, demangle);
    buf_free(&deep);

    static const char *const doubling =
        "_RINvC1a1fTTTTTTTTTTTTTTTTTTTTTTTThhEB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_"
        "EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EB5_EE";
    check(&(struct pair){doubling, doubling}, 1, demangle);

    struct buf lists = BUF_INIT; // each tuple names the one before twice: 2^40 letters
    buf_str_add(&lists, "_RINvC1a1fThhE");
    size_t at = 8;
    for (int i = 0; i < 40; i++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        size_t v = at - 1;
        at = lists.len - 2;
        char ref[8] = {'B', digits[v / 62 % 62], digits[v % 62], '_', '\0'};
        if (v < 62)
            memcpy(ref, (char[]){'B', digits[v], '_', '\0'}, 4);
        buf_printf(&lists, "T%s%sE", ref, ref);
    }
    buf_char(&lists, 'E');
    char *name = demangle(lists.data);
    assert_true(strlen(name) <= DEMANGLE_OUTPUT_MAX);
    mem_free(name);
    buf_free(&lists);
}

static void test_short_names(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"main", "main"},
        {"[libc.so.6]", "[libc.so.6]"},
        {"hot::main", "hot::main"},
        {"hot::main::{closure#0}", "hot::main::{closure}"},
        {"hot::a::b::{{closure}}", "a::b::{closure}"},
        {"<alloc::vec::Vec<u8> as core::clone::Clone>::clone", "<Vec<u8> as Clone>::clone"},
        {"<alloc::vec::Vec<u8>>::push", "Vec<u8>::push"},
        {"<[u64]>::sort_by::<hot::main::{closure#2}>", "<[u64]>::sort_by"},
        {"core::slice::sort::stable::driftsort_main::<u64, <[u64]>::sort_by<x::y>::{closure#0}>",
         "stable::driftsort_main"},
        {"hashbrown::raw::RawTable<T,A>::reserve_rehash", "RawTable<T,A>::reserve_rehash"},
        {"core::ptr::drop_in_place<alloc::vec::Vec<alloc::string::String>>", "ptr::drop_in_place<Vec<String>>"},
        {"core::ptr::drop_in_place::<alloc::vec::Vec<u8>>", "ptr::drop_in_place::<Vec<u8>>"},
        {"<&dyn core::ops::Fn<(), Output = i32> as core::ops::FnOnce<()>>::call_once",
         "<&dyn Fn<(), Output = i32> as FnOnce<()>>::call_once"},
        {"<fn() -> a::b::C as a::T>::go", "<fn() -> C as T>::go"},
        {"<a::W<a::f::{closure#1}>>::go", "W<f::{closure}>::go"},
    };
    check(pairs, ARRAY_LEN(pairs), demangle_short);
}

static void test_crates(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"main", ""},
        {"[unknown]", ""},
        {"hot::main", "hot"},
        {"<alloc::vec::Vec<T>>::push", "alloc"},
        {"<u64 as core::fmt::Display>::fmt", "core"},
        {"<T as hot::Go>::go", "hot"},
        {"<[u64]>::sort_by::<hot::main::{closure#2}>", "core"},
        {"<&mut hot::S as core::X>::f", "hot"},
        {"", ""},
        {"<", ""},
        {"a:b", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        size_t len;
        const char *at = demangle_crate(pairs[i].in, &len);
        char *got = str_ndup(at, len);
        assert_string_equal(got, pairs[i].out);
        mem_free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_names),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_v0),
        cmocka_unit_test(test_unknown_is_unchanged),
        cmocka_unit_test(test_hostile_symbols_are_bounded),
        cmocka_unit_test(test_short_names),
        cmocka_unit_test(test_crates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

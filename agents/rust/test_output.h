// What `cargo test` prints (libtest's plain format): which tests ran and how each ended. Bounded; lines that are not of the
// format are passed over.
#pragma once

#include "json/json.h"

#include <stddef.h>

#define TEST_NAMES_MAX ((size_t)100000)

struct test_counts {
    size_t passed, failed, ignored;
    size_t programs; // "running … tests" lines
    size_t binaries; // "test result:" lines: fewer than programs when one crashed
};

// Object {"<test program>::<test>": "ok|failed|ignored"} and the counts of the summary lines. New reference.
// Names are made unique by the header line before them ("Running tests/x.rs (…)", "Doc-tests x"); cargo writes those to standard
// error, so for standard output alone by the number of the test program ("running 3 tests" begins one).
// Line numbers of documentation tests are left out; a second test of the same name gets " #2" behind it.
json_t *test_output_parse_new(const char *text, size_t len, struct test_counts *ret);

// Tests that were "ok" before and are not "ok" after (failed or gone). Array of names, new reference.
json_t *test_output_lost_new(const json_t *before, const json_t *after);

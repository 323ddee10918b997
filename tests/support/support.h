// Shared by all test programs: cmocka with its includes, temporary folders, fixture reading.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

char *test_temp_dir(void);                    // new folder below $TMPDIR, owned by the caller; remove with test_remove
void test_remove(char *path_consumed);        // removes the tree and frees the string
char *test_read(const char *path);            // whole file or a failed test; owned by the caller
char *test_source_path(const char *relative); // below the source tree; owned by the caller
// A control group can be made that does. Looked at here and not by what is tested, which could be wrong about it.
bool test_can_limit_processes(void);

#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, (err)->text);                                                                    \
    } while (0)

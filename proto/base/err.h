// The error value. A function that can fail returns int: >= 0 success, a negative enum err_code failure, and
// fills `struct err *` when it is given one (NULL is allowed everywhere). The text says what failed with the
// subject in quotes, what was expected and what to do; small letter first, no full stop.
#pragma once

#include "base/attr.h"

enum err_code {
    ERR_OK = 0,
#define X(code, name, meaning, status) ERR_##code,
#include "tbl/errors.def"
#undef X
    ERR_COUNT_
};

#define ERR_TEXT_MAX 1024

struct err {
    enum err_code code;
    char text[ERR_TEXT_MAX]; // cut at a UTF-8 boundary, "…" marks the cut
};

// Fills err (if not NULL) and returns -code, so that `return err_set(...)` is one line.
int err_set(struct err *err, enum err_code code, const char *fmt, ...) ATTR_PRINTF(3, 4);
// As err_set, with ": <strerror(errno_value)>" behind the text. Code is chosen from errno_value
// (ENOENT -> NOT_FOUND, EEXIST -> EXISTS, EACCES/EPERM -> DENIED, otherwise IO).
int err_sys(struct err *err, int errno_value, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Puts "prefix: " before the text that is there and returns -err->code (-ERR_INTERNAL for a NULL or clear err).
int err_wrap(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);
void err_clear(struct err *err);

const char *err_name(enum err_code code); // "not_found"; "ok" for ERR_OK
int err_exit_status(enum err_code code);

// must(x): a bug if false, the process stops. Stays on in release builds.
#define must(x) ((x) ? (void)0 : must_failed(#x, __FILE__, __LINE__))
void must_failed(const char *what, const char *file, int line) ATTR_NORETURN;

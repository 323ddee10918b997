// Profiles that other tools have recorded: files in, a profile out. What a file is, is told by its content; gzip is
// undone. All of it is outside bytes: bounded, and a file that does not fit is an error that says where.
#pragma once

#include "profile/profile.h"

#define READ_JSON_MAX ((size_t)64 << 20)
#define READ_TEXT_MAX ((size_t)2 << 30)
#define READ_NAME_MAX 256

enum read_format {
    READ_UNKNOWN,
    READ_PERF_DATA, // of perf record: `perf script` must make it text first
    READ_PERF_SCRIPT,
    READ_FOLDED,
    READ_FIREFOX,
    READ_SPEEDSCOPE,
    READ_CALLGRIND,
    READ_DHAT,
};

const char *read_format_name(enum read_format format);
// By the first bytes, of which a few thousand are enough. READ_UNKNOWN: none of them.
enum read_format read_detect(const char *data, size_t len);

// Reads a file of any format but perf.data and DHAT. *ret_format (may be NULL) is set also on failure. Errors:
// ERR_NOT_FOUND, ERR_DENIED, ERR_IO, ERR_LIMIT (too large), ERR_PARSE, ERR_UNSUPPORTED (one of those two, or unknown).
int profile_read(const char *path, const struct profile_options *options, enum read_format *ret_format,
                 struct profile **ret, struct err *err);
// The same of text that ends with NUL (not counted in len), without gzip and perf script.
int profile_read_text(const char *text, size_t len, const struct profile_options *options, struct profile **ret,
                      struct err *err);
// The file's format, after gzip was undone. Errors as above.
int profile_read_format(const char *path, enum read_format *ret, struct err *err);

#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Texts quote what came from outside; nobody's terminal shall be steered by it. Line breaks and tabs stay.
static void make_plain(char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n\t");
        char end = text[n];
        text[n] = '\0';
        str_make_plain(text);
        text[n] = end;
        text += n + (end != '\0');
    }
}

static void fill(struct err *err, enum err_code code, char *text)
{
    make_plain(text);
    err->code = code;
    size_t len = strlen(text);
    if (len < ERR_TEXT_MAX) {
        memcpy(err->text, text, len + 1);
        return;
    }
    size_t keep = str_utf8_cut(text, ERR_TEXT_MAX - 4);
    memcpy(err->text, text, keep);
    memcpy(err->text + keep, "…", sizeof("…"));
}

ATTR_PRINTF(2, 0) static void format(char out[2 * ERR_TEXT_MAX], const char *fmt, va_list args)
{
    if (vsnprintf(out, (size_t)2 * ERR_TEXT_MAX, fmt, args) < 0)
        strcpy(out, "(message could not be formatted)");
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (err) {
        char text[2 * ERR_TEXT_MAX];
        va_list args;
        va_start(args, fmt);
        format(text, fmt, args);
        va_end(args);
        fill(err, code, text);
    }
    return -(int)code;
}

static enum err_code code_of_errno(int value)
{
    switch (value) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_IO;
    }
}

int err_sys(struct err *err, int errno_value, const char *fmt, ...)
{
    enum err_code code = code_of_errno(errno_value);
    if (err) {
        char text[2 * ERR_TEXT_MAX];
        va_list args;
        va_start(args, fmt);
        format(text, fmt, args);
        va_end(args);
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, ": %s", strerror(errno_value));
        fill(err, code, text);
    }
    return -(int)code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err || err->code == ERR_OK)
        return -ERR_INTERNAL;
    char text[2 * ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    format(text, fmt, args);
    va_end(args);
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len, ": %s", err->text);
    fill(err, err->code, text);
    return -(int)err->code;
}

void err_clear(struct err *err)
{
    if (err) {
        err->code = ERR_OK;
        err->text[0] = '\0';
    }
}

static const struct {
    const char *name;
    int status;
} CODES[ERR_COUNT_] = {
    [ERR_OK] = {"ok", 0},
#define X(code, code_name, meaning, exit_status) [ERR_##code] = {code_name, exit_status},
#include "tbl/errors.def"
#undef X
};

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_COUNT_ ? CODES[code].name : "unknown";
}

int err_exit_status(enum err_code code)
{
    return (unsigned)code < ERR_COUNT_ ? CODES[code].status : 70;
}

void must_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "baton: bug: %s is false at %s:%d\n", what, file, line);
    abort();
}

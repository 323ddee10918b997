#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level threshold = LOG_WARN;
static bool as_json;

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, bool json)
{
    threshold = level;
    as_json = json;
}

bool log_level_from_name(const char *name, enum log_level *ret)
{
    for (unsigned i = 0; i < ARRAY_LEN(LEVELS); i++) {
        if (str_eq(name, LEVELS[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level <= threshold;
}

static void add_quoted(struct buf *b, const char *s)
{
    buf_char(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            buf_printf(b, "\\u%04x", c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

void log_fact(enum log_level level, const char *event, ...)
{
    if (!log_enabled(level))
        return;
    char when[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), when);
    struct buf line = BUF_INIT;
    if (as_json)
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when, LEVELS[level], event);
    else
        buf_printf(&line, "%s %-5s %s", when, LEVELS[level], event);
    va_list args;
    va_start(args, event);
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        buf_printf(&line, as_json ? ",\"%s\":" : " %s=", key);
        add_quoted(&line, value ? value : "");
    }
    va_end(args);
    buf_str_add(&line, as_json ? "}\n" : "\n");
    ssize_t ignored = write(STDERR_FILENO, line.data, line.len);
    (void)ignored;
    buf_free(&line);
}

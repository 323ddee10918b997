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

// Length of the character at s, 0 when it is none.
static size_t character(const char *s)
{
    for (size_t n = 1; n <= 4 && strnlen(s, n) == n; n++)
        if (str_utf8_valid(s, n))
            return n;
    return 0;
}

static void add_quoted(struct buf *b, const char *s)
{
    buf_char(b, '"');
    while (*s) {
        unsigned char c = (unsigned char)*s;
        size_t n = character(s);
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            buf_printf(b, "\\u%04x", c);
        else if (n)
            buf_add(b, s, n);
        else
            buf_str_add(b, "\xEF\xBF\xBD");
        s += n ? n : 1;
    }
    buf_char(b, '"');
}

static void begin_line(struct buf *line, enum log_level level, const char *event, const char *run)
{
    char when[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), when);
    if (!as_json) {
        buf_printf(line, "%s %-5s %s%s%s", when, LEVELS[level], event, run ? " run=" : "", run ? run : "");
        return;
    }
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"run\":", when, LEVELS[level], event);
    if (run)
        add_quoted(line, run);
    else
        buf_str_add(line, "null");
    buf_str_add(line, ",\"fields\":");
}

static void end_line(struct buf *line)
{
    buf_str_add(line, as_json ? "}\n" : "\n");
    ssize_t ignored = write(STDERR_FILENO, line->data, line->len);
    (void)ignored;
    buf_free(line);
}

static const char *run_of(va_list args)
{
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (str_eq(key, "run"))
            return value;
    }
    return NULL;
}

void log_fact(enum log_level level, const char *event, ...)
{
    if (!log_enabled(level))
        return;
    struct buf line = BUF_INIT;
    va_list args;
    va_start(args, event);
    begin_line(&line, level, event, run_of(args));
    va_end(args);
    va_start(args, event);
    const char *key, *before = as_json ? "{" : "";
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (str_eq(key, "run"))
            continue;
        buf_printf(&line, as_json ? "%s\"%s\":" : "%s %s=", before, key);
        add_quoted(&line, value ? value : "");
        before = as_json ? "," : "";
    }
    va_end(args);
    if (as_json)
        buf_str_add(&line, *before == '{' ? "{}" : "}");
    end_line(&line);
}

void log_event(enum log_level level, const char *event, const char *run, const char *fields)
{
    if (!log_enabled(level))
        return;
    struct buf line = BUF_INIT;
    begin_line(&line, level, event, run);
    if (!as_json)
        buf_char(&line, ' ');
    buf_str_add(&line, fields);
    end_line(&line);
}

// A header is read token by token from the left up to the event, because a comm may be anything but the tid, time and
// event behind it are regular. A frame is read from both ends, because only its middle, the symbol, is irregular.
#include "profile/perf_line.h"

#include <string.h>

#define TOKENS_MAX 64

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static struct slice trim(struct slice s)
{
    while (s.len && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && (is_blank(s.at[s.len - 1]) || s.at[s.len - 1] == '\r'))
        s.len--;
    return s;
}

// The next token of *rest, empty at the end.
static struct slice next_token(struct slice *rest)
{
    while (rest->len && is_blank(rest->at[0])) {
        rest->at++;
        rest->len--;
    }
    struct slice token = {rest->at, 0};
    while (token.len < rest->len && !is_blank(rest->at[token.len]))
        token.len++;
    rest->at += token.len;
    rest->len -= token.len;
    return token;
}

static bool read_decimal(struct slice s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 19)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.at[i]))
            return false;
        v = v * 10 + (uint64_t)(s.at[i] - '0');
    }
    *ret = v;
    return true;
}

static size_t read_hex(const char *at, size_t len, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;
    while (n < len && n < 16 && hex_value(at[n]) >= 0)
        v = v << 4 | (uint64_t)hex_value(at[n++]);
    *ret = v;
    return n;
}

// seconds.fraction: with 3 to 9 digits of fraction
static bool read_time(struct slice s, uint64_t *ret_ns)
{
    if (s.len < 3 || s.at[s.len - 1] != ':')
        return false;
    const char *dot = memchr(s.at, '.', s.len);
    if (!dot)
        return false;
    struct slice whole = {s.at, (size_t)(dot - s.at)};
    struct slice part = {dot + 1, s.len - whole.len - 2};
    uint64_t seconds, fraction;
    if (part.len > 9 || whole.len > 10 || !read_decimal(whole, &seconds) || !read_decimal(part, &fraction))
        return false;
    for (size_t i = part.len; i < 9; i++)
        fraction *= 10;
    *ret_ns = seconds * UINT64_C(1000000000) + fraction;
    return true;
}

static bool read_tid(struct slice s, uint32_t *ret)
{
    const char *slash = memchr(s.at, '/', s.len);
    if (slash) {
        struct slice pid = {s.at, (size_t)(slash - s.at)};
        uint64_t ignored;
        if (!read_decimal(pid, &ignored))
            return false;
        s.len -= pid.len + 1;
        s.at = slash + 1;
    }
    uint64_t v;
    if (!read_decimal(s, &v) || v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool is_event(struct slice s)
{
    if (s.len < 2 || s.at[s.len - 1] != ':')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)(s.at[i] | 0x20) >= 'a' && (unsigned char)(s.at[i] | 0x20) <= 'z')
            return true;
    return false;
}

// Tokens behind the tid: [cpu], time, period, event, each optional but the event.
static bool read_after_tid(struct slice rest, bool need_time, struct perf_header *h)
{
    h->time_ns = 0;
    h->period = 1;
    struct slice token = next_token(&rest);
    if (token.len > 2 && token.at[0] == '[' && is_digit(token.at[1]) && token.at[token.len - 1] == ']')
        token = next_token(&rest);
    if (read_time(token, &h->time_ns))
        token = next_token(&rest);
    else if (need_time)
        return false;
    if (read_decimal(token, &h->period))
        token = next_token(&rest);
    if (!is_event(token))
        return false;
    h->event = (struct slice){token.at, token.len - 1};
    h->rest = trim(rest);
    return true;
}

static bool read_header(const char *line, size_t len, bool need_time, struct perf_header *ret)
{
    struct slice all = trim((struct slice){line, len}), rest = all;
    for (int i = 0; i < TOKENS_MAX && rest.len; i++) {
        struct slice token = next_token(&rest);
        struct perf_header h = {.comm = trim((struct slice){all.at, (size_t)(token.at - all.at)})};
        // the comm is never empty, but without the comm field the line starts with the tid
        if (token.len && read_tid(token, &h.tid) && read_after_tid(rest, need_time, &h)) {
            *ret = h;
            return true;
        }
    }
    return false;
}

bool perf_line_header(const char *line, size_t len, struct perf_header *ret)
{
    // a comm like "pool 2 io:" looks like "comm tid event:"; the time, nearly always there, tells them apart
    return read_header(line, len, true, ret) || read_header(line, len, false, ret);
}

// Start of the last " (" whose parenthesis is closed by the end of the line; s.len when there is none.
static size_t open_parenthesis(struct slice s)
{
    size_t depth = 0;
    for (size_t i = s.len; i-- > 0;) {
        if (s.at[i] == ')')
            depth++;
        else if (s.at[i] == '(' && depth > 0 && --depth == 0)
            return i > 0 && is_blank(s.at[i - 1]) ? i : s.len;
    }
    return s.len;
}

// With offsets printed, "+0x<hex> (" marks the end of the symbol even when the path holds parentheses.
static bool split_at_offset(struct slice s, struct perf_frame_text *f)
{
    for (size_t i = s.len; i-- > 0;) {
        if (s.at[i] != '+' || s.len - i < 4 || s.at[i + 1] != '0' || s.at[i + 2] != 'x')
            continue;
        size_t digits = read_hex(s.at + i + 3, s.len - i - 3, &f->offset);
        size_t end = i + 3 + digits;
        if (digits == 0 || (end < s.len && !(s.len - end >= 3 && s.at[end] == ' ' && s.at[end + 1] == '(')))
            continue;
        f->has_offset = true;
        f->symbol = (struct slice){s.at, i};
        f->dso = end < s.len ? (struct slice){s.at + end + 2, s.len - end - 3} : (struct slice){s.at, 0};
        return true;
    }
    return false;
}

bool perf_line_frame(const char *line, size_t len, struct perf_frame_text *ret)
{
    struct slice s = trim((struct slice){line, len});
    struct perf_frame_text f = {0};
    size_t digits = read_hex(s.at, s.len, &f.ip);
    if (digits == 0 || (digits < s.len && !is_blank(s.at[digits])))
        return false;
    s = trim((struct slice){s.at + digits, s.len - digits});
    bool closed = s.len && s.at[s.len - 1] == ')';
    if (!split_at_offset(s, &f) || (f.dso.len && !closed)) {
        f.has_offset = false;
        size_t open = closed ? open_parenthesis(s) : s.len;
        f.symbol = trim((struct slice){s.at, open});
        f.dso = open < s.len ? (struct slice){s.at + open + 1, s.len - open - 2} : (struct slice){s.at, 0};
    }
    if (f.dso.len == 7 && memcmp(f.dso.at, "inlined", 7) == 0) {
        f.inlined = true;
        f.dso.len = 0;
    }
    if (f.symbol.len == 0)
        f.symbol = (struct slice){"[unknown]", 9};
    *ret = f;
    return true;
}

bool perf_line_lost(const char *line, size_t len, uint64_t *ret)
{
    static const char mark[] = "PERF_RECORD_LOST";
    const char *at = memmem(line, len, mark, sizeof(mark) - 1);
    if (!at)
        return false;
    struct slice rest = {at, len - (size_t)(at - line)};
    next_token(&rest);
    struct slice word = next_token(&rest);
    struct slice number = trim(next_token(&rest));
    return word.len == 4 && memcmp(word.at, "lost", 4) == 0 && read_decimal(number, ret);
}

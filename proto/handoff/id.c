#include "handoff/handoff_id.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool parse_stamp(const char *s, struct tm *ret)
{
    static const char form[] = "dddd-dd-ddTdd-dd-dd";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    struct tm t = {0};
    t.tm_year = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0') - 1900;
    t.tm_mon = (s[5] - '0') * 10 + (s[6] - '0') - 1;
    t.tm_mday = (s[8] - '0') * 10 + (s[9] - '0');
    t.tm_hour = (s[11] - '0') * 10 + (s[12] - '0');
    t.tm_min = (s[14] - '0') * 10 + (s[15] - '0');
    t.tm_sec = (s[17] - '0') * 10 + (s[18] - '0');
    struct tm copy = t;
    timegm(&copy); // normalises, so that a date which does not exist comes out changed
    *ret = t;
    return copy.tm_mon == t.tm_mon && copy.tm_mday == t.tm_mday && copy.tm_hour == t.tm_hour &&
           copy.tm_min == t.tm_min && copy.tm_sec == t.tm_sec;
}

bool handoff_id_valid(const char *id)
{
    struct tm t;
    if (!id || strnlen(id, HANDOFF_ID_MAX) >= HANDOFF_ID_MAX || !parse_stamp(id, &t) || id[HANDOFF_STAMP_LEN] != '-')
        return false;
    const char *suffix = id + HANDOFF_STAMP_LEN + 1;
    return *suffix >= 'a' && *suffix <= 'z' && suffix[strspn(suffix, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

const char *handoff_id_suffix(const char *valid_id)
{
    return valid_id + HANDOFF_STAMP_LEN + 1;
}

void handoff_id_make(int64_t wall_ns, const char *role, char out[HANDOFF_ID_MAX])
{
    char stamp[CLOCK_TEXT_MAX];
    clock_handoff_stamp(wall_ns, stamp);
    size_t n = (size_t)snprintf(out, HANDOFF_ID_MAX, "%.19s-", stamp), start = n;
    for (const char *p = role ? role : ""; *p && n < HANDOFF_ID_MAX - 1; p++) {
        char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        bool letter = c >= 'a' && c <= 'z';
        if (letter || (n > start && out[n - 1] != '-'))
            out[n++] = letter ? c : '-';
    }
    while (n > start && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (n == start)
        memcpy(out + n, "agent", sizeof("agent"));
    must(handoff_id_valid(out));
}

void handoff_id_next(const char *valid_id, char out[HANDOFF_ID_MAX])
{
    struct tm t = {0};
    must(handoff_id_valid(valid_id) && parse_stamp(valid_id, &t));
    char stamp[CLOCK_TEXT_MAX];
    t.tm_sec++;
    timegm(&t);
    if (t.tm_year + 1900 > 9999) // the grammar has four digits; nothing lies behind them
        t.tm_year = 9998 - 1900;
    must(strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H-%M-%S", &t) == HANDOFF_STAMP_LEN);
    snprintf(out, HANDOFF_ID_MAX, "%s%s", stamp, valid_id + HANDOFF_STAMP_LEN);
}

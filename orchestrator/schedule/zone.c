// Rules that the code does not show:
// - Times before the first transition have the offset of the first type that is not daylight saving time; times behind
// the last one
//   follow the rule in the footer, if there is one.
// - Counts come from the file: each is checked against its length before anything is read.
#include "schedule/zone.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "schedule/civil.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE    "/usr/share/zoneinfo"
#define HEADER      44
#define TYPES_MAX   256
#define OFFSET_MOST (26 * 3600)
#define NAME_MOST   64
#define RULE_MOST   (167 * 3600) // time of day in a rule, either way

enum rule_kind { RULE_JULIAN, RULE_DAY, RULE_WEEK };

struct rule { // when the clocks change, every year
    enum rule_kind kind;
    int month, week, day;
    int32_t time; // local seconds of that day
};

struct zone {
    size_t count;
    int64_t *at;     // of transitions, growing
    int32_t *offset; // behind each
    int32_t first;   // before all of them
    bool has_tail, has_dst;
    int32_t standard, saving;
    struct rule start, end; // of daylight saving time
};

struct zone *zone_free(struct zone *z)
{
    if (!z)
        return NULL;
    mem_free(z->at);
    mem_free(z->offset);
    mem_free(z);
    return NULL;
}

// --- the rule behind the last transition: a POSIX TZ text ---

static bool take_number(const char **p, int most, int *ret)
{
    if (**p < '0' || **p > '9')
        return false;
    int n = 0;
    for (; **p >= '0' && **p <= '9' && n <= most; ++*p)
        n = n * 10 + (**p - '0');
    *ret = n;
    return n <= most;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

// [+-]hh[:mm[:ss]]
static bool take_time(const char **p, int hours_most, int32_t *ret)
{
    int sign = **p == '-' ? -1 : 1, h = 0, m = 0, s = 0;
    if (**p == '-' || **p == '+')
        ++*p;
    if (!take_number(p, hours_most, &h))
        return false;
    if (take_char(p, ':') && !take_number(p, 59, &m))
        return false;
    if (take_char(p, ':') && !take_number(p, 59, &s))
        return false;
    *ret = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_name(const char **p)
{
    const char *begin = *p;
    if (*begin == '<') {
        const char *end = strchr(begin, '>');
        *p = end ? end + 1 : begin;
        return end != NULL;
    }
    while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
        ++*p;
    return *p - begin >= 3;
}

static bool take_rule(const char **p, struct rule *r)
{
    *r = (struct rule){.kind = RULE_DAY, .time = 2 * 3600};
    if (take_char(p, 'M')) {
        r->kind = RULE_WEEK;
        if (!take_number(p, 12, &r->month) || r->month < 1 || !take_char(p, '.') || !take_number(p, 5, &r->week) ||
            r->week < 1 || !take_char(p, '.') || !take_number(p, 6, &r->day))
            return false;
    } else {
        r->kind = take_char(p, 'J') ? RULE_JULIAN : RULE_DAY;
        if (!take_number(p, 365, &r->day) || (r->kind == RULE_JULIAN && r->day < 1))
            return false;
    }
    return !take_char(p, '/') || take_time(p, RULE_MOST / 3600, &r->time);
}

// "CET-1CEST,M3.5.0,M10.5.0/3". West is positive there, east is here.
static bool parse_tail(struct zone *z, const char *text)
{
    const char *p = text;
    int32_t west = 0;
    if (!take_name(&p) || !take_time(&p, 24, &west))
        return false;
    z->standard = -west;
    z->has_tail = true;
    if (!*p)
        return true;
    if (!take_name(&p))
        return false;
    z->saving = z->standard + 3600;
    if (*p != ',') {
        if (!take_time(&p, 24, &west))
            return false;
        z->saving = -west;
    }
    z->has_dst = take_char(&p, ',') && take_rule(&p, &z->start) && take_char(&p, ',') && take_rule(&p, &z->end);
    return z->has_dst && !*p;
}

// Local seconds at which the rule applies in a year.
static int64_t rule_local(const struct rule *r, int64_t year)
{
    if (r->kind == RULE_DAY)
        return (civil_days(year, 1, 1) + r->day) * DAY_S + r->time;
    if (r->kind == RULE_JULIAN) { // the 29th of February is not counted
        bool leap = civil_days(year, 3, 1) - civil_days(year, 2, 1) == 29;
        return (civil_days(year, 1, 1) + r->day - 1 + (leap && r->day >= 60)) * DAY_S + r->time;
    }
    int64_t first = civil_days(year, r->month, 1);
    int64_t next = r->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, r->month + 1, 1);
    struct civil c;
    civil_of(first * DAY_S, &c);
    int64_t day = first + (r->day - c.weekday + 7) % 7 + 7 * (r->week - 1);
    while (day >= next) // week 5 is the last one
        day -= 7;
    return day * DAY_S + r->time;
}

static int32_t tail_offset(const struct zone *z, int64_t utc)
{
    if (!z->has_dst)
        return z->standard;
    struct civil c;
    civil_of(utc + z->standard, &c);
    int64_t start = rule_local(&z->start, c.year) - z->standard, end = rule_local(&z->end, c.year) - z->saving;
    bool saving = start < end ? utc >= start && utc < end : utc >= start || utc < end;
    return saving ? z->saving : z->standard;
}

// --- the file ---

static int64_t big_endian(const unsigned char *p, size_t bytes)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct header {
    size_t utc, standard, leap, times, types, chars;
    char version;
};

static bool read_header(const unsigned char *p, size_t len, struct header *h)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *counts[] = {&h->utc, &h->standard, &h->leap, &h->times, &h->types, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t n = big_endian(p + 20 + 4 * i, 4);
        if (n < 0 || n > (int64_t)ZONE_FILE_MAX)
            return false;
        *counts[i] = (size_t)n;
    }
    h->version = (char)p[4];
    return true;
}

static size_t body_bytes(const struct header *h, size_t time_bytes)
{
    return h->times * (time_bytes + 1) + h->types * 6 + h->chars + h->leap * (time_bytes + 4) + h->standard + h->utc;
}

static bool read_body(struct zone *z, const unsigned char *p, const struct header *h, size_t time_bytes)
{
    const unsigned char *indices = p + h->times * time_bytes, *types = indices + h->times;
    z->at = mem_array(h->times + 1, sizeof(*z->at));
    z->offset = mem_array(h->times + 1, sizeof(*z->offset));
    z->count = h->times;
    bool found = false;
    for (size_t i = h->types; i > 0; i--) {
        int64_t offset = big_endian(types + 6 * (i - 1), 4);
        if (offset < -OFFSET_MOST || offset > OFFSET_MOST)
            return false;
        if (!types[6 * (i - 1) + 4] || !found)
            z->first = (int32_t)offset;
        found = found || !types[6 * (i - 1) + 4];
    }
    for (size_t i = 0; i < h->times; i++) {
        z->at[i] = big_endian(p + i * time_bytes, time_bytes);
        if (indices[i] >= h->types || (i && z->at[i] <= z->at[i - 1]))
            return false;
        z->offset[i] = (int32_t)big_endian(types + 6 * (size_t)indices[i], 4);
    }
    return true;
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_PARSE, "the data of the time zone is damaged, or of a kind that is not known here");
}

int zone_parse(const void *data, size_t len, struct zone **ret, struct err *err)
{
    const unsigned char *p = data, *end = p + len;
    struct header h;
    size_t time_bytes = 4;
    if (!read_header(p, len, &h))
        return damaged(err);
    if (h.version >= '2') { // the same again, with 64 bits
        size_t skip = HEADER + body_bytes(&h, 4);
        if (skip > len || !read_header(p + skip, len - skip, &h))
            return damaged(err);
        p += skip;
        time_bytes = 8;
    }
    p += HEADER;
    if (body_bytes(&h, time_bytes) > (size_t)(end - p) || h.types == 0 || h.types > TYPES_MAX)
        return damaged(err);
    if (h.leap)
        return err_set(err, ERR_UNSUPPORTED,
                       "the time zone counts leap seconds; use the one without 'right/' before its name");
    struct zone *z = mem_alloc(sizeof(*z));
    bool good = read_body(z, p, &h, time_bytes);
    p += body_bytes(&h, time_bytes);
    if (good && time_bytes == 8 && p < end && *p == '\n') {
        const unsigned char *stop = memchr(p + 1, '\n', (size_t)(end - p) - 1);
        AUTO_FREE char *tail = stop ? str_ndup((const char *)p + 1, (size_t)(stop - p) - 1) : NULL;
        good = tail && (!*tail || parse_tail(z, tail));
    }
    if (!good) {
        zone_free(z);
        return damaged(err);
    }
    *ret = z;
    return 0;
}

static bool is_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    return len > 0 && len <= NAME_MOST && name[0] != '/' && !strstr(name, "..") &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-") == len;
}

int zone_load(const char *name, struct zone **ret, struct err *err)
{
    const char *dir = getenv("TZDIR");
    struct err own;
    err = err ? err : &own;
    if (!is_name(name))
        return err_set(err, ERR_INVALID, "'%s' is no name of a time zone, as 'Europe/Berlin' is one", name ? name : "");
    if (str_eq(name, "UTC")) { // needs no database
        struct zone *z = mem_alloc(sizeof(*z));
        z->has_tail = true;
        *ret = z;
        return 0;
    }
    AUTO_FREE char *path = path_join(dir && *dir ? dir : DATABASE, name);
    char *data = NULL;
    size_t len = 0;
    if (!file_exists(path) || file_is_dir(path))
        return err_set(err, ERR_NOT_FOUND, "there is no time zone '%s' in '%s' (Debian's package tzdata)", name,
                       dir && *dir ? dir : DATABASE);
    int r = file_read(path, ZONE_FILE_MAX, &data, &len, err);
    if (r >= 0)
        r = zone_parse(data, len, ret, err);
    mem_free(data);
    return r < 0 ? err_wrap(err, "time zone '%s'", name) : 0;
}

char *zone_of_machine(void)
{
    char link[256];
    const char *env = getenv("TZ");
    if (env && *env == ':')
        env++;
    if (is_name(env) && (str_eq(env, "UTC") || strchr(env, '/')))
        return str_dup(env);
    ssize_t n = readlink("/etc/localtime", link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = '\0';
    const char *name = strstr(link, "zoneinfo/");
    name = name ? name + strlen("zoneinfo/") : NULL;
    return str_dup(is_name(name) && !str_eq(name, "Etc/UTC") ? name : "UTC");
}

// --- questions ---

int32_t zone_offset(const struct zone *z, int64_t utc)
{
    if (z->has_tail && (z->count == 0 || utc >= z->at[z->count - 1]))
        return tail_offset(z, utc);
    if (z->count == 0 || utc < z->at[0])
        return z->first;
    size_t low = 0, high = z->count; // at[low] <= utc < at[high]
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (z->at[middle] <= utc)
            low = middle;
        else
            high = middle;
    }
    return z->offset[low];
}

// The first moment, within two days around, from which on the clocks show more than `local`.
static int64_t moment_of_gap(const struct zone *z, int64_t local)
{
    int64_t low = local - 2 * DAY_S, high = local + 2 * DAY_S;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (middle + zone_offset(z, middle) > local)
            high = middle;
        else
            low = middle;
    }
    return high;
}

int zone_instants(const struct zone *z, int64_t local, int64_t ret[2])
{
    int n = 0;
    int32_t before = zone_offset(z, local - 2 * DAY_S), after = zone_offset(z, local + 2 * DAY_S);
    int32_t offsets[] = {before > after ? before : after, before > after ? after : before};
    for (int i = 0; i < 2; i++) // the larger offset gives the earlier moment
        if (zone_offset(z, local - offsets[i]) == offsets[i] && (n == 0 || offsets[i] != offsets[0]))
            ret[n++] = local - offsets[i];
    if (n == 0)
        ret[0] = moment_of_gap(z, local);
    return n;
}

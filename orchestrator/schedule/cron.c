#include "schedule/cron.h"

#include "base/mem.h"
#include "base/str.h"
#include "schedule/civil.h"

#include <string.h>
#include <strings.h>

#define DAYS_LOOKED (9 * 366) // a 29th of February is at most eight years away
#define ALL_HOURS   0xFFFFFFu

struct field {
    const char *name;
    int least, most;
    const char *const *names; // of least, least + 1, …; NULL: none
    size_t name_count;
};

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const struct field FIELDS[] = {{"minute", 0, 59, NULL, 0},
                                      {"hour", 0, 23, NULL, 0},
                                      {"day of month", 1, 31, NULL, 0},
                                      {"month", 1, 12, MONTHS, ARRAY_LEN(MONTHS)},
                                      {"day of week", 0, 7, WEEKDAYS, ARRAY_LEN(WEEKDAYS)}};
static const struct {
    const char *name, *text;
} SHORT[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
             {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};

// --- parsing ---

static int bad(const struct field *f, const char *text, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "the field '%s' (%s) of the cron expression: %s; it takes %d to %d%s, lists, ranges and steps",
                   f->name, text, what, f->least, f->most, f->names ? " or names of three letters" : "");
}

static bool number_of(const struct field *f, const char *text, int *ret)
{
    int64_t n = 0;
    for (size_t i = 0; i < f->name_count; i++) {
        if (strcasecmp(text, f->names[i]) == 0) {
            *ret = f->least + (int)i;
            return true;
        }
    }
    if (!*text || strlen(text) > 2 || strspn(text, "0123456789") != strlen(text) || !str_to_i64(text, &n) ||
        n < f->least || n > f->most)
        return false;
    *ret = (int)n;
    return true;
}

// One part of a list: *, a, a-b, each but the second with /step. The text is taken apart.
static int parse_part(const struct field *f, const char *whole, char *part, uint64_t *bits, struct err *err)
{
    int from = f->least, to = f->most;
    int64_t step = 1;
    char *slash = strchr(part, '/'), *dash = NULL;
    if (slash) {
        *slash = '\0';
        if (strspn(slash + 1, "0123456789") != strlen(slash + 1) || strlen(slash + 1) > 3 ||
            !str_to_i64(slash + 1, &step) || step < 1)
            return bad(f, whole, "a step is a number from 1 on", err);
    }
    if (!str_eq(part, "*")) {
        dash = strchr(part, '-');
        if (dash)
            *dash = '\0';
        if (!number_of(f, part, &from) || (dash && !number_of(f, dash + 1, &to)))
            return bad(f, whole, "that is not understood", err);
        if (!dash && slash)
            return bad(f, whole, "a step needs a range or '*' before it", err);
        if (!dash)
            to = from;
        if (from > to)
            return bad(f, whole, "a range goes upwards; write two of them", err);
    } else if (f->most == 7) {
        to = 6; // Sunday is both 0 and 7: '*' and its steps count it once
    }
    for (int64_t n = from; n <= to; n += step)
        *bits |= UINT64_C(1) << n;
    return 0;
}

static int parse_field(const struct field *f, const char *text, uint64_t *ret, struct err *err)
{
    uint64_t bits = 0;
    size_t count = 0;
    int r = 0;
    char **parts = str_split(text, ",", false, &count);
    for (size_t i = 0; i < count && r == 0; i++)
        r = parse_part(f, text, parts[i], &bits, err);
    str_list_free(parts);
    if (r == 0 && !bits)
        r = bad(f, text, "it is empty", err);
    *ret = bits;
    return r;
}

static const char *written_out(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(SHORT); i++)
        if (strcasecmp(text, SHORT[i].name) == 0)
            return SHORT[i].text;
    return text;
}

static int parse_fields(char *const *fields, struct cron *ret, struct err *err)
{
    uint64_t bits[ARRAY_LEN(FIELDS)];
    for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
        int r = parse_field(&FIELDS[i], fields[i], &bits[i], err);
        if (r < 0)
            return r;
    }
    if (bits[4] & 1 << 7)
        bits[4] |= 1;
    *ret = (struct cron){.minutes = bits[0],
                         .hours = (uint32_t)bits[1],
                         .days = (uint32_t)bits[2],
                         .months = (uint32_t)bits[3],
                         .weekdays = (uint32_t)bits[4] & 0x7F,
                         .any_day = fields[2][0] == '*',
                         .any_weekday = fields[4][0] == '*'};
    return 0;
}

int cron_parse(const char *text, struct cron *ret, struct err *err)
{
    if (strlen(text) > CRON_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "the cron expression is longer than %d bytes", CRON_TEXT_MAX);
    if (strcasecmp(text, "@reboot") == 0)
        return err_set(err, ERR_UNSUPPORTED, "'@reboot' is no time; the service manager starts things at boot");
    size_t count = 0;
    char **fields = str_split(written_out(text), " \t", true, &count);
    struct cron cron = {0};
    int r = count == ARRAY_LEN(FIELDS) ? parse_fields(fields, &cron, err)
                                       : err_set(err, ERR_INVALID,
                                                 "the cron expression '%s' has %zu fields; it takes five: minute, "
                                                 "hour, day of month, month, day of week; "
                                                 "or @hourly, @daily, @weekly, @monthly, @yearly",
                                                 text, count);
    str_list_free(fields);
    struct zone *utc = NULL;
    int64_t next;
    if (r == 0)
        r = zone_load("UTC", &utc, err);
    if (r == 0 && !cron_next(&cron, utc, 0, &next))
        r = err_set(err, ERR_INVALID, "the cron expression '%s' never comes: no such day in these months", text);
    zone_free(utc);
    if (r == 0)
        *ret = cron;
    return r;
}

// --- the next time ---

static bool day_matches(const struct cron *cron, const struct civil *c)
{
    if (!(cron->months >> c->month & 1))
        return false;
    bool day = cron->days >> c->day & 1, weekday = cron->weekdays >> c->weekday & 1;
    return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

// Goes by real time, minute by minute on days that match and hour by hour on others.
static bool next_real(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *ret)
{
    int64_t t = civil_floor_div(after, 60) * 60 + 60, end = after + DAYS_LOOKED * DAY_S;
    while (t < end) {
        struct civil c;
        civil_of(t + zone_offset(zone, t), &c);
        if (!day_matches(cron, &c)) {
            t += (c.hour < 22 ? 60 - c.minute : 1) * 60; // near midnight the clocks may change: carefully
            continue;
        }
        if (cron->minutes >> c.minute & 1) {
            *ret = t;
            return true;
        }
        t += 60;
    }
    return false;
}

// The first matching time of the day whose moment is after `after`. Moments grow with the times, whatever the clocks
// do.
static bool next_of_day(const struct cron *cron, const struct zone *zone, int64_t day, int64_t after, int64_t *ret)
{
    for (int hour = 0; hour < 24; hour++) {
        for (int minute = 0; minute < 60 && cron->hours >> hour & 1; minute++) {
            int64_t instants[2];
            if (!(cron->minutes >> minute & 1))
                continue;
            zone_instants(zone, day * DAY_S + hour * 3600 + minute * 60, instants);
            if (instants[0] > after) {
                *ret = instants[0];
                return true;
            }
        }
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *ret)
{
    if ((cron->hours & ALL_HOURS) == ALL_HOURS)
        return next_real(cron, zone, after, ret);
    int64_t first = civil_floor_div(after + zone_offset(zone, after), DAY_S) - 1;
    for (int64_t day = first; day < first + DAYS_LOOKED; day++) {
        struct civil c;
        civil_of(day * DAY_S, &c);
        if (day_matches(cron, &c) && next_of_day(cron, zone, day, after, ret))
            return true;
    }
    return false;
}

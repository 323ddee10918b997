// orchestrator/schedule: cron expressions, time zones and what they do when the clocks change.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "schedule/civil.h"
#include "schedule/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// "2026-03-29T01:30Z" in seconds.
static int64_t utc(const char *text)
{
    struct civil c = {0};
    int year = 0;
    if (sscanf(text, "%d-%d-%dT%d:%dZ", &year, &c.month, &c.day, &c.hour, &c.minute) != 5)
        fail_msg("'%s' is no time", text);
    c.year = year;
    return civil_days(c.year, c.month, c.day) * DAY_S + c.hour * 3600 + c.minute * 60;
}

static void check_next(const char *expression, const char *zone_name, const char *after, const char *const *expected)
{
    struct cron cron;
    struct zone *zone = NULL;
    struct err err;
    assert_ok(cron_parse(expression, &cron, &err), &err);
    assert_ok(zone_load(zone_name, &zone, &err), &err);
    int64_t at = utc(after);
    for (size_t i = 0; expected[i]; i++) {
        int64_t next = 0;
        char text[32];
        struct civil c;
        assert_true(cron_next(&cron, zone, at, &next));
        civil_of(next, &c);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02dZ", (int)c.year, c.month, c.day, c.hour, c.minute);
        if (!str_eq(text, expected[i]))
            fail_msg("'%s' in %s, number %zu after %s: %s, expected %s", expression, zone_name, i + 1, after, text,
                     expected[i]);
        assert_int_equal(c.second, 0);
        at = next;
    }
    zone_free(zone);
}

#define NEXT(expression, zone, after, ...) check_next(expression, zone, after, (const char *const[]){__VA_ARGS__, NULL})

static void test_cron_next_plain(void **state)
{
    (void)state;
    NEXT("* * * * *", "UTC", "2026-01-01T00:00Z", "2026-01-01T00:01Z", "2026-01-01T00:02Z");
    NEXT("*/15 * * * *", "UTC", "2026-01-01T00:07Z", "2026-01-01T00:15Z", "2026-01-01T00:30Z", "2026-01-01T00:45Z",
         "2026-01-01T01:00Z");
    NEXT("5-20/5,50 3 * * *", "UTC", "2026-01-01T03:12Z", "2026-01-01T03:15Z", "2026-01-01T03:20Z", "2026-01-01T03:50Z",
         "2026-01-02T03:05Z");
    NEXT("0 9 * * MON-FRI", "UTC", "2026-11-20T09:00Z", "2026-11-23T09:00Z", "2026-11-24T09:00Z");
    NEXT("0 9 * * 7", "UTC", "2026-11-20T09:00Z", "2026-11-22T09:00Z", "2026-11-29T09:00Z");
    NEXT("0 9 * * 5-7", "UTC", "2026-11-20T09:00Z", "2026-11-21T09:00Z", "2026-11-22T09:00Z", "2026-11-27T09:00Z");
    NEXT("30 4 1,15 * *", "UTC", "2026-12-01T05:00Z", "2026-12-15T04:30Z", "2027-01-01T04:30Z");
    NEXT("0 0 29 feb *", "UTC", "2026-01-01T00:00Z", "2028-02-29T00:00Z", "2032-02-29T00:00Z");
    NEXT("0 0 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00Z"); // 2100 is no leap year
    NEXT("0 0 31 * *", "UTC", "2026-01-31T00:00Z", "2026-03-31T00:00Z", "2026-05-31T00:00Z");
    NEXT("@yearly", "UTC", "2026-06-01T00:00Z", "2027-01-01T00:00Z");
    NEXT("@monthly", "UTC", "2026-06-01T00:00Z", "2026-07-01T00:00Z");
    NEXT("@weekly", "UTC", "2026-11-23T00:00Z", "2026-11-29T00:00Z");
    NEXT("@Daily", "UTC", "2026-12-31T00:00Z", "2027-01-01T00:00Z");
    NEXT("@hourly", "UTC", "2026-12-31T23:00Z", "2027-01-01T00:00Z");
    NEXT("  0\t12   * * * ", "UTC", "2026-01-01T00:00Z", "2026-01-01T12:00Z");
}

// Both restricted: one of them suffices. A field that begins with '*' does not count as restricted.
static void test_cron_next_days(void **state)
{
    (void)state;
    NEXT("0 0 13 * 5", "UTC", "2026-11-01T00:00Z", "2026-11-06T00:00Z", "2026-11-13T00:00Z", "2026-11-20T00:00Z",
         "2026-11-27T00:00Z", "2026-12-04T00:00Z", "2026-12-11T00:00Z", "2026-12-13T00:00Z");
    NEXT("0 0 */2 * 5", "UTC", "2026-11-01T00:00Z", "2026-11-13T00:00Z", "2026-11-27T00:00Z", "2026-12-11T00:00Z");
}

// Berlin 2026: forward on 29 March at 01:00Z (02:00 -> 03:00), back on 25 October at 01:00Z (03:00 -> 02:00).
static void test_cron_next_clock_changes(void **state)
{
    (void)state;
    NEXT("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00Z", "2026-03-28T01:30Z", "2026-03-29T01:00Z",
         "2026-03-30T00:30Z");
    NEXT("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z",
         "2026-03-30T00:00Z"); // both left out: once
    NEXT("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-30T01:00Z");
    NEXT("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z",
         "2026-10-26T01:30Z"); // the first of two
    NEXT("30 2,3 * * *", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T02:30Z", "2026-10-26T01:30Z");
    NEXT("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45Z", "2026-10-26T01:30Z"); // asked between the two
    NEXT("30 2 29 3 *", "Europe/Berlin", "2026-01-01T00:00Z", "2026-03-29T01:00Z", "2027-03-29T00:30Z");
    // by real time: nothing is caught up, nothing is left out
    NEXT("30 * * * *", "Europe/Berlin", "2026-03-29T00:30Z", "2026-03-29T01:30Z", "2026-03-29T02:30Z");
    NEXT("30 * * * *", "Europe/Berlin", "2026-10-24T23:30Z", "2026-10-25T00:30Z", "2026-10-25T01:30Z",
         "2026-10-25T02:30Z");
    NEXT("*/20 * 25 10 *", "Europe/Berlin", "2026-10-25T00:40Z", "2026-10-25T01:00Z", "2026-10-25T01:20Z");
    // New York: back on 1 November at 06:00Z; half past one comes twice
    NEXT("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z");
    NEXT("0 2 * * *", "America/New_York", "2026-03-07T12:00Z", "2026-03-08T07:00Z", "2026-03-09T06:00Z");
    // Lord Howe changes by half an hour, and its summer is at the turn of the year
    NEXT("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", "2026-10-03T15:30Z", "2026-10-04T15:15Z");
    NEXT("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", "2026-04-04T14:45Z", "2026-04-05T15:15Z");
    // midnight that does not exist: Santiago goes forward at 24:00
    NEXT("0 0 * * *", "America/Santiago", "2026-09-05T12:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z");
    // far behind what the file lists: its rule goes on
    NEXT("30 2 * * *", "Europe/Berlin", "2060-03-27T12:00Z", "2060-03-28T01:00Z", "2060-03-29T00:30Z");
    NEXT("0 6 * * *", "Asia/Kolkata", "2026-01-01T00:00Z", "2026-01-01T00:30Z", "2026-01-02T00:30Z");
}

static void test_cron_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } BAD[] = {{"", "has 0 fields"},
               {"* * * *", "has 4 fields"},
               {"* * * * * *", "has 6 fields"},
               {"60 * * * *", "'minute'"},
               {"* 24 * * *", "'hour'"},
               {"* * 0 * *", "'day of month'"},
               {"* * 32 * *", "'day of month'"},
               {"* * * 13 *", "'month'"},
               {"* * * foo *", "'month'"},
               {"* * * * 8", "'day of week'"},
               {"* * * * sunday", "'day of week'"},
               {"5-1 * * * *", "upwards"},
               {"*/0 * * * *", "a step"},
               {"*/ * * * *", "a step"},
               {"1/5 * * * *", "needs a range"},
               {"1,,2 * * * *", "not understood"},
               {"-1 * * * *", "not understood"},
               {"+1 * * * *", "not understood"},
               {"1-2-3 * * * *", "not understood"},
               {"? * * * *", "not understood"},
               {"* * L * *", "not understood"},
               {"0 0 31 2 *", "never comes"},
               {"0 0 31 4,6,9,11 *", "never comes"},
               {"@reboot", "no time"},
               {"@often", "fields"}};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct cron cron;
        struct err err = {0};
        assert_true(cron_parse(BAD[i].text, &cron, &err) < 0);
        if (!strstr(err.text, BAD[i].says))
            fail_msg("'%s': %s", BAD[i].text, err.text);
    }
    char longer[CRON_TEXT_MAX + 2];
    memset(longer, '*', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct cron cron;
    assert_int_equal(cron_parse(longer, &cron, NULL), -ERR_LIMIT);
}

// libc is asked about each zone in turn.
static void test_zone_offset_as_libc(void **state)
{
    (void)state;
    static const char *const ZONES[] = {
        "Europe/Berlin",     "Europe/London", "America/New_York",    "America/Santiago",
        "Asia/Kolkata",      "Asia/Tehran",   "Australia/Lord_Howe", "Pacific/Apia",
        "Africa/Casablanca", "Asia/Gaza",     "Pacific/Chatham",     "America/Sao_Paulo",
        "Etc/GMT+5",         "UTC",           "Antarctica/Troll"};
    for (size_t i = 0; i < ARRAY_LEN(ZONES); i++) {
        struct zone *zone = NULL;
        struct err err;
        assert_ok(zone_load(ZONES[i], &zone, &err), &err);
        setenv("TZ", ZONES[i], 1);
        tzset();
        for (int64_t t = utc("1915-01-01T00:00Z"); t < utc("2120-01-01T00:00Z"); t += 3 * 86400 + 12347) {
            struct tm tm;
            time_t when = (time_t)t;
            assert_non_null(localtime_r(&when, &tm));
            if (zone_offset(zone, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, libc says %ld", ZONES[i], (long long)t, zone_offset(zone, t), tm.tm_gmtoff);
        }
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void test_zone_instants(void **state)
{
    (void)state;
    struct zone *zone = NULL;
    struct err err;
    int64_t at[2];
    assert_ok(zone_load("Europe/Berlin", &zone, &err), &err);
    assert_int_equal(zone_instants(zone, utc("2026-07-01T12:00Z"), at), 1);
    assert_int_equal(at[0], utc("2026-07-01T10:00Z"));
    assert_int_equal(zone_instants(zone, utc("2026-10-25T02:30Z"), at), 2);
    assert_int_equal(at[0], utc("2026-10-25T00:30Z"));
    assert_int_equal(at[1], utc("2026-10-25T01:30Z"));
    assert_int_equal(zone_instants(zone, utc("2026-03-29T02:30Z"), at), 0);
    assert_int_equal(at[0], utc("2026-03-29T01:00Z"));
    zone_free(zone);
}

static void test_zone_names(void **state)
{
    (void)state;
    static const char *const BAD[] = {"", "../../etc/passwd", "/etc/localtime", "Europe/../UTC", "Europe/Ber lin"};
    struct zone *zone = NULL;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_int_equal(zone_load(BAD[i], &zone, NULL), -ERR_INVALID);
    assert_int_equal(zone_load("Europe/Atlantis", &zone, NULL), -ERR_NOT_FOUND);
    assert_int_equal(zone_load("Europe", &zone, NULL), -ERR_NOT_FOUND);
    assert_int_equal(zone_load("tzdata.zi", &zone, NULL), -ERR_INVALID);
    assert_int_equal(zone_load("leapseconds", &zone, NULL), -ERR_PARSE);
    setenv("TZ", "America/New_York", 1);
    char *name = zone_of_machine();
    assert_string_equal(name, "America/New_York");
    mem_free(name);
    unsetenv("TZ");
}

static void test_civil_calendar(void **state)
{
    (void)state;
    struct civil c;
    civil_of(0, &c);
    assert_int_equal(c.weekday, 4);
    for (int64_t day = -800000; day < 800000; day += 11) {
        civil_of(day * DAY_S, &c);
        assert_int_equal(civil_days(c.year, c.month, c.day), day);
        assert_true(c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= 31);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_next_plain),
        cmocka_unit_test(test_cron_next_days),
        cmocka_unit_test(test_cron_next_clock_changes),
        cmocka_unit_test(test_cron_parse_refuses),
        cmocka_unit_test(test_zone_offset_as_libc),
        cmocka_unit_test(test_zone_instants),
        cmocka_unit_test(test_zone_names),
        cmocka_unit_test(test_civil_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Cron expressions: minute hour day-of-month month day-of-week, as in crontab(5), with names, lists, ranges and steps,
// and @hourly to
// @yearly. No library in Debian does this well enough to be trusted with clock changes; this one is tested and fuzzed.
//
// When the clocks change:
// - An expression for every hour (the hour field covers all 24) goes by real time: it comes in both of the hours that
// occur twice, and
//   has nothing to catch up when one is left out.
// - Any other one means a time of day: one that is left out comes once, at the moment the clocks go forward; one that
// occurs twice
//   comes once, the first time.
// Day of month and day of week: when both are restricted, a day needs to match one of them; else it needs to match
// both.
#pragma once

#include "base/err.h"
#include "schedule/zone.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_TEXT_MAX 256

struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; // bit n: n
    bool any_day, any_weekday;              // the field begins with '*'
};

// ERR_INVALID names the field and what it takes. An expression that never comes (the 31st of February) is refused.
int cron_parse(const char *text, struct cron *ret, struct err *err);
// The next time after `after` (seconds UTC); false when there is none within nine years.
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *ret);

// The calendar: days since 1970 and back, proleptic Gregorian. Pure arithmetic, no time zones.
#pragma once

#include <stdint.h>

#define DAY_S INT64_C(86400)

struct civil {
    int64_t year;
    int month, day; // 1-12, 1-31
    int hour, minute, second;
    int weekday; // 0 Sunday
};

int64_t civil_days(int64_t year, int month, int day); // since 1970-01-01
void civil_of(int64_t seconds, struct civil *ret);
int64_t civil_floor_div(int64_t a, int64_t b); // rounds down, b > 0

#include "schedule/civil.h"

#define ERA_YEARS 400
#define ERA_DAYS  146097
#define EPOCH     719468 // days from 0000-03-01 to 1970-01-01

int64_t civil_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// Years begin in March here: the leap day is the last one, and the months before it have a fixed pattern of lengths.
int64_t civil_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = civil_floor_div(y, ERA_YEARS), of_era = y - era * ERA_YEARS;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH;
}

void civil_of(int64_t seconds, struct civil *ret)
{
    int64_t days = civil_floor_div(seconds, DAY_S), left = seconds - days * DAY_S, shifted = days + EPOCH;
    int64_t era = civil_floor_div(shifted, ERA_DAYS), of_era = shifted - era * ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    ret->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int)(month < 10 ? month + 3 : month - 9);
    ret->year = year + era * ERA_YEARS + (ret->month <= 2);
    ret->hour = (int)(left / 3600);
    ret->minute = (int)(left / 60 % 60);
    ret->second = (int)(left % 60);
    int64_t weekday = (days + 4) % 7; // 1970-01-01 was a Thursday
    ret->weekday = (int)(weekday < 0 ? weekday + 7 : weekday);
}

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_left_ns(int64_t until, int64_t now, int64_t length)
{
    int64_t left = until > now ? until - now : 0;
    return left < length ? left : length;
}

void clock_iso(int64_t wall_ns, char out[CLOCK_TEXT_MAX])
{
    time_t sec = (time_t)(wall_ns / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&sec, &tm);
    size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03dZ", (int)(wall_ns % NS_PER_SEC / NS_PER_MS));
}

void clock_handoff_stamp(int64_t wall_ns, char out[CLOCK_TEXT_MAX])
{
    time_t sec = (time_t)(wall_ns / NS_PER_SEC);
    struct tm tm;
    localtime_r(&sec, &tm);
    strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H-%M-%S", &tm);
}

void clock_human(int64_t ns, char out[CLOCK_TEXT_MAX])
{
    double s = (double)ns / 1e9;
    if (s < 1e-6)
        snprintf(out, CLOCK_TEXT_MAX, "%lld ns", (long long)ns);
    else if (s < 1e-3)
        snprintf(out, CLOCK_TEXT_MAX, "%.1f µs", s * 1e6);
    else if (s < 1)
        snprintf(out, CLOCK_TEXT_MAX, "%.1f ms", s * 1e3);
    else if (s < 60)
        snprintf(out, CLOCK_TEXT_MAX, "%.1f s", s);
    else
        snprintf(out, CLOCK_TEXT_MAX, "%lld min %02lld s", (long long)(ns / NS_PER_SEC / 60),
                 (long long)(ns / NS_PER_SEC % 60));
}

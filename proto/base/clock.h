// Time, in nanoseconds (int64_t). The only place that asks the system for it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t clock_mono_ns(void); // CLOCK_MONOTONIC: for durations and deadlines
int64_t clock_wall_ns(void); // since 1970 UTC: for records
// What is left at `now` of a wait of `length` that was recorded to end at `until` (wall clock): from 0 to `length`, however the
// clock was set meanwhile.
int64_t clock_left_ns(int64_t until, int64_t now, int64_t length);

#define CLOCK_TEXT_MAX 40
void clock_iso(int64_t wall_ns, char out[CLOCK_TEXT_MAX]);            // 2026-11-22T21:22:37.123Z
void clock_handoff_stamp(int64_t wall_ns, char out[CLOCK_TEXT_MAX]); // local time, 2026-11-22T21-22-37
void clock_human(int64_t duration_ns, char out[CLOCK_TEXT_MAX]);     // 850 µs, 12.3 ms, 4.2 s, 2 min 05 s

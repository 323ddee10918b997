// Time zones: what the system's database (TZif files, RFC 8536) says of them. Our own reader, because libc knows one
// zone at a time, and that one belongs to the whole process. Zones with leap seconds are refused.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_FILE_MAX ((size_t)256 * 1024)

struct zone;

// "UTC", "Europe/Berlin": below $TZDIR, else /usr/share/zoneinfo. ERR_NOT_FOUND: there is no such zone.
int zone_load(const char *name, struct zone **ret, struct err *err);
int zone_parse(const void *data, size_t len, struct zone **ret, struct err *err);
struct zone *zone_free(struct zone *zone); // NULL allowed; returns NULL
char *zone_of_machine(void);               // the name of its zone, "UTC" when it has none; owned by the caller

int32_t zone_offset(const struct zone *zone, int64_t utc); // seconds east of UTC
// When the clocks of the zone show `local` (seconds of a civil time): 1 or 2 instants, the earlier one first. 0: it is
// left out when the clocks go forward; ret[0] is the moment they do.
int zone_instants(const struct zone *zone, int64_t local, int64_t ret[2]);

// Any bytes as a file of the time zone database; what is read answers questions about any time.
#include "base/mem.h"
#include "schedule/cron.h"
#include "schedule/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t TIMES[] = {-5000000000, -1, 0, 1000000000, 1774749600, 1792890000, 4102444800, 32503680000};
    struct err err = {0};
    struct zone *zone = NULL;
    if (size > ZONE_FILE_MAX || zone_parse(data, size, &zone, &err) < 0) {
        must(size > ZONE_FILE_MAX || err.code != ERR_OK);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        int64_t instants[2];
        int32_t offset = zone_offset(zone, TIMES[i]);
        must(offset > -60 * 3600 && offset < 60 * 3600);
        int n = zone_instants(zone, TIMES[i], instants);
        for (int k = 0; k < n; k++)
            must(instants[k] + zone_offset(zone, instants[k]) == TIMES[i]);
    }
    zone_free(zone);
    return 0;
}

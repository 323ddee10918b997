// Any text as a cron expression; one that is understood has a next time, again and again, each later and on its minute.
#include "base/mem.h"
#include "base/str.h"
#include "schedule/cron.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct cron cron;
    struct zone *zone = NULL;
    char *text = str_ndup((const char *)data, size);
    if (cron_parse(text, &cron, &err) < 0) {
        must(err.code != ERR_OK && *err.text);
        mem_free(text);
        return 0;
    }
    if (zone_load("Europe/Berlin", &zone, NULL) < 0)
        must(zone_load("UTC", &zone, NULL) == 0);
    int64_t at = 1774000000 + (int64_t)(size * 86400), next;
    for (int i = 0; i < 4; i++) {
        must(cron_next(&cron, zone, at, &next));
        must(next > at && next % 60 == 0);
        at = next;
    }
    zone_free(zone);
    mem_free(text);
    return 0;
}

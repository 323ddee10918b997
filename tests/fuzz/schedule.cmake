baton_fuzz(cron SOURCES fuzz_cron.c LINK base cron)
baton_fuzz(zone SOURCES fuzz_zone.c LINK base cron)

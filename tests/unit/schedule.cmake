baton_test(cron unit SOURCES test_cron.c LINK base cron)

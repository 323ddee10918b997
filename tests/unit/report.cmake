baton_test(report unit SOURCES test_report.c report_store.c LINK report store json base)

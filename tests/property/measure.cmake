baton_test(measure property SOURCES test_measure_property.c LINK measure base json m TIMEOUT 300)

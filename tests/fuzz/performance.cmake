baton_fuzz(timings SOURCES fuzz_timings.c LINK base json buildinfo)
baton_fuzz(test_output SOURCES fuzz_test_output.c LINK base json rust)

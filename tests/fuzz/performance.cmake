baton_fuzz(timings SOURCES fuzz_timings.c LINK base json buildinfo)
baton_fuzz(test_output SOURCES fuzz_test_output.c LINK base json rust)
baton_fuzz(symbols SOURCES fuzz_symbols.c LINK base json buildinfo)

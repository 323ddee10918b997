baton_fuzz(limits SOURCES fuzz_limits.c LINK budget json base)

baton_fuzz(handoff SOURCES fuzz_handoff.c LINK handoff)

baton_test(handoff property SOURCES test_handoff_rounds.c LINK handoff)

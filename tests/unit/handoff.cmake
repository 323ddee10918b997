baton_test(handoff_seal unit SOURCES test_handoff_seal.c LINK handoff)
baton_test(handoff_files unit SOURCES test_handoff_files.c LINK handoff)
baton_test(handoff_read unit SOURCES test_handoff_read.c LINK handoff)

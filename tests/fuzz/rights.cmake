baton_fuzz(rights SOURCES fuzz_rights.c LINK rights)

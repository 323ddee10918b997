baton_test(rights unit SOURCES test_rights.c LINK rights)

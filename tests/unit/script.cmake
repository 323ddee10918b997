baton_test(script unit SOURCES test_script.c LINK script json base)

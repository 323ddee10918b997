baton_test(script unit SOURCES test_script.c LINK script json base)
baton_test(script_limits unit SOURCES test_script_limits.c script_host.c LINK script json base)
baton_test(script_lua unit SOURCES test_script_lua.c LINK script json base)
baton_test(script_stock unit SOURCES test_script_stock.c script_host.c LINK script json base)

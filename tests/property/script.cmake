baton_test(script_value property SOURCES test_script_value.c LINK script json base PkgConfig::LUA)

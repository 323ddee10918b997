baton_fuzz(script_value SOURCES fuzz_script_value.c LINK script json base PkgConfig::LUA)
baton_fuzz(script_text SOURCES fuzz_script_text.c LINK script json base)

baton_test(toml property SOURCES test_toml_edits.c LINK toml)

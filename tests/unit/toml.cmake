baton_test(toml unit SOURCES test_toml.c LINK toml)

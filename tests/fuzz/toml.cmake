baton_fuzz(toml SOURCES fuzz_toml.c LINK toml)

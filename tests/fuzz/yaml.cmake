baton_fuzz(yaml SOURCES fuzz_yaml.c LINK json)

baton_test(yaml unit SOURCES test_yaml.c LINK json)

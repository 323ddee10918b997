baton_test(change unit SOURCES test_change.c LINK base json change sandbox policy)
add_dependencies(test_unit_change baton-exec)

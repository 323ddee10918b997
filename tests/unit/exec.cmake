baton_test(exec unit SOURCES test_exec.c LINK base json sandbox policy Threads::Threads)
add_dependencies(test_unit_exec baton-exec)
baton_test(exec_group unit SOURCES test_exec_group.c LINK base sandbox)

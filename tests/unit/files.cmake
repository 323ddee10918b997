baton_test(files unit SOURCES test_files.c LINK sandbox policy base json Threads::Threads)
baton_test(files_old unit SOURCES test_files_old.c held.c LINK sandbox policy base json)
baton_test(exec_links unit SOURCES test_exec_links.c LINK base json sandbox policy)
add_dependencies(test_unit_exec_links baton-exec)

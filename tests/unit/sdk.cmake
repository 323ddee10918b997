baton_test(sdk unit SOURCES test_sdk.c LINK base json sdk sandbox policy Threads::Threads)
add_dependencies(test_unit_sdk baton-exec)

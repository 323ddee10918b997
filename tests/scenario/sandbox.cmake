# The box from outside: attacks that must not work, work that must.
add_executable(box_run ${CMAKE_CURRENT_LIST_DIR}/sandbox/box_run.c)
target_link_libraries(box_run PRIVATE baton_flags base json policy sandbox)
add_dependencies(box_run baton-exec)
set_target_properties(box_run PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

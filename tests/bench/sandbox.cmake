# Not a test: tests/bench/sandbox, or `ninja bench_sandbox`, prints what a box costs.
add_executable(box_cost box_cost.c)
target_link_libraries(box_cost PRIVATE baton_flags base json policy sandbox)
add_dependencies(box_cost baton-exec)
set_target_properties(box_cost PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_custom_target(bench_sandbox
  COMMAND ${CMAKE_COMMAND} -E env BATON_BUILD=${CMAKE_BINARY_DIR} ${CMAKE_CURRENT_LIST_DIR}/sandbox
  DEPENDS box_cost baton-exec
  USES_TERMINAL VERBATIM)

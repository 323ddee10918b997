# Not a test: `ninja bench_sandbox` prints one JSON line per way to start a program.
add_executable(box_true box_true.c)
target_link_libraries(box_true PRIVATE baton_flags base json policy sandbox)
add_dependencies(box_true baton-exec)
set_target_properties(box_true PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_custom_target(bench_sandbox COMMAND ${CMAKE_CURRENT_LIST_DIR}/sandbox.py $<TARGET_FILE:box_true> USES_TERMINAL VERBATIM)

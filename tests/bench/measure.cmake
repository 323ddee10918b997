# Not a test: `ninja bench_measure` prints one JSON line per figure.
add_executable(measure_aa measure_aa.c measure_others.c)
target_link_libraries(measure_aa PRIVATE baton_flags measure base json m)
set_target_properties(measure_aa PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_custom_target(bench_measure COMMAND measure_aa USES_TERMINAL VERBATIM)

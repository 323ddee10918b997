# Not tests either: `ninja bench` measures the engine beside its floor and prints one JSON line per figure.
add_executable(bench_floor floor.c figures.c)
target_link_libraries(bench_floor PRIVATE baton_flags base PkgConfig::ZMQ PkgConfig::SQLITE)
add_executable(bench_engine engine.c figures.c)
target_link_libraries(bench_engine PRIVATE baton_flags engine loop store json base)
set_target_properties(bench_floor bench_engine PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_custom_target(bench
  COMMAND ${CMAKE_COMMAND} -E env BATON_BUILD=${CMAKE_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/run
  DEPENDS bench_floor bench_engine baton baton-agent-echo baton-exec
  USES_TERMINAL VERBATIM)

# Not a test: tests/bench/profile, or `ninja bench_profile`, prints how fast profiles are folded and drawn.
add_executable(profile_speed profile_speed.c)
target_link_libraries(profile_speed PRIVATE baton_flags profile base json)
set_target_properties(profile_speed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_custom_target(bench_profile
  COMMAND ${CMAKE_COMMAND} -E env BATON_BUILD=${CMAKE_BINARY_DIR} ${CMAKE_CURRENT_LIST_DIR}/profile
  DEPENDS profile_speed
  USES_TERMINAL VERBATIM)

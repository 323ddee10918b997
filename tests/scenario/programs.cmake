# Tests that start the real programs: python3 with its standard library. baton_scenario(NAME [SERIAL] [SOAK] [TIMEOUT s]):
# the file <NAME>.py. SERIAL: it measures, so nothing else runs beside it. SOAK: only with `ctest -C soak`.
find_program(BATON_PYTHON python3)
function(baton_scenario name)
  cmake_parse_arguments(A "SERIAL;SOAK" "TIMEOUT" "" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  set(python ${BATON_PYTHON})
  if(NOT python)
    set(python python3) # fails and says so
  endif()
  set(label scenario)
  set(when)
  if(A_SOAK)
    set(label soak)
    set(when CONFIGURATIONS soak)
  endif()
  add_test(NAME ${label}.${name} COMMAND ${python} -B ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${name}.py ${when})
  set_tests_properties(${label}.${name} PROPERTIES LABELS ${label} TIMEOUT ${A_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "BATON_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  if(A_SERIAL)
    set_tests_properties(${label}.${name} PROPERTIES RUN_SERIAL ON)
  endif()
  baton_test_environment(${label}.${name})
endfunction()

baton_scenario(kill_engine)
baton_scenario(replay)

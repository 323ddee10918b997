# The box from outside: attacks that must not work, work that must.
add_executable(box_run ${CMAKE_CURRENT_LIST_DIR}/sandbox/box_run.c)
target_link_libraries(box_run PRIVATE baton_flags base json policy sandbox)
add_dependencies(box_run baton-exec)
set_target_properties(box_run PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_executable(box_attacks ${CMAKE_CURRENT_LIST_DIR}/sandbox/attacks.c ${CMAKE_CURRENT_LIST_DIR}/sandbox/attacks_more.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/attacks_named.c)
target_link_libraries(box_attacks PRIVATE rt)
target_compile_definitions(box_attacks PRIVATE _GNU_SOURCE)
set_target_properties(box_attacks PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_executable(box_without ${CMAKE_CURRENT_LIST_DIR}/sandbox/without.c)
target_compile_definitions(box_without PRIVATE _GNU_SOURCE)
set_target_properties(box_without PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
# Each test has an ordinary user of its own: limits of processes count all that a user has, and one of the attacks is a fork bomb.
if(NOT BATON_SANITIZE) # the sanitizers' runtime looks for places that a box does not show
  foreach(user root ordinary)
    set(uid $<IF:$<STREQUAL:${user},root>,0,1000>)
    add_test(NAME scenario.box_attacks_${user}
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/sandbox/attack.py $<TARGET_FILE:box_run> $<TARGET_FILE:box_attacks> --uid ${uid}
        --check ${PROJECT_SOURCE_DIR}/docs/attacks.md)
    set_tests_properties(scenario.box_attacks_${user} PROPERTIES LABELS scenario TIMEOUT 400 SKIP_RETURN_CODE 77)
    add_test(NAME scenario.box_degraded_${user} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/sandbox/degraded.py
      $<TARGET_FILE:box_run> $<TARGET_FILE:box_attacks> $<TARGET_FILE:box_without> --uid $<IF:$<STREQUAL:${user},root>,0,1001>)
    set_tests_properties(scenario.box_degraded_${user} PROPERTIES LABELS scenario TIMEOUT 400 SKIP_RETURN_CODE 77)
  endforeach()
endif()
add_test(NAME scenario.box_work COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/sandbox/work.py $<TARGET_FILE:box_run>)
set_tests_properties(scenario.box_work PROPERTIES PROCESSORS 2 COST 900 LABELS "scenario;project" TIMEOUT 900 SKIP_RETURN_CODE 77)
foreach(user root ordinary)
  add_test(NAME scenario.box_fetch_${user}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/sandbox/fetch.py $<TARGET_FILE:box_run> --uid $<IF:$<STREQUAL:${user},root>,0,1002>)
  add_test(NAME scenario.box_pins_${user}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/sandbox/pins.py $<TARGET_FILE:box_run> $<TARGET_FILE:baton>
      --uid $<IF:$<STREQUAL:${user},root>,0,1003>)
  set_tests_properties(scenario.box_fetch_${user} scenario.box_pins_${user} PROPERTIES LABELS scenario TIMEOUT 300 SKIP_RETURN_CODE 77)
endforeach()
# As an ordinary user no sanitizer sees more of it than as root.
set_tests_properties(scenario.box_fetch_ordinary scenario.box_pins_ordinary PROPERTIES LABELS "scenario;project")
# Whether the bench of the box still measures; no figure is judged here.
add_test(NAME scenario.box_bench COMMAND ${CMAKE_COMMAND} -E env BATON_BUILD=${CMAKE_BINARY_DIR}
  ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/sandbox/bench.py ${CMAKE_SOURCE_DIR}/tests/bench/sandbox)
set_tests_properties(scenario.box_bench PROPERTIES LABELS "scenario;project" TIMEOUT 300)
if(NOT BATON_SANITIZE)
  add_test(NAME scenario.box_cases COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/sandbox/cases.py $<TARGET_FILE:box_run>
    $<TARGET_FILE:baton-exec> $<TARGET_FILE:box_attacks> ${PROJECT_SOURCE_DIR}/tests/fixtures/policy/policy.jsonl
    ${PROJECT_SOURCE_DIR}/tests/fixtures/policy/further.jsonl)
  set_tests_properties(scenario.box_cases PROPERTIES LABELS scenario TIMEOUT 600 SKIP_RETURN_CODE 77)
  add_test(NAME scenario.box_memory COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/sandbox/memory.py $<TARGET_FILE:box_run>
    $<TARGET_FILE:box_attacks>)
  set_tests_properties(scenario.box_memory PROPERTIES LABELS scenario TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
add_test(NAME scenario.box_network COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/sandbox/network.py $<TARGET_FILE:box_run>)
set_tests_properties(scenario.box_network PROPERTIES LABELS scenario TIMEOUT 300 SKIP_RETURN_CODE 77)

# baton_library(NAME DIR folder-as-included SOURCES ... [PUBLIC targets] [PRIVATE targets])
#   One static library for one folder. Its headers are included as "<folder>/<file>.h"; the include root it
#   exports holds a link to that folder and nothing else, so only targets linked with it can include it.
# baton_program(NAME SOURCES ... LINK targets): an executable in <build>/bin.
# baton_test(NAME label SOURCES ... LINK targets [ARGS ...]): a cmocka program registered with CTest as <label>.<name>.
function(baton_library name)
  cmake_parse_arguments(A "" "FOLDER" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  get_filename_component(parent ${A_FOLDER} DIRECTORY)
  file(MAKE_DIRECTORY ${root}/${parent})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${A_FOLDER} SYMBOLIC)
  add_library(${name} STATIC ${A_SOURCES})
  target_include_directories(${name} PUBLIC ${root})
  target_link_libraries(${name} PUBLIC ${A_PUBLIC} PRIVATE baton_flags ${A_PRIVATE})
endfunction()

function(baton_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE baton_flags ${A_LINK})
  set_property(GLOBAL APPEND PROPERTY BATON_PROGRAMS ${name}) # cmake/BatonInstall.cmake
endfunction()

# How the sanitizers look at a test; nothing when there is none. Leaks are errors. libzmq is not instrumented: what
# ThreadSanitizer cannot see of it is in tests/support/tsan.supp.
set(BATON_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:strict_init_order=1:allow_addr2line=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:allow_addr2line=1"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp:second_deadlock_stack=1:history_size=4:allow_addr2line=1")
function(baton_test_environment test)
  if(BATON_SANITIZE)
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ${BATON_TEST_ENVIRONMENT})
  endif()
endfunction()

function(baton_test name label)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LINK;ARGS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  if(BATON_SANITIZE) # ten times slower, and more where strings are checked
    math(EXPR A_TIMEOUT "5 * ${A_TIMEOUT}")
  endif()
  set(target test_${label}_${name})
  add_executable(${target} ${A_SOURCES})
  target_link_libraries(${target} PRIVATE baton_flags test_support ${A_LINK} PkgConfig::CMOCKA)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${target} PRIVATE
    BATON_SOURCE_DIR="${CMAKE_SOURCE_DIR}" BATON_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  add_test(NAME ${label}.${name} COMMAND ${target} ${A_ARGS})
  set_tests_properties(${label}.${name} PROPERTIES LABELS ${label} TIMEOUT ${A_TIMEOUT})
  baton_test_environment(${label}.${name})
endfunction()

# baton_fuzz(NAME SOURCES one.c LINK targets [CORPUS dir]): the harness defines LLVMFuzzerTestOneInput.
# Always built as a plain program that runs its corpus as an ordinary test (label fuzz);
# with BATON_FUZZ also as the libFuzzer program fuzz_<name>.
function(baton_fuzz name)
  cmake_parse_arguments(A "" "CORPUS" "SOURCES;LINK" ${ARGN})
  if(NOT A_CORPUS)
    set(A_CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  endif()
  add_executable(replay_${name} ${A_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
  target_link_libraries(replay_${name} PRIVATE baton_flags ${A_LINK})
  set_target_properties(replay_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME fuzz.${name} COMMAND replay_${name} ${A_CORPUS})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  baton_test_environment(fuzz.${name})
  if(BATON_FUZZ)
    add_executable(fuzz_${name} ${A_SOURCES})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE baton_flags ${A_LINK})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endif()
endfunction()

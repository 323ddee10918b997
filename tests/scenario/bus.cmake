baton_test(bus scenario SOURCES test_bus.c LINK base json loop bus wire sdk PkgConfig::ZMQ)
add_dependencies(test_scenario_bus baton-agent-echo baton-exec)
if(BATON_SANITIZE MATCHES thread)
  set_tests_properties(scenario.bus PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp")
endif()

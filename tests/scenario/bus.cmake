baton_test(bus scenario SOURCES test_bus.c bus_fixture.c LINK base json loop bus wire sdk PkgConfig::ZMQ)
add_dependencies(test_scenario_bus baton-agent-echo baton-exec)

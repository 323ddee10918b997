baton_test(agentfile property SOURCES test_agentfile_shapes.c LINK agentfile)

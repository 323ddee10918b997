baton_test(agentfile unit SOURCES test_agentfile.c LINK agentfile)
baton_test(agentset unit SOURCES test_agentset.c LINK agentfile)

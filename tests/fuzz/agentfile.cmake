baton_fuzz(agentfile SOURCES fuzz_agentfile.c LINK agentfile)

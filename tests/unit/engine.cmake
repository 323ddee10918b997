baton_test(engine_choice unit SOURCES test_engine_choice.c LINK base json agentfile engine)
baton_test(engine_workspace unit SOURCES test_engine_workspace.c LINK base json loop engine)
baton_test(engine_loops unit SOURCES test_engine_loops.c LINK base json engine)
baton_test(engine_letters unit SOURCES test_engine_letters.c LINK base json store engine)

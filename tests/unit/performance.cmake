baton_test(performance_subject unit SOURCES test_performance_subject.c LINK base json rust performance)
baton_test(performance_facts unit SOURCES test_performance_facts.c LINK base json rust performance buildinfo)

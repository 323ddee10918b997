baton_test(performance_subject unit SOURCES test_performance_subject.c held.c LINK measure base json rust performance policy)
baton_test(performance_facts unit SOURCES test_performance_facts.c held.c LINK base json rust performance buildinfo policy)
baton_test(performance_build unit SOURCES test_performance_build.c held.c LINK base json rust performance buildinfo policy change)
baton_test(performance_search unit SOURCES test_performance_search.c LINK base json search change)

baton_test(budget unit SOURCES test_budget.c LINK base json budget)

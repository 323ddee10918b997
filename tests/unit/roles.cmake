baton_test(roles unit SOURCES test_roles.c LINK roles)

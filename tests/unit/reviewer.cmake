baton_test(reviewer_source unit SOURCES test_reviewer_source.c LINK base reviewer_checks)
baton_test(reviewer_project unit SOURCES test_reviewer_project.c held.c LINK base json rust reviewer_checks policy)
baton_test(reviewer_verify unit SOURCES test_reviewer_verify.c held.c LINK base json reviewer_checks policy)

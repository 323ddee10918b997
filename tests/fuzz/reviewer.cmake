baton_fuzz(gitdiff SOURCES fuzz_gitdiff.c LINK base reviewer_checks)

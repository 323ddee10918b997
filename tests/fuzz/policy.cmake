baton_fuzz(policy_rule SOURCES fuzz_policy_rule.c LINK policy)
baton_fuzz(policy_command SOURCES fuzz_policy_command.c LINK policy)
baton_fuzz(policy_path SOURCES fuzz_policy_path.c LINK policy)
baton_fuzz(policy_case SOURCES fuzz_policy_case.c LINK policy)

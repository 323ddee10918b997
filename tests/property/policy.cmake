# 10^5 trees in the ordinary run; `test_property_policy_grant 1000000` does the long one.
baton_test(policy_grant property TIMEOUT 600 SOURCES test_policy_grant_property.c LINK policy)
baton_test(policy_decide property SOURCES test_policy_decide_property.c LINK policy)

# 10^5 trees in the ordinary run, a fifth of them under sanitizers; `test_property_policy_grant 1000000` does the long one.
set(trees 100000)
if(BATON_SANITIZE)
  set(trees 20000)
endif()
baton_test(policy_grant property TIMEOUT 600 SOURCES test_policy_grant_property.c LINK policy ARGS ${trees})
baton_test(policy_decide property SOURCES test_policy_decide_property.c LINK policy)

# 20,000 trees in the ordinary run, a fifth of them under sanitizers; `test_property_rights 1000000` does the long one.
set(trees 20000)
if(BATON_SANITIZE)
  set(trees 4000)
endif()
baton_test(rights property TIMEOUT 600 SOURCES test_rights_property.c LINK rights ARGS ${trees})
baton_test(policy_decide property SOURCES test_policy_decide_property.c LINK policy)

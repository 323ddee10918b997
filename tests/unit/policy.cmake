foreach(module rule glob command path run reach other closure cases)
  baton_test(policy_${module} unit SOURCES test_policy_${module}.c LINK policy)
endforeach()

baton_test(json property SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_json.c LINK json base)

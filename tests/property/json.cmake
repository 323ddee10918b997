baton_test(json_write property SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_json_write.c LINK json base)

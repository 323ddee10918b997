baton_test(box_profiles unit SOURCES test_box_profiles.c LINK boxes)
baton_test(box_layers unit SOURCES test_box_layers.c LINK base json boxes loop probe)
add_dependencies(test_unit_box_layers baton-exec)

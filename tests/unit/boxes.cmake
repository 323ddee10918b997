baton_test(box_profiles unit SOURCES test_box_profiles.c LINK boxes)

baton_test(wire unit SOURCES test_wire.c LINK base json wire)

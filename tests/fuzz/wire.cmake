baton_fuzz(wire SOURCES fuzz_wire.c LINK base json wire)

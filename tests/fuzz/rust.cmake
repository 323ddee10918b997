baton_fuzz(clippy SOURCES fuzz_clippy.c LINK base json rust)
baton_fuzz(rustlex SOURCES fuzz_rustlex.c LINK base json rust reviewer_checks)
baton_fuzz(cargo_metadata SOURCES fuzz_cargo_metadata.c LINK base json rust)

baton_test(rust_source unit SOURCES test_rust_source.c LINK base rust)
baton_test(rust_cargo unit SOURCES test_rust_cargo.c LINK base json rust)

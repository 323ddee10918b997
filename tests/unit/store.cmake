baton_test(store unit SOURCES test_store.c store_fixture.c LINK store json base)
baton_test(store_crash unit SOURCES test_store_crash.c LINK store json base PkgConfig::SQLITE)

baton_test(base unit SOURCES test_base.c LINK base json PkgConfig::SODIUM)

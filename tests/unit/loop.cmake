baton_test(loop unit SOURCES test_loop.c LINK base json loop PkgConfig::ZMQ Threads::Threads)

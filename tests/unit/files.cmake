baton_test(files unit SOURCES test_files.c LINK sandbox policy base json Threads::Threads)

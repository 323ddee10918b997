baton_fuzz(files_path SOURCES fuzz_files_path.c LINK sandbox policy base json)

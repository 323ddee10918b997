baton_fuzz(box_profiles SOURCES fuzz_box_profiles.c LINK sandbox)
baton_fuzz(box_text SOURCES fuzz_box_text.c ${PROJECT_SOURCE_DIR}/agents/sandbox/box.c LINK sandbox)
baton_fuzz(program_hashes SOURCES fuzz_program_hashes.c LINK sandbox)

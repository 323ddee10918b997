baton_fuzz(perf_script SOURCES fuzz_perf_script.c LINK profile)
baton_fuzz(folded SOURCES fuzz_folded.c LINK profile)
baton_fuzz(demangle SOURCES fuzz_demangle.c LINK profile)

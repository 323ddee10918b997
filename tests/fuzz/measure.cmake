baton_fuzz(criterion SOURCES fuzz_criterion.c LINK measure base json)
baton_fuzz(bench_text SOURCES fuzz_bench_text.c LINK measure base json)
baton_fuzz(witness SOURCES fuzz_witness.c LINK measure base json)

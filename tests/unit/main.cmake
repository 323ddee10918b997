baton_test(main_cli unit SOURCES test_main_cli.c LINK base json store main)
baton_test(main_processes unit SOURCES test_main_processes.c LINK base main)

# The commands that README.md and docs/ show. Put off to the end of this folder: programs.cmake, which defines it, comes later.
cmake_language(DEFER CALL baton_scenario docs PROJECT TIMEOUT 1500)

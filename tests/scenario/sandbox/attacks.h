// Shared by the files of the attack program.
#pragma once

const char *argument(int number); // 1 or 2, "" when there is none
int opens(const char *path, int flags);
int writes(const char *path);
int reads(const char *path);
int starts(const char *program, char *const argv[]); // 1: it ran and ended with 0

// attacks_more.c. 0: it worked, 1: it was stopped, 2: no attempt of that name.
int more_attacks(const char *name);
// attacks_named.c: what the program does under another name. -1: this is not one of those names.
int by_name(int argc, char **argv);

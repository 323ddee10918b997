// Folders of version managers (pyenv, rbenv, nodenv, goenv, asdf, mise) in PATH: what lies in their `shims` folder are
// scripts that look for the real program with a shell and files of the user, or of the project. The folders of the real
// programs take their place.
#pragma once

#include <stdbool.h>

// Text of PATH that stands for `dir`, by what the user chose for everywhere (never by a file of the project); "" when
// nothing is chosen there. Owned by the caller; NULL: `dir` is no such folder.
char *shims_folders(const char *dir);

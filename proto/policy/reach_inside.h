// The parts of reach.c that know one family of programs. Each returns true and the reason in *why.
#pragma once

#include "base/buf.h"
#include "policy/policy.h"

// `end`: index behind the last word that belongs to the program itself (not to what it starts).
bool reach_of_git(const char *const *argv, size_t end, struct buf *why);
bool reach_of_cargo(const char *const *argv, size_t end, struct buf *why);
bool reach_of_compiler(const char *const *argv, size_t end,
                       struct buf *why); // rustc, rustdoc and what takes their flags
bool reach_of_sed(const char *const *argv, size_t end, struct buf *why);
bool reach_of_awk(const char *const *argv, size_t end, struct buf *why);
bool reach_of_debugger(const char *const *argv, size_t end, struct buf *why); // gdb, lldb
bool reach_of_valgrind(const char *const *argv, size_t end, struct buf *why);

void reach_says_program(struct buf *why, const char *word);
void reach_says_network(struct buf *why, const char *word);

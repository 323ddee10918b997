// One ELF file for symbolize.c: segments, symbols, and the debug information behind it (its own, or a separate file
// found by build id or debug link). Not for other modules.
#pragma once

#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SYMBOLS_MAX ((size_t)1 << 23)

struct elf_symbol {
    uint64_t start, size;
    const char *name; // borrowed from the file
};

struct elf_file {
    int fd, debug_fd; // -1: none
    Elf *elf;
    Dwarf *dwarf;               // NULL: no debug information
    struct elf_symbol *symbols; // sorted by start
    size_t symbol_count;
    const struct elf_symbol **by_name; // same symbols, sorted by name
};

// NULL when the path is no readable ELF file.
struct elf_file *elf_file_open(const char *path);
struct elf_file *elf_file_close(struct elf_file *f); // takes NULL, returns NULL
bool elf_file_address(const struct elf_file *f, uint64_t file_offset, uint64_t *ret_address);
const struct elf_symbol *elf_file_symbol(const struct elf_file *f, uint64_t address); // NULL: none there
// The symbol of that name when there is exactly one.
const struct elf_symbol *elf_file_named(const struct elf_file *f, const char *name);

// Debug information of one file, indexed for look-ups by address. Inside of symbolize.c; not for other modules.
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DWARF_UNITS_MAX  ((size_t)1 << 17)
#define DWARF_RANGES_MAX ((size_t)1 << 22) // address ranges, of units and functions together
#define DWARF_CHAIN_MAX  64                // functions inlined into each other at one address

struct dwarf_index;

struct dwarf_extent {
    const char *file; // of the declaration, as written in the debug information; NULL: unknown
    int first, last;  // declaration (else lowest line) and highest line of the function's own code; 0: unknown
};

// NULL dwarf gives an empty index.
struct dwarf_index *dwarf_index_new(Dwarf *dwarf);
struct dwarf_index *dwarf_index_free(struct dwarf_index *x); // before dwarf_end
bool dwarf_index_has_units(const struct dwarf_index *x);

// The unit that holds the address, NULL when there is none. Borrowed.
Dwarf_Die *dwarf_index_unit(struct dwarf_index *x, uint64_t address);
// The function around the address and what was inlined there, OUTERMOST FIRST. Returns how many (0: none).
size_t dwarf_index_chain(struct dwarf_index *x, uint64_t address, Dwarf_Die out[DWARF_CHAIN_MAX]);
// Lines of the function's own code in this instance, without what was inlined into it. Cached.
struct dwarf_extent dwarf_index_extent(struct dwarf_index *x, Dwarf_Die *unit, Dwarf_Die *function);

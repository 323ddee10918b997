// From an address in a program or library to the functions and source lines that stand behind it, inlined ones
// included. Uses libdw in this process: no child processes, and each file is read once.
//
// An address without debug information degrades to the ELF symbol around it (no file, line 0); an address without a
// symbol gives zero frames. Files are mapped lazily, at most SYMBOLIZE_FILES_MAX of them.
//
// Thread rule: one thread per symbolizer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOLIZE_FILES_MAX  256
#define SYMBOLIZE_INLINE_MAX 64 // frames of one address

struct symbolizer;

struct source_frame {
    const char *function; // demangled
    const char *linkage;  // as in the file; same as function when there is no mangled name
    const char *file;     // absolute as far as the debug information tells; NULL: unknown
    int line;             // where this function was at that address; 0: unknown
    int function_line;    // where the function is declared; else its lowest line there; 0: unknown
    int function_end;     // highest line of its own code at that place; 0: unknown
    bool inlined;         // into the next frame
};

// An address as a profiler has it: any of the two ways may be missing.
struct symbolize_query {
    const char *dso;      // path of the ELF file
    uint64_t file_offset; // what perf 5+ prints for user space
    bool is_address;      // file_offset is an address of the file's own, as samply has it
    const char *symbol;   // linkage name (not demangled), NULL or "[unknown]": not known
    uint64_t offset;      // from the symbol, used when has_offset
    bool has_offset;
    bool is_return; // a return address: the call before it is meant
};

struct symbolizer *symbolizer_new(void);
struct symbolizer *symbolizer_free(struct symbolizer *s); // takes NULL, returns NULL

struct source_chain {
    const struct source_frame *frames; // innermost first; borrowed until symbolizer_free
    size_t count;                      // 0: nothing is known about the address
};

struct source_chain symbolize(struct symbolizer *s, const struct symbolize_query *q);
void symbolize_batch(struct symbolizer *s, const struct symbolize_query *queries, size_t n, struct source_chain *ret);

// Whether the file could be opened and has line tables; for reports ("built without debug information").
bool symbolizer_has_lines(struct symbolizer *s, const char *dso);

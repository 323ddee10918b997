// Function symbols of an ELF program, read from its bytes: 64 bit, little endian, every offset checked. For sizes only;
// finding names of addresses is profile/symbolize.h.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_MAX ((size_t)4 << 20)

struct symbol {
    uint64_t start, size;
    const char *name; // borrowed from the bytes, terminated
};

struct symbols {
    struct symbol *items; // sorted by start; those that share a place with another one once
    size_t count;
    uint64_t text_bytes; // of all sections with code
};

// ERR_PARSE: no such file, or one that contradicts itself. ERR_NOT_FOUND: it has no symbols (stripped).
int symbols_read(const void *data, size_t len, struct symbols *ret, struct err *err);
void symbols_free(struct symbols *s);

// SHA-256 (FIPS 180-4). With the instructions that processors have for it, it is ten times as fast as without, and a
// stage hashes its handoff, its keys and its calls.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

struct sha256 {
    uint32_t state[8];
    uint64_t len; // bytes so far
    unsigned char block[64];
    bool portable; // without the processor's instructions
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_finish(struct sha256 *h, unsigned char out[SHA256_BYTES]);

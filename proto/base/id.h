// Randomness, identifiers and hashes. The only place that asks for randomness. Hash: SHA-256.
#pragma once

#include <stddef.h>
#include <stdint.h>

void id_random(void *out, size_t len);
uint64_t id_random_u64(void);

#define ID_UUID_TEXT 37
void id_uuid7(int64_t wall_ns, char out[ID_UUID_TEXT]); // RFC 9562 version 7, lower case

// Six random characters of Crockford's base 32 in lower case, for run names: relay-7f3k2q
#define ID_SHORT_TEXT 7
void id_short(char out[ID_SHORT_TEXT]);

#define HASH_TEXT 65 // 64 lower-case hexadecimal digits and NUL
void hash_bytes(const void *data, size_t len, char out[HASH_TEXT]);

struct hash; // incremental
struct hash *hash_new(void);
void hash_add(struct hash *h, const void *data, size_t len);
void hash_finish(struct hash *h, char out[HASH_TEXT]); // also frees h

// Frames of the bus. A message is two frames: a header of fixed size and one JSON object as body. (A ROUTER sees the
// sender's identity frame before them; that is the socket's business, not ours.) Everything works on plain bytes.
//
// Header, 32 bytes, big-endian: magic "BATN", version u16, type u16, flags u32 (0), body length u32, lease u64,
// sequence u64. The lease is the fencing number of one dispatch of one stage, 0 where a message belongs to none. The
// sequence grows with every message a sender sends to the same receiver; a receiver drops what does not grow (a
// duplicated frame). The decoder refuses whatever it did not read: unknown type, version, flag or body key, wrong
// length, wrong direction.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION      1
#define WIRE_HEADER_BYTES 32
#define WIRE_BODY_MAX     ((size_t)16 * 1024 * 1024)
#define WIRE_TEXT_MAX                                                                                                  \
    8192 // longest string that is a message's own (progress text, reason); assignments and drafts are free

enum wire_type {
#define X(id, number, name, direction, lease, keys) WIRE_##id = (number),
#include "tbl/messages.def"
#undef X
};

enum wire_sender { WIRE_FROM_WORKER = 1, WIRE_FROM_ENGINE = 2 };

struct wire_message {
    enum wire_type type;
    uint64_t lease, sequence;
    json_t *body; // object, owned by the message
};

// A lease as 16 hexadecimal digits, where one stands in a body.
#define WIRE_LEASE_TEXT 17
void wire_lease_text(uint64_t lease, char out[WIRE_LEASE_TEXT]);
uint64_t wire_lease_read(const char *text); // 0: not one

const char *wire_name(enum wire_type type); // "hello"; "unknown" for what is not in the table

// Writes the header and gives the body's text (owned by the caller). A body that the receiver would refuse is refused
// here.
int wire_encode(enum wire_type type, uint64_t lease, uint64_t sequence, const json_t *body, enum wire_sender sender,
                unsigned char header[WIRE_HEADER_BYTES], char **ret_body, size_t *ret_len, struct err *err);
// The header for a body that the caller has written as text, and answers for.
int wire_encode_text(enum wire_type type, uint64_t lease, uint64_t sequence, size_t len, enum wire_sender sender,
                     unsigned char header[WIRE_HEADER_BYTES], struct err *err);
// ERR_UNSUPPORTED for another version, ERR_LIMIT for a size, ERR_INVALID or ERR_PARSE otherwise. Nothing to free on
// failure.
int wire_decode(const void *header, size_t header_len, const void *body, size_t body_len, enum wire_sender sender,
                struct wire_message *ret, struct err *err);
void wire_message_free(struct wire_message *message); // takes NULL; also for AUTO(wire_message_free)

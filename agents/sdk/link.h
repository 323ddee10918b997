// The worker's end of the connection: a DEALER socket that speaks wire messages. One thread at a time.
#pragma once

#include "base/err.h"
#include "wire/wire.h"

struct link;

int link_open(const char *endpoint, struct link **ret, struct err *err);
void link_close(struct link *link); // what is queued has a moment to go out
void *link_socket(struct link *link); // for zmq_poll
// Consumes body. ERR_UNAVAILABLE: the queue is full (the message was not sent); ERR_LIMIT, ERR_INVALID: it cannot be sent at all.
int link_send(struct link *link, enum wire_type type, uint64_t lease, json_t *body_consumed, struct err *err);
// 1: *ret is a message, 0: none waits, negative: what came was no message (and is gone).
int link_receive(struct link *link, struct wire_message *ret, struct err *err);

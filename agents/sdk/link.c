#include "link.h"

#include "base/mem.h"

#include <errno.h>
#include <zmq.h>

enum { QUEUE_MAX = 1000, LINGER_MS = 500, FRAMES = 2 };

struct link {
    void *context, *socket;
    uint64_t sent, received; // sequence numbers
};

int link_open(const char *endpoint, struct link **ret, struct err *err)
{
    static const int QUEUE = QUEUE_MAX, LINGER = LINGER_MS;
    static const int64_t MESSAGE_MAX = (int64_t)WIRE_BODY_MAX;
    struct link *link = mem_alloc(sizeof(*link));
    link->context = zmq_ctx_new();
    link->socket = link->context ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
    if (link->socket) {
        zmq_setsockopt(link->socket, ZMQ_SNDHWM, &QUEUE, sizeof(QUEUE));
        zmq_setsockopt(link->socket, ZMQ_RCVHWM, &QUEUE, sizeof(QUEUE));
        zmq_setsockopt(link->socket, ZMQ_LINGER, &LINGER, sizeof(LINGER));
        zmq_setsockopt(link->socket, ZMQ_MAXMSGSIZE, &MESSAGE_MAX, sizeof(MESSAGE_MAX));
    }
    if (!link->socket || zmq_connect(link->socket, endpoint) < 0) {
        int r = err_set(err, ERR_UNAVAILABLE, "cannot connect to '%s': %s", endpoint, zmq_strerror(zmq_errno()));
        link_close(link);
        return r;
    }
    *ret = link;
    return 0;
}

void link_close(struct link *link)
{
    if (!link)
        return;
    if (link->socket)
        zmq_close(link->socket);
    while (link->context && zmq_ctx_term(link->context) < 0 && errno == EINTR)
        ;
    mem_free(link);
}

void *link_socket(struct link *link)
{
    return link->socket;
}

int link_send(struct link *link, enum wire_type type, uint64_t lease, json_t *body_consumed, struct err *err)
{
    unsigned char header[WIRE_HEADER_BYTES];
    char *text = NULL;
    size_t len = 0;
    int r = wire_encode(type, lease, link->sent + 1, body_consumed, WIRE_FROM_WORKER, header, &text, &len, err);
    json_decref(body_consumed);
    if (r < 0)
        return r;
    if (zmq_send(link->socket, header, sizeof(header), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(link->socket, text, len, ZMQ_DONTWAIT) < 0)
        r = err_set(err, ERR_UNAVAILABLE, "the engine does not take message '%s' now", wire_name(type));
    else
        link->sent++;
    mem_free(text);
    return r;
}

int link_receive(struct link *link, struct wire_message *ret, struct err *err)
{
    zmq_msg_t frames[FRAMES];
    size_t count = 0;
    for (int more = 1; more; count++) {
        zmq_msg_t surplus;
        zmq_msg_t *frame = count < FRAMES ? &frames[count] : &surplus;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, link->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            break;
        }
        more = zmq_msg_more(frame);
        if (frame == &surplus)
            zmq_msg_close(frame);
    }
    if (count == 0)
        return 0;
    int r = 1;
    if (count != FRAMES)
        r = err_set(err, ERR_INVALID, "a message has %zu frames, expected header and body", count);
    else
        r = wire_decode(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]), zmq_msg_data(&frames[1]),
                        zmq_msg_size(&frames[1]), WIRE_FROM_ENGINE, ret, err);
    for (size_t i = 0; i < count && i < FRAMES; i++)
        zmq_msg_close(&frames[i]);
    if (r < 0)
        return r;
    if (ret->sequence <= link->received) { // a duplicated frame
        wire_message_free(ret);
        return link_receive(link, ret, err);
    }
    link->received = ret->sequence;
    return 1;
}

// HTTP for the doors that speak it: a small server in the loop (libmicrohttpd, through its epoll descriptor; no
// threads).
//
// GET and HEAD of the paths that were registered; others are answered with 404 or 405 and {"code", "error"}.
// Connections are bounded in number, memory and time. Nothing is read from a request but its method and path.
#pragma once

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct http;

struct http_route {
    const char *path, *type;   // "/metrics", its content type
    char *(*body)(void *user); // owned by the caller
};

struct http_options {
    struct loop *loop;
    const char *listen;              // "127.0.0.1:9464", "[::1]:9464", "9464" (loopback); port 0: any free one
    const struct http_route *routes; // borrowed
    size_t route_count;
    void *user;
};

// ERR_INVALID: listen is no numeric address and port. ERR_CONFLICT: the port is taken.
int http_new(const struct http_options *options, struct http **ret, struct err *err);
struct http *http_free(struct http *http);         // NULL allowed; returns NULL
const char *http_address(const struct http *http); // "127.0.0.1:9464", with the port it got
bool http_is_loopback(const struct http *http);

// libmicrohttpd, loaded when somebody listens: it brings a TLS library and what that needs, which would cost every
// `baton` command milliseconds and megabytes. Only http.c uses it.
#pragma once

#include "base/err.h"

#include <microhttpd.h>

#define HTTP_LIBRARY_CALLS(X)                                                                                          \
    X(start_daemon)                                                                                                    \
    X(stop_daemon)                                                                                                     \
    X(get_daemon_info)                                                                                                 \
    X(run)                                                                                                             \
    X(get_timeout)                                                                                                     \
    X(create_response_from_buffer)                                                                                     \
    X(add_response_header)                                                                                             \
    X(queue_response)                                                                                                  \
    X(destroy_response)

struct http_library {
#define X(name) __typeof__(MHD_##name) *name;
    HTTP_LIBRARY_CALLS(X)
#undef X
};

// ERR_UNAVAILABLE: the library is not installed. It stays loaded.
int http_library_load(struct http_library *ret, struct err *err);

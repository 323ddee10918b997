// One HTTP request at a time through libcurl's multi interface, driven by the loop. libcurl is loaded when the first
// request is made: linked, it and what comes with it would cost every start some ten milliseconds.
//
// https trusts the authorities of the machine, or those in the file that CURL_CA_BUNDLE (else SSL_CERT_FILE) names.
//
// Bounded: http and https only, no redirects, LOOP_HTTP_ANSWER_MAX bytes of answer are read and thrown away, a limit
// for the whole.
#pragma once

#include "loop/loop.h"

#define LOOP_HTTP_ANSWER_MAX ((size_t)64 * 1024)

struct loop_http;

struct loop_http_request {
    const char *url;
    const char *const *headers; // "Name: value", NULL-terminated; may be NULL
    const char *body;           // posted as it is
    size_t len;
    int64_t wall_ns; // for all of it, connecting included
};

// http or https with a host, no control characters, not too long. ERR_INVALID says what is expected.
int loop_http_check_url(const char *url, struct err *err);
char *loop_http_place(
    const char *url); // scheme and host for people: what else stands in it may be a secret; owned by the caller

// POST. done is called once, from the loop: status is that of the answer, 0 when there is none and err says why. The
// handle is dead then. ERR_UNSUPPORTED: libcurl is not installed. Everything is copied.
typedef void (*loop_http_done)(void *user, int status, const struct err *err);
int loop_http_post(struct loop *loop, const struct loop_http_request *request, loop_http_done done, void *user,
                   struct loop_http **ret, struct err *err);
void loop_http_close(struct loop_http *http); // without done; NULL allowed

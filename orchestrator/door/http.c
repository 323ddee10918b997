// Rules that the code does not show:
// - libmicrohttpd runs only inside MHD_run, which is called when its epoll descriptor is ready, and when it wants to
// look at its
//   timeouts. Everything happens on the loop's thread.
// - An answer is made when the request is complete; its bytes are copied to the connection before the handler returns.
#include "door/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "door/http_library.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define PER_ADDRESS_MAX 16
#define MEMORY_MAX      ((size_t)32 * 1024) // of one connection: its request line and header
#define IDLE_S          15
#define BACKLOG         64
#define LOOK_NS         (1 * NS_PER_SEC)

struct http {
    struct http_options options;
    struct http_library library;
    struct MHD_Daemon *daemon;
    struct loop_fd *watch;
    struct loop_timer *timer;
    char address[80];
    bool loopback;
};

// --- the address ---

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int bad_address(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "'%s' must be a numeric address and a port: 127.0.0.1:9464, [::1]:9464, or 9464 alone", text);
}

static int parse_address(const char *text, union address *ret, socklen_t *ret_len, struct err *err)
{
    const char *colon = strrchr(text, ':');
    AUTO_FREE char *host = str_ndup(colon ? text : "127.0.0.1", colon ? (size_t)(colon - text) : strlen("127.0.0.1"));
    int64_t port = 0;
    if (!str_to_i64(colon ? colon + 1 : text, &port) || port < 0 || port > 65535)
        return bad_address(text, err);
    memset(ret, 0, sizeof(*ret));
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        *ret_len = sizeof(ret->v6);
        return inet_pton(AF_INET6, host + 1, &ret->v6.sin6_addr) == 1 ? 0 : bad_address(text, err);
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons((uint16_t)port);
    *ret_len = sizeof(ret->v4);
    return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 ? 0 : bad_address(text, err);
}

static void say_address(struct http *h, const union address *a)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (a->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
        snprintf(h->address, sizeof(h->address), "[%s]:%u", host, ntohs(a->v6.sin6_port));
        h->loopback = IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    } else {
        inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host));
        snprintf(h->address, sizeof(h->address), "%s:%u", host, ntohs(a->v4.sin_port));
        h->loopback = (ntohl(a->v4.sin_addr.s_addr) >> 24) == 127;
    }
}

static int listening_socket(struct http *h, struct err *err)
{
    union address address;
    socklen_t len = 0;
    int r = parse_address(h->options.listen, &address, &len, err);
    if (r < 0)
        return r;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return err_sys(err, errno, "cannot create a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof(on)); // connections of an earlier service that are still ending
    if (address.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &address.any, &len) < 0) {
        r = errno == EADDRINUSE
                ? err_set(err, ERR_CONFLICT, "somebody listens on '%s' already; choose another port", h->options.listen)
                : err_sys(err, errno, "cannot listen on '%s'", h->options.listen);
        close(fd);
        return r;
    }
    say_address(h, &address);
    return fd;
}

// --- requests ---

static enum MHD_Result send_text(const struct http *h, struct MHD_Connection *connection, unsigned status,
                                 const char *type, const char *body)
{
    const struct http_library *mhd = &h->library;
    void *bytes = (void *)(uintptr_t)body; // copied
    struct MHD_Response *response = mhd->create_response_from_buffer(strlen(body), bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    mhd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    mhd->add_response_header(response, "X-Content-Type-Options", "nosniff");
    mhd->add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        mhd->add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result r = mhd->queue_response(connection, status, response);
    mhd->destroy_response(response);
    return r;
}

static enum MHD_Result refuse(const struct http *h, struct MHD_Connection *connection, unsigned status,
                              enum err_code code, const char *text)
{
    AUTO_FREE char *body = str_printf("{\"code\":\"%s\",\"error\":\"%s\"}\n", err_name(code), text);
    return send_text(h, connection, status, "application/json", body);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_len, void **context)
{
    struct http *h = cls;
    (void)version;
    (void)data;
    bool reads = str_eq(method, MHD_HTTP_METHOD_GET) || str_eq(method, MHD_HTTP_METHOD_HEAD);
    if (!reads)
        return refuse(h, connection, MHD_HTTP_METHOD_NOT_ALLOWED, ERR_UNSUPPORTED,
                      "only GET and HEAD are answered here");
    if (!*context) { // called once with the header, and again when there is no more to come
        *context = h;
        return MHD_YES;
    }
    if (*data_len) {
        *data_len = 0;
        return MHD_YES;
    }
    for (size_t i = 0; i < h->options.route_count; i++) {
        const struct http_route *route = &h->options.routes[i];
        if (!str_eq(url, route->path))
            continue;
        AUTO_FREE char *body = route->body(h->options.user);
        return send_text(h, connection, MHD_HTTP_OK, route->type, body);
    }
    return refuse(h, connection, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND, "there is nothing of this name");
}

// --- the loop ---

static void turn(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    h->library.run(h->daemon);
    if (h->library.get_timeout(h->daemon, &ms) == MHD_YES)
        loop_timer_start(h->timer, ms > 1000 ? LOOK_NS : (int64_t)ms * NS_PER_MS, 0);
    else
        loop_timer_stop(h->timer);
}

static void on_ready(void *user, unsigned events)
{
    (void)events;
    turn(user);
}

static void on_timer(void *user)
{
    turn(user);
}

static int begin(struct http *h, int fd_consumed, struct err *err)
{
    h->daemon = h->library.start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, h, MHD_OPTION_LISTEN_SOCKET, fd_consumed,
                                        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS_MAX,
                                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_END);
    if (!h->daemon) {
        close(fd_consumed);
        return err_set(err, ERR_UNAVAILABLE, "cannot serve HTTP on '%s'", h->options.listen);
    }
    const union MHD_DaemonInfo *info = h->library.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return err_set(err, ERR_UNSUPPORTED, "this libmicrohttpd cannot be part of an event loop");
    return loop_fd_new(h->options.loop, info->epoll_fd, LOOP_READ, on_ready, h, &h->watch, err);
}

int http_new(const struct http_options *options, struct http **ret, struct err *err)
{
    struct http *h = mem_alloc(sizeof(*h));
    h->options = *options;
    h->timer = loop_timer_new(options->loop, on_timer, h);
    int r = http_library_load(&h->library, err);
    int fd = r < 0 ? r : listening_socket(h, err);
    r = fd < 0 ? fd : begin(h, fd, err);
    if (r < 0) {
        http_free(h);
        return r;
    }
    h->options.listen = NULL; // may end now
    *ret = h;
    return 0;
}

struct http *http_free(struct http *h)
{
    if (!h)
        return NULL;
    loop_fd_close(h->watch);
    loop_timer_close(h->timer);
    if (h->daemon)
        h->library.stop_daemon(h->daemon); // also closes the listening socket
    mem_free(h);
    return NULL;
}

const char *http_address(const struct http *h)
{
    return h->address;
}

bool http_is_loopback(const struct http *h)
{
    return h->loopback;
}

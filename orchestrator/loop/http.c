// libcurl says which sockets to watch and when to be called again (its socket and timer callbacks); both are handles of
// this loop. It must not be closed from inside its own callbacks: the end of a request is told in the loop's next turn.
#include "loop/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048

// The functions of libcurl that are used here.
#define FUNCTIONS(X)                                                                                                   \
    X(curl_global_init)                                                                                                \
    X(curl_global_cleanup)                                                                                             \
    X(curl_easy_init)                                                                                                  \
    X(curl_easy_setopt)                                                                                                \
    X(curl_easy_getinfo)                                                                                               \
    X(curl_easy_strerror)                                                                                              \
    X(curl_easy_cleanup)                                                                                               \
    X(curl_slist_append)                                                                                               \
    X(curl_slist_free_all)                                                                                             \
    X(curl_multi_init)                                                                                                 \
    X(curl_multi_setopt)                                                                                               \
    X(curl_multi_add_handle)                                                                                           \
    X(curl_multi_remove_handle)                                                                                        \
    X(curl_multi_socket_action)                                                                                        \
    X(curl_multi_assign)                                                                                               \
    X(curl_multi_info_read)                                                                                            \
    X(curl_multi_cleanup)

struct library {
    void *handle;
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
};

struct watch { // of a socket of libcurl's
    struct loop_http *http;
    struct loop_fd *fd;
    curl_socket_t socket;
};

struct loop_http {
    struct loop *loop;
    struct library lib;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct loop_timer *timer, *end;
    VEC(struct watch *) watches;
    char *body, *url;
    const char *authorities;      // file of certificates, from the environment; NULL: those of the machine
    char detail[CURL_ERROR_SIZE]; // what libcurl says of a failure
    size_t received;
    loop_http_done done;
    void *user;
    int status;
    struct err why;
    bool ended;
};

static int load(struct library *lib, struct err *err)
{
    lib->handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    bool whole = lib->handle != NULL;
#define X(name)                                                                                                        \
    if (whole) {                                                                                                       \
        void *symbol = dlsym(lib->handle, #name);                                                                      \
        memcpy(&lib->name, &symbol, sizeof(symbol));                                                                   \
        whole = symbol != NULL;                                                                                        \
    }
    FUNCTIONS(X)
#undef X
    if (whole && lib->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return 0;
    if (lib->handle)
        dlclose(lib->handle);
    *lib = (struct library){0};
    return err_set(err, ERR_UNSUPPORTED, "libcurl (libcurl.so.4) cannot be loaded: install it to send notifications");
}

// --- urls ---

int loop_http_check_url(const char *url, struct err *err)
{
    size_t len = strlen(url);
    const char *host = str_starts(url, "http://") ? url + 7 : str_starts(url, "https://") ? url + 8 : NULL;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7F)
            host = NULL;
    if (!host || !*host || strchr("/?#:@", *host) || len > URL_MAX)
        return err_set(err, ERR_INVALID,
                       "'%.80s' is no address for notifications: expected http://HOST/… or https://HOST/…", url);
    return 0;
}

char *loop_http_place(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    const char *at = memchr(host, '@', len);
    if (at) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    return str_printf("%.*s%.*s", (int)(strstr(url, "://") ? strstr(url, "://") + 3 - url : 0), url, (int)len, host);
}

// --- what libcurl asks for ---

static void tell_end(void *user)
{
    struct loop_http *h = user;
    loop_http_done done = h->done;
    void *whom = h->user;
    int status = h->status;
    struct err why = h->why;
    loop_http_close(h);
    done(whom, status, status ? NULL : &why);
}

// The curl program takes these two, the library takes neither.
static const char *authorities_file(void)
{
    static const char *const NAMES[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        const char *file = getenv(NAMES[i]);
        if (file && *file)
            return file;
    }
    return NULL;
}

static void explain(struct loop_http *h, CURLcode result)
{
    AUTO_FREE char *place = loop_http_place(h->url);
    const char *general = h->lib.curl_easy_strerror(result);
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        err_set(&h->why, ERR_UNAVAILABLE,
                "%s: its certificate is not trusted (%s); for one of an authority of your own, set CURL_CA_BUNDLE to a "
                "file with the certificate of that authority",
                place, *h->detail ? h->detail : general);
    else if (result == CURLE_SSL_CACERT_BADFILE)
        err_set(&h->why, ERR_UNAVAILABLE,
                "%s: the certificates of authorities cannot be read from '%s' (CURL_CA_BUNDLE or SSL_CERT_FILE): "
                "expected a file in PEM form",
                place, h->authorities ? h->authorities : "the machine's file");
    else if (result == CURLE_SSL_CONNECT_ERROR && *h->detail)
        err_set(&h->why, ERR_UNAVAILABLE, "%s: %s (%s)", place, general, h->detail);
    else
        err_set(&h->why, ERR_UNAVAILABLE, "%s: %s", place, general);
}

static void look_for_end(struct loop_http *h)
{
    CURLMsg *message;
    int left;
    while ((message = h->lib.curl_multi_info_read(h->multi, &left))) {
        if (message->msg != CURLMSG_DONE || h->ended)
            continue;
        long status = 0;
        h->ended = true;
        h->lib.curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        // An answer that is longer than anybody wants to know is an answer.
        bool answered = message->data.result == CURLE_OK || (message->data.result == CURLE_WRITE_ERROR && status);
        h->status = answered ? (int)status : 0;
        if (!answered)
            explain(h, message->data.result);
        loop_timer_start(h->end, 0, 0);
    }
}

static void act(struct loop_http *h, curl_socket_t socket, int events)
{
    int running;
    if (h->ended)
        return;
    h->lib.curl_multi_socket_action(h->multi, socket, events, &running);
    look_for_end(h);
}

static void on_ready(void *user, unsigned events)
{
    struct watch *w = user;
    int flags =
        (events & (unsigned)LOOP_READ ? CURL_CSELECT_IN : 0) | (events & (unsigned)LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    act(w->http, w->socket, flags);
}

static void on_time(void *user)
{
    act(user, CURL_SOCKET_TIMEOUT, 0);
}

static void forget_watch(struct loop_http *h, struct watch *w)
{
    for (size_t i = 0; i < h->watches.len; i++)
        if (h->watches.items[i] == w)
            h->watches.items[i] = h->watches.items[--h->watches.len];
    loop_fd_close(w->fd);
    mem_free(w);
}

static int want_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *of_socket)
{
    struct loop_http *h = user;
    struct watch *w = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        h->lib.curl_multi_assign(h->multi, socket, NULL);
        if (w)
            forget_watch(h, w);
        return 0;
    }
    unsigned events =
        (what & CURL_POLL_IN ? (unsigned)LOOP_READ : 0) | (what & CURL_POLL_OUT ? (unsigned)LOOP_WRITE : 0);
    if (w)
        return loop_fd_change(w->fd, events, NULL) < 0 ? -1 : 0;
    w = mem_alloc(sizeof(*w));
    *w = (struct watch){.http = h, .socket = socket};
    if (loop_fd_new(h->loop, socket, events, on_ready, w, &w->fd, NULL) < 0) {
        mem_free(w);
        return -1;
    }
    vec_push(&h->watches, w);
    h->lib.curl_multi_assign(h->multi, socket, w);
    return 0;
}

static int want_timer(CURLM *multi, long ms, void *user)
{
    struct loop_http *h = user;
    (void)multi;
    if (ms < 0)
        loop_timer_stop(h->timer);
    else
        loop_timer_start(h->timer, ms * NS_PER_MS, 0);
    return 0;
}

static size_t throw_away(char *data, size_t size, size_t n, void *user)
{
    struct loop_http *h = user;
    (void)data;
    h->received += size * n;
    return h->received > LOOP_HTTP_ANSWER_MAX ? 0 : size * n;
}

// --- requests ---

static bool set_up(struct loop_http *h, const struct loop_http_request *q)
{
    struct library *c = &h->lib;
    for (const char *const *line = q->headers; line && *line; line++) {
        struct curl_slist *more = c->curl_slist_append(h->headers, *line);
        if (!more)
            return false;
        h->headers = more;
    }
    const struct {
        CURLoption option;
        long value;
    } NUMBERS[] = {{CURLOPT_NOSIGNAL, 1},
                   {CURLOPT_POST, 1},
                   {CURLOPT_FOLLOWLOCATION, 0},
                   {CURLOPT_POSTFIELDSIZE, (long)q->len},
                   {CURLOPT_TIMEOUT_MS, (long)(q->wall_ns / NS_PER_MS)}};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++)
        ok = ok && c->curl_easy_setopt(h->easy, NUMBERS[i].option, NUMBERS[i].value) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_URL, h->url) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->detail) == CURLE_OK;
    if (h->authorities)
        ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_CAINFO, h->authorities) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, h->body) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "baton/" BATON_VERSION) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, throw_away) == CURLE_OK;
    ok = ok && c->curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h) == CURLE_OK;
    ok = ok && c->curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, want_socket) == CURLM_OK;
    ok = ok && c->curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) == CURLM_OK;
    ok = ok && c->curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK;
    ok = ok && c->curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) == CURLM_OK;
    return ok && c->curl_multi_add_handle(h->multi, h->easy) == CURLM_OK;
}

int loop_http_post(struct loop *loop, const struct loop_http_request *q, loop_http_done done, void *user,
                   struct loop_http **ret, struct err *err)
{
    struct library lib = {0};
    int r = loop_http_check_url(q->url, err);
    if (r == 0)
        r = load(&lib, err);
    if (r < 0)
        return r;
    struct loop_http *h = mem_alloc(sizeof(*h));
    h->loop = loop;
    h->lib = lib;
    h->done = done;
    h->user = user;
    h->url = str_dup(q->url);
    h->authorities = authorities_file();
    h->body = str_ndup(q->body, q->len);
    h->timer = loop_timer_new(loop, on_time, h);
    h->end = loop_timer_new(loop, tell_end, h);
    h->multi = lib.curl_multi_init();
    h->easy = lib.curl_easy_init();
    if (!h->multi || !h->easy || !set_up(h, q)) {
        loop_http_close(h);
        return err_set(
            err, ERR_UNSUPPORTED,
            "libcurl does not do what is needed of it for a notification; it may be too old (7.85 is expected)");
    }
    *ret = h;
    return 0;
}

void loop_http_close(struct loop_http *h)
{
    if (!h)
        return;
    h->ended = true;
    if (h->multi && h->easy)
        h->lib.curl_multi_remove_handle(h->multi, h->easy);
    if (h->easy)
        h->lib.curl_easy_cleanup(h->easy);
    if (h->multi)
        h->lib.curl_multi_cleanup(h->multi);
    while (h->watches.len)
        forget_watch(h, h->watches.items[0]);
    vec_free(&h->watches);
    h->lib.curl_slist_free_all(h->headers);
    h->lib.curl_global_cleanup();
    loop_timer_close(h->timer);
    loop_timer_close(h->end);
    mem_free(h->url);
    mem_free(h->body);
    mem_free(h);
}

#include "door/control.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "door/metrics.h"
#include "engine/request.h"
#include "run/letters.h"

#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES  ((size_t)1 << 20)
#define QUEUE_MAX_BYTES ((size_t)4 << 20)
#define CLIENTS_MAX     64
#define LIST_MOST       100

struct client {
    struct control *control;
    struct loop_stream *stream;
    bool follows;
    char *run; // NULL: all
};

struct control {
    struct control_options options;
    struct loop_listener *listener;
    VEC(struct client *) clients;
};

static void client_free(struct client *c)
{
    struct control *control = c->control;
    for (size_t i = 0; i < control->clients.len; i++)
        if (control->clients.items[i] == c)
            control->clients.items[i] = control->clients.items[--control->clients.len];
    mem_free(c->run);
    mem_free(c);
}

static void send_line(struct client *c, json_t *value_consumed)
{
    char *text = json_compact(value_consumed);
    loop_stream_write(c->stream, text, strlen(text));
    loop_stream_write(c->stream, "\n", 1);
    mem_free(text);
    json_decref(value_consumed);
}

static json_t *ok_new(void)
{
    json_t *v = json_object();
    json_put_flag(v, "ok", true);
    return v;
}

static json_t *refusal_new(const struct control *c, const struct err *err)
{
    json_t *v = json_object();
    json_put_flag(v, "ok", false);
    json_put_str(v, "code", err_name(err->code));
    json_put_str(v, "error", err->text);
    if (err->code == ERR_UNAVAILABLE && c->options.service->draining(c->options.user))
        json_put_flag(v, "retry", true);
    return v;
}

// --- what can be asked for ---

static int ping(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    (void)request;
    (void)err;
    json_put_int(answer, "pid", getpid());
    json_put_str(answer, "version", BATON_VERSION);
    json_put_int(answer, "runs", (int64_t)engine_run_count(c->options.engine));
    json_put_int(answer, "queued", (int64_t)engine_queue_length(c->options.engine));
    json_put_int(answer, "max_runs", (int64_t)c->options.max_runs);
    json_put_int(answer, "stages", (int64_t)engine_stages_at_work(c->options.engine));
    json_put_flag(answer, "draining", c->options.service->draining(c->options.user));
    return 0;
}

static int start(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    struct request_words words;
    struct engine_request q;
    int r = request_read(request, &words, &q, err);
    if (r < 0)
        return r;
    q.caller = q.caller ? q.caller : "control socket";
    char run[STORE_NAME_MAX];
    r = engine_start(c->options.engine, &q, run, err);
    if (r < 0)
        return r;
    json_put_str(answer, "run", run);
    json_put_flag(answer, "existing", r == 1);
    json_put_int(answer, "position", (int64_t)engine_queue_position(c->options.engine, run));
    return 0;
}

static int list(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    (void)request;
    json_t *runs = store_run_list_new(c->options.store, &(struct store_run_filter){.limit = LIST_MOST}, err);
    if (!runs)
        return -(int)err->code;
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run)
        if (str_eq(json_str(run, "state", ""), run_state_name(RUN_QUEUED)))
            json_put_int(run, "position", (int64_t)engine_queue_position(c->options.engine, json_str(run, "id", "")));
    json_put(answer, "runs", runs);
    return 0;
}

static int cancel(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    const char *run = json_str(request, "run", NULL), *reason = json_str(request, "reason", "cancelled through the control socket");
    (void)answer;
    if (!run)
        return err_set(err, ERR_INVALID, "'cancel' needs 'run'");
    AUTO_FREE char *latest = letter_latest(c->options.store, run);
    int r = engine_cancel(c->options.engine, latest ? latest : run, reason, err);
    if (r == -ERR_NOT_FOUND) // of another process, which looks for such requests
        r = store_run_request_cancel(c->options.store, latest ? latest : run, reason, err);
    return r < 0 ? r : 0;
}

static int follow(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    (void)answer;
    (void)err;
    client->follows = true;
    str_set(&client->run, json_str(request, "run", NULL));
    return 0;
}

static int metrics(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    const struct metrics *m = c->options.service->metrics(c->options.user);
    const char *format = json_str(request, "format", "text");
    if (!str_eq(format, "text") && !str_eq(format, "json"))
        return err_set(err, ERR_INVALID, "the format '%s' must be text or json", format);
    if (str_eq(format, "json")) {
        json_put(answer, "metrics", metrics_json_new(m));
        return 0;
    }
    AUTO_FREE char *text = metrics_text(m);
    json_put_str(answer, "text", text);
    return 0;
}

static int workers(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    (void)request;
    (void)err;
    json_put(answer, "workers", engine_workers_new(client->control->options.engine));
    return 0;
}

static int need_run(const json_t *request, const char **ret, struct err *err)
{
    return json_need_str(request, "run", "the request", ret, err);
}

// Whoever has the run here looks into its inbox.
static int look(struct client *client, const char *run, struct err *err)
{
    AUTO_FREE char *latest = letter_latest(client->control->options.store, run);
    return engine_look(client->control->options.engine, latest ? latest : run, err);
}

static int signal_run(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    const char *run = NULL, *name = NULL;
    (void)answer;
    int r = need_run(request, &run, err);
    if (r == 0)
        r = json_need_str(request, "name", "the request", &name, err);
    if (r == 0)
        r = letter_signal(client->control->options.store, run, name, json_object_get(request, "value"),
                          json_str(request, "by", "control socket"), err);
    return r == 0 ? look(client, run, err) : r;
}

static int query(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    const char *run = NULL;
    int r = need_run(request, &run, err);
    json_t *values = r == 0 ? store_published_new(client->control->options.store, run, err) : NULL;
    if (values)
        json_put(answer, "values", values);
    return values ? 0 : -(int)err->code;
}

static int questions(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    const char *run = NULL;
    int r = need_run(request, &run, err);
    json_t *list = r == 0 ? store_questions_new(client->control->options.store, run, err) : NULL;
    if (list)
        json_put(answer, "questions", list);
    return list ? 0 : -(int)err->code;
}

static int approve(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    const char *run = NULL;
    json_t *question = NULL;
    int r = need_run(request, &run, err);
    struct letter_answer a = {.approved = !json_flag(request, "deny", false),
                              .by = json_str(request, "by", "control socket"),
                              .note = json_str(request, "note", NULL),
                              .question = json_str(request, "question", NULL),
                              .subject = json_str(request, "for", NULL)};
    if (r == 0)
        r = letter_answer(client->control->options.store, run, &a, &question, err);
    if (r < 0)
        return r;
    json_put(answer, "question", question);
    return look(client, run, err);
}

static int schedules(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    (void)request;
    (void)answer;
    (void)err;
    c->options.service->look_at_schedules(c->options.user);
    return 0;
}

static int trigger(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    const char *name = NULL;
    char run[STORE_NAME_MAX];
    int r = json_need_str(request, "schedule", "the request", &name, err);
    if (r == 0)
        r = c->options.service->trigger(c->options.user, name, run, err);
    if (r < 0)
        return r;
    json_put_str(answer, "run", run);
    json_put_int(answer, "position", (int64_t)engine_queue_position(c->options.engine, run));
    return 0;
}

static int replace(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    struct control *c = client->control;
    (void)request;
    (void)err;
    json_put_int(answer, "pid", getpid());
    c->options.service->drain(c->options.user);
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(struct client *client, const json_t *request, json_t *answer, struct err *err);
} OPS[] = {{"ping", ping},         {"start", start},     {"list", list},       {"cancel", cancel},
           {"signal", signal_run}, {"query", query},     {"questions", questions}, {"approve", approve},
           {"follow", follow},     {"metrics", metrics}, {"workers", workers}, {"schedules", schedules},
           {"trigger", trigger},   {"replace", replace}};

static int answer_request(struct client *client, const json_t *request, json_t *answer, struct err *err)
{
    const char *op = NULL;
    int r = json_need_str(request, "op", "the request", &op, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(OPS); i++)
        if (str_eq(op, OPS[i].name))
            return OPS[i].fn(client, request, answer, err);
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(OPS); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", OPS[i].name);
    r = err_set(err, ERR_UNSUPPORTED, "unknown op '%s': there are %s", op, buf_str(&names));
    buf_free(&names);
    return r;
}

static void on_line(void *user, struct loop_stream *stream, char *line, size_t len)
{
    struct client *client = user;
    struct err err;
    (void)stream;
    AUTO_JSON json_t *request = json_parse_new(line, len, "the request", &err);
    json_t *answer = ok_new();
    int r = !request ? -(int)err.code
            : json_is_object(request) ? answer_request(client, request, answer, &err)
                                      : err_set(&err, ERR_INVALID, "the request must be a JSON object");
    if (r < 0) {
        json_decref(answer);
        answer = refusal_new(client->control, &err);
    }
    send_line(client, answer);
}

static void on_end(void *user, struct loop_stream *stream, const struct err *why)
{
    (void)stream;
    (void)why;
    client_free(user);
}

static void on_accept(void *user, struct loop_stream *stream)
{
    struct control *c = user;
    static const struct loop_stream_events EVENTS = {.on_line = on_line, .on_end = on_end};
    uid_t uid = loop_stream_peer_uid(stream);
    if (c->clients.len >= CLIENTS_MAX || (uid != geteuid() && uid != 0)) {
        loop_stream_close(stream);
        return;
    }
    struct client *client = mem_alloc(sizeof(*client));
    *client = (struct client){.control = c, .stream = stream};
    vec_push(&c->clients, client);
    loop_stream_watch(stream, &EVENTS, client, LINE_MAX_BYTES, QUEUE_MAX_BYTES);
}

int control_new(const struct control_options *options, struct control **ret, struct err *err)
{
    struct control *c = mem_alloc(sizeof(*c));
    c->options = *options;
    int r = options->fd > 0     ? loop_listen_fd(options->loop, options->fd, on_accept, c, &c->listener, err)
            : options->replaces ? loop_listen_unix_over(options->loop, options->path, on_accept, c, &c->listener, err)
                              : loop_listen_unix(options->loop, options->path, on_accept, c, &c->listener, err);
    if (r < 0) {
        mem_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

struct control *control_free(struct control *c)
{
    if (!c)
        return NULL;
    loop_listener_close(c->listener);
    while (c->clients.len) {
        loop_stream_close(c->clients.items[0]->stream);
        client_free(c->clients.items[0]);
    }
    vec_free(&c->clients);
    mem_free(c);
    return NULL;
}

// Who follows a run follows the one it goes on in.
static void follow_on(struct client *client, enum event_kind kind, const json_t *body)
{
    const char *next = kind == EVENT_RUN_FINISHED ? json_str(body, "continued_as", NULL) : NULL;
    if (next && client->run)
        str_set(&client->run, next);
}

void control_let_wait(struct control *c)
{
    if (!c || c->options.fd <= 0)
        return;
    loop_listener_close(c->listener);
    c->listener = NULL;
}

void control_event(struct control *c, const char *run, enum event_kind kind, const json_t *body)
{
    for (size_t i = 0; c && i < c->clients.len; i++) {
        struct client *client = c->clients.items[i];
        if (!client->follows || (client->run && !str_eq(client->run, run)))
            continue;
        json_t *event = json_object();
        json_put_str(event, "event", event_kind_name(kind));
        json_put_str(event, "run", run);
        json_put(event, "body", body ? json_deep_copy(body) : json_object());
        send_line(client, event);
        follow_on(client, kind, body);
    }
}

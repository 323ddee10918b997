// Rules that the code does not show:
// - Only the lines of stages that are at work are redrawn; a finished stage's line is printed once and scrolls away
// with the rest.
// - Whatever comes from a worker is shown without control characters and cut to the width of the terminal.
#include "main/progress.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_EVERY_NS (5 * NS_PER_SEC) // plain progress lines at most this often per stage
#define RUNS_LOOKED_AT 5

struct row {
    int64_t stage, started_ns, said_ns, estimate_ms;
    char *run, *agent, *mode, *text;
    double fraction;
};

struct progress {
    enum progress_style style;
    char *first;     // the run that is watched; those below it are named
    json_t *history; // "agent/mode" -> ms
    VEC(struct row) rows;
    unsigned drawn; // lines below the cursor's start that are redrawn
    unsigned spin;
};

enum progress_style progress_style_for(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && !str_eq(term, "dumb") ? PROGRESS_TERMINAL : PROGRESS_PLAIN;
}

// --- estimates ---

static json_t *history_new(struct store *store, const char *project)
{
    json_t *history = json_object();
    struct store_run_filter filter = {.project = project, .limit = RUNS_LOOKED_AT};
    AUTO_JSON json_t *runs = store ? store_run_list_new(store, &filter, NULL) : NULL;
    size_t i, k;
    json_t *run, *stage;
    json_array_foreach (runs, i, run) {
        AUTO_JSON json_t *stages = store_stage_list_new(store, json_str(run, "id", ""), false, NULL);
        json_array_foreach (stages, k, stage) {
            int64_t ms = (json_int(stage, "finished_ns", 0) - json_int(stage, "created_ns", 0)) / NS_PER_MS;
            AUTO_FREE char *key = str_printf("%s/%s", json_str(stage, "agent", ""), json_str(stage, "mode", ""));
            if (ms > 0 && str_eq(json_str(stage, "state", ""), "completed") && !json_object_get(history, key))
                json_put_int(history, key, ms);
        }
    }
    return history;
}

struct progress *progress_new(struct store *store, const char *project, enum progress_style style)
{
    struct progress *p = mem_alloc(sizeof(*p));
    p->style = style;
    p->history = style == PROGRESS_TERMINAL ? history_new(store, project) : json_object();
    return p;
}

// --- rows ---

static struct row *find_row(struct progress *p, const char *run, int64_t stage)
{
    for (size_t i = 0; i < p->rows.len; i++)
        if (p->rows.items[i].stage == stage && str_eq(p->rows.items[i].run, run))
            return &p->rows.items[i];
    return NULL;
}

// The number of a stage, behind the run's name when it is not the run that is watched.
static char *label(const struct progress *p, const char *run, int64_t stage)
{
    return str_eq(run, p->first) ? str_printf("%lld", (long long)stage) : str_printf("%s:%lld", run, (long long)stage);
}

static void row_release(struct row *r)
{
    mem_free(r->run);
    mem_free(r->agent);
    mem_free(r->mode);
    mem_free(r->text);
}

static void remove_row(struct progress *p, struct row *r)
{
    row_release(r);
    *r = p->rows.items[--p->rows.len];
}

static struct row *begin_row(struct progress *p, const char *run, const json_t *body)
{
    int64_t stage = json_int(body, "stage", 0);
    struct row *r = find_row(p, run, stage);
    if (!r) {
        vec_push(&p->rows, (struct row){.stage = stage, .run = str_dup(run)});
        r = &p->rows.items[p->rows.len - 1];
    }
    str_set(&r->agent, json_str(body, "agent", "?"));
    str_set(&r->mode, json_str(body, "mode", ""));
    str_set(&r->text, json_str(body, "focus", "starting"));
    r->started_ns = clock_mono_ns();
    r->fraction = -1;
    AUTO_FREE char *key = str_printf("%s/%s", r->agent, r->mode);
    r->estimate_ms = json_int(p->history, key, 0);
    return r;
}

// --- drawing ---

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

static void erase(struct progress *p)
{
    for (; p->drawn; p->drawn--)
        fputs("\033[1A\033[2K", stderr);
    fputs("\r", stderr);
}

// At most `width` characters of a UTF-8 text.
static void put_cut(const char *text, int width)
{
    const char *s = text;
    for (int n = 0; *s && n < width; n++) {
        s++;
        while (((unsigned char)*s & 0xC0) == 0x80)
            s++;
    }
    fprintf(stderr, "%.*s", (int)(s - text), text);
}

// Whole seconds, "0 s" at the start.
static void put_seconds(int64_t ns, char out[CLOCK_TEXT_MAX])
{
    int64_t s = ns / NS_PER_SEC;
    if (s < 60)
        snprintf(out, CLOCK_TEXT_MAX, "%lld s", (long long)s);
    else
        snprintf(out, CLOCK_TEXT_MAX, "%lld min %02lld s", (long long)(s / 60), (long long)(s % 60));
}

// How long the stage will take in all: from earlier runs, else from what it says of its progress. 0: unknown.
static int64_t estimate(const struct row *r, int64_t elapsed)
{
    if (r->estimate_ms >= 2000 && r->estimate_ms * NS_PER_MS > elapsed)
        return r->estimate_ms * NS_PER_MS;
    return r->fraction > 0.05 && elapsed > 3 * NS_PER_SEC ? (int64_t)((double)elapsed / r->fraction) : 0;
}

static void format_row(const struct progress *p, const struct row *r, int width, struct buf *line)
{
    static const char *const SPINNER[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    char spent[CLOCK_TEXT_MAX], total[CLOCK_TEXT_MAX];
    int64_t elapsed = clock_mono_ns() - r->started_ns, whole = estimate(r, elapsed);
    put_seconds(elapsed, spent);
    put_seconds(whole, total);
    struct buf tail = BUF_INIT;
    buf_printf(&tail, whole ? "  %s of about %s" : "  %s", spent, total);
    struct buf head = BUF_INIT;
    AUTO_FREE char *name = label(p, r->run, r->stage);
    buf_printf(&head, "%s %s (%s)  %s", name, r->agent, r->mode, r->text);
    // The time stays visible: the text before it is cut to what is left.
    size_t room = width > (int)tail.len + 4 ? (size_t)width - tail.len - 4 : 8;
    buf_printf(line, "%s ", SPINNER[p->spin % ARRAY_LEN(SPINNER)]);
    buf_add(line, buf_str(&head), str_utf8_cut(buf_str(&head), room));
    buf_str_add(line, buf_str(&tail));
    buf_free(&head);
    buf_free(&tail);
}

static void draw(struct progress *p)
{
    int width = columns();
    for (size_t i = 0; i < p->rows.len; i++) {
        struct buf line = BUF_INIT;
        format_row(p, &p->rows.items[i], width, &line);
        put_cut(buf_str(&line), width - 1);
        fputs("\n", stderr);
        buf_free(&line);
        p->drawn++;
    }
    fflush(stderr);
}

void progress_tick(struct progress *p)
{
    if (p->style != PROGRESS_TERMINAL || p->rows.len == 0)
        return;
    p->spin++;
    erase(p);
    draw(p);
}

// A line that stays.
static void say(struct progress *p, const char *text)
{
    AUTO_FREE char *line = str_dup(text);
    str_make_plain(line);
    if (p->style == PROGRESS_TERMINAL)
        erase(p);
    fprintf(stderr, "%s\n", line);
    if (p->style == PROGRESS_TERMINAL)
        draw(p);
}

// --- events ---

static void finished(struct progress *p, const char *run, const json_t *body, bool reused)
{
    struct row *r = find_row(p, run, json_int(body, "stage", 0));
    const char *state = json_str(body, "state", "?");
    char spent[CLOCK_TEXT_MAX] = "";
    clock_human(json_int(body, "elapsed_ms", 0) * NS_PER_MS, spent);
    bool plain = p->style == PROGRESS_PLAIN;
    const char *mark = str_eq(state, "completed") ? (plain ? "done" : "✓") : (plain ? state : "✗");
    AUTO_FREE char *name = label(p, run, json_int(body, "stage", 0));
    AUTO_FREE char *line = str_printf("%s %s %s (%s)  %s%s%s", mark, name, json_str(body, "agent", "?"),
                                      json_str(body, "mode", ""), json_str(body, "summary", ""),
                                      json_str(body, "from", NULL) ? "  [from another run]"
                                      : reused                     ? "  [from the journal]"
                                                                   : "  ",
                                      reused ? "" : spent);
    if (r)
        remove_row(p, r);
    say(p, line);
}

static void progressed(struct progress *p, const char *run, const json_t *body)
{
    struct row *r = find_row(p, run, json_int(body, "stage", 0));
    if (!r)
        return;
    str_set(&r->text, json_str(body, "text", ""));
    str_make_plain(r->text);
    r->fraction = json_num(body, "fraction", -1);
    if (p->style != PROGRESS_PLAIN || clock_mono_ns() - r->said_ns < PLAIN_EVERY_NS)
        return;
    r->said_ns = clock_mono_ns();
    char spent[CLOCK_TEXT_MAX];
    clock_human(clock_mono_ns() - r->started_ns, spent);
    AUTO_FREE char *name = label(p, r->run, r->stage);
    AUTO_FREE char *line = str_printf("  %s %s: %s (%s)", name, r->agent, r->text, spent);
    say(p, line);
}

static void as_json(const char *run, enum event_kind kind, const json_t *body)
{
    char when[CLOCK_TEXT_MAX];
    clock_iso(clock_wall_ns(), when);
    AUTO_JSON json_t *event = json_object();
    json_put_str(event, "time", when);
    json_put_str(event, "run", run);
    json_put_str(event, "event", event_kind_name(kind));
    json_put(event, "body", body ? json_deep_copy(body) : json_object());
    AUTO_FREE char *line = json_shown(event);
    printf("%s\n", line);
    fflush(stdout);
}

// What confines, not what only limits. NULL: nothing is missing, or the run ends with all of it as the reason.
static char *lacks_new(const json_t *facts)
{
    AUTO_BUF struct buf names = BUF_INIT;
    size_t i;
    json_t *layer;
    json_array_foreach (json_list(facts, "missing"), i, layer)
        if (json_str(layer, "needed", NULL))
            buf_printf(&names, "%s%s", names.len ? ", " : "", json_str(layer, "layer", "?"));
    if (!names.len || !json_flag(facts, "usable", false))
        return NULL;
    return str_printf("! the box of tools has no %s here; what that leaves open: baton doctor", buf_str(&names));
}

static void words(struct progress *p, const char *run, enum event_kind kind, const json_t *body)
{
    AUTO_FREE char *line = NULL;
    if (kind == EVENT_SCRIPT_LOG)
        line = str_printf("  %s", json_str(body, "text", ""));
    else if (kind == EVENT_SANDBOX_PROBED)
        line = lacks_new(body);
    else if (kind == EVENT_STAGE_LOST)
        line = str_printf("! stage %lld lost its worker (%s), it is dispatched once more",
                          (long long)json_int(body, "stage", 0), json_str(body, "why", ""));
    else if (kind == EVENT_STAGE_BACKOFF)
        line = str_printf("! stage %lld failed (%s: %s), it is tried again in %lld ms",
                          (long long)json_int(body, "stage", 0), json_str(body, "class", "?"),
                          json_str(body, "why", ""), (long long)json_int(body, "wait_ms", 0));
    else if (kind == EVENT_CONTEXT_MISSING)
        line = str_printf("! %s expects '%s' and no earlier stage has it", json_str(body, "agent", "?"),
                          json_str(body, "expected", "?"));
    else if (kind == EVENT_GATE_CLOSED)
        line = str_printf("! gate closed: %s", json_str(body, "reason", ""));
    else if (kind == EVENT_LOOP_STOPPED)
        line = str_printf("! stopped: %s", json_str(body, "reason", ""));
    else if (kind == EVENT_CLAIM_UNGROUNDED)
        line = str_printf("! %s claims what its receipts do not show", json_str(body, "agent", "?"));
    else if (kind == EVENT_APPROVAL_ASKED)
        line = str_printf("? %s  (answer with: baton approve %s%s%s, or with --deny)", json_str(body, "question", ""),
                          run, json_str(body, "subject", NULL) ? " --for " : "", json_str(body, "subject", ""));
    else if (kind == EVENT_APPROVAL_REFUSED)
        line = str_printf("! an answer does not count: %s", json_str(body, "why", "?"));
    else if (kind == EVENT_SIGNAL_TAKEN)
        line = str_printf("  signal '%s' of %s", json_str(body, "name", "?"), json_str(body, "by", "?"));
    else if (kind == EVENT_CHILD_STARTED)
        line = str_printf("> run %s of '%s'", json_str(body, "child", "?"), json_str(body, "workflow", "?"));
    else if (kind == EVENT_CHILD_FINISHED)
        line = str_printf("< run %s: %s", json_str(body, "child", "?"), json_str(body, "state", "?"));
    if (line)
        say(p, line);
}

void progress_event(struct progress *p, const char *run, enum event_kind kind, const json_t *body)
{
    if (p->style == PROGRESS_QUIET)
        return;
    if (!p->first)
        p->first = str_dup(run);
    if (p->style == PROGRESS_JSON) {
        as_json(run, kind, body);
        return;
    }
    if (kind == EVENT_STAGE_DISPATCHED) {
        struct row *r = begin_row(p, run, body);
        if (p->style == PROGRESS_PLAIN) {
            AUTO_FREE char *name = label(p, r->run, r->stage);
            AUTO_FREE char *line = str_printf("start %s %s (%s)", name, r->agent, r->mode);
            say(p, line);
        } else {
            progress_tick(p);
        }
    } else if (kind == EVENT_STAGE_PROGRESS) {
        progressed(p, run, body);
    } else if (kind == EVENT_STAGE_FINISHED) {
        finished(p, run, body, false);
    } else if (kind == EVENT_STAGE_REUSED) {
        finished(p, run, body, true);
    } else {
        words(p, run, kind, body);
    }
}

struct progress *progress_free(struct progress *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->rows.len; i++)
        row_release(&p->rows.items[i]);
    vec_free(&p->rows);
    json_decref(p->history);
    mem_free(p->first);
    mem_free(p);
    return NULL;
}

// baton top: what is at work now, in place on a terminal, once for everybody else.
#include "main/commands.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/top.h"
#include "report/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_LOOK_US   200000 // CPU time is what was used between two looks
#define INTERVAL_MOST_S 3600
#define HOME            "\033[H"
#define CLEAR_LINE      "\033[K"
#define CLEAR_BELOW     "\033[J"

struct screen {
    int rows, columns; // 0: no end
    bool in_place;
    int used;
};

// --- small texts ---

static void bytes_text(int64_t bytes, char out[CLOCK_TEXT_MAX])
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1024 && unit + 1 < ARRAY_LEN(UNITS)) {
        n /= 1024;
        unit++;
    }
    snprintf(out, CLOCK_TEXT_MAX, unit ? "%.1f %s" : "%.0f %s", n, UNITS[unit]);
}

static void seconds_text(int64_t ms, char out[CLOCK_TEXT_MAX])
{
    int64_t s = ms / 1000;
    if (s < 3600)
        snprintf(out, CLOCK_TEXT_MAX, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else
        snprintf(out, CLOCK_TEXT_MAX, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
}

// --- lines ---

// At most as many characters as there are columns.
static void put_line(struct screen *s, const char *text)
{
    if (s->rows && s->used >= s->rows - 1)
        return;
    const char *p = text;
    for (int n = 0; *p && (!s->columns || n < s->columns); n++) {
        p++;
        while (((unsigned char)*p & 0xC0) == 0x80)
            p++;
    }
    printf("%.*s%s\n", (int)(p - text), text, s->in_place ? CLEAR_LINE : "");
    s->used++;
}

static void put_head(struct screen *s, const json_t *look)
{
    const json_t *service = json_obj(look, "service"), *rates = json_obj(service, "rates");
    char size[CLOCK_TEXT_MAX], up[CLOCK_TEXT_MAX];
    struct buf line = BUF_INIT;
    bytes_text(json_int(look, "journal_bytes", 0), size);
    seconds_text((int64_t)(json_num(service, "up_s", 0) * 1000), up);
    if (service)
        buf_printf(&line,
                   "service %" PRId64 "%s, up %s: %" PRId64 " runs of %" PRId64 ", %" PRId64 " queued, %" PRId64
                   " stages",
                   json_int(service, "pid", 0), json_flag(service, "draining", false) ? " (draining)" : "", up,
                   json_int(service, "runs", 0), json_int(service, "max_runs", 0), json_int(service, "queued", 0),
                   json_int(service, "stages", 0));
    else
        buf_str_add(&line, "no service");
    buf_printf(&line, "; journal %s", size);
    put_line(s, buf_str(&line));
    if (rates) {
        buf_clear(&line);
        buf_printf(&line, "rates    %.1f runs/min, %.1f stages/s, %.1f commits/s", json_num(rates, "runs_per_min", 0),
                   json_num(rates, "stages_per_s", 0), json_num(rates, "commits_per_s", 0));
        put_line(s, buf_str(&line));
    }
    buf_free(&line);
}

static void put_run(struct screen *s, const json_t *run)
{
    char elapsed[CLOCK_TEXT_MAX], of_stage[CLOCK_TEXT_MAX], ordinal[COMMANDS_ORDINAL_MAX];
    int64_t position = json_int(run, "position", 0);
    seconds_text(json_int(run, "elapsed_ms", 0), elapsed);
    seconds_text(json_int(run, "stage_elapsed_ms", 0), of_stage);
    commands_ordinal(position, ordinal);
    AUTO_FREE char *waits = text_waits_new(NULL, json_list(run, "waits"));
    bool running = str_eq(json_str(run, "state", ""), run_state_name(RUN_RUNNING));
    AUTO_FREE char *state =
        str_printf("%s%s%s", waits && running ? run_state_name(RUN_WAITING) : json_str(run, "state", ""),
                   position ? ", " : "", position ? ordinal : "");
    struct buf stage = BUF_INIT;
    if (json_int(run, "stage", 0))
        buf_printf(&stage, "%" PRId64 " %s%s%s%s", json_int(run, "stage", 0), json_str(run, "agent", ""),
                   json_str(run, "mode", NULL) ? " (" : "", json_str(run, "mode", ""),
                   json_str(run, "mode", NULL) ? ")" : "");
    else if (waits)
        buf_printf(&stage, "waits %s", waits);
    AUTO_FREE char *line =
        str_printf("%-22s %-14s %9s  %-40s %9s  %s", json_str(run, "run", ""), state, elapsed, buf_str(&stage),
                   json_int(run, "stage", 0) ? of_stage : "", json_str(run, "project", ""));
    put_line(s, line);
    buf_free(&stage);
}

static void put_worker(struct screen *s, const json_t *worker)
{
    char size[CLOCK_TEXT_MAX], cpu[16] = "-";
    bytes_text(json_int(worker, "rss_bytes", 0), size);
    if (json_is_number(json_object_get(worker, "cpu_pct")))
        snprintf(cpu, sizeof(cpu), "%.0f%%", json_num(worker, "cpu_pct", 0));
    AUTO_FREE char *line = str_printf("%-8" PRId64 " %-24s %6s %10s  %-22s %s", json_int(worker, "pid", 0),
                                      json_str(worker, "program", ""), cpu, size, json_str(worker, "run", ""),
                                      json_str(worker, "tool", ""));
    put_line(s, line);
}

static void draw(struct screen *s, const json_t *look)
{
    size_t i;
    json_t *row;
    s->used = 0;
    if (s->in_place)
        fputs(HOME, stdout);
    put_head(s, look);
    if (json_array_size(json_list(look, "runs"))) {
        put_line(s, "");
        put_line(s, "RUN                    STATE            ELAPSED  STAGE                                       "
                    "SINCE  PROJECT");
    }
    json_array_foreach (json_list(look, "runs"), i, row)
        put_run(s, row);
    if (json_array_size(json_list(look, "workers"))) {
        put_line(s, "");
        put_line(s, "PID      WORKER                      CPU     MEMORY  RUN                    TOOL");
    }
    json_array_foreach (json_list(look, "workers"), i, row)
        put_worker(s, row);
    if (s->in_place)
        fputs(CLEAR_BELOW, stdout);
}

// --- looking ---

static int show(struct top *t, const struct cli *cli, int64_t interval_s, struct err *err)
{
    bool json = cli_flag(cli, "json"), once = cli_flag(cli, "once") || (!json && !isatty(STDOUT_FILENO));
    AUTO_JSON json_t *first = top_look_new(t, err);
    if (!first)
        return -(int)err->code;
    usleep(FIRST_LOOK_US);
    for (bool begun = false;; begun = true) {
        AUTO_JSON json_t *look = top_look_new(t, err);
        if (!look)
            return -(int)err->code;
        struct winsize size = {0};
        struct screen s = {.in_place = !once && !json};
        if (s.in_place && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
            s.rows = size.ws_row;
            s.columns = size.ws_col;
        }
        if (s.in_place && !begun)
            fputs(HOME CLEAR_BELOW, stdout);
        AUTO_FREE char *line = json ? json_shown(look) : NULL;
        if (line)
            printf("%s\n", line);
        else
            draw(&s, look);
        if (fflush(stdout) != 0)
            return err_set(err, ERR_IO, "nobody reads any more");
        if (once || (json && cli_flag(cli, "once")))
            return 0;
        usleep((useconds_t)(interval_s * 1000000));
    }
}

int cmd_top(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    int64_t interval_s = 0;
    const char *text = cli_value(cli, "interval", "1");
    if (!str_to_i64(text, &interval_s) || interval_s < 1 || interval_s > INTERVAL_MOST_S) {
        err_set(&err, ERR_INVALID, "--interval '%s' must be a number of seconds from 1 to %d", text, INTERVAL_MOST_S);
        return cli_fail(&err);
    }
    if (commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    struct top *t = top_new(store, places.state);
    int r = show(t, cli, interval_s, &err);
    top_free(t);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

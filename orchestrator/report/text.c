#include "report/text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WAITS_SHOWN   3
#define HOT_SHARE_PCT 1.0 // below it a place is cold: the developer leaves it alone

// --- commands ---

static bool is_bare(const char *word)
{
    static const char SAFE[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    return *word && strspn(word, SAFE) == strlen(word);
}

static bool has_unseen(const char *word)
{
    for (size_t i = 0, len = strlen(word), n; i < len; i += n)
        if ((n = str_utf8_shown(word + i, len - i)) == 0)
            return true;
    return false;
}

void text_shell_word(struct buf *out, const char *word)
{
    if (is_bare(word)) {
        buf_str_add(out, word);
        return;
    }
    bool coded = has_unseen(word);
    buf_str_add(out, coded ? "$'" : "'");
    for (size_t i = 0, len = strlen(word), n; i < len; i += n) {
        size_t shown = str_utf8_shown(word + i, len - i);
        n = shown ? shown : 1;
        if (coded && !shown)
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)word[i]);
        else if (coded && (word[i] == '\'' || word[i] == '\\'))
            buf_printf(out, "\\%c", word[i]);
        else if (word[i] == '\'')
            buf_str_add(out, "'\\''");
        else
            buf_add(out, word + i, n);
    }
    buf_char(out, '\'');
}

void text_command(struct buf *out, const json_t *command)
{
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach (json_obj(command, "env"), name, value) {
        if (!json_is_string(value) || !is_bare(name))
            continue;
        buf_printf(out, "%s=", name);
        text_shell_word(out, json_string_value(value));
        buf_char(out, ' ');
    }
    json_array_foreach (json_list(command, "argv"), i, value) {
        if (i)
            buf_char(out, ' ');
        text_shell_word(out, json_is_string(value) ? json_string_value(value) : "?");
    }
}

void text_outcome(struct buf *out, const json_t *command)
{
    char time[TEXT_NUMBER];
    text_ms(json_int(command, "wall_ms", 0), time);
    if (str_eq(json_str(command, "decision", ""), "deny"))
        buf_str_add(out, "refused");
    else if (json_flag(command, "timed_out", false))
        buf_printf(out, "timed out after %s", time);
    else if (json_int(command, "signal", 0))
        buf_printf(out, "signal %d, %s", (int)json_int(command, "signal", 0), time);
    else if (json_is_integer(json_object_get(command, "exit")))
        buf_printf(out, "exit %d, %s", (int)json_int(command, "exit", 0), time);
    else
        buf_str_add(out, "did not start");
}

// --- numbers ---

void text_bytes(double bytes, char out[TEXT_NUMBER])
{
    static const char *const UNITS[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < ARRAY_LEN(UNITS); unit++)
        bytes /= 1000;
    snprintf(out, TEXT_NUMBER, unit && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, UNITS[unit]);
}

static const char *const MEASURES[][3] = {
#define X(name, json, word, words, unit, bencher) {json, words, unit},
#include "tbl/measures.def"
#undef X
};

static const char *unit_of(const char *metric)
{
    for (size_t i = 0; metric && i < ARRAY_LEN(MEASURES); i++)
        if (str_eq(metric, MEASURES[i][0]))
            return MEASURES[i][2];
    return "ns";
}

bool text_is_time(const char *metric)
{
    return str_eq(unit_of(metric), "ns");
}

void text_value(const json_t *value, const char *metric, char out[TEXT_NUMBER])
{
    double v = json_is_number(value) ? json_number_value(value) : -1;
    if (!(v >= 0 && v < 9e18))
        snprintf(out, TEXT_NUMBER, "–");
    else if (str_eq(unit_of(metric), "KiB") || str_eq(unit_of(metric), "B"))
        text_bytes(v * (unit_of(metric)[0] == 'K' ? 1024 : 1), out);
    else if (!text_is_time(metric))
        snprintf(out, TEXT_NUMBER, "%.0f", v);
    else if (v < 1000)
        snprintf(out, TEXT_NUMBER, v < 99.95 ? "%.1f ns" : "%.0f ns", v);
    else if (v < 9.9995e9 && v >= 1e9)
        snprintf(out, TEXT_NUMBER, "%.2f s", v / 1e9);
    else
        clock_human((int64_t)v, out);
}

void text_ms(int64_t ms, char out[TEXT_NUMBER])
{
    int64_t most = INT64_MAX / NS_PER_MS;
    if (ms > 0 && ms < 1000)
        snprintf(out, TEXT_NUMBER, "%d ms", (int)ms);
    else
        clock_human((ms < 0 ? 0 : ms > most ? most : ms) * NS_PER_MS, out);
    if (ms <= 0)
        snprintf(out, TEXT_NUMBER, "0 ms");
}

void text_seconds(double s, char out[TEXT_NUMBER])
{
    if (!(s >= 0 && s < 1e9))
        snprintf(out, TEXT_NUMBER, "–");
    else if (s < 60)
        snprintf(out, TEXT_NUMBER, s < 1 ? "%.2f s" : "%.1f s", s);
    else
        clock_human((int64_t)(s * 1e9), out);
}

void text_percent(double v, char out[TEXT_NUMBER])
{
    snprintf(out, TEXT_NUMBER, fabs(v) < 1 ? "%+.2f" : "%+.1f", v);
}

void text_change(const json_t *row, struct buf *out)
{
    const json_t *change = json_object_get(row, "change_pct"), *interval = json_list(row, "interval");
    const json_t *low = json_object_get(row, "low_pct"), *high = json_object_get(row, "high_pct");
    char a[TEXT_NUMBER], b[TEXT_NUMBER], c[TEXT_NUMBER];
    if (interval) {
        low = json_array_get(interval, 0);
        high = json_array_get(interval, 1);
    }
    if (!json_is_number(change)) {
        buf_str_add(out, "–");
        return;
    }
    text_percent(json_number_value(change), a);
    buf_printf(out, "%s %%", a);
    if (!json_is_number(low) || !json_is_number(high))
        return;
    text_percent(json_number_value(low), b);
    text_percent(json_number_value(high), c);
    buf_printf(out, " [%s, %s]", b, c);
}

// --- words ---

const char *text_metric(const char *metric)
{
    for (size_t i = 0; metric && i < ARRAY_LEN(MEASURES); i++)
        if (str_eq(metric, MEASURES[i][0]))
            return MEASURES[i][1];
    if (str_eq(metric, "cpu"))
        return "CPU time";
    return metric ? metric : "time";
}

const char *text_state(const char *state)
{
    static const char *const NAMES[][2] = {{"needs_discussion", "needs discussion"},
                                           {"nothing_measurable", "nothing measurable"},
                                           {"over_budget", "over budget"},
                                           {"timed_out", "timed out"},
                                           {"changes_requested", "changes requested"},
                                           {"no_difference", "no difference"},
                                           {"unproven", "not proven"},
                                           {"optimal", "already optimal"},
                                           {"undecided", "undecided"}};
    for (size_t i = 0; state && i < ARRAY_LEN(NAMES); i++)
        if (str_eq(state, NAMES[i][0]))
            return NAMES[i][1];
    return state ? state : "";
}

const char *text_commit(const char *commit, char out[TEXT_NUMBER])
{
    snprintf(out, TEXT_NUMBER, "%.*s", (int)str_utf8_cut(commit, 12), commit);
    return out;
}

const char *text_when(const char *iso, char out[TEXT_NUMBER])
{
    if (strlen(iso) > 19 && iso[10] == 'T')
        snprintf(out, TEXT_NUMBER, "%.10s %.8s UTC", iso, iso + 11);
    else
        snprintf(out, TEXT_NUMBER, "%.*s", (int)str_utf8_cut(iso, TEXT_NUMBER - 1), iso);
    return out;
}

void text_place(const json_t *row, struct buf *out)
{
    const char *file = json_str(row, "file", NULL);
    int64_t line = json_int(row, "hot_line", 0);
    if (line <= 0)
        line = json_int(row, "line", 0);
    if (!file)
        return;
    buf_str_add(out, file);
    if (line > 0)
        buf_printf(out, ":%lld", (long long)line);
}

bool text_is_hot(const json_t *finding)
{
    return json_num(finding, "share_pct", 0) >= HOT_SHARE_PCT;
}

static void add_wait(struct buf *out, const char *run, const json_t *wait)
{
    const char *kind = json_str(wait, "kind", "");
    int64_t until = json_int(wait, "until_ns", 0);
    char iso[CLOCK_TEXT_MAX], when[TEXT_NUMBER];
    clock_iso(until, iso);
    text_when(iso, when);
    const char *name = json_str(wait, "name", "?"), *workflow = json_str(wait, "workflow", NULL);
    bool expired = json_flag(wait, "expired", false);
    if (str_eq(kind, "answer"))
        buf_str_add(out, expired ? "for an answer that would be too late now" : "for an answer");
    else if (str_eq(kind, "signal"))
        buf_printf(out, "for signal '%s'", name);
    else if (str_eq(kind, "run"))
        buf_printf(out, "for run %s%s%s%s", json_str(wait, "run", "?"), workflow ? " (" : "", workflow ? workflow : "",
                   workflow ? ")" : "");
    if (until)
        buf_printf(out, "%suntil %s", str_eq(kind, "time") ? "" : " ", when);
    if (run && str_eq(kind, "answer") && !expired)
        buf_printf(out, ": baton approve %s", run);
    if (run && str_eq(kind, "signal"))
        buf_printf(out, ": baton signal %s %s", run, name);
}

char *text_waits_new(const char *run, const json_t *waits)
{
    size_t n = json_array_size(waits), i;
    json_t *wait;
    if (n == 0 || str_eq(json_str(json_array_get(waits, 0), "kind", ""), "stage"))
        return NULL;
    struct buf out = BUF_INIT;
    json_array_foreach (waits, i, wait) {
        if (i == WAITS_SHOWN) {
            buf_printf(&out, "; and %zu more", n - i);
            break;
        }
        buf_str_add(&out, i ? "; " : "");
        add_wait(&out, run, wait);
    }
    char *text = str_dup(buf_str(&out));
    buf_free(&out);
    return text;
}

char *text_budget_new(const char *name, const json_t *amount)
{
    enum budget_kind kind;
    return json_is_integer(amount) && budget_kind_from_name(name, &kind) ? budget_text(kind, json_integer_value(amount))
                                                                         : str_dup("–");
}

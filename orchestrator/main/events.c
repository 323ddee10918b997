#include "main/events.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define PART 1000 // events read at once

static const char *const NAMES[] = {
#define X(code, name, level, meaning) name,
#include "tbl/events.def"
};

static bool matches(const char *kind, const char *pattern)
{
    size_t len = strlen(pattern);
    return len && pattern[len - 1] == '*' ? strncmp(kind, pattern, len - 1) == 0 : str_eq(kind, pattern);
}

int events_check_kind(const char *kind, struct err *err)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (matches(NAMES[i], kind)) {
            buf_free(&names);
            return 0;
        }
        buf_printf(&names, "%s%s", i ? ", " : "", NAMES[i]);
    }
    int r = err_set(err, ERR_INVALID, "no event is of the kind '%s'; there are %s, and 'stage_*' for all that begin so",
                    kind, buf_str(&names));
    buf_free(&names);
    return r;
}

static bool wanted(const struct event_view *view, const json_t *event)
{
    const char *kind = json_str(event, "kind", "");
    bool any = false;
    for (const char *const *k = view->kinds; k && *k; k++) {
        any = true;
        if (matches(kind, *k))
            return true;
    }
    return !any;
}

// One event for people; its members in the order they were written.
static void print_text(const struct event_view *view, const json_t *event)
{
    char when[CLOCK_TEXT_MAX];
    clock_iso(json_int(event, "at_ns", 0), when);
    if (view->whole)
        printf("%lld ", (long long)json_int(event, "id", 0));
    printf("%s %-18s", when, json_str(event, "kind", ""));
    if (view->whole && json_str(event, "run", NULL))
        printf(" %s", json_str(event, "run", ""));
    const char *key;
    json_t *value;
    json_object_foreach (json_obj(event, "body"), key, value) {
        if (json_is_null(value))
            continue;
        AUTO_FREE char *text = json_is_string(value) ? str_dup(json_string_value(value)) : json_shown(value);
        str_make_plain(text);
        printf(" %s=%s", key, text);
    }
    printf("\n");
}

static void print_event(const struct event_view *view, const json_t *event)
{
    AUTO_FREE char *line = view->json ? json_shown(event) : NULL;
    if (line)
        printf("%s\n", line);
    else
        print_text(view, event);
}

int events_print(struct event_view *view, struct err *err)
{
    for (;;) {
        AUTO_JSON json_t *events = store_event_list_new(view->store, view->run, view->since, PART, err);
        if (!events)
            return -(int)err->code;
        size_t i;
        json_t *event;
        json_array_foreach (events, i, event) {
            view->since = json_int(event, "id", view->since);
            if (wanted(view, event))
                print_event(view, event);
        }
        if (fflush(stdout) != 0)
            return err_set(err, ERR_IO, "nobody reads the events any more");
        if (json_array_size(events) < PART)
            return 0;
    }
}

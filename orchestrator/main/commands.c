#include "main/commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/profile_table.h"
#include "engine/engine.h"
#include "loop/loop.h"

#include <stdio.h>
#include <string.h>

#define EFFECTS_NS (12 * NS_PER_SEC)
#define WAKE_NS    (100 * NS_PER_MS)

static void wake_up(void *user)
{
    (void)user;
}

typedef int (*open_fn)(const char *state_dir, struct store **ret, struct err *err);

static int open_with(open_fn open, struct places *places, struct store **ret, struct err *err)
{
    int r = places_find(places, err);
    if (r < 0)
        return r;
    r = open(places->state, ret, err);
    if (r < 0)
        places_free(places);
    return r;
}

int commands_open(struct places *places, struct store **ret, struct err *err)
{
    return open_with(store_open, places, ret, err);
}

int commands_open_to_work(struct places *places, struct store **ret, struct err *err)
{
    AUTO_FREE char *boxes = profile_site_text_new(err);
    return boxes ? commands_open(places, ret, err) : -(int)err->code;
}

int commands_open_to_look(struct places *places, struct store **ret, struct err *err)
{
    return open_with(store_open_to_look, places, ret, err);
}

void commands_say_lost_journal(struct store *store)
{
    AUTO_JSON json_t *lost = store_lost_list_new(store, NULL);
    size_t i;
    json_t *row;
    json_array_foreach (lost, i, row) {
        char when[CLOCK_TEXT_MAX];
        if (!str_eq(json_str(row, "source", ""), STORE_LOST_JOURNAL))
            continue;
        clock_iso(json_int(row, "at_ns", 0), when);
        fprintf(stderr, "baton: the journal before this one was damaged; since %.19sZ it lies in '%s' (%s)\n", when,
                json_str(row, "ref", "?"), json_str(row, "reason", "?"));
    }
}

void commands_close(struct places *places, struct store *store)
{
    store_close(store);
    places_free(places);
}

int commands_find_run(struct store *store, const char *word, char **ret, struct err *err)
{
    AUTO_JSON json_t *runs = store_run_list_new(store, &(struct store_run_filter){0}, err);
    if (!runs)
        return -(int)err->code;
    const char *found = NULL;
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        const char *id = json_str(run, "id", ""), *dash = strrchr(id, '-');
        bool exact =
            str_eq(id, word) || (str_eq(word, "last") && !json_str(run, "parent", NULL)); // not one that a run started
        if (!exact && !str_starts(id, word) && !(dash && str_eq(dash + 1, word)))
            continue;
        if (found && !exact)
            return err_set(err, ERR_INVALID, "'%s' could be run '%s' or '%s'", word, found, id);
        found = id;
        if (exact)
            break;
    }
    if (!found)
        commands_say_lost_journal(store);
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "no run '%s'; 'baton runs' lists them", word);
    *ret = str_dup(found);
    return 0;
}

void commands_ordinal(int64_t n, char out[COMMANDS_ORDINAL_MAX])
{
    static const char *const ENDINGS[] = {"th", "st", "nd", "rd"};
    bool teen = n % 100 >= 11 && n % 100 <= 13;
    snprintf(out, COMMANDS_ORDINAL_MAX, "%lld%s", (long long)n, !teen && n % 10 <= 3 ? ENDINGS[n % 10] : "th");
}

void commands_say_started(const char *run, int64_t position)
{
    char ordinal[COMMANDS_ORDINAL_MAX];
    commands_ordinal(position, ordinal);
    if (position > 0)
        printf("%s is queued, %s\n", run, ordinal);
    else
        printf("%s is at work\n", run);
}

void commands_print_json(json_t *value_consumed)
{
    char *text = json_shown_pretty(value_consumed);
    fputs(text, stdout);
    mem_free(text);
    json_decref(value_consumed);
}

void commands_wait_for_effects(struct engine *engine, struct loop *loop)
{
    int64_t end = clock_mono_ns() + EFFECTS_NS;
    struct loop_timer *timer = loop_timer_new(loop, wake_up, NULL); // so that a turn of the loop ends
    loop_timer_start(timer, WAKE_NS, WAKE_NS);
    while (engine_effects_under_way(engine) && clock_mono_ns() < end)
        loop_run_once(loop);
    loop_timer_close(timer);
}

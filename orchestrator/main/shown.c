#include "main/shown.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "loop/http.h"
#include "main/commands.h"
#include "report/text.h"
#include "run/letters.h"
#include "run/outbox.h"

#include <stdio.h>

#define PUBLISHED_SHOWN 160 // bytes of a value
#define DEPTH_MAX       16  // of a tree of runs; the engine stops earlier

// --- the tree of one run ---

static void print_children(const json_t *children, int depth)
{
    size_t i;
    json_t *child;
    json_array_foreach (children, i, child) {
        char state[SHOWN_STATE_MAX];
        AUTO_FREE char *waits = text_waits_new(json_str(child, "run", ""), json_list(child, "waits"));
        shown_state(child, state);
        printf("%*s%-24s %-18s %s%s%s\n", 2 + 2 * depth, "", json_str(child, "run", ""),
               json_str(child, "workflow", ""), state, waits ? " " : "", waits ? waits : "");
        print_children(json_list(child, "children"), depth + 1);
    }
}

// --- what it waits for, what it says ---

void shown_print_question(const json_t *q)
{
    const char *run = json_str(q, "run", "?");
    const char *subject = json_str(q, "subject", NULL);
    printf("  %-6s %s\n", json_str(q, "id", ""), json_str(q, "question", ""));
    if (subject)
        printf("         about     %s\n", subject);
    if (json_list(q, "who")) {
        AUTO_FREE char *who = json_shown(json_list(q, "who"));
        printf("         only      %s\n", who);
    }
    if (json_int(q, "expires_ns", 0)) {
        char when[CLOCK_TEXT_MAX];
        clock_iso(json_int(q, "expires_ns", 0), when);
        printf("         %s   %.19sZ\n", json_flag(q, "expired", false) ? "expired" : "until  ", when);
    }
    if (json_flag(q, "answered", false))
        printf("         an answer is on its way\n");
    else if (json_flag(q, "expired", false))
        printf("         too late  no answer counts any more; the run takes it for a no when it goes on\n");
    else
        printf("         answer    baton approve %s --question %s%s%s   (or --deny)\n", run, json_str(q, "id", ""),
               subject ? " --for " : "", subject ? subject : "");
}

static void print_letters(const json_t *model)
{
    size_t i;
    json_t *q, *one;
    const char *name;
    json_array_foreach (json_list(model, "questions"), i, q) {
        if (i == 0)
            printf("waits for an answer\n");
        shown_print_question(q);
    }
    if (json_object_size(json_obj(model, "published")) > 0)
        printf("published\n");
    json_object_foreach (json_obj(model, "published"), name, one) {
        AUTO_FREE char *text = json_shown(json_object_get(one, "value"));
        printf("  %-20s %.*s\n", name, (int)str_utf8_cut(text, PUBLISHED_SHOWN), text);
    }
}

// Addresses may have secrets in them: their places are enough here.
static json_t *effects_new(struct store *store, const char *run)
{
    AUTO_JSON json_t *entries = store_outbox_list_new(store, run, NULL);
    json_t *list = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        static const char *const SAME[] = {"kind", "key", "state", "attempts", "error"};
        json_t *row = json_object();
        bool is_url = str_eq(json_str(entry, "kind", ""), OUTBOX_NOTIFY);
        AUTO_FREE char *place =
            is_url ? loop_http_place(json_str(entry, "target", "")) : str_dup(json_str(entry, "target", ""));
        for (size_t k = 0; k < ARRAY_LEN(SAME); k++)
            json_put(row, SAME[k], json_incref(json_object_get(entry, SAME[k])));
        json_put_str(row, "place", place);
        json_array_append_new(list, row);
    }
    return list;
}

static void print_effects(const json_t *model)
{
    size_t i;
    json_t *e;
    json_array_foreach (json_list(model, "effects"), i, e) {
        const char *error = str_eq(json_str(e, "state", ""), "done") ? NULL : json_str(e, "error", NULL);
        printf("%-8s %s: %s%s%s\n", json_str(e, "kind", ""), json_str(e, "place", ""), json_str(e, "state", ""),
               error ? ", " : "", error ? error : "");
    }
}

void shown_add_questions(struct store *store, const char *run, int depth, json_t *to)
{
    AUTO_JSON json_t *list = store_questions_new(store, run, NULL);
    AUTO_JSON json_t *children = depth < DEPTH_MAX ? store_run_children_new(store, run, true, NULL) : NULL;
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one) {
        json_put_str(one, "run", run);
        json_array_append(to, one);
    }
    json_array_foreach (children, i, one)
        shown_add_questions(store, json_str(one, "id", ""), depth + 1, to);
}

void shown_put(struct store *store, const char *run, json_t *model)
{
    json_put(model, "effects", effects_new(store, run));
    AUTO_JSON json_t *record = store_run_get_new(store, run, NULL);
    json_put_str(model, "parent", json_str(record, "parent", NULL));
    json_put_str(model, "continued_from", json_str(json_obj(record, "options"), "continued_from", NULL));
    json_put_str(model, "continued_as", json_str(json_obj(record, "result"), "continued_as", NULL));
    json_t *undone = json_obj(json_obj(record, "result"), "undone");
    json_put(model, "undone", undone ? json_deep_copy(undone) : json_null());
    json_t *questions = json_array(), *published = store_published_new(store, run, NULL);
    shown_add_questions(store, run, 0, questions);
    json_put(model, "questions", questions);
    json_put(model, "published", published ? published : json_object());
}

void shown_print(const json_t *model)
{
    if (json_str(model, "parent", NULL))
        printf("parent   %s\n", json_str(model, "parent", ""));
    if (json_str(model, "continued_from", NULL))
        printf("before   %s\n", json_str(model, "continued_from", ""));
    if (json_str(model, "continued_as", NULL))
        printf("next     %s\n", json_str(model, "continued_as", ""));
    if (json_obj(model, "undone")) {
        AUTO_FREE char *undone = json_shown(json_obj(model, "undone"));
        printf("undone   %s\n", undone);
    }
    if (json_array_size(json_list(model, "children")) > 0)
        printf("runs below it\n");
    print_children(json_list(model, "children"), 0);
    print_letters(model);
    print_effects(model);
}

void shown_print_budget(const json_t *model)
{
    const char *name;
    json_t *row;
    bool first = true;
    json_object_foreach (json_obj(model, "budget"), name, row) {
        enum budget_kind kind;
        if (!budget_kind_from_name(name, &kind))
            continue;
        bool limited = json_is_integer(json_object_get(row, "limit"));
        AUTO_FREE char *used = budget_text(kind, json_int(row, "used", 0)),
                       *limit = budget_text(kind, json_int(row, "limit", 0));
        AUTO_FREE char *set_aside = budget_text(kind, json_int(row, "reserved", 0));
        bool sum = budget_is_sum(kind) || kind == BUDGET_WALL;
        printf("%-9s%s %s%s%s", first ? "limits" : "", name, sum ? used : "at most ", sum && limited ? " of " : "",
               limited ? limit : "");
        printf(json_int(row, "reserved", 0) ? ", %s set aside\n" : "\n", set_aside);
        first = false;
    }
    const json_t *spent = json_obj(model, "spent");
    char cpu[CLOCK_TEXT_MAX];
    clock_human(json_int(spent, "cpu_ms", 0) * NS_PER_MS, cpu);
    // Where a limit of processes is kept, their numbers are used again, and nobody knows how many there were.
    AUTO_FREE char *processes = json_int(spent, "processes", 0)
                                    ? str_printf(", %d processes", (int)json_int(spent, "processes", 0))
                                    : str_dup("");
    if (json_int(spent, "calls", 0) > 0)
        printf("tools    %d calls%s, %s CPU\n", (int)json_int(spent, "calls", 0), processes, cpu);
}

// --- lists ---

void shown_state(const json_t *of, char out[SHOWN_STATE_MAX])
{
    char ordinal[COMMANDS_ORDINAL_MAX];
    int64_t position = json_int(of, "position", 0);
    AUTO_FREE char *waits = text_waits_new(NULL, json_list(of, "waits"));
    const char *state = json_flag(of, "interrupted", false) ? "interrupted"
                        : waits                             ? run_state_name(RUN_WAITING)
                                                            : json_str(of, "state", "");
    commands_ordinal(position, ordinal);
    snprintf(out, SHOWN_STATE_MAX, "%s%s%s", state, position ? ", " : "", position ? ordinal : "");
}

static void print_run(const json_t *run, const json_t *below, int depth)
{
    char when[CLOCK_TEXT_MAX], state[SHOWN_STATE_MAX];
    const char *id = json_str(run, "id", "");
    AUTO_FREE char *waits = text_waits_new(id, json_list(run, "waits"));
    shown_state(run, state);
    clock_iso(json_int(run, "created_ns", 0), when);
    printf("%*s%-*s %-18s %.19sZ  %s%s%s\n", 2 * depth, "", 22 - 2 * depth, id, state, when,
           json_str(run, "project", ""), waits ? "  waits " : "", waits ? waits : "");
    const json_t *children = json_list(below, id);
    for (size_t i = json_array_size(children); i > 0 && depth < DEPTH_MAX / 2; i--) // they come newest first
        print_run(json_array_get(children, i - 1), below, depth + 1);
}

void shown_print_runs(const json_t *runs)
{
    AUTO_JSON json_t *listed = json_object(), *below = json_object();
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run)
        json_put_flag(listed, json_str(run, "id", ""), true);
    json_array_foreach (runs, i, run) {
        const char *parent = json_str(run, "parent", "");
        if (!json_object_get(listed, parent))
            continue;
        if (!json_list(below, parent))
            json_put(below, parent, json_array());
        json_array_append(json_list(below, parent), run);
    }
    json_array_foreach (runs, i, run)
        if (!json_object_get(listed, json_str(run, "parent", "")))
            print_run(run, below, 0);
}

#include "report/model_say.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/words.h"
#include "report/text.h"
#include "store/states.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

// --- the sentence on top ---

static const json_t *best_of(const json_t *metrics)
{
    const json_t *best = NULL;
    size_t i;
    json_t *row;
    json_array_foreach (metrics, i, row)
        if (str_eq(json_str(row, "verdict", ""), "faster") &&
            (!best || json_num(row, "change_pct", 0) < json_num(best, "change_pct", 0)))
            best = row;
    return best;
}

static char *improved(const json_t *best, size_t kept)
{
    double change = json_num(best, "change_pct", 0), left = 100 + change;
    const char *what = str_eq(json_str(best, "metric", ""), "max_rss_kb") ? "memory" : "time";
    AUTO_FREE char *factor = left > 0.01 ? str_printf(" (%.2fx faster)", 100 / left) : str_dup("");
    return str_printf("Improved: %s takes %.1f %% less %s%s, %zu change%s kept.", json_str(best, "subject", "?"),
                      -change, what, factor, kept, kept == 1 ? "" : "s");
}

static const char *label_of(const char *state, const struct model_ran *ran)
{
    static const char *const LABELS[][2] = {{"queued", "Not started"},
                                            {"running", "Still running"},
                                            {"waiting", "Waiting"},
                                            {"rejected", "Rejected"},
                                            {"needs_discussion", "Needs discussion"},
                                            {"nothing_measurable", "Nothing measurable"},
                                            {"failed", "Failed"},
                                            {"over_budget", "Over budget"},
                                            {"lost", "Lost"},
                                            {"diverged", "Diverged"},
                                            {"timed_out", "Timed out"},
                                            {"cancelled", "Cancelled"}};
    if (str_eq(state, "accepted"))
        return ran->profiled ? "Profiled" : ran->reviewed ? "Reviewed" : "Done";
    for (size_t i = 0; i < ARRAY_LEN(LABELS); i++)
        if (str_eq(state, LABELS[i][0]))
            return LABELS[i][1];
    return state;
}

// "Label: reason", where a reason that begins with the label stands alone.
static char *labelled(const char *label, const char *reason, const char *state, bool evidence)
{
    enum run_state known = RUN_FAILED;
    size_t n = strlen(label);
    if ((!reason || !*reason) && str_eq(state, "rejected") && !evidence)
        return str_printf("%s: by the workflow's own decision; it gave no reason.", label);
    if (!reason || !*reason)
        return run_state_from_name(state, &known) && known != RUN_ACCEPTED
                   ? str_printf("%s: %s.", label, run_state_meaning(known))
                   : str_printf("%s.", label);
    if (strncasecmp(reason, label, n) == 0) {
        char *text = str_dup(reason);
        text[0] = (char)toupper((unsigned char)text[0]);
        return text;
    }
    return str_printf("%s: %s", label, reason);
}

// Changes of which the run does not know whether they are faster.
static size_t undecided(const json_t *dropped)
{
    size_t i, k, open = 0;
    json_t *result, *comparison;
    json_array_foreach (dropped, i, result) {
        bool unknown = str_starts(json_str(result, "reason", ""), "not measured");
        json_array_foreach (json_list(result, "comparisons"), k, comparison)
            if (str_eq(json_str(comparison, "verdict", ""), "undecided") && !json_flag(result, "kept", false))
                unknown = true;
        open += unknown;
    }
    return open;
}

// How it can go on.
static char *interrupted(const json_t *model)
{
    const char *run = json_str(model, "run", "RUN");
    const json_t *missing = json_list(model, "missing");
    if (json_array_size(missing) == 0)
        return str_printf("Interrupted: no process works on it. Continue with: baton resume %s", run);
    bool script = false, agents = false;
    AUTO_BUF struct buf what = BUF_INIT;
    size_t i;
    json_t *name;
    json_array_foreach (missing, i, name) {
        bool is_script = str_eq(json_string_value(name), "script");
        script = script || is_script;
        agents = agents || !is_script;
        buf_printf(&what, "%sits %s", i ? ", " : "", json_string_value(name));
    }
    return str_printf(
        "Interrupted, and what it began with is gone from the state folder (%s). With another copy of it: "
        "baton resume %s%s%s; to end it: baton cancel %s",
        buf_str(&what), run, script ? " --with-new-script FILE" : "", agents ? " --agents DIR" : "", run);
}

void model_say_headline(json_t *model, const struct model_ran *ran)
{
    const char *state = json_str(model, "state", "?"), *verdict = state;
    const json_t *best = best_of(json_list(model, "metrics"));
    size_t kept = json_array_size(json_list(model, "changes"));
    bool accepted = str_eq(state, "accepted");
    AUTO_FREE char *text = NULL, *waits = text_waits_new(json_str(model, "run", "RUN"), json_list(model, "waits"));
    if (accepted && ran->searched && !best) {
        verdict = kept ? "improved" : "optimal";
        text = str_printf("%s: %s.", kept ? "Improved" : "Nothing changed", json_str(model, "reason", ""));
    } else if (accepted && best && kept) {
        verdict = "improved";
        text = improved(best, kept);
    } else if (accepted && kept) {
        verdict = "unproven";
        text =
            str_printf("Not proven: %zu change%s measured better one by one, but together they do not on fresh pairs.",
                       kept, kept == 1 ? "" : "s");
    } else if (accepted && ran->profiled && ran->developed) {
        size_t tried = json_array_size(json_list(model, "dropped")), open = undecided(json_list(model, "dropped"));
        verdict = open ? "undecided" : "optimal";
        if (open)
            text = str_printf("Nothing changed: no change measures better, but %zu of %zu could not be decided in the "
                              "time there was.",
                              open, tried);
        else
            text = str_dup(tried ? "Already optimal: no change that was tried measures better."
                                 : "Already optimal: nothing was found that is worth a change.");
    } else if (ran->compared && str_eq(json_str(model, "workflow", ""), "bench") && (accepted || str_eq(state, "rejected") || str_eq(state, "needs_discussion"))) {
        const json_t *bench = json_obj(model, "bench");
        verdict = json_str(bench, "verdict", state);
        text = str_dup(json_str(bench, "sentence", json_str(model, "reason", state)));
        text[0] = (char)toupper((unsigned char)text[0]);
    } else if (json_flag(model, "interrupted", false)) {
        verdict = "interrupted";
        text = interrupted(model);
    } else if (waits) {
        verdict = "waiting";
        text = str_printf("Waiting %s", waits);
    } else {
        verdict = accepted ? "done" : state;
        bool evidence = ran->reviewed || json_array_size(json_list(model, "metrics")) > 0;
        text = labelled(label_of(state, ran), json_str(model, "reason", NULL), state, evidence);
    }
    json_put_str(model, "verdict", verdict);
    json_put_str(model, "headline", text);
    json_put(model, "best", best && kept ? json_deep_copy(best) : json_null());
}

// --- doing it again ---

// The option of `baton run` that sets a parameter, NULL when it takes --param.
static const char *option_of(const char *param)
{
    static const char *const OPTIONS[][2] = {
        {"focus", "--focus"}, {"bench", "--bench"}, {"budget_minutes", "--budget"}, {"max_rounds", "--max-rounds"}};
    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++)
        if (str_eq(param, OPTIONS[i][0]))
            return OPTIONS[i][1];
    return NULL;
}

static void add_param(struct buf *line, const char *name, const json_t *value)
{
    AUTO_FREE char *text = json_is_string(value) ? str_dup(json_string_value(value)) : json_compact(value);
    const char *option = option_of(name);
    if (json_is_null(value) || (json_is_string(value) && !*text))
        return;
    buf_printf(line, " %s ", option ? option : "--param");
    AUTO_FREE char *pair = option ? str_dup(text) : str_printf("%s=%s", name, text);
    text_shell_word(line, pair);
}

// "baton bench A B": the commands are granted by being named, which parameters are not.
static void add_bench(struct buf *line, const json_t *params)
{
    const json_t *commands = json_list(params, "commands");
    size_t i, k;
    json_t *words, *word;
    buf_str_add(line, "baton bench");
    json_array_foreach (commands, i, words) {
        AUTO_BUF struct buf text = BUF_INIT;
        json_array_foreach (words, k, word)
            words_add(&text, json_string_value(word));
        buf_char(line, ' ');
        text_shell_word(line, buf_str(&text));
    }
    json_array_foreach (commands ? NULL : json_list(params, "revisions"), i, word) {
        buf_char(line, ' ');
        text_shell_word(line, json_string_value(word));
    }
    if (!commands && !json_str(params, "bench", NULL))
        buf_str_add(line, " --revisions");
    const char *metric = json_str(params, "metric", "cpu");
    if (!str_eq(metric, "cpu"))
        buf_printf(line, " --metric %s", metric);
    json_array_foreach (json_list(params, "profiles"), i, word) {
        buf_str_add(line, i ? " --profile-b " : " --profile-a ");
        text_shell_word(line, json_string_value(word));
    }
    if (json_object_get(params, "theta_pct"))
        buf_printf(line, " --theta %g%%", json_num(params, "theta_pct", 0));
}

static void add_words(struct buf *line, const json_t *words)
{
    size_t i;
    json_t *word;
    json_array_foreach (words, i, word) {
        buf_char(line, ' ');
        if (str_eq(json_string_value(word), "<"))
            buf_char(line, '<');
        else
            text_shell_word(line, json_string_value(word));
    }
}

// "baton profile -- COMMAND": the command is granted by being named there, too.
static void add_profile(struct buf *line, const json_t *params)
{
    const json_t *scaled = json_list(params, "scaled");
    const char *file = json_str(params, "file", NULL), *before = json_str(params, "before", NULL);
    const char *tool = json_str(params, "tool", "auto");
    size_t i;
    json_t *one;
    buf_str_add(line, "baton profile");
    if (str_eq(json_str(params, "memory", ""), "true") || json_flag(params, "memory", false))
        buf_str_add(line, " --memory");
    if (!str_eq(tool, "auto"))
        buf_printf(line, " --tool %s", tool);
    if (before) {
        buf_str_add(line, " --diff ");
        text_shell_word(line, before);
    }
    if (json_array_size(scaled) > 0) {
        buf_str_add(line, " --scale ");
        text_shell_word(line, json_str(params, "title", "?"));
        buf_str_add(line, " --sizes ");
        json_array_foreach (scaled, i, one)
            buf_printf(line, "%s%.15g", i ? "," : "", json_num(one, "size", 0));
    } else if (file) {
        buf_char(line, ' ');
        text_shell_word(line, file);
    } else {
        buf_str_add(line, " --");
        add_words(line, json_list(params, "command"));
    }
}

void model_say_reproduce(json_t *model)
{
    json_t *lines = json_array();
    const json_t *git = json_obj(model, "git");
    const char *branch = json_str(git, "branch", NULL), *base = json_str(git, "base", NULL);
    struct buf b = BUF_INIT;
    if (branch && base && json_array_size(json_list(model, "changes")) > 0) {
        AUTO_FREE char *range = str_printf("%.12s..%s", base, branch);
        buf_str_add(&b, "git -C ");
        text_shell_word(&b, json_str(git, "repository", "."));
        buf_str_add(&b, " diff ");
        text_shell_word(&b, range);
        json_add_str(lines, buf_str(&b));
        buf_clear(&b);
        buf_str_add(&b, "baton apply ");
        text_shell_word(&b, json_str(model, "run", ""));
        json_add_str(lines, buf_str(&b));
        buf_clear(&b);
    }
    const json_t *bench = str_eq(json_str(model, "workflow", ""), "bench") ? json_obj(model, "params") : NULL;
    if (str_eq(json_str(model, "workflow", ""), "sample")) {
        add_profile(&b, json_obj(model, "params"));
        json_add_str(lines, buf_str(&b));
        json_put(model, "reproduce", lines);
        buf_free(&b);
        return;
    }
    if (bench) {
        add_bench(&b, bench);
    } else {
        buf_str_add(&b, "baton run ");
        text_shell_word(&b, json_str(model, "workflow", "relay"));
    }
    buf_str_add(&b, " --project ");
    text_shell_word(&b, json_str(model, "project", "."));
    const char *name;
    json_t *value;
    json_object_foreach (json_obj(model, "params"), name, value)
        if (!bench || option_of(name))
            add_param(&b, name, value);
    json_add_str(lines, buf_str(&b));
    buf_free(&b);
    json_put(model, "reproduce", lines);
}

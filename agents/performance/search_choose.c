// Halving what was measured, and the start of every step.
#include "performance/search.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/stages.h"

#define SURVIVORS_LEAST 3
#define TIMED_MOST      3

static bool is_agreed(const struct search *s, const json_t *point)
{
    const char *consent = json_str(point, "consent", NULL);
    const json_t *agreed = job_input(s->job, "accept");
    size_t i;
    json_t *word;
    if (!consent)
        return true;
    json_array_foreach (agreed, i, word)
        if (json_is_string(word) && str_eq(json_string_value(word), consent) && !str_eq(consent, "toolchain"))
            return true;
    return false;
}

// Once the clock has spoken about some, only those count, and by what it said: counts and times are no common scale.
static json_t *eligible_new(const struct search *s, const json_t *base, const json_t *points)
{
    json_t *list = json_array(), *p;
    bool timed = false;
    size_t i;
    json_array_foreach (points, i, p)
        timed = timed || json_num(p, "timed", 0) > 0;
    json_array_foreach (points, i, p) {
        if (str_eq(json_str(p, "id", ""), json_str(base, "id", "P0")) || !is_agreed(s, p) ||
            (timed && json_num(p, "timed", 0) <= 0))
            continue;
        json_t *copy = json_deep_copy(p);
        if (timed)
            json_put_num(copy, "run", json_num(p, "timed", 1));
        if (front_score(s->goal, base, copy) < 1)
            json_array_append(list, copy);
        json_decref(copy);
    }
    return list;
}

// The best that may be taken over: not the base, agreed to, better than the base. Best first.
static json_t *recommended_new(const struct search *s, const json_t *base, const json_t *points)
{
    AUTO_JSON json_t *eligible = eligible_new(s, base, points);
    json_t *list = front_halved_new(s->goal, base, eligible, TIMED_MOST);
    while (json_array_size(list) > TIMED_MOST)
        json_array_remove(list, json_array_size(list) - 1);
    return list;
}

static json_t *without_failed_new(const json_t *results)
{
    json_t *list = json_array(), *p;
    size_t i;
    json_array_foreach (results, i, p)
        if (!json_str(p, "failed", NULL))
            json_array_append(list, p);
    return list;
}

static void mark(const struct search *s, const json_t *base, const json_t *points, const json_t *front)
{
    size_t i, k;
    json_t *p, *on;
    json_array_foreach (points, i, p) {
        bool is_on = false;
        json_array_foreach (front, k, on)
            is_on = is_on || on == p;
        json_put_flag(p, "front", is_on);
        json_put_num(p, "score", front_score(s->goal, base, p));
    }
}

int search_choose(struct search *s, json_t *draft, struct err *err)
{
    const json_t *given = job_input(s->job, "results");
    AUTO_JSON json_t *facts = job_context_new(s->job, "facts", err);
    AUTO_JSON json_t *results = json_is_array(given) ? json_deep_copy(given) : NULL;
    if (!results || json_array_size(results) == 0 || json_str(json_array_get(results, 0), "failed", NULL))
        return err_set(err, ERR_INVALID, "the base itself could not be measured: %s",
                       json_str(json_array_get(results, 0), "failed", "no results were given"));
    const json_t *base = json_array_get(results, 0);
    AUTO_JSON json_t *points = without_failed_new(results), *front = front_new(points);
    AUTO_JSON json_t *survivors = front_halved_new(s->goal, base, points, SURVIVORS_LEAST);
    struct space_facts known = search_facts(facts);
    json_t *output = json_obj(draft, "output");
    mark(s, base, points, front);
    json_put(output, "points", space_crossed_new(s->goal, &known, survivors, json_array_size(results)));
    json_put(output, "recommended", recommended_new(s, base, points));
    json_t *search = json_object();
    json_put_str(search, "goal", goal_name(s->goal));
    json_put(search, "points", json_incref(results));
    json_put(output, "search", search);
    draft_summary(draft,
                  "%zu points measured for %s, %zu on the Pareto front, %zu better than the base may be taken over",
                  json_array_size(results), goal_name(s->goal), json_array_size(front),
                  json_array_size(json_list(output, "recommended")));
    return 0;
}

int search_open(struct search *s, struct job *job, struct err *err)
{
    const json_t *assignment = job_assignment(job);
    *s = (struct search){.job = job,
                         .base = job_dir(job, "base"),
                         .work = job_dir(job, "work"),
                         .cache = job_dir(job, "cache"),
                         .spool = job_dir(job, "spool"),
                         .run = json_str(assignment, "run", "run"),
                         .commit = json_str(json_obj(assignment, "git"), "base", NULL),
                         .goal = goal_find(json_string_value(job_input(job, "goal")))};
    if (!s->base || !s->work || !s->cache || !s->spool || !s->commit)
        return err_set(err, ERR_INVALID, "the assignment lacks one of dirs.base, work, cache, spool or git.base");
    if (!s->goal)
        return err_set(err, ERR_INVALID, "the input 'goal' must be runtime, build, size or balanced");
    s->limits = json_array();
    s->project = job_project_in(job, "base");
    AUTO_JSON json_t *workspace = job_context_new(job, "workspace", NULL);
    if (json_is_string(workspace))
        s->root = path_join(s->base, json_string_value(workspace));
    s->subjects = s->root ? job_context_new(job, "subjects", NULL) : NULL;
    return files_open(job_exec(job), s->base, &s->files, err);
}

void search_close(struct search *s)
{
    files_free(s->files);
    json_decref(s->subjects);
    json_decref(s->limits);
    mem_free(s->project);
    mem_free(s->root);
}

int stage_search(struct job *job, json_t *draft, struct err *err)
{
    static const struct {
        const char *name;
        int (*run)(struct search *s, json_t *draft, struct err *err);
        bool begins;
    } STEPS[] = {{"space", search_space, true}, {"point", search_point, false}, {"choose", search_choose, false}};
    const char *step = json_string_value(job_input(job, "step"));
    struct search s = {0};
    int r = search_open(&s, job, err);
    for (size_t i = 0; i < ARRAY_LEN(STEPS) && r == 0; i++) {
        if (!step || !str_eq(STEPS[i].name, step))
            continue;
        if (!STEPS[i].begins && !s.root)
            r = err_set(err, ERR_NOT_FOUND, "no parent handoff has 'workspace': the step 'space' comes first");
        else
            r = STEPS[i].run(&s, draft, err);
        search_close(&s);
        return r;
    }
    search_close(&s);
    return r < 0 ? r : err_set(err, ERR_INVALID, "the input 'step' must be space, point or choose");
}

#include "run/loops.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <inttypes.h>
#include <string.h>

struct question {
    int64_t stage;
    char *task, *agent, *mode, *input;
};

struct loops {
    VEC(struct question) open; // not heard yet
    json_t *asked;             // "task input" -> {stage, news}
    json_t *said;              // hash of agent and content -> true
    json_t *found;             // "agent mode identity" -> {stage, count, others}
    json_t *again;             // handoff id -> what it finds again
    json_t *last;              // task -> id of the handoff heard last
    int64_t news;              // how often something new was said
    int64_t last_stage;
    json_t *work;  // agent -> how many stages of it were heard
    int64_t heard; // stages of all
};

struct loops *loops_new(void)
{
    struct loops *l = mem_alloc(sizeof(*l));
    json_t **maps[] = {&l->asked, &l->said, &l->found, &l->again, &l->last, &l->work};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        *maps[i] = json_object();
    return l;
}

static void question_clear(struct question *q)
{
    mem_free(q->task);
    mem_free(q->agent);
    mem_free(q->mode);
    mem_free(q->input);
    *q = (struct question){0};
}

struct loops *loops_free(struct loops *l)
{
    if (!l)
        return NULL;
    while (l->open.len)
        question_clear(&l->open.items[--l->open.len]);
    vec_free(&l->open);
    json_t *const maps[] = {l->asked, l->said, l->found, l->again, l->last, l->work};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        json_decref(maps[i]);
    mem_free(l);
    return NULL;
}

static char *two(const char *first, const char *second)
{
    first = first ? first : "";
    second = second ? second : "";
    size_t n = strlen(first), m = strlen(second);
    char *out = mem_resize(NULL, n + m + 2, 1);
    memcpy(out, first, n);
    out[n] = ' ';
    memcpy(out + n + 1, second, m + 1);
    return out;
}

void loops_placed(struct loops *l, int64_t stage, const char *task, const char *agent, const char *mode,
                  const char *input)
{
    struct question q = {stage, str_dup(task ? task : ""), str_dup(agent ? agent : ""), str_dup(mode ? mode : ""),
                         str_dup(input ? input : "")};
    vec_push(&l->open, q);
}

void loops_news(struct loops *l)
{
    if (l)
        l->news++;
}

// --- findings ---

static const char *first_of(const json_t *finding, const char *const *keys)
{
    for (; *keys; keys++)
        if (json_str(finding, *keys, NULL))
            return json_str(finding, *keys, NULL);
    return "";
}

// Rule, place and text. Lines move when something above is fixed: the file is the place.
static char *identity(const json_t *finding)
{
    static const char *const RULE[] = {"lint", "rule", "kind", NULL}, *const TEXT[] = {"issue", "message", "text",
                                                                                       "title", NULL};
    const char *text = first_of(finding, TEXT);
    return *text ? str_printf("%s\n%s\n%s", first_of(finding, RULE), json_str(finding, "file", ""), text) : NULL;
}

// The list, or the beginning of one that was too large for the handoff.
static const json_t *list_of(const json_t *output, const char *key)
{
    const json_t *list = json_list(output, key);
    return list ? list : json_list(json_obj(output, key), "head");
}

// identity -> {count, finding}
static json_t *findings_new(const json_t *handoff)
{
    static const char *const LISTS[] = {"requests", "findings"};
    json_t *all = json_object();
    size_t i;
    json_t *finding;
    for (size_t k = 0; k < ARRAY_LEN(LISTS); k++) {
        json_array_foreach (list_of(json_obj(handoff, "output"), LISTS[k]), i, finding) {
            AUTO_FREE char *name = identity(finding);
            json_t *entry = name ? json_obj(all, name) : NULL;
            if (name && !entry) {
                entry = json_object();
                json_put(entry, "finding", json_incref(finding));
                json_put(all, name, entry);
            }
            if (entry)
                json_put_int(entry, "count", json_int(entry, "count", 0) + 1);
        }
    }
    return all;
}

static void look_for_same(struct loops *l, int64_t stage, const struct question *q, const json_t *handoff)
{
    const char *agent = q->agent, *verdict = json_str(handoff, "verdict", NULL);
    if (!verdict || str_eq(verdict, "approved"))
        return;
    AUTO_JSON json_t *findings = findings_new(handoff);
    int64_t others = l->heard - json_int(l->work, agent, 0);
    const char *name;
    json_t *now;
    json_object_foreach (findings, name, now) {
        AUTO_FREE char *key = str_printf("%s\n%s\n%s", agent, q->mode, name);
        const json_t *before = json_obj(l->found, key);
        const char *id = json_str(handoff, "id", "");
        if (before && json_int(before, "others", 0) < others &&
            json_int(before, "count", 0) <= json_int(now, "count", 0) && !json_object_get(l->again, id)) {
            json_t *again = json_object();
            json_put_int(again, "before", json_int(before, "stage", 0));
            json_put_int(again, "stage", stage);
            json_put_str(again, "agent", agent);
            json_put(again, "finding", json_incref(json_object_get(now, "finding")));
            json_put(l->again, id, again);
        }
        json_t *found = json_object();
        json_put_int(found, "stage", stage);
        json_put_int(found, "count", json_int(now, "count", 0));
        json_put_int(found, "others", others);
        json_put(l->found, key, found);
    }
}

void loops_heard(struct loops *l, int64_t stage, const json_t *handoff, const char *content)
{
    size_t at = l->open.len;
    while (at > 0 && l->open.items[at - 1].stage != stage)
        at--;
    if (at == 0)
        return;
    struct question q = l->open.items[at - 1];
    l->open.items[at - 1] = l->open.items[--l->open.len];
    const char *agent = q.agent, *task = q.task;
    look_for_same(l, stage, &q, handoff);
    AUTO_FREE char *words = two(agent, content);
    l->news += !json_object_get(l->said, words);
    json_put_flag(l->said, words, true);
    l->heard++;
    l->last_stage = stage;
    json_put_int(l->work, agent, json_int(l->work, agent, 0) + 1);
    json_put_str(l->last, task, json_str(handoff, "id", NULL));
    AUTO_FREE char *asked = two(task, q.input);
    json_t *answer = json_object();
    json_put_int(answer, "stage", stage);
    json_put_int(answer, "news", l->news);
    json_put(l->asked, asked, answer);
    question_clear(&q);
}

// --- the question ---

static json_t *verdict_new(const char *rule, char *reason, int64_t before, int64_t last, json_t *finding)
{
    AUTO_FREE char *text = reason;
    json_t *v = json_object(), *stages = json_array();
    json_array_append_new(stages, json_integer(before));
    json_array_append_new(stages, json_integer(last));
    json_put_str(v, "rule", rule);
    json_put_str(v, "reason", text);
    json_put(v, "stages", stages);
    json_put(v, "finding", finding ? json_incref(finding) : json_null());
    return v;
}

static json_t *same_finding_new(const json_t *again)
{
    static const char *const TEXT[] = {"issue", "message", "text", "title", NULL};
    json_t *finding = json_object_get(again, "finding");
    int64_t before = json_int(again, "before", 0), stage = json_int(again, "stage", 0);
    const char *file = json_str(finding, "file", "");
    return verdict_new("same_finding",
                       str_printf("'%s' finds in stage %" PRId64 " what it found in stage %" PRId64
                                  ", although another agent worked on it in between: %s%s%s",
                                  json_str(again, "agent", "?"), stage, before, file, *file ? ": " : "",
                                  first_of(finding, TEXT)),
                       before, stage, finding);
}

json_t *loops_check_new(const struct loops *l, const char *task, const char *agent, const char *input,
                        const json_t *handoffs)
{
    const json_t *again = json_obj(l->again, json_str(l->last, task, ""));
    size_t i;
    json_t *handoff;
    json_array_foreach (handoffs, i, handoff)
        again = again ? again : json_obj(l->again, json_str(handoff, "id", ""));
    if (again)
        return same_finding_new(again);
    AUTO_FREE char *key = two(task, input);
    const json_t *before = json_obj(l->asked, key);
    if (!before || json_int(before, "news", 0) != l->news)
        return NULL;
    int64_t stage = json_int(before, "stage", 0);
    return verdict_new(
        "same_input",
        stage == l->last_stage
            ? str_printf("'%s' is asked again for exactly what it answered in stage %" PRId64, agent, stage)
            : str_printf("'%s' is asked again for exactly what it answered in stage %" PRId64
                         ", and up to stage %" PRId64 " nobody has said anything new since",
                         agent, stage, l->last_stage),
        stage, l->last_stage, NULL);
}

#include "search/front.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>

// What is measured of a point, and by how much it may differ without meaning anything.
enum { RUN, BUILD, REBUILD, SIZE, MEMORY, METRICS };
static const struct {
    const char *key;
    double tolerance;
} METRIC[METRICS] = {{"run", 0.01}, {"build_s", 0.15}, {"rebuild_s", 0.15}, {"size", 0.005}, {"memory_kb", 0.05}};

struct goal {
    const char *name;
    double weight[METRICS];
};

// The small weights only tell apart what the goal itself does not.
static const struct goal GOALS[] = {{"runtime", {1, 0.02, 0, 0.02, 0.01}},
                                    {"build", {0, 0.5, 0.5, 0, 0}},
                                    {"size", {0.05, 0.02, 0, 1, 0}},
                                    {"balanced", {1, 0.2, 0, 0.2, 0.1}}};
const char *const GOAL_NAMES[] = {"runtime", "build", "size", "balanced", NULL};

const struct goal *goal_find(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(GOALS); i++)
        if (str_eq(GOALS[i].name, name))
            return &GOALS[i];
    return NULL;
}

const char *goal_name(const struct goal *goal)
{
    return goal->name;
}

static double value(const json_t *point, size_t metric)
{
    double v = json_num(point, METRIC[metric].key, 0);
    return v > 0 && isfinite(v) ? v : 0;
}

bool front_dominates(const json_t *a, const json_t *b)
{
    bool better = false;
    for (size_t m = 0; m < METRICS; m++) {
        double x = value(a, m), y = value(b, m);
        if (x <= 0 || y <= 0)
            continue;
        if (x > y * (1 + METRIC[m].tolerance))
            return false;
        better = better || x * (1 + METRIC[m].tolerance) < y;
    }
    return better;
}

json_t *front_new(const json_t *points)
{
    json_t *front = json_array(), *p, *q;
    size_t i, k;
    json_array_foreach (points, i, p) {
        bool dominated = false;
        json_array_foreach (points, k, q)
            dominated = dominated || (i != k && front_dominates(q, p));
        if (!dominated)
            json_array_append(front, p);
    }
    return front;
}

double front_score(const struct goal *goal, const json_t *base, const json_t *point)
{
    double log_sum = 0;
    for (size_t m = 0; m < METRICS; m++) {
        double before = m == RUN ? 1 : value(base, m), after = value(point, m);
        if (before > 0 && after > 0)
            log_sum += goal->weight[m] * log(after / before);
    }
    return exp(log_sum);
}

struct scored {
    double score;
    size_t place;
    json_t *point;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

json_t *front_halved_new(const struct goal *goal, const json_t *base, const json_t *points, size_t least)
{
    AUTO_JSON json_t *front = front_new(points);
    size_t n = json_array_size(front), most = (json_array_size(points) + 1) / 2, i;
    struct scored *order = mem_array(n + 1, sizeof(*order));
    json_t *p, *kept = json_array();
    json_array_foreach (front, i, p)
        order[i] = (struct scored){front_score(goal, base, p), i, p};
    qsort(order, n, sizeof(*order), by_score);
    most = most < least ? least : most;
    for (i = 0; i < n && i < most; i++)
        json_array_append(kept, order[i].point);
    mem_free(order);
    return kept;
}

// https://www.speedscope.app/file-format-schema.json: profiles of samples, and of events (a frame opens, a frame
// closes: the time between two events belongs to the frames that are open).
#include "profile/read_inside.h"

#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"
#include "profile/read.h"
#include "json/json.h"

#include <math.h>

#define WEIGHT_MAX 1e18

struct reading {
    struct profile *p;
    const json_t *frames;
    struct read_places places;
    uint32_t stack[HOT_DEPTH_MAX];
    double scale; // of weights: seconds become nanoseconds
};

static uint32_t place_of(struct reading *r, size_t frame)
{
    const json_t *f = json_array_get(r->frames, frame);
    return read_place(r->p, &r->places, json_str(f, "name", "?"), NULL, json_str(f, "file", NULL),
                      (int)json_int(f, "line", 0));
}

static void add(struct reading *r, const uint32_t *frames, size_t count, const char *thread, double weight)
{
    if (count == 0 || !(weight > 0) || weight * r->scale > WEIGHT_MAX)
        return;
    uint64_t w = (uint64_t)llround(weight * r->scale);
    uint32_t *places = mem_array(count, sizeof(*places));
    for (size_t i = 0; i < count; i++)
        places[i] = place_of(r, frames[count - 1 - i]);
    if (w > 0) {
        profile_add(r->p, places, count, thread, 1, w, w);
        read_count(r->p, 1, w);
    }
    mem_free(places);
}

static void add_samples(struct reading *r, const json_t *profile, const char *thread)
{
    const json_t *weights = json_list(profile, "weights");
    size_t i, k;
    json_t *sample, *frame;
    json_array_foreach (json_list(profile, "samples"), i, sample) {
        size_t n = 0;
        json_array_foreach (sample, k, frame)
            if (n < HOT_DEPTH_MAX && json_is_integer(frame) && json_integer_value(frame) >= 0)
                r->stack[n++] = (uint32_t)json_integer_value(frame);
        const json_t *weight = json_array_get(weights, i);
        add(r, r->stack, n, thread, json_is_number(weight) ? json_number_value(weight) : 1);
    }
}

static void add_events(struct reading *r, const json_t *profile, const char *thread)
{
    double last = json_num(profile, "startValue", 0);
    size_t i, n = 0;
    json_t *event;
    json_array_foreach (json_list(profile, "events"), i, event) {
        double at = json_num(event, "at", last);
        add(r, r->stack, n, thread, at - last);
        last = at;
        if (str_eq(json_str(event, "type", ""), "O") && n < HOT_DEPTH_MAX)
            r->stack[n++] = (uint32_t)json_int(event, "frame", 0);
        else if (str_eq(json_str(event, "type", ""), "C") && n > 0)
            n--;
    }
}

static double scale_of(const char *unit)
{
    static const struct {
        const char *unit;
        double ns;
    } UNITS[] = {{"seconds", 1e9}, {"milliseconds", 1e6}, {"microseconds", 1e3}};
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++)
        if (str_eq(unit, UNITS[i].unit))
            return UNITS[i].ns;
    return 1;
}

int read_speedscope(struct profile *p, const char *text, size_t len, struct err *err)
{
    AUTO_JSON json_t *file = len > READ_JSON_MAX ? NULL : json_parse_new(text, len, "speedscope profile", err);
    if (len > READ_JSON_MAX)
        return err_set(err, ERR_LIMIT, "JSON of more than %zu MB is not read", READ_JSON_MAX >> 20);
    if (!file)
        return -(int)err->code;
    const json_t *profiles = json_list(file, "profiles");
    struct reading *r = mem_alloc(sizeof(*r));
    r->p = p;
    r->frames = json_list(json_obj(file, "shared"), "frames");
    bool several = json_array_size(profiles) > 1;
    size_t i;
    json_t *profile;
    json_array_foreach (profiles, i, profile) {
        const char *thread = several ? json_str(profile, "name", "?") : NULL;
        r->scale = scale_of(json_str(profile, "unit", "none"));
        if (!str_eq(json_str(profile, "unit", "none"), "none") && !str_eq(json_str(profile, "unit", ""), "bytes"))
            p->unit = "ns";
        add_samples(r, profile, thread);
        add_events(r, profile, thread);
    }
    read_places_free(&r->places);
    mem_free(r);
    return 0;
}

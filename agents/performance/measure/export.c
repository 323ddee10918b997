#include "measure/export.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

json_t *export_bencher_new(const struct export_value *values, size_t n)
{
    json_t *o = json_object();
    for (size_t i = 0; i < n; i++) {
        const struct export_value *v = &values[i];
        json_t *measure = json_object(), *kinds = json_object();
        json_put_num(measure, "value", v->value);
        if (v->low > 0 && v->high > 0) {
            json_put_num(measure, "lower_value", v->low);
            json_put_num(measure, "upper_value", v->high);
        }
        json_put(kinds, v->measure, measure);
        json_put(o, v->name, kinds);
    }
    return o;
}

json_t *export_github_new(const struct export_value *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct export_value *v = &values[i];
        json_t *o = json_object();
        json_put(o, "name", json_text_new(v->name, strlen(v->name)));
        json_put_str(o, "unit", v->unit);
        json_put_num(o, "value", v->value);
        if (v->range > 0) {
            AUTO_FREE char *range = str_printf("± %.4g", v->range);
            json_put_str(o, "range", range);
        }
        json_array_append_new(list, o);
    }
    return list;
}

struct export_value export_of(const struct ab_result *r, const char *name)
{
    return (struct export_value){.name = name,
                                 .unit = ab_metric_unit(r->metric),
                                 .measure = ab_metric_bencher(r->metric),
                                 .value = r->b.median,
                                 .low = r->a.median * r->ratio.low,
                                 .high = r->a.median * r->ratio.high,
                                 .range = r->b.mad};
}

#include "measure/criterion.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "measure/stats.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void criterion_bench_free(struct criterion_bench *b)
{
    mem_free(b->id);
    mem_free(b->group);
    mem_free(b->function);
    mem_free(b->value);
    mem_free(b->dir);
    mem_free(b->iters);
    mem_free(b->times);
    *b = (struct criterion_bench){0};
}

void criterion_list_free(struct criterion_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        criterion_bench_free(&list->items[i]);
    vec_free(list);
    list->unreadable = 0;
}

double criterion_time_ns(const struct criterion_bench *b)
{
    return b->linear && b->slope_ns > 0 ? b->slope_ns : b->median_ns;
}

static void estimate(struct criterion_bench *b)
{
    AUTO_FREE double *each = mem_array(b->samples, sizeof(*each));
    double xy = 0, xx = 0;
    for (size_t i = 0; i < b->samples; i++) {
        each[i] = b->times[i] / b->iters[i];
        xy += b->iters[i] * b->times[i];
        xx += b->iters[i] * b->iters[i];
    }
    b->median_ns = stats_median(each, b->samples);
    b->mad_ns = stats_mad(each, b->samples, b->median_ns);
    b->mean_ns = stats_mean(each, b->samples);
    b->slope_ns = xy / xx; // least squares through the origin, as criterion does it
}

int criterion_parse_sample(const json_t *v, struct criterion_bench *ret, struct err *err)
{
    // Until 0.3.3 the file is [[iterations...], [times...]]; then an object that names them.
    const json_t *iters = json_is_array(v) ? json_array_get(v, 0) : json_list(v, "iters");
    const json_t *times = json_is_array(v) ? json_array_get(v, 1) : json_list(v, "times");
    size_t n = json_array_size(iters);
    if (n == 0 || n != json_array_size(times) || n > CRITERION_SAMPLES_MAX)
        return err_set(err, ERR_INVALID,
                       "sample.json has %zu iteration counts and %zu times; expected as many, 1 to %zu", n,
                       json_array_size(times), CRITERION_SAMPLES_MAX);
    AUTO_FREE double *x = mem_array(n, sizeof(*x));
    AUTO_FREE double *y = mem_array(n, sizeof(*y));
    bool grows = n > 1;
    for (size_t i = 0; i < n; i++) {
        x[i] = json_number_value(json_array_get(iters, i));
        y[i] = json_number_value(json_array_get(times, i));
        if (!(x[i] >= 1 && x[i] < 1e15 && y[i] >= 0 && y[i] < 1e18))
            return err_set(err, ERR_INVALID, "sample %zu of sample.json is not a count and a time in ns", i);
        grows = grows && (i == 0 || x[i] > x[i - 1]);
    }
    const char *mode = json_is_object(v) ? json_str(v, "sampling_mode", NULL) : NULL;
    ret->linear = mode ? str_eq(mode, "Linear") : grows;
    ret->samples = n;
    mem_free(ret->iters);
    mem_free(ret->times);
    ret->iters = x;
    ret->times = y;
    x = y = NULL;
    estimate(ret);
    return 0;
}

int criterion_parse_benchmark(const json_t *v, struct criterion_bench *ret, struct err *err)
{
    const char *group = json_str(v, "group_id", NULL), *function = json_str(v, "function_id", NULL);
    const char *value = json_str(v, "value_str", NULL), *id = json_str(v, "full_id", NULL);
    if (!group)
        return err_set(err, ERR_INVALID, "benchmark.json has no \"group_id\"");
    str_set(&ret->group, group);
    str_set(&ret->function, function);
    str_set(&ret->value, value);
    mem_free(ret->id);
    ret->id = id ? str_dup(id)
                 : str_printf("%s%s%s%s%s", group, function ? "/" : "", function ? function : "", value ? "/" : "",
                              value ? value : "");
    const json_t *throughput = json_obj(v, "throughput");
    double bytes = json_num(throughput, "Bytes", json_num(throughput, "BytesDecimal", 0));
    double elements = json_num(throughput, "Elements", 0);
    ret->bytes = bytes > 0 && bytes < 1e18 ? bytes : 0;
    ret->elements = elements > 0 && elements < 1e18 ? elements : 0;
    return 0;
}

static bool read_estimate(const json_t *v, const char *lower, const char *upper, struct criterion_bench *ret)
{
    const json_t *e = json_obj(v, lower);
    if (!e)
        e = json_obj(v, upper);
    const json_t *in = json_obj(e, "confidence_interval");
    double point = json_num(e, "point_estimate", 0);
    double low = json_num(in, "lower_bound", 0), high = json_num(in, "upper_bound", 0);
    if (!(point > 0 && point < 1e18 && low >= 0 && high < 1e18))
        return false;
    ret->estimate_ns = point;
    ret->estimate_low = low;
    ret->estimate_high = high;
    return true;
}

int criterion_parse_estimates(const json_t *v, struct criterion_bench *ret, struct err *err)
{
    // Capital names until 0.3.3. The slope is null for flat sampling.
    if (read_estimate(v, "slope", "Slope", ret) || read_estimate(v, "mean", "Mean", ret))
        return 0;
    return err_set(err, ERR_INVALID, "estimates.json has neither a slope nor a mean");
}

typedef int (*part_parser)(const json_t *v, struct criterion_bench *ret, struct err *err);

static int read_part(const char *dir, const char *name, part_parser parse, struct criterion_bench *ret, struct err *err)
{
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_JSON json_t *v = json_read_file_new(path, CRITERION_FILE_MAX, err);
    if (!v)
        return err ? -(int)err->code : -ERR_INVALID;
    int rc = parse(v, ret, err);
    return rc < 0 ? err_wrap(err, "\"%s\"", path) : 0;
}

int criterion_read(const char *dir, struct criterion_bench *ret, struct err *err)
{
    struct criterion_bench b = {0};
    struct err local, *e = err ? err : &local;
    int rc = read_part(dir, "benchmark.json", criterion_parse_benchmark, &b, e);
    if (rc >= 0)
        rc = read_part(dir, "sample.json", criterion_parse_sample, &b, e);
    if (rc < 0) {
        criterion_bench_free(&b);
        return rc;
    }
    struct err ignored; // the estimates are criterion's own reading of the samples: good to have, not needed
    read_part(dir, "estimates.json", criterion_parse_estimates, &b, &ignored);
    b.dir = str_dup(dir);
    *ret = b;
    return 0;
}

static void scan(const char *dir, const char *baseline, int depth, struct criterion_list *list)
{
    DIR *d = depth <= CRITERION_DEPTH_MAX ? opendir(dir) : NULL;
    if (!d)
        return;
    const struct dirent *e;
    while ((e = readdir(d)) != NULL && list->len < CRITERION_BENCHES_MAX) {
        if (e->d_name[0] == '.')
            continue;
        AUTO_FREE char *path = path_join(dir, e->d_name);
        if (!file_is_dir(path))
            continue;
        AUTO_FREE char *marker = path_join(path, "benchmark.json");
        if (!file_exists(marker)) {
            scan(path, baseline, depth + 1, list);
            continue;
        }
        struct criterion_bench b;
        if (!str_eq(e->d_name, baseline))
            continue;
        if (criterion_read(path, &b, NULL) < 0)
            list->unreadable++;
        else
            vec_push(list, b);
    }
    closedir(d);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct criterion_bench *)a)->id, ((const struct criterion_bench *)b)->id);
}

int criterion_list_read(const char *root, const char *baseline, struct criterion_list *ret, struct err *err)
{
    if (!file_is_dir(root))
        return err_set(err, ERR_NOT_FOUND, "there is no criterion folder \"%s\"; run the benches first", root);
    struct criterion_list list = {0};
    scan(root, baseline ? baseline : "new", 0, &list);
    if (list.len)
        qsort(list.items, list.len, sizeof(*list.items), compare_ids);
    *ret = list;
    return 0;
}

const struct criterion_bench *criterion_list_find(const struct criterion_list *list, const char *id)
{
    for (size_t i = 0; i < list->len; i++)
        if (str_eq(list->items[i].id, id))
            return &list->items[i];
    return NULL;
}

json_t *criterion_bench_json_new(const struct criterion_bench *b)
{
    json_t *o = json_object();
    json_put(o, "id", json_text_new(b->id, strlen(b->id)));
    json_put_num(o, "time_ns", criterion_time_ns(b));
    json_put_num(o, "median_ns", b->median_ns);
    json_put_num(o, "mad_ns", b->mad_ns);
    json_put_int(o, "samples", (int64_t)b->samples);
    json_put_str(o, "mode", b->linear ? "linear" : "flat");
    if (b->estimate_ns > 0) {
        json_put_num(o, "estimate_ns", b->estimate_ns);
        json_put(o, "interval_ns", json_pack("[f,f]", b->estimate_low, b->estimate_high));
    }
    if (b->bytes > 0)
        json_put_num(o, "bytes", b->bytes);
    if (b->elements > 0)
        json_put_num(o, "elements", b->elements);
    return o;
}

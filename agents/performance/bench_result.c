#include "performance/bench.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/export.h"
#include "measure/plot.h"
#include "performance/witnessed.h"

#include <string.h>

#define COLUMNS 76 // of the plot for terminals

static void put_together(const struct bench *b)
{
    AUTO_FREE struct ab_result **all = mem_array(b->rows.len, sizeof(struct ab_result *));
    for (size_t i = 0; i < b->rows.len; i++)
        all[i] = b->rows.items[i].ab;
    ab_apply_holm(all, b->rows.len, 0);
}

static size_t count(const struct bench *b, enum verdict verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < b->rows.len; i++)
        n += b->rows.items[i].ab->verdict == verdict;
    return n;
}

// The worst counts: one bench that got slower is not made good by another one.
static enum verdict verdict_of(const struct bench *b)
{
    static const enum verdict ORDER[] = {VERDICT_SLOWER, VERDICT_UNDECIDED, VERDICT_FASTER};
    for (size_t i = 0; i < ARRAY_LEN(ORDER); i++)
        if (count(b, ORDER[i]))
            return ORDER[i];
    return VERDICT_SAME;
}

static const char *outputs_of(const struct bench *b)
{
    size_t differ = 0, same = 0;
    for (size_t i = 0; i < b->rows.len; i++) {
        differ += b->rows.items[i].ab->outputs == AB_OUTPUTS_DIFFER;
        same += b->rows.items[i].ab->outputs == AB_OUTPUTS_IDENTICAL;
    }
    return differ ? "differ" : same == b->rows.len ? "identical" : "not compared";
}

static char *sentence_new(const struct bench *b)
{
    struct buf text = BUF_INIT;
    if (b->rows.len == 1)
        plot_line(&text, b->rows.items[0].ab, true);
    else
        buf_printf(&text, "%s: %zu slower, %zu undecided, %zu faster, %zu without a difference of %zu benches",
                   verdict_name(verdict_of(b)), count(b, VERDICT_SLOWER), count(b, VERDICT_UNDECIDED),
                   count(b, VERDICT_FASTER), count(b, VERDICT_SAME), b->rows.len);
    return buf_steal(&text);
}

static char *plot_new(const struct bench *b, const char *sentence)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct ab_result *ab = b->rows.items[i].ab;
        if (b->rows.len > 1)
            buf_printf(&text, "%s%s\n", i ? "\n" : "", b->rows.items[i].subject);
        struct buf box = BUF_INIT;
        plot_box(&box, ab, COLUMNS, true);
        bool again = b->rows.len == 1; // the sentence stands above the plot, and is its last line
        buf_add(&text, box.data, box.len - (again ? strlen(sentence) + 1 : 0));
        buf_free(&box);
        for (size_t k = 0; ab->reasons[k]; k++)
            buf_printf(&text, "  %s\n", ab->reasons[k]);
        AUTO_FREE char *witness = b->rows.items[i].witness ? witnessed_line(b->rows.items[i].witness) : NULL;
        if (witness)
            buf_printf(&text, "  %s\n", witness);
    }
    return buf_steal(&text);
}

static json_t *exports_new(const struct bench *b)
{
    AUTO_FREE struct export_value *values = mem_array(b->rows.len, sizeof(*values));
    for (size_t i = 0; i < b->rows.len; i++)
        values[i] = export_of(b->rows.items[i].ab, b->commit[0] ? b->rows.items[i].subject : b->name[1]);
    json_t *exports = json_object();
    json_put(exports, "bencher", export_bencher_new(values, b->rows.len));
    json_put(exports, "github-action", export_github_new(values, b->rows.len));
    return exports;
}

// The comparisons without their samples, and measurements.json as other stages write it: {part: {subject: samples}}.
static json_t *comparisons_new(const struct bench *b, json_t *ret_samples)
{
    json_t *list = json_array();
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct bench_row *row = &b->rows.items[i];
        json_t *c = ab_result_json_new(row->ab, true), *evidence = json_object();
        json_put(ret_samples, row->subject, json_incref(json_object_get(c, "samples")));
        json_object_del(c, "samples");
        json_put_str(c, "subject", row->subject);
        json_put_str(c, "what", row->what);
        if (row->witness)
            json_put(c, "witness", json_incref(row->witness));
        json_put_str(evidence, "artifact", "measurements.json");
        json_put_str(evidence, "part", "overall");
        json_put(c, "evidence", evidence);
        json_array_append_new(list, c);
    }
    return list;
}

static int add_pictures(const struct bench *b, json_t *draft, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < b->rows.len && r == 0; i++) {
        struct buf svg = BUF_INIT;
        AUTO_FREE char *name = b->rows.len == 1 ? str_dup("comparison.svg") : str_printf("comparison-%zu.svg", i + 1);
        plot_svg(&svg, b->rows.items[i].ab, b->rows.len == 1 ? NULL : b->rows.items[i].subject);
        r = draft_artifact_bytes(b->job, draft, name, svg.data, svg.len, "image/svg+xml", err);
        buf_free(&svg);
    }
    return r;
}

int bench_tell(struct bench *b, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output");
    AUTO_JSON json_t *measurements = json_object();
    json_t *samples = json_object();
    json_put(measurements, "overall", samples);
    put_together(b);
    AUTO_FREE char *sentence = sentence_new(b);
    AUTO_FREE char *plot = plot_new(b, sentence);
    json_put_str(output, "verdict", verdict_name(verdict_of(b)));
    json_put_str(output, "outputs", outputs_of(b));
    json_put_str(output, "sentence", sentence);
    json_put_str(output, "plot", plot);
    json_put(output, "overall", comparisons_new(b, samples));
    json_put(output, "export", exports_new(b));
    draft_summary(draft, "%s", sentence);
    draft_section(draft, "Performance Summary", sentence);
    draft_section(draft, "Benchmarks", plot);
    AUTO_FREE char *text = json_compact(measurements);
    int r = draft_artifact_bytes(b->job, draft, "measurements.json", text, strlen(text), "application/json", err);
    return r < 0 ? r : add_pictures(b, draft, err);
}

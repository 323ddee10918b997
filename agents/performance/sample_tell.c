#include "performance/sample.h"

#include "base/mem.h"
#include "base/str.h"
#include "profile/dhat.h"
#include "profile/export.h"
#include "profile/flamegraph.h"
#include "profile/ranking.h"

#include <string.h>

#define ROWS_MAX      40
#define ANNOTATED_MAX 5 // functions whose lines are given
#define CHANGES_MAX   40
#define TITLE_MAX     160

// --- pictures and files for other tools ---

static int picture(const struct sample *s, bool icicle, struct buf *out, struct err *err)
{
    struct folded *pair = s->before ? folded_pair_new(s->before->folded, s->now->folded) : NULL;
    AUTO_FREE char *title = str_printf("%s%.*s", pair ? "What changed: " : "", TITLE_MAX, s->name);
    struct flamegraph_options options = {.title = title, .subtitle = s->how, .icicle = icicle, .unit = s->now->unit};
    int r = flamegraph_write(pair ? pair : s->now->folded, &options, out, err);
    folded_free(pair);
    return r;
}

static int flamegraph(const struct sample *s, struct buf *out, struct err *err)
{
    return picture(s, false, out, err);
}

static int icicle(const struct sample *s, struct buf *out, struct err *err)
{
    return picture(s, true, out, err);
}

static int folded(const struct sample *s, struct buf *out, struct err *err)
{
    (void)err;
    folded_write(s->now->folded, out);
    return 0;
}

static int speedscope(const struct sample *s, struct buf *out, struct err *err)
{
    (void)err;
    export_speedscope(s->now, s->name, out);
    return 0;
}

static int firefox(const struct sample *s, struct buf *out, struct err *err)
{
    (void)err;
    export_firefox(s->now, s->name, out);
    return 0;
}

static int pprof(const struct sample *s, struct buf *out, struct err *err)
{
    return export_pprof(s->now, s->name, out, err);
}

static const struct {
    const char *name;
    int (*write)(const struct sample *s, struct buf *out, struct err *err);
} WRITERS[] = {{"flamegraph", flamegraph}, {"icicle", icicle},   {"folded", folded},
               {"speedscope", speedscope}, {"firefox", firefox}, {"pprof", pprof}};

static const struct {
    const char *name, *file, *media;
} FORMATS[] = {
#define X(name, file, media, about) {name, file, media},
#include "tbl/profile_formats.def"
#undef X
};

static bool is_wanted(const struct sample *s, const char *name)
{
    const json_t *formats = job_input(s->job, "formats");
    size_t i;
    json_t *format;
    json_array_foreach (formats, i, format)
        if (str_eq(json_string_value(format), name))
            return true;
    return json_array_size(formats) == 0 && (str_eq(name, "flamegraph") || str_eq(name, "folded"));
}

static int write_formats(const struct sample *s, json_t *draft, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(FORMATS) && r == 0; i++) {
        for (size_t w = 0; w < ARRAY_LEN(WRITERS) && r == 0; w++) {
            struct buf out = BUF_INIT;
            if (!str_eq(FORMATS[i].name, WRITERS[w].name) || !is_wanted(s, FORMATS[i].name))
                continue;
            r = WRITERS[w].write(s, &out, err);
            if (r == 0)
                r = draft_artifact_bytes(s->job, draft, FORMATS[i].file, buf_str(&out), out.len, FORMATS[i].media, err);
            buf_free(&out);
        }
    }
    return r;
}

// --- words ---

static const char *kind_of(const struct sample *s)
{
    return s->growth ? "growth" : s->memory ? "memory" : "time";
}

static void summarise(const struct sample *s, const json_t *rows, json_t *draft)
{
    const json_t *first = json_array_get(rows, 0);
    const json_t *memory = json_obj(s->memory, "total"), *site = json_array_get(json_list(s->memory, "sites"), 0);
    const json_t *finding = json_array_get(json_list(s->growth, "findings"), 0);
    if (s->growth)
        draft_summary(draft, "%s",
                      finding ? json_str(finding, "text", "?") : "no function grows faster than its input");
    else if (s->memory)
        draft_summary(draft, "%lld blocks, %lld bytes; first %s with %.0f %% of the blocks and %.0f %% of the bytes",
                      (long long)json_int(memory, "blocks", 0), (long long)json_int(memory, "bytes", 0),
                      json_str(site, "short", "?"), json_num(site, "blocks_pct", 0), json_num(site, "bytes_pct", 0));
    else if (first)
        draft_summary(draft, "%s: %s, %.0f %% of the time",
                      str_eq(json_str(first, "crate_kind", ""), "project") ? "fix first" : "hottest",
                      json_str(first, "short", "?"), json_num(first, "score", 0));
}

static json_t *findings_new(const struct sample *s)
{
    json_t *findings = json_list(s->growth ? s->growth : s->memory, "findings");
    return findings ? json_deep_copy(findings) : json_array();
}

static void put_difference(const struct sample *s, json_t *profiled)
{
    if (s->before && !s->memory)
        json_put(profiled, "difference", ranking_difference_new(s->before, s->now, CHANGES_MAX));
    if (s->memory && s->memory_before)
        json_put(profiled, "memory_difference", dhat_difference_new(s->memory_before, s->memory, CHANGES_MAX));
}

int sample_tell(struct sample *s, json_t *draft, struct err *err)
{
    json_t *output = json_obj(draft, "output"), *profiled = json_object(), *roots = json_array();
    const struct ranking_facts facts = {
        .counts = s->counts, .owned = s->owned, .user_ns = s->user_ns, .sys_ns = s->sys_ns};
    json_t *rows = s->memory ? json_array() : ranking_new(s->now, &facts, ROWS_MAX, ANNOTATED_MAX);
    for (const char **root = s->roots; *root; root++)
        json_add_str(roots, *root);
    json_put_str(profiled, "kind", kind_of(s));
    json_put_str(profiled, "title", s->name);
    json_put_str(profiled, "how", s->how);
    json_put(profiled, "roots", roots);
    json_put(profiled, "summary", profile_summary_new(s->now));
    json_put(profiled, "rows", rows);
    json_put(profiled, "memory", s->memory ? json_incref(s->memory) : json_null());
    json_put(profiled, "growth", s->growth ? json_incref(s->growth) : json_null());
    json_put(profiled, "findings", findings_new(s));
    put_difference(s, profiled);
    json_put(output, "profiled", profiled);
    json_put(output, "hot_paths", json_incref(rows));
    json_put(output, "profile", json_incref(json_obj(profiled, "summary")));
    json_put(output, "limits", json_incref(s->limits));
    summarise(s, rows, draft);
    return write_formats(s, draft, err);
}

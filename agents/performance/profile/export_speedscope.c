#include "profile/export.h"

#include "profile/hot_walk.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

// Frames of the file are functions: speedscope merges by frame, and a function at two lines is one function.
static void add_frames(const struct profile *p, struct buf *out)
{
    struct hot_frame *first = mem_array(hot_function_count(p->hot), sizeof(*first));
    for (uint32_t i = 0; i < hot_frame_count(p->hot); i++) {
        struct hot_frame *f = &first[hot_frame_function(p->hot, i)], next = hot_frame_at(p->hot, i);
        if (!f->function || (!f->file && next.file))
            *f = next;
    }
    for (size_t i = 0; i < hot_function_count(p->hot); i++) {
        const struct hot_frame *f = &first[i];
        buf_str_add(out, i ? ",\n{\"name\":" : "\n{\"name\":");
        export_json_text(out, f->function ? f->function : "?");
        if (f->file) {
            buf_str_add(out, ",\"file\":");
            export_json_text(out, f->file);
        }
        if (f->function_line > 0)
            buf_printf(out, ",\"line\":%d", f->function_line);
        buf_char(out, '}');
    }
    mem_free(first);
}

static void add_stack(const struct profile *p, const struct hot_stack *s, struct buf *out)
{
    buf_char(out, '[');
    for (size_t k = s->count; k-- > 0;)
        buf_printf(out, "%s%" PRIu32, k + 1 < s->count ? "," : "", hot_frame_function(p->hot, s->frames[k]));
    buf_char(out, ']');
}

static void add_thread(const struct profile *p, const char *title, const char *thread, struct buf *out)
{
    struct buf weights = BUF_INIT;
    uint64_t total = 0;
    bool any = false, ns = strstr(profile_stats(p)->event, "clock") != NULL;
    buf_str_add(out, "{\"type\":\"sampled\",\"name\":");
    export_json_text(out, thread ? thread : title);
    buf_printf(out, ",\"unit\":\"%s\",\"samples\":[", ns ? "nanoseconds" : "none");
    for (size_t i = 0; i < hot_stack_count(p->hot); i++) {
        struct hot_stack s = hot_stack_at(p->hot, i);
        if (!str_eq(profile_thread(p, i), thread))
            continue;
        buf_str_add(out, any ? ",\n" : "\n");
        add_stack(p, &s, out);
        buf_printf(&weights, "%s%" PRIu64, any ? "," : "", s.weight);
        total += s.weight;
        any = true;
    }
    buf_printf(out, "],\"weights\":[%s],\"startValue\":0,\"endValue\":%" PRIu64 "}", buf_str(&weights), total);
    buf_free(&weights);
}

void export_speedscope(const struct profile *p, const char *title, struct buf *out)
{
    buf_str_add(out,
                "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"baton\",\"name\":");
    export_json_text(out, title);
    buf_str_add(out, ",\"activeProfileIndex\":0,\"shared\":{\"frames\":[");
    add_frames(p, out);
    buf_str_add(out, "]},\"profiles\":[");
    bool any = false;
    for (size_t t = 0; t < profile_thread_count(p); t++) {
        const char *thread = profile_thread_name(p, t);
        buf_str_add(out, any ? ",\n" : "\n");
        add_thread(p, title, thread, out);
        any = true;
    }
    if (!any)
        add_thread(p, title, NULL, out);
    buf_str_add(out, "]}\n");
}

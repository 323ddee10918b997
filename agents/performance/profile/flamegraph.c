// Sorted stacks are merged into nodes as they pass (two neighbours share their common start), nodes that would be too
// narrow are dropped on the way, and what is left is written in one pass.
#include "profile/flamegraph.h"

#include "profile/demangle.h"
#include "profile/flamegraph_text.h"
#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAD          12
#define ROW          18
#define FRAME_HEIGHT 17
#define TOP          80
#define BOTTOM       36
#define LETTER       6.93 // width of a letter of the label font
#define ROOT         UINT32_MAX

struct node {
    uint32_t frame, depth;
    uint64_t start, end; // in counts
    uint64_t before;     // of a pair
};

struct picture {
    const struct folded *f;
    const struct flamegraph_options *o;
    struct buf *out;
    VEC(struct node) nodes;
    uint64_t total;
    uint32_t depth; // of the deepest node
    uint64_t self_of_kind[CRATE_KINDS];
    uint64_t gone; // of a pair: what stood below stacks that are not there any more
    char **names;  // of frames, escaped; NULL until needed
    char **briefs;
    double width;
    int height;
};

// Length of the UTF-8 character at p that XML allows, 0 when there is none.
static size_t character(const unsigned char *p, size_t len)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > len || !str_utf8_valid((const char *)p, n))
        return 0;
    if (n == 1 && (p[0] < 0x20 || p[0] == 0x7f))
        return 0;
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) // control characters of the second block
        return 0;
    if (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) // U+FFFE, U+FFFF
        return 0;
    return n;
}

static void add_escaped(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = character((const unsigned char *)text + i, len - i);
        if (n == 0) {
            buf_str_add(out, "\xef\xbf\xbd");
            i++;
            continue;
        }
        switch (n == 1 ? text[i] : 'x') {
        case '<':
            buf_str_add(out, "&lt;");
            break;
        case '>':
            buf_str_add(out, "&gt;");
            break;
        case '&':
            buf_str_add(out, "&amp;");
            break;
        case '"':
            buf_str_add(out, "&quot;");
            break;
        default:
            buf_add(out, text + i, n);
        }
        i += n;
    }
}

// Number of letters, as far as `max`; *ret_bytes is their length.
static size_t count_letters(const char *text, size_t max, size_t *ret_bytes)
{
    size_t letters = 0, i = 0, len = strlen(text);
    while (i < len && letters < max) {
        size_t n = character((const unsigned char *)text + i, len - i);
        i += n ? n : 1;
        letters++;
    }
    *ret_bytes = i;
    return letters;
}

static double percent(const struct picture *p, uint64_t count)
{
    return 100.0 * (double)count / (double)p->total;
}

static int compare_width(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    uint64_t v = x->end - x->start, w = y->end - y->start;
    return (v < w) - (v > w);
}

static int compare_place(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->depth > y->depth) - (x->depth < y->depth);
}

static void keep_node(struct picture *p, const struct node *n, uint64_t narrowest)
{
    if (n->end - n->start < narrowest)
        return;
    vec_push(&p->nodes, *n);
    if (n->depth > p->depth)
        p->depth = n->depth;
}

static void build_nodes(struct picture *p, double min_width)
{
    size_t count, open_depth = 0;
    struct folded_stack *stacks = folded_sorted(p->f, &count);
    struct node *open = mem_array(FOLDED_DEPTH_MAX, sizeof(*open));
    double per_pixel = (double)p->total / (p->width - 2 * PAD);
    uint64_t narrowest = (uint64_t)(per_pixel * min_width), at = 0, before = 0;
    narrowest = narrowest ? narrowest : 1;
    keep_node(p, &(struct node){ROOT, 0, 0, p->total, p->total}, 0);
    for (size_t i = 0; i <= count; i++) {
        size_t same = 0;
        const struct folded_stack *s = &stacks[i < count ? i : 0];
        while (i < count && same < open_depth && same < s->count && open[same].frame == s->frames[same])
            same++;
        while (open_depth > same) {
            open[--open_depth].end = at;
            open[open_depth].before = before - open[open_depth].before;
            keep_node(p, &open[open_depth], narrowest);
        }
        if (i == count)
            break;
        for (; open_depth < s->count; open_depth++)
            open[open_depth] = (struct node){s->frames[open_depth], (uint32_t)open_depth + 1, at, 0, before};
        at += s->weight;
        before += s->before;
        p->gone += s->weight ? 0 : s->before;
        p->self_of_kind[folded_frame_kind(p->f, s->frames[s->count - 1])] += s->weight;
    }
    if (p->nodes.len > FLAMEGRAPH_FRAMES_MAX) {
        qsort(p->nodes.items, p->nodes.len, sizeof(*p->nodes.items), compare_width);
        p->nodes.len = FLAMEGRAPH_FRAMES_MAX;
    }
    qsort(p->nodes.items, p->nodes.len, sizeof(*p->nodes.items), compare_place);
    mem_free(open);
    mem_free(stacks);
}

static const char *frame_name(const struct picture *p, uint32_t frame)
{
    return frame == ROOT ? "all" : folded_frame_name(p->f, frame);
}

static const char *escaped_name(struct picture *p, uint32_t frame)
{
    if (frame == ROOT)
        return "all";
    if (!p->names[frame]) {
        struct buf b = BUF_INIT;
        const char *name = folded_frame_name(p->f, frame);
        add_escaped(&b, name, strlen(name));
        p->names[frame] = buf_steal(&b);
    }
    return p->names[frame];
}

static const char *brief_name(struct picture *p, uint32_t frame)
{
    if (frame == ROOT)
        return "all";
    if (!p->briefs[frame])
        p->briefs[frame] = demangle_short(folded_frame_name(p->f, frame));
    return p->briefs[frame];
}

// "<Vec<u8> as Clone>::clone" -> "clone"; the text itself when what is behind the last "::" is no plain name.
static const char *last_name(const char *text)
{
    const char *tail = text;
    for (const char *next = strstr(text, "::"); next; next = strstr(tail, "::"))
        tail = next + 2;
    return strpbrk(tail, ">{") ? text : tail;
}

// The full name when it fits, else the short one, else its last part, cut if need be; nothing in very narrow frames.
static void add_label(struct picture *p, const struct node *n, double x, double width, int y)
{
    size_t room = width > 7 ? (size_t)((width - 7) / LETTER) : 0, bytes;
    if (room < 3)
        return;
    const char *text = frame_name(p, n->frame);
    if (count_letters(text, room + 1, &bytes) > room)
        text = brief_name(p, n->frame);
    if (count_letters(text, room + 1, &bytes) > room)
        text = last_name(text);
    bool cut = count_letters(text, room + 1, &bytes) > room;
    if (cut)
        count_letters(text, room - 1, &bytes);
    buf_printf(p->out, "<text x=\"%.2f\" y=\"%d.6\">", x + 4, y + 12);
    add_escaped(p->out, text, bytes);
    buf_str_add(p->out, cut ? "…</text>" : "</text>");
}

// Red for what takes more than before, blue for less; the shade is how much of all that is.
static const char *change_colour(const struct picture *p, const struct node *n)
{
    static const double STEPS[FLAMEGRAPH_CHANGE_SHADES] = {0.1, 0.5, 1, 2, 5, 10};
    double change = percent(p, n->end - n->start) - percent(p, n->before);
    size_t shade = 0;
    if (change > -STEPS[0] && change < STEPS[0])
        return flamegraph_same;
    while (shade + 1 < FLAMEGRAPH_CHANGE_SHADES && (change < 0 ? -change : change) >= STEPS[shade + 1])
        shade++;
    return change > 0 ? flamegraph_more[shade] : flamegraph_less[shade];
}

static void add_node(struct picture *p, const struct node *n)
{
    struct buf *out = p->out;
    double scale = (p->width - 2 * PAD) / (double)p->total;
    double x = PAD + (double)n->start * scale, width = (double)(n->end - n->start) * scale;
    int y = TOP + (int)(p->o->icicle ? n->depth : p->depth - n->depth) * ROW;
    const char *name = escaped_name(p, n->frame), *fill = "#dcdce2";
    if (n->frame == ROOT) {
        buf_str_add(out, "<g class=\"bfg-f\"");
    } else {
        const char *brief = brief_name(p, n->frame);
        size_t shade = (size_t)intern_hash(name, strlen(name)) % FLAMEGRAPH_SHADES;
        fill =
            folded_is_pair(p->f) ? change_colour(p, n) : flamegraph_colours[folded_frame_kind(p->f, n->frame)][shade];
        buf_str_add(out, "<g class=\"bfg-f\"");
        if (strcmp(brief, frame_name(p, n->frame)) != 0) {
            buf_str_add(out, " data-s=\"");
            add_escaped(out, brief, strlen(brief));
            buf_char(out, '"');
        }
    }
    buf_printf(out, " data-d=\"%u\"><title>", n->depth);
    buf_str_add(out, name);
    buf_char(out, '\n');
    buf_grouped(out, (double)(n->end - n->start));
    buf_char(out, ' ');
    const char *unit = p->o->unit ? p->o->unit : "samples";
    add_escaped(out, unit, strlen(unit));
    buf_printf(out, ", %.2f %%", percent(p, n->end - n->start));
    if (folded_is_pair(p->f) && n->frame != ROOT)
        buf_printf(out, " (before %.2f %%, %+.2f)", percent(p, n->before),
                   percent(p, n->end - n->start) - percent(p, n->before));
    buf_printf(out,
               "</title><rect x=\"%.3f\" y=\"%d\" width=\"%.3f\" height=\"%d\" data-w=\"%.3f\" "
               "rx=\"1.5\" fill=\"%s\"/>",
               x, y, width > 3 ? width - 0.8 : width, FRAME_HEIGHT, width, fill);
    add_label(p, n, x, width, y);
    buf_str_add(out, "</g>\n");
}

static void add_legend_of_pair(struct picture *p)
{
    const char *const colours[] = {flamegraph_more[4], flamegraph_less[4], flamegraph_same};
    char texts[3][96] = {"more than before", "less than before", ""};
    snprintf(texts[2], sizeof(texts[2]), "the same; %.1f %% of before is gone", percent(p, p->gone));
    double x = PAD + 4;
    for (size_t i = 0; i < 3; i++) {
        buf_printf(p->out, "<rect x=\"%.0f\" y=\"56\" width=\"11\" height=\"11\" rx=\"2.5\" fill=\"%s\"/>", x,
                   colours[i]);
        buf_printf(p->out, "<text class=\"bfg-sans bfg-legend\" x=\"%.0f\" y=\"66\">%s</text>\n", x + 16, texts[i]);
        x += 16 + (double)strlen(texts[i]) * 6.6 + 22;
    }
}

static void add_legend(struct picture *p)
{
    double x = PAD + 4 + 66;
    int y = 66;
    buf_printf(p->out, "<text class=\"bfg-sans bfg-legend\" x=\"%d\" y=\"%d\">self time:</text>\n", PAD + 4, y);
    for (size_t kind = 0; kind < CRATE_KINDS; kind++) {
        if (p->self_of_kind[kind] == 0)
            continue;
        char text[64];
        int n = snprintf(text, sizeof(text), "%s %.1f %%", crate_kind_name((enum crate_kind)kind),
                         percent(p, p->self_of_kind[kind]));
        buf_printf(p->out, "<rect x=\"%.0f\" y=\"%d\" width=\"11\" height=\"11\" rx=\"2.5\" fill=\"%s\"/>", x, y - 10,
                   flamegraph_colours[kind][2]);
        buf_printf(p->out, "<text class=\"bfg-sans bfg-legend\" x=\"%.0f\" y=\"%d\">%s</text>\n", x + 16, y, text);
        x += 16 + n * 6.6 + 22;
    }
}

static void add_text(struct picture *p, const char *class, int y, const char *text)
{
    size_t bytes;
    bool cut = count_letters(text, FLAMEGRAPH_TITLE_MAX + 1, &bytes) > FLAMEGRAPH_TITLE_MAX;
    if (cut)
        count_letters(text, FLAMEGRAPH_TITLE_MAX, &bytes);
    buf_printf(p->out, "<text class=\"bfg-sans %s\" x=\"%d\" y=\"%d\">", class, PAD + 4, y);
    add_escaped(p->out, text, bytes);
    buf_str_add(p->out, cut ? "…</text>\n" : "</text>\n");
}

static void add_head(struct picture *p, const char *id)
{
    const char *title = p->o->title ? p->o->title : "Flame graph";
    buf_printf(
        p->out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"%s\" class=\"bfg\" viewBox=\"0 0 %.0f %d\" width=\"%.0f\" "
        "height=\"%d\" role=\"img\" aria-label=\"",
        id, p->width, p->height, p->width, p->height);
    add_escaped(p->out, title, strlen(title));
    buf_str_add(p->out, "\">\n<style>\n");
    for (size_t i = 0; flamegraph_style[i]; i++)
        buf_printf(p->out, "%s\n", flamegraph_style[i]);
    buf_printf(p->out,
               "</style>\n<rect class=\"bfg-back\" x=\"0.5\" y=\"0.5\" width=\"%.0f\" height=\"%d\" rx=\"9\"/>\n",
               p->width - 1, p->height - 1);
    add_text(p, "bfg-title", 27, title);
    if (p->o->subtitle)
        add_text(p, "bfg-sub", 46, p->o->subtitle);
    if (folded_is_pair(p->f))
        add_legend_of_pair(p);
    else
        add_legend(p);
    buf_printf(
        p->out,
        "<g class=\"bfg-right\" transform=\"translate(%.0f 0)\">\n"
        "<foreignObject x=\"-232\" y=\"14\" width=\"216\" height=\"28\"><input "
        "xmlns=\"http://www.w3.org/1999/xhtml\" class=\"bfg-search\" type=\"search\" "
        "placeholder=\"Search (regular expression)\" aria-label=\"Search\"/></foreignObject>\n"
        "<g class=\"bfg-button bfg-reset bfg-off\"><rect x=\"-296\" y=\"14\" width=\"56\" height=\"26\" rx=\"6\"/>"
        "<text class=\"bfg-sans\" x=\"-268\" y=\"31\">Reset</text></g>\n"
        "<text class=\"bfg-sans bfg-match\" x=\"-16\" y=\"66\"></text>\n</g>\n",
        p->width);
}

static void add_foot(struct picture *p, const char *id)
{
    buf_printf(p->out,
               "<text class=\"bfg-info\" x=\"%d\" y=\"%d\"></text>\n<script>\n(function () {\nvar id = \"%s\";\n",
               PAD + 4, p->height - 13, id);
    for (size_t i = 0; flamegraph_script[i]; i++)
        buf_printf(p->out, "%s\n", flamegraph_script[i]);
    buf_str_add(p->out, "}());\n</script>\n</svg>\n");
}

static bool id_ok(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return n > 0 && n <= 64 && id[n] == '\0' && (id[0] < '0' || id[0] > '9') && id[0] != '-';
}

int flamegraph_write(const struct folded *f, const struct flamegraph_options *options, struct buf *out, struct err *err)
{
    const char *id = options->id ? options->id : "baton-flame";
    int width = options->width ? options->width : 1200;
    if (!id_ok(id))
        return err_set(err, ERR_INVALID, "id \"%s\" of a flame graph: expected a letter, then letters, digits, - and _",
                       id);
    if (width < 400 || width > 4000)
        return err_set(err, ERR_INVALID, "width %d of a flame graph: expected 400 to 4000", width);
    if (folded_total(f) == 0)
        return err_set(err, ERR_NOT_FOUND, "no samples to draw a flame graph from");
    struct picture p = {.f = f, .o = options, .out = out, .total = folded_total(f), .width = width};
    p.names = mem_array(folded_frame_count(f), sizeof(*p.names));
    p.briefs = mem_array(folded_frame_count(f), sizeof(*p.briefs));
    build_nodes(&p, options->min_width > 0 ? options->min_width : 0.1);
    p.height = TOP + (int)(p.depth + 1) * ROW + BOTTOM;
    add_head(&p, id);
    buf_str_add(out, "<g class=\"bfg-frames\">\n");
    for (size_t i = 0; i < p.nodes.len; i++)
        add_node(&p, &p.nodes.items[i]);
    buf_str_add(out, "</g>\n");
    add_foot(&p, id);
    for (size_t i = 0; i < folded_frame_count(f); i++) {
        mem_free(p.names[i]);
        mem_free(p.briefs[i]);
    }
    mem_free(p.names);
    mem_free(p.briefs);
    vec_free(&p.nodes);
    return 0;
}

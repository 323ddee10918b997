#include "measure/witness.h"

#include "base/attr.h"

#include <ctype.h>
#include <string.h>

#define COUNT_MAX 1e18

static const char *const VIEW_NAMES[] = {"silent", "for", "against"};

const char *witness_view_name(enum witness_view v)
{
    return VIEW_NAMES[v];
}

// --- logs of valgrind ---

// A whole number with commas between its digits; -1: it is none. *at goes behind it.
static double read_number(const char **at, const char *end)
{
    const char *p = *at;
    double n = 0;
    while (p < end && *p == ' ')
        p++;
    const char *first = p;
    for (; p < end && (isdigit((unsigned char)*p) || (*p == ',' && p > first)); p++)
        if (*p != ',')
            n = n * 10 + (*p - '0');
    *at = p;
    return p == first || n > COUNT_MAX ? -1 : n;
}

static bool behind(const char **at, const char *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

// "==17== Collected : 60125703", "==17== Total:     1,024 bytes in 3 blocks"
static void read_line(const char *p, const char *end, struct witness_counts *counts)
{
    if (!behind(&p, end, "=="))
        return;
    while (p < end && isdigit((unsigned char)*p))
        p++;
    if (!behind(&p, end, "== "))
        return;
    if (behind(&p, end, "Collected :")) {
        double n = read_number(&p, end);
        counts->instructions += n > 0 ? n : 0;
    } else if (behind(&p, end, "Total:")) {
        double bytes = read_number(&p, end);
        double blocks = bytes >= 0 && behind(&p, end, " bytes in") ? read_number(&p, end) : -1;
        counts->allocated_bytes += blocks > 0 ? bytes : 0;
        counts->allocations += blocks > 0 ? blocks : 0;
    }
}

void witness_read(const char *text, size_t len, struct witness_counts *counts)
{
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        read_line(text, stop, counts);
        text = stop < end ? stop + 1 : end;
    }
}

bool witness_is_call(const char *line)
{
    const char *end = line + strlen(line), *p = line;
    if (!behind(&p, end, "SYSCALL["))
        return false;
    p = strchr(p, ')');
    return p && p[1] == ' ' && strncmp(p + 2, "...", 3) != 0;
}

// --- views ---

// Relative change, 0 when one side was not counted.
static double change(double before, double after)
{
    return before > 0 && after > 0 ? after / before - 1 : 0;
}

static bool counted(double before, double after)
{
    return before > 0 && after > 0;
}

// Whether work that instructions do not show (the kernel's, the allocator's waiting) became less.
static bool other_work_fell(const struct witness_counts *b, const struct witness_counts *a)
{
    return change(b->system_calls, a->system_calls) < -WITNESS_FALL ||
           change(b->allocations, a->allocations) < -WITNESS_FALL ||
           change(b->allocated_bytes, a->allocated_bytes) < -WITNESS_FALL;
}

static bool other_work_rose(const struct witness_counts *b, const struct witness_counts *a)
{
    return change(b->system_calls, a->system_calls) > WITNESS_FALL ||
           change(b->allocations, a->allocations) > WITNESS_FALL ||
           change(b->allocated_bytes, a->allocated_bytes) > WITNESS_FALL;
}

enum witness_view witness_view(const struct witness_counts *before, const struct witness_counts *after)
{
    bool instructions = counted(before->instructions, after->instructions);
    bool others = counted(before->system_calls, after->system_calls) ||
                  counted(before->allocations, after->allocations) ||
                  counted(before->allocated_bytes, after->allocated_bytes);
    if (!instructions && !others)
        return WITNESS_SILENT;
    if (instructions && change(before->instructions, after->instructions) <= WITNESS_RISE)
        return WITNESS_FOR;
    if (other_work_fell(before, after))
        return WITNESS_FOR;
    return instructions || other_work_rose(before, after) ? WITNESS_AGAINST : WITNESS_SILENT;
}

enum witness_view witness_apply(struct ab_result *r, const struct witness_counts *before,
                                const struct witness_counts *after)
{
    enum witness_view view = witness_view(before, after);
    double moved = change(before->instructions, after->instructions);
    bool against_faster = r->verdict == VERDICT_FASTER && view == WITNESS_AGAINST;
    bool against_slower = r->verdict == VERDICT_SLOWER && moved < -WITNESS_FALL && !other_work_rose(before, after);
    if (against_faster && counted(before->instructions, after->instructions))
        ab_result_reason(r,
                         "the clock says faster, but instructions rose by %.2f %% and no other count fell: undecided",
                         100 * moved);
    else if (against_faster)
        ab_result_reason(r, "the clock says faster, but the counts of system calls and allocations rose: undecided");
    else if (against_slower)
        ab_result_reason(r,
                         "the clock says slower, but instructions fell by %.2f %% and no other count rose: undecided",
                         -100 * moved);
    if (against_faster || against_slower) {
        r->verdict = VERDICT_UNDECIDED;
        r->past_theta = false;
    }
    return view;
}

json_t *witness_json_new(const struct witness_counts *before, const struct witness_counts *after)
{
    const struct {
        const char *name;
        double before, after;
    } rows[] = {{"instructions", before->instructions, after->instructions},
                {"allocations", before->allocations, after->allocations},
                {"allocated_bytes", before->allocated_bytes, after->allocated_bytes},
                {"system_calls", before->system_calls, after->system_calls}};
    json_t *o = json_object();
    json_put_str(o, "view", VIEW_NAMES[witness_view(before, after)]);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!counted(rows[i].before, rows[i].after))
            continue;
        json_put(o, rows[i].name,
                 json_pack("{s:f,s:f,s:f}", "before", rows[i].before, "after", rows[i].after, "change_pct",
                           100 * change(rows[i].before, rows[i].after)));
    }
    return o;
}

#include "measure/witness.h"

#include "base/attr.h"

static const char *const VIEW_NAMES[] = {"silent", "for", "against"};

const char *witness_view_name(enum witness_view v)
{
    return VIEW_NAMES[v];
}

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

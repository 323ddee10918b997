#include "profile/read_inside.h"

#include "profile/intern.h"

#include "base/mem.h"

int read_folded(struct profile *p, const char *text, size_t len, struct err *err)
{
    struct folded *f = folded_new();
    struct folded_read_stats stats;
    folded_read(f, text, len, NULL, &stats);
    uint32_t *place_of = mem_array(folded_frame_count(f), sizeof(*place_of));
    for (uint32_t i = 0; i < folded_frame_count(f); i++) {
        struct hot_frame frame = {.function = folded_frame_name(f, i), .kind = folded_frame_kind(f, i)};
        if (frame.kind != CRATE_KERNEL)
            frame.kind = profile_kind(p, NULL, NULL, frame.function);
        p->kernel |= frame.kind == CRATE_KERNEL;
        place_of[i] = profile_place(p, &frame);
    }
    size_t count;
    struct folded_stack *stacks = folded_sorted(f, &count);
    uint32_t *places = mem_array(FOLDED_DEPTH_MAX, sizeof(*places));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < stacks[i].count; k++)
            places[stacks[i].count - 1 - k] = place_of[stacks[i].frames[k]];
        profile_add(p, places, stacks[i].count, NULL, stacks[i].weight, stacks[i].weight, stacks[i].weight);
        read_count(p, stacks[i].weight, stacks[i].weight);
    }
    p->inside->stats.lines = stats.lines;
    p->inside->stats.bad_lines = stats.bad_lines;
    p->inside->stats.first_bad_line = stats.first_bad_line;
    mem_free(places);
    mem_free(stacks);
    mem_free(place_of);
    folded_free(f);
    if (count == 0)
        return err_set(err, ERR_PARSE, "no line is a stack with a count; expected \"caller;callee 12\"");
    return 0;
}

#include "policy/reach.h"
bool reach_of_arguments(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why)
{
    (void)c; (void)base; (void)argv; (void)why;
    return false;
}
bool reach_of_project(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why)
{
    (void)base; (void)argv;
    if (!c->project_acts)
        return false;
    buf_printf(why, "the project makes tools run its own code (%s)", c->project_acts);
    return true;
}

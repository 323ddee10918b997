#include "trust.h"

#include "shims.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"

#include <sys/stat.h>

struct trust {
    const struct pins *pins;
    const struct policy *policy;
    char *asked, *kept, *left_out;
};

struct trust *trust_new(const struct pins *pins, const struct policy *policy)
{
    struct trust *t = mem_alloc(sizeof(*t));
    t->pins = pins;
    t->policy = policy;
    return t;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    mem_free(t->asked);
    mem_free(t->kept);
    mem_free(t->left_out);
    mem_free(t);
}

static bool writable_by_rule(const struct trust *t, const struct policy_context *context, const char *dir)
{
    static const char *const TOOLS[] = {"Write", "Edit"};
    AUTO_FREE char *file = path_join(dir, "program");
    for (size_t i = 0; i < ARRAY_LEN(TOOLS); i++) {
        struct decision decision;
        decide_path(t->policy, context, TOOLS[i], file, &decision);
        if (decision.verdict != POLICY_DENY)
            return true;
    }
    return false;
}

static bool trusted(const struct trust *t, const struct policy_context *context, const char *dir)
{
    struct stat st;
    AUTO_FREE char *real = dir[0] == '/' ? path_real(dir, NULL) : NULL;
    if (!real)
        return dir[0] == '/'; // not there: nothing is found in it
    if (stat(real, &st) == 0 && st.st_mode & S_IWOTH)
        return false;
    return !pins_changeable(t->pins, real) && !writable_by_rule(t, context, real);
}

static void sort_out(const struct trust *t, const struct policy_context *context, const char *path, bool shims,
                     struct buf *kept, struct buf *out)
{
    char **dirs = str_split(path, ":", true, NULL);
    for (char **d = dirs; *d; d++) {
        bool good = trusted(t, context, *d);
        AUTO_FREE char *instead = good && shims ? shims_folders(*d) : NULL;
        struct buf *b = good ? kept : out;
        if (instead)
            sort_out(t, context, instead, false, kept, out);
        else
            buf_printf(b, "%s%s", b->len ? ":" : "", *d);
    }
    str_list_free(dirs);
}

const char *trust_path(struct trust *t, const struct policy_context *context, const char *path)
{
    path = path ? path : "";
    if (str_eq(t->asked, path))
        return t->kept;
    struct buf kept = BUF_INIT, out = BUF_INIT;
    sort_out(t, context, path, true, &kept, &out);
    str_set(&t->asked, path);
    str_set(&t->kept, buf_str(&kept));
    str_set(&t->left_out, buf_str(&out));
    buf_free(&kept);
    buf_free(&out);
    return t->kept;
}

const char *trust_left_out(const struct trust *t)
{
    return t->left_out ? t->left_out : "";
}

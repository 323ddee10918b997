// Bash rules against argv. Words are joined by a byte that no word contains, so that "*" can span words but a quoted
// blank can never pass for a word boundary.
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/glob.h"
#include "policy/set.h"

#include <string.h>

char *command_join(const char *const *argv, size_t *ret_len)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; argv[i]; i++) {
        if (i > 0)
            buf_char(&b, WORD_SEP);
        buf_str_add(&b, argv[i]);
    }
    *ret_len = b.len;
    return buf_steal(&b);
}

static bool assigns_match(const struct rule *r, const char *const *env)
{
    for (size_t i = 0; r->assigns && r->assigns[i]; i++) {
        bool found = false;
        for (size_t k = 0; env && env[k] && !found; k++)
            found = glob_text(r->assigns[i], strlen(r->assigns[i]), env[k], strlen(env[k]));
        if (!found)
            return false;
    }
    return true;
}

bool rule_covers_command(const struct rule *r, const char *joined, size_t len, const char *const *env, bool extra)
{
    if (r->bare)
        return true;
    if (!assigns_match(r, env))
        return false;
    size_t n = strlen(r->pattern);
    if (extra) // words that are not known yet: only a rule that ends in a wildcard covers whatever they will be
        return n > 0 && r->pattern[n - 1] == '*' && rule_covers_command(r, joined, len, env, false);
    if (glob_text(r->pattern, n, joined, len))
        return true;
    return r->bare_too && len == n - 2 && memcmp(r->pattern, joined, len) == 0;
}

// Text first, facts second: a path that leaves the workspace by its text is outside even if a link would lead back in.
#include "policy/path.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/glob.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINKS_MAX 40

static const char *const PROTECTED[] = {
#define X(path, kind) path,
#include "tbl/policy_protected.def"
#undef X
};

const char *path_cwd(const struct policy_context *c)
{
    return c->cwd ? c->cwd : c->workspace;
}

// Adds one component to the normalised absolute path in out ("" is the root). false when it does not fit.
static bool push(char out[POLICY_PATH_MAX], const char *part, size_t len)
{
    size_t have = strlen(out);
    if (len == 0 || (len == 1 && part[0] == '.'))
        return true;
    if (len == 2 && part[0] == '.' && part[1] == '.') {
        char *slash = strrchr(out, '/');
        if (slash)
            *slash = '\0';
        return true;
    }
    if (have + 1 + len >= POLICY_PATH_MAX)
        return false;
    out[have] = '/';
    memcpy(out + have + 1, part, len);
    out[have + 1 + len] = '\0';
    return true;
}

static bool push_all(char out[POLICY_PATH_MAX], const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        if (!push(out, path, len))
            return false;
        path += len;
        path += *path == '/';
    }
    return true;
}

bool path_normal(const char *base, const char *path, char out[POLICY_PATH_MAX])
{
    out[0] = '\0';
    bool ok = (path[0] == '/' || push_all(out, base)) && push_all(out, path);
    if (ok && !out[0])
        memcpy(out, "/", 2);
    return ok;
}

const char *path_inside(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 0 && dir[n - 1] == '/')
        n--;
    if (strncmp(path, dir, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return path[n] == '/' ? path + n + 1 : path + n;
}

// Follows links component by component, as the kernel would. `rest` is what is still to be walked.
static const char *resolve(const struct policy_context *c, const char *base, const char *path,
                           char out[POLICY_PATH_MAX], struct policy_file *last)
{
    struct buf rest = BUF_INIT;
    const char *problem = NULL;
    buf_printf(&rest, "%s/%s", path[0] == '/' ? "" : base, path);
    out[0] = '\0';
    memset(last, 0, sizeof(*last));
    last->kind = POLICY_FILE_DIR;
    size_t pos = 0;
    unsigned links = 0;
    bool final_is_link = false;
    while (!problem && pos < rest.len) {
        const char *part = rest.data + pos;
        size_t len = strcspn(part, "/");
        size_t next = pos + len + (part[len] == '/');
        size_t parent = strlen(out);
        bool named = len > 0 && !(len == 1 && part[0] == '.') && !(len == 2 && memcmp(part, "..", 2) == 0);
        if (!push(out, part, len)) {
            problem = "the path is too long after its links are followed";
            break;
        }
        pos = next;
        if (!named)
            continue;
        struct policy_file file = {.kind = POLICY_FILE_MISSING};
        c->fs->look(c->fs->user, out, &file);
        bool is_last = strspn(rest.data + pos, "/") == rest.len - pos;
        if (file.unstable) {
            problem = "a folder on the way is being changed by somebody else";
        } else if (file.kind == POLICY_FILE_LINK) {
            file.target[sizeof(file.target) - 1] = '\0';
            if (++links > LINKS_MAX || rest.len > 4 * POLICY_PATH_MAX)
                problem = "too many symbolic links on the way";
            struct buf follow = BUF_INIT;
            buf_printf(&follow, "%s/%s", file.target, rest.data + pos);
            buf_free(&rest);
            rest = follow;
            pos = 0;
            out[file.target[0] == '/' ? 0 : parent] = '\0';
            if (is_last && !final_is_link) { // remembered: what was named is itself a link
                final_is_link = true;
                *last = file;
            }
        } else if (!final_is_link) {
            *last = file;
        }
    }
    buf_free(&rest);
    if (!problem && !out[0])
        memcpy(out, "/", 2);
    return problem;
}

const char *path_place(const struct policy_context *c, const char *base, const char *path, struct place_of *ret)
{
    memset(ret, 0, sizeof(*ret));
    char expanded[POLICY_PATH_MAX];
    if (path[0] == '~' && (path[1] == '/' || !path[1])) {
        if (!c->home)
            return "\"~\" means no folder here; write the path";
        if (snprintf(expanded, sizeof(expanded), "%s%s", c->home, path + 1) >= (int)sizeof(expanded))
            return "the path is too long";
        path = expanded;
    }
    if (!path_normal(base, path, ret->requested))
        return "the path is too long";
    memcpy(ret->resolved, ret->requested, sizeof(ret->resolved));
    ret->file.kind = POLICY_FILE_MISSING;
    if (!c->fs)
        return NULL;
    ret->known = true;
    return resolve(c, base, path, ret->resolved, &ret->file);
}

// A root of the context, with links followed when `resolved` is asked for.
static bool root_of(const struct policy_context *c, const char *dir, bool resolved, char out[POLICY_PATH_MAX])
{
    struct policy_file last;
    if (!dir)
        return false;
    if (resolved && c->fs)
        return resolve(c, "/", dir, out, &last) == NULL;
    return path_normal("/", dir, out);
}

bool path_root(const struct policy_context *c, bool resolved, char out[POLICY_PATH_MAX])
{
    return root_of(c, c->workspace, resolved, out);
}

bool path_in_workspace(const struct policy_context *c, const struct place_of *p)
{
    char root[POLICY_PATH_MAX];
    return root_of(c, c->workspace, false, root) && path_inside(p->requested, root) &&
           root_of(c, c->workspace, true, root) && path_inside(p->resolved, root);
}

bool path_is_kernel(const char *path)
{
    return path_inside(path, "/proc") || path_inside(path, "/sys") || path_inside(path, "/dev");
}

// Whether `pattern` ("a" or "a/b") occurs as whole components of path, without regard to case: some file systems have
// none.
static bool has_components(const char *path, const char *pattern)
{
    size_t n = strlen(pattern);
    for (const char *s = path; *s; s++)
        if ((s == path || s[-1] == '/') && strncasecmp(s, pattern, n) == 0 && (s[n] == '/' || s[n] == '\0'))
            return true;
    return false;
}

const char *path_protected(const struct policy_context *c, const struct place_of *p)
{
    char root[POLICY_PATH_MAX];
    for (int pass = 0; pass < 2; pass++) {
        const char *path = pass ? p->resolved : p->requested;
        const char *below = root_of(c, c->workspace, pass, root) ? path_inside(path, root) : NULL;
        for (size_t i = 0; i < ARRAY_LEN(PROTECTED); i++)
            if (has_components(below ? below : path, PROTECTED[i]))
                return PROTECTED[i];
    }
    return NULL;
}

bool path_rule_matches(const struct policy_context *c, const struct rule *r, const char *path, bool resolved, bool deny)
{
    char root[POLICY_PATH_MAX];
    const char *dir = r->anchor == ANCHOR_ROOT || (deny && r->anchor == ANCHOR_ANY_DEPTH) ? "/"
                      : r->anchor == ANCHOR_HOME                                          ? c->home
                      : r->anchor == ANCHOR_WORKSPACE                                     ? c->workspace
                                                                                          : path_cwd(c);
    if (!root_of(c, r->bare ? c->workspace : dir, resolved, root))
        return false;
    const char *below = path_inside(path, root);
    if (!below)
        return r->bare && deny; // a whole tool is denied everywhere
    if (r->bare)
        return true;
    // "src" and "src/" mean the folder and what is in it; "src/*" in an allow list means one level only
    const char *end = r->pattern + strlen(r->pattern);
    while (end > r->pattern && end[-1] == '/')
        end--;
    const char *last = end;
    while (last > r->pattern && last[-1] != '/')
        last--;
    AUTO_FREE char *last_part = str_ndup(last, (size_t)(end - last));
    bool whole = deny || !glob_has_wildcard(last_part);
    if (r->anchor != ANCHOR_ANY_DEPTH)
        return glob_path(r->pattern, below, whole);
    AUTO_FREE char *deep = str_printf("**/%s", r->pattern);
    return glob_path(deep, below, whole);
}

static bool in_one_of(const struct policy_context *c, const char *const *folders, const struct place_of *p, bool itself)
{
    char root[POLICY_PATH_MAX];
    for (size_t i = 0; folders && folders[i]; i++) {
        const char *below = root_of(c, folders[i], false, root) ? path_inside(p->requested, root) : NULL;
        const char *real = below && root_of(c, folders[i], true, root) ? path_inside(p->resolved, root) : NULL;
        if (real && (itself || (*below && *real)))
            return true;
    }
    return false;
}

bool path_is_ours(const struct policy_context *c, const struct place_of *p)
{
    return path_in_workspace(c, p) || in_one_of(c, c->built, p, true) || in_one_of(c, c->own, p, true);
}

bool path_is_built(const struct policy_context *c, const char *base, const char *program)
{
    struct place_of p;
    return c->built && strchr(program, '/') && program[0] != '~' && !path_place(c, base, program, &p) &&
           in_one_of(c, c->built, &p, false);
}

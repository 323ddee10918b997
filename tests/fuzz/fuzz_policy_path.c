// Paths through a file system made of the input: "path LF name LF target LF name LF target …" (links). What a bare rule
// allows is below the workspace by its text and by its links, a control-plane file is never written, and the walk
// always ends.
#include "base/mem.h"
#include "base/str.h"
#include "policy/path.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *user, const char *path, struct policy_file *ret)
{
    char **lines = user;
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 1; lines[0] && lines[i] && lines[i + 1] && i < 40; i += 2) {
        const char *below = path_inside(path, "/ws");
        if (below && *below && strcmp(below, lines[i]) == 0) { // the workspace itself is no link here
            ret->kind = POLICY_FILE_LINK;
            size_t len = strlen(lines[i + 1]) < sizeof(ret->target) ? strlen(lines[i + 1]) : sizeof(ret->target) - 1;
            memcpy(ret->target, lines[i + 1], len);
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy *bare, *pattern;
    if (!bare) {
        bare = policy_new("bare");
        pattern = policy_new("pattern");
        if (policy_allow(bare, "Edit", "f", 1, NULL) < 0 || policy_allow(pattern, "Edit(src/**)", "f", 1, NULL) < 0)
            abort();
    }
    char *text = str_ndup((const char *)data, size);
    char **lines = str_split(text, "\n", false, NULL);
    struct policy_fs fs = {look, lines};
    struct policy_context c = {.workspace = "/ws", .home = "/home/me", .fs = &fs};
    const char *path = lines[0] ? lines[0] : "";
    struct place_of p;
    struct decision d;
    decide_path(bare, &c, "Write", path, &d);
    if (d.verdict != POLICY_DENY) {
        if (path_place(&c, "/ws", path, &p) || !path_inside(p.requested, "/ws") || !path_inside(p.resolved, "/ws"))
            abort();
        if (strstr(p.resolved, "/.git/") || strstr(p.requested, "/.cargo/") || strstr(p.resolved, "/../") ||
            strstr(p.resolved, "//"))
            abort();
    }
    decide_path(pattern, &c, "Read", path, &d);
    if (d.verdict != POLICY_DENY && (path_place(&c, "/ws", path, &p) || !path_inside(p.resolved, "/ws/src")))
        abort();
    decide_path(bare, &c, "Grep", path, &d);
    str_list_free(lines);
    mem_free(text);
    return 0;
}

// Profiles of other tools: whatever the bytes are, a profile comes out whole or an error does; what came out can be
// ranked and written in every format.
#include "profile/callgrind.h"
#include "profile/dhat.h"
#include "profile/export.h"
#include "profile/ranking.h"
#include "profile/read.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const roots[] = {"/example/src", NULL};
static const struct profile_options options = {.project_roots = roots, .guess_owner = true};

static void look_at(const struct profile *p)
{
    const struct ranking_facts facts = {0};
    struct buf out = BUF_INIT;
    struct err err;
    json_t *rows = ranking_new(p, &facts, 20, 3), *changes = ranking_difference_new(p, p, 20);
    for (size_t i = 0; i < json_array_size(changes); i++)
        if (json_num(json_array_get(changes, i), "change_pct", 1) > 1e-6)
            abort();
    export_speedscope(p, "t", &out);
    if (!str_utf8_valid(out.data, out.len))
        abort();
    buf_clear(&out);
    export_firefox(p, "t", &out);
    json_t *read = json_parse_new(out.data, out.len, "export", &err);
    if (!read && out.len < JSON_TEXT_MAX)
        abort();
    json_decref(read);
    if (export_pprof(p, "t", &out, &err) < 0)
        abort();
    buf_free(&out);
    json_decref(rows);
    json_decref(changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct profile *p = NULL;
    AUTO_FREE char *text = str_ndup((const char *)data, size);
    size_t len = strlen(text);
    if (read_detect(text, len) == READ_DHAT) {
        struct dhat *d = NULL;
        if (dhat_parse(text, len, &d, &err) == 0 && dhat_profile(d, &options, &p, &err) == 0) {
            json_t *o = dhat_json_new(d, p, 20), *same = dhat_difference_new(o, o, 20);
            if (json_array_size(json_list(same, "sites")) > 0)
                abort();
            json_decref(same);
            json_decref(o);
        }
        dhat_free(d);
    } else if (profile_read_text(text, len, &options, &p, &err) < 0) {
        p = NULL;
    }
    if (p)
        look_at(p);
    profile_free(p);
    return 0;
}

// The branch holds only what was claimed and measured: every touched file belongs to a kept change, every kept change
// has a comparison that says "faster" and none that says "slower".
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/verify.h"

#include <string.h>

static bool names_file(const json_t *change, const char *file)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_list(change, "files"), i, v)
        if (str_eq(json_string_value(v), file))
            return true;
    return false;
}

static const json_t *by_id(const json_t *list, const char *id)
{
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v)
        if (id && str_eq(json_str(v, "id", NULL), id))
            return v;
    return NULL;
}

// Whether the result with this id was dropped. Without results every change counts as kept.
static bool is_kept(const struct verify_request *request, const char *id)
{
    const json_t *result = by_id(request->results, id);
    return request->results ? result && json_flag(result, "kept", false) : true;
}

static bool kept_change_names(const struct verify_request *request, const char *file)
{
    size_t i;
    json_t *v;
    json_array_foreach (request->changes, i, v)
        if (is_kept(request, json_str(v, "id", NULL)) && names_file(v, file))
            return true;
    json_array_foreach (request->results, i, v)
        if (json_flag(v, "kept", false) && names_file(v, file))
            return true;
    return false;
}

static void count_verdict(const json_t *comparison, size_t *faster, size_t *slower)
{
    const char *verdict = json_str(comparison, "verdict", "");
    *faster += str_eq(verdict, "faster");
    *slower += str_eq(verdict, "slower");
}

static void check_evidence(const struct verify_request *request, const json_t *result, struct verification *v)
{
    size_t faster = 0, slower = 0, i;
    json_t *c;
    count_verdict(json_obj(result, "comparison"), &faster, &slower);
    json_array_foreach (json_list(result, "comparisons"), i, c)
        count_verdict(c, &faster, &slower);
    const char *id = json_str(result, "id", NULL), *title = json_str(result, "title", "");
    if (slower > 0)
        verify_ask(v, request, id, NULL, 0, "critical", "drop the change",
                   "'%s' was kept although a comparison says slower", title);
    else if (faster == 0)
        verify_ask(v, request, id, NULL, 0, "critical", "measure it against the base, or drop it",
                   "'%s' was kept without a comparison that says faster", title);
}

void verify_claims(const struct verify_request *request, const struct diff *diff, struct verification *v)
{
    size_t i;
    json_t *entry;
    json_array_foreach (request->results, i, entry)
        if (json_flag(entry, "kept", false))
            check_evidence(request, entry, v);
    if (!request->results)
        json_array_foreach (request->changes, i, entry)
            verify_ask(v, request, json_str(entry, "id", NULL), NULL, 0, "critical",
                       "measure it against the base, or drop it", "nobody measured '%s'", json_str(entry, "title", ""));
    for (size_t k = 0; k < diff->files.len; k++) {
        const struct diff_file *f = &diff->files.items[k];
        if (!kept_change_names(request, f->path))
            verify_ask(v, request, NULL, f->path, diff_line_with(f, NULL), "critical",
                       "take the file out of the branch, or name it in a change",
                       "the branch touches '%s', which no kept change names", f->path);
    }
}

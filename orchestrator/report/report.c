#include "report/report.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/html.h"
#include "report/markdown.h"
#include "report/model.h"

#include <string.h>

#define FLAME_NAME "flamegraph.svg"
#define FLAME_MAX  ((size_t)24 << 20) // larger ones stay in the artifact store

static int write_text(const char *dir, const char *name, const char *text, size_t len, struct err *err)
{
    AUTO_FREE char *path = path_join(dir, name);
    return file_write(path, text, len, false, err);
}

// The newest flame graph of the run, as text; NULL when there is none that can be read.
static char *read_flame(struct store *store, const json_t *model, size_t *ret_len)
{
    const char *hash = NULL;
    char *text = NULL;
    size_t i;
    json_t *a;
    json_array_foreach (json_list(model, "artifacts"), i, a)
        if (str_eq(json_str(a, "name", ""), FLAME_NAME))
            hash = json_str(a, "hash", NULL);
    if (!hash || store_artifact_get(store, hash, FLAME_MAX, &text, ret_len, NULL) < 0)
        return NULL;
    if (!str_utf8_valid(text, *ret_len)) { // ours never is; a page must not be broken by it
        mem_free(text);
        return NULL;
    }
    return text;
}

int report_write(struct store *store, const char *run, const char *dir, struct err *err)
{
    AUTO_JSON json_t *model = report_model_new(store, run, err);
    if (!model)
        return err_wrap(err, "report of run '%s'", run);
    size_t flame_len = 0;
    AUTO_FREE char *flame = read_flame(store, model, &flame_len);
    AUTO_FREE char *json = json_pretty(model);
    AUTO_BUF struct buf md = BUF_INIT, html = BUF_INIT;
    report_markdown(model, flame ? FLAME_NAME : NULL, &md);
    report_html(model, flame, &html);
    int r = file_make_dirs(dir, err);
    if (r == 0)
        r = write_text(dir, "report.json", json, strlen(json), err);
    if (r == 0)
        r = write_text(dir, "report.md", buf_str(&md), md.len, err);
    if (r == 0 && flame)
        r = write_text(dir, FLAME_NAME, flame, flame_len, err);
    if (r == 0)
        r = write_text(dir, "report.html", buf_str(&html), html.len, err);
    return r < 0 ? err_wrap(err, "report of run '%s'", run) : 0;
}

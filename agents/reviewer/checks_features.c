// Heavy features: `features = ["full"]` where "full" is much and the sources show that most of it is not used. Of tokio
// the used parts are visible: everything is reached through `tokio::…`. Reported only when at least two of its features
// have no use in any source of the project (tests included), and never when the project re-exports tokio or imports it
// with a glob.
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_project.h"

#include <string.h>

// What of tokio::NAME needs which feature. "rt" comes with nearly everything.
static const struct {
    const char *name, *feature;
} TOKIO[] = {
    {"fs", "fs"},         {"net", "net"},     {"process", "process"},      {"signal", "signal"},
    {"sync", "sync"},     {"time", "time"},   {"io", "io-util"},           {"spawn", "rt"},
    {"task", "rt"},       {"runtime", "rt"},  {"main", "rt-multi-thread"}, {"test", "rt"},
    {"select", "macros"}, {"join", "macros"}, {"try_join", "macros"},      {"pin", "macros"},
    {"main", "macros"},   {"test", "macros"},
};
static const char *const FULL[] = {"fs", "io-util",         "io-std", "macros", "net", "process",
                                   "rt", "rt-multi-thread", "signal", "sync",   "time"};

struct tokio_use {
    bool used[ARRAY_LEN(FULL)];
    bool unclear, any;
};

static void use_feature(struct tokio_use *u, const char *feature)
{
    for (size_t i = 0; i < ARRAY_LEN(FULL); i++)
        if (str_eq(FULL[i], feature))
            u->used[i] = true;
}

static void use_name(struct tokio_use *u, const char *name)
{
    u->any = true;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(TOKIO); i++) {
        if (!str_eq(TOKIO[i].name, name))
            continue;
        use_feature(u, TOKIO[i].feature);
        known = true;
    }
    if (!known)
        u->unclear = true;
}

// Every path that begins with `tokio ::`, also inside attributes and macro definitions; a group after it is walked one
// level.
static void look_for_tokio(void *user, const struct source *s)
{
    struct tokio_use *u = user;
    const struct rust_tokens *t = &s->t;
    for (uint32_t i = 0; i < t->count; i++) {
        if (rust_is_one_of(t, i, "stdin stdout stderr Stdin Stdout Stderr"))
            use_feature(u, "io-std");
        if (rust_is_one_of(t, i, "new_multi_thread block_in_place") ||
            (rust_is_ident(t, i, "Runtime") && rust_is_op(t, i + 1, "::")))
            use_feature(u, "rt-multi-thread");
        if (!rust_is_ident(t, i, "tokio") || (i > 1 && rust_is_op(t, i - 2, "::")))
            continue;
        if (!rust_is_op(t, i + 1, "::")) {
            u->unclear = u->unclear || rust_is_ident(t, i - 1, "use") || rust_is_ident(t, i + 1, "as");
            continue;
        }
        if (rust_is_any_ident(t, i + 3)) {
            AUTO_FREE char *name = rust_token_text(t, i + 3);
            use_name(u, name);
        } else if (rust_is_punct(t, i + 3, '{')) {
            uint32_t end = rust_skip_group(t, i + 3);
            for (uint32_t k = i + 4; k + 1 < end; k = rust_skip_group(t, k)) {
                bool begins = rust_is_punct(t, k - 1, '{') || rust_is_punct(t, k - 1, ',');
                if (begins && rust_is_any_ident(t, k)) {
                    AUTO_FREE char *name = rust_token_text(t, k);
                    use_name(u, name);
                }
            }
        } else {
            u->unclear = true; // a glob
        }
    }
}

struct all_sources {
    struct project *p;
    struct tokio_use use;
};

static void look_in_file(void *user, const char *below)
{
    struct all_sources *a = user;
    if (!str_ends(below, ".rs"))
        return;
    char *text = NULL;
    size_t len = 0;
    struct source s;
    if (files_read(a->p->files, below, PROJECT_SOURCE_MAX, &text, &len, NULL) == 0 && strstr(text, "tokio") &&
        source_open(below, text, len, &s, NULL) == 0) {
        look_for_tokio(&a->use, &s);
        source_close(&s);
    }
    mem_free(text);
}

struct visit {
    struct project *p;
    const struct project_manifest *m;
    struct findings *f;
    const struct tokio_use *use;
};

static void visit_dependency(void *user, const struct manifest_dependency *d)
{
    const struct visit *v = user;
    const struct tokio_use *u = v->use;
    if (!str_eq(d->package, "tokio") || str_eq(d->kind, "dev") || !manifest_has_feature(d, "full"))
        return;
    struct buf needed = BUF_INIT;
    size_t unused = 0;
    for (size_t i = 0; i < ARRAY_LEN(FULL); i++) {
        if (u->used[i])
            buf_printf(&needed, "%s\"%s\"", needed.len ? ", " : "", FULL[i]);
        unused += !u->used[i];
    }
    if (u->any && !u->unclear && unused >= 2) {
        struct place at = {
            .file = v->m->file, .line = (uint32_t)manifest_line(&v->m->manifest, d->toml_path), .column = 1};
        AUTO_FREE char *suggestion = str_printf("name what the sources use: features = [%s]", buf_str(&needed));
        finding_add(v->f, CHECK_HEAVY_FEATURES, &at, suggestion,
                    "tokio with features = [\"full\"]; %zu of its %zu features have no use here", unused,
                    ARRAY_LEN(FULL));
    }
    buf_free(&needed);
}

void check_features(struct project *p, struct findings *f)
{
    struct all_sources all = {.p = p};
    bool looked = false;
    for (size_t i = 0; i < p->manifests.len; i++) {
        const struct project_manifest *m = &p->manifests.items[i];
        if (!strstr(m->manifest.text, "tokio"))
            continue;
        const char *below = path_below(p->workspace, p->root);
        if (!looked && below)
            project_walk(p->root, below, 32, look_in_file, &all);
        looked = true;
        struct visit v = {.p = p, .m = m, .f = f, .use = &all.use};
        manifest_dependencies(&m->manifest, visit_dependency, &v);
    }
}

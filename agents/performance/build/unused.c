// Rules that the code does not show:
// - A target of a package may be compiled twice, with and without its tests; the messages do not tell which of both
// speaks. So the
//   compilations that could see a dependency are counted, and so are those that report it: unused is what all report.
// - Normal dependencies are seen by every target; dev-dependencies by tests, benches, examples and what is compiled for
// testing.
#include "buildinfo/unused.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct tally {
    size_t seen, seen_tests;       // compilations of the package: all, and those that see dev-dependencies
    size_t reports, reports_tests; // that report the crate; of targets that exist for tests alone
    size_t reports_mixed;          // of targets compiled both ways
};

static bool tests_alone(const char *kind)
{
    return str_eq(kind, "test") || str_eq(kind, "bench") || str_eq(kind, "example");
}

// "extern crate `one` is unused in crate `it`"; older: "external crate `one` unused in `it`: …"
static bool names_crate(const char *message, const char *name)
{
    const char *at = strchr(message, '`');
    size_t n = strlen(name);
    return at && strncmp(at + 1, name, n) == 0 && at[1 + n] == '`';
}

static struct tally count(const struct cargo_messages *m, const char *package_id, const char *crate)
{
    struct tally t = {0};
    for (size_t i = 0; i < m->artifact_count; i++) {
        const struct cargo_artifact *a = &m->artifacts[i];
        if (!str_eq(a->package_id, package_id) || str_eq(a->target_kind, "custom-build"))
            continue;
        t.seen++;
        t.seen_tests += a->is_test_profile || tests_alone(a->target_kind);
    }
    for (size_t i = 0; i < m->diagnostic_count; i++) {
        const struct cargo_diagnostic *d = &m->diagnostics[i];
        if (!str_eq(d->package_id, package_id) || !d->code || !str_eq(d->code, UNUSED_LINT) ||
            !names_crate(d->message, crate))
            continue;
        t.reports++;
        *(tests_alone(d->target_kind) ? &t.reports_tests : &t.reports_mixed) += 1;
    }
    return t;
}

// Of a normal dependency. Not every compilation reports it, so some use it: only those for tests, when each that is not
// for tests is among those that report (a target compiled both ways reports at most once then).
static const char *verdict_of(const struct tally *t, bool dev)
{
    if (dev)
        return t->seen_tests && t->reports >= t->seen_tests ? "unused" : NULL;
    if (t->seen && t->reports >= t->seen)
        return "unused";
    size_t plain = t->seen - t->seen_tests;
    return plain && t->reports_mixed == plain ? "tests only" : NULL;
}

// What the manifest calls a dependency: [dependencies] NAME, with its table in the answer of cargo metadata.
static const json_t *declared(const json_t *package, const char *name, const char *kind)
{
    size_t i;
    json_t *d;
    json_array_foreach (json_list(package, "dependencies"), i, d) {
        const char *of = json_str(d, "kind", "normal");
        if (str_eq(of, kind) && str_eq(json_str(d, "name", ""), name) && !json_flag(d, "optional", false) &&
            !json_str(d, "target", NULL))
            return d;
    }
    return NULL;
}

static const json_t *package_of(const struct cargo_metadata *m, const char *id)
{
    size_t i;
    json_t *p;
    json_array_foreach (json_list(m->root, "packages"), i, p)
        if (str_eq(json_str(p, "id", ""), id))
            return p;
    return NULL;
}

static void judge(json_t *list, const struct cargo_messages *messages, const json_t *package, const json_t *dependency,
                  const char *crate)
{
    const char *kind = json_str(dependency, "kind", "normal"), *id = json_str(package, "id", "");
    struct tally t = count(messages, id, crate);
    const char *verdict = verdict_of(&t, str_eq(kind, "dev"));
    if (!verdict)
        return;
    json_t *row = json_object();
    json_put_str(row, "package", json_str(package, "name", "?"));
    json_put_str(row, "manifest", json_str(package, "manifest_path", ""));
    json_put_str(row, "dependency", json_str(dependency, "rename", json_str(dependency, "name", "?")));
    json_put_str(row, "crate", crate);
    json_put_str(row, "kind", kind);
    json_put_str(row, "verdict", verdict);
    json_put_int(row, "targets", (int64_t)t.seen);
    json_array_append_new(list, row);
}

// One package may be both a normal and a dev-dependency: then the messages of tests are about both, and neither is
// judged.
static void look_at(json_t *list, const struct cargo_metadata *m, const struct cargo_messages *messages,
                    const json_t *package, const json_t *node)
{
    size_t i;
    json_t *dep;
    json_array_foreach (json_list(node, "deps"), i, dep) {
        const json_t *to = package_of(m, json_str(dep, "pkg", ""));
        const char *name = json_str(to, "name", ""), *crate = json_str(dep, "name", "");
        const json_t *normal = declared(package, name, "normal"), *dev = declared(package, name, "dev");
        if (*crate && json_array_size(json_list(dep, "dep_kinds")) == 1 && (normal || dev) && !(normal && dev))
            judge(list, messages, package, normal ? normal : dev, crate);
    }
}

json_t *unused_new(const struct cargo_metadata *metadata, const struct cargo_messages *messages)
{
    json_t *list = json_array();
    size_t i;
    json_t *node;
    json_array_foreach (json_list(json_obj(metadata->root, "resolve"), "nodes"), i, node) {
        const char *id = json_str(node, "id", "");
        bool member = false;
        for (size_t p = 0; p < metadata->package_count; p++)
            member = member || (metadata->packages[p].is_member && str_eq(metadata->packages[p].id, id));
        const json_t *package = member ? package_of(metadata, id) : NULL;
        if (package)
            look_at(list, metadata, messages, package, node);
    }
    return list;
}

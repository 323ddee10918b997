#include "buildinfo/timings.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    int64_t number; // by which edges name it; not its place in the list
    char *label, *package; // "serde 1.0.2 build-script", "serde 1.0.2"
    double start, duration, codegen; // codegen < 0: not known
    bool build_script, proc_macro;
    int64_t unblocked_by; // place of the unit that let it start, -1: none
};

static const char *find_bytes(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what));
}

// The JSON array behind `NAME = `, up to the `];` that ends the statement.
static json_t *read_data(const char *html, size_t len, const char *name, struct err *err)
{
    AUTO_FREE char *mark = str_printf("%s = ", name);
    const char *at = find_bytes(html, len, mark);
    if (!at) {
        err_set(err, ERR_PARSE, "the timing report has no '%s'", name);
        return NULL;
    }
    at += strlen(mark);
    size_t left = len - (size_t)(at - html);
    json_error_t e;
    json_t *v = json_loadb(at, left, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &e);
    if (!json_is_array(v)) {
        json_decref(v);
        err_set(err, ERR_PARSE, "'%s' of the timing report is not a list", name);
        return NULL;
    }
    return v;
}

// Sections are [["codegen", {"start": s, "end": s}], …]; what follows the metadata that dependants wait for.
static double codegen_of(const json_t *unit)
{
    double sum = -1;
    size_t i;
    json_t *section;
    json_array_foreach (json_list(unit, "sections"), i, section) {
        const json_t *span = json_array_get(section, 1);
        const char *name = json_string_value(json_array_get(section, 0));
        double took = json_num(span, "end", 0) - json_num(span, "start", 0);
        sum = sum < 0 ? 0 : sum;
        if (name && str_eq(name, "codegen") && took > 0)
            sum += took;
    }
    return sum;
}

static struct unit *read_units(const json_t *data, const json_t *macros, size_t *ret_count)
{
    size_t n = json_array_size(data);
    n = n > TIMINGS_UNITS_MAX ? TIMINGS_UNITS_MAX : n;
    struct unit *units = mem_array(n, sizeof(*units));
    *ret_count = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *u = json_array_get(data, i);
        const char *target = json_str(u, "target", ""), *mode = json_str(u, "mode", "");
        char *package = str_printf("%s %s", json_str(u, "name", "?"), json_str(u, "version", ""));
        units[i] = (struct unit){.number = json_int(u, "i", (int64_t)i),
                                 .label = str_printf("%s%s", package, target),
                                 .package = package,
                                 .codegen = codegen_of(u),
                                 .start = json_num(u, "start", 0),
                                 .duration = json_num(u, "duration", 0),
                                 .build_script = str_has_nocase(target, "build script") || str_has_nocase(target, "build-script") ||
                                                 str_eq(mode, "run-custom-build"),
                                 .unblocked_by = -1};
        units[i].proc_macro = !units[i].build_script && macros && json_object_get(macros, package);
    }
    return units;
}

static void read_edges(const json_t *data, struct unit *units, size_t n)
{
    static const char *const KEYS[] = {"unblocked_units", "unlocked_units", "unblocked_rmeta_units", "unlocked_rmeta_units"};
    int64_t *place = mem_array(n, sizeof(*place)); // number -> place
    for (size_t i = 0; i < n; i++)
        place[i] = -1;
    for (size_t i = 0; i < n; i++)
        if (units[i].number >= 0 && (size_t)units[i].number < n)
            place[units[i].number] = (int64_t)i;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++) {
            size_t e;
            json_t *to;
            json_array_foreach (json_list(json_array_get(data, i), KEYS[k]), e, to) {
                int64_t number = json_is_integer(to) ? json_integer_value(to) : -1;
                if (number >= 0 && (size_t)number < n && place[number] >= 0)
                    units[place[number]].unblocked_by = (int64_t)i;
            }
        }
    }
    mem_free(place);
}

static json_t *row_new(const struct unit *u)
{
    json_t *row = json_object();
    json_put_str(row, "unit", u->label);
    json_put_num(row, "start_s", u->start);
    json_put_num(row, "duration_s", u->duration);
    json_put(row, "codegen_s", u->codegen < 0 ? json_null() : json_real(u->codegen));
    json_put_str(row, "kind", u->build_script ? "build script" : u->proc_macro ? "proc macro" : "crate");
    return row;
}

static int by_duration(const void *a, const void *b)
{
    const struct unit *x = *(const struct unit *const *)a, *y = *(const struct unit *const *)b;
    return x->duration < y->duration ? 1 : x->duration > y->duration ? -1 : 0;
}

static json_t *slowest_new(const struct unit *units, size_t n)
{
    const struct unit **order = mem_array(n, sizeof(*order));
    for (size_t i = 0; i < n; i++)
        order[i] = &units[i];
    if (n)
        qsort(order, n, sizeof(*order), by_duration);
    json_t *rows = json_array();
    for (size_t i = 0; i < n && i < TIMINGS_ROWS_MAX; i++)
        json_array_append_new(rows, row_new(order[i]));
    mem_free(order);
    return rows;
}

static json_t *critical_new(const struct unit *units, size_t n)
{
    json_t *rows = json_array();
    int64_t at = -1;
    for (size_t i = 0; i < n; i++)
        if (at < 0 || units[i].start + units[i].duration > units[at].start + units[at].duration)
            at = (int64_t)i;
    // Not longer than the list: a report with a circle must not hold us.
    for (size_t steps = 0; at >= 0 && steps < TIMINGS_WAY_MAX; steps++, at = units[at].unblocked_by)
        json_array_insert_new(rows, 0, row_new(&units[at]));
    return rows;
}

static void put_sums(json_t *out, const struct unit *units, size_t n)
{
    double total = 0, work = 0, scripts = 0, macros = 0, codegen = 0;
    for (size_t i = 0; i < n; i++) {
        const struct unit *u = &units[i];
        total = u->start + u->duration > total ? u->start + u->duration : total;
        work += u->duration;
        scripts += u->build_script ? u->duration : 0;
        macros += u->proc_macro ? u->duration : 0;
        codegen += u->codegen > 0 ? u->codegen : 0;
    }
    json_put_int(out, "units", (int64_t)n);
    json_put_num(out, "total_s", total);
    json_put_num(out, "work_s", work);
    json_put_num(out, "build_script_s", scripts);
    json_put_num(out, "proc_macro_s", macros);
    json_put_num(out, "codegen_s", codegen);
}

static json_t *packages_new(const struct unit *units, size_t n)
{
    json_t *sums = json_object();
    for (size_t i = 0; i < n; i++)
        json_put_num(sums, units[i].package, json_num(sums, units[i].package, 0) + units[i].duration);
    return sums;
}

int timings_parse_packages(const char *html, size_t len, const json_t *macros, json_t **ret, json_t **ret_units, struct err *err)
{
    if (len > TIMINGS_HTML_MAX)
        return err_set(err, ERR_LIMIT, "the timing report is larger than %zu bytes", TIMINGS_HTML_MAX);
    AUTO_JSON json_t *data = read_data(html, len, "UNIT_DATA", err);
    if (!data)
        return -(int)err->code;
    size_t n = 0;
    struct unit *units = read_units(data, macros, &n);
    read_edges(data, units, n);
    json_t *out = json_object();
    put_sums(out, units, n);
    json_put(out, "slowest", slowest_new(units, n));
    json_put(out, "critical_path", critical_new(units, n));
    *ret_units = packages_new(units, n);
    for (size_t i = 0; i < n; i++) {
        mem_free(units[i].label);
        mem_free(units[i].package);
    }
    mem_free(units);
    *ret = out;
    return 0;
}

int timings_parse(const char *html, size_t len, json_t **ret, struct err *err)
{
    json_t *packages = NULL;
    int r = timings_parse_packages(html, len, NULL, ret, &packages, err);
    json_decref(packages);
    return r;
}

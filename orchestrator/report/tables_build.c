// What makes a build slow, as tables.
#include "report/tables.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/text.h"

#include <stdio.h>

#define ROWS_SHOWN 40

#define CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void put_facts(const json_t *report, json_t *tables)
{
    const json_t *timings = json_obj(report, "timings");
    char clean[TEXT_NUMBER], cpu[TEXT_NUMBER], number[TEXT_NUMBER];
    AUTO_FREE char *title = str_printf("A clean build, %s profile", json_str(report, "profile", "dev"));
    json_t *t = tables_add(tables, title, NULL, CELLS("part", "time"), 1u << 1);
    static const char *const PARTS[][2] = {{"total_s", "its critical path, from the first unit to the last"},
                                           {"work_s", "work of all units together"},
                                           {"codegen_s", "of it generating code (where the report tells)"},
                                           {"proc_macro_s", "of it compiling procedural macros"},
                                           {"build_script_s", "of it compiling and running build scripts"}};
    text_seconds(json_num(report, "clean_s", -1), clean);
    text_seconds(json_num(report, "cpu_s", -1), cpu);
    tables_row(t, CELLS("the whole build", clean));
    tables_row(t, CELLS("CPU time", cpu));
    for (size_t i = 0; timings && i < ARRAY_LEN(PARTS); i++) {
        text_seconds(json_num(timings, PARTS[i][0], -1), number);
        tables_row(t, CELLS(PARTS[i][1], number));
    }
}

static void put_units(const json_t *rows, const char *title, json_t *tables)
{
    size_t i;
    json_t *row;
    if (!json_array_size(rows))
        return;
    json_t *t = tables_add(tables, title, NULL, CELLS("unit", "kind", "starts", "takes", "code generation"),
                           1u << 2 | 1u << 3 | 1u << 4);
    json_array_foreach (rows, i, row) {
        char starts[TEXT_NUMBER], takes[TEXT_NUMBER], codegen[TEXT_NUMBER];
        double all = json_num(row, "duration_s", 0), part = json_num(row, "codegen_s", -1);
        text_seconds(json_num(row, "start_s", -1), starts);
        text_seconds(all, takes);
        if (part >= 0 && all > 0)
            snprintf(codegen, sizeof(codegen), "%.0f %%", 100 * part / all);
        else
            snprintf(codegen, sizeof(codegen), "–");
        tables_row(t, CELLS(json_str(row, "unit", "?"), json_str(row, "kind", ""), starts, takes, codegen));
    }
}

static char *joined_new(const json_t *texts, const char *between)
{
    AUTO_BUF struct buf b = BUF_INIT;
    size_t i;
    json_t *text;
    json_array_foreach (texts, i, text)
        buf_printf(&b, "%s%s", i ? between : "", json_string_value(text));
    return buf_steal(&b);
}

static void put_duplicates(const json_t *rows, json_t *tables)
{
    size_t i, k;
    json_t *row, *version;
    if (!json_array_size(rows))
        return;
    json_t *t = tables_add(tables, "Compiled in more than one version", NULL, CELLS("crate", "version", "through"), 0);
    json_array_foreach (rows, i, row) {
        if (i == ROWS_SHOWN)
            break;
        json_array_foreach (json_list(row, "versions"), k, version) {
            AUTO_FREE char *way = joined_new(json_list(version, "way"), " > ");
            tables_row(t, CELLS(k ? "" : json_str(row, "name", "?"), json_str(version, "version", "?"), way));
        }
    }
}

static char *outcome_new(const json_t *row)
{
    const char *note = json_str(row, "note", NULL), *id = json_str(row, "candidate", NULL);
    if (json_flag(row, "proven", false))
        return str_printf("%s: all targets build and the tests pass without it", id ? id : "proven");
    return str_printf("not proven%s%s", note ? ": " : "", note ? note : "");
}

static void put_unused(const json_t *rows, json_t *tables)
{
    size_t i;
    json_t *row;
    if (!json_array_size(rows))
        return;
    json_t *t = tables_add(tables, "Dependencies that nothing uses",
                           "Mentions: places in the sources that write the crate's name with ::, comments included.",
                           CELLS("dependency", "of", "kind", "seen", "mentions", "proof"), 1u << 4);
    json_array_foreach (rows, i, row) {
        char mentions[TEXT_NUMBER];
        AUTO_FREE char *proof = outcome_new(row);
        snprintf(mentions, sizeof(mentions), "%lld", (long long)json_int(row, "mentions", 0));
        tables_row(t, CELLS(json_str(row, "dependency", "?"), json_str(row, "package", "?"), json_str(row, "kind", ""),
                            json_str(row, "verdict", ""), mentions, proof));
    }
}

static void put_features(const json_t *rows, json_t *tables)
{
    size_t i;
    json_t *row;
    if (!json_array_size(rows))
        return;
    json_t *t =
        tables_add(tables, "Default features that can be left out",
                   "Features may make a library faster: measure before leaving one out of a program.",
                   CELLS("dependency", "of", "default features", "not compiled then", "their time", "proof"), 1u << 4);
    json_array_foreach (rows, i, row) {
        char saves[TEXT_NUMBER];
        AUTO_FREE char *proof = outcome_new(row), *defaults = joined_new(json_list(row, "defaults"), ", "),
                       *gone = joined_new(json_list(row, "gone"), ", ");
        AUTO_FREE char *less =
            *gone ? str_dup(gone) : str_printf("%lld features", (long long)json_int(row, "fewer_features", 0));
        text_seconds(json_num(row, "saves_s", -1), saves);
        tables_row(
            t, CELLS(json_str(row, "dependency", "?"), json_str(row, "package", "?"), defaults, less, saves, proof));
    }
}

// Rows with a name, bytes and perhaps a number.
static void put_sizes(const json_t *rows, const char *title, const char *note, const char *name, const char *count,
                      double all, json_t *tables)
{
    size_t i;
    json_t *row;
    if (!json_array_size(rows))
        return;
    json_t *t = tables_add(tables, title, note, CELLS("size", "share", count, name), 7u);
    json_array_foreach (rows, i, row) {
        char bytes[TEXT_NUMBER], share[TEXT_NUMBER], number[TEXT_NUMBER];
        double size = json_num(row, "bytes", 0);
        text_bytes(size, bytes);
        snprintf(share, sizeof(share), "%.1f %%", all > 0 ? 100 * size / all : 0);
        snprintf(number, sizeof(number), "%lld", (long long)json_int(row, count, 1));
        tables_row(t, CELLS(bytes, share, number, json_str(row, "short", json_str(row, name, "?"))));
    }
}

static void put_bloat(const json_t *program, json_t *tables)
{
    const char *name = json_str(program, "program", "?");
    const json_t *cross = json_obj(program, "cargo_bloat");
    double all = json_num(program, "symbol_bytes", 0);
    AUTO_FREE char *crates = str_printf("What %s is made of, release profile", name), *note = NULL;
    AUTO_FREE char *generic = str_printf("Generic functions that %s has many times", name);
    AUTO_FREE char *largest = str_printf("The largest functions of %s", name);
    if (cross)
        note = str_printf("cargo-bloat says: %s %lld bytes, all code %lld bytes; here all code is %lld bytes.",
                          json_str(cross, "crate", "?"), (long long)json_int(cross, "bytes", 0),
                          (long long)json_int(cross, "text_bytes", 0), (long long)json_int(program, "text_bytes", 0));
    put_sizes(json_list(program, "crates"), crates, note, "crate", "functions", all, tables);
    put_sizes(json_list(program, "largest"), largest, NULL, "function", "copies", all, tables);
    put_sizes(json_list(program, "generic"), generic, NULL, "function", "copies", all, tables);
}

void tables_build(const json_t *report, json_t *tables)
{
    const json_t *timings = json_obj(report, "timings");
    size_t i;
    json_t *program;
    put_facts(report, tables);
    put_units(json_list(timings, "critical_path"), "Critical path: each unit waited for the one before it", tables);
    put_units(json_list(timings, "slowest"), "The slowest units", tables);
    put_duplicates(json_list(report, "duplicates"), tables);
    put_unused(json_list(report, "unused"), tables);
    put_features(json_list(report, "features"), tables);
    json_array_foreach (json_list(report, "bloat"), i, program)
        put_bloat(program, tables);
}

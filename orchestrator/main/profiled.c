#include "main/profiled.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

#define NAME_MAX_SHOWN 46
#define WORST_OTHER    3 // rows of code that is not the project's

char *profiled_plain(const char *text, size_t max)
{
    size_t len = str_utf8_cut(text, max);
    char *plain = str_printf("%.*s%s", (int)len, text, text[len] ? "…" : "");
    str_make_plain(plain);
    return plain;
}

size_t profiled_rows_of(const struct cli *cli)
{
    int64_t n = PROFILED_ROWS;
    const char *top = cli_value(cli, "top", NULL);
    if (top)
        str_to_i64(top, &n);
    return (size_t)n;
}

static char *place_of(const json_t *row)
{
    const char *file = json_str(row, "file", NULL);
    int64_t line = json_int(row, "hot_line", json_int(row, "line", 0));
    if (line <= 0)
        line = json_int(row, "line", 0);
    AUTO_FREE char *text = !file      ? str_printf("(%s)", json_str(row, "crate_kind", "?"))
                           : line > 0 ? str_printf("%s:%lld", file, (long long)line)
                                      : str_dup(file);
    return profiled_plain(text, 200);
}

static void count_text(double v, char *out, size_t room)
{
    AUTO_BUF struct buf b = {0};
    buf_grouped(&b, v);
    snprintf(out, room, "%s", buf_str(&b));
}

static void print_evidence(const json_t *row, FILE *out)
{
    size_t i;
    json_t *text;
    json_array_foreach (json_list(row, "evidence"), i, text) {
        AUTO_FREE char *plain = profiled_plain(json_string_value(text), 400);
        fprintf(out, "              %s\n", plain);
    }
}

static bool is_own(const json_t *row)
{
    return str_eq(json_str(row, "crate_kind", ""), "project");
}

static size_t own_count(const json_t *rows)
{
    size_t i, n = 0;
    json_t *row;
    json_array_foreach (rows, i, row)
        n += is_own(row);
    return n;
}

static void print_time(const json_t *profiled, size_t rows, FILE *out)
{
    size_t i, shown = 0, others = own_count(json_list(profiled, "rows")) ? WORST_OTHER : rows;
    json_t *row;
    json_array_foreach (json_list(profiled, "rows"), i, row) {
        AUTO_FREE char *name = profiled_plain(json_str(row, "short", "?"), NAME_MAX_SHOWN), *place = place_of(row);
        bool seldom = json_num(row, "self_pct", 0) < 1 && json_num(row, "score", 0) < 0.1;
        if (shown == rows)
            break;
        if (shown > 0 && (seldom || (!is_own(row) && others-- == 0)))
            break;
        if (shown++ == 0)
            fprintf(out, "\n  #   fix %%   self %%  total %%  function%*swhere\n", NAME_MAX_SHOWN - 6, "");
        fprintf(out, "%3zu  %6.1f   %6.1f   %6.1f  %-*s %s\n", shown, json_num(row, "score", 0),
                json_num(row, "self_pct", 0), json_num(row, "total_pct", 0), NAME_MAX_SHOWN + 1, name, place);
        print_evidence(row, out);
    }
    if (shown)
        fprintf(
            out,
            "fix %%: the part of the time that the function is answerable for; rows of others than the project: their "
            "own time\n");
}

static void print_growth(const json_t *growth, size_t rows, FILE *out)
{
    size_t i;
    json_t *row;
    fprintf(out, "\n  #   n^    share %%  beyond linear %%  function%*swhere\n", NAME_MAX_SHOWN - 6, "");
    json_array_foreach (json_list(growth, "rows"), i, row) {
        AUTO_FREE char *name = profiled_plain(json_str(row, "short", "?"), NAME_MAX_SHOWN), *place = place_of(row);
        double exponent = json_num(row, "exponent", (double)NAN);
        char power[16] = "   -";
        if (i == rows)
            break;
        if (isfinite(exponent))
            snprintf(power, sizeof(power), "%.2f", exponent);
        fprintf(out, "%3zu  %5s   %6.1f           %6.1f  %-*s %s\n", i + 1, power, json_num(row, "share_pct", 0),
                json_num(row, "excess_pct", 0), NAME_MAX_SHOWN + 1, name, place);
        if (json_num(row, "score", 0) >= 1)
            print_evidence(row, out);
    }
}

static void print_amount(const json_t *memory, const char *key, const char *label, FILE *out)
{
    char bytes[48], blocks[48];
    count_text(json_num(json_obj(memory, key), "bytes", 0), bytes, sizeof(bytes));
    count_text(json_num(json_obj(memory, key), "blocks", 0), blocks, sizeof(blocks));
    fprintf(out, "%-9s%s bytes in %s blocks\n", label, bytes, blocks);
}

static void print_memory(const json_t *memory, size_t rows, FILE *out)
{
    size_t i;
    json_t *site;
    print_amount(memory, "total", "all", out);
    print_amount(memory, "peak", "peak", out);
    print_amount(memory, "end", "at end", out);
    fprintf(out, "\n      blocks    %%           bytes    %%   life %%     peak bytes  function%*swhere\n",
            NAME_MAX_SHOWN - 6, "");
    json_array_foreach (json_list(memory, "sites"), i, site) {
        char blocks[48], bytes[48], peak[48];
        AUTO_FREE char *whole = str_printf("%s%s%s", json_str(site, "short", "?"),
                                           *json_str(site, "what", "") ? ": " : "", json_str(site, "what", ""));
        AUTO_FREE char *name = profiled_plain(whole, NAME_MAX_SHOWN), *place = place_of(site);
        if (i == rows)
            break;
        count_text(json_num(site, "blocks", 0), blocks, sizeof(blocks));
        count_text(json_num(site, "bytes", 0), bytes, sizeof(bytes));
        count_text(json_num(site, "peak_bytes", 0), peak, sizeof(peak));
        fprintf(out, "%12s %4.0f %15s %4.0f %8.2g %14s  %-*s %s\n", blocks, json_num(site, "blocks_pct", 0), bytes,
                json_num(site, "bytes_pct", 0), json_num(site, "lifetime_pct", 0), peak, NAME_MAX_SHOWN + 1, name,
                place);
    }
}

static void print_findings(const json_t *profiled, FILE *out)
{
    size_t i;
    json_t *finding;
    json_array_foreach (json_list(profiled, "findings"), i, finding) {
        AUTO_FREE char *text = profiled_plain(json_str(finding, "text", "?"), 600), *place = place_of(finding);
        fprintf(out, "%s  %-12s %s  %s\n", i ? "" : "\nfindings\n", json_str(finding, "kind", "?"), place, text);
    }
}

static void print_difference(const json_t *profiled, size_t rows, FILE *out)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_list(profiled, "difference"), i, row) {
        AUTO_FREE char *name = profiled_plain(json_str(row, "short", "?"), NAME_MAX_SHOWN), *place = place_of(row);
        const char *key = is_own(row) ? "owned_pct" : "self_pct";
        if (i == rows || fabs(json_num(row, "change_pct", 0)) < 0.05)
            break;
        if (i == 0)
            fprintf(out, "\n  before %%   after %%    change  function%*swhere\n", NAME_MAX_SHOWN - 6, "");
        fprintf(out, "  %8.1f  %8.1f  %+8.1f  %-*s %s\n", json_num(json_obj(row, "before"), key, 0),
                json_num(json_obj(row, "after"), key, 0), json_num(row, "change_pct", 0), NAME_MAX_SHOWN + 1, name,
                place);
    }
    if (i)
        fprintf(out,
                "shares of each run, charged to functions of the project; how much faster it is says: baton bench\n");
}

static void print_two(const json_t *two, const char *label, FILE *out)
{
    char before[48], after[48];
    count_text(json_num(two, "before", 0), before, sizeof(before));
    count_text(json_num(two, "after", 0), after, sizeof(after));
    fprintf(out, "%s%s -> %s", label, before, after);
}

static void print_memory_difference(const json_t *difference, size_t rows, FILE *out)
{
    size_t i;
    json_t *row;
    if (!difference)
        return;
    print_two(json_obj(json_obj(difference, "total"), "blocks"), "\nblocks   ", out);
    print_two(json_obj(json_obj(difference, "total"), "bytes"), "\nbytes    ", out);
    print_two(json_obj(json_obj(difference, "peak"), "bytes"), "\npeak     ", out);
    fprintf(out, " bytes\n\n");
    json_array_foreach (json_list(difference, "sites"), i, row) {
        AUTO_FREE char *whole = str_printf("%s%s%s", json_str(row, "short", "?"),
                                           *json_str(row, "what", "") ? ": " : "", json_str(row, "what", ""));
        AUTO_FREE char *name = profiled_plain(whole, NAME_MAX_SHOWN), *place = place_of(row);
        if (i == rows)
            break;
        fprintf(out, "  %-*s %s", NAME_MAX_SHOWN + 1, name, place);
        print_two(json_obj(row, "blocks"), "  blocks ", out);
        print_two(json_obj(row, "bytes"), ", bytes ", out);
        fputc('\n', out);
    }
}

void profiled_print(const json_t *model, size_t rows, FILE *out)
{
    const json_t *profiled = json_obj(model, "profiled"), *summary = json_obj(profiled, "summary");
    const json_t *growth = json_obj(profiled, "growth"), *memory = json_obj(profiled, "memory");
    AUTO_FREE char *title = profiled_plain(json_str(profiled, "title", "?"), 200);
    AUTO_FREE char *how = profiled_plain(json_str(profiled, "how", "?"), 200);
    char samples[48];
    count_text(json_num(summary, "samples", 0), samples, sizeof(samples));
    fprintf(out, "\nof       %s\nby       %s\n", title, how);
    if (!growth && !memory && !str_eq(json_str(summary, "format", ""), "callgrind"))
        fprintf(out, "samples  %s, %.0f %% with a source line\n", samples, json_num(summary, "resolved_pct", 0));
    if (growth)
        print_growth(growth, rows, out);
    else if (memory)
        print_memory(memory, rows, out);
    else
        print_time(profiled, rows, out);
    print_findings(profiled, out);
    print_difference(profiled, rows, out);
    print_memory_difference(json_obj(profiled, "memory_difference"), rows, out);
    if (!memory && !growth)
        profiled_print_source(profiled, out);
}

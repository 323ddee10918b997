// Units are indexed at once, the functions of a unit when the first address in it is asked for. We do not rely on
// .debug_aranges, which compilers leave out. Walks over children are counted: a damaged file may have siblings in a
// circle.
#include "profile/dwarf_index.h"

#include "profile/intern.h"

#include "base/mem.h"
#include "base/vec.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define WALK_MAX       ((size_t)1 << 22) // children visited by one walk
#define NAMESPACES_MAX 64

struct range {
    uint64_t low, high;
    uint64_t what; // number of the unit, or offset of the function's entry
};

typedef VEC(struct range) range_list;

struct unit {
    Dwarf_Die die;
    bool indexed;
    range_list functions;
};

struct dwarf_index {
    Dwarf *dwarf;
    VEC(struct unit) units;
    range_list ranges;
    size_t total_ranges;
    struct intern *extent_keys; // offset of the function's entry
    VEC(struct dwarf_extent) extents;
};

static int compare_range(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return (x->what > y->what) - (x->what < y->what);
}

static void sort_ranges(range_list *list)
{
    if (list->len)
        qsort(list->items, list->len, sizeof(*list->items), compare_range);
}

// Code that the linker dropped keeps its entry with address 0.
static void add_ranges(struct dwarf_index *x, Dwarf_Die *die, uint64_t what, range_list *list)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t at = 0;
    while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
        if (low == 0 || high <= low)
            continue;
        if (x->total_ranges >= DWARF_RANGES_MAX)
            return;
        x->total_ranges++;
        vec_push(list, (struct range){low, high, what});
    }
}

static const struct range *find_range(const range_list *list, uint64_t address)
{
    size_t low = 0, high = list->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    // ranges of one kind rarely overlap; look a little further back for one that encloses
    for (size_t i = low, tries = 0; i > 0 && tries < 8; i--, tries++)
        if (address < list->items[i - 1].high)
            return &list->items[i - 1];
    return NULL;
}

struct dwarf_index *dwarf_index_new(Dwarf *dwarf)
{
    struct dwarf_index *x = mem_alloc(sizeof(*x));
    x->dwarf = dwarf;
    x->extent_keys = intern_new();
    Dwarf_Off at = 0, next;
    size_t header_size;
    while (dwarf && x->units.len < DWARF_UNITS_MAX &&
           dwarf_nextcu(dwarf, at, &next, &header_size, NULL, NULL, NULL) == 0) {
        Dwarf_Die die;
        if (dwarf_offdie(dwarf, at + header_size, &die) && dwarf_tag(&die) == DW_TAG_compile_unit) {
            add_ranges(x, &die, x->units.len, &x->ranges);
            vec_push(&x->units, (struct unit){.die = die});
        }
        if (next <= at)
            break;
        at = next;
    }
    sort_ranges(&x->ranges);
    return x;
}

struct dwarf_index *dwarf_index_free(struct dwarf_index *x)
{
    if (!x)
        return NULL;
    for (size_t i = 0; i < x->units.len; i++)
        vec_free(&x->units.items[i].functions);
    vec_free(&x->units);
    vec_free(&x->ranges);
    vec_free(&x->extents);
    intern_free(x->extent_keys);
    mem_free(x);
    return NULL;
}

bool dwarf_index_has_units(const struct dwarf_index *x)
{
    return x->units.len > 0;
}

static bool holds_functions(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
           tag == DW_TAG_class_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_module;
}

static void index_children(struct dwarf_index *x, struct unit *u, Dwarf_Die *parent, int depth, size_t *walked)
{
    Dwarf_Die child;
    if (depth > NAMESPACES_MAX || dwarf_child(parent, &child) != 0)
        return;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_subprogram)
            add_ranges(x, &child, dwarf_dieoffset(&child), &u->functions);
        else if (holds_functions(tag))
            index_children(x, u, &child, depth + 1, walked);
    } while (++*walked < WALK_MAX && dwarf_siblingof(&child, &child) == 0);
}

static struct unit *find_unit(struct dwarf_index *x, uint64_t address)
{
    const struct range *r = find_range(&x->ranges, address);
    return r ? &x->units.items[r->what] : NULL;
}

Dwarf_Die *dwarf_index_unit(struct dwarf_index *x, uint64_t address)
{
    struct unit *u = find_unit(x, address);
    return u ? &u->die : NULL;
}

// The inlined function below `parent` at the address, also through lexical blocks.
static bool find_inlined(Dwarf_Die *parent, uint64_t address, int depth, size_t *walked, Dwarf_Die *ret)
{
    Dwarf_Die child;
    if (depth > NAMESPACES_MAX || dwarf_child(parent, &child) != 0)
        return false;
    do {
        int tag = dwarf_tag(&child);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
            continue;
        if (dwarf_haspc(&child, address) != 1)
            continue;
        if (tag == DW_TAG_inlined_subroutine) {
            *ret = child;
            return true;
        }
        if (find_inlined(&child, address, depth + 1, walked, ret))
            return true;
    } while (++*walked < WALK_MAX && dwarf_siblingof(&child, &child) == 0);
    return false;
}

size_t dwarf_index_chain(struct dwarf_index *x, uint64_t address, Dwarf_Die out[DWARF_CHAIN_MAX])
{
    struct unit *u = find_unit(x, address);
    if (!u)
        return 0;
    size_t walked = 0, count = 0;
    if (!u->indexed) {
        u->indexed = true;
        index_children(x, u, &u->die, 0, &walked);
        sort_ranges(&u->functions);
    }
    const struct range *r = find_range(&u->functions, address);
    if (!r || !dwarf_offdie(x->dwarf, r->what, &out[0]))
        return 0;
    walked = 0;
    for (count = 1; count < DWARF_CHAIN_MAX; count++)
        if (!find_inlined(&out[count - 1], address, 0, &walked, &out[count]))
            break;
    return count;
}

// Ranges of everything inlined directly into `parent`.
static void inlined_ranges(struct dwarf_index *x, Dwarf_Die *parent, int depth, size_t *walked, range_list *list)
{
    Dwarf_Die child;
    if (depth > NAMESPACES_MAX || dwarf_child(parent, &child) != 0)
        return;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_inlined_subroutine)
            add_ranges(x, &child, 0, list);
        else if (tag == DW_TAG_lexical_block)
            inlined_ranges(x, &child, depth + 1, walked, list);
    } while (++*walked < WALK_MAX && dwarf_siblingof(&child, &child) == 0);
}

static size_t first_line_at(Dwarf_Lines *lines, size_t count, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        Dwarf_Addr at = 0;
        dwarf_lineaddr(dwarf_onesrcline(lines, middle), &at);
        if (at < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Takes one row of the line table into the extent. The first row names the file when no declaration does.
static void take_line(Dwarf_Line *line, struct dwarf_extent *e)
{
    int number = 0;
    bool end = false;
    const char *file = dwarf_linesrc(line, NULL, NULL);
    if (dwarf_lineno(line, &number) != 0 || number <= 0 || !file)
        return;
    if (dwarf_lineendsequence(line, &end) == 0 && end)
        return;
    if (!e->file)
        e->file = file;
    if (e->file != file && strcmp(e->file, file) != 0)
        return;
    if (e->first == 0 || number < e->first)
        e->first = number;
    if (number > e->last)
        e->last = number;
}

static struct dwarf_extent find_extent(struct dwarf_index *x, Dwarf_Die *unit, Dwarf_Die *function)
{
    struct dwarf_extent e = {.file = dwarf_decl_file(function)};
    range_list own = {0}, inner = {0};
    size_t walked = 0, count = 0, ranges_before = x->total_ranges;
    Dwarf_Lines *lines;
    if (dwarf_decl_line(function, &e.first) != 0)
        e.first = 0;
    int declared = e.first;
    if (dwarf_getsrclines(unit, &lines, &count) != 0)
        return e;
    add_ranges(x, function, 0, &own);
    inlined_ranges(x, function, 0, &walked, &inner);
    sort_ranges(&own);
    sort_ranges(&inner);
    for (size_t i = 0; i < own.len; i++) {
        size_t next_inner = 0;
        for (size_t at = first_line_at(lines, count, own.items[i].low); at < count; at++) {
            Dwarf_Line *line = dwarf_onesrcline(lines, at);
            Dwarf_Addr address = 0;
            dwarf_lineaddr(line, &address);
            if (address >= own.items[i].high)
                break;
            while (next_inner < inner.len && inner.items[next_inner].high <= address)
                next_inner++;
            if (next_inner == inner.len || address < inner.items[next_inner].low)
                take_line(line, &e);
        }
    }
    if (declared > 0)
        e.first = declared;
    if (e.last < e.first)
        e.last = e.first;
    x->total_ranges = ranges_before; // these were only borrowed
    vec_free(&own);
    vec_free(&inner);
    return e;
}

struct dwarf_extent dwarf_index_extent(struct dwarf_index *x, Dwarf_Die *unit, Dwarf_Die *function)
{
    uint64_t key = dwarf_dieoffset(function);
    bool fresh = false;
    uint32_t id = intern_bytes(x->extent_keys, &key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return (struct dwarf_extent){0};
    if (fresh)
        vec_push(&x->extents, find_extent(x, unit, function));
    return x->extents.items[id];
}

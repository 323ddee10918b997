#include "profile/symbolize.h"

#include "profile/demangle.h"
#include "profile/dwarf_index.h"
#include "profile/elf_file.h"
#include "profile/intern.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <dwarf.h>
#include <string.h>

static_assert(DWARF_CHAIN_MAX == SYMBOLIZE_INLINE_MAX, "one address, one bound");

struct file {
    struct elf_file *elf; // NULL: not readable
    struct dwarf_index *index;
};

struct symbolizer {
    struct intern *paths; // of dsos
    VEC(struct file) files;
    struct intern *names;            // linkage names and paths of source files
    VEC(char *) demangled;           // beside `names`, NULL until asked for
    struct intern *addresses;        // {file, address}
    VEC(struct source_chain) chains; // beside `addresses`
    struct intern *frames;           // owner of the arrays
};

struct symbolizer *symbolizer_new(void)
{
    struct symbolizer *s = mem_alloc(sizeof(*s));
    s->paths = intern_new();
    s->names = intern_new();
    s->addresses = intern_new();
    s->frames = intern_new();
    return s;
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->files.len; i++) {
        dwarf_index_free(s->files.items[i].index);
        elf_file_close(s->files.items[i].elf);
    }
    for (size_t i = 0; i < s->demangled.len; i++)
        mem_free(s->demangled.items[i]);
    vec_free(&s->files);
    vec_free(&s->demangled);
    vec_free(&s->chains);
    intern_free(s->paths);
    intern_free(s->names);
    intern_free(s->addresses);
    intern_free(s->frames);
    mem_free(s);
    return NULL;
}

static uint32_t keep(struct symbolizer *s, const char *text)
{
    uint32_t id = intern_text(s->names, text);
    while (id != INTERN_NONE && s->demangled.len <= id)
        vec_push(&s->demangled, NULL);
    return id;
}

static const char *keep_text(struct symbolizer *s, const char *text)
{
    uint32_t id = text ? keep(s, text) : INTERN_NONE;
    return id == INTERN_NONE ? NULL : intern_data(s->names, id);
}

static const char *keep_demangled(struct symbolizer *s, const char *linkage)
{
    uint32_t id = keep(s, linkage);
    if (id == INTERN_NONE)
        return "[unknown]";
    if (!s->demangled.items[id])
        s->demangled.items[id] = demangle(linkage);
    return s->demangled.items[id];
}

// Index of the file, INTERN_NONE when it is none or there are too many.
static uint32_t open_file(struct symbolizer *s, const char *path)
{
    if (!path || path[0] != '/')
        return INTERN_NONE;
    bool known = s->files.len < SYMBOLIZE_FILES_MAX;
    for (uint32_t i = 0; !known && i < s->files.len; i++)
        known = strcmp(intern_data(s->paths, i), path) == 0;
    if (!known)
        return INTERN_NONE;
    uint32_t id = intern_text(s->paths, path);
    if (id == s->files.len) {
        struct elf_file *elf = elf_file_open(path);
        vec_push(&s->files, (struct file){elf, dwarf_index_new(elf ? elf->dwarf : NULL)});
    }
    return id;
}

static bool fits(const struct elf_file *f, uint64_t address, const struct symbolize_query *q)
{
    const struct elf_symbol *sym = elf_file_symbol(f, address);
    // two symbols may share an address; then the distance decides
    return sym && (strcmp(sym->name, q->symbol) == 0 || (q->has_offset && address - sym->start == q->offset));
}

// perf prints offsets in the file, older versions addresses; its symbol tells which, and whether the file is still
// the one that ran.
static bool find_address(const struct elf_file *f, const struct symbolize_query *q, uint64_t *ret)
{
    uint64_t address;
    if (q->is_address) {
        *ret = q->file_offset;
        return true;
    }
    bool mapped = elf_file_address(f, q->file_offset, &address);
    bool named = q->symbol && q->symbol[0] && strcmp(q->symbol, "[unknown]") != 0;
    if (mapped && (!named || f->symbol_count == 0 || fits(f, address, q))) {
        *ret = address;
        return true;
    }
    if (!named)
        return false;
    const struct elf_symbol *sym = q->has_offset ? elf_file_named(f, q->symbol) : NULL;
    if (sym && q->offset <= sym->size) {
        *ret = sym->start + q->offset;
        return true;
    }
    if (fits(f, q->file_offset, q)) {
        *ret = q->file_offset;
        return true;
    }
    return false;
}

static const char *absolute(struct symbolizer *s, Dwarf_Die *unit, const char *path)
{
    Dwarf_Attribute attribute;
    if (!path || path[0] == '/')
        return keep_text(s, path);
    const char *dir = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    if (!dir)
        return keep_text(s, path);
    char *joined = path_join(dir, path);
    const char *kept = keep_text(s, joined);
    mem_free(joined);
    return kept;
}

static const char *linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    return name ? name : dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
}

static int number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 || value > INT32_MAX)
        return 0;
    return (int)value;
}

// Where in the caller the inlined function was called.
static void call_place(struct symbolizer *s, Dwarf_Die *unit, Dwarf_Die *inlined, struct source_frame *caller)
{
    Dwarf_Files *files;
    size_t count;
    int file = number_of(inlined, DW_AT_call_file);
    caller->line = number_of(inlined, DW_AT_call_line);
    if (dwarf_getsrcfiles(unit, &files, &count) == 0 && (size_t)file < count)
        caller->file = absolute(s, unit, dwarf_filesrc(files, (size_t)file, NULL, NULL));
}

static void sampled_place(struct symbolizer *s, Dwarf_Die *unit, uint64_t address, struct source_frame *frame)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    if (!line)
        return;
    frame->file = absolute(s, unit, dwarf_linesrc(line, NULL, NULL));
    if (dwarf_lineno(line, &frame->line) != 0 || frame->line < 0)
        frame->line = 0;
}

static void name_frame(struct symbolizer *s, Dwarf_Die *die, const struct elf_symbol *sym, struct source_frame *frame)
{
    const char *linkage = linkage_name(die);
    if (!linkage && sym)
        linkage = sym->name;
    if (!linkage)
        linkage = dwarf_diename(die);
    if (!linkage)
        linkage = "[unknown]";
    frame->linkage = keep_text(s, linkage);
    frame->function = keep_demangled(s, linkage);
}

static size_t expand(struct symbolizer *s, struct file *f, uint64_t address, struct source_frame *out)
{
    Dwarf_Die chain[DWARF_CHAIN_MAX];
    const struct elf_symbol *sym = elf_file_symbol(f->elf, address);
    Dwarf_Die *unit = dwarf_index_unit(f->index, address);
    size_t count = unit ? dwarf_index_chain(f->index, address, chain) : 0;
    memset(out, 0, sizeof(*out) * (count ? count : 1));
    if (count == 0) {
        if (!sym)
            return 0;
        out[0].linkage = keep_text(s, sym->name);
        out[0].function = keep_demangled(s, sym->name);
        if (unit)
            sampled_place(s, unit, address, &out[0]);
        return 1;
    }
    for (size_t i = 0; i < count; i++) { // chain is outermost first, out innermost first
        Dwarf_Die *die = &chain[count - 1 - i];
        name_frame(s, die, i + 1 == count ? sym : NULL, &out[i]);
        out[i].inlined = i + 1 < count;
        if (i == 0)
            sampled_place(s, unit, address, &out[0]);
        else
            call_place(s, unit, &chain[count - i], &out[i]);
        struct dwarf_extent e = dwarf_index_extent(f->index, unit, die);
        const char *file = absolute(s, unit, e.file);
        if (!out[i].file)
            out[i].file = file;
        if (file && out[i].file && strcmp(file, out[i].file) == 0) {
            out[i].function_line = e.first;
            out[i].function_end = e.last;
        }
    }
    return count;
}

struct source_chain symbolize(struct symbolizer *s, const struct symbolize_query *q)
{
    struct source_chain none = {NULL, 0};
    struct source_frame frames[SYMBOLIZE_INLINE_MAX];
    uint64_t address;
    uint32_t file = open_file(s, q->dso);
    if (file == INTERN_NONE || !s->files.items[file].elf || !find_address(s->files.items[file].elf, q, &address))
        return none;
    if (q->is_return && address > 0)
        address--;
    uint64_t key[2] = {file, address};
    bool fresh = false;
    uint32_t id = intern_bytes(s->addresses, key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return none;
    if (fresh) {
        size_t count = expand(s, &s->files.items[file], address, frames);
        uint32_t array = count ? intern_bytes(s->frames, frames, count * sizeof(*frames), NULL) : INTERN_NONE;
        struct source_chain chain = none;
        if (array != INTERN_NONE)
            chain = (struct source_chain){intern_data(s->frames, array), count};
        vec_push(&s->chains, chain);
    }
    return s->chains.items[id];
}

void symbolize_batch(struct symbolizer *s, const struct symbolize_query *queries, size_t n, struct source_chain *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = symbolize(s, &queries[i]);
}

bool symbolizer_has_lines(struct symbolizer *s, const char *dso)
{
    uint32_t file = open_file(s, dso);
    return file != INTERN_NONE && s->files.items[file].elf && dwarf_index_has_units(s->files.items[file].index);
}

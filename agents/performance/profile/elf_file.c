#include "profile/elf_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef VEC(struct elf_symbol) symbol_list;

static int open_regular(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void read_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, symbol_list *list)
{
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data || header->sh_entsize == 0)
        return;
    size_t count = data->d_size / header->sh_entsize;
    for (size_t i = 0; i < count && i < INT32_MAX && list->len < ELF_SYMBOLS_MAX; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym))
            return;
        unsigned kind = GELF_ST_TYPE(sym.st_info);
        bool code = kind == STT_FUNC || kind == STT_GNU_IFUNC || (kind == STT_NOTYPE && sym.st_size > 0);
        if (!code || sym.st_shndx == SHN_UNDEF || sym.st_value == 0)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, sym.st_name);
        if (name && name[0])
            vec_push(list, (struct elf_symbol){sym.st_value, sym.st_size, name});
    }
}

static void read_symbol_tables(Elf *elf, symbol_list *list)
{
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        GElf_Shdr header;
        if (gelf_getshdr(s, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
            read_symbols(elf, s, &header, list);
    }
}

// Same address: the larger symbol first, then the name, so that the choice is always the same.
static int compare_address(const void *a, const void *b)
{
    const struct elf_symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int compare_name(const void *a, const void *b)
{
    const struct elf_symbol *const *x = a, *const *y = b;
    int c = strcmp((*x)->name, (*y)->name);
    return c ? c : ((*x)->start > (*y)->start) - ((*x)->start < (*y)->start);
}

static void index_symbols(struct elf_file *f, symbol_list *list)
{
    if (list->len)
        qsort(list->items, list->len, sizeof(*list->items), compare_address);
    size_t n = 0; // a symbol may be in both tables
    for (size_t i = 0; i < list->len; i++)
        if (n == 0 || compare_address(&list->items[n - 1], &list->items[i]) != 0)
            list->items[n++] = list->items[i];
    f->symbols = list->items;
    f->symbol_count = n;
    f->by_name = mem_array(n, sizeof(*f->by_name));
    for (size_t i = 0; i < n; i++)
        f->by_name[i] = &f->symbols[i];
    if (n)
        qsort(f->by_name, n, sizeof(*f->by_name), compare_name);
}

// /usr/lib/debug/.build-id/ab/cdef.debug
static int open_by_build_id(Elf *elf)
{
    const void *id = NULL;
    struct buf path = BUF_INIT;
    Elf_Scn *s = NULL;
    GElf_Shdr header;
    ssize_t len = -1;
    while (len < 0 && (s = elf_nextscn(elf, s)) != NULL) {
        Elf_Data *data;
        size_t at = 0, name, desc;
        GElf_Nhdr note;
        if (!gelf_getshdr(s, &header) || header.sh_type != SHT_NOTE || !(data = elf_getdata(s, NULL)))
            continue;
        while (len < 0 && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0)
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 4 && note.n_descsz <= 64) {
                id = (const char *)data->d_buf + desc;
                len = (ssize_t)note.n_descsz;
            }
    }
    if (len < 0)
        return -1;
    buf_str_add(&path, "/usr/lib/debug/.build-id/");
    for (ssize_t i = 0; i < len; i++)
        buf_printf(&path, i == 0 ? "%02x/" : "%02x", ((const unsigned char *)id)[i]);
    buf_str_add(&path, ".debug");
    int fd = open_regular(buf_str(&path));
    buf_free(&path);
    return fd;
}

static bool has_units(Dwarf *dwarf)
{
    Dwarf_Off next;
    size_t header_size;
    return dwarf && dwarf_nextcu(dwarf, 0, &next, &header_size, NULL, NULL, NULL) == 0;
}

struct elf_file *elf_file_open(const char *path)
{
    elf_version(EV_CURRENT);
    int fd = open_regular(path);
    if (fd < 0)
        return NULL;
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        elf_end(elf);
        close(fd);
        return NULL;
    }
    struct elf_file *f = mem_alloc(sizeof(*f));
    *f = (struct elf_file){.fd = fd, .debug_fd = -1, .elf = elf};
    f->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (!has_units(f->dwarf)) {
        dwarf_end(f->dwarf);
        f->dwarf = NULL;
        f->debug_fd = open_by_build_id(elf);
        if (f->debug_fd >= 0)
            f->dwarf = dwarf_begin(f->debug_fd, DWARF_C_READ);
        if (f->dwarf && !has_units(f->dwarf)) {
            dwarf_end(f->dwarf);
            f->dwarf = NULL;
        }
    }
    symbol_list list = {0};
    read_symbol_tables(elf, &list);
    if (f->debug_fd >= 0 && f->dwarf)
        read_symbol_tables(dwarf_getelf(f->dwarf), &list);
    index_symbols(f, &list);
    return f;
}

struct elf_file *elf_file_close(struct elf_file *f)
{
    if (!f)
        return NULL;
    dwarf_end(f->dwarf);
    elf_end(f->elf);
    close(f->fd);
    if (f->debug_fd >= 0)
        close(f->debug_fd);
    mem_free(f->symbols);
    mem_free(f->by_name);
    mem_free(f);
    return NULL;
}

bool elf_file_address(const struct elf_file *f, uint64_t file_offset, uint64_t *ret_address)
{
    size_t count;
    if (elf_getphdrnum(f->elf, &count) < 0)
        return false;
    for (size_t i = 0; i < count && i < 1024; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(f->elf, (int)i, &header) || header.p_type != PT_LOAD || !(header.p_flags & PF_X))
            continue;
        if (file_offset >= header.p_offset && file_offset - header.p_offset < header.p_filesz) {
            *ret_address = header.p_vaddr + (file_offset - header.p_offset);
            return true;
        }
    }
    return false;
}

const struct elf_symbol *elf_file_symbol(const struct elf_file *f, uint64_t address)
{
    size_t low = 0, high = f->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    // Symbols at one address: the first (largest). A symbol without size reaches to the next one.
    while (low > 0) {
        const struct elf_symbol *s = &f->symbols[low - 1];
        while (s > f->symbols && s[-1].start == s->start)
            s--;
        if (s->size == 0 || address - s->start < s->size)
            return s;
        // may still lie in a larger symbol that started before (assembler labels inside a function)
        size_t at = (size_t)(s - f->symbols);
        if (low - at > 1 || at == 0 || address - f->symbols[at - 1].start >= f->symbols[at - 1].size)
            return NULL;
        low = at;
    }
    return NULL;
}

const struct elf_symbol *elf_file_named(const struct elf_file *f, const char *name)
{
    size_t low = 0, high = f->symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(f->by_name[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == f->symbol_count || strcmp(f->by_name[low]->name, name) != 0)
        return NULL;
    bool twice = low + 1 < f->symbol_count && strcmp(f->by_name[low + 1]->name, name) == 0 &&
                 f->by_name[low + 1]->start != f->by_name[low]->start;
    return twice ? NULL : f->by_name[low];
}

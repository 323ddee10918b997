#include "buildinfo/symbols.h"

#include "base/mem.h"
#include "base/vec.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct image {
    const unsigned char *data;
    size_t len;
};

static bool within(const struct image *m, uint64_t offset, uint64_t size)
{
    return offset <= m->len && size <= m->len - offset;
}

// The file may lie anywhere in memory and its tables at odd offsets: copied, never pointed at.
static bool read_section(const struct image *m, const Elf64_Ehdr *head, size_t i, Elf64_Shdr *ret)
{
    uint64_t at = head->e_shoff + (uint64_t)i * sizeof(*ret);
    if (head->e_shoff > m->len || !within(m, at, sizeof(*ret)))
        return false;
    memcpy(ret, m->data + at, sizeof(*ret));
    return ret->sh_type == SHT_NOBITS || within(m, ret->sh_offset, ret->sh_size);
}

static int by_start(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->size != y->size ? (x->size > y->size ? -1 : 1) : strcmp(x->name, y->name);
}

// Names for the same bytes count once, and so does what another symbol already covers.
static size_t drop_covered(struct symbol *items, size_t n)
{
    size_t kept = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && items[i].start < end)
            continue;
        items[kept++] = items[i];
        end = items[i].size > UINT64_MAX - items[i].start ? UINT64_MAX : items[i].start + items[i].size;
    }
    return kept;
}

static int take_symbols(const struct image *m, const Elf64_Shdr *table, const Elf64_Shdr *names, struct symbols *ret,
                        struct err *err)
{
    VEC(struct symbol) list = {0};
    const char *text = (const char *)m->data + names->sh_offset;
    size_t n = table->sh_size / sizeof(Elf64_Sym);
    if (n > SYMBOLS_MAX)
        return err_set(err, ERR_LIMIT, "the program has more than %zu symbols", SYMBOLS_MAX);
    for (size_t i = 0; i < n; i++) {
        Elf64_Sym sym;
        memcpy(&sym, m->data + table->sh_offset + i * sizeof(sym), sizeof(sym));
        if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF || sym.st_size == 0 ||
            sym.st_size > m->len || sym.st_name >= names->sh_size ||
            !memchr(text + sym.st_name, 0, names->sh_size - sym.st_name))
            continue;
        vec_push(&list, (struct symbol){sym.st_value, sym.st_size, text + sym.st_name});
    }
    if (list.len)
        qsort(list.items, list.len, sizeof(*list.items), by_start);
    ret->items = list.items;
    ret->count = drop_covered(list.items, list.len);
    return 0;
}

int symbols_read(const void *data, size_t len, struct symbols *ret, struct err *err)
{
    const struct image m = {.data = data, .len = len};
    Elf64_Ehdr head;
    *ret = (struct symbols){0};
    if (len < sizeof(head) || memcmp(data, ELFMAG, SELFMAG) != 0)
        return err_set(err, ERR_PARSE, "no ELF file");
    memcpy(&head, data, sizeof(head));
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
        head.e_shentsize != sizeof(Elf64_Shdr))
        return err_set(err, ERR_PARSE, "an ELF file of another kind than 64 bit, little endian");
    Elf64_Shdr table = {0}, names = {0};
    bool found = false;
    uint64_t text = 0;
    for (size_t i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr s;
        if (!read_section(&m, &head, i, &s))
            return err_set(err, ERR_PARSE, "section %zu of the ELF file lies outside of it", i);
        text += s.sh_type == SHT_PROGBITS && (s.sh_flags & SHF_EXECINSTR) ? s.sh_size : 0;
        if (s.sh_type == SHT_SYMTAB && !found) {
            table = s;
            found =
                read_section(&m, &head, s.sh_link, &names) && names.sh_type == SHT_STRTAB && s.sh_link < head.e_shnum;
        }
    }
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "the program has no symbols: it is stripped");
    ret->text_bytes = text;
    return take_symbols(&m, &table, &names, ret, err);
}

void symbols_free(struct symbols *s)
{
    mem_free(s->items);
    *s = (struct symbols){0};
}

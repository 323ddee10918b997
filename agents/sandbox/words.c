#include "words.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { TAIL_LINES = 20, TAIL_BYTES = 600, COMMAND_MAX = 300 };

bool words_need_dependencies(const char *const *argv)
{
    static const char *const WORDS[] = {"build", "check", "test",    "bench", "run",      "clippy",
                                        "doc",   "rustc", "rustdoc", "fix",   "metadata", "tree",
                                        "b",     "c",     "t",       "r",     "d",        "nextest"};
    size_t at = 0; // behind launchers: `perf record cargo bench`
    while (argv[at] && !str_eq(path_base(argv[at]), "cargo"))
        at++;
    if (!argv[at])
        return false;
    for (size_t i = at + 1; argv[i] && !str_eq(argv[i], "--"); i++)
        for (size_t k = 0; k < ARRAY_LEN(WORDS); k++)
            if (str_eq(argv[i], WORDS[k]))
                return true;
    return false;
}

char *words_folder_above(const char *dir, const char *name)
{
    char *at = str_dup(dir);
    do {
        AUTO_FREE char *path = path_join(at, name);
        if (file_exists(path))
            return at;
    } while (path_up(&at));
    mem_free(at);
    return NULL;
}

char *words_command(const char *const *argv)
{
    struct buf b = BUF_MAX(COMMAND_MAX);
    for (; *argv; argv++)
        buf_printf(&b, "%s%s", b.len ? " " : "", *argv);
    return buf_steal(&b);
}

const char *words_last_lines(const struct buf *b)
{
    const char *text = buf_str(b);
    const char *end = text + b->len;
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    const char *p = end;
    for (int lines = 0; p > text && lines < TAIL_LINES && (size_t)(end - p) < TAIL_BYTES; p--) {
        if (p[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    }
    while (((unsigned char)*p & 0xC0) == 0x80)
        p++; // not inside a character
    return p;
}

#include "box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, char **ret)
{
    char *text = malloc(BOX_TEXT_MAX + 1);
    size_t used = 0;
    if (!text)
        return ENOMEM;
    for (;;) {
        ssize_t n = read(fd, text + used, BOX_TEXT_MAX - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || used == BOX_TEXT_MAX) {
            int e = n < 0 ? errno : E2BIG;
            free(text);
            return e;
        }
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    *ret = text;
    return 0;
}

static int mode_of(const char *word)
{
    int mode = 0;
    for (; *word; word++) {
        switch (*word) {
        case 'r':
            mode |= BOX_READ;
            break;
        case 'w':
            mode |= BOX_WRITE;
            break;
        case 'x':
            mode |= BOX_EXEC;
            break;
        case 'o':
            mode |= BOX_OVERLAY;
            break;
        case 'm':
            mode |= BOX_MAP;
            break;
        default:
            return -1;
        }
    }
    return mode;
}

static int add_item(struct box *b, enum box_item_kind kind, const char *mode, const char *path, const char *source)
{
    int bits = mode ? mode_of(mode) : 0;
    if (bits < 0 || !path || path[0] != '/' || b->count == BOX_ITEMS_MAX ||
        ((kind == BOX_MOUNT || kind == BOX_LINK) && !source))
        return EINVAL;
    b->items[b->count++] = (struct box_item){.kind = kind, .mode = (unsigned)bits, .path = path, .source = source};
    return 0;
}

static int add_group(struct box *b, const char *path)
{
    size_t i = 0;
    while (i < BOX_GROUPS && b->groups[i])
        i++;
    if (i == BOX_GROUPS || !path || path[0] != '/')
        return EINVAL;
    b->groups[i] = path;
    return 0;
}

// DEVICE:INODE:SIZE:CHANGED of the item that was added last.
static int pin_item(struct box *b, char *word)
{
    uint64_t numbers[4];
    for (size_t i = 0; i < 4; i++) {
        char *end = NULL, *part = strsep(&word, ":");
        errno = 0;
        if (!part || part[0] < '0' || part[0] > '9')
            return EINVAL;
        numbers[i] = strtoull(part, &end, 10);
        if (errno || *end)
            return EINVAL;
    }
    struct box_item *item = &b->items[b->count - 1];
    item->pinned = true;
    item->is = (struct box_identity){numbers[0], numbers[1], numbers[2], (int64_t)numbers[3]};
    return word ? EINVAL : 0;
}

int box_identity_check(const struct box_identity *is, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    return (uint64_t)st.st_dev == is->device && (uint64_t)st.st_ino == is->inode && (uint64_t)st.st_size == is->size &&
                   (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == is->changed_ns
               ? 0
               : ESTALE;
}

static int choose(const char *word, const char *const *names, size_t count, int *ret)
{
    for (size_t i = 0; word && i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            *ret = (int)i;
            return 0;
        }
    }
    return EINVAL;
}

static int number(const char *word, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = word ? strtoull(word, &end, 10) : 0;
    if (!word || errno || *end || v == 0)
        return EINVAL;
    *ret = v;
    return 0;
}

static const char *const NETS[] =
    {
#define BOX_NETWORK(code, word, meaning) word,
#include "tbl/box_words.def"
},
                         *const REQUIRES[] = {
#define BOX_REQUIRE(code, word, meaning) word,
#include "tbl/box_words.def"
};

static int take_line(struct box *b, char *line)
{
    static const char *const GIVEN[] = {"nothing", "net", "user"};
    char *words[5] = {0};
    size_t n = 0;
    for (char *p = line; p && n < 5;)
        words[n++] = strsep(&p, "\t");
    const char *verb = words[0];
    int chosen = 0, e;
    if (strcmp(verb, "mount") == 0) {
        e = words[1] ? add_item(b, BOX_MOUNT, words[1], words[2], words[3]) : EINVAL;
        return e == 0 && words[4] ? pin_item(b, words[4]) : e;
    }
    if (strcmp(verb, "tmpfs") == 0)
        return words[1] ? add_item(b, BOX_TMPFS, words[1], words[2], NULL) : EINVAL;
    if (strcmp(verb, "allow") == 0)
        return words[1] ? add_item(b, BOX_ALLOW, words[1], words[2], NULL) : EINVAL;
    if (strcmp(verb, "link") == 0)
        return add_item(b, BOX_LINK, NULL, words[1], words[2]);
    if (strcmp(verb, "group") == 0)
        return add_group(b, words[1]);
    if (strcmp(verb, "pids") == 0)
        return number(words[1], &b->pids_max);
    if (strcmp(verb, "processes") == 0)
        return number(words[1], &b->processes);
    if (strcmp(verb, "memory") == 0)
        return number(words[1], &b->memory_max);
    if (strcmp(verb, "file") == 0)
        return number(words[1], &b->file_max);
    if (strcmp(verb, "net") == 0) {
        e = choose(words[1], NETS, sizeof(NETS) / sizeof(NETS[0]), &chosen);
        b->net = (enum box_net)chosen;
        return e;
    }
    if (strcmp(verb, "given") == 0) {
        e = choose(words[1], GIVEN, 3, &chosen);
        b->given = (enum box_given)chosen;
        return e;
    }
    if (strcmp(verb, "require") == 0) {
        e = choose(words[1], REQUIRES, sizeof(REQUIRES) / sizeof(REQUIRES[0]), &chosen);
        b->require = (enum box_require)chosen;
        return e;
    }
    if (strcmp(verb, "perf") == 0)
        b->perf = true;
    else if (strcmp(verb, "keep_dac") == 0)
        b->keep_dac = true;
    else if (strcmp(verb, "counted") == 0)
        b->counted = true;
    else
        return EINVAL;
    return 0;
}

int box_parse(char *text, struct box *ret)
{
    *ret = (struct box){.text = text, .net = BOX_NET_NONE, .require = BOX_REQUIRE_LANDLOCK};
    int e = 0;
    for (char *rest = text; e == 0 && rest && *rest;) {
        char *line = strsep(&rest, "\n");
        if (*line)
            e = take_line(ret, line);
    }
    return e;
}

int box_read(int fd, struct box *ret)
{
    char *text = NULL;
    *ret = (struct box){.net = BOX_NET_NONE, .require = BOX_REQUIRE_LANDLOCK};
    int e = read_all(fd, &text);
    return e ? e : box_parse(text, ret);
}

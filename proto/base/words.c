#include "base/words.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

// One word from *at. NULL at the end; refusals go to err.
static char *next_word(const char **at, const char *what, struct err *err)
{
    const char *p = *at;
    while (*p == ' ' || *p == '\t')
        p++;
    if (!*p)
        return NULL;
    struct buf word = BUF_INIT;
    for (; *p && *p != ' ' && *p != '\t'; p++) {
        if (*p == '\'' || *p == '"') {
            const char *close = strchr(p + 1, *p);
            if (!close) {
                err_set(err, ERR_PARSE, "%s has an open quote: %s", what, p);
                buf_free(&word);
                return NULL;
            }
            buf_add(&word, p + 1, (size_t)(close - p - 1));
            p = close;
        } else if (*p == '<' && word.len == 0) {
            buf_char(&word, *p++);
            break;
        } else if (strchr("|&;<>$`\\\n*?", *p)) {
            err_set(
                err, ERR_INVALID,
                "%s has '%c', which needs a shell, and baton starts programs without one: quote it when it is meant as "
                "text, or name all words (and '< FILE' for the input)",
                what, *p);
            buf_free(&word);
            return NULL;
        } else {
            buf_char(&word, *p);
        }
    }
    *at = p;
    if (word.len)
        return buf_steal(&word);
    buf_free(&word); // of an empty quote
    return str_dup("");
}

int words_split(const char *text, const char *what, size_t most, char ***ret, struct err *err)
{
    VEC(char *) words = {0};
    const char *at = text;
    struct err why = {0};
    char *word;
    while ((word = next_word(&at, what, &why)) != NULL && words.len < most)
        vec_push(&words, word);
    if (word) {
        mem_free(word);
        err_set(&why, ERR_INVALID, "%s has more than %zu words", what, most);
    } else if (why.code == ERR_OK && words.len == 0) {
        err_set(&why, ERR_INVALID, "%s is empty", what);
    }
    vec_push(&words, NULL);
    if (why.code == ERR_OK) {
        *ret = words.items;
        return 0;
    }
    str_list_free(words.items);
    return err_set(err, why.code, "%s", why.text);
}

bool words_add(struct buf *text, const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%^";
    bool single = strchr(word, '\'') != NULL;
    if (single && strchr(word, '"'))
        return false;
    if (text->len)
        buf_char(text, ' ');
    // "<" stands for the redirection: words_split makes it of that, and of nothing else.
    if ((*word && strspn(word, PLAIN) == strlen(word)) || str_eq(word, "<"))
        buf_str_add(text, word);
    else
        buf_printf(text, "%c%s%c", single ? '"' : '\'', word, single ? '"' : '\'');
    return true;
}

#include "main/named_command.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/words.h"
#include "main/places.h"

#include <string.h>
#include <sys/stat.h>

// The folder is resolved ("/bin" may be a link, which a box does not have), the name stays: it may be a link that tells
// a program what to do.
static char *full_path(const char *path, struct err *err)
{
    AUTO_FREE char *dir = path_dir(path);
    AUTO_FREE char *real = path_real(dir, err);
    return real ? path_join(real, path_base(path)) : NULL;
}

enum part { PROGRAM, ARGUMENT, INPUT };

// A bare word that is a file here, and no program: data. What can be started may as well be a subcommand.
static bool is_data(const char *word)
{
    struct stat st;
    return word[0] != '-' && stat(word, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) == 0;
}

// The word as it is run.
static int put_word(json_t *words, const char *word, enum part part, struct err *err)
{
    const char *equals = word[0] == '-' && part == ARGUMENT ? strchr(word, '=') : NULL,
               *path = equals ? equals + 1 : word;
    bool named =
        part == INPUT || (part == PROGRAM ? strchr(path, '/') != NULL
                                          : (strpbrk(path, "/.") && (word[0] != '-' || equals)) || is_data(path));
    if (part != ARGUMENT && named && !file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "there is no %s '%s'", part == PROGRAM ? "program" : "file", path);
    if (!named || !file_exists(path)) {
        json_add_str(words, word);
        return 0;
    }
    AUTO_FREE char *full = full_path(path, err);
    if (!full)
        return -(int)err->code;
    AUTO_FREE char *text = str_printf("%.*s%s", (int)(path - word), word, full);
    json_add_str(words, text);
    return 0;
}

int named_command(const char *const *list, struct run_request *q, json_t *words, struct err *err)
{
    AUTO_BUF struct buf rule = BUF_INIT;
    int r = 0;
    bool input = false;
    for (size_t i = 0; r == 0 && list[i]; i++) {
        r = put_word(words, list[i], i == 0 ? PROGRAM : input ? INPUT : ARGUMENT, err);
        input = input || str_eq(list[i], "<"); // the file behind it is no word of the call
        if (r == 0 && !input && !words_add(&rule, json_string_value(json_array_get(words, json_array_size(words) - 1))))
            r = err_set(err, ERR_INVALID, "the word %s has both kinds of quotes: put the command into a script",
                        list[i]);
    }
    if (r < 0)
        return r;
    AUTO_FREE char *whole = str_printf("Bash(%s)", buf_str(&rule));
    run_request_grant(q, whole);
    return 0;
}

int named_file(const char *path, struct run_request *q, char **ret, struct err *err)
{
    AUTO_BUF struct buf rule = BUF_INIT;
    if (!file_exists(path) || file_is_dir(path))
        return err_set(err, ERR_NOT_FOUND, "there is no file '%s'", path);
    AUTO_FREE char *full = path_real(path, err);
    if (!full)
        return -(int)err->code;
    words_add(&rule, "cat");
    if (!words_add(&rule, full))
        return err_set(err, ERR_INVALID, "the name of '%s' has both kinds of quotes: rename it", path);
    AUTO_FREE char *whole = str_printf("Bash(%s)", buf_str(&rule));
    run_request_grant(q, whole);
    *ret = str_dup(full);
    return 0;
}

int named_empty_project(char **ret, struct err *err)
{
    struct places places;
    int r = places_find(&places, err);
    if (r < 0)
        return r;
    *ret = path_join(places.state, "bench");
    places_free(&places);
    return file_make_dirs(*ret, err);
}

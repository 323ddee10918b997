#include "rust/test_output.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 400

// "     Running unittests src/lib.rs (target/…)" -> "src/lib.rs"; "   Doc-tests wordmill" -> "doc wordmill"
static bool read_header(const char *line, char out[NAME_MAX_BYTES])
{
    while (*line == ' ')
        line++;
    if (str_starts(line, "Doc-tests ")) {
        snprintf(out, NAME_MAX_BYTES, "doc %s", line + strlen("Doc-tests "));
        return true;
    }
    if (!str_starts(line, "Running "))
        return false;
    line += strlen("Running ");
    if (str_starts(line, "unittests "))
        line += strlen("unittests ");
    snprintf(out, NAME_MAX_BYTES, "%.*s", (int)strcspn(line, " ("), line);
    return true;
}

// "test a::b ... ok" (also "... ignored, reason" and "test a - should panic ... ok")
static const char *read_test(const char *line, char name[NAME_MAX_BYTES])
{
    if (!str_starts(line, "test ") || str_starts(line, "test result: "))
        return NULL;
    const char *dots = strstr(line, " ... ");
    if (!dots)
        return NULL;
    snprintf(name, NAME_MAX_BYTES, "%.*s", (int)(dots - line - 5), line + 5);
    const char *word = dots + 5;
    return str_starts(word, "ok") ? "ok" : str_starts(word, "FAILED") ? "failed" : str_starts(word, "ignored") ? "ignored" : NULL;
}

// Documentation tests are named by their line ("src/lib.rs - add (line 12)"), which moves with every edit: without it.
static void drop_line_number(char name[NAME_MAX_BYTES])
{
    char *at = strstr(name, " (line ");
    size_t digits = at ? strspn(at + 7, "0123456789") : 0;
    if (digits > 0 && at[7 + digits] == ')')
        memmove(at, at + 8 + digits, strlen(at + 8 + digits) + 1);
}

// Several tests of one name are told apart by their order: the first keeps the name, the next is "name #2".
static void put_unique(json_t *tests, const char *key, const char *how)
{
    if (!json_object_get(tests, key)) {
        json_put_str(tests, key, how);
        return;
    }
    char *numbered = NULL;
    for (int n = 2; n < 100 && !numbered; n++) {
        numbered = str_printf("%s #%d", key, n);
        if (json_object_get(tests, numbered)) {
            mem_free(numbered);
            numbered = NULL;
        }
    }
    if (numbered)
        json_put_str(tests, numbered, how);
    mem_free(numbered);
}

static size_t number_before(const char *line, const char *word)
{
    const char *at = strstr(line, word);
    if (!at)
        return 0;
    while (at > line && at[-1] == ' ')
        at--;
    const char *start = at;
    while (start > line && start[-1] >= '0' && start[-1] <= '9')
        start--;
    return (size_t)strtoul(start, NULL, 10);
}

static void read_line(const char *line, char header[NAME_MAX_BYTES], json_t *tests, struct test_counts *counts)
{
    char name[NAME_MAX_BYTES];
    if (read_header(line, header))
        return;
    if (str_starts(line, "running ")) {
        counts->programs++;
        return;
    }
    if (str_starts(line, "test result: ")) {
        counts->binaries++;
        counts->passed += number_before(line, " passed");
        counts->failed += number_before(line, " failed");
        counts->ignored += number_before(line, " ignored");
        return;
    }
    const char *how = read_test(line, name);
    if (!how || json_object_size(tests) >= TEST_NAMES_MAX)
        return;
    drop_line_number(name);
    char key[2 * NAME_MAX_BYTES + 4];
    if (*header)
        snprintf(key, sizeof(key), "%s::%s", header, name);
    else
        snprintf(key, sizeof(key), "%zu::%s", counts->programs, name);
    if (str_utf8_valid(key, strlen(key)))
        put_unique(tests, key, how);
}

json_t *test_output_parse_new(const char *text, size_t len, struct test_counts *ret)
{
    *ret = (struct test_counts){0};
    json_t *tests = json_object();
    char header[NAME_MAX_BYTES] = "";
    char line[4096];
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        size_t copy = n < sizeof(line) - 1 ? n : sizeof(line) - 1;
        memcpy(line, text + at, copy);
        line[copy] = '\0';
        if (copy && line[copy - 1] == '\r')
            line[copy - 1] = '\0';
        read_line(line, header, tests, ret);
        at += n + 1;
    }
    return tests;
}

json_t *test_output_lost_new(const json_t *before, const json_t *after)
{
    json_t *lost = json_array();
    const char *name;
    json_t *how;
    void *iterator = json_object_iter((json_t *)(uintptr_t)before);
    for (; iterator; iterator = json_object_iter_next((json_t *)(uintptr_t)before, iterator)) {
        name = json_object_iter_key(iterator);
        how = json_object_iter_value(iterator);
        if (str_eq(json_string_value(how), "ok") && !str_eq(json_str(after, name, NULL), "ok"))
            json_add_str(lost, name);
    }
    return lost;
}

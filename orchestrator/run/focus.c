#include "run/focus.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64

static const struct {
    const char *role, *mode, *words;
    bool commits;
} MODES[] = {
#define X(role, mode, words, commits) {role, mode, words, commits},
#include "tbl/modes.def"
#undef X
};

static const struct {
    const char *words, *keys;
} CONTEXTS[] = {
#define X(words, keys) {words, keys},
#include "tbl/contexts.def"
#undef X
};

// The next of the '|'-separated words of a table; false: there is none.
static bool next_word(const char **words, char word[WORD_MAX])
{
    size_t len = strcspn(*words, "|");
    if (len == 0)
        return false;
    must(len < WORD_MAX);
    memcpy(word, *words, len);
    word[len] = '\0';
    *words += len + ((*words)[len] == '|');
    return true;
}

static bool any_word(const char *text, const char *words)
{
    char word[WORD_MAX];
    while (next_word(&words, word))
        if (str_has_nocase(text, word))
            return true;
    return false;
}

static const char *mode_for(const char *role, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(MODES); i++)
        if (str_eq(MODES[i].role, role) && (!*MODES[i].words || (text && any_word(text, MODES[i].words))))
            return MODES[i].mode;
    return "run";
}

bool focus_mode_known(const char *role, const char *mode)
{
    for (size_t i = 0; i < ARRAY_LEN(MODES); i++)
        if (str_eq(MODES[i].role, role) && str_eq(MODES[i].mode, mode))
            return true;
    return false;
}

bool focus_mode_commits(const char *role, const char *mode)
{
    for (size_t i = 0; i < ARRAY_LEN(MODES); i++)
        if (str_eq(MODES[i].role, role) && str_eq(MODES[i].mode, mode))
            return MODES[i].commits;
    return false;
}

static bool has_any_key(const json_t *parents, const char *keys)
{
    char key[WORD_MAX];
    size_t i;
    json_t *parent;
    while (next_word(&keys, key))
        json_array_foreach (parents, i, parent)
            if (json_object_get(json_obj(parent, "output"), key))
                return true;
    return false;
}

void focus_choose(const struct agentfile *agent, const char *role, const char *previous, const json_t *parents,
                  const char *forced_mode, struct focus *ret)
{
    *ret = (struct focus){.mode = "run"};
    const struct agent_focus *row = agentfile_focus_after(agent, previous);
    if (row) {
        ret->text = row->focus;
        ret->expected = row->expected_context;
        ret->line = row->line;
    }
    ret->mode = forced_mode ? forced_mode : mode_for(role, ret->text);
    for (size_t i = 0; row && json_array_size(parents) > 0 && i < ARRAY_LEN(CONTEXTS); i++) {
        if (!any_word(row->expected_context, CONTEXTS[i].words))
            continue;
        snprintf(ret->keys, sizeof(ret->keys), "%s", CONTEXTS[i].keys);
        ret->missing = !has_any_key(parents, CONTEXTS[i].keys);
        break;
    }
}

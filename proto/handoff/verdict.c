// A gate opens on a verdict only, so in doubt there is none: a line with two of them is a form that nobody filled in.
#include "handoff/verdict.h"

#include "base/attr.h"
#include "base/str.h"

#include <string.h>

struct verdict_set {
    const char *role;
    bool gate;
    const char *words[6];
};

// The reviewer also consolidates debugging; "needs_changes" is said of single files and means changes_requested at a
// gate.
static const struct verdict_set sets[] = {
    {"review", true, {"approved", "changes_requested", "no_fixes_needed", "fixes_required", "needs_changes"}},
    {"critic", true, {"approved", "minor", "significant", "critical"}},
    {"debug", false, {"fixes_required", "no_fixes_needed"}},
    {NULL, false, {"approved", "changes_requested", "needs_changes"}},
};

static const char *const others[] = {"fixes_required", "no_fixes_needed", "minor", "significant", "critical"};

static const struct verdict_set *set_of(const char *role)
{
    size_t i = 0;
    while (sets[i].role && !str_eq(sets[i].role, role))
        i++;
    return &sets[i];
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

// Does `text` begin with `word`, where any one of blank, dash, underscore stands for each underscore? Length, or 0.
static size_t match(const char *text, const char *word)
{
    size_t i = 0;
    for (; word[i]; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (word[i] == '_' ? c != '_' && c != '-' && c != ' ' : c != word[i])
            return 0;
    }
    return is_word(text[i]) || text[i] == '_' ? 0 : i;
}

static const char *skip_marks(const char *s)
{
    static const char *const marks[] = {"✅", "❌", "⚠️", "⚠", "🔴", "🟡", "🟢", "—", "–", "→"};
    for (;;) {
        s += strspn(s, " \t`*_\"'[(:");
        size_t i = 0;
        while (i < ARRAY_LEN(marks) && !str_starts(s, marks[i]))
            i++;
        if (i == ARRAY_LEN(marks))
            return s;
        s += strlen(marks[i]);
    }
}

static const char *canonical(const char *word)
{
    return str_eq(word, "needs_changes") ? "changes_requested" : word;
}

static const char *first_word(const char *role, const char *text, const char **ret_rest)
{
    const struct verdict_set *set = set_of(role);
    const char *s = skip_marks(text);
    for (size_t i = 0; i < ARRAY_LEN(set->words) && set->words[i]; i++) {
        size_t n = match(s, set->words[i]);
        if (n > 0) {
            *ret_rest = s + n;
            return set->words[i];
        }
    }
    for (size_t i = 0; !set->role && i < ARRAY_LEN(others); i++) {
        size_t n = match(s, others[i]);
        if (n > 0) {
            *ret_rest = s + n;
            return others[i];
        }
    }
    return NULL;
}

const char *verdict_word(const char *role, const char *text)
{
    const char *rest = NULL, *word = text ? first_word(role, text, &rest) : NULL;
    return word && *skip_marks(rest + strspn(rest, ")].!")) == '\0' ? canonical(word) : NULL;
}

// "Approved once the tests are fixed" is no approval yet.
static bool is_conditional(const char *rest)
{
    static const char *const words[] = {"with",   "after", "if",   "once",     "pending", "subject",
                                        "except", "but",   "when", "provided", "unless"};
    rest += strspn(rest, " \t`*_,;:-");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (match(rest, words[i]) > 0)
            return true;
    return false;
}

const char *verdict_leading(const char *role, const char *text)
{
    const char *rest = NULL, *word = text ? first_word(role, text, &rest) : NULL;
    if (!word || (str_eq(word, "approved") && is_conditional(rest)))
        return NULL;
    const struct verdict_set *set = set_of(role);
    size_t line = strcspn(rest, "\n");
    // "approved | changes_requested" and "approved / changes requested" are templates.
    const char *next = skip_marks(rest + strspn(rest, "`* "));
    if (*next == '|' || *next == '/' || str_starts(next, "or ")) {
        for (size_t i = 0; i < ARRAY_LEN(set->words) && set->words[i]; i++) {
            const char *other = skip_marks(next + (*next == 'o' ? 3 : 1));
            if ((size_t)(other - rest) < line && match(other, set->words[i]))
                return NULL;
        }
    }
    return canonical(word);
}

bool verdict_wants_changes(const char *verdict)
{
    static const char *const WANTS[] = {"changes_requested", "fixes_required", "significant", "critical"};
    const char *word = verdict ? verdict_word(NULL, verdict) : NULL;
    for (size_t i = 0; word && i < ARRAY_LEN(WANTS); i++)
        if (str_eq(word, WANTS[i]))
            return true;
    return false;
}

bool verdict_is_gate(const char *role)
{
    return set_of(role)->gate;
}

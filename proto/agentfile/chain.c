// Chains: agents with arrows between them, "[me]" or "**me**" for the agent itself, notes in parentheses.
#include "body.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static size_t arrow_at(const char *s, size_t len)
{
    static const char *const arrows[] = {"→", "⟶", "➔", "➜", "⇒", "➡", "↓"};
    for (size_t i = 0; i < ARRAY_LEN(arrows); i++) {
        size_t n = strlen(arrows[i]);
        if (n <= len && memcmp(s, arrows[i], n) == 0)
            return n;
    }
    size_t n = 0;
    while (n < len && (s[n] == '-' || s[n] == '='))
        n++;
    return n && n < len && s[n] == '>' ? n + 1 : 0;
}

bool chain_begins_with_arrow(const char *text, size_t len)
{
    return arrow_at(text, len) > 0;
}

bool chain_ends_with_arrow(const char *text, size_t len)
{
    for (size_t n = 2; n <= 3 && n <= len; n++)
        if (arrow_at(text + len - n, n) == n)
            return true;
    return false;
}

static bool strip_pair(char **s, const char *open, const char *close)
{
    size_t a = strlen(open), b = strlen(close), n = strlen(*s);
    if (n <= a + b || !str_starts(*s, open) || !str_ends(*s, close))
        return false;
    (*s)[n - b] = 0;
    *s = str_trim(*s + a);
    return true;
}

// Cuts "(...)" off the end or the front of s; returns the note, owned, or NULL.
static char *take_note(char **s)
{
    size_t n = strlen(*s);
    char *note = NULL;
    if (n && (*s)[n - 1] == ')') {
        int depth = 0;
        char *at = *s + n;
        do {
            at--;
            depth += (*at == ')') - (*at == '(');
        } while (at > *s && depth > 0);
        if (depth == 0) {
            note = str_ndup(at + 1, n - (size_t)(at - *s) - 2);
            *at = 0;
            *s = str_trim(*s);
        }
    } else if (n && **s == '(' && strchr(*s, ')')) {
        char *end = strchr(*s, ')');
        note = str_ndup(*s + 1, (size_t)(end - *s) - 1);
        *s = str_trim(end + 1);
    }
    return note;
}

static void add_note(struct agent_step *step, char *note_consumed)
{
    if (!note_consumed)
        return;
    if (step->note) {
        char *both = str_printf("%s; %s", step->note, note_consumed);
        mem_free(step->note);
        mem_free(note_consumed);
        step->note = both;
    } else {
        step->note = note_consumed;
    }
}

static bool name_like(const char *name)
{
    for (const char *c = name; *c; c++)
        if (strchr(" \t\"'`,;=<>{}|", *c))
            return str_starts(name, "User");
    return *name != 0;
}

// Reads one piece between arrows. False only when `strict` refuses it.
static bool add_step(struct agent_chain *chain, const char *text, size_t len, bool strict)
{
    char *copy = str_ndup(text, len);
    char *s = str_trim(copy);
    char *note = take_note(&s);
    struct agent_step step = {0};
    for (bool more = true; more;) {
        bool marked = strip_pair(&s, "[", "]") || strip_pair(&s, "**", "**") || strip_pair(&s, "__", "__");
        step.self = step.self || marked;
        more = marked || strip_pair(&s, "`", "`") || strip_pair(&s, "*", "*");
    }
    if (!note)
        note = take_note(&s);
    if (*s == '@')
        s++;
    bool ok = true;
    if (*s) {
        ok = chain->steps.len < AGENTFILE_STEPS_MAX && (!strict || name_like(s));
        step.agent = str_dup(s);
        if (ok)
            vec_push(&chain->steps, step);
        else
            mem_free(step.agent);
    }
    if (ok && note && chain->steps.len) { // a piece that is only a note belongs to the step before it
        add_note(&chain->steps.items[chain->steps.len - 1], note);
        note = NULL;
    }
    mem_free(note);
    mem_free(copy);
    return ok;
}

void chain_free(struct agent_chain *chain)
{
    for (size_t i = 0; i < chain->steps.len; i++) {
        mem_free(chain->steps.items[i].agent);
        mem_free(chain->steps.items[i].note);
    }
    vec_free(&chain->steps);
    mem_free(chain->title);
    chain->title = NULL;
}

// "New Feature: a -> b": the title in front of the first agent.
static size_t title_length(const char *line, size_t len)
{
    for (size_t i = 0; i + 1 < len && !arrow_at(line + i, len - i); i++)
        if (line[i] == ':' && (line[i + 1] == ' ' || line[i + 1] == '\t' || line[i + 1] == '*'))
            return i;
    return 0;
}

static void set_title(struct agent_chain *chain, const char *line, size_t len)
{
    char *copy = str_ndup(line, len);
    char *s = str_trim(copy);
    while (*s == '*' || *s == '_')
        s++;
    for (size_t n = strlen(s); n && (s[n - 1] == '*' || s[n - 1] == '_'); n--)
        s[n - 1] = 0;
    str_set(&chain->title, str_trim(s));
    mem_free(copy);
}

bool chain_read(const char *line, size_t len, bool strict, struct agent_chain *chain)
{
    struct agent_chain read = {.line = chain->line};
    size_t title = title_length(line, len), start = 0;
    if (title) {
        set_title(&read, line, title);
        start = title + 1;
        while (start < len && line[start] == '*') // the end of "**Title:**"
            start++;
    }
    bool arrow_seen = false, ok = true;
    int depth = 0;
    for (size_t i = start; i <= len && ok;) {
        size_t arrow = i < len && depth <= 0 ? arrow_at(line + i, len - i) : 0;
        if (i == len || arrow) {
            ok = add_step(&read, line + start, i - start, strict);
            arrow_seen = arrow_seen || arrow;
            start = i + arrow;
            i = i == len ? len + 1 : start;
        } else {
            depth += (line[i] == '(') - (line[i] == ')' && depth > 0);
            i++;
        }
    }
    // One step alone is the beginning of a chain only when an arrow stands behind it, or goes on with another chain.
    size_t enough = chain->steps.len ? 0 : chain_ends_with_arrow(line, len) ? 1 : 2;
    if (!ok || !arrow_seen || read.steps.len < enough) {
        chain_free(&read);
        return false;
    }
    for (size_t i = 0; i < read.steps.len; i++)
        vec_push(&chain->steps, read.steps.items[i]);
    vec_free(&read.steps);
    if (read.title && !chain->title)
        chain->title = read.title;
    else
        mem_free(read.title);
    return true;
}

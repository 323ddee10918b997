#include "run/words.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define WORDS_MAX 120 // bytes of one value

// The part of the text that shows where it differs from the other one, which may be NULL.
static char *cut_new(const char *text, const char *other)
{
    size_t len = strlen(text), same = 0, from = 0;
    if (len <= WORDS_MAX)
        return str_dup(text);
    while (other && text[same] && text[same] == other[same])
        same++;
    if (same > WORDS_MAX / 2)
        from = same - WORDS_MAX / 4;
    while (from > 0 && ((unsigned char)text[from] & 0xc0) == 0x80)
        from--;
    size_t keep = str_utf8_cut(text + from, WORDS_MAX);
    return str_printf("%s%.*s%s", from ? "…" : "", (int)keep, text + from, from + keep < len ? "…" : "");
}

char *words_of_value_new(const json_t *value, const json_t *other)
{
    AUTO_FREE char *text = value ? json_canonical(value) : str_dup("nothing");
    AUTO_FREE char *beside = other ? json_canonical(other) : NULL;
    return cut_new(text, beside);
}

// ", input {…}"; nothing when it is not there.
static char *member_new(const char *name, const json_t *request, const json_t *other)
{
    const json_t *value = json_object_get(request, name);
    if (!value || json_is_null(value))
        return str_dup("");
    AUTO_FREE char *text = words_of_value_new(value, json_object_get(other, name));
    return str_printf(", %s %s", name, text);
}

char *words_of_stage_new(const struct words_stage *stage, const struct words_stage *other)
{
    const json_t *beside = other ? other->request : NULL;
    size_t after = json_array_size(json_list(stage->request, "after"));
    AUTO_FREE char *number = stage->seq ? str_printf("stage %d", stage->seq) : str_dup("stage");
    AUTO_FREE char *task = member_new("task", stage->request, beside);
    AUTO_FREE char *input = member_new("input", stage->request, beside);
    AUTO_FREE char *results = after ? str_printf(", after %zu result%s", after, after == 1 ? "" : "s") : str_dup("");
    return str_printf("%s: agent %s%s%s%s%s%s", number, stage->agent ? stage->agent : "?", stage->mode ? ", mode " : "",
                      stage->mode ? stage->mode : "", task, input, results);
}

static bool same_member(const struct words_stage *a, const struct words_stage *b, const char *name)
{
    const json_t *x = json_object_get(a->request, name), *y = json_object_get(b->request, name);
    if (!x || !y)
        return (!x || json_is_null(x)) && (!y || json_is_null(y));
    AUTO_FREE char *text = json_canonical(x);
    AUTO_FREE char *other = json_canonical(y);
    return str_eq(text, other);
}

char *words_of_change_new(const struct words_stage *a, const struct words_stage *b)
{
    const struct {
        const char *name;
        bool same;
    } parts[] = {
        {"agent", str_eq(a->agent, b->agent)}, {"mode", str_eq(a->mode, b->mode)},
        {"task", same_member(a, b, "task")},   {"input", same_member(a, b, "input")},
        {"after", same_member(a, b, "after")},
    };
    char *names = NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].same)
            continue;
        AUTO_FREE char *before = names;
        names = str_printf("%s%s%s", before ? before : "", before ? ", " : "", parts[i].name);
    }
    return names ? names : str_dup("agent file, worker, project, rules, or a result it builds on");
}

char *words_of_call_new(const char *op, const json_t *args)
{
    AUTO_FREE char *text = words_of_value_new(args, NULL);
    return json_object_size(args) ? str_printf("%s %s", op, text) : str_dup(op);
}

char *words_of_record_new(const json_t *record)
{
    const json_t *answer = json_object_get(record, "answer");
    if (!record)
        return str_dup("nothing");
    if (!answer || json_is_null(answer))
        return str_dup(json_str(record, "op", "?"));
    AUTO_FREE char *text = words_of_value_new(answer, NULL);
    return str_printf("%s, answered %s", json_str(record, "op", "?"), text);
}

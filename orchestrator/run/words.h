// What a call of a script asks for, in words for people: the two sides of a difference.
#pragma once

#include "json/json.h"

struct words_stage { // borrowed
    int seq;         // 0: it has no number
    const char *agent, *mode;
    const json_t *request; // {task, input, after}; NULL: not known
};

// "stage 2: agent echo, mode work, task "…", input {…}, after 2 results". What is long is cut to where it differs from
// `other` (may be NULL).
char *words_of_stage_new(const struct words_stage *stage, const struct words_stage *other);
// Names of what differs ("mode, input"), or what else it can be when all the words are the same.
char *words_of_change_new(const struct words_stage *a, const struct words_stage *b);
// Another call, as the script asks for it now: "approve {…}".
char *words_of_call_new(const char *op, const json_t *args);
// A call as it is journaled, where only the answer is kept: "random, answered 0.5". NULL: "nothing".
char *words_of_record_new(const json_t *record);
// Two values, each cut to where it differs from the other: a script's result, for one.
char *words_of_value_new(const json_t *value, const json_t *other);

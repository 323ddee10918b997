// What people and programs tell a run, in whatever process it is: answers to its questions, signals. Checked here once,
// then put into the run's inbox, where its owner finds it. The state folder
// belongs to one user: who may answer is a rule among those who may use it, not a wall against them.
#pragma once

#include "base/err.h"
#include "store/store.h"
#include "json/json.h"

#define LETTER_NAME_MAX    64              // of a signal, of a published value
#define LETTER_VALUE_MAX   ((size_t)65536) // bytes of the JSON text of one
#define LETTER_SIGNALS_MAX 1000            // that came to a run and were not waited for yet
#define LETTER_SUBJECT_MIN 8               // characters of a subject that stand for the whole

// A name of [A-Za-z0-9_.-] within the limit. `what` stands in the message.
int letter_check_name(const char *what, const char *name, struct err *err);
int letter_check_value(const char *what, const json_t *value, struct err *err);

// The run itself, or the last one that it went on in (continue_as_new). Owned by the caller; NULL: there is no such
// run.
char *letter_latest(struct store *store, const char *run);

// --- answers ---

struct letter_answer {
    bool approved;
    const char *by, *note; // note may be NULL
    const char *question;  // its id, or NULL
    const char *subject;   // what the answer is for: the whole or a beginning; or NULL
};
// May this person give this answer to the question (args of the call)? 0, or why not.
int letter_may_answer(const json_t *question, const char *by, const char *subject, struct err *err);
// Answers the oldest open question that is meant. *ret_question is a new reference to it.
int letter_answer(struct store *store, const char *run, const struct letter_answer *a, json_t **ret_question,
                  struct err *err);

// --- signals ---

// value NULL: null. A run that went on in another one hands it on.
int letter_signal(struct store *store, const char *run, const char *name, const json_t *value, const char *by,
                  struct err *err);

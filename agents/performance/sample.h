// The parts of mode sample: where a command spends its time or its memory, or what a file of another profiler says.
// What is recorded: sample_record.c (perf, callgrind), sample_memory.c (DHAT), sample_scale.c (several sizes); what is
// read: sample_files.c; what is said about it: sample_tell.c.
#pragma once

#include "base/vec.h"
#include "profile/callgrind_owner.h"
#include "profile/profile.h"
#include "sdk/agent.h"

struct sample_command {
    VEC(const char *) words; // NULL-terminated
    const char *input;       // behind "<"; NULL: none
    const char **reach;      // files it names
};

struct sample {
    struct job *job;
    const char *spool, *tool; // tool: auto, perf, callgrind
    char *cwd;
    const char **roots; // of the project, NULL-terminated
    json_t *limits;     // sentences
    struct sample_command command;
    char *name; // for people
    struct profile *now, *before;
    struct callgrind *counts; // NULL: not counted
    struct callgrind_owned *owned;
    int64_t user_ns, sys_ns;
    char *how; // "perf, stacks from debug information, 4 runs"
    json_t *memory, *memory_before, *growth;
};

struct profile_options sample_options(const struct sample *s);
void sample_note(struct sample *s, const char *fmt, ...) ATTR_PRINTF(2, 3);

// sample_record.c
int sample_record(struct sample *s, struct err *err);
// Counts a run with callgrind; `dir` is made and removed. *ret_why (owned by the caller): why it was not counted.
int sample_count(struct sample *s, const struct sample_command *command, struct callgrind **ret, char **ret_why,
                 struct err *err);

// sample_files.c: a file that the caller named, made the profile (or the memory) of *ret.
int sample_read(struct sample *s, const char *path, struct profile **ret, json_t **ret_memory, struct err *err);
// Copies a file that the caller named into the spool, as a decided call. *ret is owned by the caller.
int sample_fetch(struct sample *s, const char *path, char **ret, struct err *err);
int sample_command_read(const json_t *words, struct sample_command *ret, struct err *err);
void sample_command_free(struct sample_command *c);

// sample_memory.c
int sample_memory(struct sample *s, struct err *err);
// What DHAT wrote into a file.
int sample_memory_of(struct sample *s, const char *path, struct profile **ret, json_t **ret_memory, struct err *err);

// sample_scale.c: [{size, command: [words]}]
int sample_scale(struct sample *s, const json_t *scaled, struct err *err);

// sample_tell.c: the output and the artifacts of the draft.
int sample_tell(struct sample *s, json_t *draft, struct err *err);

// Control group of the calls of a stage: a limit of processes and memory that also holds root. Only where we may make
// one (root, or a delegated tree; versions 2 and 1); elsewhere there is none.
//
// The worker makes it once, for making, filling and removing one takes longer than everything else about a call; calls
// of a stage run one after the other, so each has it for itself. Those that a killed worker has left go when the next
// one is made.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { GROUP_DIR_MAX = 512 };

struct group {
    char pids[GROUP_DIR_MAX], memory[GROUP_DIR_MAX]; // folders, "" when not made; the same one with version 2
    uint64_t pids_max, memory_max;                   // what they hold
};

// Makes it, or makes what is missing again, and sets the limits; 0: none. False: the limit of processes is not held.
bool group_ready(struct group *group, uint64_t pids_max, uint64_t memory_max);
void group_remove(struct group *group); // when no process is left in it
bool group_unified(const char *dir);    // version 2
// The calling process becomes a member. 0 or an errno value.
int group_join(const char *dir);

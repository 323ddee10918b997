// What baton-exec and exec_run say to each other over the control socket.
//   exec_run -> baton-exec: the byte EXEC_KILL ends the call; the end of the connection does so too (the worker died).
//   baton-exec -> exec_run: one struct exec_report, when no process of the call is left. With it come, when they were
//   made for this call, its network and the user namespace that it belongs to, as descriptors, for the next call.
#pragma once

#include <stdint.h>

enum { EXEC_SPACES_MAX = 2 }; // descriptors: network; user

#define EXEC_CONTROL_FD   3
#define EXEC_KILL         'K'
#define EXEC_REPORT_MAGIC 0x42584333u

enum exec_layer {
    EXEC_LAYER_PROCESSES = 1, // processes, IPC and host name of its own
    EXEC_LAYER_FILES = 2,     // file view
    EXEC_LAYER_NETWORK = 4,   // network of its own
    EXEC_LAYER_LANDLOCK = 8,
    EXEC_LAYER_CALLS = 16, // filter of system calls
    EXEC_LAYER_USER = 32,  // all of that inside a user namespace
    EXEC_LAYER_COUNT = 64, // limit of processes and memory by a control group
};

struct exec_report {
    uint32_t magic;
    int32_t start_errno; // not 0: the program could not be started
    int32_t wait_status; // as from wait(2)
    int32_t killed;      // the call was ended by us
    int32_t confined;    // 1: in a PID namespace of its own, 0: kept by the subreaper only
    int32_t no_wall;     // the limit of processes cannot be kept on this machine: nothing was started
    int32_t tasks;       // processes and threads that were begun; 0: not known
    int32_t layers;      // enum exec_layer, those that were put on
    char failed[120];    // with start_errno: the layer that could not be put on, "" when it was the program itself
    int64_t user_ns, sys_ns, max_rss_kb; // of every process of the call
};

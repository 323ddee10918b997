// What baton-exec and exec_run say to each other over the control socket.
//   exec_run -> baton-exec: the byte EXEC_KILL ends the call; the end of the connection does so too (the worker died).
//   baton-exec -> exec_run: one struct exec_report, when no process of the call is left.
#pragma once

#include <stdint.h>

#define EXEC_CONTROL_FD 3
#define EXEC_KILL 'K'
#define EXEC_REPORT_MAGIC 0x42584332u

struct exec_report {
    uint32_t magic;
    int32_t start_errno; // not 0: the program could not be started
    int32_t wait_status; // as from wait(2)
    int32_t killed;      // the call was ended by us
    int32_t confined;    // 1: in a PID namespace of its own, 0: kept by the subreaper only
    int32_t no_wall;     // the limit of processes cannot be kept on this machine: nothing was started
    int32_t tasks;       // processes and threads that were begun; 0: not known
    int32_t reserved;
    int64_t user_ns, sys_ns, max_rss_kb; // of every process of the call
};

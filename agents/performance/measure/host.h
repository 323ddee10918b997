// How fit this machine is for measuring, in words: processor, governor, load, swap, time taken by other guests,
// virtual machine, rights to use perf.
#pragma once

#include "json/json.h"

// {"cpu", "cores", "kernel", "arch", "governor", "boost", "load1", "memory_kb", "swap_used_kb", "steal_pct", "virt",
//  "container", "perf_paranoid", "perf_user", "perf_kernel", "aslr", "warnings": [...]}; what cannot be found out is
//  null. `root`: prefix of /proc and
// /sys, "" for this machine (tests give a folder).
json_t *host_check_new(const char *root);
// A short stable name of machine and toolchain-independent set-up, for keeping histories apart: hash of CPU model,
// cores, virt.
void host_fingerprint(const json_t *host, char out[65]);

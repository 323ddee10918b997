// The environment of workers: what tools of the trade need, nothing else of ours.
#pragma once

// NULL-terminated list of borrowed entries, free it with mem_free. own_entry (may be NULL) comes last.
const char **worker_env_new(const char *own_entry);

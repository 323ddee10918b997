// The filter of system calls: everything but what reaches around the other layers. Foreign architectures are killed,
// refused calls answer EPERM; clone3 answers ENOSYS, because its flags lie behind a pointer and libc then takes clone.
#pragma once

#include "box.h"

// no_new_privs must be set. own_net: the process has a network of its own, so sockets are harmless. 0 or an errno
// value.
int filter_enforce(const struct box *box, bool own_net);
bool filter_possible(void);

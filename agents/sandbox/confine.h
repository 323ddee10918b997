// The layers a tool gets in its own process, between fork and exec, and the namespaces around it. Further layers (Landlock,
// seccomp, mount view) belong into confine_self, in the order of their rights.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// fork() into a PID namespace and a mount namespace of its own; where that is only allowed inside a user namespace, into one of those
// too. The child waits for confine_release before anything else. -1: not possible here.
pid_t confine_fork(int *ret_release_fd);
void confine_release(pid_t child, int release_fd); // parent: maps the user, lets the child go on
bool confine_enter(int release_fd);                // child: waits, then gives the namespace its own /proc

// In the namespace, before the tool begins: the kernel keeps it from having more processes and threads than that at the
// same time. False: this kernel cannot.
bool confine_wall(long processes);
int confine_tasks(void); // begun in the namespace so far, but for the caller; 0: not known

// The last steps before exec, in the process that becomes the tool. 0 or an errno value.
int confine_self(void);

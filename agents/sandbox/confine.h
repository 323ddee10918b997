// The namespaces around a tool, and the layers it gets in its own process between fork and exec.
#pragma once

#include "box.h"
#include "view.h"

#include <stdbool.h>
#include <sys/types.h>

// Before that, where the box says so: into the user namespace that is given. 0 or an errno value.
int confine_take(const struct box *box);
// fork() into PID, mount, IPC, UTS and (unless the box has the host's) network namespaces; where that is only allowed
// inside a user namespace, into one of those too. The child waits for confine_release before anything else. -1: not
// possible here.
pid_t confine_fork(const struct box *box, int *ret_release_fd, bool *ret_user);
void confine_release(pid_t child, int release_fd); // parent: maps the user, lets the child go on
void confine_wait(int release_fd);                 // child
int confine_join(const struct box *box);           // child: the control groups; 0 or an errno value
int confine_net(const struct box *box);            // child: the network that is given; 0 or an errno value

// Child, then: the view of files and the loopback device. 0 or an errno value; *ret_what (static or into the box) names
// what failed.
int confine_enter(const struct box *box, struct view_failure *ret);

// The last steps before exec, in the process that becomes the tool. entered: confine_enter has succeeded. *ret_layers:
// those put on (enum exec_layer). 0 or an errno value and what failed.
int confine_self(const struct box *box, bool entered, int *ret_layers, const char **ret_what);

// In the namespace, before the tool begins: the kernel keeps it from having more processes and threads than that at the
// same time. False: this kernel cannot.
bool confine_wall(uint64_t processes);
int confine_tasks(void); // begun in the namespace so far, but for the caller; 0: not known

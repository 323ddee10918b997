// The box of one call, as baton-exec reads it from descriptor EXEC_BOX_FD: what exec_run compiled from the profile.
// Plain libc.
//
// One line each, words parted by tabs; paths are absolute and resolved:
//
//   - net none|lo|host, perf, keep_dac, require WORD
//   - pids N, processes N, memory BYTES, file BYTES
//   - mount MODE PATH SOURCE: SOURCE of the host appears at PATH; in the order of the lines
//   - mount MODE PATH SOURCE DEVICE:INODE:SIZE:CHANGED: the same, and nothing is started when SOURCE is not that file
//   - group PATH: a control group to be a member of; counted: a group holds the limit of processes
//   - given net|user: the network (and the user namespace it belongs to) that an earlier call of the stage has made
//   - tmpfs MODE PATH: an empty folder of its own
//   - link PATH TARGET
//   - allow MODE PATH: what Landlock grants below PATH
//
// MODE: letters of r (read), w (write), x (execute). A mount without w is read-only, without x noexec; m keeps a mount
// without x mappable (libraries that are loaded, not started). o: writes are seen by this call only and forgotten with
// it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXEC_BOX_FD   4
#define EXEC_NET_FD   5 // with BOX_GIVEN_NET
#define EXEC_USER_FD  6 // with BOX_GIVEN_USER
#define BOX_TEXT_MAX  ((size_t)256 * 1024)
#define BOX_ITEMS_MAX 1024
#define BOX_GROUPS    2

enum box_net {
#define BOX_NETWORK(code, word, meaning) BOX_NET_##code,
#include "tbl/box_words.def"
};
enum box_mode { BOX_READ = 1, BOX_WRITE = 2, BOX_EXEC = 4, BOX_MAP = 8, BOX_OVERLAY = 16 };
enum box_item_kind { BOX_MOUNT, BOX_TMPFS, BOX_LINK, BOX_ALLOW };
enum box_given { BOX_GIVEN_NOTHING, BOX_GIVEN_NET, BOX_GIVEN_USER }; // the last: that, too
enum box_require {
#define BOX_REQUIRE(code, word, meaning) BOX_REQUIRE_##code,
#include "tbl/box_words.def"
};

struct box_identity { // of a file, as stat tells it
    uint64_t device, inode, size;
    int64_t changed_ns;
};

struct box_item {
    enum box_item_kind kind;
    unsigned mode;
    const char *path, *source; // into the text
    bool pinned;
    struct box_identity is; // when pinned
};

struct box {
    char *text; // NULL: no box was given, only what keeps a call together applies
    enum box_net net;
    enum box_require require;
    enum box_given given;
    bool perf, keep_dac;
    bool counted;                            // a control group holds the limit of processes
    const char *groups[BOX_GROUPS];          // control groups to be a member of; NULL: none
    uint64_t processes;                      // at the same time, refused where that cannot be kept; 0: no such limit
    uint64_t pids_max, memory_max, file_max; // kept where the host can; 0: not limited
    size_t count;
    struct box_item items[BOX_ITEMS_MAX];
};

// Reads and parses. 0, or an errno value: EBADF when the descriptor is not open, EINVAL for text that is not
// understood.
int box_read(int fd, struct box *ret);
// The same for a text, which must be writable and stays in use; len bytes and a NUL.
int box_parse(char *text, struct box *ret);
// 0, or ESTALE when the open file is not the one it should be.
int box_identity_check(const struct box_identity *is, int fd);

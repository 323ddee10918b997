"""A machine to throw away: a process tree with mounts, processes, network and IPC of its own. Its root is a folder of memory; what it
needs of the host is shown read-only. What is started in it, with whatever rights, changes nothing of the host."""
import ctypes
import fcntl
import os
import socket
import struct
import sys
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, BIND, REC, PRIVATE, DETACH = 2, 4, 4096, 16384, 1 << 18, 2
MOUNT_SETATTR, PIVOT_ROOT, RECURSIVE, ATTR_RDONLY = 442, {"x86_64": 155}.get(os.uname().machine, 41), 0x8000, 1
# Folders of the host's root that the machine has of its own, or does without.
OWN = {"proc", "dev", "tmp", "run", "home", "root", "mnt", "media", "srv", "boot", "lost+found"}


class Impossible(Exception):
    """This host does not let us make one."""


def check(result, what):
    if result < 0:
        raise Impossible("%s: %s" % (what, os.strerror(ctypes.get_errno())))


def mount(source, target, kind, flags, data=None):
    words = [w.encode() if w else None for w in (source, target, kind)]
    check(LIBC.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None), "mount of " + target)


def show(source, top, at=None, writable=False):
    """The host's folder or file, at its own path or another one, with what is mounted below."""
    target = top + (at or source)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "a").close()
    mount(source, target, None, BIND | REC)
    attributes = (ctypes.c_uint64 * 4)(ATTR_RDONLY, 0, 0, 0)
    if not writable:
        check(LIBC.syscall(MOUNT_SETATTR, -100, target.encode(), RECURSIVE, ctypes.byref(attributes), 32), "read-only " + target)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def fill(top, shown):
    for name in os.listdir("/"):
        path = "/" + name
        if os.path.islink(path):
            os.symlink(os.readlink(path), top + path)
        elif os.path.isdir(path) and name not in OWN and not os.path.exists(top + path):
            show(path, top)
    for path, at in shown.items():
        show(path, top, at)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        show("/dev/" + name, top, writable=True)
    for name in ("tmp", "run", "proc", "dev/pts", "dev/shm"):
        os.makedirs("%s/%s" % (top, name), exist_ok=True)
        os.chmod("%s/%s" % (top, name), 0o1777)
    if os.path.isdir(top + "/var/tmp"):
        mount("tmpfs", top + "/var/tmp", "tmpfs", NOSUID | NODEV, "mode=1777")
    mount("proc", top + "/proc", "proc", NOSUID | NODEV)
    mount("devpts", top + "/dev/pts", "devpts", NOSUID, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", top + "/dev/ptmx")
    os.symlink("/proc/self/fd", top + "/dev/fd")


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def enter(top, shown, work):
    """Child: makes the machine below the empty folder `top` and runs work() as its first process; ends with what that returns.
    Raises when it cannot be made, but nothing of what work() raises."""
    user, group = os.geteuid(), os.getegid()
    spaces = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET | (NEWUSER if user else 0)
    check(LIBC.unshare(spaces), "namespaces")
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % user), ("gid_map", "0 %d 1" % group)):
            write("/proc/self/" + name, text)
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    mount(None, "/", None, REC | PRIVATE)
    mount("tmpfs", top, "tmpfs", NODEV, "mode=755")
    fill(top, shown)
    os.chdir(top)
    os.mkdir(".old")
    check(LIBC.syscall(PIVOT_ROOT, b".", b".old"), "pivot_root")
    os.chdir("/")
    check(LIBC.umount2(b"/.old", DETACH), "leaving the host's tree")
    os.rmdir("/.old")
    raise_loopback()
    status = 1
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def run(top, shown, work):
    """work() in a machine of its own: its result, or 77 where the host does not let us make one."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            enter(top, shown, work)
        except (Impossible, OSError) as e:
            print("no machine to throw away here: %s" % e, file=sys.stderr, flush=True)
            os._exit(77)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

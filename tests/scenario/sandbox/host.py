"""What this host offers: the only reason for which a test of the box may be skipped. The answers are those of `baton-exec --probe`
(`baton doctor`), held against a look of our own, so that a probe which has gone blind is a failure and not a row of skipped tests."""
import ctypes
import json
import os
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
LANDLOCK_CREATE, GET_SECCOMP = 444, 21
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
SKIPPED = 77


def layers(box_run):
    """{layer: whether it is there}, for the calling user."""
    program = os.path.join(os.path.dirname(box_run), "../bin/baton-exec")
    run = subprocess.run([program, "--probe", "--json"], stdout=subprocess.PIPE, check=False)
    assert run.returncode in (0, 1), "the probe ended with status %d" % run.returncode
    found = {r["layer"]: r["present"] for r in json.loads(run.stdout)["layers"]}
    for layer, look in (("Landlock", has_landlock), ("system calls", has_filter), ("namespaces", has_namespaces),
                        ("control group", lambda: has_group("pids", ("pids.max",))),
                        ("memory limit", lambda: has_group("memory", ("memory.limit_in_bytes", "memory.max")))):
        assert found[layer] or not look(), "the probe says that this host has no %s, but it has" % layer
    return found


def runs_tools(box_run):
    found = layers(box_run)
    return found["Landlock"] and found["system calls"]


def has_whole_box(box_run):
    found = layers(box_run)
    return all(found[layer] for layer in ("namespaces", "file view", "Landlock", "system calls"))


# --- our own look ---

def has_landlock():
    return LIBC.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1) > 0


def has_filter():
    return LIBC.prctl(GET_SECCOMP, 0, 0, 0, 0) >= 0


def has_namespaces():
    pid = os.fork()
    if pid == 0:
        spaces = NEWNS | NEWIPC | NEWPID | NEWNET | (NEWUSER if os.geteuid() else 0)
        os._exit(0 if LIBC.unshare(spaces) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def own_groups(controller):
    """Where a control group of ours would lie: with version 1 in the hierarchy of the controller, with version 2 in the only one."""
    with open("/proc/self/cgroup") as f:
        for line in f:
            _, name, path = line.rstrip("\n").split(":", 2)
            if name in (controller, ""):
                yield "/sys/fs/cgroup/%s%s" % (name, path)


def has_group(controller, files):
    """Whether we can make a group that holds what one of the files says, and be a member of it."""
    for parent in own_groups(controller):
        group = "%s/baton-test-%d" % (parent, os.getpid())
        try:
            os.mkdir(group)
        except OSError:
            continue
        try:
            if any(os.access(os.path.join(group, name), os.W_OK) for name in files) and joins(group):
                return True
        finally:
            os.rmdir(group)
    return False


def joins(group):
    pid = os.fork()
    if pid == 0:
        try:
            with open(os.path.join(group, "cgroup.procs"), "w") as f:
                f.write("0\n")
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0

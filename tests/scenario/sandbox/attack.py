#!/usr/bin/env python3
"""The attack suite: every attempt works bare and is stopped in the box, as the calling user and, for root, as uid 1000 too.

attack.py BOX_RUN ATTACKS [--uid N] [--with bwrap] [--only WORDS] [--table] [--check FILE]
--with bwrap: beside it the same attempts under bubblewrap (the host read-only, the workspace writable, everything unshared); they do not
count. --table: Markdown for docs/attacks.md instead of one JSON line each. --check: that file has a row for each of them.
Exit status 77: the host has not the layers (see `baton doctor`)."""
import json, os, re, shlex, shutil, socket, subprocess, sys, tempfile, threading, time, ctypes, signal

import host
import ordinary

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
BOX_RUN, ATTACKS = map(os.path.abspath, sys.argv[1:3])
SECRET = "BATON_TEST_SECRET"


MAY_BE_CLOSED = ("userfaultfd", "keyring", "read a key through /proc/1/root", "open the disk", "sysrq", "ptrace a process outside",
                 "vsock", "io_uring", "new user namespace", "new namespace by clone", "new namespace by clone3", "mount", "bpf", "crypto socket", "bluetooth socket",
                 "calls of 32-bit programs", "calls of x32 programs", "kernel log", "kernel memory", "settings of core files",
                 "real time", "higher priority", "leave the control group", "immutable file", "files of 100 GB", "terminal")
STEERING = [m.group(1) for m in re.finditer(r'^X\("([^"]+)", (?!REPOSITORY)', open(os.path.join(SOURCE, "proto/tbl/policy_protected.def")).read(), re.M)]
HELD_BY = {"memory bomb": "memory limit"}  # without that layer nothing is promised
HOST = []  # put before every start of a box: a host that lacks something (degraded.py)
BOXED = ("box", "second")  # the first call of a stage, and a later one, which shares with it what calls of a stage share
RULES = {"box": "Bash(./target/debug/attack *)"}  # the later one is of an agent that may do much else, which is no help to this program
RULES["second"] = RULES["box"] + ", " + ", ".join("Bash(%s *)" % w for w in ("true", "sh", "python3", "git", "cargo", "curl", "wget", "perf")) + ", Edit, Read, WebFetch"
BWRAP = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--die-with-parent", "--new-session"]


class Place:
    """A workspace, an outside with things worth attacking, and somebody who lives there."""

    def __init__(self):
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="baton-attack-"))
        self.ws, self.out, self.home = (os.path.join(self.top, n) for n in ("ws", "outside", "home"))
        for d in (self.ws, self.out, self.home, self.ws + "/target/debug", self.ws + "/src", self.ws + "/.git/hooks"):
            os.makedirs(d)
        self.write("ws/Cargo.toml", '[package]\nname = "x"\nversion = "0.1.0"\n')
        self.program = self.ws + "/target/debug/attack"
        shutil.copy(ATTACKS, self.program)
        shutil.copy(ATTACKS, self.ws + "/src/planted")
        for name in ("key", "victim", "swap/key"):
            self.write("outside/" + name, SECRET)
        self.open_sockets()
        self.victim = subprocess.Popen(["/bin/sleep", "100000"], env={SECRET: SECRET})
        libc = ctypes.CDLL(None)
        self.segment = libc.shmget(0x62740000 + os.getpid() % 65536, 4096, 0o1666)
        self.libc = libc
        self.queue = libc.msgget(0x62750000 + os.getpid() % 65536, 0o1666)
        self.semaphore = libc.semget(0x62760000 + os.getpid() % 65536, 1, 0o1666)
        self.posix_queue = "/baton-attack-%d" % os.getpid()
        self.rt = ctypes.CDLL("librt.so.1")
        self.rt.mq_unlink(self.posix_queue.encode())
        os.close(self.rt.mq_open(self.posix_queue.encode(), os.O_CREAT | os.O_RDWR, 0o666, None))
        self.write("ws/.cargo/config.toml", "\n")
        self.left_open = os.open(self.out, os.O_RDONLY)

    def write(self, name, text):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def open_sockets(self):
        self.path_socket = self.out + "/socket"
        self.gram_socket = self.out + "/gram"
        self.abstract = os.path.basename(self.top)
        self.tcp, self.udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self.un, self.ab = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.gram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.tcp.bind(("127.0.0.1", 0))
        self.udp.bind(("127.0.0.1", 0))
        self.un.bind(self.path_socket)
        self.ab.bind("\0" + self.abstract)
        self.gram.bind(self.gram_socket)
        for s in (self.tcp, self.un, self.ab):
            s.listen(64)
        threading.Thread(target=self.echo, daemon=True).start()

    def echo(self):
        try:
            while True:
                data, who = self.udp.recvfrom(16)
                self.udp.sendto(data, who)
        except OSError:
            pass  # closed

    def address_in_victim(self):
        with open("/proc/%d/maps" % self.victim.pid) as f:
            return f.readline().split("-")[0]

    def close(self):
        for s in (self.tcp, self.udp, self.un, self.ab, self.gram):
            s.close()
        self.victim.kill()
        self.victim.wait()
        self.libc.shmctl(self.segment, 0, None)
        self.libc.msgctl(self.queue, 0, None)
        self.libc.semctl(self.semaphore, 0, 0)
        self.rt.mq_unlink(self.posix_queue.encode())
        os.close(self.left_open)
        shutil.rmtree(self.top, ignore_errors=True)


def somebody_runs(word):
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and word in open("/proc/%s/cmdline" % pid).read().split("\0"):
                return int(pid)
        except OSError:
            pass
    return 0


def attacks(p):
    """name in the table, name of the attempt, arguments, needs root bare"""
    ws, out = p.ws, p.out
    curl = next((c for c in ("/usr/bin/curl", "/usr/bin/wget", "/usr/bin/gpg", "/usr/bin/dpkg") if os.path.exists(c)), "/bin/ls")
    disk = next((d for d in ("/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/kmsg") if os.path.exists(d)), "/dev/kmsg")
    cargo = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    v = str(p.victim.pid)
    return [
        ("write outside", "write_outside", [out + "/made"], 0),
        ("write into the user's CARGO_HOME", "write_outside", [p.top + "/cargo-home/config.toml"], 0),
        ("write into /var/tmp", "write_outside", ["/var/tmp/baton-attack-%d" % os.getpid()], 4),
        ("read a key", "read_key", [out + "/key"], 0),
        ("read a key through /proc/self/root", "proc_root", [out + "/key"], 0),
        ("read a key through /proc/1/root", "init_root", [out + "/key"], 1),
        ("see that a file exists", "stat", [out + "/key"], 0),
        ("list a folder and read in it", "list", [out, out + "/key"], 0),
        ("TCP to the host's loopback", "tcp", [str(p.tcp.getsockname()[1])], 0),
        ("UDP to the host's loopback", "udp", [str(p.udp.getsockname()[1])], 0),
        ("abstract unix socket", "abstract", [p.abstract], 0),
        ("unix socket with a path", "path_socket", [p.path_socket], 0),
        ("datagram pair to a path socket", "datagram_pair", [p.gram_socket], 0),
        ("vsock", "vsock", [], 0),
        ("netlink", "netlink", [], 0),
        ("packet socket", "packet", [], 1),
        ("ptrace a process outside", "ptrace", [v], 0),
        ("signal a process outside", "signal", [v], 0),
        ("read memory of a process outside", "memory_of_other", [v, p.address_in_victim()], 0),
        ("take a descriptor of a process outside", "descriptor_of_other", [v], 0),
        ("see a process outside", "read_key", ["/proc/%s/cmdline" % v], 0),
        ("environment of a process outside", "other_environment", [v], 0),
        ("environment of any process", "parent_environment", [], 0),
        ("secret in the own environment", "own_environment", [], 0),
        ("start a foreign program", "exec_foreign", [curl], 0),
        ("start a shell", "exec_shell", [], 0),
        ("start an interpreter", "exec_python", [], 0),
        ("start it through the loader", "loader", [curl], 0),
        ("start a copy of it", "copy_exec", [curl, ws + "/target/debug/copy"], 0),
        ("start it from memory", "memfd_exec", [curl], 0),
        ("start a program planted in src", "exec_foreign", [ws + "/src/planted"], 2),
        ("start a program planted in src through the loader", "loader", [ws + "/src/planted"], 0),
        ("chmod outside", "chmod", [out + "/victim"], 0),
        ("chown outside", "chown", [out + "/victim"], 0),
        ("touch outside", "utime", [out + "/victim"], 0),
        ("truncate outside", "truncate", [out + "/victim"], 0),
        ("rename out of there", "rename", [out + "/victim", ws + "/stolen"], 0),
        ("hard link into the workspace", "hard_link", [out + "/key", ws + "/linked"], 0),
        ("write through a symlink", "symlink_through", [out + "/through", ws + "/link"], 0),
        ("swap a folder for a symlink", "swap_symlink", [out + "/swap", ws + "/swap"], 3),
        ("race of a folder and a symlink", "race_symlink", [out + "/swap", ws + "/swap"], 3),
        ("remove outside", "unlink", [out + "/victim"], 0),
        ("new user namespace", "user_namespace", [], 0),
        ("new namespace by clone", "clone_namespace", [], 0),
        ("new namespace by clone3", "clone3_namespace", [], 0),
        ("enter a namespace", "setns", ["/proc/%s/ns/mnt" % v], 1),
        ("mount", "mount", [], 0),
        ("chroot", "chroot", [out], 1),
        ("io_uring", "io_uring", [], 0),
        ("bpf", "bpf", [], 1),
        ("keyring", "keyring", [], 0),
        ("userfaultfd", "userfault", [], 0),
        ("perf without its profile", "perf", [], 0),
        ("shared memory of others", "shared_memory", [str(p.segment)], 0),
        ("open by handle", "handle", [out + "/key"], 1),
        ("set-uid bit", "set_uid", [ws + "/src/planted"], 0),
        ("set-uid bit by fchmod", "set_uid_open", [ws + "/suid-open"], 0),
        ("set-uid bit at creation", "set_uid_create", [ws + "/suid-made"], 0),
        ("set-gid bit of a file without a name", "set_uid_unnamed", [ws], 0),
        ("device node", "device", [ws + "/device"], 1),
        ("open the disk", "disk", [disk], 1),
        ("kernel settings", "sysctl", [], 1),
        ("sysrq", "sysrq", [], 1),
        ("host name", "host_name", [], 1),
        ("write .git/hooks", "make_folder_file", [ws + "/.git/hooks/pre-commit"], 0),
        ("write .git/config", "write_outside", [ws + "/.git/config"], 0),
        ("write .git/info/attributes", "make_folder_file", [ws + "/.git/info/attributes"], 0),
        ("rename .git away", "rename", [ws + "/.git", ws + "/.git-away"], 0),
        ("write .codex/config.toml that does not exist", "make_folder_file", [ws + "/.codex/config.toml"], 4),
        ("change .cargo/config.toml through memory", "map_shared", [ws + "/.cargo/config.toml"], 0),
        ("write through /proc/self/fd", "write_through_proc", [ws + "/.cargo/config.toml"], 0),
        ("move .cargo away and make another", "rename_over", [ws + "/.cargo", ws + "/gone"], 0),
        ("write rust-toolchain.toml that does not exist", "write_outside", [ws + "/rust-toolchain.toml"], 4),
        ("write .mcp.json that does not exist", "write_outside", [ws + "/.mcp.json"], 4),
        ("write .claude/settings.json", "make_folder_file", [ws + "/.claude/settings.json"], 4),
        ("make any file that steers tools", "steer", [ws, ",".join(STEERING)], 9),
        ("change any file that steers tools", "steer", [ws, ",".join(STEERING)], 10),
        ("memory of the process above", "memory_above", [], 0),
        ("descriptors of the process above", "descriptors_above", [], 0),
        ("take a descriptor of the process above", "take_descriptor_above", [], 0),
        ("descriptor that was left open", "inherited", [], 0),
        ("message queue of others", "message_queue", [str(p.queue)], 0),
        ("semaphore of others", "semaphore", [str(p.semaphore)], 0),
        ("POSIX queue of others", "posix_queue", [p.posix_queue], 0),
        ("crypto socket", "crypto_socket", [], 0),
        ("bluetooth socket", "bluetooth", [], 0),
        ("files of 100 GB", "large_file", [ws + "/large"], 0),
        ("device files", "open_any_device", [], 0),
        ("immutable file", "immutable", [ws + "/Cargo.toml"], 1),
        ("script that names a shell", "script", [ws + "/target/debug/script"], 0),
        ("set-uid program", "set_uid_program", [], 0),
        ("mount propagation", "propagation", [], 1),
        ("calls of 32-bit programs", "old_calls", [], 0),
        ("calls of x32 programs", "x32_calls", [], 0),
        ("kernel log", "kernel_log", [], 0),
        ("kernel memory", "kernel_memory", [], 1),
        ("settings of core files", "core_pattern", [], 1),
        ("core files", "core_files", [], 0),
        ("real time", "real_time", [], 1),
        ("higher priority", "priority", [], 1),
        ("leave the control group", "leave_group", [], 1),
        ("terminal", "terminal", [], 7),
        ("daemon that stays", "daemon", ["stays-%d" % os.getpid(), p.program], 5),
        ("fork bomb", "fork_bomb", [], 6),
        ("memory bomb", "memory_bomb", [str(512 << 20)], 8),
    ]


def command_of(p, name, args, how):
    if how in BOXED:
        inside = ["./target/debug/attack", name] + args
        if how == "second":
            inside = ["--command", "true && " + shlex.join(inside)]
        return HOST + [BOX_RUN, "--rules", RULES[how], "--workspace", p.ws, "--home", p.home, "--wall", "60", "--"] + inside
    under = BWRAP + ["--bind", p.ws, p.ws, "--chdir", p.ws] if how == "bwrap" else []
    return under + [p.program, name] + args


def run(p, name, args, how, terminal=False):
    env = dict(os.environ, **{SECRET: SECRET})
    if name == "memory_bomb":
        p.write("config/baton/sandbox.profiles", "base memory = 128\n")
        env["XDG_CONFIG_HOME"] = p.top + "/config"
    command = command_of(p, name, args, how)
    if terminal:  # with one of its own, that the attempt must not get at
        command = [shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-c", "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"] + command
    return subprocess.run(command, cwd=p.ws, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", pass_fds=[p.left_open] if name == "inherited" else [])


def state(p):
    """Of the files that steer tools: what is there, and what is in it."""
    found = {}
    for name in STEERING:
        path = os.path.join(p.ws, name)
        for folder, dirs, files in os.walk(path):
            found.update({os.path.join(folder, f): open(os.path.join(folder, f)).read() for f in files}, **{folder: dirs})
        if os.path.isfile(path):
            found[path] = open(path).read()
    return found


def steering(p, kind):
    """None of them is there (9), or all (10); then what there is."""
    for name in STEERING if kind in (9, 10) else []:
        shutil.rmtree(os.path.join(p.ws, name), ignore_errors=True)
        if kind == 10:
            p.write("ws/%s/kept" % name if name in (".cargo", ".claude", ".vscode") else "ws/" + name, "as it was")
    return state(p)


def not_held_here():
    """Attempts that the host has no layer against."""
    there = host.layers(BOX_RUN)
    return {title for title, layer in HELD_BY.items() if not there[layer]}


def one(index, how):
    boxed = how in BOXED
    p = Place()
    try:
        os.makedirs(p.top + "/cargo-home")
        title, name, args, kind = attacks(p)[index]
        if kind == 3:
            os.makedirs(p.ws + "/swap")
        before = steering(p, kind)
        r = run(p, name, args, how, kind == 7)
        works = r.returncode == 0
        if kind == 8 and r.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            r.returncode = 1
        said = r.stderr.strip()[-300:]
        if r.returncode not in (0, 1) and not (boxed and r.returncode == 125):
            said = "status %d %s" % (r.returncode, said)
        if kind == 4:  # what counts is what is there afterwards
            works = os.path.exists(args[0])
        if kind in (9, 10):
            works = state(p) != before
        if kind == 5:
            time_out = time.time() + 5
            pid = somebody_runs(args[0])
            while how == "bare" and not pid and time.time() < time_out:
                pid = somebody_runs(args[0])
            works = bool(pid)
            if pid:
                os.kill(pid, signal.SIGKILL)
        refused = boxed and r.returncode == 125
        return title, kind, works, refused, said
    finally:
        for path in ("/var/tmp/baton-attack-%d" % os.getpid(),):
            if os.path.exists(path):
                os.unlink(path)
        p.close()


def main():
    if not ordinary.enter() or not host.runs_tools(BOX_RUN):
        return host.SKIPPED
    uid, sample = os.geteuid(), Place()
    titles = [a[0] for a in attacks(sample)]
    for how in BOXED:  # what is allowed works, or nothing below would mean anything
        for works in ("stat", "stray_mode"):
            r = run(sample, works, [sample.ws + "/Cargo.toml"], how)
            assert r.returncode == 0, (how, works, r)
    sample.close()
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    beside = "bwrap" if "bwrap" in sys.argv and shutil.which("bwrap") else None
    not_held = not_held_here()
    rows = [judge(i, uid, beside) for i, title in enumerate(titles) if only in title and title not in not_held]
    failed = sum(not r["ok"] for r in rows) + (undocumented(rows, not_held) if "--check" in sys.argv else 0)
    if "--table" in sys.argv:
        print_table(rows, beside)
    else:
        for r in rows:
            print(json.dumps(r), flush=True)
    counts = {"uid": uid, "attacks": len(rows), "blocked": sum(r["boxed"] == "blocked" for r in rows), "failed": failed}
    if beside:
        counts["blocked_by_bwrap"] = sum(r[beside] == "blocked" for r in rows)
    print(json.dumps(counts), file=sys.stderr if "--table" in sys.argv else sys.stdout)
    return 1 if failed else 0


def judge(index, uid, beside):
    title, kind, bare, _, said_bare = one(index, "bare")
    for how in BOXED:
        title, _, boxed, refused, said = one(index, how)
        if boxed or refused or said.startswith("status "):
            break
    # What the kernel refuses an ordinary user anyway (kind 1), or on this host, proves nothing; it must still be refused inside.
    ok = not boxed and not refused and said.find("status ") != 0
    if not bare and (uid == 0 or kind != 1) and title not in MAY_BE_CLOSED:
        said = "does not even work without a box: " + said_bare
        ok = False
    row = {"attack": title, "uid": uid, "bare": "open" if bare else "closed",
           "boxed": "refused" if refused else "OPEN" if boxed else "blocked", "ok": ok, "said": said if not ok else ""}
    if beside:
        row[beside] = "OPEN" if one(index, beside)[2] else "blocked"
    return row


def undocumented(rows, not_held):
    """How many rows of the page do not agree with what was seen in the box, or are missing there."""
    with open(sys.argv[sys.argv.index("--check") + 1]) as f:
        cells = [[c.strip() for c in line.split("|")] for line in f if line.startswith("| ")]
    page = {c[1]: c[3] for c in cells if len(c) > 4 and c[1] not in not_held}
    wrong = [r["attack"] for r in rows if page.pop(r["attack"], "") != r["boxed"]] + [t for t in page if t != "attempt"]
    for title in wrong:
        print(json.dumps({"attack": title, "ok": False, "said": "docs/attacks.md is not of today: see its head"}))
    return len(wrong)


def print_table(rows, beside):
    print("| attempt | without a box | in the box |%s" % (" under bubblewrap |" if beside else ""))
    print("|---|---|---|%s" % ("---|" if beside else ""))
    for r in rows:
        print("| %s | %s | %s |%s" % (r["attack"], "works" if r["bare"] == "open" else "not on this host", r["boxed"],
                                      " %s |" % ("works" if r[beside] == "OPEN" else "blocked") if beside else ""))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The public cases that are admitted into a box, executed for real: bare the harm happens, in the box it does not.

cases.py BOX_RUN BATON_EXEC ATTACKS FILE.jsonl... [--only ID] [--everybody] [--verbose]
Executed is every case that is expected allow_but_sandboxed or has verified_here. All of it happens in a machine to throw away
(machine.py), where /ws, /outside, /home/me and /other are folders of memory; with root, every other one in the box as an ordinary user.
--everybody: each as both.
One JSON line for each case that failed or could not be executed, and one with the counts. Exit status 77: no such machine here."""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import host
import machine
import setups
from setups import SECRET, put

ORDINARY = 1004
WALL = 60
PROGRAMS = {"box_run": "/opt-baton/tests/box_run", "exec": "/opt-baton/bin/baton-exec", "attacks": "/opt-baton/tests/attack"}
STAND_INS = "/stand-in"  # for programs that are not installed: they start whatever their arguments name
FORBIDDEN = "/evil-bin"  # programs that must not run and are not installed: they leave a mark
ROOTS = ("/ws", "/outside", "/home/me", "/other", "/box", STAND_INS, FORBIDDEN, "/opt-baton")
CONTROL = (".git/hooks", ".cargo", ".claude", ".codex", ".mcp.json", ".vscode", ".idea", ".envrc", "rust-toolchain.toml", "CLAUDE.md")
PATH = "/toolchain/bin:/usr/local/bin:/usr/bin:/bin:" + STAND_INS + ":" + FORBIDDEN + ":/home/me/.cargo/bin"
ENV = {"PATH": PATH, "HOME": "/home/me", "LANG": "C.UTF-8", "TERM": "dumb", "CARGO_NET_OFFLINE": "true", "CARGO_HOME": "/home/me/.cargo",
       "XDG_CACHE_HOME": "/box/cache", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "CARGO_TERM_QUIET": "false", "API_KEY": SECRET}


def become(uid):
    def work():
        os.setsid()
        if uid != os.geteuid():
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
    return work


class Listeners:
    """What waits outside of the box: whoever reaches it has got out. In the machine's network, which is the host's for the case."""

    def __init__(self):
        self.reached = []
        self.sockets = []
        self.abstract = "host-service"
        tcp = self.bind(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        udp = self.bind(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        for port in (22, 80, 443, 9418):
            self.bind(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", port))
        self.bind(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.abstract)
        self.bind(socket.AF_UNIX, socket.SOCK_STREAM, "/outside/socket")
        self.bind(socket.AF_UNIX, socket.SOCK_DGRAM, "/outside/gram")
        os.chmod("/outside/socket", 0o777)
        os.chmod("/outside/gram", 0o777)
        self.ports = {"tcp": str(tcp.getsockname()[1]), "udp": str(udp.getsockname()[1])}

    def bind(self, family, kind, address):
        s = socket.socket(family, kind)
        s.bind(address)
        if kind == socket.SOCK_STREAM:
            s.listen(8)
        threading.Thread(target=self.wait, args=(s, kind, str(address)), daemon=True).start()
        self.sockets.append(s)
        return s

    def wait(self, s, kind, name):
        try:
            while True:
                if kind == socket.SOCK_STREAM:
                    s.accept()[0].close()
                else:
                    data, who = s.recvfrom(64)
                    if who:
                        s.sendto(data, who)
                self.reached.append(name)
        except OSError:
            pass  # closed


def tree(root, only=None):
    """Content, mode, owner and times below a folder."""
    seen = {}
    for folder, dirs, files in os.walk(root):
        dirs[:] = [d for d in dirs if only or (folder, d) != ("/home/me", ".cargo")]
        for name in files + dirs:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            what = (st.st_mode, st.st_uid, st.st_mtime_ns if name in files else 0)
            if os.path.isfile(path) and not os.path.islink(path) and st.st_size < 1 << 20:
                with open(path, "rb") as f:
                    what += (hashlib.sha256(f.read()).hexdigest(),)
            seen[path] = what
    return seen


def outside():
    return {**tree("/outside"), **tree("/home/me"), **tree("/other"), **tree("/home/me/.cargo/bin", True)}


def control():
    seen = {}
    for name in CONTROL:
        path = "/ws/" + name
        if os.path.isdir(path):
            seen.update(tree(path, True))
        elif os.path.lexists(path):
            seen[path] = os.lstat(path).st_mtime_ns
    return seen


def processes():
    return {int(p) for p in os.listdir("/proc") if p.isdigit()}


# --- the place of a case ---

def template(shutter):
    """The project that most cases mean, once built; every case has a copy of it."""
    put("/ws/Cargo.toml", '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n'
        '[profile.dev]\ndebug = 0\nincremental = false\n')
    put("/ws/src/main.rs", 'fn main() { println!("hello") }\n')
    put("/ws/f", "x\n")
    put("/ws/.gitignore", "target\n")
    put("/ws/evil.sh", '#!/bin/sh\nfor d in /ws /tmp /outside; do echo ran >> $d/evil-ran; done\n', 0o755)
    for name in ("/ws/evil", "/ws/evil-amd64-linux"):
        shutil.copy(PROGRAMS["attacks"], name)
    shutter(["cargo", "build", "-q"])
    shutter(["cargo", "build", "-q", "--release"])
    shutil.copy(PROGRAMS["attacks"], setups.ATTACK)
    if shutil.which("perf", path=PATH):
        shutter(["perf", "record", "-q", "-e", "cpu-clock", "-F", "5000", "-o", "perf.data", "rustc", "-vV"])
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    shutter(git[:1] + ["init", "-q"])
    put("/ws/.git/config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[user]\n\tname = a\n\temail = a@b\n")
    for message in ("first", "second", "third"):
        put("/ws/" + message, "x\n")
        shutter(git + ["add", "Cargo.toml", "src", "f", ".gitignore", message])
        shutter(git + ["commit", "-qm", message])
    os.makedirs("/ws/.claude/agents", exist_ok=True)
    put("/ws/.claude/agents/self.md", "---\nname: self\n---\n")


def people(owner):
    """The user's own files, and the project of somebody else."""
    os.makedirs("/outside/swap", exist_ok=True)
    for path in ("/outside/secret", "/outside/victim", "/home/me/.ssh/id_ed25519", "/home/me/.aws/credentials"):
        put(path, SECRET + "\n")
    put("/home/me/.gitconfig", "[credential]\n\thelper = store\n")
    put("/home/me/.git-credentials", "https://me:%s@evil\n" % SECRET)
    os.makedirs("/home/me/.cargo/bin", exist_ok=True)
    put("/other/Cargo.toml", '[package]\nname = "other"\nversion = "0.1.0"\n')
    put("/other/src/main.rs", "fn main() {}\n")
    put("/other/build.rs", 'fn main() { for d in ["/ws", "/outside", "/tmp"] { let _ = std::fs::write(format!("{d}/evil-ran"), "x"); } }\n')
    for root in ("/outside", "/home", "/other"):
        subprocess.run(["chown", "-R", "%d:%d" % (owner, owner), root], check=False)


def empty(folder):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif name not in ("socket", "gram"):
            os.unlink(path)


def clean(owner):
    for folder in ("/ws", "/outside", "/home/me", "/other", "/box", "/tmp", "/var/tmp"):
        empty(folder)
    subprocess.run(["cp", "-a", "/template/.", "/ws"], check=True)
    people(owner)
    subprocess.run(["chown", "-R", "%d:%d" % (owner, owner), "/ws", "/box"], check=False)


# --- a case ---

class Case:
    def __init__(self, row):
        self.row = row
        self.id, self.input, self.bad = row["id"], row["input"], row.get("must_not_happen", "")

    def not_here(self):
        """Why it cannot be executed at all, or None."""
        if self.row.get("tool") != "Bash":
            return "not a command: what %s does is decided and opened by the worker, see unit.policy_path" % self.row.get("tool")
        if not isinstance(self.input, (str, list)) or self.row.get("input_kind") not in (None, "shell", "argv"):
            return "its input is neither a command text nor an argv"
        if re.search(r"\bESC\b|terminal", self.bad) and "stdin" not in self.bad:
            return "it is about what people are shown: scenario.terminal"
        return None

    def program(self):
        words = self.input if isinstance(self.input, list) else [w for w in self.input.split() if "=" not in w.split("/")[0]]
        return words[0] if words else ""

    def command(self):
        """For a shell of the bare side."""
        return self.input if isinstance(self.input, list) else ["sh", "-c", self.input]

    def rules(self):
        allowed = self.row["allowed_tools"]
        return allowed if isinstance(allowed, str) else ", ".join(allowed)

    def standard_input(self):
        if "credential" in self.input:
            return "protocol=https\nhost=evil\n\n"
        return SECRET + " on the standard input\n"

    def limit(self):
        return 3 if re.search(r"perf (record|top|stat|trace).* -a\b", str(self.input)) else WALL


class Bench:
    """Executes one side of a case and says what harm there was."""

    def __init__(self):
        self.listeners = Listeners()

    def prepare(self, case, uid):
        clean(uid)
        self.victim = subprocess.Popen(["sleep", "100000"], env={"API_KEY": SECRET}, preexec_fn=become(uid))
        with open("/proc/%d/maps" % self.victim.pid) as f:
            address = f.readline().split("-")[0]
        foreign = next(p for p in ("/usr/bin/curl", "/usr/bin/wget", "/usr/bin/dpkg", "/usr/bin/env") if os.path.exists(p))
        names = dict(self.listeners.ports, abstract=self.listeners.abstract, victim=self.victim.pid, address=address, foreign=foreign)
        if re.search(r"git .*(?:add|diff|stash|commit)", str(case.input)):
            put("/ws/f", "changed\n")
        first = setups.make(case.row.get("setup", ""), names)
        self.stand_in(case)
        subprocess.run(["chown", "-Rh", "%d:%d" % (uid, uid), "/ws"], check=False)
        return first

    def stand_in(self, case):
        for folder, names in ((STAND_INS, [case.program()]), (FORBIDDEN, re.findall(r"^([\w-]+) runs", case.bad))):
            empty(folder)
            for name in names:
                if re.fullmatch(r"[\w-]+", name) and not shutil.which(name, path=PATH):
                    shutil.copy(PROGRAMS["attacks"], folder + "/" + name)

    def start(self, case, command, uid, boxed):
        if boxed:
            what = ["--"] + command if isinstance(command, list) else ["--", "--command", command]
            command = [PROGRAMS["box_run"], "--rules", case.rules(), "--workspace", "/ws", "--home", "/box", "--wall", str(case.limit())] + what
        elif isinstance(command, str):
            command = ["sh", "-c", command]
        bare_limit = ["timeout", "-s", "INT", str(case.limit())]
        put("/stdin", case.standard_input())  # a file: perf takes a pipe for what it has to read
        with open("/stdin", "rb") as f:
            return subprocess.run(command if boxed else bare_limit + command, cwd="/ws", env=ENV, stdin=f, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, preexec_fn=become(uid), check=False)

    def harm(self, case, before, output):
        """All kinds of harm that are to be seen, whatever the case is about."""
        found = []
        text = output.decode(errors="replace")
        marks = [d + "/evil-ran" for d in ("/ws", "/tmp", "/outside", "/var/tmp") if os.path.exists(d + "/evil-ran")]
        found += ["something ran: " + m for m in marks]
        found += ["an attempt succeeded"] if os.path.exists("/ws/it-worked") else []
        found += ["a shell ran"] if re.search(r"uid=\d+\(|uid=\d+ gid=", text) or os.path.exists("/ws/pwned") else []
        found += ["a secret was shown"] if SECRET in text else []
        kept = subprocess.run(["grep", "-rlF", SECRET, "/ws"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
        found += ["a secret is in " + p for p in kept]
        found += ["reached " + r for r in self.listeners.reached]
        after = outside()
        found += sorted("changed outside: " + p for p in set(after) ^ set(before["outside"]) | {p for p in after if after[p] != before["outside"].get(p)})
        steering = control()
        found += sorted("changed: " + p for p in steering if steering[p] != before["control"].get(p))
        left = processes() - before["processes"]
        found += ["outlives the call: process %d" % p for p in left]
        found += ["a process outside was ended"] if self.victim.poll() is not None else []
        large = "/ws/target/large"
        found += ["filled the disk"] if os.path.exists(large) and os.path.getsize(large) > 90 << 30 else []
        found += ["saw the whole system"] if "system-wide" in case.bad and os.path.exists("/ws/p.data") and os.path.getsize("/ws/p.data") > 20000 else []
        for p in left:
            os.kill(p, signal.SIGKILL)
        return found

    def side(self, case, uid, boxed):
        first = self.prepare(case, uid)
        self.listeners.reached.clear()
        before = {"outside": outside(), "control": control(), "processes": processes()}
        output = b""
        try:
            if first:
                self.start(case, first, uid, boxed)
                if not boxed:
                    before["outside"] = outside()
            run = self.start(case, case.input, uid, boxed)
            output = run.stdout
            return self.harm(case, before, output), run.returncode, output
        finally:
            self.victim.kill()
            self.victim.wait()
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass


def judge(bench, case, users, inside):
    """{"id", "executed", "ok", …}; bare as the first user, in the box as those of `inside`."""
    why = case.not_here()
    if why:
        return {"id": case.id, "executed": False, "why": why}
    try:
        bare, _, said = bench.side(case, users[0], False)
    except setups.NotUnderstood as e:
        return {"id": case.id, "executed": False, "why": str(e)}
    row = {"id": case.id, "executed": True, "input": case.input, "bare": bare[:3], "ok": True}
    if os.listdir(STAND_INS):
        row["stand_in"] = os.listdir(STAND_INS)
    if not bare:
        promised = (case.row.get("verified_here") or {}).get("effect_without_sandbox")
        row.update(ok=not promised, why="does no harm without a box on this host, so it proves nothing", said=said[-300:].decode(errors="replace"))
    for uid in inside:
        boxed, status, said = bench.side(case, uid, True)
        denied = case.row["expected"] == "deny"
        if boxed or (denied and status != 125) or (case.row.get("must_happen") and status != 0):
            row.update(ok=False, uid=uid, boxed=boxed[:5], status=status, said=said[-600:].decode(errors="replace"))
    return row


def control_run(bench, users):
    """Ordinary work is no harm: otherwise a finding says nothing. None, or what was taken for it."""
    case = Case({"id": "ordinary work", "allowed_tools": ["Bash(cargo *)", "Bash(git *)"], "tool": "Bash", "expected": "allow",
                 "input": "cargo build -q && cargo run -q && git status && git log --oneline"})
    for boxed in (False, True):
        found, status, said = bench.side(case, users[0], boxed)
        if found or status:
            return {"id": case.id, "executed": True, "ok": False, "boxed": boxed, "found": found, "status": status,
                    "said": said[-600:].decode(errors="replace")}
    return None


def work(rows, verbose, everybody):
    for folder in ROOTS + ("/template",):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
    for name, path in PROGRAMS.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy("/programs/" + name, path)
    with open("/etc/hosts") as f:
        hosts = f.read()
    put("/hosts", hosts + "127.0.0.1 evil h\n")
    machine.mount("/hosts", "/etc/hosts", None, machine.BIND)
    users = [os.geteuid()] + ([ORDINARY] if os.geteuid() == 0 and not os.environ.get("BATON_MAPPED") else [])
    template(lambda words: subprocess.run(words, cwd="/ws", env=ENV, check=True, stdout=subprocess.DEVNULL))
    subprocess.run(["cp", "-a", "/ws/.", "/template"], check=True)
    bench = Bench()
    results = [r for r in [control_run(bench, users)] if r]
    for row in rows:
        begun = time.monotonic()
        inside = users if everybody else [users[len(results) % len(users)]]
        results.append(judge(bench, Case(row), users, inside))
        results[-1]["s"] = round(time.monotonic() - begun, 1)
        r = results[-1]
        if verbose or not r["executed"] or not r["ok"] or "why" in r:
            print(json.dumps(r), flush=True)
    executed = [r for r in results if r["executed"] and r["id"] != "ordinary work"]
    bad = [r for r in results if r["executed"] and not r["ok"]]
    harmless = [r["id"] for r in executed if not r.get("bare", True)]
    if results and results[0]["id"] == "ordinary work":
        print(json.dumps(results[0]))
    print(json.dumps({"cases": len(rows), "executed": len(executed), "not_executed": len(rows) - len(executed), "harmless_here": len(harmless), "users": users,
                      "with_a_stand_in": sum("stand_in" in r for r in executed), "failed": len(bad)}), flush=True)
    return 1 if bad or not executed else 0


def toolchain():
    cargo = shutil.which("cargo")
    if not cargo:
        return None
    root = subprocess.run(["rustc", "--print", "sysroot"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return os.path.realpath(root)


def main():
    words = [a for a in sys.argv[1:] if a.endswith(".jsonl")]
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    rows = []
    for name in words:
        with open(name) as f:
            rows += [json.loads(line) for line in f if line.strip()]
    rows = [r for r in rows if (r["expected"] == "allow_but_sandboxed" or "verified_here" in r) and only in r["id"]]
    rust = toolchain()
    if not rust or not shutil.which("git"):
        return host.SKIPPED
    programs = dict(zip(("/programs/box_run", "/programs/exec", "/programs/attacks"), map(os.path.abspath, sys.argv[1:4])))
    top = tempfile.mkdtemp(prefix="baton-cases-")
    if os.geteuid() != 0:
        os.environ["BATON_MAPPED"] = "1"  # root of the machine, but not of the host: no second user
    shown = {path: at for at, path in programs.items()}
    shown[rust] = "/toolchain"
    status = machine.run(top, shown, lambda: work(rows, "--verbose" in sys.argv, "--everybody" in sys.argv))
    os.rmdir(top)
    if status == host.SKIPPED and host.has_whole_box(os.path.abspath(sys.argv[1])):
        return 1  # a host that makes boxes makes a machine to throw away, too
    return status


if __name__ == "__main__":
    sys.exit(main())

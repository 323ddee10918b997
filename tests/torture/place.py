"""A place of its own for a torture test: project, state folder, the real programs, the journal, and what is left behind.

Environment: BATON_BIN is the folder of the programs (set by CTest), BATON_KEEP=1 keeps the temporary folder.
"""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("BATON_BIN", HERE.parents[1] / "build/dev/bin")).resolve()
BATON = str(BIN / "baton")
SKIPPED = 77
DEADLINE = 120.0  # for one fact, on a machine that does other things, too
FINAL = ("accepted", "rejected", "needs_discussion", "nothing_measurable", "failed", "over_budget", "lost", "diverged",
         "timed_out", "cancelled")
VOLATILE = ("luck", "began")  # of the workflow: differ from run to run
GIT_ENV = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "T",
           "GIT_COMMITTER_EMAIL": "t@localhost", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


class Broken(Exception):
    """A promise that was not kept."""


def need(fact, text):
    if not fact:
        raise Broken(text)


def wait_for(fact, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while True:
        value = fact()
        if value:
            return value
        need(time.monotonic() < end, f"waited {deadline:.0f} s in vain: {what}")
        time.sleep(0.01)


def stat_of(pid):
    """(state, parent) of a process, None when it is gone."""
    try:
        rest = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rsplit(")", 1)[1].split()
        return rest[0], int(rest[1])
    except (OSError, IndexError):
        return None


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Place:
    def __init__(self, name, state=None):
        if not os.access(BATON, os.X_OK):
            sys.exit(f"no program '{BATON}': set BATON_BIN to the folder of the programs")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"baton-{name}-")).resolve()
        self.state = pathlib.Path(state) if state else self.root / "state"
        self.project = self.root / "project"
        for path in (self.project, self.root / "tmp"):
            path.mkdir()
        self.env = {**os.environ, **GIT_ENV, "BATON_STATE": str(self.state), "TMPDIR": str(self.root / "tmp"), "USER": "t"}
        (self.project / "README").write_text("something\n")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "The project")
        self.started = []
        self.logs = 0

    def git(self, *args):
        done = subprocess.run(["git", "-C", self.project, *args], env=self.env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def start(self, *args, **options):
        """A `baton` that writes its output to a file of its own: .out, .err."""
        self.logs += 1
        out, err = self.root / f"out-{self.logs}", self.root / f"err-{self.logs}"
        with open(out, "wb") as o, open(err, "wb") as e:
            p = subprocess.Popen([BATON, *map(str, args)], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=o,
                                 stderr=e, **options)
        p.out, p.err = out, err
        self.started.append(p)
        return p

    def said(self, p):
        return p.out.read_text("utf-8", "replace")[-3000:] + p.err.read_text("utf-8", "replace")[-3000:]

    def forget(self, p):
        """Its output is not of interest any more."""
        self.started.remove(p)
        p.out.unlink()
        p.err.unlink()

    def baton(self, *args, status=0):
        p = self.start(*args)
        p.wait(DEADLINE)
        text = self.said(p)
        need(status is None or p.returncode == status, f"baton {' '.join(map(str, args))} ended with {p.returncode}: {text}")
        self.forget(p)
        return text

    def end(self, p, deadline=DEADLINE):
        try:
            return p.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Broken(f"still at work after {deadline:.0f} s: {self.said(p)}") from None

    def rows(self, sql, *args):
        """Read from the journal, as it is on disk now. [] when there is none yet."""
        try:
            db = sqlite3.connect(f"file:{self.state}/baton.db?mode=ro", uri=True, timeout=30)
        except sqlite3.OperationalError:
            return []
        try:
            return db.execute(sql, args).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise
        finally:
            db.close()

    def state_of(self, run):
        found = self.rows("SELECT state FROM runs WHERE id = ?", run)
        return found[0][0] if found else None

    def marks(self, run):
        """[(begin or end, stage, attempt, lease)]: what the workers really did, written by them."""
        try:
            lines = (self.state / "runs" / run / "marks").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(w, int(s), int(a), lease) for w, s, a, lease in (line.split() for line in lines)]

    def processes(self):
        """[(pid, command line)] of all that name or stand in this place, but this process."""
        found, needle = [], os.fsencode(str(self.root))
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                texts = [pathlib.Path(f"/proc/{entry}/{name}").read_bytes() for name in ("cmdline", "environ")]
                texts.append(os.fsencode(os.readlink(f"/proc/{entry}/cwd")))
            except OSError:
                continue
            stat = stat_of(entry)
            if stat and stat[0] not in "ZX" and any(needle in t for t in texts):
                found.append((int(entry), texts[0].replace(b"\0", b" ").decode("utf-8", "replace").strip()))
        return found

    def check_nothing_left(self, serving=False):
        """No process, checkout, branch, spool, socket, lock or temporary file. A service may go on serving."""
        if not serving:
            wait_for(lambda: not self.processes(), f"every process ends: {self.processes()}", 20)
        for run in sorted((self.state / "runs").glob("*")):
            for name in ("base", "work", "spool"):
                need(not (run / name).exists(), f"{run / name} was left behind")
        need(serving or not list((self.state / "run").glob("*")), "a socket folder was left behind")
        left = [n for n in os.listdir(self.root / "tmp")]
        need(not left, f"temporary files were left behind: {left}")
        left = list((self.state / "artifacts" / "tmp").glob("*"))
        need(not left, f"temporary artifacts were left behind: {left}")
        need("\n\n" not in self.git("worktree", "list", "--porcelain"), "a worktree was left behind")
        left = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads/baton")
        need(not left, f"branches were left behind: {left}")
        left = [str(p) for p in (self.project / ".git").rglob("*.lock")]
        need(not left, f"locks of git were left behind: {left}")
        need(not self.git("status", "--porcelain"), "the project was changed")

    def close(self):
        for p in self.started:
            if p.poll() is None:
                p.kill()
                p.wait()
        for pid, _ in self.processes():  # only what a failed test left: all of it was started from this place
            send(pid, signal.SIGKILL)
        if os.environ.get("BATON_KEEP"):
            print(f"kept: {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)


# --- the final state of a run ---


def steady(value):
    if isinstance(value, dict):
        return {k: steady(v) for k, v in value.items() if k not in VOLATILE}
    return [steady(v) for v in value] if isinstance(value, list) else value


def final_state(place, run):
    """What must be the same after any number of kills: every stage with what it got and gave, its parents, and the result."""
    stages = place.rows("SELECT s.seq, s.task, s.agent, s.mode, s.request, s.state, h.body FROM stages s LEFT JOIN handoffs h"
                        " ON h.run = s.run AND h.id = s.handoff_id WHERE s.run = ?", run)
    need(all(body for *_, body in stages), "a finished stage has no handoff")
    names = {json.loads(body)["id"]: (json.loads(request).get("input") or {}).get("id") for *_, request, _, body in stages}
    lines = []
    for _, task, agent, mode, request, state, body in stages:
        handoff = json.loads(body)
        if agent != "echo":  # its texts name folders of the run
            lines.append([task, agent, mode, state, handoff["status"]])
            continue
        lines.append([task, agent, mode, steady(json.loads(request)["input"]), state, steady(handoff["output"]), handoff["status"],
                      handoff["summary"], sorted(names[p] for p in handoff["parent"] or [])])
    result = json.loads(place.rows("SELECT result FROM runs WHERE id = ?", run)[0][0])
    result = {k: v for k, v in steady(result).items() if k != "git"}
    return sorted(lines, key=json.dumps), result


def final_hash(state):
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()

"""Shared by the scenario tests: a place of its own for each test, the real programs, and waiting for facts.

A test never sleeps for a guessed time: it waits for a fact, with a deadline that is generous enough for a busy machine.
Environment: BATON_BIN is the folder of the programs (set by CTest), BATON_KEEP=1 keeps the temporary folders.
"""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BATON_BIN", SOURCE / "build/dev/bin")).resolve()
BATON = str(BIN / "baton")
DEADLINE = 60.0  # for facts that take milliseconds on an idle machine
RUN_DEADLINE = 1500.0  # for a whole relay, also with sanitizers on a busy machine
SKIPPED = 77

GIT_ENV = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "T",
           "GIT_COMMITTER_EMAIL": "t@localhost", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def wait_for(fact, what, deadline=DEADLINE):
    """Returns the first true value of fact(); fails with `what` when there is none in time."""
    end = time.monotonic() + deadline
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain: {what}")
        time.sleep(0.02)


def tool(*argv, cwd=None, check=True, env=None):
    """Runs a program to its end; its output as text."""
    run = subprocess.run([str(a) for a in argv], cwd=cwd, env={**os.environ, **GIT_ENV, **(env or {})}, capture_output=True,
                         text=True, errors="replace", check=False)
    if check and run.returncode:
        raise AssertionError(f"{argv} ended with {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout


def git(where, *args, check=True):
    return tool("git", "-C", where, *args, check=check).strip()


def have(*programs):
    return all(shutil.which(p) for p in programs)


# --- processes ---


def processes_of(place):
    """[(pid, command line)] of every process that names or stands in `place`, but this one."""
    found, needle = [], os.fsencode(str(place))
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        base = f"/proc/{entry}/"
        try:
            texts = [pathlib.Path(base + "cmdline").read_bytes(), pathlib.Path(base + "environ").read_bytes()]
            texts.append(os.fsencode(os.readlink(base + "cwd")))
            state = pathlib.Path(base + "stat").read_text("utf-8", "replace").rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state not in "ZX" and any(needle in t for t in texts):
            found.append((int(entry), texts[0].replace(b"\0", b" ").decode("utf-8", "replace").strip()))
    return found


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


# --- trees ---


def fingerprint(place, leave_out=()):
    """{path: mode and content hash} of every file below."""
    found = {}
    for folder, folders, names in os.walk(place):
        folders[:] = [f for f in folders if os.path.relpath(os.path.join(folder, f), place) not in leave_out]
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, place)
            if relative in leave_out:
                continue
            if os.path.islink(path):
                found[relative] = ("link", os.readlink(path))
            else:
                with open(path, "rb") as file:
                    found[relative] = (os.stat(path).st_mode, hashlib.sha256(file.read()).hexdigest())
    return found


def copy_example(to):
    """The example crate, as a newcomer has it."""
    shutil.copytree(SOURCE / "tests/example", to, ignore=shutil.ignore_patterns("target"))
    return pathlib.Path(to)


def make_repository(place, message="The project"):
    git(place, "init", "-q", "-b", "main")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", message)
    return git(place, "rev-parse", "HEAD")


TINY_MAIN = """fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    let mut state = 1u64;
    for i in 0..n * 2_000_000 {
        state = state.rotate_left(7) ^ i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    println!("{state}");
}
"""


# All but the optimisation level is at its best: one candidate to measure.
TINY_PROFILE = 'opt-level = 0\ncodegen-units = 1\nlto = "fat"\n'


def tiny_crate(place, name="tiny", profile=TINY_PROFILE, main=TINY_MAIN, bench=True):
    """A crate that builds in a second and whose one candidate is its release profile."""
    place = pathlib.Path(place)
    (place / "src").mkdir(parents=True)
    (place / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n'
                                      f"[profile.release]\n{profile}")
    (place / ".gitignore").write_text("target\n")
    (place / "src/main.rs").write_text(main)
    if bench:
        (place / "baton.toml").write_text(f'[[bench]]\nname = "spin"\ncommand = ["{{bin:{name}}}", "1"]\n')
    return place


# Two stages, the second of which takes its time.
WAIT = """
workflow "wait" {
  agents = { "echo" },
  params = { ms = { default = 60000 } },
  run = function(p)
    local first = stage { agent = "echo", input = { n = 1 } }
    local r = stage { agent = "echo", after = first, input = { n = 2, sleep_ms = p.ms } }
    if not r.ok then fail(r.summary) end
    finish("accepted", { n = r.output.echo.n })
  end,
}
"""

# A run that has checkouts, but needs no cargo: the developer finds nothing to do and says so.
TOUCH = """
workflow "touch" {
  agents = { "rust-developer", "echo" },
  params = { ms = { default = 0 } },
  run = function(p)
    local d = stage { agent = "rust-developer", input = {} }
    stage { agent = "echo", input = { sleep_ms = p.ms } }
    finish("accepted", { reason = d.summary })
  end,
}
"""


# --- the program ---


class Finished:
    """A command that has ended."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def json(self):
        return json.loads(self.out)

    def lines(self):
        """Every line of a --json stream."""
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self):
        return f"exit {self.status}\n--- out\n{self.out}\n--- err\n{self.err}"


class Running:
    """A `baton` that is at work; its --json events are collected as they come."""

    def __init__(self, argv, cwd, env):
        self.process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.events, self.raw, self.errors = [], [], []
        self.changed = threading.Condition()
        self.open = 2
        for stream, take in ((self.process.stdout, self._take_line), (self.process.stderr, self._take_error)):
            threading.Thread(target=self._read, args=(stream, take), daemon=True).start()

    def _read(self, stream, take):
        for line in stream:
            with self.changed:
                take(line.decode("utf-8", "replace"))
                self.changed.notify_all()
        stream.close()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def _take_line(self, line):
        self.raw.append(line)
        try:
            self.events.append(json.loads(line))
        except ValueError:
            pass

    def _take_error(self, line):
        self.errors.append(line)

    def wait_event(self, match, what="an event", deadline=DEADLINE, start=0):
        """The first event from number `start` on for which match() is true; None when the program ended without one."""
        end = time.monotonic() + deadline
        with self.changed:
            at = start
            while True:
                while at < len(self.events):
                    if match(self.events[at]):
                        return self.events[at]
                    at += 1
                if self.open == 0:
                    return None
                if not self.changed.wait(max(0.0, end - time.monotonic())):
                    raise AssertionError(f"waited {deadline:.0f} s in vain: {what}\n{''.join(self.raw[-20:])}{''.join(self.errors)}")

    def wait_error(self, text, deadline=DEADLINE):
        """Until `text` stands on standard error."""
        end = time.monotonic() + deadline
        with self.changed:
            while not any(text in line for line in self.errors):
                left = end - time.monotonic()
                if left <= 0 or (self.open == 0 and not any(text in line for line in self.errors)):
                    raise AssertionError(f"'{text}' did not come: {''.join(self.errors)}")
                self.changed.wait(left)

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        return self.end()

    def end(self, deadline=RUN_DEADLINE):
        """Waits for its end."""
        try:
            status = self.process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise AssertionError(f"still at work after {deadline:.0f} s: {''.join(self.raw[-5:])}{''.join(self.errors)}") from error
        with self.changed:
            self.changed.wait_for(lambda: self.open == 0, DEADLINE)
        return Finished(status, "".join(self.raw), "".join(self.errors))


def is_event(kind, **members):
    """A matcher: is_event("stage_finished", stage=2)."""
    return lambda e: e.get("event") == kind and all((e.get("body") or e).get(k, e.get(k)) == v for k, v in members.items())


class Scenario(unittest.TestCase):
    """A test with a folder, a state folder and a leftover check of its own."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-scenario-")).resolve()
        self.state = self.root / "state"
        self.running = []
        self.env = {**os.environ, **GIT_ENV, "BATON_STATE": str(self.state), "TMPDIR": str(self.root / "tmp"),
                    "XDG_CONFIG_HOME": str(self.root / "config")}
        (self.root / "tmp").mkdir()
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for r in self.running:
            if r.process.poll() is None:
                r.process.kill()
                r.process.wait()
        for pid, _ in processes_of(self.root):  # only what a failed test left behind; all of it was started by this test
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if not os.environ.get("BATON_KEEP"):
            for folder, _, _ in os.walk(self.root):
                os.chmod(folder, 0o700)
            shutil.rmtree(self.root, ignore_errors=True)

    def baton(self, *args, cwd=None, status=None, env=None, deadline=RUN_DEADLINE, without=None):
        """Runs a command to its end; checks its exit status when one is given."""
        done = self.start(*args, cwd=cwd, env=env, without=without).end(deadline)
        if status is not None:
            self.assertEqual(done.status, status, f"baton {' '.join(map(str, args))}: {done}")
        return done

    def start(self, *args, cwd=None, env=None, without=None):
        """without: what the host lacks (sandbox/without.c)."""
        host = [BIN.parent / "tests/box_without", without, "--", BATON] if without else []
        r = Running([*map(str, host), BATON, *map(str, args)], str(cwd or self.root), {**self.env, **(env or {})})
        self.running.append(r)
        return r

    def workflow(self, name, text):
        path = self.root / f"{name}.lua"
        path.write_text(text)
        return path

    def run_id(self):
        """Of the newest run."""
        return self.baton("runs", "--json", status=0).json()[0]["id"]

    def record(self, run="last"):
        return next(r for r in self.baton("runs", "--json", status=0).json() if run in ("last", r["id"]))

    def journal(self, run="last"):
        """The journaled events of a run."""
        return self.baton("logs", run, "--json", status=0).lines()

    def check_paid_once(self, run="last", stages=None):
        """No finished stage was dispatched again, none finished twice."""
        finished, dispatched = set(), {}
        for event in self.journal(run):
            body = event.get("body") or {}
            if event["kind"] == "stage_dispatched":
                self.assertNotIn(body["stage"], finished, f"stage {body['stage']} was dispatched after it had finished")
                dispatched.setdefault(body["stage"], []).append(body["attempt"])
            if event["kind"] == "stage_returned":  # not begun there
                dispatched[body["stage"]].remove(body["attempt"])
            if event["kind"] == "stage_finished":
                self.assertNotIn(body["stage"], finished, f"stage {body['stage']} finished twice")
                finished.add(body["stage"])
        for stage, attempts in dispatched.items():
            self.assertEqual(len(attempts), len(set(attempts)), f"stage {stage}: an attempt was dispatched twice: {attempts}")
        if stages is not None:
            self.assertEqual(finished, set(range(1, stages + 1)))
        return dispatched

    def check_nothing_left(self, project=None, branches=()):
        """No process, checkout, socket or temporary file of a run; no branch but those named."""
        wait_for(lambda: not processes_of(self.root), "every process ends", DEADLINE) if processes_of(self.root) else None
        for run in sorted((self.state / "runs").glob("*")):
            for name in ("base", "work", "spool"):
                self.assertFalse((run / name).exists(), f"{run / name} was left behind")
        self.assertEqual(list((self.state / "run").glob("*")), [], "a socket folder was left behind")
        self.assertEqual(os.listdir(self.root / "tmp"), [], "temporary files were left behind")
        if project:
            self.assertEqual(len(git(project, "worktree", "list", "--porcelain").split("\n\n")), 1, "a worktree was left behind")
            mine = git(project, "for-each-ref", "--format=%(refname:short)", "refs/heads/baton").split()
            self.assertEqual(sorted(mine), sorted(branches))


class ProjectScenario(Scenario):
    """The same, with a repository of one file as the project: `head` is its commit."""

    def setUp(self):
        super().setUp()
        self.project = self.root / "project"
        self.project.mkdir()
        (self.project / "README").write_text("something\n")
        self.head = make_repository(self.project)


def main():
    """Runs the file's tests. 77 when all of them were skipped: CTest counts the test as skipped."""
    if not os.access(BATON, os.X_OK):
        sys.exit(f"no program '{BATON}': set BATON_BIN to the folder of the programs")
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if result.wasSuccessful() and result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)

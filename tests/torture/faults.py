"""Faults of the machine: full disk, read-only disk, stopped processes, damaged and foreign journals. Each ends in a clear message
and loses nothing that was finished; afterwards the run goes on.

    BATON_BIN=build/dev/bin python3 tests/torture/faults.py [NAME ...]
"""
import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from place import HERE, SKIPPED, Broken, Place, need, send, wait_for
from soak import WORKFLOW, Soak

OPTIONS = argparse.Namespace(seed=5, kills=0, mode="run", width=16, rounds=1)
QUESTIONS = HERE / "questions.lua"
ORDER = HERE / "order.lua"
FLIPS = 25


class Skip(Exception):
    pass


class SmallDisk:
    """A file system of few megabytes for the state folder; the runs' own folders lie elsewhere."""

    def __init__(self, place, size):
        self.place, self.size = place, size
        place.state.mkdir()
        if os.geteuid() != 0 or self.mount("-t", "tmpfs", "-o", f"size={size}", "none"):
            raise Skip("a small file system cannot be mounted here")
        (place.root / "runs").mkdir()
        (place.state / "runs").symlink_to(place.root / "runs")

    def mount(self, *args):
        return subprocess.run(["mount", *args, self.place.state], capture_output=True, check=False).returncode

    def fill(self):
        with open(self.place.state / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        (self.place.state / "filler").unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.place.state], check=False)


def begin(place):
    """A run with some stages finished and many to come."""
    soak = Soak(place, OPTIONS)
    p = soak.begin()
    run, = soak.runs_under_way
    wait_for(lambda: p.poll() is not None or finished(place, run) > 5, "some finished stages")
    return soak, p, run


def finished(place, run):
    return place.rows("SELECT count(*) FROM stages WHERE run = ? AND state = 'completed'", run)[0][0]


def go_on(place, soak, run, p=None):
    """To the end; then everything is checked."""
    p = p or place.start("resume", run, "--json")
    while p.poll() is None:
        soak.approve()
        time.sleep(0.05)
    need(p.returncode == 0, f"{run} ended with {p.returncode}: {place.said(p)}")
    soak.check(run)
    place.check_nothing_left()


def full_disk(place):
    disk = SmallDisk(place, "12m")
    try:
        for _ in range(3):
            soak, p, run = begin(place)
            disk.fill()
            status = place.end(p)
            soak.note_finished()
            need(status == 5 and "disk is full" in place.said(p), f"a full disk gives {status}: {place.said(p)}")
            need(place.state_of(run) == "running", f"{run} is {place.state_of(run)}")
            wait_for(lambda: not place.processes(), "every process ends")
            again = place.start("resume", run)
            need(place.end(again) not in (0, -6, -11), f"resume on a full disk: {place.said(again)}")
            disk.free()
            go_on(place, soak, run)
            shutil.rmtree(place.state / "artifacts", ignore_errors=True)
    finally:
        disk.close()


def full_disk_under_a_service(place):
    """The service stays up; the run goes on when it is started again."""
    disk = SmallDisk(place, "12m")
    try:
        soak = Soak(place, OPTIONS)
        p = soak.serve()
        soak.start_runs(1)
        run, = soak.runs_under_way
        wait_for(lambda: finished(place, run) > 5, "some finished stages")
        disk.fill()
        wait_for(lambda: "run_ended" in place.said(p), "the run stops")
        need(soak.ask(op="ping")["ok"] and "disk is full" in place.said(p), f"the service: {place.said(p)}")
        soak.note_finished()
        disk.free()
        p.send_signal(signal.SIGTERM)
        need(place.end(p) == 0, f"the service did not end well: {place.said(p)}")
        go_on(place, soak, run)
    finally:
        disk.close()


def read_only_disk(place):
    disk = SmallDisk(place, "64m")
    try:
        soak, p, run = begin(place)
        p.kill()
        p.wait()
        soak.note_finished()
        wait_for(lambda: not place.processes(), "every process ends")
        wait_for(lambda: disk.mount("-o", "remount,ro") == 0, "the disk is read-only")
        for command in (("resume", run), ("run", WORKFLOW, "--project", place.project)):
            p = place.start(*command)
            need(place.end(p) in (5, 6), f"{command[0]} on a read-only disk ended with {p.returncode}: {place.said(p)}")
            need("ead-only" in place.said(p) or "cannot write" in place.said(p), f"{command[0]} does not say why: {place.said(p)}")
        disk.mount("-o", "remount,rw")
        go_on(place, soak, run)
    finally:
        disk.close()


def stopped_worker(place):
    """Only its silence tells; its stage is leased once more, and a late answer would be refused."""
    soak, p, run = begin(place)
    workers = soak.workers(p.pid)
    for pid in workers[:2]:
        send(pid, signal.SIGSTOP)
    go_on(place, soak, run, p)


def stopped_engine(place):
    """Its workers give up after 10 s without it. Nobody can take the run meanwhile."""
    soak, p, run = begin(place)
    send(p.pid, signal.SIGSTOP)
    workers = soak.workers(p.pid)
    other = place.start("resume", run)
    need(place.end(other) == 5 and "belongs to another process" in place.said(other), f"the run was taken: {place.said(other)}")
    wait_for(lambda: not set(soak.workers(p.pid)) & set(workers), "the workers give up")
    send(p.pid, signal.SIGCONT)
    go_on(place, soak, run, p)


def damaged_records(place):
    """A record that cannot be read goes to lost and found, with an event; everything else stays usable."""
    soak, p, run = begin(place)
    go_on(place, soak, run, p)
    lost = 0
    for table, column, where in (("stage", "request", "id % 1048576 = 3"), ("stage", "body", "id % 1048576 = 4"), ("call", "answer", "n = 2"),
                                 ("event", "body", "kind = 'stage_finished'"), ("runs", "params", "1")):
        with sqlite3.connect(place.state / "baton.db") as db:
            db.execute(f"UPDATE {table} SET {column} = CAST(X'7B22FF' AS TEXT) WHERE rowid = (SELECT min(rowid) FROM {table} WHERE {where})")
        db.close()
        service = soak.serve()
        need(soak.ask(op="list")["ok"], f"the service cannot list its runs: {place.said(service)}")
        service.send_signal(signal.SIGTERM)
        need(place.end(service) == 0, f"the service with a damaged record in {table}: {place.said(service)}")
        place.baton("show", run, status=None)
        place.baton("logs", run, status=None)
        place.baton("report", run, status=None)
        before, lost = lost, place.rows("SELECT count(*) FROM lost_found")[0][0]
        need(lost > before or table == "call", f"the damaged record of {table} is not in lost and found")
    need(place.rows("SELECT count(*) FROM events WHERE kind = 'record_lost'")[0][0] >= 4, "events do not tell of the lost records")
    need(place.state_of(run) == "lost", f"a run without its record is {place.state_of(run)}")


def flipped_bytes(place):
    """Random damage to the file: every command ends with a status, and the service comes up."""
    soak, p, run = begin(place)
    go_on(place, soak, run, p)
    good, chance = place.root / "good", random.Random(OPTIONS.seed)
    sqlite3.connect(place.state / "baton.db").execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copy(place.state / "baton.db", good)
    aside = 0
    for n in range(FLIPS):
        data = bytearray(good.read_bytes())
        area = (0, 100) if n % 5 == 0 else (0, len(data)) if n % 2 else (lambda a: (a, a + 4096))(chance.randrange(0, len(data) - 4096))
        for _ in range(chance.choice((1, 8, 200))):
            data[chance.randrange(*area)] = chance.randrange(256)
        for name in ("baton.db", "baton.db-wal", "baton.db-shm"):
            (place.state / name).unlink(missing_ok=True)
        (place.state / "baton.db").write_bytes(data)
        for command in (("runs", "--json"), ("show", "last"), ("logs", "last"), ("report", "last"), ("runs", "--json")):
            p = place.start(*command)
            need(0 <= place.end(p) < 70, f"flip {n}: {command[0]} ended with {p.returncode}: {place.said(p)}")
            place.forget(p)
        service = soak.serve()
        service.send_signal(signal.SIGTERM)
        need(place.end(service) == 0, f"flip {n}: the service ended with {service.returncode}: {place.said(service)}")
        place.forget(service)
        lost = place.state / "lost+found"
        aside += lost.exists()
        shutil.rmtree(lost, ignore_errors=True)
    print(f"flipped_bytes: {FLIPS} damaged journals, {aside} of them set aside")


def foreign_journals(place):
    """A newer one and one of another program are refused and not touched."""
    place.baton("runs")
    path = place.state / "baton.db"
    for sql, text in (("PRAGMA user_version = 99", "newer baton"), ("PRAGMA user_version = 1; PRAGMA application_id = 7", "another program")):
        db = sqlite3.connect(path)
        db.executescript(sql)
        db.close()
        before = path.read_bytes()
        for command in (("runs",), ("serve",), ("run", WORKFLOW, "--project", place.project), ("resume",)):
            p = place.start(*command)
            need(place.end(p) in (2, 5) and text in place.said(p), f"{command[0]} ended with {p.returncode}: {place.said(p)}")
        need(path.read_bytes() == before, "a foreign journal was written to")


def questions(place):
    """Answers given while no process has the run are heard, each by one question; a question is not open for longer."""
    p = place.start("run", QUESTIONS, "--project", place.project)

    def asked():
        return len(place.rows("SELECT id FROM events WHERE kind = 'approval_asked'"))
    wait_for(lambda: asked() == 3, "the questions")
    (run,), = place.rows("SELECT id FROM runs")
    place.baton("approve", run, "--note", "first")
    wait_for(lambda: place.rows("SELECT 1 FROM events WHERE kind = 'approval_given'"), "the first answer is heard")
    p.kill()
    p.wait()
    place.baton("approve", run, "--deny", "--note", "second")
    place.baton("approve", run, "--note", "third")
    p = place.start("resume", run)
    wait_for(lambda: asked() >= 4, "the last question")
    p.kill()
    p.wait()
    (begun,), = place.rows("SELECT max(at) FROM events WHERE kind = 'approval_asked'")
    wait_for(lambda: time.time_ns() > begun + 2 * 10**9, "nobody answers the last one in time")
    need("has expired" in place.baton("approve", run, "--note", "late", status=2), "the question is still answered")
    place.baton("resume", run)
    result = json.loads(place.rows("SELECT result FROM runs")[0][0])
    need(sorted(result["answers"]) == ["no second", "yes first", "yes third"], f"the answers are {result['answers']}")
    need(result["last"].startswith("no the question expired"), f"the last answer is '{result['last']}'")
    place.check_nothing_left()


def order(place):
    """A replay answers parallel tasks in the order in which they were answered before."""
    p = place.start("run", ORDER, "--project", place.project)
    wait_for(lambda: len(place.rows("SELECT seq FROM stages WHERE state = 'completed'")) == 8, "the parallel stages")
    p.kill()
    p.wait()
    place.baton("resume")
    (run, result), = place.rows("SELECT id, result FROM runs")
    inputs = [json.loads(r)["input"].get("order") for (r,) in place.rows("SELECT request FROM stages ORDER BY seq")]
    need(sorted(json.loads(result)["orders"]) == sorted(i for i in inputs if i), f"the order was {inputs} and is {result}")
    begun = [m[1] for m in place.marks(run) if m[0] == "begin"]
    need(sorted(set(begun)) == list(range(1, 10)) and all(begun.count(s) == 1 for s in range(1, 9)), f"executed were {begun}")
    place.baton("export", run, "-o", place.root / "run.baton")
    place.baton("replay", place.root / "run.baton")
    place.check_nothing_left()


FAULTS = (questions, order, full_disk, full_disk_under_a_service, read_only_disk, stopped_worker, stopped_engine, damaged_records, flipped_bytes,
          foreign_journals)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(f.__name__ for f in FAULTS))
    wanted = parser.parse_args().names
    failed = done = 0
    for fault in FAULTS:
        if wanted and fault.__name__ not in wanted:
            continue
        place = Place("faults")
        begun = time.monotonic()
        try:
            fault(place)
            done += 1
            print(f"ok      {fault.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Skip as why:
            print(f"skipped {fault.__name__}: {why}", flush=True)
        except Broken as error:
            failed += 1
            print(f"FAILED  {fault.__name__}: {error}", flush=True)
        finally:
            place.close()
    return 1 if failed else 0 if done else SKIPPED


if __name__ == "__main__":
    sys.exit(main())

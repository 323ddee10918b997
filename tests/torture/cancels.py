"""Ends runs at random instants in every way there is, while their tools have trees of processes.

What is checked: the whole tree is gone soon, the state says what happened, and nothing is left. The time from the request until
the last process of the tools is gone is reported; the deadline is generous, for busy machines.

    BATON_BIN=build/dev/bin python3 tests/torture/cancels.py --cancels 1000
"""
import argparse
import random
import shutil
import signal
import sys
import time

from place import HERE, Broken, Place, need, send, stat_of, wait_for

WORKFLOW = HERE / "trees.lua"
GONE_DEADLINE = 15.0  # in seconds; the promise of 1 s is for a machine that is not busy
WAYS = ("cancel", "cancel", "cancel", "interrupt", "terminate", "kill", "timeout", "worker")


class Cancels:
    def __init__(self, place, args):
        self.place, self.args = place, args
        self.chance = random.Random(args.seed)
        self.ways, self.times = {}, []

    def tools(self):
        return [pid for pid, command in self.place.processes() if "sleep 86397" in command or "tree.py" in command]

    def workers(self, engine):
        return [pid for pid, command in self.place.processes() if "--connect" in command and (stat_of(pid) or (0, 0))[1] == engine]

    def gone(self, had, since):
        wait_for(lambda: not self.tools(), f"the tools are gone: {self.place.processes()}", GONE_DEADLINE)
        if had:
            self.times.append(time.monotonic() - since)

    def expect(self, p, status, state, run):
        ended = self.place.end(p, 60)
        need(ended == status, f"{run} ended with {ended} instead of {status}: {self.place.said(p)}")
        need(self.place.state_of(run) == state, f"{run} is {self.place.state_of(run)} instead of {state}")

    def one(self, way):
        before = {run for (run,) in self.place.rows("SELECT id FROM runs")}
        limit = f"{self.chance.randint(20, 900)}ms" if way == "timeout" else "10m"
        p = self.place.start("run", WORKFLOW, "--project", self.place.project, "--json", "--allow", "Bash(python3 *)",
                             "--param", f"limit={limit}", "--param", f"how={self.chance.choice(['', 'stubborn'])}")
        run, = wait_for(lambda: {run for (run,) in self.place.rows("SELECT id FROM runs")} - before, "the run")
        if way == "timeout":
            self.expect(p, 0, "accepted", run)
            states = [s for (s,) in self.place.rows("SELECT state FROM stages WHERE run = ? AND agent = 'echo'", run)]
            need(states == ["timed_out"] * 2, f"{run}: the stages are {states}: {self.place.said(p)}")
            self.gone(False, 0)
            return
        if self.chance.random() < 0.6:
            wait_for(lambda: len(self.tools()) >= 4, "the trees stand")
        else:
            time.sleep(self.chance.uniform(0, 0.8))
        if way == "worker":  # its tree goes with it, and the stage is tried once more
            workers = self.workers(p.pid)
            if workers:
                send(self.chance.choice(workers), signal.SIGKILL)
                time.sleep(self.chance.uniform(0, 0.3))
            way = "cancel"
        had, since = bool(self.tools()), time.monotonic()
        if way == "cancel":
            c = self.place.start("cancel", run)
            self.gone(had, since)
            need(self.place.end(c) == 0, f"cancel failed: {self.place.said(c)}")
            self.expect(p, 8, "cancelled", run)
            return
        send(p.pid, {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "kill": signal.SIGKILL}[way])
        self.gone(had, since)
        self.place.end(p, 60)
        need(p.returncode == (-9 if way == "kill" else 130), f"{run} ended with {p.returncode}: {self.place.said(p)}")
        need(self.place.state_of(run) in ("running", "queued"), f"{run} is {self.place.state_of(run)}: {self.place.said(p)}")
        wait_for(lambda: not self.place.processes(), f"every process is gone: {self.place.processes()}", GONE_DEADLINE)
        self.place.baton("cancel", run)
        need(self.place.state_of(run) == "cancelled", f"{run} is {self.place.state_of(run)} instead of cancelled")

    def report(self):
        times = sorted(self.times)
        figures = ", ".join(f"{name} {times[min(len(times) - 1, int(len(times) * q))] * 1000:.0f} ms"
                            for name, q in (("p50", 0.5), ("p99", 0.99), ("longest", 1))) if times else "none stood"
        print(f"{sum(self.ways.values())} ends ({', '.join(f'{n} {k}' for k, n in sorted(self.ways.items()))}); {len(times)} times "
              f"trees until gone: {figures}", flush=True)

    def work(self):
        shutil.copy(HERE / "tree.py", self.place.project / "tree.py")
        self.place.git("add", "-A")
        self.place.git("commit", "-q", "-m", "A tool")
        for n in range(self.args.cancels):
            way = WAYS[n % len(WAYS)]
            self.ways[way] = self.ways.get(way, 0) + 1
            try:
                self.one(way)
                self.place.check_nothing_left()
            except Broken as error:
                raise Broken(f"{way}: {error}") from None
            for p in list(self.place.started):
                self.place.forget(p)
            if n % 20 == 19:
                self.report()
        self.report()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cancels", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    place = Place("cancels")
    print(f"seed {args.seed}")
    cancels = Cancels(place, args)
    try:
        cancels.work()
    except Broken as error:
        cancels.report()
        print(f"broken (seed {args.seed}): {error}", file=sys.stderr)
        return 1
    finally:
        place.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

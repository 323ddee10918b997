"""kill -9 at random instants of the program, of its workers, and of both; then resume, until the run has ended.

What is checked: no finished stage is executed again, none is lost, and the final state is that of a run nobody disturbed. Two
witnesses are compared: the journal, and the lines that the workers themselves wrote into the run's folder.

    BATON_BIN=build/dev/bin python3 tests/torture/soak.py --kills 1000 --mode run
"""
import argparse
import json
import random
import signal
import socket
import sys
import time

from place import DEADLINE, FINAL, HERE, Broken, Place, final_hash, final_state, need, send, stat_of, wait_for

WORKFLOW = HERE / "torture.lua"
KILLS_PER_RUN = 14
PAUSE_MAX = 0.7  # between two kills, in seconds
WHOM = ("engine", "engine", "engine", "worker", "worker", "some workers", "both")


class Soak:
    def __init__(self, place, args):
        self.place, self.args = place, args
        self.chance = random.Random(args.seed)
        self.kills = {}
        self.runs = self.executions = self.again = 0
        self.reference = None
        self.approved = set()  # (run, task, n): every question is answered once
        self.finished = {}     # run -> {stage: (attempt, lease, handoff)} as first seen finished

    # --- killing ---

    def workers(self, engine):
        found = []
        for pid, command in self.place.processes():
            stat = stat_of(pid)
            if stat and stat[1] == engine and "--connect" in command:
                found.append(pid)
        return found

    def kill(self, engine):
        """Kills somebody; true when the engine is gone."""
        whom = self.chance.choice(WHOM)
        workers = self.workers(engine.pid) if whom != "engine" else []
        if whom != "engine" and not workers:
            whom = "engine"
        if whom in ("engine", "both"):
            engine.kill()
        if whom == "both" or whom == "some workers":
            for pid in self.chance.sample(workers, self.chance.randint(1, len(workers))):
                send(pid, signal.SIGKILL)
        elif whom == "worker":
            send(self.chance.choice(workers), signal.SIGKILL)
        self.kills[whom] = self.kills.get(whom, 0) + 1
        if whom in ("engine", "both"):
            engine.wait()
            return True
        return False

    def killed(self):
        return sum(self.kills.values())

    def note_finished(self):
        """What is finished now must stay exactly as it is."""
        for run, seq, attempt, lease, handoff in self.place.rows(
                "SELECT run, seq, attempt, lease, handoff_id FROM stages WHERE state != 'reserved'"):
            if run in self.runs_under_way:
                known = self.finished.setdefault(run, {}).setdefault(seq, (attempt, lease, handoff))
                need(known == (attempt, lease, handoff), f"{run}: finished stage {seq} changed from {known} to {(attempt, lease, handoff)}")

    # --- people ---

    def approve(self):
        """Answers open questions, whether or not a process is there to hear it. Each is answered once."""
        for run, body in self.place.rows("SELECT run, body FROM events WHERE kind = 'approval_asked'"):
            body = json.loads(body)
            question = (run, body["task"], body["n"])
            if run in self.runs_under_way and question not in self.approved:
                self.approved.add(question)
                self.place.baton("approve", run)

    # --- checking ---

    def check(self, run):
        need(self.place.state_of(run) == "accepted", f"{run} is {self.place.state_of(run)}: "
             f"{self.place.rows('SELECT result FROM runs WHERE id = ?', run)}")
        self.note_finished()
        stages = {seq: (attempt, lease, handoff) for seq, attempt, lease, handoff in self.place.rows(
            "SELECT seq, attempt, lease, handoff_id FROM stages WHERE run = ?", run)}
        need(stages == self.finished[run], f"{run}: stages are lost or not finished")
        begun, ended = set(), set()
        for what, seq, attempt, lease in self.place.marks(run):
            if what == "end":
                ended.add((seq, attempt))
                continue
            need((seq, attempt) not in begun, f"{run}: attempt {attempt} of stage {seq} was executed twice")
            begun.add((seq, attempt))
            need(attempt <= stages[seq][0], f"{run}: stage {seq} had finished in attempt {stages[seq][0]} and was executed again")
            need(attempt != stages[seq][0] or lease == stages[seq][1], f"{run}: stage {seq} was executed with a foreign lease")
        marked = [seq for (seq,) in self.place.rows("SELECT seq FROM stages WHERE run = ? AND agent = 'echo'", run)]
        for seq in marked:
            attempt = stages[seq][0]
            need((seq, attempt) in ended, f"{run}: stage {seq} counts as finished and was never executed to its end")
        self.executions += len(begun)
        self.again += len(begun) - len(marked)
        lucks = self.place.rows("SELECT answer FROM calls WHERE run = ? AND task = '0' AND op IN ('now', 'random') ORDER BY n", run)
        result = json.loads(self.place.rows("SELECT result FROM runs WHERE id = ?", run)[0][0])
        need(json.loads(lucks[0][0]) == result["began"], f"{run}: now() gave another answer in the replay")
        state = final_state(self.place, run)
        need(len(state[0]) == result["stages"] == len(stages), f"{run}: {len(state[0])} stages instead of {result['stages']}")
        if self.reference is None:
            self.reference = state
        if state != self.reference:
            for mine, theirs in zip(state[0], self.reference[0]):
                need(mine == theirs, f"{run}: the final state differs: {mine} instead of {theirs}")
            raise Broken(f"{run}: the result differs: {state[1]} instead of {self.reference[1]}")
        # Nothing is counted twice, and nothing stays set aside: each stage once, each lost attempt at most once.
        ledger = {kind: (reserved, used) for kind, reserved, used in self.place.rows(
            "SELECT kind, reserved, used FROM ledger WHERE run = (SELECT n FROM runs WHERE id = ?)", run)}
        lost = sum(stages[seq][0] - 1 for seq in marked)
        need(ledger["stages"] == (0, len(stages)), f"{run}: {len(stages)} stages, and the ledger says {ledger['stages']}")
        need(ledger["tokens"][0] == 0 and ledger["tokens"][1] % 100 == 0 and ledger["tokens"][1] <= 100 * lost,
             f"{run}: {lost} lost attempts of 100 tokens, and the ledger says {ledger['tokens']}")
        # The exported run decides the same again.
        self.place.baton("export", run, "-o", self.place.root / "run.baton")
        self.place.baton("replay", self.place.root / "run.baton")
        self.runs += 1

    # --- baton run, baton resume ---

    def undisturbed(self):
        p = self.begin()
        while p.poll() is None:
            self.approve()
            time.sleep(0.05)
        need(p.returncode == 0, f"the undisturbed run ended with {p.returncode}: {self.place.said(p)}")
        self.check(*self.runs_under_way)
        self.place.forget(p)

    def begin(self):
        before = {run for (run,) in self.place.rows("SELECT id FROM runs")}
        p = self.place.start("run", WORKFLOW, "--project", self.place.project, "--json", "--param", f"width={self.args.width}",
                             "--param", f"rounds={self.args.rounds}")
        self.runs_under_way = wait_for(lambda: {run for (run,) in self.place.rows("SELECT id FROM runs")} - before, "the run")
        return p

    def one_run(self):
        p = self.begin()
        run, = self.runs_under_way
        kills, end = self.chance.randint(1, KILLS_PER_RUN), time.monotonic() + DEADLINE
        while True:
            pause = time.monotonic() + self.chance.uniform(0, PAUSE_MAX if kills > 0 else 1)
            while p.poll() is None and time.monotonic() < pause:
                time.sleep(0.005)
            gone = p.poll() is not None
            if gone and p.returncode == 0:
                break
            need(time.monotonic() < end, f"{run} does not come to its end: {self.place.said(p)}")
            if gone and "is finished" in self.place.said(p):
                break  # killed behind the last commit
            need(not gone, f"{run} ended with {p.returncode}: {self.place.said(p)}")
            if self.chance.random() < 0.7:
                self.approve()
            if kills > 0:
                kills -= 1
                end = time.monotonic() + DEADLINE
                if self.kill(p):
                    self.note_finished()
                    if self.chance.random() < 0.3:
                        self.approve()  # nobody is there
                    self.place.forget(p)
                    p = self.place.start("resume", run, "--json")
        self.place.forget(p)
        self.check(run)
        self.place.check_nothing_left()

    def run_mode(self):
        while self.killed() < self.args.kills:
            self.one_run()
            self.report()

    # --- baton serve ---

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(str(self.place.state / "serve.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            with s.makefile() as lines:
                return json.loads(lines.readline())

    def serve(self):
        p = self.place.start("serve", "--max-runs", "8")

        def answers():
            need(p.poll() is None, f"the service ended: {self.place.said(p)}")
            try:
                return self.ask(op="ping")["ok"]
            except (OSError, ValueError):
                return False
        wait_for(answers, "the service answers")
        return p

    def start_runs(self, count):
        self.runs_under_way = set()
        for _ in range(count):
            answer = self.ask(op="start", workflow=str(WORKFLOW), project=str(self.place.project),
                              params={"width": self.args.width, "rounds": self.args.rounds})
            need(answer["ok"], f"the service refuses a run: {answer}")
            self.runs_under_way.add(answer["run"])

    def serve_mode(self):
        while self.killed() < self.args.kills:
            p = self.serve()
            self.start_runs(self.chance.randint(1, 3))
            kills, end = self.chance.randint(3, 2 * KILLS_PER_RUN), time.monotonic() + DEADLINE
            while not all(self.place.state_of(run) in FINAL for run in self.runs_under_way):
                time.sleep(self.chance.uniform(0, PAUSE_MAX))
                need(time.monotonic() < end, f"the runs do not come to their end: {self.place.said(p)}")
                if self.chance.random() < 0.7:
                    self.approve()
                if kills > 0:
                    kills -= 1
                    end = time.monotonic() + DEADLINE
                    if self.kill(p):
                        self.note_finished()
                        self.place.forget(p)
                        p = self.serve() if self.chance.random() < 0.7 else self.place.start("serve", "--max-runs", "8")
                elif p.poll() is not None:
                    raise Broken(f"the service ended: {self.place.said(p)}")
            for run in sorted(self.runs_under_way):
                self.check(run)
            p.send_signal(signal.SIGTERM)
            need(self.place.end(p) == 0, f"the service did not end well: {self.place.said(p)}")
            self.place.forget(p)
            self.place.check_nothing_left()
            self.report()

    def report(self):
        print(f"{self.killed()} kills ({', '.join(f'{n} {k}' for k, n in sorted(self.kills.items()))}) in {self.runs} runs; "
              f"{self.executions} executions, {self.again} of unfinished stages again, 0 of finished ones", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--mode", choices=("run", "serve"), default="run")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    place = Place("soak")
    begun = time.monotonic()
    print(f"seed {args.seed}, mode {args.mode}")
    soak = Soak(place, args)
    try:
        soak.undisturbed()
        if args.mode == "run":
            soak.run_mode()
        else:
            soak.serve_mode()
        print(f"final state {final_hash(soak.reference)}, {time.monotonic() - begun:.0f} s")
    except Broken as error:
        print(f"broken after {soak.killed()} kills (seed {args.seed}): {error}", file=sys.stderr)
        return 1
    finally:
        place.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""kill -9 of the program and of its workers, at every boundary of a stage and in the middle: nothing finished is paid twice.

Evidence is kept on two sides: the journal (which stage was dispatched how often) and the tool each stage starts, which leaves
one file in the run's folder for every time it was really executed.
"""
import json
import os
import random
import signal

import support
from support import is_event, wait_for

STAGES = 4
# Each stage leaves a file, then waits a little so that there is a middle to be killed in.
CHAIN = """
workflow "marks" {
  agents = { "echo" },
  params = { wait_ms = { default = 0 } },
  run = function(p)
    local last
    for i = 1, 4 do
      last = stage { agent = "echo", after = last, input = { n = i, sleep_ms = p.wait_ms, exec = { "mktemp", "ran-" .. i .. "-XXXXXX" } } }
      if not last.ok then fail("stage " .. i .. ": " .. last.summary) end
    end
    finish("accepted", { n = last.output.echo.n, at = now(), luck = random(1000000) })
  end,
}
"""
WIDE = """
workflow "wide" {
  agents = { "echo" },
  run = function(p)
    local items = {}
    for i = 1, 12 do items[i] = i end
    local done = parallel(items, function(i)
      return stage { agent = "echo", input = { n = i, exec = { "mktemp", "ran-" .. i .. "-XXXXXX" } } }.output.echo.n
    end, 4)
    local sum = 0
    for _, n in ipairs(done) do sum = sum + n end
    finish("accepted", { sum = sum })
  end,
}
"""
BOUNDARIES = [(kind, stage) for stage in range(1, STAGES + 1)
              for kind in ("stage_reserved", "stage_dispatched", "stage_finished")]


class KillEngine(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.chain = self.workflow("marks", CHAIN)

    def begin(self, *more):
        return self.start("run", self.chain, "--project", self.project, "--json", "--allow", "Bash(mktemp *)", *more)

    def marks(self, run):
        """{stage: how often its tool was executed}, by the files in the run's folder."""
        found = {}
        for path in (self.state / "runs" / run).glob("ran-*"):
            n = int(path.name.split("-")[1])
            found[n] = found.get(n, 0) + 1
        return found

    def check_run(self, run, stages=STAGES):
        """Every stage ended once; a tool ran again only when the stage had been dispatched again."""
        dispatched = self.check_paid_once(run, stages)
        executed = self.marks(run)
        if stages == STAGES:  # in the chain, the number of a stage is the n of its input
            for stage, attempts in dispatched.items():
                # The number of the attempt, not of the notes: a kill may take the note of a dispatch along.
                self.assertLessEqual(executed[stage], max(attempts), f"stage {stage} was executed more often than leased")
        self.assertEqual(set(executed), set(range(1, stages + 1)))
        return dispatched

    def finish_run(self, run):
        done = self.baton("resume", run, "--json", status=0)
        result = done.lines()[-1]
        self.assertEqual((result["event"], result["state"], result["exit"]), ("result", "accepted", 0))
        self.assertEqual(self.record(run)["result"]["n"], STAGES)
        self.check_nothing_left(self.project)

    def test_killed_at_every_boundary(self):
        for kind, stage in BOUNDARIES:
            with self.subTest(kind=kind, stage=stage):
                r = self.begin()
                event = r.wait_event(is_event(kind, stage=stage), f"{kind} of stage {stage}")
                r.kill()
                run = event["run"]
                before = self.record(run)
                if before["state"] == "accepted":  # it was quicker than the signal
                    continue
                finished = {e["body"]["stage"] for e in self.journal(run) if e["kind"] == "stage_finished"}
                if kind == "stage_finished":  # what was told is on disk
                    self.assertIn(stage, finished)
                self.finish_run(run)
                dispatched = self.check_run(run)
                for done in finished:
                    self.assertEqual(len(dispatched[done]), 1, f"stage {done} was finished before the kill and dispatched again")

    def test_killed_in_the_middle_of_each_stage(self):
        """One run, killed once in each of its stages."""
        r = self.begin("--param", "wait_ms=400")
        run = None
        for stage in range(1, STAGES + 1):
            event = r.wait_event(is_event("stage_progress", stage=stage), f"stage {stage} at work")
            run = event["run"]
            r.kill()
            self.assertIn(self.record(run)["state"], ("running", "queued"))
            r = self.start("resume", run, "--json")
        done = r.end()
        self.assertEqual(done.status, 0, str(done))
        dispatched = self.check_run(run)
        self.assertEqual({s: len(a) for s, a in dispatched.items()}, {s: 2 for s in range(1, STAGES + 1)})
        self.check_nothing_left(self.project)

    def test_killed_at_random_instants(self):
        """Also before the first stage and while the end is written."""
        chance = random.Random(int(os.environ.get("BATON_SEED", "7")))
        for n in range(int(os.environ.get("BATON_KILLS", "10"))):
            r = self.begin("--param", "wait_ms=10")
            created = r.wait_event(is_event("run_created"), "the run")
            run = created["run"]
            for _ in range(8):
                try:
                    r.process.wait(chance.uniform(0, 0.35))
                    break
                except support.subprocess.TimeoutExpired:
                    r.kill()
                    r = self.start("resume", run, "--json")
            done = r.end()
            with self.subTest(n=n):
                if done.status != 0:  # killed behind the last commit: there is nothing to resume
                    self.assertIn("is finished", done.err, str(done))
                self.assertEqual(self.record(run)["state"], "accepted")
                self.check_run(run)
        support.wait_for(lambda: not support.processes_of(self.root), "every process ends")

    def test_parallel_stages(self):
        wide = self.workflow("wide", WIDE)
        r = self.start("run", wide, "--project", self.project, "--json", "--allow", "Bash(mktemp *)")
        run = None
        for stage in (2, 5, 9):
            event = r.wait_event(is_event("stage_finished"), "a finished stage", start=0)
            if event is None:
                break
            run = event["run"]
            wait_for(lambda: sum(e.get("event") == "stage_finished" for e in r.events) >= stage or r.process.poll() is not None,
                     "more finished stages")
            r.kill()
            if self.record(run)["state"] == "accepted":  # killed behind its end: the next process sweeps up behind it
                self.baton("run", "echo", "--project", self.project, "-q", status=0)
                break
            r = self.start("resume", run, "--json")
        r.end()
        record = self.record(run)
        self.assertEqual((record["state"], record["result"]["sum"]), ("accepted", 78))
        self.check_run(run, 12)
        self.check_nothing_left(self.project)

    def test_interrupted_twice_gives_the_same_answers(self):
        """now() and random() are answered from the journal: the result does not depend on the kills."""
        script = self.workflow("answers", """
workflow "answers" {
  agents = { "echo" },
  run = function(p)
    local luck, first = random(1000000000), now()
    local r = stage { agent = "echo", input = { luck = luck, sleep_ms = 300 } }
    finish("accepted", { luck = luck, first = first, echoed = r.output.echo.luck })
  end,
}
""")
        r = self.start("run", script, "--project", self.project, "--json")
        event = r.wait_event(is_event("stage_progress"), "the stage at work")
        r.kill()
        self.baton("resume", event["run"], "--json", status=0)
        result = self.record(event["run"])["result"]
        self.assertEqual(result["luck"], result["echoed"])

    def test_killed_worker_is_replaced_once(self):
        r = self.begin("--param", "wait_ms=1500")
        for stage in (1, 3):
            event = r.wait_event(is_event("stage_progress", stage=stage), f"stage {stage} at work")
            worker = r.wait_event(is_event("stage_dispatched", stage=stage))["body"]["worker"]
            os.kill(worker, signal.SIGKILL)
            r.wait_event(is_event("stage_lost", stage=stage), "the loss is noticed")
        done = r.end()
        self.assertEqual(done.status, 0, str(done))
        dispatched = self.check_run(event["run"])
        self.assertEqual({s: a for s, a in dispatched.items()}, {1: [1, 2], 2: [1], 3: [1, 2], 4: [1]})
        self.check_nothing_left(self.project)

    def test_worker_that_always_dies_fails_the_stage(self):
        r = self.begin("--param", "wait_ms=3000")
        for attempt in (1, 2):
            event = r.wait_event(is_event("stage_dispatched", stage=1, attempt=attempt), f"attempt {attempt}")
            os.kill(event["body"]["worker"], signal.SIGKILL)
        done = r.end()
        self.assertEqual(done.status, 5, str(done))
        self.assertIn("attempt 2", done.lines()[-1]["reason"])
        self.check_nothing_left(self.project)

    def test_stopped_worker_is_given_up(self):
        """SIGSTOP: no end of a process to see, only silence."""
        r = self.begin("--param", "wait_ms=1500")
        r.wait_event(is_event("stage_progress", stage=1), "the stage at work")
        worker = r.wait_event(is_event("stage_dispatched", stage=1))["body"]["worker"]
        os.kill(worker, signal.SIGSTOP)
        r.wait_event(is_event("stage_lost", stage=1), "the silence is noticed")
        done = r.end()
        self.assertEqual(done.status, 0, str(done))
        self.check_run(json.loads(done.out.splitlines()[0])["run"])
        self.check_nothing_left(self.project)

    def test_resume_refuses_what_is_finished(self):
        self.assertEqual(self.begin().end().status, 0)
        done = self.baton("resume", "last")
        self.assertEqual(done.status, 2)
        self.assertIn("is finished", done.err)
        done = self.baton("resume")
        self.assertEqual(done.status, 2)
        self.assertIn("no run is unfinished", done.err)

    def test_interrupted_run_says_so(self):
        """A journal says "running" until somebody writes something else; whether a process is at work is another matter."""
        r = self.begin("--param", "wait_ms=1500")
        run = r.wait_event(is_event("stage_progress", stage=1), "the stage at work")["run"]
        self.assertFalse(self.record(run)["interrupted"])
        self.assertIn("state    running", self.baton("show", run, status=0).out)
        r.kill()
        self.assertEqual((self.record(run)["state"], self.record(run)["interrupted"]), ("running", True))
        self.assertRegex(self.baton("runs", status=0).out, rf"{run} +interrupted ")
        shown = self.baton("show", run, status=0).out
        self.assertIn("state    interrupted", shown)
        self.assertIn(f"baton resume {run}", shown)
        self.assertEqual(self.baton("show", run, "--json", status=0).json()["verdict"], "interrupted")
        self.finish_run(run)
        self.assertFalse(self.record(run)["interrupted"])

    def test_run_belongs_to_one_process(self):
        r = self.begin("--param", "wait_ms=1500")
        event = r.wait_event(is_event("stage_progress", stage=1), "the stage at work")
        done = self.baton("resume", event["run"])
        self.assertEqual(done.status, 5, str(done))
        self.assertIn("belongs to another process", done.err)
        self.assertEqual(r.end().status, 0)
        self.check_run(event["run"])


if __name__ == "__main__":
    support.main()

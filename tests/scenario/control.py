"""Cancel, interrupt, two runs at once: nothing outlives its run, and nobody disturbs the other."""
import signal

import support
from support import git, is_event, is_alive, processes_of, wait_for

# A tool with a child and a grandchild, and one that does not want to die.
TREE = """
workflow "tree" {
  agents = { "echo" },
  run = function(p)
    local r = stage { agent = "echo", input = { exec = { "./grow.sh" } } }
    finish(r.ok and "accepted" or "failed", { reason = r.summary })
  end,
}
"""
GROW = """#!/bin/bash
trap '' TERM INT HUP
(trap '' TERM; setsid sleep 1000 & exec sleep 1001) &
sleep 1002 &
echo grown >&2
sleep 1003
sleep 1004
"""


class Control(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.wait = self.workflow("wait", support.WAIT)

    def check_ended(self, done, run, status, state):
        self.assertEqual(done.status, status, str(done))
        self.assertEqual(self.record(run)["state"], state)
        self.check_nothing_left(self.project)
        self.assertEqual(git(self.project, "status", "--porcelain"), "")

    def begin_tree(self):
        script = self.root / "grow.sh"
        script.write_text(GROW)
        script.chmod(0o755)
        flow = self.workflow("tree", TREE.replace("./grow.sh", str(script)))
        r = self.start("run", flow, "--project", self.project, "--json", "--allow", f"Bash({script})")
        event = r.wait_event(lambda e: e.get("event") == "stage_progress" and "grown" in (e["body"]["text"] or ""), "the tree of processes")
        self.assertIsNotNone(event, "".join(r.raw))
        wait_for(lambda: len([p for p in processes_of(self.root) if "sleep 100" in p[1]]) >= 4, "the sleepers")
        return r, event["run"], [pid for pid, _ in processes_of(self.root)]

    def test_cancel_ends_the_whole_tree(self):
        r, run, tree = self.begin_tree()
        said = self.baton("cancel", run, "--reason", "enough", status=0)
        self.assertIn("is cancelled", said.out)
        done = r.end()
        wait_for(lambda: not any(is_alive(pid) for pid in tree), "the whole tree ends")
        self.check_ended(done, run, 8, "cancelled")
        self.assertEqual(done.lines()[-1]["reason"], "enough")

    def test_interrupt_ends_the_whole_tree_and_can_be_resumed(self):
        r, run, tree = self.begin_tree()
        r.send(signal.SIGINT)
        done = r.end()
        self.assertEqual(done.status, 130, str(done))
        self.assertIn(f"baton resume {run}", done.err)
        wait_for(lambda: not any(is_alive(pid) for pid in tree), "the whole tree ends")
        self.assertEqual(self.record(run)["state"], "running")
        self.assertIn("is cancelled", self.baton("cancel", run, status=0).out)  # no process has it: ended here
        self.assertEqual(self.record(run)["state"], "cancelled")

    def test_interrupted_run_goes_on(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            r = self.start("run", self.wait, "--project", self.project, "--json", "--param", "ms=700")
            run = r.wait_event(is_event("stage_progress", stage=2), "the second stage at work")["run"]
            r.send(number)
            self.assertEqual(r.end().status, 130)
            self.assertFalse(processes_of(self.root))
            self.assertEqual([x["id"] for x in self.baton("runs", "--unfinished", "--json", status=0).json()], [run])
            done = self.baton("resume", "--json", status=0)
            self.assertEqual(done.lines()[-1]["run"], run)
            self.assertEqual(self.check_paid_once(run, 2), {1: [1], 2: [1, 2]})
            self.check_nothing_left(self.project)

    def test_cancelled_while_nobody_has_it(self):
        r = self.start("run", self.wait, "--project", self.project, "--json")
        run = r.wait_event(is_event("stage_progress", stage=2), "the second stage at work")["run"]
        r.kill()
        self.baton("cancel", run, status=0)
        self.assertEqual(self.record(run)["state"], "cancelled")
        wait_for(lambda: not processes_of(self.root), "the workers end")
        done = self.baton("resume", run)
        self.assertEqual(done.status, 2)
        self.check_nothing_left(self.project)

    def test_checkouts_of_a_run_nobody_has_go_with_it(self):
        r = self.start("run", self.workflow("touch", support.TOUCH), "--project", self.project, "--json", "--param", "ms=60000")
        run = r.wait_event(is_event("stage_progress", stage=2), "the second stage at work")["run"]
        self.assertTrue((self.state / "runs" / run / "work/README").exists())
        r.kill()
        self.baton("cancel", run, status=0)
        wait_for(lambda: not processes_of(self.root), "the workers end")
        self.check_nothing_left(self.project)

    def test_cancel_of_a_finished_run_changes_nothing(self):
        self.baton("run", "echo", "--project", self.project, "-q", status=0)
        done = self.baton("cancel", "last")
        self.assertNotEqual(done.status, 0, str(done))
        self.assertEqual(self.record()["state"], "accepted")

    def test_cancel_right_after_the_start(self):
        """While the checkouts are made."""
        touch = self.workflow("touch", support.TOUCH)
        for _ in range(5):
            r = self.start("run", touch, "--project", self.project, "--json", "--param", "ms=60000")
            run = r.wait_event(is_event("run_created"), "the run")["run"]
            self.baton("cancel", run, status=0)
            self.check_ended(r.end(), run, 8, "cancelled")

    def test_time_limit_of_a_stage(self):
        flow = self.workflow("limit", """
workflow "limit" {
  agents = { "echo" },
  run = function(p)
    local r = stage { agent = "echo", timeout = 1, input = { sleep_ms = 60000 } }
    finish("failed", { reason = r.status })
  end,
}
""")
        done = self.baton("run", flow, "--project", self.project, "--json", status=5)
        self.assertEqual(done.lines()[-1]["reason"], "timed_out")
        self.check_nothing_left(self.project)

    def test_two_runs_at_once(self):
        first = self.start("run", self.wait, "--project", self.project, "--json", "--param", "ms=1500")
        one = first.wait_event(is_event("stage_progress", stage=2), "the first run at work")["run"]
        second = self.start("run", self.wait, "--project", self.project, "--json", "--param", "ms=1500")
        two = second.wait_event(is_event("stage_progress", stage=2), "the second run at work")["run"]
        self.assertNotEqual(one, two)
        for run in (one, two):  # echo does not work on the project: no checkouts, no branch, no build cache
            self.assertFalse((self.state / "runs" / run / "base").exists())
        self.assertEqual(git(self.project, "for-each-ref", "refs/heads/baton"), "")
        for r in (first, second):
            self.assertEqual(r.end().status, 0)
        for run in (one, two):
            self.check_paid_once(run, 2)
        self.check_nothing_left(self.project)

    def test_two_runs_with_checkouts(self):
        touch = self.workflow("touch", support.TOUCH)
        both = [self.start("run", touch, "--project", self.project, "--json", "--param", "ms=2000") for _ in range(2)]
        ids = [r.wait_event(is_event("stage_progress", stage=2), "the second stage at work")["run"] for r in both]
        for run in ids:  # checkouts of their own, on branches of their own
            for name in ("base", "work"):
                self.assertTrue((self.state / "runs" / run / name / "README").exists())
        mine = git(self.project, "for-each-ref", "--format=%(refname:short)", "refs/heads/baton").split()
        self.assertEqual(sorted(mine), sorted(f"baton/{run}" for run in ids))
        slots = [p.name for p in (self.state / "cache").glob("*/*") if p.is_dir()]
        self.assertEqual(sorted(slots), ["0", "1"])
        for r in both:
            self.assertEqual(r.end().status, 0)
        self.check_nothing_left(self.project)

    def test_many_runs_at_once(self):
        touch = self.workflow("touch", support.TOUCH)
        runs = [self.start("run", touch, "--project", self.project, "--json") for _ in range(6)]
        for r in runs:
            done = r.end()
            self.assertEqual(done.status, 0, str(done))
        self.assertEqual(len({r["id"] for r in self.baton("runs", "--json").json()}), 6)
        self.check_nothing_left(self.project)

    def test_idempotency_key(self):
        first = self.baton("run", "echo", "--project", self.project, "--json", "--key", "once", status=0)
        again = self.baton("run", "echo", "--project", self.project, "--json", "--key", "once", status=0)
        self.assertIn(first.lines()[-1]["run"], again.err)
        self.assertEqual(len(self.baton("runs", "--json").json()), 1)
        r = self.start("run", self.wait, "--project", self.project, "--json", "--key", "twice")
        r.wait_event(lambda e: e["event"] == "stage_dispatched")
        r.kill()
        again = self.baton("run", self.wait, "--project", self.project, "--key", "twice", status=130)
        self.assertIn("interrupted", again.err)
        self.assertIn("baton resume", again.err)


if __name__ == "__main__":
    support.main()

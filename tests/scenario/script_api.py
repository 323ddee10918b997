"""What a script can ask for beside stages: child runs. kill -9 at every wait: what was begun is begun once, and goes on."""
import signal

import support
from support import is_event, processes_of, wait_for

LEAF = """
workflow "leaf" {
  agents = { "echo" },
  params = { n = { default = 1 }, ms = { default = 0 } },
  run = function(p)
    local r = stage { agent = "echo", input = { n = p.n, sleep_ms = p.ms, mark = "ran" } }
    if p.n == 13 then fail("unlucky") end
    finish("accepted", { n = r.output.echo.n * 2 })
  end,
}
"""
TOP = """
workflow "top" {
  agents = { "echo" },
  params = { ms = { default = 0 }, key = { type = "string" } },
  run = function(p)
    local one = run_workflow { workflow = "leaf.lua", params = { n = 5, ms = p.ms }, key = p.key }
    local many = parallel({ 1, 2, 13, 4 }, function(n)
      return run_workflow { workflow = "leaf.lua", params = { n = n, ms = p.ms } }
    end, 2)
    local sum, failed = one.result.n, 0
    for _, r in ipairs(many) do
      sum = sum + (r.result.n or 0)
      if not r.ok then failed = failed + 1 end
    end
    local ok, why = pcall(run_workflow, { workflow = "absent.lua" })
    finish("accepted", { sum = sum, failed = failed, refused = not ok and why })
  end,
}
"""


class Api(support.Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.root / "project"
        self.project.mkdir()
        self.leaf = self.workflow("leaf", LEAF)

    def begin(self, flow, *params, more=()):
        argv = [x for p in params for x in ("--param", p)]
        return self.start("run", flow, "--project", self.project, "--json", *argv, *more)

    def killed_at(self, flow, match, *params, what="the place to be killed at"):
        """Runs until an event, kills, and gives the id of the run."""
        r = self.begin(flow, *params)
        event = r.wait_event(match, what)
        self.assertIsNotNone(event, "".join(r.raw + r.errors))
        first = r.events[0]["run"]
        r.kill()
        wait_for(lambda: not processes_of(self.root), "the workers end")
        return first

    def runs(self):
        return self.baton("runs", "--json", "--limit", "1000", status=0).json()

    def result(self, run):
        return self.baton("show", run, "--json", status=0).json()

    def finished(self, run):
        """What the script finished with."""
        return next(r["result"] for r in self.runs() if r["id"] == run)

    def replays(self, run):
        file = self.root / "run.baton"
        self.baton("export", run, "-o", file, status=0)
        shown = self.baton("replay", file, "--json", status=0).json()
        self.assertTrue(shown["same"], shown)
        return shown


class Children(Api):
    def setUp(self):
        super().setUp()
        self.top = self.workflow("top", TOP)

    def check_tree(self, run, states=("accepted", "accepted", "accepted", "failed", "accepted")):
        children = [r for r in self.runs() if r["parent"] == run]
        self.assertEqual(sorted(r["params"]["n"] for r in children), [1, 2, 4, 5, 13])
        self.assertEqual({r["params"]["n"]: r["state"] for r in children}, dict(zip((5, 1, 2, 13, 4), states)))
        for r in children:
            self.check_paid_once(r["id"], 1)
        return children

    def test_a_tree_of_runs(self):
        r = self.begin(self.top)
        self.assertEqual(r.end().status, 0)
        run = r.events[0]["run"]
        result = self.finished(run)
        self.assertEqual((result["sum"], result["failed"]), (10 + 2 + 4 + 8, 1))
        self.assertIn("no workflow file", result["refused"])
        children = self.check_tree(run)
        shown = self.result(run)
        self.assertEqual(sorted(c["run"] for c in shown["children"]), sorted(c["id"] for c in children))
        self.assertEqual(self.result(children[0]["id"])["parent"], run)
        self.assertIn(f"  {children[0]['id']}", self.baton("runs", status=0).out)
        self.assertIn("runs below it", self.baton("show", "last", status=0).out)
        self.replays(run)
        self.check_nothing_left()

    def test_killed_at_every_wait(self):
        for kind in ("child_started", "stage_dispatched", "stage_finished", "child_finished"):
            for nth in (1, 3, 5):
                seen = []

                def match(event, kind=kind, nth=nth, seen=seen):
                    seen.append(event) if event.get("event") == kind else None
                    return len(seen) >= nth

                with self.subTest(kind=kind, nth=nth):
                    run = self.killed_at(self.top, match, "ms=30")
                    if self.record(run)["state"] == "running":  # at the last place it may have ended before it was killed
                        self.baton("resume", run, "-q", status=0)
                    self.assertEqual(self.finished(run)["sum"], 24)
                    self.check_tree(run)
                    self.replays(run)
        self.baton("run", self.leaf, "--project", self.project, "-q", status=0)  # sweeps what the last kill left behind
        self.check_nothing_left()

    def test_resume_takes_the_root_of_the_tree(self):
        run = self.killed_at(self.top, is_event("stage_dispatched"), "ms=100")
        done = self.baton("resume", "--json", status=0)
        self.assertEqual(done.lines()[-1]["run"], run)
        self.assertEqual([r["id"] for r in self.runs() if r["state"] == "running"], [])

    def test_a_child_that_another_process_has(self):
        run = self.killed_at(self.top, is_event("stage_dispatched"), "ms=1500")
        child = next(r["id"] for r in self.runs() if r["parent"] == run)
        other = self.start("resume", child, "--json")
        other.wait_event(is_event("stage_dispatched"), "the child at work elsewhere")
        parent = self.start("resume", run, "--json")
        parent.wait_event(is_event("run_resumed"), "the parent is taken up")
        self.assertEqual(other.end().status, 0)
        self.assertEqual(parent.end().status, 0)
        self.check_tree(run)

    def test_the_end_of_the_parent_ends_the_children(self):
        for number in (None, signal.SIGKILL):
            with self.subTest(killed_before=number):
                r = self.begin(self.top, "ms=60000")
                run = r.wait_event(is_event("child_started"), "a child")["run"]
                r.wait_event(is_event("stage_progress"), "its stage at work")
                if number:
                    r.kill()
                    wait_for(lambda: not processes_of(self.root), "the workers end")
                self.assertIn("is cancelled", self.baton("cancel", run, status=0).out)
                if not number:
                    self.assertEqual(r.end().status, 8)
                self.assertEqual({x["state"] for x in self.runs() if run in (x["id"], x["parent"])}, {"cancelled"})
                self.check_nothing_left()

    def test_timeout_of_the_parent_and_of_a_child(self):
        late = self.workflow("late", """
workflow "late" {
  run = function()
    local child = run_workflow { workflow = "leaf.lua", params = { ms = 60000 }, timeout = "300ms" }
    finish("accepted", { child = child.outcome })
  end,
}
""")
        r = self.begin(late)
        self.assertEqual(r.end().status, 0)
        self.assertEqual(self.finished(r.events[0]["run"])["child"], "timed_out")
        self.check_nothing_left()

    def test_a_key_makes_one_run_of_two(self):
        first = self.begin(self.top, "key=shared")
        self.assertEqual(first.end().status, 0)
        second = self.begin(self.top, "key=shared")
        self.assertEqual(second.end().status, 0)
        self.assertEqual(len([r for r in self.runs() if r["key"] == "shared"]), 1)
        self.assertEqual(self.finished(second.events[0]["run"])["sum"], 24)

    def test_depth_is_bounded(self):
        deep = self.workflow("deep", """
workflow "deep" {
  params = { left = { default = 20 } },
  run = function(p)
    local child = run_workflow { workflow = "deep.lua", params = { left = p.left - 1 } }
    finish(child.outcome == "failed" and "failed" or "accepted", { reason = child.reason })
  end,
}
""")
        done = self.baton("run", deep, "--project", self.project, "--json")
        self.assertEqual(done.lines()[-1]["state"], "failed")
        self.assertIn("which is the limit", done.lines()[-1]["reason"])
        self.assertEqual(len(self.runs()), 9)


if __name__ == "__main__":
    support.main()

"""How a run can end beside its result: what it did is undone, or it goes on in another run. kill -9 in the middle of both."""
import support
from script_api import Api
from support import is_event, processes_of, wait_for

UNDO = """
workflow "undo" {
  agents = { "echo" },
  params = { how = { default = "fail" }, ms = { default = 0 } },
  run = function(p)
    for i = 1, 3 do
      stage { agent = "echo", input = { n = i, mark = "did" } }
      local keep = on_failure(function(why)
        publish("undoing", i)
        local r = stage { agent = "echo", input = { undo = i, because = why.outcome, sleep_ms = p.ms, mark = "undid" } }
        publish("undone" .. i, r.output.echo.undo)
        if i == 2 then error("cannot undo " .. i) end
      end)
      if i == 3 then keep() end
    end
    if p.how == "fail" then fail("it went wrong") end
    if p.how == "error" then error("a mistake") end
    if p.how == "child" then run_workflow { workflow = "leaf.lua", params = { ms = 60000 } } end
    stage { agent = "echo", input = { n = 9, sleep_ms = 60000 } }
  end,
}
"""
LOOP = """
workflow "loop" {
  agents = { "echo" },
  params = { from = { default = 1 }, most = { default = 4 }, bad = { default = false } },
  run = function(p)
    if p.bad then
      local ok, why = pcall(continue_as_new, { nonsense = 1 })
      finish("accepted", { why = why })
    end
    local r = stage { agent = "echo", input = { round = p.from, mark = "round" } }
    publish("round", r.output.echo.round)
    if p.from == p.most then finish("accepted", { last = signal("late", { timeout = "1m" }) }) end
    continue_as_new { from = p.from + 1, most = p.most }
  end,
}
"""


class Undo(Api):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("undo", UNDO)

    def check_undone(self, run, state, marks=True):
        record = next(r for r in self.runs() if r["id"] == run)
        self.assertEqual(record["state"], state)
        self.assertEqual(record["result"]["undone"].get("handlers"), 2, record["result"])
        self.assertEqual(len(record["result"]["undone"]["failed"]), 1)
        self.assertIn("cannot undo 2", record["result"]["undone"]["failed"][0])
        values = self.baton("query", run, "--json", status=0).json()
        self.assertEqual(sorted(values), ["undoing", "undone1", "undone2"])
        self.assertEqual(values["undoing"]["value"], 1)  # the newest first
        begun = [line.split()[0] for line in (self.state / "runs" / run / "undid").read_text().splitlines()]
        self.assertEqual(begun.count("end"), 2)
        self.check_paid_once(run)
        self.replays(run)
        self.check_nothing_left()
        return record["result"]

    def test_when_it_fails(self):
        for how in ("fail", "error"):
            r = self.begin(self.flow, f"how={how}")
            self.assertEqual(r.end().status, 5)
            result = self.check_undone(r.events[0]["run"], "failed")
            self.assertIn("it went wrong" if how == "fail" else "a mistake", result["reason"])
            refused = self.baton("resume", r.events[0]["run"], "--again", "--yes")
            self.assertIn("have undone what it did", refused.err)

    def test_when_it_is_cancelled_or_takes_too_long(self):
        r = self.begin(self.flow, "how=wait")
        run = r.wait_event(is_event("stage_progress", stage=4), "the long stage")["run"]
        self.baton("cancel", run, "--reason", "enough", status=0)
        self.assertEqual(r.end().status, 8)
        self.assertEqual(self.check_undone(run, "cancelled")["reason"], "enough")
        r = self.begin(self.flow, "how=child")
        run = r.wait_event(is_event("child_started"), "the child")["run"]
        r.kill()  # nobody has it, and it is cancelled
        wait_for(lambda: not processes_of(self.root), "the workers end")
        self.baton("cancel", run, status=0)
        self.check_undone(run, "cancelled")
        self.assertEqual({x["state"] for x in self.runs() if x["parent"] == run}, {"cancelled"})

    def test_killed_while_it_undoes(self):
        for how in ("fail", "cancel"):
            r = self.begin(self.flow, f"how={how}", "ms=400")
            if how == "cancel":
                run = r.wait_event(is_event("stage_progress", stage=4), "the long stage")["run"]
                asked = self.start("cancel", run)
            run = r.wait_event(is_event("undo_started"), "the handlers")["run"]
            first = 5 if how == "cancel" else 4
            for stage in (first, first + 1):
                r.wait_event(is_event("stage_progress", stage=stage), "a handler's stage")
                r.kill()
                wait_for(lambda: not [p for p in processes_of(self.root) if "baton-agent" in p[1]], "the workers end")
                if how == "cancel":  # whoever cancels takes it up
                    asked.end()
                    if self.record(run)["state"] != "running":
                        break
                r = self.start("resume", run, "--json")
            r.end()
            self.check_undone(run, "failed" if how == "fail" else "cancelled")


class UndoCheckouts(Api):
    def test_cancelled_while_the_checkouts_are_made(self):
        """What was asked for and not begun is not begun any more; the handler runs, and nothing is left."""
        (self.project / "README").write_text("something\n")
        support.make_repository(self.project)
        flow = self.workflow("touch", """
workflow "touch" {
  agents = { "rust-developer", "echo" },
  run = function()
    on_failure(function(why) publish("because", stage { agent = "echo", input = { why = why.outcome } }.output.echo.why) end)
    stage { agent = "rust-developer", input = {} }
    stage { agent = "echo", input = { sleep_ms = 60000 } }
  end,
}
""")
        for _ in range(4):
            r = self.begin(flow)
            run = r.wait_event(is_event("run_created"), "the run")["run"]
            wait_for(lambda run=run: any(e["kind"] == "run_started" for e in self.journal(run)), "its script")
            self.baton("cancel", run, status=0)
            self.assertEqual(r.end().status, 8)
            self.assertEqual(self.baton("query", run, "because", status=0).json(), "cancelled")
            self.check_paid_once(run)
            self.check_nothing_left(self.project)


class Continue(Api):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("loop", LOOP)

    def check_chain(self, first, most):
        chain, run = [first], first
        while True:
            shown = self.result(run)
            if not shown["continued_as"]:
                break
            self.assertEqual(shown["state"], "continued")
            self.assertEqual(self.result(shown["continued_as"])["continued_from"], run)
            run = shown["continued_as"]
            chain.append(run)
        self.assertEqual(len(chain), most)
        for n, one in enumerate(chain):
            self.check_paid_once(one, 1)
            self.assertEqual(self.replays(one)["outcome"], "accepted" if n == most - 1 else "continued")
        self.assertEqual(len(self.runs()), most)
        return chain

    def test_goes_on_in_other_runs(self):
        r = self.begin(self.flow)
        first = r.wait_event(is_event("run_created"), "the run")["run"]
        follow = self.start("logs", first, "--follow", "--json")
        self.baton("signal", first, "late", '"heard"', status=0)  # for the last one
        done = r.end()
        self.assertEqual(done.status, 0)
        last = done.lines()[-1]
        self.assertEqual(last["state"], "accepted")
        chain = self.check_chain(first, 4)
        self.assertEqual(last["run"], chain[-1])
        self.assertEqual(self.finished(chain[-1])["last"], "heard")
        self.assertEqual(self.baton("query", first, "round", status=0).json(), 4)
        seen = follow.end()
        self.assertEqual([e["run"] for e in seen.lines() if e["kind"] == "run_started"], chain)
        self.check_nothing_left()

    def test_killed_between_the_runs(self):
        for kind in ("run_finished", "run_created", "stage_finished"):
            for nth in (1, 2, 3):
                seen = []

                def match(event, kind=kind, nth=nth, seen=seen):
                    seen.append(event) if event.get("event") == kind else None
                    return len(seen) >= nth

                with self.subTest(kind=kind, nth=nth):
                    known = {x["id"] for x in self.runs()}
                    first = self.killed_at(self.flow, match)
                    self.baton("signal", first, "late", "1", status=0)
                    self.baton("resume", first, "-q", status=0)
                    mine = [x for x in self.runs() if x["id"] not in known]
                    self.assertEqual(sorted(x["state"] for x in mine), ["accepted"] + 3 * ["continued"])
                    self.assertEqual(sorted(x["params"]["from"] for x in mine), [1, 2, 3, 4])

    def test_the_wall_does_not_begin_anew(self):
        forever = self.workflow("forever", """
workflow "forever" {
  params = { n = { default = 1 } },
  run = function(p)
    sleep("100ms")
    continue_as_new { n = p.n + 1 }
  end,
  limits = { wall = "1s" },
}
""")
        done = self.baton("run", forever, "--project", self.project, "--json")
        self.assertEqual(done.lines()[-1]["state"], "timed_out")
        self.assertGreater(len(self.runs()), 2)

    def test_stages_are_counted_over_all_runs(self):
        text = LOOP.replace("params =", 'limits = { stages = 3 }, params =').replace('"loop"', '"counted"')
        done = self.baton("run", self.workflow("counted", text), "--project", self.project, "--json")
        self.assertEqual(done.lines()[-1]["state"], "over_budget")
        self.assertEqual(len(self.runs()), 4)

    def test_cancel_finds_the_run_that_is_at_work(self):
        forever = self.workflow("forever", """
workflow "forever" {
  params = { n = { default = 1 } },
  run = function(p) continue_as_new { n = p.n + 1 } end,
}
""")
        for kill in (False, True):
            known = {x["id"] for x in self.runs()}
            r = self.begin(forever)
            first = r.wait_event(is_event("run_created"), "the run")["run"]
            wait_for(lambda: len({x["id"] for x in self.runs()} - known) > 5, "some runs")
            if kill:
                r.kill()
                wait_for(lambda: not processes_of(self.root), "the workers end")
            self.baton("cancel", first, status=0)
            if not kill:
                r.end()
            states = [x["state"] for x in self.runs() if x["id"] not in known]  # the newest first
            self.assertEqual((states[0], set(states[1:])), ("cancelled", {"continued"}))

    def test_params_are_checked(self):
        r = self.begin(self.flow, "bad=true")
        self.assertEqual(r.end().status, 0)
        self.assertIn("has no param 'nonsense'", self.finished(r.events[0]["run"])["why"])

    def test_a_parent_waits_for_the_last(self):
        top = self.workflow("top", """
workflow "top" {
  run = function()
    local child = run_workflow { workflow = "loop.lua", params = { most = 3 } }
    finish("accepted", { child = child.run, how = child.outcome })
  end,
}
""")
        r = self.begin(top)
        run = r.wait_event(is_event("child_started"), "the child")["body"]["child"]
        self.baton("signal", run, "late", status=0)
        self.assertEqual(r.end().status, 0)
        result = self.finished(r.events[0]["run"])
        self.assertEqual(result["how"], "accepted")
        self.assertNotEqual(result["child"], run)
        self.replays(r.events[0]["run"])
        self.check_nothing_left()


if __name__ == "__main__":
    support.main()

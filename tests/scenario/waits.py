"""What a run waits for: people, a time, a signal, a run below it. Whoever looks is told, and what to do about it."""
import json
import pathlib

import support
from support import wait_for

WORKFLOW = """
workflow "waiter" {
  agents = { "echo" },
  params = { on = { default = "child" } },
  run = function(p)
    if p.on == "person" then approve { question = "Shall we?", expires = "1h" } end
    if p.on == "time" then sleep(3600) end
    if p.on == "signal" then signal("go") end
    if p.on == "limited" then signal("go", { timeout = "1h" }) end
    if p.on == "child" then run_workflow { workflow = "./waiter.lua", params = { on = "time" } } end
    if p.on == "stage" then stage { agent = "echo", input = { sleep_ms = 3600000 } } end
    if p.on == "all" then
      parallel { function() sleep(3600) end, function() signal("a") end, function() signal("b") end,
                 function() approve { question = "Really?", expires = "1h" } end }
    end
    finish("accepted")
  end,
}
"""
WHEN = r"2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


class Waits(support.Scenario):
    def setUp(self):
        super().setUp()
        self.script = self.workflow("waiter", WORKFLOW)

    def begin(self, on, kinds):
        """A run that has come to its wait."""
        r = self.start("run", self.script, "--param", f"on={on}", "--json")
        run = r.wait_event(lambda e: e.get("run"), "the run")["run"]
        wait_for(lambda: [w["kind"] for w in self.record(run)["waits"]] == kinds, f"the wait of {on}")
        return r, run

    def check(self, run, state, headline):
        line = next(x for x in self.baton("runs", status=0).out.splitlines() if x.split()[0] == run)
        self.assertEqual(line.split()[1], state, line)
        shown = self.baton("show", run, status=0).out
        self.assertRegex(shown, rf"(?m)^state +{state}$")
        self.assertRegex(shown, rf"(?m)^{headline}$")
        if state == "waiting":
            self.assertRegex(line, headline.replace("Waiting", "waits") + "$")
        at_work = {r["run"]: r for r in self.baton("top", "--json", "--once", status=0).json()["runs"]}
        self.assertEqual([w["kind"] for w in at_work[run]["waits"]], [w["kind"] for w in self.record(run)["waits"]] if state == "waiting" else [])
        top = next(x for x in self.baton("top", "--once", status=0).out.splitlines() if x.startswith(run))
        self.assertEqual(top.split()[1], state)

    def test_says_what_it_waits_for(self):
        for on, kinds, state, headline in (
                ("person", ["answer"], "waiting", "Waiting for an answer: baton approve {run}"),
                ("time", ["time"], "waiting", f"Waiting until {WHEN}"),
                ("signal", ["signal"], "waiting", "Waiting for signal 'go': baton signal {run} go"),
                ("limited", ["signal"], "waiting", f"Waiting for signal 'go' until {WHEN}: baton signal {{run}} go"),
                ("all", ["answer", "time", "signal", "signal"], "waiting",
                 f"Waiting for an answer: baton approve {{run}}; until {WHEN}; for signal 'a': baton signal {{run}} a; and 1 more"),
                ("stage", ["stage"], "running", "Still running: its script or a stage is at work.")):
            with self.subTest(on=on):
                r, run = self.begin(on, kinds)
                self.check(run, state, headline.replace("{run}", run))
                mine = {x["id"] for x in self.baton("runs", "--state", state, "--json", status=0).json()}
                other = {x["id"] for x in self.baton("runs", "--state", "running" if state == "waiting" else "waiting", "--json", status=0).json()}
                self.assertTrue(run in mine and run not in other)
                if on in ("person", "signal", "limited"):  # what is said works
                    words = headline.replace("{run}", run).split(": baton ")[1].split()
                    self.baton(*words, status=0)
                    self.assertEqual(r.end().status, 0)
                    self.assertEqual(self.record(run)["waits"], [])
                else:
                    self.baton("cancel", run, status=0)
                    r.end()

    def test_a_run_below_it(self):
        r, run = self.begin("child", ["run"])
        child = self.record(run)["waits"][0]["run"]
        wait_for(lambda: self.record(child)["waits"], "the child sleeps")
        self.check(run, "waiting", rf"Waiting for run {child} \(waiter\)")
        self.assertRegex(self.baton("show", run, status=0).out, rf"(?m)^runs below it\n  {child} +waiter +waiting until {WHEN}$")
        self.check_reports(run, child, f"waits until {WHEN}")
        self.baton("cancel", run, status=0)
        r.end()
        self.check_reports(run, child, "cancelled")

    def check_reports(self, run, child, state):
        page = pathlib.Path(self.baton("report", run, status=0).out.strip())
        self.assertRegex(page.with_suffix(".md").read_text(), rf"## Runs below it\n\n(.*\n){{2}}\| waiter +\| {child} +\| {state} +\|\n")
        self.assertRegex(page.read_text(), rf"<h2>Runs below it</h2>.*<td>waiter</td><td>{child}</td><td class=\"\w+\">{state}</td>")
        row, = json.loads(page.with_suffix(".json").read_text())["children"]
        self.assertEqual((row["run"], row["workflow"], row["children"]), (child, "waiter", []))
        self.assertIn(f"Started by run {run}.", pathlib.Path(self.baton("report", child, status=0).out.strip()).with_suffix(".md").read_text())

    def test_interrupted_in_a_wait(self):
        """It stands in the journal: also who comes later is told, and the same after it was taken up again."""
        r, run = self.begin("person", ["answer"])
        r.send(support.signal.SIGINT)
        done = r.end()
        self.assertIn(f"it waits for an answer: baton approve {run}\n", done.err)
        self.assertRegex(self.baton("runs", status=0).out, rf"{run} +interrupted .*waits for an answer: baton approve {run}\n")
        self.baton("approve", run, status=0)
        self.assertEqual(self.record(run)["waits"], [])  # it is answered
        self.baton("resume", run, status=0)
        r, run = self.begin("limited", ["signal"])
        until = self.record(run)["waits"][0]["until_ns"]
        r.kill()
        again = self.start("resume", run, "--json")
        wait_for(lambda: not self.record(run)["interrupted"], "it is taken up")
        self.assertEqual([w["until_ns"] for w in self.record(run)["waits"]], [until])
        self.baton("signal", run, "go", status=0)
        self.assertEqual(again.end().status, 0)
        self.baton("export", run, "-o", self.root / "run.baton", status=0)
        self.assertTrue(self.baton("replay", self.root / "run.baton", "--json", status=0).json()["same"])


if __name__ == "__main__":
    support.main()

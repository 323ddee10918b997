"""`reuse = true`: a completed stage of another run answers when its key is the same, and only then."""
import support
from support import is_event

CHAIN = """
workflow "chain" {
  agents = { "echo" },
  params = { first = { default = true }, word = { default = "a" }, fail = { type = "string" }, size = { default = 10 } },
  run = function(p)
    local a = stage { agent = "echo", reuse = p.first, input = { mark = "marks", word = p.word, fail = p.fail, size = p.size } }
    local b = stage { agent = "echo", reuse = true, after = a, input = { mark = "marks", second = true } }
    finish("accepted", { a = a.ok, b = b.ok, echoed = a.ok and a.output.echo.word })
  end,
}
"""
REVIEW = """
workflow "review-once" {
  agents = { "rust-code-reviewer", "rust-developer" },
  params = { agent = { default = "rust-code-reviewer" } },
  run = function(p)
    finish("accepted", { reason = stage { agent = p.agent, reuse = true }.summary })
  end,
}
"""


class Reuse(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.chain = self.workflow("chain", CHAIN)

    def once(self, script, *params, status=0):
        """One run: its id, and how many stages were really executed in it."""
        words = [w for p in params for w in ("--param", p)]
        done = self.baton("run", script, "--project", self.project, "--json", *words, status=status)
        run = done.lines()[-1]["run"]
        marks = self.state / "runs" / run / "marks"
        return run, marks.read_text().count("begin") if marks.exists() else 0

    def stages(self, run):
        return self.baton("show", run, "--json", status=0).json()["stages"]

    def test_the_result_of_another_run_answers(self):
        first, executed = self.once(self.chain, "size=100000")
        self.assertEqual(executed, 2)
        second, executed = self.once(self.chain, "size=100000")
        self.assertEqual(executed, 0)
        self.assertEqual([s["reused_from"] for s in self.stages(second)], [f"{first}/1", f"{first}/2"])
        self.assertIn(f"reused from {first}/1", self.baton("show", second, status=0).out)
        self.assertEqual(self.record(second)["result"]["echoed"], "a")
        events = [e["body"]["from"] for e in self.journal(second) if e["kind"] == "stage_reused"]
        self.assertEqual(events, [f"{first}/1", f"{first}/2"])
        self.assertEqual([e for e in self.journal(second) if e["kind"] == "stage_dispatched"], [])
        # Each handoff has a place in its own run, and what was too large for it is there as well.
        before, after = ([h["handoff"] for h in self.baton("handoff", "show", r, "--json", status=0).json()] for r in (first, second))
        self.assertEqual([h["run"] for h in after], [second, second])
        self.assertEqual(after[1]["parent"], [after[0]["id"]])
        self.assertEqual([h["artifacts"] for h in after], [h["artifacts"] for h in before])
        self.baton("report", second, status=0)
        self.assertIn(f"from {first}/1", (self.state / "runs" / second / "report.md").read_text())
        self.assertIn(f"from {first}/1", (self.state / "runs" / second / "report.html").read_text())
        third, executed = self.once(self.chain, "size=100000")  # what was reused can be reused
        self.assertEqual((executed, self.stages(third)[1]["reused_from"]), (0, f"{second}/2"))
        file = self.root / "run.baton"
        self.baton("export", second, "-o", file, status=0)
        self.assertTrue(self.baton("replay", file, "--json", status=0).json()["same"])

    def test_another_input_is_executed(self):
        self.once(self.chain)
        _, executed = self.once(self.chain, "word=b")
        self.assertEqual(executed, 2)
        _, executed = self.once(self.chain, "word=a", "first=false")  # executed anew, but it says the same: the second is reused
        self.assertEqual(executed, 1)

    def test_without_asking_nothing_is_reused(self):
        script = self.workflow("plain", CHAIN.replace("reuse = true", "reuse = false"))
        for _ in range(2):
            _, executed = self.once(script, "first=false")
            self.assertEqual(executed, 2)

    def test_a_stage_that_failed_is_executed_again(self):
        for _ in range(2):
            run, executed = self.once(self.chain, "fail=broken")
            self.assertEqual(executed, 2)
            self.assertEqual([s["reused_from"] for s in self.stages(run)], [None, None])
            self.chain = self.workflow("chain", CHAIN.replace("second = true", "second = now()"))

    def test_another_state_of_the_project_is_executed(self):
        if not support.have("cargo", "cargo-clippy"):
            self.skipTest("cargo is missing")
        self.project = support.tiny_crate(self.root / "tiny")
        support.make_repository(self.project)
        script = self.workflow("review-once", REVIEW)
        first, _ = self.once(script)
        second, _ = self.once(script)
        self.assertEqual(self.stages(second)[0]["reused_from"], f"{first}/1")
        (self.project / "README").write_text("something else\n")
        support.git(self.project, "add", "README")
        support.git(self.project, "commit", "-q", "-m", "Another state")
        third, _ = self.once(script)
        self.assertIsNone(self.stages(third)[0]["reused_from"])
        done = self.baton("run", script, "--project", self.project, "--param", "agent=rust-developer", "--json", status=5)
        self.assertIn("its result is also commits on the branch", done.lines()[-1]["reason"])
        self.check_nothing_left(self.project)

    def test_killed_when_it_was_reused(self):
        first, _ = self.once(self.chain)
        r = self.start("run", self.chain, "--project", self.project, "--json")
        event = r.wait_event(is_event("stage_reused"), "a reused stage")
        r.kill()
        if self.record(event["run"])["state"] != "accepted":  # it was quicker than the signal
            self.baton("resume", event["run"], "--json", status=0)
        self.assertEqual([s["reused_from"] for s in self.stages(event["run"])], [f"{first}/1", f"{first}/2"])
        self.assertFalse((self.state / "runs" / event["run"] / "marks").exists())


if __name__ == "__main__":
    support.main()

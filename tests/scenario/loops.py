"""Loops that go nowhere end with needs_discussion and name their stages; loops that make progress and fan-outs are left alone."""
import support
from support import is_event

PING_PONG = """
workflow "ping-pong" {
  agents = { "echo" },
  params = { rounds = { default = 50 }, mode = { default = "plain" } },
  run = function(p)
    local last
    for i = 1, p.rounds do
      last = stage { agent = "echo", after = last, input = { mark = "marks", news = p.mode == "progress" and i or nil },
                     repeats = p.mode == "repeats" or nil }
      if p.mode == "timer" then sleep("10ms") end
      if p.mode == "person" then approve { question = "again?", expires = "10ms" } end
    end
    finish("accepted", { rounds = p.rounds })
  end,
}
"""
FAN = """
workflow "fan" {
  agents = { "echo" },
  run = function(p)
    local items, sum = {}, 0
    for i = 1, 12 do items[i] = i end
    for round = 1, 2 do
      for _, ok in ipairs(parallel(items, function() return stage { agent = "echo", input = { mark = "marks" } }.ok end, 4)) do
        sum = sum + (ok and 1 or 0)
      end
    end
    finish("accepted", { sum = sum })
  end,
}
"""


class Loops(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.loop = self.workflow("ping-pong", PING_PONG)

    def begin(self, mode, rounds=50):
        return self.start("run", self.loop, "--project", self.project, "--json", "--param", f"mode={mode}", "--param", f"rounds={rounds}")

    def executed(self, run):
        return (self.state / "runs" / run / "marks").read_text().count("begin")

    def test_asking_the_same_again_stops(self):
        done = self.begin("plain").end()
        self.assertEqual(done.status, 3, str(done))
        result = done.lines()[-1]
        self.assertEqual(result["state"], "needs_discussion")
        # The first has no parent; what the second hands on says the same as what it got: the third would be the second again.
        self.assertIn("exactly what it answered in stage 2", result["reason"])
        self.assertEqual(self.executed(result["run"]), 2)
        stopped, = [e["body"] for e in self.journal(result["run"]) if e["kind"] == "loop_stopped"]
        self.assertEqual((stopped["rule"], stopped["stages"]), ("same_input", [2, 2]))
        self.assertEqual(self.record(result["run"])["result"]["loop"], stopped)
        self.assertIn("exactly what it answered in stage 2", self.baton("show", "last", status=0).out)
        file = self.root / "run.baton"
        self.baton("export", "last", "-o", file, status=0)
        replayed = self.baton("replay", file, "--json", status=0).json()
        self.assertEqual((replayed["same"], replayed["outcome"]), (True, "needs_discussion"))
        meant = self.workflow("meant", PING_PONG.replace('p.mode == "repeats" or nil', "true"))
        replayed = self.baton("replay", file, "--json", "--script", meant, status=1).json()
        self.assertIn(("loop", "goes on"), [(d["what"], d["now"]) for d in replayed["differences"]])
        self.check_nothing_left(self.project)

    def test_what_is_no_loop_goes_on(self):
        for mode in ("progress", "repeats", "timer", "person"):
            with self.subTest(mode=mode):
                done = self.begin(mode, 5).end()
                self.assertEqual(done.status, 0, str(done))
                self.assertEqual(self.executed(done.lines()[-1]["run"]), 5)
                file = self.root / f"{mode}.baton"
                self.baton("export", "last", "-o", file, status=0)
                self.assertTrue(self.baton("replay", file, "--json", status=0).json()["same"])

    def test_equal_stages_side_by_side_are_no_loop(self):
        done = self.baton("run", self.workflow("fan", FAN), "--project", self.project, "--json", status=0)
        run = done.lines()[-1]["run"]
        self.assertEqual((self.record(run)["result"]["sum"], self.executed(run)), (24, 24))

    def test_the_same_finding_after_a_round_of_fixing(self):
        script = self.workflow("review", """
workflow "review" {
  agents = { "echo", "rust-developer" },
  params = { better = { default = false } },
  run = function(p)
    local fix
    for i = 1, 4 do
      local file = p.better and "b" .. i .. ".rs" or "b.rs"
      local requests = list { { file = "a" .. i .. ".rs", line = i, issue = "too slow" }, { file = file, line = 10 + i, issue = "wrong" } }
      local review = stage { agent = "echo", after = fix, input = { mark = "marks", verdict = "changes_requested", output = { requests = requests } } }
      fix = stage { agent = "rust-developer", after = review, input = { round = i } }
    end
    finish("needs_discussion", "four rounds")
  end,
}
""")
        done = self.baton("run", script, "--project", self.project, "--json", status=3).lines()[-1]
        self.assertIn("'echo' finds in stage 3 what it found in stage 1, although another agent worked on it in between: b.rs: wrong", done["reason"])
        loop = self.record(done["run"])["result"]["loop"]
        self.assertEqual((loop["rule"], loop["stages"], loop["finding"]["line"]), ("same_finding", [1, 3], 12))
        self.assertEqual(self.executed(done["run"]), 2)
        file = self.root / "run.baton"
        self.baton("export", done["run"], "-o", file, status=0)
        self.assertTrue(self.baton("replay", file, "--json", status=0).json()["same"])
        done = self.baton("run", script, "--project", self.project, "--json", "--param", "better=true", status=3).lines()[-1]
        self.assertEqual((done["reason"], self.executed(done["run"])), ("four rounds", 4))  # other findings each time are progress
        self.check_nothing_left(self.project)

    def test_killed_before_it_was_stopped(self):
        """A resumed run stops at the same stage."""
        r = self.begin("plain")
        run = r.wait_event(is_event("stage_finished", stage=1), "the first stage")["run"]
        r.kill()
        if self.record(run)["state"] != "needs_discussion":
            self.baton("resume", run, "--json", status=3)
        self.assertEqual(self.record(run)["result"]["loop"]["stages"], [2, 2])
        self.assertEqual({s for s in self.check_paid_once(run)}, {1, 2})


if __name__ == "__main__":
    support.main()

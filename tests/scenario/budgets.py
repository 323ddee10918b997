"""Budgets are walls: set aside before they are spent, for the run and the runs above it, by the script, the command line, or both."""
import support
from sandbox import host
from support import is_event

STEPS = """
workflow "steps" {
  agents = { "echo" },
  params = { n = { default = 5 }, tokens = { default = 0 }, wait_ms = { default = 0 }, wide = { default = false } },
  limits = { stages = 4 },
  run = function(p)
    local function step(i, after)
      return stage { agent = "echo", after = after, input = { mark = "marks", i = i, sleep_ms = p.wait_ms },
                     limits = p.tokens > 0 and { tokens = p.tokens } or nil }
    end
    if p.wide then
      local items = {}
      for i = 1, p.n do items[i] = i end
      parallel(items, function(i) return step(i).ok end)
    else
      local last
      for i = 1, p.n do
        pcall(function() last = step(i, last) end)
      end
    end
    finish("accepted", { n = p.n })
  end,
}
"""
FORKS = """
workflow "forks" {
  agents = { "echo", "rust-developer" },
  params = { n = { default = 10 } },
  run = function(p)
    stage { agent = "rust-developer" } -- finds nothing to do, but makes the run have checkouts
    local r = stage { agent = "echo", input = { exec = { "sh", "work/forks.sh", tostring(p.n) } } }
    finish("accepted", { ok = r.ok, out = r.output.stdout, why = r.summary })
  end,
}
"""
FORKS_SH = "i=0; while [ $i -lt $1 ]; do sleep 60 & i=$((i+1)); done; echo all\n"
TREE = """
workflow "tree" {
  agents = { "echo" },
  limits = { stages = 5 },
  run = function(p)
    local seen = {}
    for i = 1, 3 do
      stage { agent = "echo", input = { mark = "marks", own = i } }
      local child = run_workflow { workflow = "./steps.lua", params = { n = 2 } }
      seen[i] = child.outcome
    end
    finish("accepted", { seen = seen })
  end,
}
"""


class Budgets(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.steps = self.workflow("steps", STEPS)

    def go(self, script, *more, status=None, **params):
        words = [w for k, v in params.items() for w in ("--param", f"{k}={str(v).lower() if isinstance(v, bool) else v}")]
        return self.baton("run", script, "--project", self.project, "--json", *words, *more, status=status).lines()[-1]

    def executed(self, run):
        marks = self.state / "runs" / run / "marks"
        return marks.read_text().count("begin") if marks.exists() else 0

    def shown(self, run):
        return self.baton("show", run, "--json", status=0).json()["budget"]

    def test_stages_by_script_and_command_line(self):
        for limits, most in (((), 4), (("--limit", "stages=2"), 2), (("--limit", "stages=9"), 4)):
            with self.subTest(limits=limits):
                done = self.go(self.steps, *limits, status=5)
                run = done["run"]
                self.assertEqual((done["state"], self.executed(run)), ("over_budget", most))
                self.assertIn(f"the limit stages={most} stands in the way: asked 1, used {most}, set aside 0, left 0", done["reason"])
                wall, = [e["body"] for e in self.journal(run) if e["kind"] == "budget_exceeded"]
                self.assertEqual({k: wall[k] for k in ("wall", "limit", "asked", "used", "left")},
                                 {"wall": "stages", "limit": most, "asked": 1, "used": most, "left": 0})
                written = self.record(run)["result"]["budget"]
                self.assertEqual({k: wall[k] for k in written}, written)
                self.assertEqual(len([e for e in self.journal(run) if e["kind"] == "budget_reserved"]), most)
                self.assertEqual(self.shown(run)["stages"], {"limit": most, "used": most, "reserved": 0})
                self.assertRegex(self.baton("show", run, status=0).out, rf"limits +stages {most} of {most}\n")
        self.assertEqual(self.go(self.steps, n=4, status=0)["state"], "accepted")  # what fits is not hindered
        self.check_nothing_left(self.project)

    def test_what_is_set_aside_counts(self):
        """Side by side, each stage with its own share: the third does not fit while two are at work, and none of them is told to stop
        in the middle of what it may do."""
        done = self.go(self.steps, "--limit", "tokens=100", n=3, tokens=40, wait_ms=300, wide=True, status=5)
        self.assertIn("the limit tokens=100 stands in the way: asked 40, used 0, set aside 80, left 20", done["reason"])
        # Nobody had the two: they have used nothing.
        self.assertEqual(self.shown(done["run"])["tokens"], {"limit": 100, "used": 0, "reserved": 0})
        # One after the other there is room: what was set aside and not used is there again.
        done = self.go(self.steps, "--limit", "tokens=100", n=3, tokens=40, status=0)
        self.assertEqual(self.shown(done["run"])["tokens"], {"limit": 100, "used": 0, "reserved": 0})

    def test_killed_runs_count_nothing_twice(self):
        r = self.start("run", self.steps, "--project", self.project, "--json", "--param", "n=4", "--param", "wait_ms=300",
                       "--param", "tokens=25", "--limit", "tokens=100")
        run = None
        for lost, stage in enumerate((1, 2, 4)):
            run = r.wait_event(is_event("stage_progress", stage=stage), f"stage {stage} at work")["run"]
            r.kill()
            self.assertEqual(self.shown(run)["stages"], {"limit": 4, "used": stage - 1, "reserved": 1})
            # Nobody knows what a lost attempt has spent: it counts as all that was set aside for it, once.
            self.assertEqual(self.shown(run)["tokens"], {"limit": 100, "used": 25 * lost, "reserved": 25})
            r = self.start("resume", run, "--json")
        self.assertEqual(r.end().status, 0)
        self.assertEqual(self.shown(run)["stages"], {"limit": 4, "used": 4, "reserved": 0})
        self.assertEqual(self.shown(run)["tokens"], {"limit": 100, "used": 75, "reserved": 0})
        self.check_paid_once(run, 4)

    def test_lost_attempts_come_to_an_end(self):
        """A worker that dies again and again may spend what was set aside for it each time."""
        r = self.start("run", self.steps, "--project", self.project, "--json", "--param", "n=1", "--param", "wait_ms=3000",
                       "--param", "tokens=60", "--limit", "tokens=100")
        event = r.wait_event(is_event("stage_progress", stage=1), "the stage at work")
        support.os.kill(r.wait_event(is_event("stage_dispatched", stage=1))["body"]["worker"], support.signal.SIGKILL)
        done = r.end()
        self.assertEqual(done.status, 5, str(done))
        self.assertIn("the limit tokens=100 stands in the way: asked 60, used 60, set aside 60, left 0", done.lines()[-1]["reason"])
        self.assertEqual(self.executed(event["run"]), 1)
        self.check_nothing_left(self.project)

    def test_what_was_really_used_counts(self):
        script = self.workflow("spend", """
workflow "spend" {
  agents = { "echo" },
  params = { n = { default = 5 }, ask = { default = 40 }, take = { default = 30 } },
  run = function(p)
    for i = 1, p.n do
      stage { agent = "echo", input = { mark = "marks", i = i, spend = { tokens = p.take, money = 250000 } }, limits = { tokens = p.ask, money = 0.5 } }
    end
  end,
}
""")
        done = self.go(script, "--limit", "tokens=120", "--limit", "money=10", status=5)
        self.assertIn("the limit tokens=120 stands in the way: asked 40, used 90, set aside 0, left 30", done["reason"])
        self.assertEqual(self.executed(done["run"]), 3)
        self.assertEqual(self.shown(done["run"])["money"], {"limit": 10000000, "used": 750000, "reserved": 0})
        self.assertIn("money 0.75 $ of 10.00 $", self.baton("show", done["run"], status=0).out)
        spent = self.baton("show", done["run"], "--json", status=0).json()["spent"]
        self.assertEqual((spent["tokens"], spent["money"]), (90, 750000))
        # A worker that takes more than it was given has broken the wall: nothing more begins.
        done = self.go(script, "--limit", "tokens=1000", ask=10, take=2000, status=5)
        self.assertIn("the limit tokens=1000 stands in the way: asked 10, used 2000, set aside 0, left 0", done["reason"])
        self.assertEqual(self.executed(done["run"]), 1)
        # Reused stages cost nothing.
        again = self.workflow("again", script.read_text().replace("limits =", "reuse = true, limits ="))
        self.assertEqual(self.go(again, "--limit", "tokens=400", n=3, status=0)["state"], "accepted")
        done = self.go(again, "--limit", "tokens=0", n=3, status=0)
        self.assertEqual((self.executed(done["run"]), self.shown(done["run"])["tokens"]["used"]), (0, 0))

    def decided(self, run, *more, status=0):
        """Elsewhere, again."""
        file = self.root / f"{run}.baton"
        if not file.exists():
            self.baton("export", run, "-o", file, status=0)
        elsewhere = {"BATON_STATE": str(self.root / "elsewhere")}
        shown = self.baton("replay", file, "--json", *more, status=status, env=elsewhere).json()
        self.assertEqual(shown["same"], status == 0, shown)
        return shown

    def test_a_wall_is_decided_again(self):
        run = self.go(self.steps, status=5)["run"]
        same = self.decided(run)
        self.assertEqual((same["outcome"], same["differences"], same["hash"]), ("over_budget", [], same["replay_hash"]))
        then = self.record(run)["result"]["reason"]
        # It would have stood earlier, or not at all; the same by the script's own limit.
        tighter = self.workflow("tighter", STEPS.replace("stages = 4", "stages = 2"))
        for more in (("--limit", "stages=2"), ("--script", tighter)):
            with self.subTest(more=more):
                shown = self.decided(run, *more, status=1)
                first = shown["differences"][0]
                self.assertEqual((first["op"], first["what"], first["n"], first["journaled"], shown["outcome"]),
                                 ("stage", "budget", 2, "went on", "over_budget"))
                self.assertIn("the limit stages=2 stands in the way: asked 1, used 2, set aside 0, left 0", first["now"])
                self.assertIn("(stage), line", self.baton("replay", self.root / f"{run}.baton", *more, status=1).out)
        wider = self.workflow("wider", STEPS.replace("stages = 4", "stages = 40"))
        for more in (("--limit", "stages=9"), ("--script", wider)):
            with self.subTest(more=more):
                shown = self.decided(run, *more, status=1)
                only, = shown["differences"]
                self.assertEqual((only["what"], only["n"], only["journaled"], only["now"], shown["outcome"]),
                                 ("budget", 4, then, "goes on", "running"))
                self.assertNotEqual(shown["hash"], shown["replay_hash"])
        # What the command line said counts on, whatever another script says.
        run = self.go(self.steps, "--limit", "stages=3", status=5)["run"]
        self.decided(run, "--script", wider)
        # A script that asks for less never comes to it.
        fewer = self.workflow("fewer", STEPS.replace("for i = 1, p.n do\n        pcall", "for i = 1, 2 do\n        pcall"))
        end = self.decided(run, "--script", fewer, status=1)["differences"][-1]
        self.assertEqual((end["what"], end["journaled"], end["now"]), ("outcome", "over_budget", "accepted"))
        # A run that came to no wall, also one without any limit: where would it have stood?
        free = self.workflow("free", STEPS.replace("limits = { stages = 4 },", ""))
        for script in (self.steps, free):
            run = self.go(script, n=3, tokens=40, status=0)["run"]
            self.assertEqual(self.decided(run)["outcome"], "accepted")
            first = self.decided(run, "--limit", "stages=1", status=1)["differences"][0]
            self.assertEqual((first["n"], first["what"]), (1, "budget"))
            self.assertIn("stages=1 stands in the way: asked 1, used 1, set aside 0", first["now"])
        for wrong in ("wall=3s", "processes=4", "stages=x"):
            self.assertIn(wrong.split("=")[0], self.baton("replay", self.root / f"{run}.baton", "--limit", wrong).err)

    def test_what_was_set_aside_is_decided_again(self):
        run = self.go(self.steps, "--limit", "tokens=100", n=3, tokens=40, wait_ms=300, wide=True, status=5)["run"]
        self.assertEqual(self.decided(run)["outcome"], "over_budget")
        only, = self.decided(run, "--limit", "tokens=120", status=1)["differences"]
        self.assertEqual((only["what"], only["now"]), ("budget", "goes on"))
        # A script that asks for more of it meets the wall one stage earlier.
        greedy = self.workflow("greedy", STEPS.replace("tokens = p.tokens }", "tokens = p.tokens + 20 }"))
        first = self.decided(run, "--script", greedy, status=1)["differences"][0]
        self.assertEqual((first["what"], first["task"], first["journaled"]), ("budget", "0.2", "went on"))
        self.assertIn("tokens=100 stands in the way: asked 60, used 0, set aside 60, left 40", first["now"])

    def test_a_wall_before_an_attempt_is_decided_again(self):
        r = self.start("run", self.steps, "--project", self.project, "--json", "--param", "n=1", "--param", "wait_ms=3000",
                       "--param", "tokens=60", "--limit", "tokens=100")
        run = r.wait_event(is_event("stage_progress", stage=1), "the stage at work")["run"]
        support.os.kill(r.wait_event(is_event("stage_dispatched", stage=1))["body"]["worker"], support.signal.SIGKILL)
        self.assertEqual(r.end().status, 5)
        self.assertEqual(self.decided(run)["outcome"], "over_budget")
        only, = self.decided(run, "--limit", "tokens=200", status=1)["differences"]
        self.assertEqual((only["what"], only["n"], only["now"]), ("budget", 0, "goes on"))

    def test_walls_of_a_tree_are_decided_again(self):
        tree = self.workflow("tree", TREE)
        top = self.go(tree, status=5)["run"]
        runs = self.baton("runs", "--json", status=0).json()
        for run in runs:
            self.assertEqual(self.decided(run["id"])["outcome"], run["state"])
        child = next(r["id"] for r in runs if r["parent"] and r["state"] == "over_budget")
        # The account is that of the run above: its limit is not the child's to change.
        self.decided(child, "--limit", "stages=9")
        run = self.go(tree, "--limit", "delegations=1", status=5)["run"]
        self.assertEqual(self.decided(run)["outcome"], "over_budget")
        only, = self.decided(run, "--limit", "delegations=9", status=1)["differences"]
        self.assertEqual((only["op"], only["what"], only["now"]), ("child", "budget", "goes on"))
        self.assertNotEqual(run, top)

    def test_a_wall_and_what_is_undone_behind_it(self):
        undoing = self.workflow("undoing", STEPS.replace("local function step", """on_failure(function()
      stage { agent = "echo", task = "undo", input = { mark = "marks" } }
    end)
    local function step""").replace("stages = 4", "tokens = 100"))
        run = self.go(undoing, tokens=40, n=4, wide=True, wait_ms=300, status=5)["run"]
        self.assertIn("undone", self.record(run)["result"])
        self.assertEqual(self.decided(run)["outcome"], "over_budget")
        self.decided(run, "--limit", "tokens=60", status=1)

    def test_a_wall_that_was_moved(self):
        """Each decision by the limit that was in force: what a later one would have refused was begun before it."""
        run = self.go(self.steps, "--limit", "stages=3", status=5)["run"]
        self.baton("resume", run, "--limit", "stages=4", "--yes", "--json", status=5)
        self.assertEqual(self.decided(run)["outcome"], "over_budget")
        self.assertEqual(len([e for e in self.journal(run) if e["kind"] == "budget_exceeded"]), 2)

    def test_fix_rounds(self):
        script = self.workflow("rounds", """
workflow "rounds" {
  agents = { "echo" },
  run = function(p)
    local fix
    for i = 1, 5 do
      local review = stage { agent = "echo", after = fix, input = { mark = "marks", i = i, verdict = "changes_requested" } }
      fix = stage { agent = "echo", after = review, input = { mark = "marks", fix = i } }
    end
  end,
}
""")
        done = self.go(script, "--limit", "fix_rounds=2", status=5)
        self.assertIn("the limit fix_rounds=2 stands in the way: asked 1, used 2", done["reason"])
        self.assertEqual(self.executed(done["run"]), 5)
        self.assertEqual(self.shown(done["run"])["fix_rounds"], {"limit": 2, "used": 2, "reserved": 0})
        # What asks for no change is no round, and neither is another look with the verdict at hand.
        minor = self.workflow("minor", script.read_text().replace("changes_requested", "minor"))
        done = self.go(minor, "--limit", "fix_rounds=0", status=0)
        self.assertEqual(self.executed(done["run"]), 10)
        looks = self.workflow("looks", """
workflow "looks" {
  agents = { "echo", "rust-performance-engineer" },
  run = function(p)
    local review = stage { agent = "echo", input = { verdict = "changes_requested" } }
    stage { agent = "rust-performance-engineer", after = review } -- finds nothing to measure
    stage { agent = "echo", after = review }
  end,
}
""")
        done = self.go(looks, "--limit", "fix_rounds=0", status=5)
        self.assertIn("the limit fix_rounds=0 stands in the way: asked 1, used 0", done["reason"])
        self.assertEqual([s["agent"] for s in self.baton("show", done["run"], "--json", status=0).json()["stages"]],
                         ["echo", "rust-performance-engineer"])

    def test_depth_of_delegation(self):
        agents = self.root / "agents"
        agents.mkdir()
        for scope in "abc":
            (agents / f"{scope}.md").write_text(f'---\nname: "{scope}:echo"\ndescription: For tests.\ntools: Read\n---\n\nYou echo.\n')
        script = self.workflow("deep", """
workflow "deep" {
  agents = { "a:echo", "b:echo", "c:echo" },
  run = function(p)
    local h
    for _, name in ipairs { "a:echo", "a:echo", "b:echo", "b:echo", "c:echo" } do
      h = stage { agent = name, after = h, input = { mark = "marks", name = name } }
    end
  end,
}
""")
        done = self.go(script, "--agents", agents, "--limit", "depth=1", status=5)
        self.assertIn("the limit depth=1 stands in the way: asked 2", done["reason"])
        self.assertEqual(self.executed(done["run"]), 4)
        self.assertEqual(self.decided(done["run"])["outcome"], "over_budget")
        only, = self.decided(done["run"], "--limit", "depth=2", status=1)["differences"]
        self.assertEqual((only["what"], only["now"]), ("budget", "goes on"))
        self.baton("resume", done["run"], "--limit", "depth=2", "--yes", "--json", status=0)
        self.assertEqual(self.executed(done["run"]), 5)

    def test_limits_of_a_stage(self):
        bad = self.workflow("bad", STEPS.replace("tokens = p.tokens", "stages = 1"))
        done = self.go(bad, n=1, tokens=1, status=0)  # its pcall catches what is wrong with the call
        self.assertEqual(self.executed(done["run"]), 0)
        bad.write_text(bad.read_text().replace("pcall(function() last = step(i, last) end)", "last = step(i, last)"))
        self.assertIn("'stages' is one of runs", self.go(bad, n=1, tokens=1, status=5)["reason"])

    def test_a_tree_has_one_budget(self):
        tree = self.workflow("tree", TREE)
        done = self.go(tree, status=5)
        self.assertEqual(done["state"], "over_budget")
        runs = self.baton("runs", "--json", status=0).json()
        executed = sum(self.executed(r["id"]) for r in runs)
        self.assertEqual(executed, 5)  # 1 + 2 + 1, and one of the second child
        self.assertEqual(self.shown(done["run"])["stages"], {"limit": 5, "used": 5, "reserved": 0})
        child = next(r for r in runs if r["parent"] and r["state"] == "over_budget")
        self.assertIn(f"the limit stages=5 of run '{done['run']}' above it", child["result"]["reason"])
        self.assertEqual(self.shown(child["id"])["stages"], {"limit": 4, "used": 1, "reserved": 0})
        done = self.go(tree, "--limit", "delegations=1", status=5)
        self.assertIn("the limit delegations=1 stands in the way: asked 1, used 1", done["reason"])

    def test_wall_of_processes(self):
        script = self.workflow("forks", FORKS)
        (self.project / "forks.sh").write_text(FORKS_SH)
        support.git(self.project, "add", "forks.sh")
        support.git(self.project, "commit", "-q", "-m", "A tool")

        def attack(n, *more):
            done = self.baton("run", script, "--project", self.project, "--json", "--allow", "Bash(sh work/forks.sh *)",
                              "--param", f"n={n}", *more, status=0).lines()[-1]
            return self.record(done["run"])["result"]
        free = attack(40)
        self.assertEqual((free["ok"], free.get("out")), (True, "all\n"), free)
        held = attack(40, "--limit", "processes=60")
        if not host.has_group("pids", ("pids.max",)):  # then it is refused
            self.assertIn("cannot be kept here", held["why"])
            return
        self.assertEqual((held["ok"], held.get("out")), (True, "all\n"), held)
        self.assertIn("processes at most 60", self.baton("show", "last", status=0).out)
        caught = attack(4000, "--limit", "processes=60")
        self.assertFalse(caught["ok"], caught)
        self.check_nothing_left(self.project)

    def test_wall_clock(self):
        done = self.go(self.steps, "--limit", "wall=1s", n=1, wait_ms=60000, status=7)
        self.assertEqual(done["state"], "timed_out")
        self.assertIn("wall-clock limit of 1", done["reason"])
        self.check_nothing_left(self.project)

    def test_wrong_limits_begin_nothing(self):
        for words in (["stages"], ["stages="], ["stages=x"], ["money=2.50k"], ["nothing=1"], ["=1"], ["stages=-1"]):
            with self.subTest(words=words):
                done = self.baton("run", self.steps, "--project", self.project, "--limit", *words, status=2)
                self.assertIn(f"--limit '{words[0]}'", done.err)
        bad = self.workflow("bad", STEPS.replace("stages = 4", "stage = 4"))
        self.assertIn("no limit 'stage'", self.baton("run", bad, "--project", self.project, status=2).err)
        self.assertIn("no limit 'stage'", self.baton("workflow", "check", bad, status=1).out)
        self.assertEqual(self.baton("runs", "--json", status=0).json(), [])


if __name__ == "__main__":
    support.main()

"""Taking up a run again with another script, with other agent files, or because it has ended: what is finished is not executed again,
wherever it stands now. The plan says so before, and is right."""
import os
import pty
import select
import sqlite3

import support
from support import is_event

BASE = """
workflow "work" {
  agents = { "echo" },
  params = { wait_ms = { default = 0 }, bad = { default = "" } },
  run = function(p)
    local luck = random(1000000000)
    local function step(name, after, more)
      local input = more or {}
      input.mark, input.name = "marks", name
      local r = stage { agent = "echo", after = after, input = input }
      if not r.ok then fail(name .. ": " .. r.summary) end
      return r
    end
    local a = step("a", nil, { luck = luck })
    local b = step("b", a)
    local c = step("c", b, { sleep_ms = p.wait_ms })
    finish("accepted", { luck = luck, echoed = a.output.echo.luck, last = c.output.echo.name })
  end,
}
"""
# The same stages in another order of calls, one more before the last, and a clock that was not there.
EDITED = """
workflow "work" {
  agents = { "echo" },
  params = { wait_ms = { default = 0 }, bad = { default = "" }, extra = { default = 1 } },
  run = function(p)
    local function step(name, after, more)
      local input = more or {}
      input.mark, input.name = "marks", name
      local r = stage { agent = "echo", after = after, input = input }
      if not r.ok then fail(name .. ": " .. r.summary) end
      return r
    end
    local began = now()
    local luck = random(1000000000)
    local new = step("new")
    local a = step("a", nil, { luck = luck })
    local b = step("b", a)
    local c = step("c", { b, new })
    finish("accepted", { luck = luck, echoed = a.output.echo.luck, last = c.output.echo.name, began = began > 0 })
  end,
}
"""
FAILING = BASE.replace('step("c", b, { sleep_ms = p.wait_ms })', 'step("c", b, { fail = "the tool is missing" })')


class Resume(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.script = self.workflow("work", BASE)
        self.edited = self.workflow("edited", EDITED)

    def run_it(self, script, *more, status=0):
        return self.baton("run", script, "--project", self.project, "--json", *more, status=status).lines()[-1]["run"]

    def executed(self, run):
        """How many times a worker really began, all attempts."""
        return (self.state / "runs" / run / "marks").read_text().count("begin")

    def plan(self, *words, status=3):
        done = self.baton("resume", *words, "--json", status=status)
        plan = done.lines()[0]
        self.assertEqual(plan["event"], "plan")
        return plan

    def check_edited(self, run, before):
        """The plan, then the doing: a and b are reused although they stand elsewhere."""
        record = self.record(run)
        plan = self.plan(run, "--with-new-script", self.edited)
        self.assertEqual([s["stage"] for s in plan["reuses"]], [1, 2])
        self.assertEqual([(s["agent"], s["line"], s["because"]) for s in plan["begins"]],
                         [("echo", 9, "no finished stage has its key"), ("echo", 9, "it gets a new result")])
        self.assertFalse(plan["complete"])
        self.assertEqual(self.record(run), record)  # nothing was changed
        self.assertEqual(self.executed(run), before)
        done = self.baton("resume", run, "--with-new-script", self.edited, "--yes", "--json", status=0)
        self.assertEqual(done.lines()[0]["event"], "plan")
        self.assertEqual(self.executed(run), before + 2)  # new, and c with another parent
        result = self.record(run)["result"]
        self.assertEqual((result["echoed"], result["last"], result["began"]), (result["luck"], "c", True))
        self.check_nothing_left(self.project)

    def test_failed(self):
        run = self.run_it(self.workflow("failing", FAILING), status=5)
        self.check_edited(run, 3)
        reopened, = [e["body"] for e in self.journal(run) if e["kind"] == "run_reopened"]
        self.assertEqual((reopened["was"], reopened["new_script"], reopened["again"]), ("failed", True, [3]))
        stages = self.baton("show", run, "--json", status=0).json()["stages"]
        self.assertEqual([s["state"] for s in stages], ["completed", "completed", "blocked", "completed", "completed"])

    def test_interrupted_and_cancelled(self):
        for how in ("interrupted", "cancelled"):
            with self.subTest(how=how):
                r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=60000")
                run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
                if how == "cancelled":
                    self.baton("cancel", run, status=0)
                    self.assertEqual(r.end().status, 8)
                else:
                    r.kill()
                self.check_edited(run, 3)

    def with_another_journal(self, statement):
        """A run that was killed in its third stage, and whose journal says something else since."""
        r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=60000")
        run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
        r.kill()
        with sqlite3.connect(self.state / "baton.db") as db:
            db.execute(statement)
        db.close()
        return run

    def test_diverged(self):
        """A run whose script no longer does what the journal says."""
        run = self.with_another_journal("UPDATE call SET op = 'now' WHERE op = 'random'")
        self.baton("resume", run, status=5)
        self.assertEqual(self.record(run)["state"], "diverged")
        plan = self.plan(run, "--with-new-script", self.edited)
        # Its luck is gone with the damaged call: a has another input, and so has b another parent.
        self.assertEqual((plan["reuses"], len(plan["begins"])), ([], 4))
        self.baton("resume", run, "--with-new-script", self.edited, "--yes", status=0)
        self.assertEqual(self.record(run)["state"], "accepted")

    def test_diverged_says_both_sides(self):
        run = self.with_another_journal("UPDATE call SET answer = 0.25 WHERE op = 'random'")
        self.baton("resume", run, status=5)
        record = self.record(run)
        self.assertEqual(record["state"], "diverged")
        reason = record["result"]["reason"]
        self.assertRegex(reason, r"diverged at call 1 of task 0 \(line \d+\): the journal has 'stage 1: agent \S+, mode \S+, .*input \{.*\}', "
                                 r"the script now asks for 'stage: agent \S+, mode \S+, .*input \{.*\}'; different: input \(request \w{12}, now \w{12}\)")

    def test_again_with_its_own_script(self):
        script = self.workflow("work", BASE.replace("sleep_ms = p.wait_ms", 'exec = { "./tool" }'))
        run = self.run_it(script, "--allow", "Bash(./tool)", status=5)
        done = self.baton("resume", run, status=2)
        self.assertIn(f"baton resume {run} --again", done.err)
        plan = self.plan(run, "--again")
        self.assertEqual([s["stage"] for s in plan["reuses"]], [1, 2])
        self.assertEqual([s["because"] for s in plan["begins"]], ["stage 3 was blocked"])
        tool = self.state / "runs" / run / "tool"
        tool.write_text("#!/bin/sh\necho fine\n")
        tool.chmod(0o755)
        self.baton("resume", run, "--again", "--yes", status=0)
        self.assertEqual(self.executed(run), 4)
        done = self.baton("resume", run, "--again", status=2)
        self.assertIn("accepted and cannot be taken up again", self.baton("resume", run, "--again", "--yes", status=2).err + done.err)

    def test_loop_and_budget(self):
        """What stopped for a reason of the engine goes on when the reason is gone."""
        run = self.run_it(self.script, "--limit", "stages=2", status=5)
        self.assertEqual(self.record(run)["state"], "over_budget")
        self.baton("resume", run, "--limit", "stages=3", "--yes", status=0)
        self.assertEqual((self.record(run)["state"], self.executed(run)), ("accepted", 3))
        # A stage that was under way counts as used, once.
        r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=60000", "--limit", "stages=4")
        run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
        r.kill()
        fast = self.workflow("fast", BASE.replace("sleep_ms = p.wait_ms", "sleep_ms = 0"))
        self.baton("resume", run, "--with-new-script", fast, "--yes", status=0)
        self.assertEqual(self.baton("show", run, "--json", status=0).json()["budget"]["stages"], {"limit": 4, "used": 4, "reserved": 0})
        loop = self.workflow("loop", """
workflow "loop" {
  agents = { "echo" },
  run = function(p)
    for i = 1, 2 do stage { agent = "echo", input = { mark = "marks" } } end
  end,
}
""")
        run = self.run_it(loop, status=3)
        loop.write_text(loop.read_text().replace('mark = "marks" }', 'mark = "marks" }, repeats = true'))
        self.baton("resume", run, "--with-new-script", loop, "--yes", status=0)
        self.assertEqual(self.executed(run), 2)

    def test_new_agent_files(self):
        run = self.run_it(self.workflow("failing", FAILING), status=5)
        shipped = (support.SOURCE / "agents/definitions/echo.md").read_text()
        (self.root / "mine").mkdir()
        (self.root / "mine/echo.md").write_text(shipped + "\nAnother word.\n")
        plan = self.plan(run, "--with-new-script", self.script, "--agents", self.root / "mine")
        self.assertEqual((plan["reuses"], len(plan["begins"])), ([], 3))
        self.baton("resume", run, "--with-new-script", self.script, "--agents", self.root / "mine", "--yes", status=0)
        self.assertEqual(self.executed(run), 6)  # all of them are of another agent now

    def test_children(self):
        script = self.workflow("parent", """
workflow "parent" {
  agents = { "echo" },
  run = function(p)
    local child = run_workflow { workflow = "./work.lua" }
    local r = stage { agent = "echo", input = { mark = "marks", fail = "no" } }
    if not r.ok then fail(r.summary) end
    finish("accepted", { child = child.run })
  end,
}
""")
        run = self.run_it(script, status=5)
        child = next(r["id"] for r in self.baton("runs", "--json", status=0).json() if r["parent"] == run)
        self.assertIn(f"part of run '{run}'", self.baton("resume", child, "--again", status=2).err)
        script.write_text(script.read_text().replace(', fail = "no"', ""))
        self.baton("resume", run, "--with-new-script", script, "--yes", status=0)
        self.assertEqual(self.record(run)["result"]["child"], child)  # it was accepted: not started again
        self.assertEqual((self.executed(run), self.executed(child)), (2, 3))

    def test_checkouts_are_made_again(self):
        """The checkouts and the branch of a failed run are gone; the project has moved on. Stages that would leave commits work again, on the
        commit the run began with; the others are reused."""
        begin = """
workflow "touch" {
  agents = { "rust-developer", "echo" },
  run = function(p)
    local before = stage { agent = "echo", input = { mark = "marks" } }
    local d = stage { agent = "rust-developer", after = before }
    local seen = stage { agent = "echo", after = d, input = { mark = "marks", exec = { "cat", "work/README" } } }
"""
        failing = self.workflow("touch", begin + '    fail("as it was asked to")\n  end,\n}\n')
        run = self.run_it(failing, "--allow", "Bash(cat *)", status=5)
        self.check_nothing_left(self.project)
        base = support.git(self.project, "rev-parse", "HEAD")
        (self.project / "README").write_text("moved on\n")
        support.git(self.project, "commit", "-q", "-am", "Move on")
        whole = self.workflow("whole", begin + '    finish("accepted", { seen = seen.output.stdout })\n  end,\n}\n')
        with sqlite3.connect(self.state / "baton.db") as db:  # as if it had found something to do
            db.execute("UPDATE stage SET state = 'completed' WHERE id % 1048576 = 2")
        db.close()
        plan = self.plan(run, "--with-new-script", whole)
        self.assertEqual([s["stage"] for s in plan["reuses"]], [1])
        self.assertEqual(plan["begins"][0]["because"], "stage 2 left commits on a branch that is gone")
        self.baton("resume", run, "--with-new-script", whole, "--yes", status=0)
        result = self.record(run)["result"]
        self.assertEqual((result["seen"], result["git"]["base"]), ("something\n", base))
        self.check_nothing_left(self.project)

    def test_killed_again_and_again(self):
        """The reopened run is as durable as any."""
        run = self.run_it(self.workflow("failing", FAILING), status=5)
        slow = self.workflow("slow", EDITED.replace('step("new")', 'step("new", nil, { sleep_ms = 400 })'))
        r = self.start("resume", run, "--with-new-script", slow, "--yes", "--json")
        r.wait_event(is_event("stage_progress", stage=4), "the new stage")
        r.kill()
        for _ in range(2):
            r = self.start("resume", run, "--json")
            r.wait_event(is_event("run_resumed"), "it goes on")
            r.kill()
        if self.record(run)["state"] != "accepted":
            self.baton("resume", run, status=0)
        result = self.record(run)["result"]
        self.assertEqual(result["luck"], result["echoed"])
        names = [line.split()[1] for line in (self.state / "runs" / run / "marks").read_text().splitlines() if line.startswith("end")]
        self.assertEqual(sorted(names), ["1", "2", "4", "5"])
        self.assertEqual(self.executed(run) - (self.state / "runs" / run / "marks").read_text().count("begin 4"), 4)  # 1 2 3 5

    def test_a_terminal_is_asked(self):
        run = self.run_it(self.workflow("failing", FAILING), status=5)
        for answer, status in (("n\n", 3), ("\n", 3), ("y\n", 0)):
            with self.subTest(answer=answer):
                pid, terminal = pty.fork()
                if pid == 0:
                    os.chdir(self.root)
                    os.execve(support.BATON, [support.BATON, "resume", run, "--with-new-script", str(self.edited), "-q"], self.env)
                said = b""
                while b"[y/N]" not in said:
                    self.assertTrue(select.select([terminal], [], [], support.DEADLINE)[0], said)
                    said += os.read(terminal, 4096)
                self.assertIn(b"reuse    1", said)
                os.write(terminal, answer.encode())
                try:
                    while os.read(terminal, 4096):
                        pass
                except OSError:  # the other end is closed
                    pass
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status)
                os.close(terminal)
        self.assertEqual(self.record(run)["state"], "accepted")

    def test_refusals(self):
        run = self.run_it(self.workflow("failing", FAILING), status=5)
        broken = self.workflow("broken", "workflow \"x\" {")
        needs = self.workflow("needs", EDITED.replace("wait_ms = { default = 0 }, ", ""))
        for words, text in (((run, "--with-new-script", self.root / "nothing.lua"), "nothing.lua"),
                            ((run, "--with-new-script", broken), "broken.lua:1"),
                            ((run, "--with-new-script", self.edited, "--limit", "stages=x"), "stages=x"),
                            ((run, "--limit", "stages=9"), "without limits")):
            with self.subTest(words=words):
                done = self.baton("resume", *words, "--yes", status=2)
                self.assertIn(text, done.err)
        given = self.baton("run", self.script, "--project", self.project, "--param", "wait_ms=1", "--json", "--limit", "stages=1").lines()[-1]["run"]
        self.assertIn("wait_ms", self.baton("resume", given, "--with-new-script", needs, "--yes", status=2).err)
        self.assertEqual(self.record(run)["state"], "failed")


if __name__ == "__main__":
    support.main()

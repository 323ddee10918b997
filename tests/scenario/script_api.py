"""What a script can ask for beside stages: child runs, signals, questions, published values. kill -9 at every wait: what was begun is begun once, and goes on."""
import os
import pwd
import signal
import time

import service as doors
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

    def test_a_service_with_one_place_that_is_killed(self):
        """Children need no place of their own: else a parent with the only one would wait for ever."""
        run = None
        for turn in range(3):
            service = self.start("serve", "--max-runs", "1")
            service.wait_error("serving on")
            if not run:
                client = doors.Client(self.state / "serve.sock")
                self.addCleanup(client.close)
                run = client.ask({"op": "start", "workflow": str(self.top), "project": str(self.project), "params": {"ms": 300}})["run"]
            if turn < 2:
                wait_for(lambda n=turn: len([r for r in self.runs() if r["parent"] == run]) > n, "a child")
                service.kill()
                wait_for(lambda: not processes_of(self.root), "the workers end")
        wait_for(lambda: next(r["state"] for r in self.runs() if r["id"] == run) == "accepted", "the end")
        self.check_tree(run)
        service.send(signal.SIGTERM)
        self.assertEqual(service.end().status, 0)
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

    def test_a_key_of_another_request_is_an_error_of_the_call(self):
        flow = self.workflow("keys", """
workflow "keys" {
  run = function()
    run_workflow { workflow = "leaf.lua", params = { n = 1 }, key = "one" }
    local ok, why = pcall(run_workflow, { workflow = "leaf.lua", params = { n = 2 }, key = "one" })
    finish("accepted", { ok = ok, why = why })
  end,
}
""")
        r = self.begin(flow)
        self.assertEqual(r.end().status, 0)
        result = self.finished(r.events[0]["run"])
        self.assertEqual(result["ok"], False)
        self.assertIn("the idempotency key 'one' belongs to run", result["why"])
        self.replays(r.events[0]["run"])

    def test_no_run_waits_for_itself(self):
        flow = self.workflow("self", """
workflow "self" {
  run = function()
    local ok, why = pcall(run_workflow, { workflow = "self.lua", key = "mine" })
    finish("accepted", { ok = ok, why = why })
  end,
}
""")
        r = self.begin(flow, more=("--key", "mine"))
        self.assertEqual(r.end().status, 0)
        self.assertIn("would wait for itself", self.finished(r.events[0]["run"])["why"])

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


SIGNALS = """
workflow "signals" {
  agents = { "echo" },
  params = { wait = { default = "10m" } },
  run = function(p)
    publish("at", "begin")
    local got = {}
    for i = 1, 3 do got[i] = signal("go", { timeout = p.wait }) or "nothing" end
    publish("at", { got = got })
    local both = parallel {
      function() return signal("left", { timeout = p.wait }) or "nothing" end,
      function() return signal("right", { timeout = p.wait }) or "nothing" end,
    }
    publish("at", "end")
    finish("accepted", { got = table.concat(got, " "), both = table.concat(both, " ") })
  end,
}
"""
ASK = """
workflow "ask" {
  agents = { "echo" },
  params = { who = { type = "list" } },
  run = function(p)
    local result = stage { agent = "echo", input = { n = 1 } }
    local one, first = approve { question = "keep it?", subject = result, who = p.who, expires = "1h" }
    local two, second = approve { question = "and this?", subject = { deep = { 1, 2 } }, expires = "1h" }
    finish("accepted", { one = one, by = first.by, subject = first.subject, two = two, note = second.note, id = result.id })
  end,
}
"""


class Signals(Api):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("signals", SIGNALS)

    def send(self, run, name, value, status=0):
        return self.baton("signal", run, name, value, status=status)

    def test_kept_until_waited_for_in_order_once(self):
        run = self.killed_at(self.flow, is_event("value_published"))
        self.send(run, "right", '"r1"')  # nobody waits for it yet, and no process has the run
        for n in (1, 2):
            self.send(run, "go", f'"g{n}"')
        run_again = self.start("resume", run, "--json")
        run_again.wait_event(is_event("signal_taken", name="go"), "the first signal")
        wait_for(lambda: self.baton("query", run, "--json", status=0).json(), "it is published")
        run_again.kill()  # before or after the second: both are delivered once
        wait_for(lambda: not processes_of(self.root), "the workers end")
        run_again = self.start("resume", run, "--json")
        for name, value in (("go", '"g3"'), ("left", '"l1"')):  # now somebody waits for it
            self.send(run, name, value)
        self.assertEqual(run_again.end().status, 0)
        result = self.finished(run)
        self.assertEqual((result["got"], result["both"]), ("g1 g2 g3", "l1 r1"))
        self.assertEqual(self.baton("query", run, "at", status=0).json(), "end")  # it has ended, and still says what it said
        taken = [e["body"]["name"] for e in self.journal(run) if e["kind"] == "signal_taken"]
        self.assertEqual(sorted(taken), ["go", "go", "go", "left", "right"])
        self.replays(run)
        self.check_nothing_left()

    def test_killed_at_every_signal(self):
        r = self.begin(self.flow)
        run = r.wait_event(is_event("value_published"), "the beginning")["run"]
        for name in ("go", "go", "go", "left", "right"):
            r.kill()
            wait_for(lambda: not processes_of(self.root), "the workers end")
            taken = sum(e["kind"] == "signal_taken" for e in self.journal(run))
            self.send(run, name, f'"{name}{taken}"')
            r = self.start("resume", run, "--json")
            wait_for(lambda n=taken: sum(e["kind"] == "signal_taken" for e in self.journal(run)) > n, "it is taken")
        self.assertEqual(r.end().status, 0)
        self.assertEqual(self.finished(run)["got"], "go0 go1 go2")
        self.assertEqual(self.finished(run)["both"], "left3 right4")
        self.replays(run)

    def test_time_goes_on_while_nobody_has_the_run(self):
        run = self.killed_at(self.flow, is_event("value_published"), "wait=700ms")
        begun = self.record(run)["created_ns"]
        wait_for(lambda: time.time_ns() > begun + 2 * 10**9, "the time of the first wait is over")
        self.send(run, "go", '"late"')  # too late for the first wait, in time for the second
        self.baton("resume", run, "-q", status=0)
        self.assertEqual(self.finished(run)["got"], "nothing late nothing")
        self.replays(run)

    def test_what_is_refused(self):
        run = self.killed_at(self.flow, is_event("value_published"))
        self.assertIn("expected JSON", self.send(run, "go", "text", status=2).err)
        self.assertIn("expected 1 to 64 letters", self.send(run, "no way", "1", status=2).err)
        self.assertIn("has published no 'x'", self.baton("query", run, "x", status=2).err)
        self.send(run, "go", '"' + "x" * 66000 + '"', status=5)
        self.baton("cancel", run, status=0)
        self.assertIn("is finished", self.send(run, "go", "1", status=2).err)
        self.assertEqual(self.baton("query", run, "--json", status=0).json()["at"]["value"], "begin")

    def test_over_the_socket(self):
        service = self.start("serve")
        service.wait_error("serving on")
        client = doors.Client(self.state / "serve.sock")
        self.addCleanup(client.close)
        run = client.ask({"op": "start", "workflow": str(self.flow), "project": str(self.project)})["run"]
        self.assertFalse(client.ask({"op": "signal", "run": run})["ok"])
        for name, value in (("go", "1"), ("go", 2), ("go", "3"), ("left", "l"), ("right", "r")):
            self.assertTrue(client.ask({"op": "signal", "run": run, "name": name, "value": value})["ok"])
        wait_for(lambda: client.ask({"op": "query", "run": run})["values"]["at"]["value"] == "end", "the end")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the run is closed")
        self.assertEqual(self.finished(run)["got"], "1 2 3")
        ask = client.ask({"op": "start", "workflow": str(self.workflow("ask", ASK)), "project": str(self.project)})["run"]
        for n in range(2):
            question = wait_for(lambda: client.ask({"op": "questions", "run": ask})["questions"], "a question")[0]
            self.assertEqual(client.ask({"op": "approve", "run": ask, "for": "something else"})["code"], "conflict")
            self.assertTrue(client.ask({"op": "approve", "run": ask, "for": question["subject"], "by": f"p{n}"})["ok"])
            wait_for(lambda q=question: q["id"] not in [x["id"] for x in client.ask({"op": "questions", "run": ask})["questions"]], "heard")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the run is closed")
        self.assertEqual(self.finished(ask)["by"], "p0")
        service.send(signal.SIGTERM)
        self.assertEqual(service.end().status, 0)


class Questions(Api):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("ask", ASK)

    def asked(self, run):
        return self.result(run)["questions"]

    def test_who_may_and_what_it_is_bound_to(self):
        me = pwd.getpwuid(os.getuid()).pw_name
        run = self.killed_at(self.flow, is_event("approval_asked"), f'who=["ann","{me}x"]')
        question, = self.asked(run)
        self.assertEqual((question["question"], question["who"], question["id"]), ("keep it?", ["ann", me + "x"], "0:1"))
        self.assertGreater(question["expires_ns"], question["asked_ns"])
        shown = self.baton("show", run, status=0).out
        self.assertIn(f"baton approve {run} --question 0:1 --for {question['subject']}", shown)
        refused = self.baton("approve", run, status=6).err
        self.assertIn(f"'{me}' may not answer 'keep it?': only ann, {me}x may", refused)
        self.assertIn("look at it again", self.baton("approve", run, "--by", "ann", "--for", "0" * 64, status=5).err)
        self.assertIn("waits with no question '0:7'", self.baton("approve", run, "--question", "0:7", status=2).err)
        self.baton("approve", run, "--by", "ann", "--for", question["subject"], "--question", "0:1", status=0)
        self.assertTrue(self.asked(run)[0]["answered"])
        self.assertIn("no question", self.baton("approve", run, "--by", "ann", status=2).err)  # it has its answer
        r = self.start("resume", run, "--json")
        second = wait_for(lambda: [q for q in self.asked(run) if q["question"] == "and this?"], "the second question")[0]
        r.kill()
        self.assertEqual(len(second["subject"]), 64)
        self.assertIn("is about", self.baton("approve", run, "--for", question["subject"], status=5).err)
        self.baton("approve", run, "--deny", "--note", "no", "--for", second["subject"][:12], status=0)
        self.baton("resume", run, "-q", status=0)
        result = self.finished(run)
        self.assertEqual((result["one"], result["by"], result["two"], result["note"]), (True, "ann", False, "no"))
        self.assertEqual(result["subject"], result["id"])
        given = [e["body"] for e in self.journal(run) if e["kind"] == "approval_given"]
        self.assertEqual([(g["by"], g["approved"]) for g in given], [("ann", True), (me, False)])
        self.replays(run)
        self.assertIn("is finished", self.baton("approve", run, status=2).err)


class ExpiredQuestions(Api):
    def test_nobody_is_asked_to_answer_what_has_expired(self):
        flow = self.workflow("late", ASK.replace("1h", "1s"))
        run = self.killed_at(flow, is_event("approval_asked"))
        question, = wait_for(lambda: [q for q in self.result(run)["questions"] if time.time_ns() > q["expires_ns"] + 10**6], "its time is over")
        question, = self.result(run)["questions"]
        self.assertTrue(question["expired"])
        self.assertEqual(self.baton("questions", "--json", status=0).json(), [question])
        for words in (("questions",), ("show", run)):
            out = self.baton(*words, status=0).out
            self.assertIn("keep it?", out)
            self.assertIn("expired", out)
            self.assertNotIn("baton approve", out)
        self.assertIn("has expired", self.baton("approve", run, status=2).err)
        self.baton("resume", run, "-q", status=0)
        self.assertFalse(self.finished(run)["one"])
        self.assertEqual(self.baton("questions", "--json", status=0).json(), [])


class QuestionsBelow(Api):
    def test_the_first_run_shows_all_questions(self):
        self.workflow("ask", ASK)
        top = self.workflow("top", """
workflow "top" {
  run = function()
    local child = run_workflow { workflow = "ask.lua" }
    finish("accepted", { child = child.run, one = child.result.one })
  end,
}
""")
        r = self.begin(top)
        event = r.wait_event(is_event("approval_asked"), "the question of the child")
        run, child = r.events[0]["run"], event["run"]
        self.assertNotEqual(run, child)
        question, = self.result(run)["questions"]
        self.assertEqual((question["run"], question["question"]), (child, "keep it?"))
        self.assertIn(f"baton approve {child} --question", self.baton("show", run, status=0).out)
        self.assertEqual(self.baton("questions", "--json", status=0).json(), [question])
        self.assertIn(f"baton approve {child} --question", self.baton("questions", status=0).out)
        given = self.baton("approve", child, "--json", status=0).json()
        self.assertEqual((given["run"], given["approved"], given["question"]), (child, True, "keep it?"))
        wait_for(lambda: self.result(run)["questions"] and self.result(run)["questions"][0]["question"] == "and this?", "the next one")
        self.baton("approve", child, "--deny", status=0)
        self.assertEqual(r.end().status, 0)
        self.assertEqual(self.finished(run)["one"], True)
        self.assertIn("no run waits", self.baton("questions", status=0).err)


if __name__ == "__main__":
    support.main()

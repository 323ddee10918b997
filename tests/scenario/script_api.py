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


FLAKY = """#!/bin/sh
n=$(ls tries-* 2>/dev/null | wc -l)
mktemp tries-XXXXXX
[ "$n" -ge "$1" ] || { echo "not yet: $n" >&2; exit 1; }
"""
RETRY = """
workflow "retry" {
  agents = { "echo" },
  params = { script = { type = "string" }, need = { default = 2 }, attempts = { default = 4 }, backoff = { default = "20ms" },
             on = { default = list { "tool" } } },
  run = function(p)
    local r = stage {
      agent = "echo", input = { exec = { p.script, tostring(p.need) } },
      retries = { attempts = p.attempts, backoff = p.backoff, factor = 3, max = "40s", on = p.on },
    }
    finish(r.ok and "accepted" or "failed", { reason = r.summary, status = r.status })
  end,
}
"""
LIMITS = """
workflow "limits" {
  agents = { "echo" },
  params = { limits = { type = "object" }, ms = { default = 60000 }, wide = { default = 0 }, attempts = { default = 1 }, go = { default = false } },
  run = function(p)
    local one = { agent = "echo", timeout = p.limits, input = { sleep_ms = p.ms },
                  retries = { attempts = p.attempts, backoff = "10ms", on = { "timeout" } } }
    if p.go then
      stage { agent = "echo", input = { n = 1 } }
      signal "go"
    end
    local all = { function() return stage(one) end }
    for i = 1, p.wide do
      all[i + 1] = function() return stage { agent = "echo", input = { n = i, sleep_ms = 2000 } } end
    end
    table.insert(all, table.remove(all, 1)) -- it asks last
    local results = parallel(all)
    local r = results[#results]
    finish("accepted", { status = r.status, timeout = r.output.timeout, summary = r.summary })
  end,
}
"""


class Retries(Api):
    def setUp(self):
        super().setUp()
        self.script = self.root / "flaky.sh"
        self.script.write_text(FLAKY)
        self.script.chmod(0o755)
        self.flow = self.workflow("retry", RETRY)
        self.allow = ("--allow", f"Bash({self.script} *)", "--param", f"script={self.script}")

    def backoffs(self, run):
        return [e["body"] for e in self.journal(run) if e["kind"] == "stage_backoff"]

    def test_tried_again_with_growing_waits(self):
        r = self.begin(self.flow, more=self.allow)
        self.assertEqual(r.end().status, 0, "".join(r.raw))
        run = r.events[0]["run"]
        waits = self.backoffs(run)
        self.assertEqual([(w["attempt"], w["class"], w["failures"]) for w in waits], [(1, "tool", 1), (2, "tool", 2)])
        self.assertIn("not yet: 1", waits[1]["why"])
        for wait, base in zip(waits, (20, 60)):
            self.assertTrue(base * 0.75 - 1 <= wait["wait_ms"] <= base * 1.25, waits)
        self.assertEqual(self.check_paid_once(run, 1), {1: [1, 2, 3]})
        self.replays(run)
        self.check_nothing_left()

    def test_gives_up_and_other_failures_are_not_tried_again(self):
        r = self.begin(self.flow, "need=9", "attempts=2", more=self.allow)
        self.assertEqual(r.end().status, 5)
        self.assertEqual(self.finished(r.events[0]["run"])["status"], "blocked")
        self.assertEqual(len(self.backoffs(r.events[0]["run"])), 1)
        r = self.begin(self.flow, 'on=["lost","timeout"]', more=self.allow)
        self.assertEqual(r.end().status, 5)
        self.assertEqual(self.backoffs(r.events[0]["run"]), [])

    def test_the_wait_goes_on_after_a_kill(self):
        r = self.begin(self.flow, "backoff=2s", "need=1", more=self.allow)
        run = r.wait_event(is_event("stage_backoff"), "the wait")["run"]
        r.kill()
        wait_for(lambda: not processes_of(self.root), "the workers end")
        for _ in range(2):  # killed in the wait, twice
            r = self.start("resume", run, "--json")
            r.wait_event(is_event("run_resumed"), "it is taken up")
            r.kill()
        self.baton("resume", run, "-q", status=0)
        waits = self.backoffs(run)
        self.assertEqual(len(waits), 1)
        events = self.journal(run)
        failed = next(e["at_ns"] for e in events if e["kind"] == "stage_backoff")
        again = next(e["at_ns"] for e in events if e["kind"] == "stage_retried")
        self.assertGreaterEqual(again - failed, (waits[0]["wait_ms"] - 1) * 10**6)
        self.assertEqual(self.check_paid_once(run, 1), {1: [1, 2]})
        self.replays(run)

    def test_lost_workers(self):
        flow = self.workflow("lost", """
workflow "lost" {
  agents = { "echo" },
  run = function()
    local r = stage { agent = "echo", input = { sleep_ms = 60000 }, retries = { attempts = 3, backoff = "10ms", on = { "lost" } } }
    finish("accepted", { status = r.status, summary = r.summary })
  end,
}
""")
        r = self.begin(flow)
        for attempt in (1, 2, 3):
            at_work = r.wait_event(is_event("stage_dispatched", attempt=attempt), "an attempt")
            os.kill(at_work["body"]["worker"], signal.SIGKILL)
        self.assertNotEqual(r.wait_event(is_event("run_finished"), "the end"), None)
        r.end()
        self.assertEqual(self.finished(at_work["run"])["status"], "failed")
        self.assertEqual([w["class"] for w in self.backoffs(at_work["run"])], ["lost", "lost"])
        self.check_nothing_left()


class Limits(Api):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("limits", LIMITS)

    def timed_out(self, *params):
        r = self.begin(self.flow, *params)
        self.assertEqual(r.end().status, 0, "".join(r.raw))
        result = self.finished(r.events[0]["run"])
        self.assertEqual(result["status"], "timed_out", result)
        return result, r

    def test_run_heartbeat_queue(self):
        for which, params in (("run", ('limits={"run": "300ms", "heartbeat": "1h"}',)), ("heartbeat", ('limits={"heartbeat": "300ms"}',)),
                              ("queue", ('limits={"queue": "400ms"}', "wide=16"))):
            with self.subTest(which=which):
                result, r = self.timed_out(*params)
                self.assertEqual(result["timeout"], which)
                if which != "queue":
                    self.assertIn(f"timeout '{which}'", "".join(r.raw))
        self.check_nothing_left()

    def test_start(self):
        """A worker that stands still does not begin; when it is declared lost before the limit is reached, another one begins."""
        for _ in range(5):
            r = self.begin(self.flow, 'limits={"start": "300ms"}', "go=true", "ms=10")
            first = r.wait_event(is_event("stage_dispatched"), "the first stage")
            r.wait_event(is_event("stage_finished"), "its end")
            os.kill(first["body"]["worker"], signal.SIGSTOP)
            self.baton("signal", first["run"], "go", status=0)
            self.assertEqual(r.end().status, 0)
            result = self.finished(first["run"])
            if result["status"] == "timed_out":
                break
        self.assertEqual((result["status"], result["timeout"]), ("timed_out", "start"))
        self.check_nothing_left()

    def test_tried_again(self):
        result, r = self.timed_out('limits={"heartbeat": "200ms"}', "attempts=3")
        self.assertEqual(result["timeout"], "heartbeat")
        run = r.events[0]["run"]
        self.assertEqual([e["body"]["class"] for e in self.journal(run) if e["kind"] == "stage_backoff"], ["timeout", "timeout"])
        self.replays(run)
        self.check_nothing_left()


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


WIDE = """
workflow "wide" {
  agents = { "echo" },
  params = { n = { default = 5000 } },
  run = function(p)
    local items = {}
    for i = 1, p.n do items[i] = i end
    local results = parallel(items, function(i) return stage { agent = "echo", input = { n = i, mark = "did" } } end, 48)
    local last = stage { agent = "echo", after = { results[1], results[2500], results[p.n] }, input = { all = count(results) } }
    local sum = 0
    for i, r in ipairs(results) do
      assert(r.output.echo.n == i)
      sum = sum + r.output.echo.n
    end
    finish("accepted", { sum = sum, id = last.id, parents = { results[1].id, results[2500].id, results[p.n].id } })
  end,
}
"""
JOIN = """
workflow "join" {
  agents = { "echo" },
  run = function()
    local sides = parallel({ 1, 2, 3, 4, 5 }, function(i) return stage { agent = "echo", input = { side = i } } end)
    local last = stage { agent = "echo", after = sides, input = { join = true } }
    local ids = {}
    for i, side in ipairs(sides) do ids[i] = side.id end
    finish("accepted", { ids = ids, last = last.id })
  end,
}
"""


class Wide(Api):
    def test_a_stage_after_parallel_results_has_them_all(self):
        r = self.begin(self.workflow("join", JOIN))
        self.assertEqual(r.end().status, 0)
        result = self.finished(r.events[0]["run"])
        handoffs = {h["id"]: h["handoff"] for h in self.baton("handoff", "show", r.events[0]["run"], "--json", status=0).json()}
        self.assertEqual(handoffs[result["last"]]["parent"], result["ids"])
        self.assertEqual(len(set(result["ids"])), 5)

    def test_five_thousand_stages_killed_in_the_middle(self):
        seen = []

        def match(event):
            seen.append(event) if event.get("event") == "stage_finished" else None
            return len(seen) >= 1500
        run = self.killed_at(self.workflow("wide", WIDE), match)
        done = self.baton("resume", run, "--json", status=0)
        self.assertEqual(done.lines()[-1]["run"], run)
        result = self.finished(run)
        self.assertEqual(result["sum"], 5000 * 5001 // 2)
        at_work, most = set(), 0
        for event in self.journal(run):
            if event["kind"] == "run_resumed":
                at_work = set()
            if event["kind"] in ("stage_reserved", "stage_retried"):
                at_work.add(event["body"]["stage"])
                most = max(most, len(at_work))
            if event["kind"] == "stage_finished":
                at_work.discard(event["body"]["stage"])
        self.assertLessEqual(most, 48)
        self.check_paid_once(run, 5001)
        ended = [line.split()[1] for line in (self.state / "runs" / run / "did").read_text().splitlines() if line.startswith("end")]
        self.assertGreaterEqual(len(set(ended)), 5000)
        self.replays(run)
        self.check_nothing_left()


if __name__ == "__main__":
    support.main()

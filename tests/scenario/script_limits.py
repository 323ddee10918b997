"""Limits and retries of a stage, in parts: which limit it was, why an attempt failed, and waits that go on after a kill."""
import os
import signal

import support
from script_api import Api
from support import is_event, processes_of, wait_for

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


if __name__ == "__main__":
    support.main()

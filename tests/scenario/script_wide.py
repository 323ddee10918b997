"""Wide parallel stages, and everything a script can ask for at once, killed at any time."""
import random
import shutil
import subprocess

import support
from script_api import Api
from support import is_event

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
  params = { width = 5 },
  run = function(p)
    local numbers = {}
    for i = 1, p.width do numbers[i] = i end
    local sides = parallel(numbers, function(i) return stage { agent = "echo", input = { side = i } } end)
    local last = stage { agent = "echo", after = sides, input = { join = true } }
    local ids = {}
    for i, side in ipairs(sides) do ids[i] = side.id end
    finish("accepted", { ids = ids, last = last.id })
  end,
}
"""
LONG = """
workflow "long" {
  agents = { "echo" },
  params = { wait_ms = { default = 600000 }, n = { default = 120 } },
  run = function(p)
    for i = 1, 30 do stage { agent = "echo", input = { pace = i } } end -- quick ones: workers hold many of them
    local quick = {}
    for i = 1, p.n do quick[i] = i end
    parallel {
      function() return stage { agent = "echo", task = "long", input = { sleep_ms = p.wait_ms, mark = "did" } } end,
      function()
        parallel(quick, function(i) return stage { agent = "echo", input = { n = i, mark = "did" } } end)
        log("all quick ones are done")
        return true
      end,
    }
    finish("accepted", { n = p.n })
  end,
}
"""


class Wide(Api):
    def begin_long(self):
        for _ in range(5):
            r = self.begin(self.workflow("long", LONG))
            r.wait_event(lambda e: e.get("event") == "script_log" and "quick ones are done" in e["body"]["text"], "the quick stages")
            run = r.events[0]["run"]
            if any(e["kind"] == "stage_returned" for e in self.journal(run)):
                return r, run
            self.baton("cancel", run, status=0)
            r.end()
        self.skipTest("on this machine no worker is quick enough to be given several jobs")

    def did(self, run):
        return (self.state / "runs" / run / "did").read_text().count("begin")

    def test_nothing_waits_behind_a_long_job(self):
        """The quick ones are done while the long one sleeps, in whatever worker they were put first."""
        r, run = self.begin_long()
        self.assertEqual(self.did(run), 121)
        open_stages = [s for s in self.result(run)["stages"] if s["state"] == "reserved"]
        self.assertEqual(len(open_stages), 1)
        self.assertEqual({s["attempt"] for s in self.result(run)["stages"]}, {1})
        self.check_paid_once(run)
        self.baton("cancel", run, status=0)
        self.assertEqual(r.end().status, 8)
        self.check_nothing_left()

    def test_what_was_given_back_survives_a_kill(self):
        r, run = self.begin_long()
        r.kill()
        again = self.start("resume", run, "--json")
        again.wait_event(lambda e: e.get("event") == "script_log" and "quick ones are done" in e["body"]["text"], "the quick stages, from the journal")
        self.baton("cancel", run, status=0)
        again.end()
        self.check_paid_once(run)
        self.assertEqual(self.did(run), 122)  # the long one began twice
    def test_a_stage_after_parallel_results_has_them_all(self):
        r = self.begin(self.workflow("join", JOIN))
        self.assertEqual(r.end().status, 0)
        result = self.finished(r.events[0]["run"])
        handoffs = {h["id"]: h["handoff"] for h in self.baton("handoff", "show", r.events[0]["run"], "--json", status=0).json()}
        self.assertEqual(handoffs[result["last"]]["parent"], result["ids"])
        self.assertEqual(len(set(result["ids"])), 5)

    def test_a_join_of_any_width(self):
        """The worker and the key have all parents; the handoff names the last 32."""
        r = self.begin(self.workflow("join", JOIN), "width=200")
        done = r.end()
        self.assertEqual(done.status, 0, str(done))
        run = r.events[0]["run"]
        result = self.finished(run)
        handoffs = {h["id"]: h["handoff"] for h in self.baton("handoff", "show", run, "--json", status=0).json()}
        self.assertEqual(handoffs[result["last"]]["parent"], result["ids"][-32:])
        self.replays(run)

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


LITTLE = """
workflow "little" {
  agents = { "echo" },
  params = { n = { default = 1 } },
  run = function(p)
    on_failure(function() stage { agent = "echo", input = { undo = p.n } } end)
    local r = stage { agent = "echo", input = { n = p.n, sleep_ms = 20 } }
    sleep "20ms"
    if p.n % 3 == 0 then fail "unlucky" end
    finish("accepted", { n = r.output.echo.n * 2 })
  end,
}
"""
ALL = """
workflow "all" {
  agents = { "echo" },
  params = { round = { default = 1 }, sum = { default = 0 } },
  run = function(p)
    on_failure(function(why) publish("because", stage { agent = "echo", input = { why = why.outcome } }.output.echo.why) end)
    on_failure(function() run_workflow { workflow = "little.lua", params = { n = 100 } } end)
    local function children()
      local sum = 0
      local results = parallel({ 1, 2, 3, 4 }, function(n)
        return run_workflow { workflow = "little.lua", params = { n = n + 10 * p.round } }
      end, 2)
      for _, r in ipairs(results) do sum = sum + (r.result.n or 1000) end
      return sum
    end
    local function signals()
      local sum = 0
      for i = 1, 3 do
        sum = sum + (signal("go", { timeout = "10m" }) or 1000000)
        publish("got", sum)
      end
      return sum
    end
    local function stages()
      local sum = 0
      for i = 1, 4 do
        local r = stage {
          agent = "echo", input = { x = i, round = p.round, sleep_ms = 10 }, timeout = { queue = "5m", heartbeat = "5m" },
          retries = { attempts = 3, backoff = "10ms", on = { "lost", "tool" } },
        }
        sum = sum + r.output.echo.x
        sleep "10ms"
      end
      return sum
    end
    local sum = p.sum
    for _, part in ipairs(parallel { children, signals, stages }) do sum = sum + part end
    publish("sum", sum)
    if p.round < 3 then continue_as_new { round = p.round + 1, sum = sum } end
    fail("sum " .. math.floor(sum))
  end,
}
"""


class RandomKills(Api):
    """Everything at once, killed at any time: nothing is lost, nothing happens twice, and the sum is right."""

    KILLS = 40

    def one(self, flow, rnd):
        r = self.begin(flow)
        first = r.wait_event(is_event("run_created"), "the run")["run"]
        for n in range(9):
            self.baton("signal", first, "go", n, status=0)
        for _ in range(self.KILLS):
            try:
                r.process.wait(rnd.uniform(0.01, 0.1))
                break
            except subprocess.TimeoutExpired:
                r.kill()
                r = self.start("resume", first, "--json")
        r.end()
        return first

    def check(self, first):
        runs = self.runs()
        chain = sorted((x for x in runs if x["workflow"] == "all"), key=lambda x: x["params"]["round"])
        self.assertEqual([(x["params"]["round"], x["state"]) for x in chain], [(1, "continued"), (2, "continued"), (3, "failed")])
        self.assertEqual(chain[0]["id"], first)
        numbers = [n + 10 * round for round in (1, 2, 3) for n in (1, 2, 3, 4)]
        wanted = sum(1000 if n % 3 == 0 else 2 * n for n in numbers) + 3 * 10 + sum(range(9))
        last = chain[-1]
        self.assertEqual(last["result"]["reason"], f"sum {wanted}")
        self.assertEqual(last["result"]["undone"], {"handlers": 2, "failed": []})
        self.assertEqual(self.baton("query", first, "because", status=0).json(), "failed")
        for run in chain:
            children = [x for x in runs if x["parent"] == run["id"]]
            self.assertEqual(len(children), 5 if run is last else 4)
            for child in children:
                unlucky = child["params"]["n"] % 3 == 0
                self.assertEqual(child["state"], "failed" if unlucky else "accepted")
                self.assertEqual(child["result"].get("undone", {}).get("handlers"), 1 if unlucky else None)
            for one in children + [run]:
                self.check_paid_once(one["id"])
                self.replays(one["id"])

    def test_all_of_it(self):
        self.workflow("little", LITTLE)
        flow = self.workflow("all", ALL)
        for seed in range(3):
            with self.subTest(seed=seed):
                self.check(self.one(flow, random.Random(seed)))
            shutil.rmtree(self.state, ignore_errors=True)


if __name__ == "__main__":
    support.main()

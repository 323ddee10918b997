"""Many runs that sleep: they leave the memory, wake up in time, can be cancelled, and pay for nothing twice."""
import signal

import service as services
import support
from support import wait_for

RUNS = 90  # above the number from which on the engine parks (PARK_ABOVE)
NAP = """
workflow "nap" {
  agents = { "echo" },
  run = function(p)
    local first = stage { agent = "echo", input = { n = 1 } }
    sleep("6s")
    local last = stage { agent = "echo", after = first, input = { n = 2 } }
    finish("accepted", { n = last.output.echo.n, luck = random(1000000) })
  end,
}
"""

LETTERS = """
workflow "letters" {
  run = function()
    local n = signal("go", { timeout = "1h" })
    local yes = approve { question = "go on?", expires = "1h" }
    finish("accepted", { n = n, yes = yes })
  end,
}
"""


class Park(support.Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.root / "project"
        self.project.mkdir()
        self.nap = str(self.workflow("nap", NAP))

    def begin(self, client):
        answer = client.ask({"op": "start", "workflow": self.nap, "project": str(self.project), "params": {}})
        self.assertTrue(answer["ok"], answer)
        return answer["run"]

    def test_sleepers_wake_up(self):
        service = self.start("serve", "--max-runs", "200")
        service.wait_error("serving on")
        client = services.Client(self.state / "serve.sock")
        self.addCleanup(client.close)
        runs = [self.begin(client) for _ in range(RUNS)]
        wait_for(lambda: any(e["kind"] == "stage_finished" for e in self.journal(runs[-1])), "the last one sleeps")
        self.baton("cancel", runs[7], "--reason", "enough", status=0)
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all have ended", 300)
        states = {r["id"]: r["state"] for r in client.ask({"op": "list"})["runs"]}
        for n, run in enumerate(runs):
            self.assertEqual(states[run], "cancelled" if n == 7 else "accepted")
            if n != 7 and n % 10 == 0:
                self.check_paid_once(run, 2)
                self.assertNotIn("run_resumed", [e["kind"] for e in self.journal(run)])
        service.send(signal.SIGTERM)
        self.assertEqual(service.end().status, 0)
        self.check_nothing_left()

    def test_those_who_wait_for_letters_leave_the_memory_too(self):
        """Signals and answers from another process and through the socket wake them; each hears its own."""
        flow = str(self.workflow("letters", LETTERS))
        service = self.start("serve", "--max-runs", "200")
        service.wait_error("serving on")
        client = services.Client(self.state / "serve.sock")
        self.addCleanup(client.close)
        runs = []
        for _ in range(RUNS):
            answer = client.ask({"op": "start", "workflow": flow, "project": str(self.project), "params": {}})
            self.assertTrue(answer["ok"], answer)
            runs.append(answer["run"])
        self.baton("signal", runs[3], "go", "3", status=0)  # early: before anybody looks
        parked = "baton_runs_parked"
        wait_for(lambda: self.metric(client, parked) >= 20, "they are parked", 60)
        for n, run in enumerate(runs):
            if n == 5:
                self.baton("signal", run, "go", "5", status=0)
            elif n != 3:
                self.assertTrue(client.ask({"op": "signal", "run": run, "name": "go", "value": n})["ok"])
        for n, run in enumerate(runs):
            wait_for(lambda run=run: client.ask({"op": "questions", "run": run})["questions"], "its question")
        wait_for(lambda: self.metric(client, parked) >= 20, "they are parked again", 60)
        for n, run in enumerate(runs):
            if n == 7:
                self.baton("approve", run, "--deny", status=0)
            else:
                self.assertTrue(client.ask({"op": "approve", "run": run})["ok"])
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all have ended", 120)
        ended = {r["id"]: r for r in self.baton("runs", "--json", "--limit", "200", status=0).json()}
        self.assertEqual([ended[run]["result"]["n"] for run in runs], list(range(RUNS)))
        self.assertEqual([n for n, run in enumerate(runs) if not ended[run]["result"]["yes"]], [7])
        asked = [e for e in self.journal(runs[9]) if e["kind"] == "approval_asked"]
        self.assertEqual(len(asked), 1)
        service.send(signal.SIGTERM)
        self.assertEqual(service.end().status, 0)
        self.check_nothing_left()

    def metric(self, client, name):
        found = client.ask({"op": "metrics", "format": "json"})["metrics"]
        return sum(s["value"] for m in found if m["name"] == name for s in m["series"])


if __name__ == "__main__":
    support.main()

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


if __name__ == "__main__":
    support.main()

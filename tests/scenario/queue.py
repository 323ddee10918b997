"""The queue of the service: positions, turns of the projects, cancel, kill -9, and `baton start`."""
import support
from service import ServiceScenario
from support import wait_for


class Queue(ServiceScenario):
    def setUp(self):
        super().setUp()
        self.other = self.root / "other"
        self.other.mkdir()
        (self.other / "README").write_text("something else\n")
        support.make_repository(self.other)

    def positions(self, client):
        return {r["id"]: r["position"] for r in client.ask({"op": "list"})["runs"] if r["state"] == "queued"}

    def idle(self, client):
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0 and client.ask({"op": "ping"})["queued"] == 0, "all runs are closed")

    def test_positions_turns_and_kill(self):
        service = self.serve("--max-runs", "1")
        client = self.client()
        first = self.begin(client)
        self.at_work(first)
        a2, a3, b1 = self.ask_start(client, ms=10), self.ask_start(client, ms=10), self.ask_start(client, self.other, ms=10)
        self.assertEqual([a["position"] for a in (a2, a3, b1)], [1, 2, 1], "the project that has nothing at work comes first")
        a2, a3, b1 = a2["run"], a3["run"], b1["run"]
        expected = {b1: 1, a2: 2, a3: 3}
        self.assertEqual(self.positions(client), expected)
        self.assertEqual(client.ask({"op": "ping"})["queued"], 3)
        self.assertEqual([e["kind"] for e in self.journal(a3)], ["run_queued"])

        def check_seen():
            out = self.baton("runs", status=0).out
            for run, word in ((b1, "queued, 1st"), (a2, "queued, 2nd"), (a3, "queued, 3rd")):
                self.assertTrue(any(line.startswith(run) and word in line for line in out.splitlines()), out)
                self.assertIn(f"state    {word}", self.baton("show", run, status=0).out)
            seen = {r["id"]: r.get("position") for r in self.baton("runs", "--json", status=0).json()}
            self.assertEqual(seen, {**expected, first: None})
            self.assertEqual(self.baton("show", b1, "--json", status=0).json()["position"], 1)

        check_seen()
        service.kill()
        wait_for(lambda: not support.processes_of(self.root), "the workers end with the service")
        check_seen()
        service = self.serve("--max-runs", "1")
        client = self.client()
        self.assertEqual(self.positions(client), expected, "the queue is the one from before")
        self.assertIn("is cancelled", self.baton("cancel", a3, status=0).out)
        self.assertEqual(self.record(a3)["state"], "cancelled")
        watcher = self.client()
        self.assertTrue(watcher.ask({"op": "follow"})["ok"])
        self.assertTrue(client.ask({"op": "cancel", "run": first})["ok"])
        began = [watcher.until(lambda e: e["event"] == "run_started")["run"] for _ in range(2)]
        self.assertEqual(began, [b1, a2])
        self.idle(client)
        self.assertEqual({r: self.record(r)["state"] for r in (first, a2, a3, b1)},
                         {first: "cancelled", a2: "accepted", a3: "cancelled", b1: "accepted"})
        self.assertFalse(any(e["kind"] == "run_started" for e in self.journal(a3)))
        self.stop(service)
        self.check_nothing_left(self.project)

    def test_cancel_of_a_queued_run_over_the_socket(self):
        service = self.serve("--max-runs", "1")
        client = self.client()
        first, second = self.begin(client), self.begin(client)
        self.assertTrue(client.ask({"op": "cancel", "run": second, "reason": "not needed"})["ok"])
        wait_for(lambda: self.record(second)["state"] == "cancelled", "the queued run is ended")
        self.assertEqual(self.positions(client), {})
        self.assertEqual(self.baton("cancel", second).status, 2, "it has ended already")
        self.assertTrue(client.ask({"op": "cancel", "run": first})["ok"])
        self.idle(client)
        self.stop(service)
        self.check_nothing_left(self.project)

    def test_a_run_of_ones_own_needs_no_place(self):
        service = self.serve("--max-runs", "1")
        client = self.client()
        first = self.begin(client)
        self.at_work(first)
        done = self.baton("run", self.wait, "--project", self.project, "--param", "ms=1", "--json", status=0)
        self.assertTrue(any(e.get("event") == "run_started" for e in done.lines()))
        own = self.start("run", self.wait, "--project", self.project, "--json")
        run = own.wait_event(lambda e: e.get("event") == "run_started")["run"]
        self.assertTrue(client.ask({"op": "cancel", "run": run})["ok"], "the service passes it on to the process that has the run")
        self.assertEqual(own.end().status, 8)
        self.assertTrue(client.ask({"op": "cancel", "run": first})["ok"])
        self.idle(client)
        self.stop(service)

    def test_start_command(self):
        done = self.baton("start", self.wait, "--project", self.project, "--wait", "0")
        self.assertEqual(done.status, 5, str(done))
        self.assertIn("start one with: baton serve", done.err)
        late = self.start("start", self.wait, "--project", self.project, "--param", "ms=60000")  # waits for the service
        service = self.serve("--max-runs", "1", "--max-queue", "1")
        done = late.end()
        self.assertEqual(done.status, 0, str(done))
        self.assertRegex(done.out, r"^wait-\w+ is at work\n$")
        first = done.out.split()[0]
        begin = ["start", "wait.lua", "--project", "project", "--param", "ms=5", "--key", "k", "--timeout", "1"]
        done = self.baton(*begin, cwd=self.root, status=0)  # paths of this folder, not of the service's
        self.assertRegex(done.out, r"^wait-\w+ is queued, 1st\n$")
        second = done.out.split()[0]
        self.assertIn(f"{second} is there already", self.baton(*begin, cwd=self.root, status=0).out, "also when the queue is full")
        answer = self.baton(*begin, "--json", cwd=self.root, status=0).json()
        self.assertEqual(answer, {"run": second, "existing": True, "position": 1})
        full = self.baton("start", self.wait, "--project", self.project)
        self.assertEqual(full.status, 5, str(full))
        self.assertIn("the limit", full.err)
        self.assertEqual(self.baton("start", "no-such", "--project", self.project).status, 5)
        self.assertEqual(self.baton("start", self.wait, "--project", self.root / "nowhere").status, 2)
        record = self.record(second)
        self.assertEqual((record["options"]["wall_ms"], record["caller"], record["started_ns"]), (60000, "command line", None))
        self.baton("cancel", first, status=0)
        wait_for(lambda: self.record(second)["state"] == "accepted", "the second run is done")
        self.assertGreater(self.record(second)["started_ns"], record["created_ns"])
        self.idle(self.client())
        self.stop(service)


if __name__ == "__main__":
    support.main()

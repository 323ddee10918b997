"""What can be seen of a service and its runs: events and their order, log lines."""
import json
import signal

import support
from service import ServiceScenario
from support import wait_for

LOG_FIELDS = {"time", "level", "event", "run", "fields"}


class Watch(ServiceScenario):
    def test_events_over_restarts(self):
        followed = self.start("events", "--follow", "--json")
        only_ends = self.start("events", "--follow", "--json", "--since", "now", "--kind", "run_finished", "--kind", "service_*")
        runs = []
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            service = self.serve()
            run = self.begin(self.client(), ms=10)
            runs.append(run)
            wait_for(lambda run=run: self.record(run)["state"] == "accepted", "the run is done")
            wait_for(lambda: self.client().ask({"op": "ping"})["runs"] == 0, "the run is closed")
            service.send(number)
            service.end()
        done = self.baton("run", self.wait, "--project", self.project, "--param", "ms=1", "--json", status=0)
        runs.append(next(e["run"] for e in done.lines() if e.get("run")))
        everything = self.baton("events", "--json", status=0).lines()
        ids = [e["id"] for e in everything]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual({e["run"] for e in everything}, {None, *runs})
        followed.wait_event(lambda e: e["id"] == ids[-1])
        only_ends.wait_event(lambda e: e["run"] == runs[-1])
        for each in (followed, only_ends):
            each.send(signal.SIGINT)
            each.end()
        self.assertEqual(followed.events, everything, "a follower sees each event once and in order, whatever was restarted")
        kinds = [e["kind"] for e in only_ends.events]
        self.assertEqual(kinds.count("run_finished"), 4)
        self.assertEqual((kinds.count("service_started"), kinds.count("service_draining"), kinds.count("service_stopped")), (3, 2, 2))
        middle = ids[len(ids) // 2]
        self.assertEqual(self.baton("events", "--json", "--since", middle, status=0).lines(), [e for e in everything if e["id"] > middle])
        of_one = self.baton("events", runs[0], "--json", status=0).lines()
        self.assertEqual(of_one, [e for e in everything if e["run"] == runs[0]])
        self.assertEqual(self.baton("logs", runs[0], "--json", status=0).lines(), of_one)
        text = self.baton("events", runs[0], "--kind", "stage_finished", status=0).out.splitlines()
        self.assertEqual(len(text), 2)
        self.assertRegex(text[0], rf"^\d+ \S+Z stage_finished +{runs[0]} stage=1 ")
        self.assertEqual(self.baton("events", "--since", ids[-1], status=0).out, "")
        for bad in (["--kind", "nonsense"], ["--since", "-1"], ["--since", "yesterday"], ["no-such-run"]):
            self.assertEqual(self.baton("events", *bad).status, 2, bad)
        self.assertIn("run_finished", self.baton("events", "--kind", "nonsense").err)

    def test_log_lines(self):
        service = self.start("serve", "--log-format", "json", "--log-level", "debug", env={"BATON_LOG": "error"})
        service.wait_error('"service_started"')
        run = self.begin(self.client(), ms=10)
        wait_for(lambda: self.record(run)["state"] == "accepted", "the run is done")
        wait_for(lambda: self.client().ask({"op": "ping"})["runs"] == 0, "the run is closed")
        done = self.stop(service)
        lines = [json.loads(line) for line in done.err.splitlines()]
        for line in lines:
            self.assertEqual(set(line), LOG_FIELDS, line)
            self.assertIn(line["level"], ("error", "warn", "info", "debug"))
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIsInstance(line["fields"], dict)
        of_run = [(line["event"], line["level"]) for line in lines if line["run"] == run]
        for expected in (("run_started", "info"), ("stage_reserved", "debug"), ("stage_finished", "info"), ("run_ended", "info")):
            self.assertIn(expected, of_run)
        finished = next(line for line in lines if line["event"] == "stage_finished" and line["fields"]["stage"] == 2)
        self.assertEqual((finished["fields"]["agent"], finished["fields"]["state"]), ("echo", "completed"))
        self.assertEqual(done.out, "")

    def test_log_level_and_failure(self):
        service = self.serve("--log-level", "warn")
        failed = self.baton("serve", "--log-format", "json", "--log-level", "error")
        self.assertEqual(failed.status, 5)
        line = json.loads(failed.err)
        self.assertEqual((line["event"], set(line)), ("service_failed", LOG_FIELDS))
        self.assertIn("--replace", line["fields"]["why"])
        done = self.stop(service)
        self.assertNotIn("service_started", done.err)
        for bad in (["--log-format", "xml"], ["--log-level", "loud"], ["--max-runs", "0"], ["--drain", "-1"], ["--max-queue", "x"]):
            self.assertEqual(self.baton("serve", *bad).status, 2, bad)


if __name__ == "__main__":
    support.main()

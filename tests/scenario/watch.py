"""What can be seen of a service and its runs: events and their order, log lines."""
import fcntl
import json
import os
import pty
import signal
import struct
import termios

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


    def look(self):
        return json.loads(self.baton("top", "--once", "--json", status=0).out)

    def test_top(self):
        nothing = self.look()
        self.assertEqual((nothing["service"], nothing["runs"], nothing["workers"]), (None, [], []))
        self.assertIn("no service", self.baton("top", status=0).out)
        service = self.serve("--max-runs", "1")
        client = self.client()
        first = self.begin(client)
        self.at_work(first)
        queued = [self.begin(client) for _ in range(2)]
        own = self.start("run", self.wait, "--project", self.project, "--json")
        other = own.wait_event(lambda e: e.get("event") == "run_started")["run"]
        self.at_work(other)
        look = self.look()
        self.assertEqual((look["service"]["pid"], look["service"]["queued"], look["service"]["max_runs"]), (service.pid, 2, 1))
        self.assertEqual(set(look["service"]["rates"]), {"runs_per_min", "stages_per_s", "commits_per_s"})
        self.assertGreater(look["journal_bytes"], 10000)
        rows = {r["run"]: r for r in look["runs"]}
        self.assertEqual([r["run"] for r in look["runs"]][2:], queued, "runs at work come first, then the queue")
        self.assertEqual([rows[q]["position"] for q in queued], [1, 2])
        workers = {w["pid"]: w for w in look["workers"]}
        for run in (first, other):
            self.assertEqual((rows[run]["state"], rows[run]["stage"], rows[run]["agent"]), ("running", 2, "echo"))
            self.assertGreaterEqual(rows[run]["stage_elapsed_ms"], 0)
            worker = workers[rows[run]["worker"]]
            self.assertEqual((worker["run"], worker["program"]), (run, "baton-agent-echo"))
            self.assertGreater(worker["rss_bytes"], 100000)
            self.assertIsInstance(worker["cpu_pct"], float)
        text = self.baton("top", "--once", status=0).out
        for expected in (f"service {service.pid}", "queued, 2nd", "2 echo (echo)", "baton-agent-echo", "stages/s"):
            self.assertIn(expected, text)
        self.refreshes_in_place(first)
        self.baton("cancel", other, status=0)
        own.end()
        for run in [*queued, first]:
            self.assertTrue(client.ask({"op": "cancel", "run": run})["ok"])
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the runs are closed")
        self.stop(service)
        for bad in ("0", "x", "-1"):
            self.assertEqual(self.baton("top", "--interval", bad).status, 2)

    def test_top_of_a_long_queue(self):
        service = self.serve("--max-runs", "1")
        client = self.client()
        first = self.begin(client)
        self.at_work(first)
        queued = [self.begin(client) for _ in range(110)]
        self.assertEqual([r["run"] for r in self.look()["runs"]], [first, *queued[:100]], "the head of the queue is what comes next")
        service.kill()

    def refreshes_in_place(self, run):
        """On a terminal of 60 columns and 12 lines: whole frames, each from the upper left corner, no line longer than the terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(support.BATON, [support.BATON, "top"], {**self.env, "TERM": "xterm"})
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
        seen = b""
        while seen.count(b"\x1b[H") < 4:
            seen += os.read(terminal, 65536)
        os.kill(pid, signal.SIGINT)
        os.waitpid(pid, 0)
        os.close(terminal)
        frame = seen.split(b"\x1b[H")[-2].decode()
        self.assertIn(run, frame)
        lines = frame.replace("\x1b[K", "").replace("\x1b[J", "").split("\r\n")
        self.assertLessEqual(len(lines), 12)
        self.assertLessEqual(max(map(len, lines)), 60)


if __name__ == "__main__":
    support.main()

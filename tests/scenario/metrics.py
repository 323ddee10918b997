"""The metrics of the service: over the control socket and over HTTP, read by Prometheus' own parser; the HTTP door bears what comes."""
import http.client
import json
import re
import signal
import socket
import subprocess

import support
from service import ServiceScenario
from support import SOURCE, wait_for

# Debian's python3-prometheus-client is for Debian's python3, which need not be the first one in PATH.
PARSER = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
print(json.dumps([{"name": f.name, "type": f.type, "help": f.documentation, "samples": [[s.name, s.labels, s.value] for s in f.samples]}
                  for f in parse(sys.stdin.read())]))
"""


def parsed(text):
    run = subprocess.run(["/usr/bin/python3", "-c", PARSER], input=text, capture_output=True, text=True, check=False)
    if run.returncode:
        raise AssertionError(f"the parser of python3-prometheus-client (./bootstrap.sh test installs it) says: {run.stderr}\n{text}")
    return {f["name"]: f for f in json.loads(run.stdout)}


def value(families, name, **labels):
    """The sample with these labels; 0 when there is none."""
    for family in families.values():
        for sample, its, number in family["samples"]:
            if sample == name and its == labels:
                return number
    return 0


class Metrics(ServiceScenario):
    def serve_http(self, *more):
        service = self.serve("--metrics-listen", "127.0.0.1:0", *more)
        service.wait_error("metrics on")
        line = next(e for e in service.errors if "metrics on" in e)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)/metrics", line)[1])
        return service

    def get(self, path="/metrics", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=support.DEADLINE)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer, body

    def test_what_is_counted(self):
        service = self.serve_http("--max-runs", "1", "--max-queue", "2")
        client = self.client()
        done = self.begin(client, ms=30)
        wait_for(lambda: self.record(done)["state"] == "accepted", "the run is done")
        first = self.begin(client)
        self.at_work(first)
        queued = [self.begin(client) for _ in range(2)]
        self.assertEqual(self.ask_start(client)["code"], "limit")
        answer, text = self.get()
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "text/plain; version=0.0.4; charset=utf-8"))
        families = parsed(text)
        rows = re.findall(r'(?m)^X\(\w+, "(\w+)", (\w+), "([^"]*)", "(\w*)"', (SOURCE / "proto/tbl/metrics.def").read_text())
        self.assertGreater(len(rows), 20)
        for name, kind, labels, unit in rows:
            family = families[name.removesuffix("_total") if kind == "COUNTER" else name]
            self.assertEqual(family["type"], kind.lower(), name)
            self.assertTrue(family["help"], name)
            self.assertEqual(kind == "COUNTER", name.endswith("_total"), name)
            if unit:
                self.assertIn(unit, name)
            for _, its, _ in family["samples"]:
                self.assertEqual(set(its) - {"le"}, set(filter(None, labels.split(","))), name)
        expected = {("baton_runs_started_total",): 2, ("baton_runs_queued_total",): 2, ("baton_queue_length",): 2, ("baton_runs_limit",): 1,
                    ("baton_stages_at_work",): 1, ("baton_runs_open",): 1, ("baton_runs_finished_total", ("state", "accepted")): 1,
                    ("baton_starts_refused_total", ("code", "limit")): 1, ("baton_draining",): 0,
                    ("baton_stages_finished_total", ("role", "echo"), ("state", "completed")): 3,
                    ("baton_stage_seconds_count", ("role", "echo")): 3, ("baton_stage_seconds_bucket", ("role", "echo"), ("le", "3600")): 3}
        for (name, *labels), number in expected.items():
            self.assertEqual(value(families, name, **dict(labels)), number, name)
        self.assertGreaterEqual(value(families, "baton_workers", role="echo"), 1)
        self.assertGreater(value(families, "baton_commit_seconds_count"), 5)
        self.assertEqual(value(families, "baton_commit_seconds_count"), value(families, "baton_commit_turns_bucket", le="+Inf"))
        self.assertGreater(value(families, "baton_journal_bytes"), 10000)
        self.assertGreater(value(families, "baton_resident_memory_bytes"), 1000000)
        self.assertEqual(len(families["baton_build_info"]["samples"]), 1)
        for histogram in (f for f in families.values() if f["type"] == "histogram"):
            counts = [n for name, _, n in histogram["samples"] if name.endswith("_bucket")]
            self.assertEqual(counts, sorted(counts), "buckets are cumulated")

        over_socket = parsed(self.baton("metrics", status=0).out)
        self.assertEqual(set(over_socket), set(families))
        as_json = {m["name"]: m for m in self.baton("metrics", "--json", status=0).json()}
        self.assertEqual(set(as_json), {name for name, *_ in rows})
        self.assertEqual(as_json["baton_queue_length"]["series"], [{"labels": {}, "value": 2.0}])

        worker = client.ask({"op": "workers"})["workers"][0]
        self.assertEqual(worker["role"], "echo")
        for run in [*queued, first]:
            self.assertTrue(client.ask({"op": "cancel", "run": run})["ok"])
        wait_for(lambda: value(parsed(self.get()[1]), "baton_runs_finished_total", state="cancelled") == 3, "the ends are counted")
        self.stop(service)

    def test_lost_workers_and_restart(self):
        service = self.serve_http()
        client = self.client()
        run = self.begin(client)
        self.at_work(run)
        worker = next(e["body"]["worker"] for e in self.journal(run) if e["kind"] == "stage_dispatched" and e["body"]["stage"] == 2)
        support.os.kill(worker, signal.SIGKILL)
        wait_for(lambda: value(parsed(self.get()[1]), "baton_stages_retried_total") == 1, "the stage is leased once more")
        families = parsed(self.get()[1])
        self.assertEqual(value(families, "baton_leases_lost_total"), 1)
        service.kill()
        wait_for(lambda: not support.processes_of(self.root), "the workers end with the service")
        service = self.serve_http()
        wait_for(lambda: value(parsed(self.get()[1]), "baton_stages_reused_total", source="journal") == 1, "the finished stage answers")
        self.assertEqual(value(parsed(self.get()[1]), "baton_runs_resumed_total"), 1)
        self.assertTrue(self.client().ask({"op": "cancel", "run": run})["ok"])
        self.stop(service)

    def test_the_http_door(self):
        service = self.serve_http()
        for path, method, status in (("/", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "DELETE", 405),
                                     ("/metrics", "HEAD", 200), ("/metrics?x=1", "GET", 200), ("/..%2fmetrics", "GET", 404)):
            answer, body = self.get(path, method)
            self.assertEqual(answer.status, status, (path, method))
            if status == 404:
                self.assertEqual(json.loads(body)["code"], "not_found")
        for garbage in (b"\r\n\r\n", b"\0" * 100, b"GET /metrics HTTP/9.9\r\n\r\n", b"G" * 100000, b"GET / HTTP/1.1\r\nA: " + b"x" * 200000):
            with socket.create_connection(("127.0.0.1", self.port), timeout=support.DEADLINE) as s:
                try:
                    s.sendall(garbage)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        idle = [socket.create_connection(("127.0.0.1", self.port), timeout=support.DEADLINE) for _ in range(60)]  # more than are served
        self.assertTrue(self.client().ask({"op": "ping"})["ok"], "the rest of the service goes on")
        for s in idle:
            s.close()

        def served():
            try:
                return self.get()[0].status == 200
            except OSError:
                return False

        wait_for(served, "it is served again")
        taken = self.start("serve", "--metrics-listen", f"127.0.0.1:{self.port}", env={"BATON_STATE": str(self.root / "other")}).end()
        self.assertEqual(taken.status, 5, str(taken))
        self.assertIn("choose another port", taken.err)
        new = self.serve("--replace", "--metrics-listen", str(self.port))
        service.end()
        new.wait_error("metrics on")
        self.assertEqual(self.get()[0].status, 200, "the new service has the address")
        self.stop(new)
        for bad in ("localhost:1", "127.0.0.1:99999", "1.2.3:80", "[::1:80", "x", ""):
            done = self.baton("serve", "--metrics-listen", bad)
            self.assertEqual(done.status, 2, bad)
        self.assertEqual(self.baton("metrics").status, 5)


if __name__ == "__main__":
    support.main()

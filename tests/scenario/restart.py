"""The end of a service and the beginning of the next: stages at work may end, nobody is refused, no run is lost, nothing is done twice."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid

import support
from service import Client, ServiceScenario
from support import processes_of, wait_for

CHAIN = """
workflow "chain" {
  agents = { "echo" },
  params = { ms = { default = 50 } },
  run = function(p)
    local last
    for i = 1, 4 do last = stage { agent = "echo", after = last, input = { n = i, sleep_ms = p.ms } } end
    finish("accepted", { n = last.output.echo.n })
  end,
}
"""


# Answers a ping and refuses everything else, as an earlier version does.
OLD_SERVICE = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
s.bind(sys.argv[1])
s.listen()
print("ready", flush=True)
while True:
    client = s.accept()[0]
    for line in client.makefile("rb"):
        client.sendall(b'{"ok": true, "pid": 1}\\n' if b"ping" in line else b'{"ok": false, "code": "unsupported", "error": "?"}\\n')
        if b"ping" not in line:
            kept = client
            break
"""


class Restart(ServiceScenario):
    def setUp(self):
        super().setUp()
        self.chain = str(self.workflow("chain", CHAIN))

    def begin_chain(self, client, ms):
        answer = client.ask({"op": "start", "workflow": self.chain, "project": str(self.project), "params": {"ms": ms}})
        self.assertTrue(answer["ok"], answer)
        return answer["run"]

    def dispatched(self, run, stage):
        wait_for(lambda: any(e["kind"] == "stage_dispatched" and e["body"]["stage"] == stage for e in self.journal(run)), "the stage is at work")

    def finished(self, run):
        return [e["body"]["stage"] for e in self.journal(run) if e["kind"] == "stage_finished"]

    def draining(self, client):
        wait_for(lambda: client.ask({"op": "ping"})["draining"], "the service drains")

    def test_stages_at_work_may_end(self):
        service = self.serve()
        client = self.client()
        run = self.begin_chain(client, 1500)
        self.dispatched(run, 1)
        service.send(signal.SIGTERM)
        self.draining(client)
        refused = client.ask({"op": "start", "workflow": self.chain, "project": str(self.project)})
        self.assertEqual((refused["ok"], refused["code"], refused.get("retry")), (False, "unavailable", True))
        started = self.start("start", self.chain, "--project", self.project, "--wait", "60")  # asks again until the next service is there
        done = service.end()
        self.assertEqual(done.status, 0, str(done))
        self.assertIn("1 stages are at work", done.err)
        self.assertEqual((self.finished(run), self.record(run)["state"]), ([1], "running"))
        service = self.serve()
        wait_for(lambda: self.record(run)["state"] == "accepted", "the run is finished")
        self.assertEqual(self.check_paid_once(run, 4)[1], [1])
        self.assertEqual(started.end().status, 0)
        wait_for(lambda: self.client().ask({"op": "ping"})["runs"] == 0, "all runs are closed")
        self.stop(service)
        self.check_nothing_left(self.project)

    def test_the_second_signal_ends_at_once(self):
        service = self.serve()
        client = self.client()
        run = self.begin_chain(client, 600000)
        self.dispatched(run, 1)
        service.send(signal.SIGTERM)
        self.draining(client)
        service.send(signal.SIGTERM)
        self.assertEqual(service.end().status, 0)
        self.assertEqual((self.finished(run), self.record(run)["state"]), ([], "running"))
        wait_for(lambda: not processes_of(self.root), "no process stays")
        self.baton("cancel", run, status=0)
        self.check_nothing_left(self.project)

    def test_the_service_manager_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.root / "manager"))
            manager.settimeout(support.DEADLINE)
            service = self.start("serve", env={"NOTIFY_SOCKET": str(self.root / "manager")})
            self.assertEqual(manager.recv(100), b"READY=1")
            self.assertTrue(self.client().ask({"op": "ping"})["ok"], "it answers when it says that it is ready")
            service.send(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b"STOPPING=1")
            self.assertEqual(service.end().status, 0)
        for bad in ("", "x", "relative/path", "/" + "x" * 200, str(self.root / "nobody")):  # is of no consequence
            service = self.start("serve", env={"NOTIFY_SOCKET": bad})
            service.wait_error("serving on")
            self.stop(service)

    def test_a_successor_that_dies_takes_nothing_with_it(self):
        old = self.serve()
        run = self.begin_chain(self.client(), 3000)
        self.dispatched(run, 1)
        new = self.serve("--replace")
        answer = self.client().ask({"op": "start", "workflow": self.chain, "project": str(self.project), "params": {"ms": 1}})
        self.assertEqual((answer["ok"], answer["position"]), (True, 1))
        new.kill()
        self.assertEqual(old.end().status, 0)
        service = self.serve()
        for each in (run, answer["run"]):
            wait_for(lambda each=each: self.record(each)["state"] == "accepted", "the run is finished")
            self.check_paid_once(each, 4)
        wait_for(lambda: self.client().ask({"op": "ping"})["runs"] == 0, "the runs are closed")
        self.stop(service)
        self.check_nothing_left(self.project)

    def serve_on(self, manager):
        """As a service manager starts it: with the socket as descriptor 3."""
        words = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve', support.BATON]
        process = subprocess.Popen(words, env=self.env, cwd=self.root, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=lambda: os.dup2(manager.fileno(), 3), pass_fds=(3,))
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def test_a_socket_that_the_service_manager_keeps(self):
        self.state.mkdir()
        with socket.socket(socket.AF_UNIX) as manager:
            manager.bind(str(self.path))
            manager.listen()
            early = self.client()  # before anybody is there
            early.send({"op": "ping"})
            service = self.serve_on(manager)
            self.assertEqual(early.read()["pid"], service.pid)
            run = self.begin_chain(early, 1500)
            self.dispatched(run, 1)
            service.send_signal(signal.SIGTERM)
            self.draining(early)
            late = self.client()  # waits for the next service
            late.send({"op": "start", "workflow": self.chain, "project": str(self.project), "params": {"ms": 1}})
            self.assertEqual(service.wait(support.DEADLINE), 0)
            self.assertTrue(self.path.exists(), "the socket is not the service's")
            service = self.serve_on(manager)
            answer = late.read()
            self.assertTrue(answer["ok"], "nobody was refused")
            for each in (run, answer["run"]):
                wait_for(lambda each=each: self.record(each)["state"] == "accepted", "the run is finished")
            self.check_paid_once(run, 4)
            wait_for(lambda: late.ask({"op": "ping"})["runs"] == 0, "the runs are closed")
            service.send_signal(signal.SIGTERM)
            self.assertEqual(service.wait(support.DEADLINE), 0)
        self.check_nothing_left(self.project)

    def test_replace_of_a_service_that_does_not_know_how(self):
        old = subprocess.Popen([sys.executable, "-c", OLD_SERVICE, str(self.path)], stdout=subprocess.PIPE)
        self.addCleanup(old.stdout.close)
        self.addCleanup(lambda: old.poll() is None and old.kill())
        self.state.mkdir(exist_ok=True)
        self.assertEqual(old.stdout.readline(), b"ready\n")
        new = self.serve("--replace")
        self.assertEqual(old.wait(support.DEADLINE), -signal.SIGTERM)
        client = self.client()
        run = self.begin_chain(client, 1)
        wait_for(lambda: self.record(run)["state"] == "accepted", "the run is finished")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the run is closed")
        self.stop(new)

    def test_the_time_to_drain_is_limited(self):
        service = self.serve("--drain", "1")
        run = self.begin_chain(self.client(), 600000)
        self.dispatched(run, 1)
        self.stop(service)
        self.assertEqual(self.record(run)["state"], "running")
        self.baton("cancel", run, status=0)
        self.check_nothing_left(self.project)

    def test_replace(self):
        old = self.serve()
        client = self.client()
        run = self.begin_chain(client, 1500)
        self.dispatched(run, 1)
        new = self.serve("--replace")
        answer = self.client().ask({"op": "ping"})
        self.assertEqual((answer["pid"], answer["draining"]), (new.pid, False), "who connects comes to the new one")
        late = self.client()
        other = self.begin_chain(late, 10)  # the old one is still at work: this one waits, and is not refused
        third = self.start("serve", "--replace").end()
        self.assertEqual(third.status, 5, str(third))
        self.assertEqual(old.end().status, 0)
        for each in (run, other):
            wait_for(lambda each=each: self.record(each)["state"] == "accepted", "the run is finished")
            self.check_paid_once(each, 4)
        self.assertEqual(self.check_paid_once(run, 4)[1], [1], "the old service let its stage end")
        wait_for(lambda: late.ask({"op": "ping"})["runs"] == 0, "the runs are closed")
        self.stop(new)
        self.check_nothing_left(self.project)

    def starter(self, stop, answered, problems):
        """Starts runs until told to stop; asks again when it has no answer or is told to."""
        while not stop.is_set():
            request = {"op": "start", "workflow": self.chain, "project": str(self.project), "params": {"ms": 20}, "key": str(uuid.uuid4())}

            def asked(request=request):
                try:
                    with contextlib.closing(Client(self.path)) as client:
                        answer = client.ask(request)
                except OSError:
                    return None
                if answer and not answer["ok"] and not answer.get("retry"):
                    problems.append(answer)
                    return True
                if answer and answer["ok"]:
                    answered.append(answer["run"])
                    return True
                return None

            wait_for(asked, "an answer")

    def test_restarts_in_a_burst_of_starts(self):
        stop, answered, problems = threading.Event(), [], []
        service = self.serve("--max-runs", "3")
        threads = [threading.Thread(target=self.starter, args=(stop, answered, problems)) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for number in (None, signal.SIGTERM, None, signal.SIGKILL, None):
                count = len(answered)
                wait_for(lambda count=count: len(answered) >= count + 8, "more starts were answered")
                if number:
                    service.send(number)
                    service.end()
                    service = self.serve("--max-runs", "3")
                else:
                    new = self.serve("--max-runs", "3", "--replace")
                    self.assertEqual(service.end().status, 0)
                    service = new
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(problems, [])
        self.assertEqual(len(set(answered)), len(answered), "two requests got one run")
        client = self.client()
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0 and client.ask({"op": "ping"})["queued"] == 0, "all runs are closed", 300)
        records = {r["id"]: r["state"] for r in self.baton("runs", "--json", "--limit", "10000", status=0).json()}
        self.assertEqual({r: records.get(r) for r in answered}, {r: "accepted" for r in answered})
        self.assertEqual(len(records), len(answered), "there is a run nobody was told of")
        for run in answered:
            self.check_paid_once(run, 4)
        self.stop(service)
        self.check_nothing_left(self.project)


if __name__ == "__main__":
    support.main()

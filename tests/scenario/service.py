"""Shared by the scenario tests of the service: one client connection, and a scenario that has a project and starts services."""
import json
import signal
import socket

import support
from support import processes_of, wait_for


class Client:
    """One connection to serve.sock."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(str(path))  # blocking: with a timeout it would fail at once while the queue of the door is full
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(support.DEADLINE)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")

    def read(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, data):
        self.send(data)
        return self.read()

    def until(self, match):
        """Events up to the first one that matches."""
        while True:
            event = self.read()
            if event is None or match(event):
                return event

    def close(self):
        self.file.close()
        self.socket.close()


class ServiceScenario(support.ProjectScenario):
    """A test with a project, a service and clients of its socket."""

    def setUp(self):
        super().setUp()
        self.wait = str(self.workflow("wait", support.WAIT))
        self.path = self.state / "serve.sock"
        self.clients = []
        self.addCleanup(lambda: [c.close() for c in self.clients])

    def serve(self, *more):
        service = self.start("serve", *more)
        service.wait_error("serving on")
        return service

    def client(self):
        c = Client(self.path)
        self.clients.append(c)
        return c

    def ask_start(self, client, project=None, **params):
        return client.ask({"op": "start", "workflow": self.wait, "project": str(project or self.project), "params": params})

    def begin(self, client, project=None, **params):
        answer = self.ask_start(client, project, **params)
        self.assertTrue(answer["ok"], answer)
        return answer["run"]

    def at_work(self, run):
        wait_for(lambda: any(e["kind"] == "stage_dispatched" and e["body"]["stage"] == 2 for e in self.journal(run)), "stage 2 at work")

    def stop(self, service, number=signal.SIGTERM):
        service.send(number)
        done = service.end()
        self.assertEqual(done.status, 0, str(done))
        self.assertFalse(processes_of(self.root), "the service left processes behind")
        return done

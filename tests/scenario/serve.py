"""The service: start, follow, cancel over its socket; SIGTERM and kill -9 lose no run; garbage is answered, not obeyed."""
import os
import signal
import stat

import support
from service import ServiceScenario
from support import git, is_alive, processes_of, wait_for


class Serve(ServiceScenario):
    def test_start_follow_finish(self):
        service = self.serve()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        watcher, client = self.client(), self.client()
        self.assertTrue(watcher.ask({"op": "follow"})["ok"])
        pong = client.ask({"op": "ping"})
        self.assertEqual((pong["ok"], pong["pid"], pong["runs"]), (True, service.pid, 0))
        run = self.begin(client, ms=50)
        ended = watcher.until(lambda e: e["event"] == "run_finished" and e["run"] == run)
        self.assertEqual(ended["body"]["state"], "accepted")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the run is closed")
        listed = client.ask({"op": "list"})["runs"]
        self.assertEqual([(r["id"], r["state"]) for r in listed], [(run, "accepted")])
        self.stop(service)
        self.check_nothing_left(self.project)

    def test_cancel_over_the_socket_and_from_the_command_line(self):
        service = self.serve()
        watcher, client = self.client(), self.client()
        self.assertTrue(watcher.ask({"op": "follow"})["ok"])
        for from_command_line in (False, True):
            run = self.begin(client)
            self.at_work(run)
            if from_command_line:
                self.assertIn("is cancelled", self.baton("cancel", run, status=0).out)
            else:
                self.assertTrue(client.ask({"op": "cancel", "run": run, "reason": "enough"})["ok"])
            ended = watcher.until(lambda e, run=run: e["event"] == "run_finished" and e["run"] == run)
            self.assertEqual(ended["body"]["state"], "cancelled")
        self.assertEqual(client.ask({"op": "cancel", "run": "no-such-run"})["code"], "not_found")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the runs are closed")
        self.stop(service)
        self.check_nothing_left(self.project)

    def test_stopped_and_killed_services_lose_no_run(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                service = self.serve("--drain", "0")
                run = self.begin(self.client(), ms=700)
                self.at_work(run)
                if number == signal.SIGTERM:
                    self.stop(service)
                else:
                    service.kill()
                    wait_for(lambda: not processes_of(self.root), "the workers end with the service")
                self.assertEqual(self.record(run)["state"], "running")
                service = self.serve()  # takes it up by itself
                wait_for(lambda run=run: self.record(run)["state"] == "accepted", "the run is finished")
                self.assertEqual(self.check_paid_once(run, 2), {1: [1], 2: [1, 2]})
                wait_for(lambda: self.client().ask({"op": "ping"})["runs"] == 0, "the run is closed")
                self.stop(service)
                self.check_nothing_left(self.project)

    def test_garbage_is_answered(self):
        service = self.serve()
        client = self.client()
        for bad in (b"\n", b"hello\n", b"{\n", b"[]\n", b"null\n", b"\xff\xfe\x00\n", b"{}\n", b'{"op": 7}\n', b'{"op": "fly"}\n',
                    b'{"op": "start"}\n', b'{"op": "start", "workflow": "echo", "project": "relative"}\n',
                    b'{"op": "start", "workflow": "no-such", "project": "/"}\n', b'{"op": "start", "workflow": "../x", "project": "/"}\n',
                    b'{"op": "cancel"}\n', b'{"op": "start", "workflow": "echo", "project": "/no/such/place"}\n',
                    b'{"op": "signal"}\n', b'{"op": "signal", "run": 7, "name": "x"}\n', b'{"op": "signal", "run": "no-such", "name": "x"}\n',
                    b'{"op": "signal", "run": "../x", "name": "../x"}\n', b'{"op": "query"}\n', b'{"op": "query", "run": "no-such"}\n',
                    b'{"op": "questions", "run": "no-such"}\n', b'{"op": "approve", "run": "no-such"}\n', b'{"op": "approve"}\n',
                    b"[" * 5000 + b"\n"):
            answer = client.ask(bad)
            self.assertIs(answer["ok"], False, bad)
            self.assertTrue(answer["error"], bad)
        self.assertTrue(client.ask({"op": "ping"})["ok"])
        # a line without an end: the connection goes, the service stays
        big = self.client()
        try:
            for _ in range(64):
                big.send(b"x" * 65536)
        except OSError:
            pass
        half = self.client()
        half.send(b'{"op": "pi')
        half.close()
        self.assertTrue(client.ask({"op": "ping"})["ok"])
        self.assertTrue(is_alive(service.pid))
        self.stop(service)

    def test_limits(self):
        service = self.serve("--max-runs", "1", "--max-queue", "1")
        client = self.client()
        run = self.begin(client)
        second = self.ask_start(client)
        self.assertEqual((second["ok"], second["position"]), (True, 1))
        refused = self.ask_start(client)
        self.assertEqual((refused["ok"], refused["code"]), (False, "limit"))
        self.assertIn("1 runs wait", refused["error"])
        for each in (second["run"], run):
            self.assertTrue(client.ask({"op": "cancel", "run": each})["ok"])
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the runs are closed")
        many = [self.client() for _ in range(80)]  # more than the door takes: some are turned away, none is hurt
        self.assertTrue(many[0].ask({"op": "ping"})["ok"])
        self.assertTrue(client.ask({"op": "ping"})["ok"])
        self.stop(service)
        self.assertEqual(git(self.project, "status", "--porcelain"), "")

    def test_same_key_same_run(self):
        service = self.serve()
        client = self.client()
        request = {"op": "start", "workflow": "echo", "project": str(self.project), "key": "k1"}
        first, again = client.ask(request), client.ask(request)
        self.assertEqual((first["run"], first["existing"], again["existing"]), (again["run"], False, True))
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "the run is closed")
        self.stop(service)

    def test_second_service_on_the_same_state(self):
        service = self.serve()
        done = self.baton("serve")
        self.assertNotEqual(done.status, 0, str(done))
        self.assertTrue(self.client().ask({"op": "ping"})["ok"], "the first one lives on")
        self.stop(service)


if __name__ == "__main__":
    support.main()

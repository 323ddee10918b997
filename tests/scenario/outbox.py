"""Effects outside of the journal: notifications of ends of runs, at least once, with a key that stays the same whatever is killed; and
changes that are applied once."""
import http.server
import json
import random
import sqlite3
import ssl
import threading
import unittest

import support
from support import is_event, wait_for

WORK = """
workflow "work" {
  agents = { "echo" },
  params = { fail = { default = false }, wait_ms = { default = 0 } },
  run = function(p)
    stage { agent = "echo", input = { sleep_ms = p.wait_ms } }
    if p.fail then fail("as it was asked to") end
    finish("accepted", { answer = 42 })
  end,
}
"""


class Receiver:
    """A real server. `answers` are taken one by one, the last stays: a status, "hang" (says nothing until the end), "close", "flood"."""

    def __init__(self, *answers, tls=None):
        self.answers, self.seen, self.gate = list(answers), [], threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = receiver.answers[0] if len(receiver.answers) == 1 else receiver.answers.pop(0)
                receiver.seen.append((self.path, self.headers, body))
                if answer == "hang":
                    receiver.gate.wait()
                if answer in ("hang", "close"):
                    self.close_connection = True
                    return
                self.send_response(200 if answer == "flood" else answer)
                if answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                try:
                    for _ in range(3000 if answer == "flood" else 0):
                        self.wfile.write(b"x" * 1024)
                except OSError:
                    pass  # nobody reads that much

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://name:hush7fq@127.0.0.1:{self.port}/hook?token=hush7fq"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keys(self):
        return [headers["Idempotency-Key"] for _, headers, _ in self.seen]

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


class Outbox(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.script = self.workflow("work", WORK)
        self.env["no_proxy"] = "127.0.0.1"

    def receiver(self, *answers, tls=None):
        receiver = Receiver(*answers, tls=tls)
        self.addCleanup(receiver.close)
        return receiver

    def go(self, receiver, *more, status=0):
        done = self.baton("run", self.script, "--project", self.project, "--json", "--notify", receiver.url, *more, status=status)
        return done.lines()[-1]["run"], done

    def entries(self):
        return self.baton("outbox", "--json", status=0).json()

    def test_the_end_is_told(self):
        receiver = self.receiver(200)
        run, _ = self.go(receiver)
        (path, headers, body), = receiver.seen
        told = json.loads(body)
        self.assertEqual((path, headers["Content-Type"]), ("/hook?token=hush7fq", "application/json"))
        self.assertEqual((told["event"], told["run"], told["workflow"], told["state"], told["exit"], told["result"]["answer"]),
                         ("run_finished", run, "work", "accepted", 0, 42))
        entry, = self.entries()
        self.assertEqual((entry["state"], entry["attempts"], entry["key"], entry["run"]),
                         ("done", 1, headers["Idempotency-Key"], run))
        delivered, = [e["body"] for e in self.journal(run) if e["kind"] == "effect_delivered"]
        self.assertEqual((delivered["key"], delivered["place"]), (entry["key"], f"http://127.0.0.1:{receiver.port}"))
        self.assertIn(f"notify   http://127.0.0.1:{receiver.port}: done", self.baton("show", run, status=0).out)
        for words in (("show", run, "--json"), ("show", run), ("outbox",), ("outbox", "--json"), ("logs", run, "--json"), ("runs", "--json")):
            self.assertNotIn("hush7fq", self.baton(*words, status=0).out, words)
        self.baton("export", run, "-o", self.root / "run.baton", status=0)
        self.assertFalse(b"hush7fq" in (self.root / "run.baton").read_bytes(), "an address is in the exported run")
        self.baton("outbox", "--deliver", status=0)
        self.assertEqual(len(receiver.seen), 1)  # once
        other, _ = self.go(receiver, "--param", "fail=true", status=5)
        told = json.loads(receiver.seen[1][2])
        self.assertEqual((told["run"], told["state"], told["exit"], told["reason"]), (other, "failed", 5, "as it was asked to"))
        self.assertNotEqual(*receiver.keys())

    def test_failures_are_tried_again_with_the_same_key(self):
        receiver = self.receiver(500, "close", 429, "flood")
        run, done = self.go(receiver)
        self.assertIn("a notification was not taken", done.err)
        for attempts in (1, 2, 3):
            entry, = self.entries()
            self.assertEqual((entry["state"], entry["attempts"]), ("waiting", attempts))
            self.baton("outbox", "--deliver", status=0)
        entry, = self.entries()
        self.assertEqual((entry["state"], entry["attempts"], entry["error"]), ("done", 4, None))
        self.assertEqual(receiver.keys(), [entry["key"]] * 4)
        self.assertEqual(self.record(run)["state"], "accepted")

    def test_refusals_are_final_and_redirects_are_not_followed(self):
        for answer in (404, 302):
            with self.subTest(answer=answer):
                receiver = self.receiver(answer)
                run, done = self.go(receiver)
                self.assertIn(f"answered {answer}", done.err)
                self.baton("outbox", "--deliver", status=0)
                self.assertEqual([path for path, _, _ in receiver.seen], ["/hook?token=hush7fq"])
                self.assertEqual(self.entries()[-1]["state"], "failed")
                self.assertEqual(len([e for e in self.journal(run) if e["kind"] == "effect_failed"]), 1)

    def test_nobody_there(self):
        receiver = self.receiver(200)
        receiver.close()
        run, _ = self.go(receiver)
        self.assertEqual(self.record(run)["state"], "accepted")
        entry, = self.entries()
        self.assertEqual((entry["state"], entry["attempts"]), ("waiting", 1))
        self.assertNotIn("hush7fq", entry["error"])

    def authority(self, host="IP:127.0.0.1"):
        """A certificate of an authority of our own: (context of a server for `host`, file of the authority)."""
        place = self.root / f"authority{len(list(self.root.glob('authority*')))}"
        place.mkdir()
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        support.tool("openssl", "req", "-x509", *ec, "-subj", "/CN=An authority of our own", "-keyout", place / "ca.key", "-out", place / "ca.pem",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        support.tool("openssl", "req", "-x509", *ec, "-subj", "/CN=hook", "-CA", place / "ca.pem", "-CAkey", place / "ca.key",
                     "-keyout", place / "hook.key", "-out", place / "hook.pem", "-addext", f"subjectAltName={host}",
                     "-addext", "basicConstraints=critical,CA:FALSE")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(place / "hook.pem", place / "hook.key")
        return tls, str(place / "ca.pem")

    @unittest.skipUnless(support.have("openssl"), "there is no openssl to make certificates with")
    def test_https(self):
        tls, authority = self.authority()
        for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            self.env.pop(name, None)
        for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            with self.subTest(name=name):
                receiver = self.receiver(200, tls=tls)
                run, done = self.go(receiver)
                # Nobody here knows the authority: nothing is sent, what is missing is said, and it is tried again.
                self.assertEqual((receiver.seen, self.record(run)["state"]), ([], "accepted"))
                entry = self.entries()[-1]
                self.assertEqual((entry["state"], entry["attempts"]), ("waiting", 1))
                self.assertRegex(entry["error"], rf"^https://127\.0\.0\.1:{receiver.port}: its certificate is not trusted \(.+\); for one of an "
                                                 "authority of your own, set CURL_CA_BUNDLE to a file with the certificate of that authority$")
                self.assertIn(entry["error"], done.err)
                self.baton("outbox", "--deliver", status=0, env={name: authority})
                entry = self.entries()[-1]
                self.assertEqual((entry["state"], entry["error"]), ("done", None))
                (path, headers, body), = receiver.seen
                self.assertEqual((path, headers["Idempotency-Key"], json.loads(body)["run"]), ("/hook?token=hush7fq", entry["key"], run))

    @unittest.skipUnless(support.have("openssl"), "there is no openssl to make certificates with")
    def test_https_that_is_not_what_it_says(self):
        tls, authority = self.authority("DNS:elsewhere.example")
        self.env["CURL_CA_BUNDLE"] = authority
        receiver = self.receiver(200, tls=tls)
        self.go(receiver)
        self.assertRegex(self.entries()[-1]["error"], "its certificate is not trusted .*subject name")
        _, other = self.authority()
        self.env["CURL_CA_BUNDLE"] = other
        self.baton("outbox", "--deliver", status=0)
        self.assertIn("its certificate is not trusted", self.entries()[-1]["error"])
        self.env["CURL_CA_BUNDLE"] = str(self.root / "absent.pem")
        self.baton("outbox", "--deliver", status=0)
        self.assertIn(f"the certificates of authorities cannot be read from '{self.root}/absent.pem' (CURL_CA_BUNDLE", self.entries()[-1]["error"])
        self.assertEqual(receiver.seen, [])
        self.env["CURL_CA_BUNDLE"] = authority
        plain = self.receiver(200)  # no TLS there
        plain.url = plain.url.replace("http:", "https:")
        self.go(plain)
        self.assertIn("SSL connect error (", self.entries()[-1]["error"])
        for entry in self.entries():
            self.assertNotIn("hush7fq", entry["error"])

    def test_killed_between_commit_and_delivery(self):
        """The receiver has the request and says nothing; the engine dies; the next one delivers it with the same key."""
        receiver = self.receiver("hang", 200)
        r = self.start("run", self.script, "--project", self.project, "--json", "--notify", receiver.url)
        run = r.wait_event(is_event("run_finished"), "the end of the run")["run"]
        wait_for(lambda: receiver.seen, "the first attempt")
        r.kill()
        self.assertEqual(self.record(run)["state"], "accepted")
        entry, = self.entries()
        self.assertEqual((entry["state"], entry["attempts"]), ("waiting", 1))
        self.baton("outbox", "--deliver", status=0)
        self.assertEqual(self.entries()[0]["state"], "done")
        self.assertEqual(receiver.keys(), [entry["key"]] * 2)

    def test_killed_at_random_instants(self):
        """However often the engine dies: one end, one key, and it arrives."""
        receiver = self.receiver(200)
        chance = random.Random(int(support.os.environ.get("BATON_SEED", "11")))
        for n in range(int(support.os.environ.get("BATON_KILLS", "6"))):
            with self.subTest(n=n):
                del receiver.seen[:]
                r = self.start("run", self.script, "--project", self.project, "--json", "--notify", receiver.url, "--param", "wait_ms=30")
                run = r.wait_event(is_event("run_created"), "the run")["run"]
                for _ in range(5):
                    try:
                        r.process.wait(chance.uniform(0, 0.2))
                        break
                    except support.subprocess.TimeoutExpired:
                        r.kill()
                        r = self.start("resume", run, "--json")
                r.end()
                if self.record(run)["state"] != "accepted":
                    self.baton("resume", run, status=0)
                self.baton("outbox", "--deliver", status=0)
                entry, = [e for e in self.entries() if e["run"] == run]
                self.assertEqual((entry["state"], set(receiver.keys())), ("done", {entry["key"]}))

    def test_killed_before_the_end(self):
        """Nothing is told of an end that has not come; the resumed run tells of it once."""
        receiver = self.receiver(200)
        r = self.start("run", self.script, "--project", self.project, "--json", "--notify", receiver.url, "--param", "wait_ms=60000")
        run = r.wait_event(is_event("stage_progress"), "the stage at work")["run"]
        r.kill()
        self.assertEqual((self.entries(), receiver.seen), ([], []))
        self.baton("cancel", run, status=0)
        self.baton("outbox", "--deliver", status=0)
        self.assertEqual([json.loads(body)["state"] for _, _, body in receiver.seen], ["cancelled"])

    def test_a_run_that_goes_on_in_another_one_tells_of_its_end_alone(self):
        receiver = self.receiver(200)
        script = self.workflow("loop", """
workflow "loop" {
  agents = { "echo" },
  params = { n = { default = 1 } },
  run = function(p)
    if p.n < 3 then continue_as_new { n = p.n + 1 } end
    finish("accepted", { n = p.n })
  end,
}
""")
        self.baton("run", script, "--project", self.project, "--notify", receiver.url, status=0)
        told, = [json.loads(body) for _, _, body in receiver.seen]
        self.assertEqual((told["state"], told["result"]["n"]), ("accepted", 3))

    def test_the_service_tries_again_by_itself(self):
        receiver = self.receiver(503, 503, 200)
        service = self.start("serve")
        self.baton("start", self.script, "--project", self.project, "--notify", receiver.url, status=0)
        wait_for(lambda: len(receiver.seen) == 3, "the third attempt")
        wait_for(lambda: self.entries()[0]["state"] == "done", "it is noted")
        self.assertEqual(len(set(receiver.keys())), 1)
        service.send(support.signal.SIGTERM)
        self.assertEqual(service.end().status, 0)

    # --- changes ---

    def accepted_with_changes(self, own_copy=False):
        """An accepted run with one commit on its branch. The commit is made by hand: what it is about is the way into the project."""
        run = self.baton("run", self.script, "--project", self.project, "--json", status=0).lines()[-1]["run"]
        origin, base = self.project, support.git(self.project, "rev-parse", "HEAD")
        if own_copy:
            origin = self.root / "origin"
            support.git(self.root, "clone", "-q", self.project, origin)
            support.shutil.rmtree(self.project / ".git")
        support.git(origin, "worktree", "add", "-q", "-b", f"baton/{run}", self.root / "work")
        (self.root / "work/README").write_text("something faster\n")
        support.git(self.root / "work", "commit", "-q", "-am", "Make it faster")
        support.git(origin, "worktree", "remove", self.root / "work")
        facts = {"repository": str(origin), "prefix": "", "base": base, "branch": f"baton/{run}", "own_copy": own_copy}
        with sqlite3.connect(self.state / "baton.db") as db:
            db.execute("UPDATE runs SET result = json_set(result, '$.git', json(?)) WHERE id = ?", (json.dumps(facts), run))
        db.close()
        return run

    def check_applied_once(self, run):
        self.assertIn("applied to", self.baton("apply", run, status=0).out)
        before = support.fingerprint(self.project, (".git",)), self.commits()
        self.assertIn("something faster", (self.project / "README").read_text())
        self.assertIn("is applied to", self.baton("apply", run, status=0).out)
        self.assertEqual((support.fingerprint(self.project, (".git",)), self.commits()), before)
        entry, = self.entries()
        self.assertEqual((entry["kind"], entry["state"], entry["target"]), ("apply", "done", str(self.project)))
        self.assertEqual(len([e for e in self.journal(run) if e["kind"] == "effect_delivered"]), 1)
        self.assertIn(f"apply    {self.project}: done", self.baton("show", run, status=0).out)

    def commits(self):
        return support.git(self.project, "rev-list", "--count", "HEAD") if (self.project / ".git").exists() else None

    def test_changes_are_applied_once(self):
        self.check_applied_once(self.accepted_with_changes())

    def test_changes_are_applied_once_behind_other_commits(self):
        run = self.accepted_with_changes()
        (self.project / "OTHER").write_text("meanwhile\n")
        support.git(self.project, "add", "OTHER")
        support.git(self.project, "commit", "-q", "-m", "Go on")
        self.check_applied_once(run)
        self.assertEqual(self.commits(), "3")

    def test_changes_are_applied_once_without_a_repository(self):
        self.check_applied_once(self.accepted_with_changes(own_copy=True))

    def test_killed_between_the_change_and_its_note(self):
        run = self.accepted_with_changes()
        support.git(self.project, "merge", "-q", "--ff-only", f"baton/{run}")  # as far as it came
        self.assertIn("is applied to", self.baton("apply", run, status=0).out)
        # Who takes the change out again can have it again.
        support.git(self.project, "reset", "-q", "--hard", "HEAD~")
        self.assertIn("applied to", self.baton("apply", run, status=0).out)
        self.assertIn("something faster", (self.project / "README").read_text())

    def test_wrong_addresses_begin_nothing(self):
        for url in ("", "ftp://host/", "file:///etc/passwd", "host", "http://", "https:///x", "http://a b/", "http://host/\n"):
            with self.subTest(url=url):
                done = self.baton("run", self.script, "--project", self.project, "--notify", url, status=2)
                self.assertIn("expected http://HOST", done.err)
        self.assertEqual(self.baton("runs", "--json", status=0).json(), [])


if __name__ == "__main__":
    support.main()

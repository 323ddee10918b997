"""Schedules: what can be said about them, what they start, what they leave out, and that kills neither lose nor repeat a time.

Times are moved by writing into the journal of the test, as if the service had last looked at another time.
"""
import calendar
import random
import sqlite3
import time

import support
from service import ServiceScenario
from support import wait_for

EVERY = "* * * * *"
OFTEN = "*/2 * * * *"


class Schedules(ServiceScenario):
    def add(self, name, cron, *more, status=0, ms=60000):
        return self.baton("schedule", "add", name, cron, self.wait, "--project", self.project, "--param", f"ms={ms}", *more, status=status)

    def sql(self, statement, *values):
        with sqlite3.connect(self.state / "baton.db", timeout=30) as db:
            rows = db.execute(statement, values).fetchall()
        db.close()
        return rows

    def look_back(self, seconds, name=None):
        """As if the last look had been so many seconds ago."""
        self.sql("UPDATE schedules SET handled = ? WHERE ?2 IS NULL OR name = ?2", time.time_ns() - seconds * 10**9, name)

    def again(self, client):
        self.assertTrue(client.ask({"op": "schedules"})["ok"])

    def events(self, kind):
        return self.baton("events", "--kind", kind, "--json", status=0).lines()

    def runs(self, name):
        return [r for r in self.baton("runs", "--json", status=0).json() if r["caller"] == f"schedule {name}"]

    def idle(self, client):
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all runs are closed")

    def test_words(self):
        out = self.add("nightly", "30 2 * * *", "--zone", "Europe/Berlin", "--timeout", "5")
        self.assertRegex(out.out, r"^nightly begins first at \d{4}-\d\d-\d\d 0[23]:\d0 \+0[12]00 \(Europe/Berlin\)\n$")
        self.assertIn("no service", out.err)
        self.add("weekly", "@weekly", "--zone", "UTC", "--overlap", "queue", "--catch-up", "once")
        rows = self.baton("schedule", "list", "--json", status=0).json()
        self.assertEqual([(r["name"], r["overlap"], r["catch_up"]) for r in rows], [("nightly", "skip", "none"), ("weekly", "queue", "once")])
        self.assertEqual(rows[0]["request"]["wall_ms"], 300000)
        shown = self.baton("schedule", "show", "weekly", "--json", status=0).json()
        self.assertEqual(len(shown["next"]), 5)
        for each in shown["next"]:
            moment = time.strptime(each["utc"][:19], "%Y-%m-%dT%H:%M:%S")
            self.assertEqual((moment.tm_wday, moment.tm_hour, moment.tm_min), (6, 0, 0))
            self.assertGreater(calendar.timegm(moment), time.time())
        self.assertIn("times     30 2 * * * (Europe/Berlin)", self.baton("schedule", "show", "nightly", status=0).out)
        self.baton("schedule", "pause", "weekly", status=0)
        self.assertIn("paused", self.baton("schedule", "list", status=0).out)
        self.assertEqual(self.baton("schedule", "show", "weekly", "--json", status=0).json()["next"], [])
        self.baton("schedule", "resume", "weekly", status=0)
        self.baton("schedule", "remove", "weekly", status=0)
        self.assertEqual([e["kind"] for e in self.events("schedule_*")],
                         ["schedule_added", "schedule_added", "schedule_paused", "schedule_resumed", "schedule_removed"])
        for name, cron, more, says in (("nightly", EVERY, (), "exists already"), ("a b", EVERY, (), "letters"), ("x", "61 * * * *", (), "'minute'"),
                                       ("x", "0 0 30 2 *", (), "never comes"), ("x", EVERY, ("--zone", "Mars/Olympus"), "no time zone"),
                                       ("x", EVERY, ("--zone", "../../etc/passwd"), "no name of a time zone"),
                                       ("x", EVERY, ("--overlap", "allow"), "skip, queue or cancel"), ("x", EVERY, ("--catch-up", "all"), "none, once")):
            self.assertIn(says, self.add(name, cron, *more, status=2).err)
        plain = self.project / "plain.txt"
        plain.write_text("")
        absent = self.root / "absent.lua"
        hungry = self.workflow("hungry", 'workflow "hungry" { agents = { "nobody-has-it" }, run = function() end }')
        for flow, more, says in (("nope", (), "no workflow 'nope': there are "), (absent, (), "no workflow file"), (hungry, (), "'nobody-has-it'"),
                                 (self.wait, ("--param", "msec=1"), "'msec'"), (self.wait, ("--param", "ms=soon"), "'ms'"),
                                 (self.wait, ("--agents", absent), "no agent file"), (self.wait, ("--project", plain), "not a folder")):
            argv = ("--project", self.project, *more)
            refused = self.baton("schedule", "add", "x", EVERY, flow, *argv, status=2)
            self.assertIn(says, refused.err)
            self.assertEqual(self.baton("run", flow, *argv, status=2).err.splitlines()[-1], refused.err.splitlines()[-1], "as for a start")
        self.assertEqual([r["name"] for r in self.baton("schedule", "list", "--json", status=0).json()], ["nightly"])
        for verb in ("show", "remove", "pause", "resume"):
            self.assertEqual(self.baton("schedule", verb, "nobody").status, 2)
        self.assertEqual(self.baton("schedule", "trigger", "nightly").status, 5, "there is no service")

    def test_overlap(self):
        service = self.serve()
        client = self.client()
        for overlap in ("skip", "queue", "cancel"):
            self.add(overlap, "0 0 1 1 *", "--overlap", overlap)
        first = {}
        for name in ("skip", "queue", "cancel"):  # the run before is one that somebody triggered
            out = self.baton("schedule", "trigger", name, status=0).out
            first[name] = out.split()[0]
            wait_for(lambda name=name: self.record(first[name])["state"] == "running", "it is at work")
        self.sql("UPDATE schedules SET cron = ?", EVERY)
        self.look_back(61)
        self.again(client)
        wait_for(lambda: self.record(first["cancel"])["state"] == "cancelled", "the run before is cancelled")
        wait_for(lambda: len(self.runs("cancel")) == 2, "the next one is there")
        self.assertIn("has not ended", next(e["body"]["why"] for e in self.events("schedule_skipped") if e["body"]["schedule"] == "skip"))
        self.assertRegex(self.baton("schedule", "show", "skip", status=0).out, rf"\nlast time skipped at \S+Z: run {first['skip']} has not ended\n")
        self.assertEqual((len(self.runs("skip")), len(self.runs("queue"))), (1, 1))
        self.assertIsNotNone(self.sql("SELECT pending FROM schedules WHERE name = 'queue'")[0][0])
        self.sql("UPDATE schedules SET cron = '0 0 1 1 *'")
        self.assertTrue(client.ask({"op": "cancel", "run": first["queue"]})["ok"])
        wait_for(lambda: len(self.runs("queue")) == 2, "what waited begins")
        self.assertIsNone(self.sql("SELECT pending FROM schedules WHERE name = 'queue'")[0][0])
        for run in self.baton("runs", "--unfinished", "--json", status=0).json():
            answer = client.ask({"op": "cancel", "run": run["id"]})
            self.assertTrue(answer["ok"] or answer["code"] == "state", answer)  # it may have ended just now
        self.idle(client)
        self.stop(service)

    def test_missed_and_late(self):
        self.add("none", EVERY, ms=1)
        self.add("once", EVERY, "--catch-up", "once", ms=1)
        self.add("late", EVERY, ms=1)
        self.add("gone", EVERY, ms=1)
        self.sql("UPDATE schedules SET cron = ?, handled = ? WHERE name IN ('none', 'once')", "0 0 1 1 *", time.time_ns() - 800 * 86400 * 10**9)
        self.look_back(130, "late")
        self.sql("UPDATE schedules SET request = json_set(request, '$.workflow', '/no/such.lua') WHERE name = 'gone'")
        self.look_back(61, "gone")
        service = self.serve()
        client = self.client()
        wait_for(lambda: self.runs("once") and self.runs("late"), "what is wanted is started")
        wait_for(lambda: len(self.events("schedule_failed")) >= 1, "a failure is said")
        self.assertEqual(self.runs("none"), [])
        skipped = {e["body"]["schedule"]: e["body"]["times"] for e in self.events("schedule_skipped")}
        self.assertEqual((skipped["none"], skipped["once"]), (2, 1), "of two missed years, once starts one run")
        self.assertEqual(len(self.runs("once")), 1)
        self.assertGreaterEqual(skipped["late"], 1)
        failed = self.events("schedule_failed")[0]["body"]
        self.assertIn("/no/such.lua", failed["why"])
        self.assertRegex(self.baton("schedule", "show", "gone", status=0).out, r"\nlast time failed at \S+Z: .*/no/such\.lua")
        outcome = self.baton("schedule", "show", "gone", "--json", status=0).json()["outcome"]
        self.assertEqual((outcome["event"], outcome["why"]), ("schedule_failed", failed["why"]))
        listed = {line.split()[0]: line for line in self.baton("schedule", "list", status=0).out.splitlines()}
        self.assertIn(f"last time failed: {failed['why']}", listed["gone"])
        self.assertRegex(listed["once"], rf"last time started {self.runs('once')[0]['id']} \(\w+\)")
        self.assertIn("last time skipped: it was missed", listed["none"])
        self.idle(client)
        # the same time never starts a second run
        before = len(self.runs("once"))
        self.look_back(800 * 86400, "once")
        self.again(client)
        wait_for(lambda: self.sql("SELECT handled > ? FROM schedules WHERE name = 'once'", time.time_ns() - 700 * 86400 * 10**9)[0][0], "it was looked at")
        self.assertEqual(len(self.runs("once")), before)
        # a paused one is silent, and catches nothing up
        self.baton("schedule", "pause", "late", status=0)
        count = len(self.runs("late"))
        self.look_back(130, "late")
        for _ in range(2):
            self.again(client)
        self.assertEqual(len(self.runs("late")), count)
        before = time.time_ns()
        self.baton("schedule", "resume", "late", status=0)
        self.assertGreaterEqual(self.sql("SELECT handled FROM schedules WHERE name = 'late'")[0][0], before)
        self.idle(client)
        self.stop(service)

    def test_kills(self):
        names = [f"s{i}" for i in range(8)]
        for name in names:
            self.add(name, OFTEN, "--catch-up", "once", ms=1)
        luck = random.Random(4)
        for number in range(12):
            self.look_back(121)
            service = self.start("serve", "--max-runs", "2")
            service.wait_error("serving on")
            time.sleep(luck.random() * 0.06)  # the point of the kill, not a wait for anything
            service.kill()
            wait_for(lambda: not support.processes_of(self.root), f"the workers end with the service (kill {number})")
        self.look_back(121)
        service = self.serve()
        client = self.client()
        wait_for(lambda: all(self.runs(name) for name in names), "every schedule has started its run")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0 and client.ask({"op": "ping"})["queued"] == 0, "all runs are closed")
        fired = [(e["body"]["schedule"], e["body"]["time"], e["run"]) for e in self.events("schedule_fired")]
        self.assertEqual(len({(s, t) for s, t, _ in fired}), len(fired), "a time started two runs")
        runs = {r["id"]: r["state"] for name in names for r in self.runs(name)}
        self.assertEqual({run for _, _, run in fired}, set(runs), "a run without its mark, or a mark without its run")
        self.assertEqual(set(runs.values()), {"accepted"})
        self.stop(service)
        self.check_nothing_left(self.project)


if __name__ == "__main__":
    support.main()

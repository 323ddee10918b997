"""Schedules and the clock: both changes of the year in Berlin, and a clock that is set, with libfaketime in the place of waiting."""
import calendar
import glob
import sys
import time

import support
from service import ServiceScenario
from support import wait_for

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


class ScheduleClock(ServiceScenario):
    def setUp(self):
        super().setUp()
        self.clock = self.root / "clock"
        self.env |= {"LD_PRELOAD": glob.glob(LIBRARIES)[0], "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                     "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set_clock(self, text, client=None):
        """From now on it is `text`, and time goes on from there."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds(text) - time.time():+.3f}\n")
        new.replace(self.clock)
        if client:
            self.assertTrue(client.ask({"op": "schedules"})["ok"])

    def add(self, name, cron, *more):
        self.baton("schedule", "add", name, cron, self.wait, "--project", self.project, "--param", "ms=1", "--zone", "Europe/Berlin",
                   *more, status=0)

    def fired(self, name):
        return [e["body"]["time"] for e in self.baton("events", "--kind", "schedule_fired", "--json", status=0).lines()
                if e["body"]["schedule"] == name]

    def handled(self, client, moment):
        """Everything up to this moment was dealt with: a schedule for every minute has come by."""
        wait_for(lambda: any(seconds(t[:19] + "Z") >= seconds(moment) for t in self.fired("every")), f"{moment} comes by")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all runs are closed")

    def begin_at(self, text, *schedules):
        self.set_clock(text)
        self.add("every", "* * * * *")
        for name, cron, *more in schedules:
            self.add(name, cron, *more)
        return self.serve(), self.client()

    def test_clocks_go_forward(self):
        service, client = self.begin_at("2026-03-29T00:59:58Z", ("half", "30 2 * * *"), ("three", "0 3 * * *"), ("both", "0,30 2 * * *"))
        self.assertIn("2026-03-29 03:00 +0200", self.baton("schedule", "show", "half", status=0).out)
        self.handled(client, "2026-03-29T01:00:00Z")
        for name in ("half", "three", "both"):
            wait_for(lambda name=name: self.fired(name), "it comes when the clocks go forward")
        self.set_clock("2026-03-29T01:29:58Z", client)
        self.handled(client, "2026-03-29T01:30:00Z")
        for name in ("half", "three", "both"):
            self.assertEqual(self.fired(name), ["2026-03-29T01:00:00.000Z"], name)
        self.stop(service)

    def test_clocks_go_back(self):
        service, client = self.begin_at("2026-10-25T00:29:58Z", ("half", "30 2 * * *"), ("hourly", "30 * * * *"))
        self.handled(client, "2026-10-25T00:30:00Z")
        wait_for(lambda: self.fired("half") and self.fired("hourly"), "both come the first time")
        self.set_clock("2026-10-25T01:29:58Z", client)
        self.handled(client, "2026-10-25T01:30:00Z")
        wait_for(lambda: len(self.fired("hourly")) == 2, "every hour is every hour")
        self.assertEqual(self.fired("half"), ["2026-10-25T00:30:00.000Z"], "half past two comes once")
        self.stop(service)

    def test_the_clock_is_set(self):
        service, client = self.begin_at("2026-06-01T09:59:58Z", ("noon", "0 12 * * *"), ("once", "0 12 * * *", "--catch-up", "once"))
        for name in ("noon", "once"):
            wait_for(lambda name=name: self.fired(name) == ["2026-06-01T10:00:00.000Z"], "noon comes")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all runs are closed")
        self.set_clock("2026-06-04T15:00:00Z", client)  # three noons are jumped over
        wait_for(lambda: len(self.fired("once")) == 2, "the latest is caught up")
        self.assertEqual(self.fired("once")[1], "2026-06-04T10:00:00.000Z")
        wait_for(lambda: client.ask({"op": "ping"})["runs"] == 0, "all runs are closed")
        self.set_clock("2026-06-01T09:59:58Z", client)  # set back: that noon has been
        self.handled(client, "2026-06-01T10:00:00Z")
        self.set_clock("2026-06-02T09:59:58Z", client)  # this one was jumped over, and now it comes
        wait_for(lambda: "2026-06-02T10:00:00.000Z" in self.fired("noon"), "the schedule goes on from the new time")
        self.assertEqual(self.fired("noon"), ["2026-06-01T10:00:00.000Z", "2026-06-02T10:00:00.000Z"])
        times = self.fired("once")
        self.assertEqual(len(times), len(set(times)), "a time came twice")
        runs = [r for r in self.baton("runs", "--limit", "1000", "--json", status=0).json() if r["caller"] != "schedule every"]
        self.assertEqual(len(runs), len(self.fired("noon")) + len(self.fired("once")))
        self.stop(service)


if __name__ == "__main__":
    if not glob.glob(LIBRARIES):
        sys.exit("libfaketime is not here; './bootstrap.sh test' installs Debian's package faketime")
    support.main()

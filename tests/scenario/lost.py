"""Records that cannot be read any more: the run ends as lost and says what is gone; nothing finished is executed again unless somebody
says so; everything else goes on."""
import sqlite3

import support
from support import is_event

CHAIN = """
workflow "chain" {
  agents = { "echo" },
  params = { wait_ms = { default = 0 } },
  run = function(p)
    local luck = random(1000000000)
    local last
    for i = 1, 3 do
      last = stage { agent = "echo", after = last, input = { mark = "marks", i = i, luck = luck, sleep_ms = i == 3 and p.wait_ms or nil } }
    end
    finish("accepted", { luck = luck, echoed = last.output.echo.luck })
  end,
}
"""
BAD = "CAST(X'7B22FF' AS TEXT)"
DAMAGES = {  # what -> (statement, what the reason names, stages that are executed again)
    "handoff": (f"UPDATE stage SET body = {BAD} WHERE id % 1048576 = 1", "record of handoff 'stage 1'", 2),
    "absent handoff": ("UPDATE stage SET body = NULL WHERE id % 1048576 = 2", "the handoff of stage 2", 2),
    "stage": (f"UPDATE stage SET key = {BAD} WHERE id % 1048576 = 2", "record of stage", 2),
    "call": (f"UPDATE call SET answer = {BAD} WHERE op = 'random'", "record of call '0'", 3),
}


class Lost(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.script = self.workflow("chain", CHAIN)

    def interrupted(self):
        """A run with two finished stages, killed in its third."""
        r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=60000")
        run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
        r.kill()
        return run

    def damage(self, statement):
        with sqlite3.connect(self.state / "baton.db") as db:
            self.assertEqual(db.execute(statement).rowcount, 1)
        db.close()

    def executed(self, run):
        return (self.state / "runs" / run / "marks").read_text().count("begin")

    def test_damaged_records(self):
        for what, (statement, named, again) in DAMAGES.items():
            with self.subTest(what=what):
                support.shutil.rmtree(self.state, ignore_errors=True)
                run = self.interrupted()
                self.damage(statement)
                done = self.baton("resume", run, "--json", status=5)
                result = done.lines()[-1]
                self.assertEqual(result["state"], "lost")
                self.assertIn(named, result["reason"])
                self.assertIn(f"baton resume {run} --again", result["reason"])
                self.assertEqual(self.executed(run), 3, "nothing was executed")
                if what != "absent handoff":
                    lost = [e["body"] for e in self.journal(run) if e["kind"] == "record_lost"]
                    self.assertEqual([b["source"] for b in lost], [what])
                    with sqlite3.connect(self.state / "baton.db") as db:
                        self.assertEqual(db.execute("SELECT source FROM lost_found").fetchall(), [(what,)])
                    db.close()
                self.assertIn("Lost: its record of", self.baton("show", run, status=0).out)
                self.check_nothing_left(self.project)
                # Somebody decides: what can be read is kept. The damaged stage's twin says the same, so those behind it are reused.
                plan = self.baton("resume", run, "--again", "--json", status=3).lines()[0]
                self.assertGreaterEqual(len(plan["begins"]), 1)
                self.assertEqual(self.executed(run), 3)
                fast = self.workflow("fast", CHAIN.replace("p.wait_ms or nil", "0 or nil"))
                self.baton("resume", run, "--with-new-script", fast, "--yes", "--json", status=0)
                result = self.record(run)["result"]
                self.assertEqual(result["luck"], result["echoed"])
                self.assertEqual(self.executed(run), 3 + again)

    def test_the_service_stays_up(self):
        broken, whole = self.interrupted(), None
        self.damage(DAMAGES["handoff"][0])
        r = self.start("run", self.script, "--project", self.project, "--json")
        whole = r.wait_event(is_event("run_created"))["run"]
        self.assertEqual(r.end().status, 0)
        service = self.start("serve")
        support.wait_for(lambda: self.record(broken)["state"] == "lost", "the service takes up the run and ends it")
        self.assertIsNone(service.process.poll())
        self.baton("start", "echo", "--project", self.project, status=0)
        support.wait_for(lambda: self.record()["state"] == "accepted", "the service goes on with another run")
        service.send(support.signal.SIGTERM)
        self.assertEqual(service.end().status, 0)
        self.assertEqual(self.executed(broken), 3)
        self.assertEqual(self.record(whole)["state"], "accepted")

    def test_what_it_began_with_is_gone(self):
        """Nobody advises a resume that cannot work; what is advised does."""
        (self.root / "agents").mkdir()
        for file in (support.SOURCE / "agents/definitions").glob("*.md"):
            (self.root / "agents" / file.name).write_text(file.read_text())
        for gone, words in ((("script",), ("--with-new-script", self.script)), (("agent echo",), ("--agents", self.root / "agents")),
                            (("script", "agent echo"), ("--with-new-script", self.script, "--agents", self.root / "agents"))):
            with self.subTest(gone=gone):
                r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=1000")
                run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
                r.kill()
                record = self.record(run)
                hashes = {"script": record["script_hash"], **{f"agent {name}": h for name, h in record["agents"].items()}}
                self.assertEqual(self.baton("show", run, "--json", status=0).json()["missing"], [])
                for what in gone:
                    (self.state / "artifacts" / hashes[what][:2] / hashes[what][2:]).unlink()
                shown = self.baton("show", run, status=0).out
                advice = " ".join(w if str(w).startswith("--") else "FILE" if w is self.script else "DIR" for w in words)
                self.assertIn(f"gone from the state folder ({', '.join('its ' + w for w in gone)})", shown)
                self.assertIn(f": baton resume {run} {advice}; to end it: baton cancel {run}\n", shown)
                self.assertNotRegex(shown, rf"(?m)baton resume {run}$")
                self.assertEqual(self.baton("show", run, "--json", status=0).json()["missing"], list(gone))
                done = self.baton("resume", run, status=2)
                self.assertIn(f"baton resume {run} {words[-2]}", done.err)
                if len(gone) == 2:  # one of them is not enough, and that is said
                    done = self.baton("resume", run, *words[-2:], "--yes", status=2)
                    self.assertIn("the text of its script is gone", done.err)
                    self.assertIn("--with-new-script FILE", done.err)
                done = self.baton("resume", run, *words, "--yes", "--json")
                self.assertEqual(done.status, 0, str(done))
                self.assertEqual(self.executed(run), 4)  # the third one again
        r = self.start("run", self.script, "--project", self.project, "--json", "--param", "wait_ms=60000")
        run = r.wait_event(is_event("stage_progress", stage=3), "the third stage")["run"]
        r.kill()
        (self.state / "artifacts" / self.record(run)["script_hash"][:2] / self.record(run)["script_hash"][2:]).unlink()
        self.baton("cancel", run, status=0)
        self.assertEqual(self.record(run)["state"], "cancelled")


if __name__ == "__main__":
    support.main()

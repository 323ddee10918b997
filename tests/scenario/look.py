"""Looking at a state folder that is damaged, or that cannot be written to: what can be read is shown, and else what is wrong with
which file, and what to do."""
import os
import pathlib
import shutil
import sqlite3
import subprocess

import support

WORKFLOW = """
workflow "twice" {
  agents = { "echo" },
  run = function(p)
    local first = stage { agent = "echo", input = { n = 1 } }
    stage { agent = "echo", after = first, input = { n = 2 } }
    finish("accepted", { n = 2 })
  end,
}
"""
LOOKS = (("runs",), ("show", "last"), ("export", "last", "-o", "run.baton"), ("events",), ("logs", "last"), ("handoff", "show", "last"),
         ("top", "--once"), ("questions",), ("schedule", "list"))
NOBODY = 65534


class Look(support.Scenario):
    def setUp(self):
        super().setUp()
        self.root.chmod(0o755)
        self.run_name = self.baton("run", self.workflow("twice", WORKFLOW), "--json", status=0).lines()[-1]["run"]
        self.db = self.state / "baton.db"
        self.away = self.root / "away"  # where exports go
        self.away.mkdir()
        self.away.chmod(0o777)

    def lock_folder(self):
        """The state folder is not this user's to write."""
        for folder, _, names in os.walk(self.state):
            os.chmod(folder, 0o555)
            for name in names:
                path = pathlib.Path(folder) / name
                if not path.is_symlink() and path.is_file():
                    path.chmod(0o444)

    def look(self, *words):
        """By somebody who may not write there."""
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([support.BATON, *words], cwd=self.away, env=self.env, capture_output=True, text=True, check=False, timeout=60, **who)
        return support.Finished(done.returncode, done.stdout, done.stderr)

    def check_looks(self):
        for words in LOOKS:
            with self.subTest(words=words):
                done = self.look(*words)
                self.assertEqual(done.status, 0, str(done))
                self.assertEqual([x for x in done.err.splitlines() if "no run waits" not in x and "no schedule" not in x], [], str(done))
        self.assertRegex(self.look("runs").out, rf"^{self.run_name} +accepted ")
        self.assertIn('result   {"n":2}', self.look("show", "last").out)
        self.assertIn("the same, 2 stages", self.look("replay", "run.baton").out)

    def test_a_read_only_folder(self):
        self.lock_folder()
        before = support.fingerprint(self.state)
        self.check_looks()
        self.assertEqual(support.fingerprint(self.state), before)
        for words in (("cancel", "last"), ("run", str(self.root / "twice.lua")), ("resume",)):
            done = self.look(*words)
            self.assertNotEqual(done.status, 0)
            self.assertIn("cannot write to the state folder", done.err)

    def copy_of_a_live_journal(self, *names):
        """As a backup of a journal that is being written has it."""
        service = self.start("serve")
        support.wait_for(lambda: (self.state / "serve.sock").exists(), "the service")
        self.baton("start", self.root / "twice.lua", status=0)
        copy = self.root / "copy"
        copy.mkdir()
        support.wait_for(lambda: all(r["state"] == "accepted" for r in self.baton("runs", "--json").json()), "the run")
        for name in names:
            shutil.copy(self.state / name, copy / name)
        shutil.copytree(self.state / "artifacts", copy / "artifacts")
        service.send(support.signal.SIGTERM)
        service.end()
        self.state = copy
        self.env["BATON_STATE"] = str(copy)
        self.run_name = self.baton("runs", "--json", env={"BATON_STATE": str(self.root / "state")}, status=0).json()[0]["id"]

    def test_a_read_only_folder_with_a_log(self):
        self.copy_of_a_live_journal("baton.db", "baton.db-wal", "baton.db-shm")
        self.lock_folder()
        self.check_looks()

    def test_a_log_that_cannot_be_read_there(self):
        self.copy_of_a_live_journal("baton.db", "baton.db-wal")
        self.lock_folder()
        for words in LOOKS:
            done = self.look(*words)
            self.assertEqual(done.status, 5, str(done))
            self.assertIn(f"'{self.state}/baton.db' has a log beside it", done.err)
            self.assertIn("copy both files to another folder and set BATON_STATE", done.err)
        # What it says works.
        other = self.root / "other"
        other.mkdir()
        for name in ("baton.db", "baton.db-wal"):
            shutil.copy(self.state / name, other / name)
            (other / name).chmod(0o644)
        self.assertRegex(self.baton("runs", env={"BATON_STATE": str(other)}, status=0).out, rf"^{self.run_name} +accepted ")

    def test_a_journal_of_an_older_baton_in_a_read_only_folder(self):
        with sqlite3.connect(self.db) as db:
            db.execute("PRAGMA user_version = 3")
        db.close()
        self.lock_folder()
        done = self.look("runs")
        self.assertEqual(done.status, 5, str(done))
        self.assertIn("is of an older baton (schema 3", done.err)
        self.assertIn("read-only here; copy it to another folder", done.err)

    def test_a_damaged_journal(self):
        """Nobody who only looks moves it away, or says that there was nothing."""
        self.db.write_bytes(b"\0" * 8192)
        for words in LOOKS:
            with self.subTest(words=words):
                done = self.baton(*words)
                self.assertEqual(done.status, 2, str(done))
                self.assertIn(f"'{self.db}': the file is damaged (file is not a database)", done.err)
                self.assertIn(f"sqlite3 '{self.db}' .recover", done.err)
                self.assertIn("'baton run' and 'baton serve' move it to lost+found", done.err)
        self.assertTrue(self.db.exists())
        self.assertFalse((self.state / "lost+found").exists())
        # Whoever works begins a new one; the old one is not forgotten.
        new = self.baton("run", self.root / "twice.lua", "--json", status=0).lines()[-1]["run"]
        self.assertEqual([r["id"] for r in self.baton("runs", "--json", status=0).json()], [new])
        said = self.baton("show", self.run_name, status=2).err
        self.assertRegex(said, rf"the journal before this one was damaged; since 2\d+-.*Z it lies in '{self.state}/lost\+found/baton\.db\..*' \(")

    def test_nothing_left_but_the_damaged_one(self):
        self.db.write_bytes(b"\0" * 8192)
        self.baton("cancel", "last", status=2)  # it would write: the journal begins anew
        done = self.baton("runs", status=0)
        self.assertIn("the journal before this one was damaged", done.err)

    def test_damage_in_the_middle(self):
        data = bytearray(self.db.read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)  # the first page is whole: it opens
        self.db.write_bytes(data)
        for name in ("baton.db-wal", "baton.db-shm"):
            (self.state / name).unlink(missing_ok=True)
        for words in (("runs",), ("show", self.run_name), ("export", self.run_name)):
            done = self.baton(*words)
            self.assertEqual(done.status, 2, str(done))
            self.assertIn(f"'{self.db}': the file is damaged (", done.err)
        self.assertTrue(self.db.exists())

    def test_a_file_that_may_not_be_read(self):
        self.db.chmod(0)
        done = self.look("runs")
        self.assertNotEqual(done.status, 0)
        self.assertIn(str(self.db), done.err)
        self.db.chmod(0o644)


if __name__ == "__main__":
    support.main()

"""A run as one file: export it, decide it again elsewhere without executing anything, and see what a change decides differently."""
import shutil
import sqlite3

import support

WORKFLOW = """
workflow "twice" {
  agents = { "echo" },
  params = { size = { default = 20000 } },
  run = function(p)
    local sides = parallel {
      function() return stage { agent = "echo", input = { n = 1, size = p.size } } end,
      function() return stage { agent = "echo", input = { n = 2 } } end,
    }
    local open = gate(sides[1])
    local last = stage { agent = "echo", after = sides, input = { n = 3, at = now(), luck = random(1000) } }
    finish("accepted", { gate = open, sum = last.output.echo.n })
  end,
}
"""


class Replay(support.Scenario):
    def setUp(self):
        super().setUp()
        project = self.root / "project"
        project.mkdir()
        (project / "README").write_text("something\n")
        support.make_repository(project)
        self.script = self.workflow("twice", WORKFLOW)
        self.baton("run", self.script, "--project", project, "-q", status=0)
        self.file = self.root / "run.baton"
        self.baton("export", "last", "-o", self.file, status=0)

    def replay(self, *more, status=0):
        # Another machine: no state folder, no project, no workers' results but those in the file.
        return self.baton("replay", self.file, "--json", *more, status=status, env={"BATON_STATE": str(self.root / "elsewhere")}).json()

    def test_decides_the_same_without_executing(self):
        shutil.rmtree(self.state)
        shutil.rmtree(self.root / "project")
        first = self.replay()
        self.assertTrue(first["same"], first)
        self.assertEqual((first["outcome"], first["stages"], first["differences"]), ("accepted", 3, []))
        self.assertEqual(first["hash"], first["replay_hash"])
        self.assertEqual(first, self.replay())

    def test_shows_what_another_script_decides_differently(self):
        other = self.workflow("other", WORKFLOW.replace("n = 2", "n = 7"))
        shown = self.replay("--script", other, status=1)
        self.assertFalse(shown["same"])
        self.assertEqual([(d["task"], d["op"], d["what"]) for d in shown["differences"]][0], ("0.2", "stage", "key"))
        self.assertNotEqual(shown["hash"], shown["replay_hash"])
        fewer = self.workflow("fewer", WORKFLOW.replace("local open = gate(sides[1])", "local open = false"))
        shown = self.replay("--script", fewer, status=1)
        self.assertIn("call", [d["what"] for d in shown["differences"]])

    def test_refuses_what_is_damaged_or_something_else(self):
        with sqlite3.connect(self.file) as db:
            db.execute("UPDATE blob SET data = CAST(data AS BLOB) || x'00'")
        self.assertIn("damaged", self.baton("replay", self.file, status=2).err)
        (self.root / "noise").write_bytes(b"not a database at all" * 100)
        self.assertIn("not a run", self.baton("replay", self.root / "noise").err)
        with sqlite3.connect(self.file) as db:
            db.execute("UPDATE part SET body = '{\"format\": 99, \"written_by\": \"baton 99\"}' WHERE name = 'format'")
        self.assertIn("newer baton", self.baton("replay", self.file).err)
        self.assertEqual(self.baton("replay", self.root / "absent").status, 2)


if __name__ == "__main__":
    support.main()

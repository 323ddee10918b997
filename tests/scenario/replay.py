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
        d = shown["differences"][0]
        self.assertEqual((d["task"], d["op"], d["what"], d["parts"]), ("0.2", "stage", "key", "input"))
        self.assertRegex(d["journaled"], r'^stage \d: agent echo, mode \S+, input \{"n":2\}$')
        self.assertRegex(d["now"], r'^stage: agent echo, mode \S+, input \{"n":7\}$')
        self.assertNotEqual(d["journaled_hash"], d["now_hash"])
        text = self.baton("replay", self.file, "--script", other, status=1).out
        self.assertIn("different at call 0 of task 0.2 (stage): key (input)\n", text)
        self.assertIn(f"  journaled  {d['journaled']}  [{d['journaled_hash'][:12]}]\n  now        {d['now']}  [{d['now_hash'][:12]}]\n", text)
        self.assertNotEqual(shown["hash"], shown["replay_hash"])
        # A tail call has no line of its own; any other stage has.
        third = self.workflow("third", WORKFLOW.replace("n = 3", "n = 8"))
        self.assertIn("of task 0 (stage), line 11: key (input)\n", self.baton("replay", self.file, "--script", third, status=1).out)
        fewer = self.workflow("fewer", WORKFLOW.replace("local open = gate(sides[1])", "local open = false"))
        shown = self.replay("--script", fewer, status=1)
        self.assertIn("call", [d["what"] for d in shown["differences"]])

    def test_shows_another_end(self):
        other = self.workflow("other", WORKFLOW.replace("sum = ", "total = "))
        shown = self.replay("--script", other, status=1)
        self.assertFalse(shown["same"])
        end, = shown["differences"]
        self.assertEqual((end["op"], end["what"], end["line"]), ("finish", "result", 12))
        self.assertEqual((end["journaled"], end["now"]), ('{"gate":false,"sum":3}', '{"gate":false,"total":3}'))
        self.assertIn("different at the end, line 12: result\n", self.baton("replay", self.file, "--script", other, status=1).out)
        plain = self.workflow("plain", WORKFLOW.replace("{ gate = open, sum = last.output.echo.n }", "7"))
        end, = self.replay("--script", plain, status=1)["differences"]
        self.assertEqual(end["now"], '{"value":7}')
        rejects = self.workflow("rejects", WORKFLOW.replace('finish("accepted"', 'finish("rejected"'))
        end, = self.replay("--script", rejects, status=1)["differences"]
        self.assertEqual((end["what"], end["journaled"], end["now"]), ("outcome", "accepted", "rejected"))

    def test_a_long_input_is_cut_to_where_it_differs(self):
        other = self.workflow("other", WORKFLOW.replace("n = 2 }", 'n = 2, text = ("ä"):rep(500) .. "é" }'))
        now = self.replay("--script", other, status=1)["differences"][0]["now"]
        self.assertIn('input {"n":2,"text":"ää', now)
        self.assertTrue(now.endswith("ä…"), now)
        self.assertLess(len(now.encode()), 250)

    def test_a_plain_value_as_result(self):
        for value, same in ((7, True), (8, False)):
            script = self.workflow("plain", f'workflow "plain" {{ run = function() finish("accepted", {value}) end }}')
            if same:
                self.baton("run", script, "-q", status=0)
                self.baton("export", "last", "-o", self.root / "plain.baton", status=0)
            shown = self.baton("replay", self.root / "plain.baton", "--json", "--script", script, status=0 if same else 1).json()
            self.assertEqual((shown["same"], len(shown["differences"])), (same, 0 if same else 1))

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

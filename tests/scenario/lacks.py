"""A host that lacks layers of the box: asked beside the first stages, told with every run and by the service, and what it cannot hold is
refused before anything is started. Who starts no programs does not wait for it."""
import json

import support
from support import is_event

REVIEW = """
workflow "looks" {
  agents = { "rust-code-reviewer", "echo" },
  params = { programs = { default = true } },
  run = function(p)
    stage { agent = "echo", input = { name = "first" } }
    if p.programs then
      local r = stage { agent = "rust-code-reviewer", mode = "review" }
      finish(r.ok and "accepted" or "rejected", { reason = r.summary })
    end
    finish("accepted")
  end,
}
"""
MISSING = r"Landlock is missing \(.*\): calls are refused; .* This site requires 'landlock'.*baton doctor"


class Lacks(support.ProjectScenario):
    def setUp(self):
        super().setUp()
        self.config = self.root / "config"
        (self.config / "baton").mkdir(parents=True)
        self.site = self.config / "baton/sandbox.profiles"
        self.env["XDG_CONFIG_HOME"] = str(self.config)
        self.script = self.workflow("looks", REVIEW)

    def look(self, *more, **how):
        return self.baton("run", self.script, "--project", self.project, "--json", *more, **how)

    def probed(self):
        return [e["body"] for e in self.journal() if e["kind"] == "sandbox_probed"]

    def test_what_cannot_be_boxed_is_not_begun(self):
        done = self.look(without="landlock", status=5).lines()[-1]
        self.assertEqual(done["state"], "failed")
        self.assertRegex(done["reason"], "^rust-code-reviewer starts programs: this host cannot make the box that tools run in: " + MISSING)
        finished = [e["body"]["agent"] for e in self.journal() if e["kind"] in ("stage_reserved", "stage_finished")]
        self.assertEqual(finished, ["echo", "echo"])  # nothing of the other one was reserved
        (facts,) = self.probed()
        self.assertFalse(facts["usable"])
        self.assertEqual([(m["layer"], m["needed"]) for m in facts["missing"] if m["needed"]], [("Landlock", "landlock")])
        shown = self.baton("doctor", without="landlock", status=1)
        self.assertRegex(shown.out, "(?m)^Tools are refused: .*" + MISSING)
        # The site decides what is required, nobody else; the run that ended goes on with it.
        run = done["run"]
        self.site.write_text("base require = none\n")
        again = self.baton("resume", run, "--again", "--yes", "--json", without="landlock")
        self.assertNotIn("starts programs", again.lines()[-1].get("reason") or "")
        self.assertTrue(self.probed()[-1]["usable"])
        self.assertIn("Tools run in a box.", self.baton("doctor", without="landlock", status=0).out)

    def test_a_site_that_requires_all(self):
        self.site.write_text("base require = full\n")
        done = self.look(without="namespaces", status=5).lines()[-1]
        self.assertRegex(done["reason"], "namespaces is missing .*; file view is missing .* This site requires 'full'")
        self.assertEqual(json.loads(self.baton("doctor", "--json", without="namespaces", status=1).out)["require"], "full")

    def test_who_starts_no_programs_does_not_ask(self):
        self.look("--param", "programs=false", without="landlock", status=0)
        self.assertEqual(self.probed(), [])
        agents = self.root / "reader.md"
        agents.write_text("---\nname: rust-code-reviewer\ndescription: For tests.\ntools: Read\n---\n\nYou read.\n")
        done = self.look("--agents", agents, without="landlock").lines()[-1]
        self.assertNotIn("starts programs", done.get("reason") or "")
        self.assertEqual(self.probed(), [])

    def test_layers_that_are_not_required_are_told(self):
        r = self.start("run", self.script, "--project", self.project, without="namespaces")
        self.assertIn("! the box of tools has no namespaces, file view here; what that leaves open: baton doctor", r.end().err)
        (facts,) = self.probed()
        self.assertTrue(facts["usable"])
        self.assertIn("tools see your other processes", facts["missing"][0]["open"])

    def test_a_service_says_at_its_start_what_the_host_has(self):
        for without, level, usable in ((None, "info", True), ("landlock", "error", False)):
            service = self.start("serve", "--log-format", "json", without=without)
            service.wait_error('"sandbox_probed"' if usable else '"tools_refused"')
            service.send(support.signal.SIGTERM)
            lines = [json.loads(line) for line in service.end().err.splitlines()]
            facts = next(line for line in lines if line["event"] == "sandbox_probed")["fields"]
            self.assertEqual((facts["usable"], "Landlock" in facts["layers"]), (usable, usable))
            self.assertIn(level, [line["level"] for line in lines if line["event"] in ("sandbox_probed", "tools_refused")])


if __name__ == "__main__":
    support.main()

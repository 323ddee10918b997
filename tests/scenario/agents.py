"""Agent files bind: those of the caller replace the shipped ones, what they do not allow does not happen, and what is wrong with
them is said with file and line."""
import shutil
import unittest

import support
from support import git

FAMILY = support.SOURCE / "tests/fixtures/agentfile/seed-family"
SHIPPED = support.SOURCE / "agents/definitions"
ECHO_RUNS_DATE = """
workflow "date" {
  agents = { "echo" },
  run = function(p)
    local r = stage { agent = "echo", input = { exec = { "date" } } }
    finish(r.ok and "accepted" or "rejected", { reason = r.summary })
  end,
}
"""


# What the performance engineer would propose: one setting, and one edit of a source.
DEVELOPER_CHANGES = """
workflow "change" {
  agents = { "echo", "rust-developer" },
  run = function(p)
    local found = stage { agent = "echo", input = { output = { candidates = {
      { id = "C1", title = "opt-level = 3", kind = "profile",
        set = { { file = "Cargo.toml", path = { "profile", "release", "opt-level" }, value = "3" } } },
      { id = "C2", title = "a comment", kind = "profile",
        edits = { { file = "src/main.rs", byte_start = 0, byte_end = 0, text = "// seen\\n" } } },
    } } } }
    local d = stage { agent = "rust-developer", after = found }
    finish(d.ok and "accepted" or "rejected", { reason = d.summary, skipped = d.output and d.output.skipped })
  end,
}
"""


class Agents(support.Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.root / "project"

    def plain(self):
        self.project.mkdir()
        (self.project / "README").write_text("something\n")
        support.make_repository(self.project)

    def agent(self, tools, name="echo"):
        folder = self.root / "agents"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.md"
        path.write_text(f"---\nname: {name}\ndescription: For tests.\nallowed-tools:\n{tools}---\n\nYou echo.\n")
        return path

    def run_date(self, *more, status=None):
        return self.baton("run", self.workflow("date", ECHO_RUNS_DATE), "--project", self.project, "--json", *more, status=status)

    @unittest.skipUnless(support.have("cargo", "perf", "git"), "needs cargo, perf and git")
    def test_the_seed_family_works_without_perf(self):
        """The seed's engineer may not start perf: no profile is taken, the report says so, and the rest is done."""
        support.tiny_crate(self.project)
        support.make_repository(self.project)
        family = self.root / "family"
        shutil.copytree(FAMILY, family)
        done = self.baton("run", "profile", "--project", self.project, "--focus", "runtime", "--agents", family, "--json", status=0)
        limits = done.lines()[-1]["limits"]
        self.assertTrue(any("perf" in text for text in limits), limits)
        self.assertTrue(any("no profile" in text for text in limits), limits)
        run = done.lines()[-1]["run"]
        handoffs = [h["handoff"] for h in self.baton("handoff", "show", run, "--json", status=0).json()]
        self.assertEqual([h["status"] for h in handoffs], ["completed", "completed"])
        self.assertTrue(handoffs[1]["output"]["baseline"], "measuring goes without perf")
        model = self.baton("show", run, "--json", status=0).json()
        denied = [c for c in model["commands"] if c["decision"] == "deny"]
        self.assertTrue(denied and {c["argv"][0] for c in denied} <= {"perf", "rustc"}, denied)
        self.check_nothing_left(self.project)

    def test_a_tool_the_file_does_not_name(self):
        self.plain()
        self.agent("  - Read\n")
        done = self.run_date("--agents", self.root / "agents", status=1)
        self.assertIn("Bash(date", done.lines()[-1]["reason"])
        allowed = self.run_date("--agents", self.root / "agents", "--allow", "Bash(date)", status=0)
        self.assertEqual(allowed.lines()[-1]["state"], "accepted")
        self.agent("  - Bash(date)\n")
        self.run_date("--agents", self.root / "agents", status=0)

    def test_a_malformed_rule_names_file_and_line(self):
        self.plain()
        self.agent("  - Read\n  - Bash(date\n")
        done = self.run_date("--agents", self.root / "agents")
        self.assertNotEqual(done.status, 0, str(done))
        self.assertRegex(done.out + done.err, r"echo\.md:6")
        self.check_nothing_left(self.project)

    def test_a_malformed_rule_on_the_command_line(self):
        self.plain()
        done = self.run_date("--allow", "Bash(date")
        self.assertNotEqual(done.status, 0, str(done))
        self.assertIn("Bash(date", done.out + done.err)

    def test_a_bad_file_beside_a_good_one(self):
        self.plain()
        self.agent("  - Bash(date)\n")
        (self.root / "agents/broken.md").write_bytes(b"---\nname: [\n\xff\xfe---\n")
        self.run_date("--agents", self.root / "agents", status=0)

    def change(self, *rules, status=None):
        self.agent("".join(f"  - {r}\n" for r in (*rules, "Bash(cargo *)", "Bash(git *)")), name="rust-developer")
        done = self.baton("run", self.workflow("change", DEVELOPER_CHANGES), "--project", self.project, "--agents", self.root / "agents",
                          "--json", status=status)
        return self.record(done.lines()[-1]["run"])["result"]

    @unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")
    def test_rules_of_files_bind_the_developer(self):
        support.tiny_crate(self.project)
        support.make_repository(self.project)
        refused = self.change("Read", status=1)  # neither Edit nor Write
        self.assertIn("the rule 'Edit(/src/main.rs)' would allow it", refused["reason"])
        unread = self.change("Edit(src/**)", status=0)  # the manifest is neither to be read nor to be written
        self.assertEqual([s["id"] for s in unread["skipped"]], ["C1"])
        self.assertIn("Cargo.toml", unread["skipped"][0]["reason"])
        partly = self.change("Read", "Edit(/src/**)", status=0)
        self.assertEqual([s["id"] for s in partly["skipped"]], ["C1"])
        self.assertIn("the rule 'Edit(/Cargo.toml)' would allow it", partly["skipped"][0]["reason"])
        files = self.baton("show", "last", "--json", status=0).json()["files"]
        self.assertIn(("Write", "src/main.rs", "allow", "Edit(/src/**)"), [(f["tool"], f.get("path"), f["decision"], f["rule"]) for f in files])
        self.assertIn(("Write", "Cargo.toml", "deny"), [(f["tool"], f.get("path"), f["decision"]) for f in files])
        whole = self.change("Read", "Write", status=0)
        self.assertFalse(whole["skipped"])
        names = git(self.project, "diff", "--name-only", "HEAD", whole["git"]["branch"]).split()
        self.assertEqual(names, ["Cargo.toml", "src/main.rs"])

    @unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")
    def test_a_reviewer_that_may_not_read(self):
        support.tiny_crate(self.project)
        support.make_repository(self.project)
        self.agent("  - Read(/docs/**)\n  - Bash(cargo *)\n  - Bash(git *)\n", name="rust-code-reviewer")
        flow = self.workflow("review", """
workflow "review" {
  agents = { "rust-code-reviewer" },
  run = function()
    local r = stage { agent = "rust-code-reviewer", mode = "review", input = {} }
    finish(r.ok and "accepted" or "rejected", { reason = r.summary })
  end,
}
""")
        done = self.baton("run", flow, "--project", self.project, "--agents", self.root / "agents", "--json", status=1)
        self.assertIn("the rule 'Read(/Cargo.toml)' would allow it", done.lines()[-1]["reason"])

    def test_an_agent_nobody_has(self):
        self.plain()
        flow = self.workflow("nobody", 'workflow "nobody" { agents = { "nobody" }, run = function() stage { agent = "nobody" } end }')
        done = self.baton("run", flow, "--project", self.project, "--json", status=2)
        self.assertIn("nobody", done.err)
        self.assertEqual(self.baton("runs", "--json", status=0).json(), [])

    def test_an_agent_without_a_worker(self):
        self.plain()
        flow = self.workflow("testing", """
workflow "testing" {
  agents = { "rust-testing-engineer" },
  run = function() stage { agent = "rust-testing-engineer" } end,
}
""")
        done = self.baton("run", flow, "--project", self.project, "--json", status=5)
        self.assertRegex(done.lines()[-1]["reason"], "worker")
        self.check_nothing_left(self.project)

    @unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")
    def test_missing_context_is_found_before_dispatch(self):
        """The engineer's file expects something of the developer; a review is not it."""
        support.tiny_crate(self.project)
        support.make_repository(self.project)
        flow = self.workflow("missing", """
workflow "missing" {
  agents = { "echo", "rust-performance-engineer" },
  run = function(p)
    local e = stage { agent = "rust-developer", input = {} }
    local r = stage { agent = "rust-performance-engineer", after = e, input = {} }
    finish(r.ok and "accepted" or "needs_discussion", { reason = r.summary, status = r.status })
  end,
}
""")
        done = self.baton("run", flow, "--project", self.project, "--json", status=3)
        events = done.lines()
        missing = next(e for e in events if e["event"] == "context_missing")
        self.assertEqual(missing["body"]["stage"], 2)
        self.assertEqual(missing["body"]["expected"], "New feature complete")
        self.assertGreater(missing["body"]["line"], 0)
        dispatched = {e["body"]["stage"] for e in events if e["event"] == "stage_dispatched"}
        self.assertEqual(dispatched, {1})
        self.assertIn("rust-performance-engineer", events[-1]["reason"])
        self.assertEqual(git(self.project, "status", "--porcelain"), "")
        self.check_nothing_left(self.project)

    def test_a_run_keeps_the_files_it_began_with(self):
        self.plain()
        self.agent("  - Bash(date)\n")
        flow = self.workflow("late", """
workflow "late" {
  agents = { "echo" },
  run = function(p)
    local first = stage { agent = "echo", input = { sleep_ms = 800 } }
    local r = stage { agent = "echo", after = first, input = { exec = { "date" } } }
    finish(r.ok and "accepted" or "rejected", { reason = r.summary })
  end,
}
""")
        r = self.start("run", flow, "--project", self.project, "--json", "--agents", self.root / "agents")
        run = r.wait_event(support.is_event("stage_progress", stage=1), "the first stage at work")["run"]
        r.kill()
        self.agent("  - Read\n")
        flow.write_text('workflow "late" { run = function() fail("the new text") end }\n')
        done = self.baton("resume", run, "--json", status=0)
        self.assertEqual(done.lines()[-1]["state"], "accepted")


if __name__ == "__main__":
    support.main()

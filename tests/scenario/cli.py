"""The command line: help, options, exit statuses, and the JSON that machines read."""
import json
import re

import support

WORKFLOWS = sorted(p.stem for p in (support.SOURCE / "workflows").glob("*.lua"))


class CommandLine(support.Scenario):
    def names(self):
        """Of all commands, from the list every person sees."""
        listed = self.baton("--help", status=0).out.split("commands:\n", 1)[1].split("\n\n", 1)[0]
        found = re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?)(?= |$)", listed)
        self.assertGreater(len(found), 15)
        return found

    def test_every_command_has_help_with_examples(self):
        for name in self.names():
            with self.subTest(command=name):
                done = self.baton(*name.split(), "--help", status=0)
                self.assertEqual(done.err, "")
                self.assertIn(f"baton {name}", done.out)
                self.assertRegex(done.out, r"(?i)example")
                self.assertEqual(done.out, self.baton(*name.split(), "-h", status=0).out)
                self.assertEqual(done.out, self.baton("help", *name.split(), status=0).out)
        page = self.baton("help", "--man", status=0).out
        for name in self.names():
            self.assertIn(name.replace("-", "\\-"), page)

    def test_usage_errors(self):
        for words in (["--nope"], ["nope"], ["agent", "nope"], ["agent"], [], ["tune", "--nope"], ["run"], ["tune", "a", "b"],
                      ["runs", "--limit"], ["runs", "--limit", "many"], ["runs", "--limit=0"], ["runs", "--json=1"], ["tune", "-x"],
                      ["tune", "--timeout", "soon"], ["run", "echo", "--param", "novalue"], ["run", "echo", "--param", "nope=1"],
                      ["run", "echo", "--param", "size=large"], ["run", "no-such-workflow"], ["run", "relay", "--focus", "sideways"],
                      ["policy", "check"], ["show", "no-such-run"], ["cancel", "no-such-run"], ["serve", "--max-runs", "0"],
                      ["run", "echo", "--project", "/no/such/folder"],
                      ["run", "echo", "--allow", "Bash("], ["run", "echo", "--allow", "Nope(x)"], ["run", "relay", "--bench", "tool 'a"],
                      ["run", "echo", "--allow", ""]):
            with self.subTest(words=words):
                done = self.baton(*words)
                self.assertEqual(done.status, 2, str(done))
                self.assertTrue(done.err.strip(), "it says what is wrong")
                self.assertNotIn("Traceback", done.err)
        self.assertEqual(self.baton("runs", "--json", status=0).json(), [], "nothing was started")

    def test_version(self):
        self.assertRegex(self.baton("--version", status=0).out, r"^baton \d+\.\d+")

    def test_agent_list(self):
        agents = self.baton("agent", "list", "--json", status=0).json()
        self.assertGreaterEqual({a["name"] for a in agents}, {"rust-code-reviewer", "rust-performance-engineer", "rust-developer",
                                                               "rust-testing-engineer", "rust-cicd-devops"})
        for agent in agents:
            self.assertGreaterEqual(set(agent), {"name", "file", "description", "model", "tools", "delegates", "focus", "chains",
                                                 "mode", "diagnostics"})
            for d in agent["diagnostics"]:
                self.assertGreaterEqual(set(d), {"line", "level", "text"})
        family = support.SOURCE / "tests/fixtures/agentfile/seed-family"
        self.assertGreaterEqual(len(self.baton("agent", "list", family, "--json", status=0).json()), 8)
        self.assertIn("29 edges", self.baton("agent", "lint", family).out)
        shown = self.baton("agent", "show", support.SOURCE / "agents/definitions/rust-developer.md", status=0).out
        self.assertIn("when called after", shown)
        missing = self.baton("agent", "list", self.root / "nothing-here", "--json", status=0).json()
        self.assertEqual([d["level"] for a in missing for d in a["diagnostics"]], ["error"])

    def test_agent_files_tell_what_they_hand_on_and_what_is_wrong(self):
        def agent(keys):
            path = self.root / "one.md"
            path.write_text(f"---\nname: one\ndescription: d\n{keys}\n---\n")
            return path
        good = agent("tools: Bash(git * main)\ngrants: Read\nattenuate: true")
        self.assertRegex(self.baton("agent", "show", good, status=0).out, r"grants +\n +5  Read\nattenuate +true")
        shown = self.baton("agent", "show", good, "--json", status=0).json()[0]
        self.assertEqual((shown["grants"], shown["attenuate"], shown["extra"]), (["Read"], True, {}))
        self.assertRegex(self.baton("agent", "lint", good, status=0).out, r"one.md:4: warning: .*core.fsmonitor=PROGRAM diff main")
        near = agent("tools: Read\ndisallowTools: Read(src/**)")
        done = self.baton("policy", "check", "--agent", near, "--tool", "Read", "--input", "src/a.rs", status=2)
        self.assertIn("one.md:5: the key 'disallowTools' means nothing", done.err)
        wrong = self.baton("agent", "lint", agent("tools: Raed"), status=1).out
        self.assertEqual((wrong.count("Raed"), "grants nothing" in wrong), (1, False))

    def test_policy_check(self):
        def check(tools, tool, given):
            done = self.baton("policy", "check", "--tools", tools, "--tool", tool, "--input", given, "--json")
            return done.status, done.json()["decision"]
        self.assertEqual(check("Bash(cargo *)", "Bash", "cargo test"), (0, "allow"))
        self.assertEqual(check("Bash(cargo *)", "Bash", "rm -rf /"), (6, "deny"))
        self.assertEqual(check("Bash(cargo *)", "Bash", "cargo test; rm -rf /")[0], 6)
        self.assertEqual(check("Read", "Edit", "src/lib.rs"), (6, "deny"))
        self.assertEqual(self.baton("policy", "check", "--tools", "Bash(", "--tool", "Bash", "--input", "x").status, 2)
        probe = self.baton("policy", "check", "--tools", "Bash(perf *)", "--tool", "Bash", "--project", self.root, "--json",
                           "--input", "perf record ./target/release/probe", status=0).json()
        self.assertEqual(probe["decision"], "allow")  # as --cases and the box: cargo built it
        ask = ("policy", "check", "--tools", "Read", "--tool", "Read", "--input", "x", "--project")
        self.assertIn("expected the folder of a project", self.baton(*ask, "/etc/passwd", status=2).err)
        agent = support.SOURCE / "agents/definitions/rust-code-reviewer.md"
        done = self.baton("policy", "check", "--agent", agent, "--tool", "Bash", "--input", "cargo clippy", status=0)
        self.assertRegex(done.out, r"rust-code-reviewer\.md:\d+")
        self.assertIn("\n1 file, 1 agent, ", self.baton("agent", "lint", agent).out)

    def test_policy_check_answers_every_line_of_cases(self):
        cases = self.root / "cases.jsonl"
        good = {"id": "a", "allowed_tools": ["Bash(cargo *)"], "tool": "Bash", "input": "cargo test"}
        cases.write_text("\n".join(("{broken", json.dumps(good | {"id": 7}), json.dumps(good | {"allowed_tools": None}), json.dumps(good))))
        done = self.baton("policy", "check", "--cases", cases, status=2)
        answers = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([(a["id"], a["decision"]) for a in answers], [(1, "deny"), (7, "deny"), ("a", "deny"), ("a", "allow")])
        self.assertRegex(answers[0]["reason"], "^line 1: the case is not JSON")
        self.assertIn("2 of its lines", done.err)

    def test_policy_check_of_the_ceiling(self):
        self.env["XDG_CONFIG_HOME"] = str(self.root / "config")

        def check(tool, given):
            return self.baton("policy", "check", "--tools", "*", "--tool", tool, "--input", given)
        self.assertIn("this machine has no ceiling", check("Bash", "cargo test").err)
        ceiling = self.root / "config/baton/policy.rules"
        ceiling.parent.mkdir(parents=True)
        ceiling.write_text("allow Bash(cargo *)\nallow Grep(src/**)\n")
        self.assertIn("policy.rules:1", check("Bash", "cargo test").out)
        self.assertEqual(check("Bash", "rm -rf /").status, 6)
        self.assertEqual((check("Grep", "src/lib.rs").status, check("Grep", "TODO").status), (0, 6))
        self.assertIn("with Grep and Glob of the files", self.baton("policy", "check", "--help").out)

    def test_workflow_check(self):
        self.assertEqual(self.baton("workflow", "check", *WORKFLOWS).status, 0)
        listed = {w["name"] for w in self.baton("workflow", "list", "--json", status=0).json()}
        self.assertEqual(listed, set(WORKFLOWS))
        for name, text, words in (("syntax", "workflow \"x\" {", ":1:"), ("unknown", 'workflow "x" { run = function() nope() end }', "nope"),
                                  ("agent", 'workflow "x" { run = function() stage { agent = "nobody" } end }', "nobody"),
                                  ("endless", 'workflow "x" { run = function() while true do end end }', "")):
            with self.subTest(name=name):
                done = self.baton("workflow", "check", self.workflow(name, text), deadline=120)
                self.assertEqual(done.status, 1, str(done))
                self.assertIn(words, done.out + done.err)

    def test_workflow_check_as_json(self):
        """One object for one file, one array for several: also when one of them cannot be read."""
        one = self.baton("workflow", "check", "echo", "--json", status=0).json()
        self.assertEqual((one["ok"], one["file"]), (True, "echo"))
        many = self.baton("workflow", "check", *WORKFLOWS, "--json", status=0).json()
        self.assertEqual([w["file"] for w in many], WORKFLOWS)
        broken = self.workflow("broken", 'workflow "x" {')
        done = self.baton("workflow", "check", "echo", broken, self.root / "nothing.lua", "--json")
        self.assertNotEqual(done.status, 0)
        self.assertEqual([w["ok"] for w in done.json()], [True, False])
        self.assertIn("nothing.lua", done.err)

    def test_rules_are_checked_before_the_run(self):
        done = self.baton("run", "echo", "--allow", "Bash(ls", status=2)
        self.assertIn("--allow 'Bash(ls':", done.err)
        done = self.baton("run", "relay", "--bench", "tool \"a b", status=2)
        self.assertIn('the quote " is not closed', done.err)

    def test_looking_at_runs(self):
        project = self.root / "plain"
        project.mkdir()
        (project / "README").write_text("a\n")
        for words in (["show"], ["logs"], ["report"]):
            self.assertEqual(self.baton(*words).status, 2, "there is no run yet")
        self.baton("run", "echo", "--project", project, "-q", status=0)
        done = self.baton("run", "echo", "--project", project, "--json", status=0)
        lines = done.lines()  # raises when a line is not JSON
        self.assertEqual(lines[0]["event"], "run_created")
        self.assertEqual([n for n, line in enumerate(lines) if line["event"] == "result"], [len(lines) - 1])
        run = lines[-1]["run"]
        runs = self.baton("runs", "--json", status=0).json()
        self.assertEqual(len(runs), 2)
        self.assertEqual(runs[0]["id"], run)
        self.assertEqual(len(self.baton("runs", "--json", "-n", "1", status=0).json()), 1)
        self.assertEqual(self.baton("runs", "--json", "--state", "failed", status=0).json(), [])
        for word in ("last", run, run.split("-")[1], run[:-1]):
            self.assertIn(run, self.baton("show", word, status=0).out)
        both = self.baton("show", "echo")
        self.assertEqual(both.status, 2)
        self.assertIn("could be run", both.err)
        self.assertEqual(self.baton("show", "last", "--json", status=0).json()["run"], run)
        for line in self.baton("logs", "last", "--json", status=0).out.splitlines():
            json.loads(line)
        self.assertIn("run_finished", self.baton("logs", "last", "--follow", status=0).out)
        self.assertEqual(len(self.baton("handoff", "show", "last", "--json", status=0).json()), 4)
        self.assertIn("agent: echo", self.baton("handoff", "show", "last", status=0).out)
        self.assertTrue(self.baton("report", "last", status=0).out.strip().endswith("report.html"))
        self.assertEqual(self.baton("apply", "last").status, 2)

    def test_shut_standard_output(self):
        """A reader that goes away is no reason to crash."""
        import subprocess
        reader = subprocess.Popen([support.BATON, "agent", "list", "--json"], env=self.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        reader.stdout.close()
        status = reader.wait(support.DEADLINE)
        reader.stderr.close()
        self.assertIn(status, (0, 1, 5, -13, 141))


if __name__ == "__main__":
    support.main()

"""Rights only narrow: the deployment's ceiling and what an agent hands on bind every stage, a file without a list may do what the
ceiling allows and nothing without one, and `baton policy explain` tells all of it."""
import support

CHAIN = """
workflow "chain" {
  agents = { "lead:echo", "dev:echo" },
  params = { last = { type = "string", default = "date" }, must = { type = "string", default = "" } },
  run = function(p)
    local a = stage { agent = "lead:echo", input = { greeting = "go" } }
    local b = stage { agent = "dev:echo", after = { a }, input = { exec = { p.last } } }
    if not b.ok and p.must ~= "" then error(b.summary) end
    finish(b.ok and "accepted" or "rejected", { reason = b.summary })
  end,
}
"""


TWO = """
workflow "two" {
  agents = { "dev:echo" },
  run = function()
    stage { agent = "dev:echo", input = { name = "first", exec = { "date" } } }
    signal("go")
    stage { agent = "dev:echo", input = { name = "second", exec = { "date" } } }
    error("taken up again later")
  end,
}
"""


class Rights(support.Scenario):
    def setUp(self):
        super().setUp()
        self.project = self.root / "project"
        self.project.mkdir()
        (self.project / "README").write_text("something\n")
        support.make_repository(self.project)
        self.agents = self.root / "agents"
        self.agents.mkdir()
        self.config = self.root / "config"
        self.ceiling = self.config / "baton/policy.rules"
        self.ceiling.parent.mkdir(parents=True)
        self.env["XDG_CONFIG_HOME"] = str(self.config)
        self.boxes = self.config / "baton/sandbox.profiles"
        self.agent("lead", "tools: Bash(true *)")
        self.agent("dev", "tools: Bash(date), Bash(true *)")

    def agent(self, scope, keys):
        (self.agents / f"{scope}.md").write_text(f"---\nname: \"{scope}:echo\"\ndescription: For tests.\n{keys}\n---\n\nYou echo.\n")

    def chain(self, *more, status=None):
        return self.baton("run", self.workflow("chain", CHAIN), "--project", self.project, "--agents", self.agents, "--json", *more,
                          status=status)

    def stages(self):
        return self.baton("policy", "explain", "--json", status=0).json()["stages"]

    def test_what_an_agent_hands_on_binds_the_next(self):
        self.chain(status=0)
        self.assertNotIn("bounds", self.stages()[1])
        self.agent("lead", "tools: Bash(true *)\nattenuate: true")
        done = self.chain(status=1)
        self.assertIn("Bash(date", done.lines()[-1]["reason"])
        stage = self.stages()[1]
        self.assertEqual(stage["bounds"][0]["allow"], [["Bash(true *)", 4]])
        self.assertEqual(stage["calls"][0]["decision"], "deny")
        self.chain("--param", "last=true", status=0)  # what it may do itself it hands on
        self.agent("lead", "tools: Bash(true *)\ngrants: Bash(date)")
        self.chain(status=0)  # a coordinator hands on what it may not do itself
        self.assertEqual(self.chain("--param", "last=true", status=1).lines()[-1]["state"], "rejected")

    def test_a_resumed_run_and_a_replay_are_bound_as_before(self):
        self.agent("lead", "tools: Bash(true *)\nattenuate: true")
        run = self.chain("--param", "must=yes", status=5).lines()[-1]["run"]
        self.agent("lead", "tools: Bash(true *)")
        self.baton("resume", run, "--again", "--yes", "--json", status=5)
        self.assertEqual(self.stages()[1]["calls"][0]["decision"], "deny")
        exported = self.root / "run.baton"
        self.baton("export", run, "-o", exported, status=0)
        self.baton("replay", exported, status=0)

    def test_the_ceiling_binds_files_and_the_command_line(self):
        self.ceiling.write_text("# what we let agents do here\nallow Bash(true *)\n")
        done = self.chain(status=1)
        self.assertIn("Bash(date", done.lines()[-1]["reason"])
        self.chain("--allow", "Bash(date)", status=1)
        self.chain("--param", "last=true", status=0)
        self.ceiling.write_text("deny Bash(date)\n")
        self.chain(status=1)
        self.assertEqual(self.stages()[1]["calls"][0]["where"], f"{self.ceiling}:1")

    def test_a_file_without_a_list_may_do_what_the_ceiling_allows(self):
        self.agent("dev", "color: red")
        self.assertIn("has no ceiling that would decide instead", self.chain(status=2).err)  # nothing, not everything
        self.ceiling.write_text("allow Bash(date)\n")
        self.chain(status=0)
        said = self.baton("policy", "explain", status=0).out
        self.assertIn("what the ceiling allows", said)
        self.assertIn(str(self.ceiling), said)

    def test_what_grants_nothing_is_refused_before_anything_runs(self):
        for keys, says in (("tools: []", "empty"), ("tools: Bash(date)\ndisallowedTools: Bash", r"Bash\(date\) \(.*dev\.md:4\)"),
                           ("tools: Bash(date), Teleport", r"dev\.md:4: .*Teleport")):
            self.agent("dev", keys)
            done = self.chain(status=2)
            self.assertRegex(done.err, says)
            lint = self.baton("agent", "lint", self.agents, status=1)
            self.assertRegex(lint.out, "error: no run begins with this agent: .*" + says)
        self.agent("lead", "tools: Bash(true *)\ngrants: Foo")
        self.agent("dev", "tools: Bash(date)")
        self.assertRegex(self.chain(status=2).err, r"lead\.md:5: .*Foo")
        self.assertEqual(self.baton("runs", "--json", status=0).json(), [], "a run was begun")

    def test_a_ceiling_that_is_not_understood_stops_everything(self):
        self.ceiling.write_text("allow Bash(date)\npermit Bash(true)\n")
        for command in (("policy", "check", "--agent", self.agents / "dev.md", "--tool", "Bash", "--input", "date"),
                        ("agent", "lint", self.agents)):
            self.assertIn("policy.rules:2: expected 'allow RULE'", self.baton(*command, status=2).err)
        self.assertIn("policy.rules:2: expected 'allow RULE'", self.chain(status=2).err)

    def test_a_file_about_boxes_that_is_not_understood_stops_every_start(self):
        run = self.chain("--param", "must=yes", "--param", "last=false", status=5).lines()[-1]["run"]
        script, agents = self.workflow("chain", CHAIN), ("--project", self.project, "--agents", self.agents)
        (self.project / "Cargo.toml").write_text("[package]\nname = \"x\"\n")
        self.boxes.write_text("# ours\nbase requires full\n")
        for command in (("run", script, *agents), ("tune", self.project), ("bench", "true", "false"), ("profile", "--", "/bin/true"), ("resume", run, "--again", "--yes"),
                        ("schedule", "add", "nightly", "@daily", script, *agents), ("serve",)):
            self.assertRegex(self.baton(*command, status=2).err, r"sandbox\.profiles:2: expected 'PROFILE KEY WORDS'", command)
        self.assertEqual(len(self.baton("runs", "--json", status=0).json()), 1, "a run was begun")
        self.boxes.unlink()
        self.boxes.symlink_to("nowhere")  # one that cannot be read is not one that says nothing
        self.assertRegex(self.chain(status=2).err, r"cannot open '.*sandbox\.profiles'")
        self.boxes.unlink()
        service = self.start("serve")
        service.wait_error("serving on")
        self.boxes.write_text("base network = all\n")
        self.assertIn("sandbox.profiles:1: network is 'all'", self.baton("start", script, *agents, status=2).err)
        service.send(support.signal.SIGTERM)
        service.end()

    def test_boxes_are_those_a_run_began_with_until_it_is_taken_up_again(self):
        def networks():
            return [c["box"]["network"] for s in self.stages() for c in s["calls"]]
        self.boxes.write_text("base network = none\n")
        started = self.start("run", self.workflow("two", TWO), "--project", self.project, "--agents", self.agents, "--json")
        run = started.wait_event(support.is_event("stage_finished"))["run"]
        started.kill()
        self.boxes.write_text("base network = lo\n")
        self.baton("signal", run, "go", status=0)
        self.baton("resume", run, "--json", status=5)
        self.assertEqual(networks(), ["none", "none"])
        self.assertIn("boxes are changed here  base network = none\n", self.baton("policy", "explain", status=0).out)
        exported = self.root / "run.baton"
        self.baton("export", run, "-o", exported, status=0)
        self.baton("replay", exported, status=0)
        plan = self.baton("resume", run, "--again", "--json").lines()[0]
        self.assertEqual(plan["begins"][0]["because"], "the site's sandbox.profiles were changed since")
        self.baton("resume", run, "--again", "--yes", "--json", status=5)
        self.assertEqual(networks(), ["none", "none", "lo", "lo"])
        self.boxes.write_text("# the same in other words\n base  network =  lo # yes\n")
        plan = self.baton("resume", run, "--again", "--json").lines()[0]
        self.assertEqual((len(plan["reuses"]), plan["begins"]), (2, []))

    def test_network_is_what_the_file_says_within_the_ceiling(self):
        def grade(lead, dev, site):
            self.ceiling.write_text(site)
            self.agent("lead", "tools: Bash(true *), Bash(date)" + lead)
            self.agent("dev", "tools: Bash(date)" + dev)
            self.chain(status=0)
            return self.stages()[1]["calls"][0]["box"]["network"]
        self.assertEqual(grade("", "", ""), "lo")
        self.assertEqual(grade("", "\nnetwork: none", ""), "none")
        self.assertEqual(grade("", "\nnetwork: host", "network host\n"), "host")
        self.assertIn("network  host", self.baton("policy", "explain", status=0).out)
        self.assertEqual(grade("", "", "network none\n"), "none")
        self.assertEqual(grade("\nattenuate: true\nnetwork: none", "\nnetwork: host", "network host\n"), "none")
        self.assertEqual(grade("\nnetwork: none", "\nnetwork: host", "network host\n"), "host")
        self.ceiling.unlink()
        self.agent("dev", "tools: Bash(date)\nnetwork: host")
        self.assertRegex(self.chain(status=6).err, r"network: host \(.*dev\.md:5\), and this machine permits lo at most")
        self.agent("dev", "tools: Bash(date)\nnetwork: internet")
        self.assertRegex(self.chain(status=2).err, r"dev\.md:5: network is 'internet', expected none, lo or host")

    def test_policy_check_answers_for_this_machine(self):
        ask = ("policy", "check", "--agent", self.agents / "dev.md", "--tool", "Bash", "--input")
        self.baton(*ask, "date", status=0)
        self.ceiling.write_text("allow Bash(true *)\n")
        denied = self.baton(*ask, "date", status=6)
        self.assertIn("deny", denied.out)

    def test_explain_tells_edges_calls_and_what_can_be_caused(self):
        self.agent("lead", 'tools: Bash(true *), Task(dev:echo)')
        said = self.baton("run", self.workflow("chain", CHAIN), "--project", self.project, "--agents", self.agents, status=0)
        self.assertIn("lead:echo can cause Bash(date) through dev:echo", said.err)
        told = self.baton("policy", "explain", "--json", status=0).json()
        self.assertEqual(told["stages"][1]["entered"], [{"from": "lead:echo", "listed": True}])
        call = told["stages"][1]["calls"][0]
        self.assertEqual((call["argv"], call["decision"], call["rule"]), (["date"], "allow", "Bash(date)"))
        self.assertRegex(call["where"], r"echo\.md:4$|dev.*\.md:4$")
        lead = next(a for a in told["agents"] if a["agent"] == "lead:echo")
        self.assertIn({"right": "Bash(date)", "through": ["dev:echo"]}, lead["causes"])
        self.assertIn("can cause Bash(date) through dev:echo", self.baton("agent", "lint", self.agents).out)
        self.agent("lead", "tools: Bash(true *)")
        self.chain(status=0)
        self.assertIn("which does not list it: the script asked for it", self.baton("policy", "explain", status=0).out)
        self.chain("--param", "last=uptime", status=1)
        denied = self.baton("policy", "explain", "--denied", status=0).out
        self.assertIn("needed  Bash(uptime", denied)
        self.assertNotIn("allow ", denied)


if __name__ == "__main__":
    support.main()

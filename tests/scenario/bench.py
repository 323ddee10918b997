"""baton bench: commands and revisions against each other, with a verdict that a script can act on."""
import json
import os
import pathlib
import unittest

import support

SCRIPT = """#!/bin/sh
i=0
while [ $i -lt {turns} ]; do i=$((i + 1)); done
cat {said}
"""
NEEDS = unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")


class Bench(support.Scenario):
    def setUp(self):
        super().setUp()
        (self.root / "said").write_text("done\n")
        (self.root / "else").write_text("other\n")
        self.script("old", 6000)
        self.script("same", 6000)
        self.script("slow", 12000)

    def script(self, name, turns, said="/dev/stdin"):
        path = self.root / name
        path.write_text(SCRIPT.format(turns=turns, said=said))
        path.chmod(0o755)

    def bench(self, *args, status, **more):
        done = self.baton("bench", *args, "--json", status=status, **more)
        return done.lines()[-1]

    def test_commands(self):
        self.bench("./old < said", "./slow < said", "--fail-on", "undecided", status=0)
        result = self.bench("./old < said", "./slow < said", status=1)
        bench = result["bench"]
        self.assertEqual((bench["kind"], bench["verdict"], bench["outputs"], result["state"]), ("commands", "slower", "identical", "rejected"))
        found = bench["comparisons"][0]
        self.assertLess(20, found["interval"][0])
        self.assertLessEqual(found["interval"][0], found["change_pct"])
        self.assertIn("warnings", result["host"])
        if "why_not" in found["witness"]:  # on a very busy machine a run takes too long for it
            self.assertRegex(found["witness"]["why_not"], "a run takes|valgrind")
        else:
            self.assertLess(50, found["witness"]["instructions"]["change_pct"])
            self.assertEqual(found["witness"]["view"], "against")  # "B is faster"
            self.assertIn("second witness: instructions +", bench["plot"])
        self.assertTrue(result["headline"].startswith("Slower: +"), result["headline"])
        self.assertIn("old", bench["plot"])
        report = json.loads(pathlib.Path(result["report"]["json"]).read_text("utf-8"))
        self.assertEqual(report["bench"], bench)
        self.assertEqual(len(report["measurements"]["overall"]["command"]), found["pairs"])
        pictures = [a for a in report["artifacts"] if a["name"] == "comparison.svg"]
        self.assertIn("<svg", pathlib.Path(pictures[0]["path"]).read_text("utf-8"))
        self.assertTrue(any(line.startswith("baton bench ") for line in report["reproduce"]), report["reproduce"])
        timed = [c for c in report["commands"] if c.get("by") == "baton-measure"]
        self.assertEqual([(c["decision"], c["rule"]) for c in timed], [("allow", f"Bash({self.root}/old)")])
        self.check_nothing_left()

    def test_the_other_way(self):
        exported = self.root / "bencher.json", self.root / "github.json"
        done = self.baton("bench", "./slow < said", "./old < said", "--metric", "wall", "--export", f"bencher={exported[0]}",
                          "--export", f"github-action={exported[1]}", status=0)
        self.assertIn("Faster: ", done.out)
        self.assertIn("wall time", done.out)
        self.assertIn("outputs  identical", done.out)
        self.assertLess(0, json.loads(exported[0].read_text())["old"]["latency"]["value"])
        self.assertEqual(json.loads(exported[1].read_text())[0]["unit"], "ns")

    def test_no_difference(self):
        """A change that would count is ten times what a busy machine does to a pair."""
        self.script("other", 6000, said="else")
        result = self.bench("./old < said", "./same < said", "--theta", "25%", status=0)
        self.assertEqual((result["bench"]["verdict"], result["bench"]["outputs"]), ("no_difference", "identical"))
        other = self.root / "talks"
        other.write_text(SCRIPT.format(turns=6000, said="/dev/stdin") + "echo more\n")
        other.chmod(0o755)
        result = self.bench("./old < said", "./talks < said", "--theta", "25%", "--fail-on", "outputs", status=1)
        self.assertEqual((result["bench"]["verdict"], result["bench"]["outputs"]), ("no_difference", "differ"))

    def test_what_is_counted(self):
        """No clock decides here: sizes, and what the kernel counts."""
        self.script("long", 20000, said="/dev/stdin;" + " :" * 300)
        result = self.bench("./old < said", "./long < said", "--metric", "size", status=1)
        found = result["bench"]["comparisons"][0]
        self.assertEqual((found["metric"], found["unit"], found["verdict"]), ("size_bytes", "B", "slower"))
        self.assertEqual([found[side]["median"] for side in "ab"], [(self.root / name).stat().st_size for name in ("old", "long")])
        self.assertTrue(result["headline"].startswith("More: +"), result["headline"])
        dd = "dd if=/dev/zero of=/dev/null count=1 bs={}M"
        result = self.bench(dd.format(40), dd.format(20), "--metric", "memory", status=0)
        found = result["bench"]["comparisons"][0]
        self.assertEqual((found["metric"], found["unit"], found["verdict"]), ("max_rss_kb", "KiB", "faster"))
        self.assertTrue(result["headline"].startswith("Less: "), result["headline"])
        if support.have("valgrind"):
            (self.root / "loud").write_text("#!/bin/sh\n" + "echo x\n" * 50)
            (self.root / "quiet").write_text("#!/bin/sh\necho x\n")
            (self.root / "loud").chmod(0o755)
            (self.root / "quiet").chmod(0o755)
            found = self.bench("./quiet", "./loud", "--metric", "syscalls", status=1)["bench"]["comparisons"][0]
            self.assertEqual((found["metric"], found["b"]["median"] - found["a"]["median"] >= 49), ("system_calls", True), found)
        self.assertIn("compare revisions", self.baton("bench", "./old", "./same", "--metric", "build", status=5).out)

    def test_undecided(self):
        """The time is over with the first pair, on any machine: a sample is sized to 13 ms."""
        commands = [str(self.root / "old")], [str(self.root / "same")]
        done = self.baton("run", "bench", "--project", self.root / "tmp", "--param", f"commands={json.dumps(commands)}", "--param",
                          "budget_minutes=0.0001", "--param", "theta_pct=0.01", "--allow", f"Bash({commands[0][0]})", "--allow",
                          f"Bash({commands[1][0]})", "--json", status=3)
        result = done.lines()[-1]
        self.assertEqual((result["bench"]["verdict"], result["state"]), ("undecided", "needs_discussion"))
        found = result["bench"]["comparisons"][0]
        self.assertEqual((found["pairs"], found["theta_asked"]), (1, 0.0001))
        self.assertTrue(any("at least 8 are needed" in text for text in found["reasons"]), result["bench"])

    def test_what_is_refused(self):
        for words in (["./old"], ["./old", "./nothing"], ["./old", "./same | cat"], ["./old", "./same", "--theta", "much"],
                      ["./old", "./same", "--export", "csv=x"], ["./old", "./same", "--fail-on", "rain"],
                      ["./old", "./same", "--metric", "sun"], ["a", "b", "--baseline", "c"]):
            done = self.baton("bench", *words, status=2)
            self.assertTrue(done.err.startswith("baton: "), done.err)
        self.assertIn("ended with exit 1", self.baton("bench", "true", "false", status=5).out)
        # Only who names a command grants it.
        commands = json.dumps([[str(self.root / "old")], [str(self.root / "same")]])
        done = self.baton("run", "bench", "--project", self.root / "tmp", "--param", f"commands={commands}", status=5)
        self.assertIn("is not allowed", done.out)

    def test_killed_in_the_middle(self):
        running = self.start("bench", "./old < said", "./slow < said", "--json")
        running.wait_event(support.is_event("stage_dispatched"), "the stage begins")
        running.kill()
        result = self.baton("resume", "--json", status=1).lines()[-1]
        self.assertEqual(result["bench"]["verdict"], "slower")

    @NEEDS
    def test_revisions(self):
        project = support.copy_example(self.root / "wordmill")
        first = support.make_repository(project)
        manifest = project / "Cargo.toml"
        manifest.write_text(manifest.read_text().replace("opt-level = 0", "opt-level = 2"))
        support.git(project, "commit", "-q", "-a", "-m", "Optimise")
        head = support.git(project, "rev-parse", "HEAD")
        command = ["--project", project, "--bench", "wordmill count --words 1000"]
        result = self.bench("HEAD", first, *command, status=1)
        self.assertEqual((result["bench"]["kind"], result["bench"]["verdict"], result["bench"]["outputs"]), ("revisions", "slower", "identical"))
        self.assertEqual([side["commit"] for side in result["bench"]["sides"]], [head, first])
        result = self.bench("--baseline", "main~1", *command, status=0)
        self.assertEqual((result["bench"]["verdict"], [side["commit"] for side in result["bench"]["sides"]]), ("faster", [first, head]))
        self.assertEqual(support.git(project, "status", "--porcelain"), "")
        done = self.baton("bench", "main", "no-such", *command, status=5)
        self.assertIn("no revision 'no-such'", done.out)
        self.check_nothing_left(project)

    @unittest.skipUnless(support.have("git"), "needs git")
    def test_regression(self):
        """A project without a manifest, whose third commit makes its script ten times as slow."""
        project = self.root / "scripts"
        project.mkdir()
        commits = []
        for number, turns in enumerate((1000, 1000, 10000, 10000)):
            (project / "work").write_text(f"#!/bin/sh\n# {number}\ni=0\nwhile [ $i -lt {turns} ]; do i=$((i + 1)); done\n")
            (project / "work").chmod(0o755)
            if commits:
                support.git(project, "commit", "-q", "-a", "-m", f"Change {number}")
            commits.append(support.git(project, "rev-parse", "HEAD") if commits else support.make_repository(project))
        again = ["run", "regression", "--project", project, "--bench", "./work", "--param", "metric=wall", "--param", "theta_pct=50", "--json"]
        support.git(project, "checkout", "-q", commits[0])
        for why in ("is the first revision", "nothing is new"):  # what it remembers is the journal
            result = self.baton(*again, status=0).lines()[-1]
            self.assertIn(why, result["reason"])
        support.git(project, "checkout", "-q", "main")
        result = self.baton(*again, status=1).lines()[-1]
        self.assertEqual((result["state"], result["bench"]["verdict"]), ("rejected", "slower"))
        self.assertTrue(result["headline"].startswith(f"Rejected: {commits[2][:12]} (Change 2) made it slower"), result["headline"])
        self.assertEqual([side["commit"] for side in result["bench"]["sides"]], commits[1:3])
        self.assertEqual(support.git(project, "status", "--porcelain"), "")
        history = json.loads(self.baton("bench", "--history", "--project", project, "--json", status=0).out)
        self.assertEqual([(s["subject"], s["what"], s["metric"]) for s in history], [("bench", "./work", "wall_ns")])
        slower = {p["commit"] for p in history[0]["points"] if p.get("verdict") == "slower"}
        self.assertEqual(slower, {commits[2], commits[3]})
        text = self.baton("bench", "--history", "--project", project, status=0).out
        self.assertIn("█", text)
        self.assertIn(commits[2][:12], text)
        self.baton("bench", "--history", "--project", project, "--svg", self.root / "history.svg", status=0)
        self.assertIn("<polyline", (self.root / "history.svg").read_text("utf-8"))
        self.assertIn("no bench", self.baton("bench", "--history", "--project", self.root / "tmp", status=0).out)
        done = self.baton("bench", "--bisect", commits[3], commits[0], "--bench", "./work", "--project", project, status=5)
        self.assertIn("no ancestor", done.out)
        self.baton("bench", "--bisect", commits[3], status=2)

    @NEEDS
    def test_what_the_project_declares(self):
        project = support.tiny_crate(self.root / "tiny")
        support.make_repository(project)
        result = self.bench("HEAD", "HEAD", "--revisions", "--project", project, "--theta", "25%", status=0)
        self.assertEqual((result["bench"]["verdict"], [c["subject"] for c in result["bench"]["comparisons"]]), ("no_difference", ["spin"]))
        self.assertTrue(any("byte for byte" in text for text in result["limits"]), result["limits"])
        with open(project / "Cargo.toml", "a", encoding="utf-8") as file:
            file.write('\n[profile.small]\ninherits = "release"\nstrip = true\n')
        support.git(project, "commit", "-q", "-a", "-m", "A smaller profile")
        result = self.bench("--profile-b", "small", "--metric", "size", "--project", project, status=0)
        self.assertEqual([side["profile"] for side in result["bench"]["sides"]], ["release", "small"])
        self.assertEqual((result["bench"]["verdict"], [c["subject"] for c in result["bench"]["comparisons"]]), ("faster", ["programs"]))
        os.remove(project / "baton.toml")
        support.git(project, "commit", "-q", "-a", "-m", "Declare nothing")
        result = self.bench("HEAD", "HEAD", "--revisions", "--project", project, status=4)
        self.assertIn("--bench", result["headline"])


if __name__ == "__main__":
    support.main()

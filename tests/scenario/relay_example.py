"""The real relay on the example crate. What is planted there, and what a run must make of it: tests/example/README.md."""
import json
import re
import unittest

import support
from support import fingerprint, git, tool

OURS = ("objects", "worktrees", "refs/heads/baton", "logs/refs/heads/baton")  # what a run may write in the user's repository


@unittest.skipUnless(support.have("cargo", "perf", "git"), "needs cargo, perf and git")
class RelayExample(support.Scenario):
    def test_relay_on_the_example(self):
        project = support.copy_example(self.root / "wordmill")
        head = support.make_repository(project)
        (project / "target").mkdir()
        (project / "target/mine").write_text("the user's own\n")
        before = fingerprint(project, (".git",)), fingerprint(project / ".git", OURS)

        done = self.baton("tune", project, "--focus", "runtime", "--budget", "4", "--json")
        self.assertEqual(done.status, 0, str(done))
        stream = done.lines()  # every line is JSON, the result last
        result = stream[-1]
        self.assertEqual((result["event"], result["state"], result["exit"]), ("result", "accepted", 0))
        self.check_changes(result)
        self.check_stages(stream)

        # the user's tree, index and build folder are untouched, and nothing is left but the branch
        branch = result["git"]["branch"]
        self.assertEqual((fingerprint(project, (".git",)), fingerprint(project / ".git", OURS)), before)
        self.assertEqual(git(project, "status", "--porcelain"), "")
        self.assertEqual(git(project, "rev-parse", "HEAD"), head)
        self.check_nothing_left(project, [branch])
        self.check_branch(project, head, branch, result)
        self.check_report(result)
        self.check_handoffs(result["run"])
        self.check_apply(project, branch)

    def check_changes(self, result):
        hot = result["hot_paths"][0]
        self.assertIn("position_of", hot["function"])
        self.assertEqual(hot["file"], "src/lib.rs")
        self.assertGreater(hot["owned_pct"], 50)
        kept = {c["title"]: c for c in result["changes"]}
        for wanted in ("cmp_owned in Index::position_of", "opt-level = 3"):
            change = next((c for title, c in kept.items() if wanted in title), None)
            self.assertIsNotNone(change, f"'{wanted}' was not kept: {sorted(kept)}")
            for comparison in change["comparisons"]:
                self.assertEqual(comparison["verdict"], "faster")
                self.assertLess(comparison["interval"][1], 0)
                self.assertEqual(comparison["outputs"], "identical")
        self.assertTrue(any("bytes_nth in Index::position_of" in c["title"] and c["reason"] for c in result["dropped"]), result["dropped"])
        for change in result["changes"] + result["dropped"]:
            self.assertNotIn("src/report.rs", change["files"], "the cold place was touched")
        for metric in result["metrics"]:
            self.assertEqual(metric["verdict"], "faster")
            self.assertLess(metric["high_pct"], 0)
            self.assertLess(metric["after_ns"], metric["before_ns"])

    def check_stages(self, stream):
        finished = [(e["body"]["agent"], e["body"]["mode"]) for e in stream if e["event"] == "stage_finished"]
        self.assertEqual(finished, [("rust-code-reviewer", "review"), ("rust-performance-engineer", "profile"),
                                    ("rust-developer", "implement"), ("rust-performance-engineer", "verify"),
                                    ("rust-code-reviewer", "verify")])
        self.assertEqual([e["body"]["verdict"] for e in stream if e["event"] == "stage_finished"][-1], "approved")
        workers = {e["body"]["worker"] for e in stream if e["event"] == "stage_dispatched"}
        self.assertGreaterEqual(len(workers), 3, "each role has a process of its own")
        self.check_paid_once(stages=5)

    def check_branch(self, project, head, branch, result):
        self.assertEqual(git(project, "rev-parse", branch), result["git"]["head"])
        self.assertEqual(git(project, "merge-base", head, branch), head)
        commits = git(project, "log", "--format=%b", f"{head}..{branch}")
        self.assertEqual(len(re.findall(r"Baton-Candidate: ", commits)), len(result["changes"]))
        self.assertEqual(git(project, "diff", "--name-only", head, branch).split(), ["Cargo.toml", "src/lib.rs"])
        clone = self.root / "clone"
        tool("git", "clone", "-q", "-b", branch, project, clone)
        tool("cargo", "test", "--quiet", "--offline", cwd=clone, env={"CARGO_TARGET_DIR": str(self.root / "clone-target")})
        self.assertIn("opt-level = 3", (clone / "Cargo.toml").read_text())
        self.assertIn("# \"keeps compile times short\"", (clone / "Cargo.toml").read_text(), "comments of the manifest stay")
        self.assertNotIn("== word.to_string()", (clone / "src/lib.rs").read_text())

    def check_report(self, result):
        with open(result["report"]["json"], encoding="utf-8") as file:
            report = json.load(file)
        for key in ("run", "state", "headline", "metrics", "changes", "dropped", "hot_paths"):
            self.assertEqual(report[key], result[key], key)
        self.assertEqual((report["tests"]["before"]["passed"], report["tests"]["after"]["failed"]), (4, 0))
        with open(result["report"]["markdown"], encoding="utf-8") as file:
            text = file.read()
        with open(result["report"]["html"], encoding="utf-8") as file:
            page = file.read()
        for wanted in ("position_of", "bytes_nth", "opt-level"):
            self.assertIn(wanted, text)
            self.assertIn(wanted, page)
        self.assertIn("<svg", page)
        self.assertIsNone(re.search(r"<(?:script|link|img)[^>]+(?:src|href)=.https?:", page), "the page needs nothing from outside")

    def check_handoffs(self, run):
        handoffs = self.baton("handoff", "show", run, "--json", status=0).json()
        self.assertEqual(len(handoffs), 5)
        self.assertEqual([h["handoff"]["agent"] for h in handoffs], ["review", "performance", "developer", "performance", "review"])
        for earlier, later in zip(handoffs, handoffs[1:]):
            self.assertIn(earlier["id"], later["handoff"]["parent"])
        files = list((self.state / "runs" / run / "handoff").glob("*.md"))
        self.assertEqual(len(files), 5)
        self.baton("handoff", "lint", *files, status=0)

    def check_apply(self, project, branch):
        (project / "src/text.rs").write_text("// edited\n")
        done = self.baton("apply", "last")
        self.assertEqual(done.status, 2, str(done))
        self.assertIn("uncommitted changes", done.err)
        self.assertEqual((project / "src/text.rs").read_text(), "// edited\n")
        git(project, "checkout", "-q", "--", ".")
        (project / "notes.txt").write_text("an untracked file does not stop it\n")
        self.baton("apply", "last", status=0)
        self.assertEqual(git(project, "rev-parse", "HEAD"), git(project, "rev-parse", branch))
        self.assertEqual(git(project, "rev-parse", "--abbrev-ref", "HEAD"), "main")
        self.assertEqual(git(project, "status", "--porcelain"), "?? notes.txt")


if __name__ == "__main__":
    support.main()

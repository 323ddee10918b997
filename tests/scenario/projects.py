"""Projects as people have them: without git, in a subdirectory, a member of a workspace, with odd paths; and broken ones, which
must end with a sentence that helps."""
import os
import unittest

import support
from support import fingerprint, git, tool

NEEDS = unittest.skipUnless(support.have("cargo", "perf", "git"), "needs cargo, perf and git")
FAST = ("--focus", "runtime", "--budget", "1", "--json")


class Projects(support.Scenario):
    def tune(self, project, *more, status=0):
        done = self.baton("tune", project, *FAST, *more, status=status)
        return done.lines()[-1]

    def check_opt_level(self, result):
        self.assertEqual(result["state"], "accepted")
        self.assertIn("opt-level = 3", " ".join(c["title"] for c in result["changes"]), f"{result['headline']} {result['reason']}")

    @NEEDS
    def test_not_a_repository(self):
        project = support.tiny_crate(self.root / "plain")
        (project / "target").mkdir()
        (project / "target/mine").write_text("the user's own\n")
        before = fingerprint(project)
        result = self.tune(project)
        self.check_opt_level(result)
        self.assertTrue(result["git"]["own_copy"])
        self.assertEqual(fingerprint(project), before)
        self.check_nothing_left()
        self.baton("apply", "last", status=0)
        self.assertIn("opt-level = 3", (project / "Cargo.toml").read_text())
        self.assertFalse((project / ".git").exists())
        again = self.baton("apply", "last", status=0)  # the patch is in: it is not put in twice
        self.assertIn("already", again.out)

    @NEEDS
    def test_member_of_a_workspace_below_a_repository_with_an_odd_path_and_an_untracked_lock_file(self):
        """The release profile of a workspace stands in its root, also when the project is a member."""
        top = self.root / "мой проект & 'more' $x"
        workspace = top / "tools"
        project = support.tiny_crate(workspace / "größe", "gross", profile="")
        support.tiny_crate(workspace / "other", "other", profile="", bench=False)
        for member in (project, workspace / "other"):
            manifest = member / "Cargo.toml"
            manifest.write_text(manifest.read_text().replace("\n[profile.release]\n", ""))
        (workspace / "Cargo.toml").write_text('[workspace]\nmembers = ["größe", "other"]\nresolver = "2"\n\n[profile.release]\n' + support.TINY_PROFILE)
        (top / "README").write_text("top\n")
        (workspace / ".gitignore").write_text("target\nCargo.lock\n")
        tool("cargo", "generate-lockfile", "--offline", cwd=workspace)
        lock = (workspace / "Cargo.lock").read_bytes()
        head = support.make_repository(top)
        before = fingerprint(top, (".git",))
        result = self.tune(project)
        self.check_opt_level(result)
        self.assertEqual(result["git"]["prefix"], "tools/größe")
        self.assertEqual(fingerprint(top, (".git",)), before)
        self.assertEqual((workspace / "Cargo.lock").read_bytes(), lock)
        branch = result["git"]["branch"]
        names = git(top, "-c", "core.quotePath=false", "diff", "--name-only", head, branch).split("\n")
        self.assertEqual(names, ["tools/Cargo.toml"])
        self.check_nothing_left(top, [branch])
        self.baton("apply", "last", status=0)
        self.assertIn("opt-level = 3", (workspace / "Cargo.toml").read_text())

    @NEEDS
    def test_what_makes_a_build_slow(self):
        """A dependency that nothing uses and one for tests alone are proven; what is used stays, and nothing is changed."""
        project = support.tiny_crate(self.root / "app", "app", main="fn main() { println!(\"{}\", used::f()); }\n"
                                     "#[test]\nfn one() { assert_eq!(fortests::f(), 1); }\n", bench=False)
        for name in ("idle", "used", "fortests"):
            support.tiny_crate(self.root / name, name, bench=False)
            (self.root / name / "src/main.rs").rename(self.root / name / "src/lib.rs")
            (self.root / name / "src/lib.rs").write_text("pub fn f() -> u32 { 1 }\n")
        vendored = [f'{name} = {{ path = "deps/{name}" }}' for name in ("idle", "used", "fortests")]
        for name in ("idle", "used", "fortests"):
            (project / "deps").mkdir(exist_ok=True)
            (self.root / name).rename(project / "deps" / name)
        manifest = (project / "Cargo.toml").read_text()
        (project / "Cargo.toml").write_text(manifest + "\n[dependencies]\n" + "\n".join(vendored) + "\n\n[workspace]\n")
        head = support.make_repository(project)
        result = self.baton("build-report", project, "--json", status=0).lines()[-1]
        report = result["build_report"]
        self.assertEqual({row["dependency"]: (row["verdict"], row["proven"]) for row in report["unused"]},
                         {"idle": ("unused", True), "fortests": ("tests only", True)})
        self.assertEqual(report["timings"]["critical_path"][-1]["unit"], 'app 0.1.0 app "bin"')
        self.assertIn("app", [row["crate"] for row in report["bloat"][0]["crates"]])
        self.assertEqual(git(project, "rev-parse", "HEAD"), head)
        self.check_nothing_left(project)
        with open(result["report"]["markdown"], encoding="utf-8") as file:
            self.assertIn("Dependencies that nothing uses", file.read())

    @NEEDS
    def test_bench_command(self):
        project = support.tiny_crate(self.root / "crate", bench=False)
        head = support.make_repository(project)
        for words in ("cargo run --release -- 3", "tiny 3", "./target/release/tiny 3"):
            with self.subTest(bench=words):
                done = self.baton("run", "profile", "--project", project, "--focus", "runtime", "--bench", words, "--json", status=0)
                self.assertEqual(done.lines()[-1]["state"], "accepted")
        self.assertEqual(git(project, "rev-parse", "HEAD"), head)
        self.check_nothing_left(project)

    @NEEDS
    def test_bench_command_that_cannot_be_used(self):
        project = support.tiny_crate(self.root / "crate", bench=False)
        support.make_repository(project)
        self.assertIn("not closed", self.baton("tune", project, "--bench", "tiny 'open", status=2).err)
        for words, status, expected in (("tiny 3 | wc", 5, "shell"), ("", 4, "--bench"),
                                        ("false", 4, "status 1"), ("no-such-program-at-all 1", 4, "no-such-program-at-all")):
            with self.subTest(bench=words):
                done = self.baton("run", "profile", "--project", project, "--focus", "runtime", "--bench", words, "--json")
                self.assertEqual(done.status, status, str(done))
                self.assertIn(expected, done.lines()[-1]["reason"])
        self.check_nothing_left(project)

    @NEEDS
    def test_bench_declared_by_the_project_is_held_to_the_rules(self):
        """What the project says is no order: a declared program that no rule covers is not started."""
        project = support.tiny_crate(self.root / "crate", bench=False)
        (project / "baton.toml").write_text('[[bench]]\nname = "sly"\ncommand = ["touch", "/tmp/never-by-a-project"]\n')
        support.make_repository(project)
        done = self.baton("run", "profile", "--project", project, "--focus", "runtime", "--json")
        self.assertIn(done.status, (4, 5, 6), str(done))
        self.assertIn("touch", done.lines()[-1]["reason"])
        self.assertFalse(os.path.exists("/tmp/never-by-a-project"))

    @NEEDS
    def test_nothing_to_run(self):
        project = support.tiny_crate(self.root / "crate", bench=False)
        support.make_repository(project)
        result = self.tune(project, status=4)
        self.assertEqual((result["state"], result["exit"]), ("nothing_measurable", 4))
        self.assertIn("--bench", result["reason"])
        self.assertIn("baton.toml", result["reason"])
        self.check_nothing_left(project)

    @NEEDS
    def test_does_not_compile(self):
        project = support.tiny_crate(self.root / "crate", main="fn main() { let x: u32 = \"text\"; }\n")
        support.make_repository(project)
        done = self.baton("tune", project, *FAST)
        self.assertEqual(done.status, 5, str(done))
        result = done.lines()[-1]
        self.assertRegex(result["reason"], r"compile|mismatched|E0308")
        self.assertTrue(os.path.exists(result["report"]["html"]))
        self.check_nothing_left(project)

    @NEEDS
    def test_tests_that_fail_already(self):
        """They are no reason to stop, and no change is blamed for them."""
        project = support.tiny_crate(self.root / "crate", main=support.TINY_MAIN +
                                     "\n#[test]\nfn good() {}\n\n#[test]\nfn bad() {\n    panic!(\"as always\");\n}\n")
        support.make_repository(project)
        result = self.tune(project)
        self.check_opt_level(result)
        tests = self.baton("show", "last", "--json", status=0).json()["tests"]
        self.assertEqual((tests["before"]["passed"], tests["before"]["failed"]), (1, 1))
        self.assertEqual((tests["after"]["passed"], tests["after"]["failed"]), (1, 1))

    def test_no_manifest(self):
        project = self.root / "empty"
        project.mkdir()
        (project / "README").write_text("nothing of Rust\n")
        done = self.baton("tune", project, *FAST)
        self.assertNotIn(done.status, (0, 70), str(done))
        self.assertIn("Cargo.toml", done.lines()[-1]["reason"] if done.out else done.err)
        self.check_nothing_left()

    def test_repository_without_a_commit(self):
        project = self.root / "fresh"
        project.mkdir()
        (project / "README").write_text("a\n")
        git(project, "init", "-q")
        done = self.baton("run", self.workflow("touch", support.TOUCH), "--project", project, "--json", status=0)
        self.assertTrue(done.lines()[-1]["git"]["own_copy"])
        self.assertEqual(git(project, "status", "--porcelain"), "?? README")
        self.check_nothing_left()

    def test_empty_folder(self):
        project = self.root / "empty"
        project.mkdir()
        self.baton("run", self.workflow("touch", support.TOUCH), "--project", project, "--json", status=0)
        self.assertEqual(os.listdir(project), [])

    def test_uncommitted_changes_are_named(self):
        project = self.root / "dirty"
        project.mkdir()
        (project / "README").write_text("a\n")
        support.make_repository(project)
        (project / "README").write_text("b\n")
        done = self.baton("run", self.workflow("touch", support.TOUCH), "--project", project, status=0)
        self.assertIn("uncommitted changes", done.err)
        self.assertEqual((project / "README").read_text(), "b\n")

    def test_linked_worktree(self):
        """The project is itself a second checkout of a repository."""
        top = self.root / "top"
        top.mkdir()
        (top / "README").write_text("a\n")
        support.make_repository(top)
        git(top, "worktree", "add", "-q", "-b", "side", self.root / "side")
        self.baton("run", self.workflow("touch", support.TOUCH), "--project", self.root / "side", "--json", status=0)
        self.assertEqual(git(top, "for-each-ref", "--format=%(refname:short)", "refs/heads").split(), ["main", "side"])
        self.assertEqual(len(git(top, "worktree", "list").splitlines()), 2)

    def test_hooks_of_the_project_are_not_run(self):
        project = self.root / "hooked"
        project.mkdir()
        (project / "README").write_text("a\n")
        support.make_repository(project)
        hooks = self.root / "hooks"
        hooks.mkdir()
        for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch '{self.root}/a-hook-ran'\n")
            (hooks / name).chmod(0o755)
        git(project, "config", "core.hooksPath", hooks)
        git(project, "config", "core.fsmonitor", hooks / "pre-commit")
        self.baton("run", self.workflow("touch", support.TOUCH), "--project", project, "--json", status=0)
        self.assertFalse((self.root / "a-hook-ran").exists())

    def test_state_folder_that_cannot_be_written(self):
        if os.geteuid() == 0:  # root writes everywhere: a file in the way is as good
            (self.root / "in-the-way").write_text("")
            state = self.root / "in-the-way/state"
        else:
            (self.root / "locked").mkdir(mode=0o555)
            state = self.root / "locked/state"
        done = self.baton("run", "echo", "--project", self.root, env={"BATON_STATE": str(state)})
        self.assertIn(done.status, (2, 5), str(done))
        self.assertIn("BATON_STATE", done.err)
        self.assertEqual(done.out, "")

    def test_state_folder_with_a_damaged_journal(self):
        self.baton("runs", status=0)
        database = self.state / "baton.db"
        for name in self.state.glob("baton.db*"):
            name.unlink()
        database.write_bytes(b"this is no database" * 1000)
        done = self.baton("run", "echo", "--project", self.root / "tmp", "--json")
        self.assertEqual(done.status, 0, str(done))
        self.assertTrue(list((self.state / "lost+found").glob("*")) or list(self.state.glob("*lost*")), os.listdir(self.state))

    def test_git_is_missing(self):
        folder = self.root / "bin"
        folder.mkdir()
        done = self.baton("run", self.workflow("touch", support.TOUCH), "--project", self.root / "tmp", "--json", env={"PATH": str(folder)})
        self.assertNotIn(done.status, (0, 70), str(done))
        self.assertIn("git", done.lines()[-1]["reason"])


if __name__ == "__main__":
    support.main()

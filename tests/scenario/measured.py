"""Measured runs are in the box: a project whose program turns on the machine only while it is timed does no harm, and an honest one
is measured as ever."""
import os
import socket
import threading
import unittest

import support

NEEDS = unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")
RULES = "".join(f"  - {rule}\n" for rule in ("Read", "Grep", "Glob", "Write", "Bash(cargo *)", "Bash(git *)"))

# Only where it is timed does the stage give it a HOME called "scratch/home" (agents/performance/compare.c).
SLY = r"""
use std::io::Write;
fn timed() -> Option<std::path::PathBuf> {
    let home = std::path::PathBuf::from(std::env::var("HOME").ok()?);
    if home.ends_with("scratch/home") { Some(home) } else { None }
}
fn attack(report: &std::path::Path) {
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(report).expect("a report");
    let mut note = |what: &str, done: bool| writeln!(log, "{}{}", if done { "" } else { "not " }, what).unwrap();
    if let Ok(text) = std::fs::read_to_string("@KEY@") { note(&format!("read {}", text), true) } else { note("read", false) }
    note("connected", std::net::TcpStream::connect(("127.0.0.1", @PORT@)).is_ok());
    note("wrote", std::fs::write("@OUTSIDE@", "x").is_ok() && std::path::Path::new("@KEY@").exists());
    note("rewrote", std::fs::write("@SOURCE@", "fn main() {}").is_ok() && std::path::Path::new("@KEY@").exists());
    note("started sleep", std::process::Command::new("/bin/sleep").arg("@MARK@").spawn().is_ok());
    if let Ok(me) = std::env::current_exe() {
        let daemon = std::process::Command::new(me).arg("daemon").arg("@MARK@").spawn();
        note("daemon", daemon.is_ok());
    }
}
fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).map(|w| w == "daemon").unwrap_or(false) {
        loop { std::thread::sleep(std::time::Duration::from_secs(1000)); }
    }
    if let Some(home) = timed() {
        attack(&home.join("report"));
        if words.get(1).map(|w| w == "tell").unwrap_or(false) { std::process::exit(23) }
    }
    let mut x: u64 = 1;
    for i in 0..20_000_000u64 { x = x.wrapping_mul(6364136223846793005).wrapping_add(i) }
    println!("{}", x);
}
"""


def runs_with(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if word.encode() in f.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


class Measured(support.Scenario):
    def setUp(self):
        super().setUp()
        (self.root / "agents").mkdir()
        for name in ("rust-code-reviewer", "rust-performance-engineer"):
            (self.root / "agents" / f"{name}.md").write_text(f"---\nname: {name}\ndescription: For tests.\nallowed-tools:\n{RULES}---\n\nText.\n")

    def listen(self):
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        self.addCleanup(server.close)
        self.met = []

        def take():
            try:
                while True:
                    self.met.append(server.accept())
            except OSError:
                pass  # closed

        threading.Thread(target=take, daemon=True).start()
        return server.getsockname()[1]

    def profile(self, project):
        done = self.baton("run", "profile", "--project", project, "--focus", "runtime", "--agents", self.root / "agents", "--json", status=0)
        run = done.lines()[-1]["run"]
        handoffs = [h["handoff"] for h in self.baton("handoff", "show", run, "--json", status=0).json()]
        commands = self.baton("show", run, "--json", status=0).json()["commands"]
        return handoffs[-1], [c for c in commands if c.get("by") == "baton-measure"]

    @NEEDS
    def test_a_sly_program(self):
        key, outside = self.root / "key", self.root / "outside"
        key.write_text("secret")
        mark, port = str(3000000 + os.getpid()), self.listen()
        source = self.root / "crate/src/main.rs"
        main = SLY
        for name, value in (("KEY", key), ("OUTSIDE", outside), ("PORT", port), ("MARK", mark), ("SOURCE", source)):
            main = main.replace(f"@{name}@", str(value))
        project = support.tiny_crate(self.root / "crate", main=main)
        with open(project / "baton.toml", "a", encoding="utf-8") as declared:
            declared.write('[[bench]]\nname = "tell"\ncommand = ["{bin:tiny}", "tell"]\n')
        support.make_repository(project)
        handoff, timed = self.profile(project)
        rows = {row["subject"]: row for row in handoff["output"]["baseline"]}
        self.assertTrue(rows["spin"]["samples"], rows)
        self.assertIn("exit 23", rows["tell"]["error"])  # it did attack when it was timed
        self.assertFalse(outside.exists())
        self.assertEqual(source.read_text(), main)
        self.assertEqual(self.met, [], "somebody connected")
        self.assertEqual(runs_with(mark), [], "somebody stays")
        self.assertTrue(timed, "no session in a box")
        for command in timed:
            self.assertEqual((command["decision"], command["rule"]), ("allow", "Bash(cargo *)"))
            self.assertTrue({"landlock", "calls"} <= set(command["box"]["layers"]), command)


if __name__ == "__main__":
    support.main()

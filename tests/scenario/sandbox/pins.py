#!/usr/bin/env python3
"""Which programs a name means, with the real ones: what a project plants in PATH, beside cargo or in CARGO_HOME is not
started, what is installed is. pins.py BOX_RUN BATON [--uid N]

Every attack works without a box first. Exit status 77: no cargo or no box here."""
import json, os, shutil, subprocess, sys, tempfile

import host
import ordinary

BOX_RUN, BATON = map(os.path.abspath, sys.argv[1:3])
PLANTED = "#!/bin/sh\necho PLANTED\n"
BUILD = """use std::os::unix::fs::PermissionsExt;
fn main() {
    let dir = std::env::var("CARGO_HOME").unwrap() + "/bin";
    let _ = std::fs::create_dir_all(&dir);
    let path = dir + "/cargo-planted";
    if std::fs::write(&path, "#!/bin/sh\\necho PLANTED\\n").is_ok() {
        let _ = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755));
    }
}
"""


class Place:
    def __init__(self):
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="baton-pins-"))
        self.ws = self.top + "/ws"
        self.write("ws/Cargo.toml", '[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2021"\n')
        self.write("ws/src/main.rs", "fn main() {}\n")
        self.env = dict(os.environ, CARGO_HOME=self.top + "/cargo-home", XDG_CONFIG_HOME=self.top + "/config",
                        RUSTUP_HOME=os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")))

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def run(self, boxed, *words):
        command = [BOX_RUN, "--rules", "Bash(*)", "--workspace", self.ws, "--home", self.top + "/home", "--"] if boxed else []
        r = subprocess.run(command + list(words), cwd=self.ws, env=self.env, capture_output=True, text=True, timeout=300)
        return r.returncode, r.stdout, r.stderr

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


# --- what must not be started: True when it was ---

def program_before_git(p, boxed):
    for folder in ("ws/bin", "ws/target/debug"):
        p.write(folder + "/git", PLANTED, 0o755)
    p.env["PATH"] = "%s/bin:%s/target/debug:%s" % (p.ws, p.ws, os.environ["PATH"])
    return "PLANTED" in p.run(boxed, "git", "--version")[1]


def linker_before_cc(p, boxed):
    p.write("ws/bin/cc", "#!/bin/sh\necho x > %s/marker\nexit 1\n" % p.ws, 0o755)
    p.env["PATH"] = p.ws + "/bin:" + os.environ["PATH"]
    p.run(boxed, "cargo", "build", "-q")
    return os.path.exists(p.ws + "/marker")


def relative_folder(p, boxed):
    p.write("ws/git", PLANTED, 0o755)
    p.env["PATH"] = ".:" + os.environ["PATH"]
    return "PLANTED" in p.run(boxed, "git", "--version")[1]


def folder_of_everybody(p, boxed):
    p.write("open/git", PLANTED, 0o755)
    os.chmod(p.top + "/open", 0o777)
    p.env["PATH"] = p.top + "/open:" + os.environ["PATH"]
    return "PLANTED" in p.run(boxed, "git", "--version")[1]


def subcommand_in_cargo_home(p, boxed):
    p.write("ws/build.rs", BUILD)
    p.run(boxed, "cargo", "build", "-q")
    return "PLANTED" in p.run(boxed, "cargo", "planted")[1]


# --- what must be ---

def installed_subcommand(p):
    p.write("cargo-home/bin/cargo-hello", "#!/bin/sh\necho hello $1\n", 0o755)
    p.env["PATH"] = p.top + "/cargo-home/bin:" + os.environ["PATH"]
    code, out, err = p.run(True, "cargo", "hello")
    expect(code == 0 and out == "hello hello\n", (code, out, err))


def toolchain_and_its_programs(p):
    for words in (("cargo", "build", "-q"), ("cargo", "clippy", "-q"), ("cargo", "fmt", "--check"), ("rustc", "-vV"), ("git", "--version")):
        bare, boxed = p.run(False, *words), p.run(True, *words)
        expect(bare[0] == boxed[0] and bare[1] == boxed[1], (words, bare, boxed))


def doctor(p):
    def ask(*words):
        return subprocess.run([BATON, "doctor"] + list(words), cwd=p.ws, env=p.env, capture_output=True, text=True, timeout=300)
    p.write("config/baton/sandbox.profiles", "git network = host\nmine match mine\nmine include base\n")
    tools = json.loads(ask("--json").stdout)["tools"]
    profiles = {x["profile"]: x for x in tools["profiles"]}
    expect(profiles["git"]["network"] == "host" and profiles["git"]["changed"], profiles["git"])
    expect(profiles["mine"]["match"] == ["mine"] and profiles["mine"]["network"] == "lo" and not profiles["cargo"]["changed"], profiles)
    expect({"path": p.top + "/config/baton/sandbox.profiles", "present": True} in tools["site_files"], tools["site_files"])
    git = [x for x in tools["programs"] if x["name"] == "git"][0]
    expect(os.path.samefile(git["path"], shutil.which("git")) and len(git["hash"]) == 64, git)
    expect("(changed here)" in ask().stdout and git["path"] in ask().stdout, ask().stdout)
    p.write("ws/rust-toolchain.toml", '[toolchain]\nchannel = "0.0.1"\n')
    cargo = [x for x in json.loads(ask("--json").stdout)["tools"]["programs"] if x["name"] == "cargo"][0]
    rustup = os.path.basename(os.path.realpath(shutil.which("cargo"))).startswith("rustup")
    expect(not rustup or "not installed" in cargo["problem"], cargo)
    p.write("config/baton/sandbox.profiles", "git network = all\n")
    r = ask()
    expect(r.returncode == 1 and "sandbox.profiles:1: network is 'all'" in r.stderr, r.stderr)
    r = ask("--json")
    expect(r.returncode == 1 and "sandbox.profiles:1: network is 'all'" in json.loads(r.stdout)["site_problem"], r.stdout)


ATTACKS = (program_before_git, linker_before_cc, relative_folder, folder_of_everybody, subcommand_in_cargo_home)
WORK = (installed_subcommand, toolchain_and_its_programs, doctor)


def main():
    if not ordinary.enter() or not shutil.which("cargo") or not host.runs_tools(BOX_RUN):
        return host.SKIPPED
    failed = 0
    for one in ATTACKS + WORK:
        why = None
        for boxed in (False, True) if one in ATTACKS else (True,):
            p = Place()
            try:
                if one in WORK:
                    one(p)
                elif one(p, boxed) == boxed:
                    why = "OPEN" if boxed else "does not even work without a box"
            except (AssertionError, subprocess.SubprocessError) as e:
                why = str(e)
            finally:
                p.close()
        failed += why is not None
        print(json.dumps({"test": one.__name__, "ok": why is None, "why": why}), flush=True)
    return 1 if failed else 0


sys.exit(main())

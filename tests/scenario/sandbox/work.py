#!/usr/bin/env python3
"""Ordinary work: every command line ends with the same status bare and in its box. work.py BOX_RUN

Each side has a copy of the same small project; root is in the box as itself and as an ordinary user. Exit status 77: there is no cargo
or no box here."""
import concurrent.futures, json, os, shutil, subprocess, sys, tempfile

import host
import ordinary

BOX_RUN = os.path.abspath(sys.argv[1])

FILES = {
    "Cargo.toml": '[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n[workspace]\nmembers = ["mac"]\n'
                  '[dependencies]\nmac = { path = "mac" }\n[features]\nextra = []\n[profile.dev]\ndebug = 0\nincremental = false\n[profile.release]\ndebug = 1\n',
    "build.rs": 'fn main() { println!("cargo:rustc-env=STAMP=1"); std::fs::write(std::env::var("OUT_DIR").unwrap() + "/x", "1").unwrap(); }\n',
    "mac/Cargo.toml": '[package]\nname = "mac"\nversion = "0.1.0"\nedition = "2021"\n[lib]\nproc-macro = true\n',
    "mac/src/lib.rs": "use proc_macro::TokenStream;\n#[proc_macro]\npub fn three(_: TokenStream) -> TokenStream {\n    \"3\".parse().unwrap()\n}\n",
    "src/main.rs": 'fn main() {\n    let n: u64 = (0..1_000_000u64).map(|x| x ^ demo::three()).sum();\n    println!("{n} {}", env!("STAMP"));\n}\n',
    "src/lib.rs": "/// ```\n/// assert_eq!(demo::three(), 3);\n/// ```\npub fn three() -> u64 {\n    mac::three!()\n}\n",
    "examples/ex.rs": "fn main() {}\n",
    # A crate with C code. What it needs of the crate cc stands in its lock file, and is here in little.
    "native/Cargo.toml": '[package]\nname = "native"\nversion = "0.1.0"\nedition = "2021"\nbuild = "build.rs"\n[workspace]\n'
                         '[build-dependencies]\ncc = { path = "cc" }\n[[bench]]\nname = "b"\nharness = false\n',
    "native/cc/Cargo.toml": '[package]\nname = "cc"\nversion = "1.0.0"\nedition = "2021"\n',
    "native/cc/src/lib.rs": """use std::process::Command;
pub fn compile(file: &str, lib: &str) {
    let out = std::env::var("OUT_DIR").unwrap();
    let object = format!("{out}/{lib}.o");
    assert!(Command::new("cc").args(["-O2", "-c", file, "-o", &object]).status().unwrap().success());
    assert!(Command::new("ar").args(["crs", &format!("{out}/lib{lib}.a"), &object]).status().unwrap().success());
    println!("cargo:rustc-link-search=native={out}\\ncargo:rustc-link-lib=static={lib}");
}
""",
    "native/build.rs": 'fn main() { cc::compile("src/four.c", "four"); }\n',
    "native/src/four.c": "#include <string.h>\nint four(void) { return (int)strlen(\"four\"); }\n",
    "native/src/lib.rs": 'extern "C" {\n    fn four() -> i32;\n}\npub fn n() -> i32 {\n    unsafe { four() }\n}\n'
                         "#[test]\nfn t() {\n    assert_eq!(n(), 4);\n}\n",
    "native/benches/b.rs": 'fn main() {\n    let begun = std::time::Instant::now();\n    for _ in 0..1000 {\n'
                           '        std::hint::black_box(native::n());\n    }\n    println!("{:?}", begun.elapsed());\n}\n',
    "tests/net.rs": """use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
#[test]
fn tcp() {
    let l = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut c = TcpStream::connect(l.local_addr().unwrap()).unwrap();
    let (mut s, _) = l.accept().unwrap();
    c.write_all(b"x").unwrap();
    s.read_exact(&mut [0]).unwrap();
}
#[test]
fn udp() {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    a.send_to(b"x", b.local_addr().unwrap()).unwrap();
    b.recv(&mut [0]).unwrap();
}
#[test]
fn unix() {
    let p = std::env::temp_dir().join(format!("s{}", std::process::id()));
    let l = UnixListener::bind(&p).unwrap();
    let _c = UnixStream::connect(&p).unwrap();
    l.accept().unwrap();
    UnixDatagram::pair().unwrap();
    std::fs::remove_file(p).unwrap();
}
#[test]
fn threads_and_files() {
    std::thread::spawn(|| std::fs::write("/tmp/baton-work-test", "x").unwrap()).join().unwrap();
    std::fs::create_dir_all("target/made").unwrap();
}
""",
}

CARGO = """build|build --release|build --workspace|build --all-targets|build --features extra|build --message-format=json|build --timings|check
check --workspace|check --tests|test|test --lib|test --doc|test --test net|test -- --nocapture|test tcp|test --no-run|test --release --lib|run
run --release|run --example ex|bench --no-run|clippy|clippy --workspace|fmt|fmt --check|doc --no-deps --lib|metadata --format-version 1
metadata --no-deps --format-version 1|tree|tree -e features|tree --duplicates|pkgid|locate-project|--version|-vV|rustc --lib -- --emit=asm
rustdoc --lib|clean -p demo|clean --release|generate-lockfile --offline|verify-project|read-manifest|no-such-command|build --no-such-flag
build -p no-such|test no_such_test|build --offline|check --locked --offline|fix --allow-dirty|new made|init made2|package --list --allow-dirty|version
help build|search|build --profile none|update --dry-run --offline|test --help|clean""".replace("\n", "|").split("|")

GIT = """status|status --short|log|log --oneline -3|diff|diff --stat|add -A|commit -qm first|commit -qm nothing|show|show --stat HEAD|branch|branch side
branch -D side|checkout -q -b other|checkout -q -|switch -c third|switch other|tag v1|tag|tag -d v1|rev-parse HEAD|rev-parse --show-toplevel|ls-files
ls-tree HEAD|cat-file -p HEAD|blame src/lib.rs|grep three|describe --always|shortlog HEAD|reflog|stash list|stash|config user.name x|config --list
remote|remote add o /nowhere|merge-base HEAD HEAD|merge third|rebase third|reset -q --hard HEAD|reset HEAD|clean -n|clean -fdq -e target|fsck|gc -q|count-objects -v
archive -o a.tar HEAD|bundle create b HEAD|hash-object src/lib.rs|apply --check none|rm -q --cached build.rs|mv src/lib.rs src/l2.rs|restore --staged .|restore .
cherry-pick HEAD|revert --no-edit HEAD|worktree list|no-such-command|rev-list --count HEAD|name-rev HEAD|var GIT_AUTHOR_IDENT|check-ignore target|show-ref|for-each-ref
diff-tree HEAD|whatchanged -1|notes list|range-diff HEAD HEAD HEAD|verify-commit HEAD|update-index --refresh|write-tree|symbolic-ref HEAD|format-patch -1 --stdout
log -p -1|log --graph|log -S three|diff HEAD~1|ls-files -o|-C src status|--version|-c core.pager=cat log""".replace("\n", "|").split("|")

PERF = """perf record -o target/p.data -e cpu-clock ./target/release/demo|perf record -o target/p.data -g ./target/release/demo
perf record -o target/p.data --call-graph dwarf ./target/release/demo|perf script -i target/p.data|perf report -i target/p.data --stdio
perf report -i target/p.data --stdio --no-children|perf stat -e task-clock ./target/release/demo|perf list sw|perf --version|perf script -i none
perf record -o target/q.data -- ./target/release/demo arg|perf buildid-list -i target/p.data
valgrind --version|valgrind ./target/release/demo|valgrind --tool=callgrind --callgrind-out-file=target/cg ./target/release/demo""".replace("\n", "|").split("|")

# Command texts, as models write them; on the other side a shell reads them.
TEXTS = ["""git commit --allow-empty -m "$(cat <<'EOF'
A title

It's a "body" with $dollars and `ticks`.
EOF
)\"""", "git commit --allow-empty -F - <<'EOF'\nfrom the input\nEOF", "git log -1 --format=%B", "cd native && cargo build", "cd native && cargo test -q",
         "cd native && cargo bench", "cargo run -q -- one 'two words' --three", "cargo test -q && cargo doc --no-deps --lib",
         "cargo build -q 2>&1 | tail -n 3", "cargo metadata --format-version 1 > target/metadata.json", "timeout 300 cargo check -q"]


def project(top):
    for name, text in FILES.items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    with open(top + "/.gitignore", "w") as f:
        f.write("target\n")
    for words in (["init", "-q", "-b", "main"], ["config", "user.email", "a@b"], ["config", "user.name", "a"]):
        subprocess.run(["git"] + words, cwd=top, check=True)


class Sides:
    """Bare, in the box, and for root in the box as an ordinary user, too: each with a project of its own."""

    def __init__(self, top):
        self.top, self.names = top, ["bare", "box"]
        if os.geteuid() == 0 and host.has_whole_box(BOX_RUN) and ordinary.show_toolchain():
            self.names.append("user")
        home = os.environ.get("HOME", "/")
        self.environment = dict(os.environ, CARGO_HOME=os.environ.get("CARGO_HOME", home + "/.cargo"), RUSTUP_HOME=os.environ.get("RUSTUP_HOME", home + "/.rustup"))
        for name in self.names:
            project(self.place(name))
            os.makedirs(self.place(name) + "-home")
        if "user" in self.names:
            os.chmod(top, 0o755)
            subprocess.run(["chown", "-R", "%d:%d" % (ordinary.USER, ordinary.USER), self.place("user"), self.place("user") + "-home"], check=True)

    def place(self, name):
        return os.path.join(self.top, name)

    def run(self, name, line):
        home, env, who = self.place(name) + "-home", self.environment, {}
        if name == "bare":
            command = ["sh", "-c", line] if line in TEXTS else line.split()
            env = dict(env, HOME=home, CARGO_NET_OFFLINE="true", TERM="dumb", LANG="C.UTF-8")
        else:
            command = [BOX_RUN, "--rules", "Bash(*), Read, Write, Edit", "--workspace", self.place(name), "--home", home, "--"]
            command += ["--command", line] if line in TEXTS else line.split()
        if name == "user":
            env, who = ordinary.environment(home), {"user": ordinary.USER, "group": ordinary.USER, "extra_groups": []}
        return subprocess.run(command, cwd=self.place(name), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", check=False, **who)


def main():
    if not shutil.which("cargo") or not host.runs_tools(BOX_RUN):
        return host.SKIPPED
    top = os.path.realpath(tempfile.mkdtemp(prefix="baton-work-"))
    sides = Sides(top)
    lines = ["cargo " + c for c in CARGO[:-1]] + ["git " + c for c in GIT]
    lines += ["cargo build --release"] + [p for p in PERF if shutil.which(p.split()[0])] + ["cargo clean"]
    different, pool = 0, concurrent.futures.ThreadPoolExecutor(len(sides.names))
    for line in TEXTS + lines:  # the other lines leave little of the project
        bare, *boxed = pool.map(lambda name: sides.run(name, line), sides.names)
        for name, box in zip(sides.names[1:], boxed):
            said = line == "git log -1 --format=%B" and bare.stdout != box.stdout  # what the here-document was
            if bare.returncode != box.returncode or said or (line in TEXTS and bare.returncode != 0):
                different += 1
                print(json.dumps({"line": line, "side": name, "bare": bare.returncode, "box": box.returncode, "said": box.stderr[-300:],
                                  "bare_said": bare.stderr[-200:]}), flush=True)
    print(json.dumps({"lines": len(lines) + len(TEXTS), "sides": sides.names, "different": different}))
    shutil.rmtree(top, ignore_errors=True)
    return 1 if different else 0


sys.exit(main())

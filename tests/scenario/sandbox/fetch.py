#!/usr/bin/env python3
"""The worker's own step that brings dependencies: it brings them once, and a project can make it neither start a program,
nor show credentials, nor ask a server that the site does not list. fetch.py BOX_RUN [--uid N]

Every attack works with a bare cargo first. The registry is a small server of this test. Exit status 77: no cargo
or no box here."""
import functools, gzip, hashlib, http.server, io, json, os, shutil, subprocess, sys, tarfile, tempfile, threading

import host
import ordinary

BOX_RUN = os.path.abspath(sys.argv[1])
SECRET = "token-of-the-user"
EVIL = "#!/bin/sh\necho $0 >> %s\nexit 1\n"
# A build script that writes into every file that was brought, which other projects of the user build from.
POISON = """use std::{env, fs, io::Write, path::Path};
fn poison(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            poison(&entry.path());
        } else if let Ok(mut file) = fs::OpenOptions::new().append(true).open(entry.path()) {
            let _ = file.write_all(b"// poisoned\\n");
        }
    }
    let _ = fs::write(dir.join("poisoned"), "poisoned");
}
fn main() {
    for name in ["registry", "git"] {
        poison(&Path::new(&env::var("CARGO_HOME").unwrap()).join(name));
    }
}
"""


@functools.lru_cache(maxsize=None)  # the archive has a time in it
def crate(name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in (("Cargo.toml", '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' % name),
                           ("src/lib.rs", "pub fn one() -> u32 { 1 }\n")):
            info = tarfile.TarInfo("%s-0.1.0/%s" % (name, path))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue())


class Registry(http.server.BaseHTTPRequestHandler):
    """/index and /dl: an ordinary registry. /auth: one that wants credentials. Everything that is asked is kept."""
    asked, tokens = [], []

    def do_GET(self):
        Registry.asked.append(self.path)
        if self.headers.get("Authorization"):
            Registry.tokens.append(self.headers["Authorization"])
        parts = self.path.strip("/").split("/")
        body = None
        if parts[-1] == "config.json":
            body = json.dumps({"dl": "http://127.0.0.1:%d/dl" % self.server.server_port, "auth-required": parts[0] == "auth"}).encode()
        elif parts[0] == "dl":
            body = crate(parts[1])
        elif parts[0] in ("index", "auth", "other"):
            name = parts[-1]
            body = json.dumps({"name": name, "vers": "0.1.0", "deps": [], "features": {}, "yanked": False,
                               "cksum": hashlib.sha256(crate(name)).hexdigest()}).encode()
        if parts[0] == "auth" and not self.headers.get("Authorization"):
            return self.send_error(401)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Place:
    def __init__(self, port):
        self.port = port
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="baton-fetch-"))
        self.ws, self.marker, self.verb = self.top + "/ws", self.top + "/marker", "fetch"
        self.write("cargo-home/config.toml", '[source.crates-io]\nreplace-with = "local"\n[source.local]\nregistry = "sparse+%s"\n'
                                             '[registry]\nglobal-credential-providers = ["cargo:token"]\n' % self.url("index"))
        self.write("cargo-home/credentials.toml", '[registries.corp]\ntoken = "%s"\n' % SECRET)
        self.project('dep = "0.1"\n')
        Registry.asked.clear()
        Registry.tokens.clear()

    def url(self, name):
        return "http://127.0.0.1:%d/%s/" % (self.port, name)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def project(self, dependencies):
        self.write("ws/Cargo.toml", '[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n' + dependencies)
        self.write("ws/src/main.rs", 'fn main() { println!("{}", dep::one()); }\n')

    def env(self):
        return dict(os.environ, CARGO_HOME=self.top + "/cargo-home", RUSTUP_HOME=os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup")), XDG_CONFIG_HOME=self.top + "/config",
                    CARGO_NET_RETRY="0")

    def bare(self):
        return subprocess.run(["cargo", self.verb], cwd=self.ws, env=self.env(), capture_output=True, text=True, timeout=120)

    def boxed(self, *argv, cwd=None):
        self.receipts_file = self.top + "/receipts.json"
        command = [BOX_RUN, "--rules", "Bash(cargo *)", "--workspace", self.ws, "--home", self.top + "/home", "--receipts", self.receipts_file,
                   "--cwd", cwd or self.ws, "--", "cargo"] + list(argv or ("build", "-q"))
        return subprocess.run(command, env=self.env(), capture_output=True, text=True, timeout=300)

    def fetches(self):
        with open(self.receipts_file) as f:
            return [r for r in json.load(f) if r["argv"][:2] == ["cargo", "fetch"]]

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


# --- what must work ---

def brings_what_is_missing_once(p):
    r = p.boxed("run", "-q")
    expect(r.returncode == 0 and r.stdout == "1\n", r.stderr)
    expect([f["box"]["profile"] for f in p.fetches()] == ["fetch"], p.fetches())
    expect("network" not in p.fetches()[0]["box"]["layers"], "the fetch has no network")
    expect(os.path.exists(p.ws + "/Cargo.lock"), "no lock file")
    Registry.asked.clear()
    r = p.boxed("run", "-q")
    expect(r.returncode == 0 and not Registry.asked, "asked again: %s" % Registry.asked)
    expect(p.fetches()[0]["argv"][2:4] == ["--locked", "--offline"] and len(p.fetches()) == 1, p.fetches())


def writes_only_what_it_brings(p):
    p.boxed()
    made = sorted(os.listdir(p.top + "/cargo-home"))
    expect(made == [".package-cache", ".package-cache-mutate", "config.toml", "credentials.toml", "git", "registry"], made)


def members_of_a_workspace(p):
    p.write("ws/Cargo.toml", '[workspace]\nmembers = ["a"]\nresolver = "2"\n')
    p.write("ws/a/Cargo.toml", '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\ndep = "0.1"\n')
    p.write("ws/a/src/main.rs", 'fn main() { println!("{}", dep::one()); }\n')
    r = p.boxed("run", "-q", cwd=p.ws + "/a")
    expect(r.returncode == 0 and r.stdout == "1\n", "%s %s" % (r.stderr, p.fetches()))
    expect(os.path.exists(p.ws + "/Cargo.lock"), "the lock file belongs beside the workspace's manifest")


def git_dependencies(p):
    repo, git = p.top + "/served/dep.git", dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL="x",
                                                GIT_COMMITTER_NAME="x", GIT_COMMITTER_EMAIL="x")
    p.write("served/dep.git/Cargo.toml", '[package]\nname = "dep"\nversion = "0.1.0"\nedition = "2021"\n')
    p.write("served/dep.git/src/lib.rs", "pub fn one() -> u32 { 2 }\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git"] + words, cwd=repo, env=git, check=True)
    daemon = subprocess.Popen(["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", "--port=%d" % (p.port + 1), "--export-all", "--informative-errors",
                               "--verbose", "--base-path=" + p.top + "/served", p.top + "/served"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              start_new_session=True)
    try:
        expect("Ready" in daemon.stderr.readline(), "git daemon did not start")
        p.project('dep = { git = "git://127.0.0.1:%d/dep.git" }\n' % (p.port + 1))
        r = p.boxed("run", "-q")
        expect(r.returncode == 0 and r.stdout == "2\n", r.stderr)
    finally:
        os.killpg(daemon.pid, 15)
        daemon.wait()
        daemon.stderr.close()


def says_what_is_missing(p):
    p.write("cargo-home/config.toml", '[source.crates-io]\nreplace-with = "local"\n[source.local]\nregistry = "sparse+http://127.0.0.1:1/"\n')
    r = p.boxed()
    expect(r.returncode != 0, "built without its dependency")
    expect("127.0.0.1:1/" in p.fetches()[-1]["message"] and "dep" in r.stderr, (p.fetches(), r.stderr))


def a_site_can_forbid_it(p):
    p.write("config/baton/sandbox.profiles", "fetch network = none\n")
    r = p.boxed()
    expect(r.returncode != 0 and not Registry.asked, Registry.asked)


# --- what must not ---

def config(p, text):
    p.write("ws/.cargo/config.toml", text)
    p.write("ws/evil.sh", EVIL % p.marker, 0o755)


def started(p):
    return os.path.exists(p.marker)


def sent_token(_):
    return any(SECRET in t for t in Registry.tokens)


def build_rustc(p):
    config(p, '[build]\nrustc = "./evil.sh"\n')
    return started


def build_rustc_wrapper(p):
    config(p, '[build]\nrustc-wrapper = "./evil.sh"\n')
    return started


def toolchain_by_path(p):
    p.write("ws/rust-toolchain.toml", '[toolchain]\npath = "%s/tc"\n' % p.ws)
    os.makedirs(p.ws + "/tc/lib")
    for name in ("cargo", "rustc"):
        p.write("ws/tc/bin/" + name, EVIL % p.marker, 0o755)
    return started


def credential_provider(p):
    config(p, '[registries.corp]\nindex = "sparse+%s"\ncredential-provider = ["./evil.sh"]\n' % p.url("auth"))
    p.project('dep = { version = "0.1", registry = "corp" }\n')
    return started


def global_credential_providers(p):
    config(p, '[registries.corp]\nindex = "sparse+%s"\n[registry]\nglobal-credential-providers = ["%s/evil.sh"]\n' % (p.url("auth"), p.ws))
    p.project('dep = { version = "0.1", registry = "corp" }\n')
    return started


def credentials_to_another_server(p):
    config(p, '[registries.corp]\nindex = "sparse+%s"\n' % p.url("auth"))
    p.project('dep = { version = "0.1", registry = "corp" }\n')
    return sent_token


def source_of_the_project(p):
    config(p, '[source.crates-io]\nreplace-with = "mine"\n[source.mine]\nregistry = "sparse+%s"\n' % p.url("other"))
    return lambda _: any(a.startswith("/other/") for a in Registry.asked)


def change_what_was_brought(p):
    p.write("ws/build.rs", POISON)
    p.verb = "build"
    return lambda _: subprocess.run(["grep", "-rqF", "poisoned", p.top + "/cargo-home"], check=False).returncode == 0


def host_that_is_not_listed(p):
    p.write("config/baton/sandbox.profiles", "fetch hosts = git.example\n")
    p.project('dep = { git = "%ssecret-name" }\n' % p.url("git"))
    return lambda _: any("secret-name" in a for a in Registry.asked)


def index_that_is_not_listed(p):
    p.write("config/baton/sandbox.profiles", "fetch hosts = git.example\n")
    p.project('dep = "0.1"\n')
    p.write("ws/sub/Cargo.toml", '[package]\nname = "sub"\nversion = "0.1.0"\n[dependencies]\nx = { git = "%ssecret-name" }\n' % p.url("git"))
    p.write("ws/sub/src/lib.rs", "")
    p.write("ws/Cargo.toml", '[package]\nname = "demo"\nversion = "0.1.0"\n[dependencies]\nsub = { path = "sub" }\n')
    return lambda _: any("secret-name" in a for a in Registry.asked)


WORK = (brings_what_is_missing_once, writes_only_what_it_brings, members_of_a_workspace, git_dependencies, says_what_is_missing,
        a_site_can_forbid_it)
ATTACKS = (build_rustc, build_rustc_wrapper, toolchain_by_path, credential_provider, global_credential_providers, credentials_to_another_server,
           source_of_the_project, change_what_was_brought, host_that_is_not_listed, index_that_is_not_listed)


def attack(make, port):
    p = Place(port)
    try:
        harm = make(p)
        p.bare()
        if not harm(p):
            return "does not even work without a box"
        if os.path.exists(p.marker):
            os.unlink(p.marker)
        Registry.asked.clear()
        Registry.tokens.clear()
        shutil.rmtree(p.ws + "/target", ignore_errors=True)
        if os.path.exists(p.ws + "/Cargo.lock"):
            os.unlink(p.ws + "/Cargo.lock")
        for name in ("registry", "git"):
            shutil.rmtree(p.top + "/cargo-home/" + name, ignore_errors=True)
        r = p.boxed()
        return "OPEN: %s %s" % (r.stderr, Registry.asked) if harm(p) else None
    finally:
        p.close()


def work(check, port):
    p = Place(port)
    try:
        check(p)
        return None
    except (AssertionError, subprocess.SubprocessError) as e:
        return str(e)
    finally:
        p.close()


def main():
    if not ordinary.enter() or not shutil.which("cargo") or not host.runs_tools(BOX_RUN):
        return host.SKIPPED
    rustup = os.path.basename(os.path.realpath(shutil.which("cargo"))).startswith("rustup")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = 0
    wanted = sys.argv[2:]
    for kind, list_ in ((work, WORK), (attack, ATTACKS)):
        for one in list_:
            if (wanted and one.__name__ not in wanted) or (one is toolchain_by_path and not rustup):
                continue
            why = kind(one, server.server_port)
            failed += why is not None
            print(json.dumps({kind.__name__: one.__name__, "ok": why is None, "why": why}), flush=True)
    server.shutdown()
    return 1 if failed else 0


sys.exit(main())

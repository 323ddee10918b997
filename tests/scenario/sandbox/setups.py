"""What the `setup` of a case means, made for real below /ws: shell lines are run; sentences say which file does what.

A sentence that is not understood is reported and its case counted as not executed: it is never taken for done."""
import os
import re
import subprocess

SECRET = "S3CRET-of-the-host"
ATTACK = "/ws/target/attack"
SHELL = re.compile(r"^(?:mkdir|ln|cp|echo|printf|touch|truncate|mkfifo|chmod|mv|git|rm)\s")
FIRST = r"^(?P<who>build\.rs|main\.rs|a test|tests?|proc-macro|a proc-macro|an example)\s+(?P<does>.+)$"

# What a sentence about code does -> an attempt of attacks.c and its arguments. The first that fits counts.
ACTS = (
    (r"abstract socket", "abstract", ["{abstract}"]),
    (r"(?:datagram )?socketpair", "datagram_pair", ["/outside/gram"]),
    (r"path(?:name)? (?:unix )?socket|unix socket", "path_socket", ["/outside/socket"]),
    (r"vsock", "vsock", []),
    (r"netlink", "netlink", []),
    (r"io_uring", "io_uring", []),
    (r"user namespace|unshare|userns", "user_namespace", []),
    (r"memfd", "memfd_exec", ["{foreign}"]),
    (r"ld\.so|ld-linux", "loader", ["{foreign}"]),
    (r"\bUDP|DNS", "udp", ["{udp}"]),
    (r"\bTCP|connects? to|HTTP", "tcp", ["{tcp}"]),
    (r"double-fork|daemon|sleeper|background", "daemon", ["stays-behind", ATTACK]),
    (r"writes? \d+ ?[GT]B|fills the disk", "large_file", ["/ws/target/large"]),
    (r"every variable|own environ", "print_environment", []),
    (r"/proc/\S*environ", "print_environments", []),
    (r"/proc/\S*mem|process_vm", "memory_of_other", ["{victim}", "{address}"]),
    (r"ptrace|PTRACE", "ptrace", ["{victim}"]),
    (r"kills?|signals?", "kill_named", []),
    (r"chmods?", "chmod", ["/outside/victim"]),
    (r"chowns?", "chown", ["/outside/victim"]),
    (r"utime|mtime|touch(?:es)?\b", "utime", ["/outside/victim"]),
    (r"truncates?", "truncate", ["/outside/victim"]),
    (r"renames?|moves?", "rename", ["/outside/victim", "/ws/stolen"]),
    (r"set-?uid", "set_uid_create", ["/ws/suid"]),
    (r"hard.?links?", "hard_link", ["/outside/secret", "/ws/linked"]),
    (r"removes?|deletes?", "unlink", ["/outside/victim"]),
    (r"writes? (?:to )?(?P<path>\.[\w-]+/[\w./-]+)", "make_folder_file", ["/ws/{path}"]),
    (r"writes? (?:to )?(?P<path>~?/[\w./-]+)", "write_outside", ["{path}"]),
    (r"writes?.* outside", "write_outside", ["/outside/made"]),
    (r"reads? stdin|TIOCSTI", "standard_input", []),
    (r"reads? (?P<path>~?/[\w./-]+)", "print_file", ["{path}"]),
    (r"reads?.*(?:key|outside|secret|\.ssh)", "print_file", ["/home/me/.ssh/id_ed25519"]),
    (r"runs? (?:curl|wget)", "exec_foreign", ["{foreign}"]),
    (r"runs? (?:sh|a shell|/bin/sh)", "exec_shell", []),
)


# Attempts whose end says nothing: what counts is what is seen afterwards.
SEEN_AFTERWARDS = {"daemon", "print_environment", "print_environments", "kill_named", "standard_input", "print_file"}


class NotUnderstood(Exception):
    pass


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def act(does, names):
    """The Rust expression that does what a sentence says: an attempt, whose success leaves a mark."""
    code = re.search(r'prints? (?P<bytes>(?:\\x[0-9a-fA-F]{2}|\\u\S+|\x1b)\S*)', does)
    if code:
        return 'print!("{}", "%s")' % code["bytes"].replace('"', "")
    for pattern, attempt, arguments in ACTS:
        found = re.search(pattern, does, re.IGNORECASE)
        if not found:
            continue
        path = (found.groupdict().get("path") or "").replace("~", "/home/me").rstrip(".,;")
        words = [a.format(path=path, **names) for a in arguments]
        mark = "let _ = worked;" if attempt in SEEN_AFTERWARDS else 'if worked { let _ = std::fs::write("/ws/it-worked", "x"); }'
        return ('let worked = std::process::Command::new("%s").args(%s).status().map(|s| s.success()).unwrap_or(false); %s'
                % (ATTACK, rust_list([attempt] + words), mark))
    raise NotUnderstood("no attempt does this: " + does)


def rust_list(words):
    return "[%s]" % ", ".join('"%s"' % w.replace('"', '\\"') for w in words)


def code_in(who, does, names):
    if who.endswith("proc-macro"):
        macro(act(does, names))
    elif who == "build.rs" and "OUT_DIR" in does:
        put("/ws/build.rs", 'fn main() { std::fs::write(std::env::var("OUT_DIR").unwrap() + "/gen.rs", "pub fn made() {}").unwrap(); }\n')
        with open("/ws/src/main.rs", "a") as f:
            f.write('include!(concat!(env!("OUT_DIR"), "/gen.rs"));\n')
    elif who == "build.rs":
        put("/ws/build.rs", "fn main() { %s }\n" % act(does, names))
    elif who == "main.rs":
        put("/ws/src/main.rs", "fn main() { %s }\n" % act(does, names))
    elif who == "an example":
        put("/ws/examples/ex.rs", "fn main() { %s }\n" % act(does, names))
    else:
        put("/ws/tests/t.rs", "#[test]\nfn t() { %s }\n" % act(does, names))


def macro(does):
    put("/ws/mac/Cargo.toml", '[package]\nname = "mac"\nversion = "0.1.0"\nedition = "2021"\n[lib]\nproc-macro = true\n')
    put("/ws/mac/src/lib.rs", "#[proc_macro]\npub fn go(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    %s\n    "
        "proc_macro::TokenStream::new()\n}\n" % does)
    with open("/ws/Cargo.toml", "a") as f:
        f.write('[dependencies]\nmac = { path = "mac" }\n')
    put("/ws/src/main.rs", "mac::go!();\nfn main() {}\n")


def configure(key, value):
    """A key of git's configuration, and the attributes that make it count."""
    subprocess.run(["git", "config", "-f", "/ws/.git/config", key, value], check=True)
    driver = re.match(r"(filter|diff|merge)\.(\w+)\.", key)
    if driver:
        put("/ws/.gitattributes", "* %s=%s\n" % driver.groups())


def make(setup, names):
    """Raises NotUnderstood. Returns a command line that has to run first, the same way as the case, or None."""
    setup = setup.strip()
    if not setup:
        return None
    if SHELL.match(setup):
        subprocess.run(["sh", "-ec", setup], cwd="/ws", check=True, stdout=subprocess.DEVNULL)
        return None
    code = re.match(r"^main\.rs: (.+)$", setup)
    if code:
        put("/ws/src/main.rs", 'fn main() { print!("{}", %s) }\n' % code[1])
        return None
    sentence = re.match(FIRST, setup)
    if sentence:
        code_in(sentence["who"], sentence["does"], names)
        return None
    config = re.match(r"^repo config has (\S+?)=(.+)$", setup)
    if config:
        configure(config[1], config[2])
        return None
    toml = re.match(r"^(\.?[\w./-]+\.toml): (.+)$", setup)
    if toml:
        put("/ws/" + toml[1], re.sub(r"^(\[\S+\])\s+", r"\1\n", toml[2]) + "\n")
        return None
    link = re.match(r"^(\S+) is a symlink to (?:a (?:directory|folder|file) outside|(\S+))$", setup)
    if link:
        subprocess.run(["rm", "-rf", "/ws/" + link[1]], check=True)
        os.makedirs("/outside/linked", exist_ok=True)
        os.symlink(link[2] or "/outside/linked", "/ws/" + link[1])
        return None
    planted = re.match(r"^(\$CARGO_HOME|~)/(\S+) planted by an earlier build\.rs$", setup)
    if planted:
        place = ("/home/me/.cargo/" if planted[1] != "~" else "/home/me/") + planted[2]
        put("/ws/build.rs", 'fn main() { let _ = std::fs::create_dir_all("%s"); let _ = std::fs::copy("/ws/evil", "%s"); }\n'
            % (os.path.dirname(place), place))
        return "cargo check"
    raise NotUnderstood("this setup is not understood: " + setup)

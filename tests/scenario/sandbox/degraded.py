#!/usr/bin/env python3
"""Hosts that lack a layer: what `baton-exec --probe` (`baton doctor`) says of them, what is refused, what still runs, and that exactly
those attacks are open that it names. degraded.py BOX_RUN ATTACKS WITHOUT [--uid N]

A host that lacks something is made for real by a filter of system calls above everything (without.c), and by a user namespace that
permits no others. Exit status 77: this host lacks it itself."""
import ctypes
import json
import os
import shutil
import subprocess
import sys

import attack
import host
import ordinary

WITHOUT = os.path.abspath(sys.argv[3])
EXEC = os.path.join(os.path.dirname(attack.BOX_RUN), "../bin/baton-exec")
# An open attack -> the words of the probe that tell of it.
TOLD = {
    "see that a file exists": "see which files exist", "chmod outside": "modes", "chown outside": "owners", "touch outside": "times",
    "write .git/hooks": "steer tools", "write .git/config": "steer tools", "write .git/info/attributes": "steer tools",
    "rename .git away": "steer tools", "write .codex/config.toml that does not exist": "steer tools",
    "change .cargo/config.toml through memory": "steer tools", "write through /proc/self/fd": "steer tools",
    "move .cargo away and make another": "steer tools", "write .claude/settings.json": "steer tools",
    "make any file that steers tools": "steer tools", "change any file that steers tools": "steer tools",
    "start a program planted in src through the loader": "loader", "see a process outside": "see your other processes", "signal a process outside": "signal", "truncate outside": "emptied",
}
PLANTED, KERNEL = {"start a program planted in src"}, {"kernel settings", "settings of core files"}  # the first: by the mounts, too
TOLD.update({t: "kernel settings" for t in KERNEL})
NO_VIEW = {t for t, told in TOLD.items() if told not in ("signal", "emptied", "kernel settings")}
CORE = NO_VIEW | {"write outside", "read a key", "TCP to the host's loopback", "UDP to the host's loopback", "abstract unix socket",
                  "unix socket with a path", "datagram pair to a path socket", "ptrace a process outside", "signal a process outside",
                  "start a foreign program", "start it through the loader", "start it from memory", "environment of a process outside",
                  "truncate outside", "new user namespace", "io_uring", "set-uid bit", "daemon that stays", "device files"}
FULL, PLAIN = {"processes", "files", "network", "landlock", "calls"}, {"landlock", "calls"}
NAMESPACES, VIEW, LANDLOCK, CALLS = "namespaces", "file view", "Landlock", "system calls"


class Mode:
    """host: words for without.c. missing: layers the probe finds missing. layers: those a call gets; None: it is refused, and the reason
    has `why` in it. open: attacks that work. site: the deployment's line about it."""

    def __init__(self, name, host, missing=(), layers=None, why="", open=(), attacks=CORE, site="", who="both"):
        self.name, self.host, self.missing, self.layers, self.why = name, host, set(missing), layers, why
        self.open, self.attacks, self.site, self.who = set(open), attacks, site, who


def modes(root):
    none = dict(missing=[NAMESPACES, VIEW])
    return [
        Mode("everything", [], layers=FULL, attacks=()),
        Mode("no clone3", ["clone3"], layers=FULL, attacks=()),
        Mode("no user namespaces, root", ["user"], layers=FULL, who="root", attacks=()),
        Mode("no fresh /proc", ["proc"], layers=FULL),
        Mode("Landlock 1", ["abi=1"], layers=FULL),
        Mode("Landlock 4", ["abi=4"], layers=FULL, attacks=()),
        Mode("no namespaces", ["namespaces"], layers=PLAIN, open=NO_VIEW, attacks=None, **none),
        Mode("no namespaces left", ["namespaces=ENOSPC"], layers=PLAIN, attacks=(), **none),
        Mode("no user namespaces", ["user"], layers=PLAIN, open=NO_VIEW, who="ordinary", **none),
        Mode("a user namespace that permits no others", None, layers=PLAIN, open=NO_VIEW, who="ordinary", **none),
        Mode("no namespaces, Landlock 1", ["namespaces", "abi=1"], layers=PLAIN,
             open=NO_VIEW | {"signal a process outside", "truncate outside"}, **none),
        Mode("no mounts", ["mount"], missing=[VIEW], layers=PLAIN, attacks=()),
        Mode("no Landlock", ["landlock"], missing=[LANDLOCK], why="Landlock"),
        Mode("Landlock switched off", ["landlock=EOPNOTSUPP"], missing=[LANDLOCK], why="Landlock"),
        Mode("no filter", ["seccomp"], missing=[CALLS], why="the filter of system calls"),
        Mode("neither namespaces nor Landlock", ["namespaces", "landlock"], missing=[NAMESPACES, VIEW, LANDLOCK], why="Landlock"),
        Mode("no namespaces where the site requires all", ["namespaces"], why="namespaces", site="base require = full", **none),
        Mode("no Landlock where the site does not require it", ["landlock"], missing=[LANDLOCK], layers=FULL - {"landlock"},
             site="base require = none", open=KERNEL if root else (), attacks=CORE | PLANTED | KERNEL),
    ]


def permit_no_namespaces():
    """In a child before exec: its own user namespace, in which there cannot be another one."""
    uid, gid, libc = os.getuid(), os.getgid(), ctypes.CDLL(None)
    libc.prctl(4, 1)  # PR_SET_DUMPABLE: its /proc files are its own again
    if libc.unshare(0x10000000) < 0:
        os._exit(126)
    for path, text in (("/proc/self/setgroups", "deny"), ("/proc/self/uid_map", "%d %d 1" % (uid, uid)),
                       ("/proc/self/gid_map", "%d %d 1" % (gid, gid)), ("/proc/sys/user/max_user_namespaces", "0")):
        with open(path, "w") as f:
            f.write(text)


def start(mode, words, env=None, cwd=None):
    before = [WITHOUT] + mode.host + ["--", words[0]] if mode.host else []
    return subprocess.run(before + words, env={**os.environ, **(env or {})}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", preexec_fn=permit_no_namespaces if mode.host is None else None)


def probe(mode):
    """{layer: row} of what is missing, all texts together, and whether tools run at all."""
    said = json.loads(start(mode, [EXEC, "--probe", "--json"]).stdout)
    rows = {r["layer"]: r for r in said["layers"]}
    texts = " ".join(r["detail"] + " " + (r["open"] if not r["present"] else "") for r in said["layers"])
    return {n for n, r in rows.items() if not r["present"]} - {"control group", "memory limit", "perf"}, texts, said["usable"]


def call(mode, place, words, env=None):
    receipts = place.top + "/receipts"
    r = start(mode, [attack.BOX_RUN, "--rules", "Bash(*)", "--workspace", place.ws, "--home", place.home, "--receipts", receipts, "--"] + words,
              env, place.ws)
    boxes = []
    if os.path.exists(receipts):
        with open(receipts) as f:
            boxes = [x["box"]["layers"] for x in json.load(f) if "box" in x]
    return r.returncode, r.stderr, set(boxes[-1]) if boxes else set()


def site(place, line):
    if not line:
        return {}
    place.write("config/baton/sandbox.profiles", line + "\n")
    return {"XDG_CONFIG_HOME": place.top + "/config"}


def check_call(mode, place):
    """What is wrong, or None."""
    env = site(place, mode.site)
    status, said, layers = call(mode, place, ["touch", "made"], env)
    made = os.path.exists(place.ws + "/made")
    if mode.layers is None:
        if status != 125 or made or mode.why not in said or "baton doctor" not in said:
            return "was not refused as it should: status %d, %s" % (status, said)
        place.write("ws/.config/baton/sandbox.profiles", "base require = none\n")  # no switch for who works in the project
        again = subprocess.run([WITHOUT] + mode.host + ["--", attack.BOX_RUN, attack.BOX_RUN, "--rules", "Bash(*)", "--workspace", place.ws,
                                "--home", place.home, "--env", "XDG_CONFIG_HOME=%s/.config" % place.ws, "--", "touch", "made"],
                               cwd=place.ws, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return None if again.returncode == 125 and not os.path.exists(place.ws + "/made") else "the call itself switched its box off"
    if status != 0 or not made:
        return "a legitimate call failed: status %d, %s" % (status, said)
    got = layers - {"user", "group"}
    return None if got == mode.layers else "has the layers %s" % sorted(got)


def check_attacks(mode, texts):
    sample = attack.Place()
    titles = [a[0] for a in attack.attacks(sample)]
    sample.close()
    attack.HOST[:] = [WITHOUT] + mode.host + ["--", attack.BOX_RUN] if mode.host else []
    wrong, not_held = [], attack.not_held_here()
    for i, title in enumerate(titles):
        if title in not_held or mode.attacks is not None and title not in mode.attacks:
            continue
        _, _, works, refused, said = attack.one(i, "box")
        if works != (title in mode.open) or refused:
            wrong.append("%s is %s: %s" % (title, "refused" if refused else "open" if works else "blocked", said))
        if works and TOLD.get(title, "?") not in texts:
            wrong.append("%s is open, and the probe does not say so" % title)
    attack.HOST[:] = []
    return wrong


def check_cargo(mode, place):
    """`cargo test` of tests without network, where calls run at all."""
    if not shutil.which("cargo"):
        return None
    place.write("ws/src/lib.rs", "#[test]\nfn adds() {\n    std::fs::write(std::env::temp_dir().join(\"x\"), \"x\").unwrap();\n}\n")
    status, said, _ = call(mode, place, ["cargo", "test", "-q", "--offline"])
    return None if status == 0 else "cargo test failed: %s" % said[-400:]


def check(mode):
    missing, texts, usable = probe(mode)
    wrong = []
    if missing != mode.missing or usable != (LANDLOCK not in missing and CALLS not in missing):
        wrong.append("the probe finds missing: %s, usable: %s" % (sorted(missing), usable))
    place = attack.Place()
    try:
        wrong += [w for w in [check_call(mode, place)] if w]
        if mode.layers == PLAIN and mode.host and "abi=1" not in mode.host:  # which moves no file between folders
            wrong += [w for w in [check_cargo(mode, place)] if w]
    finally:
        place.close()
    if mode.layers is not None and mode.attacks != () and mode.host:
        config = attack.Place()
        os.environ.update(site(config, mode.site))
        wrong += check_attacks(mode, texts)
        os.environ.pop("XDG_CONFIG_HOME", None)
        config.close()
    return wrong


def main():
    if not ordinary.enter() or not host.has_whole_box(attack.BOX_RUN):
        return host.SKIPPED
    uid, failed = os.geteuid(), 0
    for mode in modes(uid == 0):
        if mode.who not in ("both", "root" if uid == 0 else "ordinary"):
            continue
        wrong = check(mode)
        failed += bool(wrong)
        print(json.dumps({"host": mode.name, "uid": uid, "calls": "refused" if mode.layers is None else sorted(mode.layers),
                          "open": sorted(mode.open), "ok": not wrong, "wrong": wrong}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

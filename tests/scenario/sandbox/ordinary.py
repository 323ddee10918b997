"""An ordinary user who has a toolchain. Where tests run as root it often lies in root's home, where nobody else gets: here it is shown
read-only at another place, in a view of files of this process and its children alone."""
import atexit
import ctypes
import encodings.idna  # noqa: F401  (Python lies in root's home, too, and loads this one when a server is named)
import os
import shutil
import subprocess
import sys
import tempfile

import machine

PLACE = "/mnt"  # a folder that is there everywhere, so that nothing has to be made and removed
USER = 1005


def show_toolchain():
    """From here on, for us and all that we start. False: there is none."""
    if not shutil.which("cargo"):
        return False
    root = subprocess.run(["rustc", "--print", "sysroot"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    machine.check(machine.LIBC.unshare(machine.NEWNS), "a view of files of our own")
    machine.mount(None, "/", None, machine.REC | machine.PRIVATE)
    machine.show(os.path.realpath(root), "", PLACE)
    return True


def environment(home):
    """For who uses it: `home` is theirs."""
    out = {k: v for k, v in os.environ.items() if not k.startswith(("RUSTUP_", "CARGO_", "XDG_"))}
    return dict(out, PATH=PLACE + "/bin:/usr/local/bin:/usr/bin:/bin", HOME=home, CARGO_HOME=home + "/.cargo", RUSTUP_HOME=home + "/.rustup")


def become(uid):
    """Us and all that we start; with a toolchain, where there is one."""
    home = tempfile.mkdtemp(prefix="baton-home-")
    os.chown(home, uid, uid)
    os.environ.update(environment(home) if show_toolchain() else {"HOME": home})
    for name in [n for n in os.environ if n.startswith("XDG_")]:
        del os.environ[name]
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: we are somebody's ordinary process, which what we start bare can look into


def enter():
    """Becomes who `--uid N` among our words names, and takes that out. False: somebody else, and we are not root."""
    if "--uid" not in sys.argv:
        return True
    at = sys.argv.index("--uid")
    uid = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    if uid != os.geteuid() and os.geteuid() == 0:
        become(uid)
    return uid == os.geteuid()

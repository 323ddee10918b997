#!/usr/bin/env python3
"""A memory bomb ends with its call: a site's `memory` binds what a call may have, and ordinary work below it goes on.

memory.py BOX_RUN ATTACKS
Exit status 77: no control group of memory can be made here, as `baton doctor` says, too."""
import os
import shutil
import subprocess
import sys
import tempfile

import host

BOX_RUN, ATTACKS = map(os.path.abspath, sys.argv[1:3])
LIMIT_MIB, SMALL, LARGE = 128, 32 << 20, 512 << 20


def main():
    if not host.runs_tools(BOX_RUN) or not host.layers(BOX_RUN)["memory limit"]:
        return host.SKIPPED
    top = os.path.realpath(tempfile.mkdtemp(prefix="baton-memory-"))
    ws, config = top + "/ws", top + "/config"
    program = ws + "/target/debug/attack"
    for folder in (os.path.dirname(program), top + "/home", config + "/baton"):
        os.makedirs(folder)
    shutil.copy(ATTACKS, program)
    env = dict(os.environ, XDG_CONFIG_HOME=config)

    def take(size, boxed, limit=None):
        with open(config + "/baton/sandbox.profiles", "w") as f:
            f.write("base memory = %s\n" % limit if limit else "")
        words = ["./target/debug/attack", "memory_bomb", str(size)]
        box = [BOX_RUN, "--rules", "Bash(./target/debug/attack *)", "--workspace", ws, "--home", top + "/home", "--wall", "60", "--"]
        return subprocess.run(box + words if boxed else words, cwd=ws, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)

    try:
        free = take(LARGE, True)
        assert take(LARGE, False).returncode == 0, "the attempt does not even work bare"
        assert free.returncode == 0, free  # without a site's limit there is room for that
        held = take(LARGE, True, LIMIT_MIB)
        assert held.returncode == 128 + 9, held
        small = take(SMALL, True, LIMIT_MIB)
        assert small.returncode == 0, small
        bad = take(SMALL, True, "much")
        assert bad.returncode == 125 and "sandbox.profiles:1: memory is 'much'" in bad.stderr, bad
        return 0
    finally:
        shutil.rmtree(top, ignore_errors=True)


sys.exit(main())

#!/usr/bin/env python3
"""tools.py format|tidy BUILD: runs clang-format or clang-tidy over our C files; changes nothing."""
import concurrent.futures
import json
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import checks  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(name):
    for candidate in (name + "-14", name):  # 14 is Debian 12's; others wrap lines differently
        if shutil.which(candidate):
            return candidate
    sys.exit(f"tools.py: neither '{name}-14' nor '{name}' is installed")


def commands(what, build):
    if what == "format":
        names = [str(ROOT / n) for n in checks.Tree(ROOT).named(".c", ".h")]
        return [[program("clang-format"), "--dry-run", "-Werror", name] for name in names]
    known = json.loads((build / "compile_commands.json").read_text())
    names = sorted({e["file"] for e in known if e["file"].startswith(str(ROOT)) and "/build/" not in e["file"]})
    return [[program("clang-tidy"), "-p", str(build), "--quiet", name] for name in names]


def main(what, build):
    todo = commands(what, pathlib.Path(build).resolve())
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda c: subprocess.run(c, capture_output=True, text=True, check=False), todo)
        for command, run in zip(todo, runs):
            text = (run.stdout if what == "tidy" else run.stderr).strip()
            if run.returncode or text:
                bad += 1
                print(text if what == "tidy" else f"{command[-1]}: not as clang-format writes it")
    print(f"{what}: {bad} of {len(todo)} files have remarks")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("format", "tidy"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

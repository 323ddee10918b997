#!/usr/bin/env python3
"""agents.py BATON DEFINITIONS: the agent files that ship load without errors and without warnings."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile


def remarks(baton, folder):
    """Diagnostics of level error or warning, and the exit status of `baton agent lint`."""
    run = subprocess.run([baton, "agent", "lint", "--json", str(folder)], capture_output=True, text=True, check=False)
    found = [f"{f['file']}:{d['line']}: {d['level']}: {d['text']}" for f in json.loads(run.stdout) for d in f["diagnostics"]
             if d["level"] in ("error", "warning")]
    return found, run.returncode


def main(baton, definitions):
    found, status = remarks(baton, definitions)
    count = len(list(pathlib.Path(definitions).glob("*.md")))
    if count == 0:
        found.append(f"{definitions}: no agent files there")
    if status:
        found.append(f"baton agent lint: exit status {status}")
    # Near misses: a tool that no host knows, a frontmatter that does not begin.
    for change in (lambda t: t.replace("\n  - Read\n", "\n  - Raed\n", 1), lambda t: t.replace("---", "--", 1)):
        with tempfile.TemporaryDirectory(prefix="baton-lint-") as folder:
            shutil.copytree(definitions, folder, dirs_exist_ok=True)
            victim = sorted(pathlib.Path(folder).glob("*.md"))[0]
            before = victim.read_text()
            victim.write_text(change(before))
            if change(before) == before or not any(remarks(baton, folder)):
                found.append(f"self-test: {victim.name} was damaged, and nothing was said")
    print("\n".join(found) if found else f"{count} agent files load without remarks")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

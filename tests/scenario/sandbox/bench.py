#!/usr/bin/env python3
"""bench.py COMMAND: tests/bench/sandbox prints a line for each way to start `true`, with a target for the box."""
import json, subprocess, sys

lines = [json.loads(text) for text in subprocess.run([sys.executable, sys.argv[1], "--quick", "--only", "true"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()]
by_name = {line["figure"]: line for line in lines}
assert sorted(by_name) == ["true_bare", "true_box", "true_bubblewrap"], lines
box, bare = by_name["true_box"], by_name["true_bare"]
assert box["runs"] == 10 and box["met"] == (box["over_bare"] <= 5) and "target" in box, box
assert bare["value"] > 0 and "over_bare" not in bare, bare
unknown = subprocess.run([sys.executable, sys.argv[1], "--only", "nothing"], capture_output=True, text=True, check=False)
assert unknown.returncode == 2 and "true and cargo" in unknown.stderr, unknown

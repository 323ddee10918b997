#!/usr/bin/env python3
"""What a box costs: `true` bare, in the box and in bubblewrap, in turns; one JSON line each with minimum and median in ms.

sandbox.py BOX_EXEC_BENCH [RUNS]: the program starts N calls in one process and prints a duration in ns per line."""
import json, shutil, statistics, subprocess, sys, time

BWRAP = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--die-with-parent", "true"]


def timed(command):
    begun = time.perf_counter_ns()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter_ns() - begun


def main():
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    box = [int(n) for n in subprocess.run([sys.argv[1], str(runs)], check=True, stdout=subprocess.PIPE, text=True).stdout.split()]
    rows = {"bare": [timed(["true"]) for _ in range(runs)], "box": box}
    if shutil.which("bwrap"):
        rows["bubblewrap"] = [timed(BWRAP) for _ in range(runs)]
    for name, ns in rows.items():
        print(json.dumps({"bench": "start of true", "how": name, "runs": runs, "min_ms": round(min(ns) / 1e6, 2), "median_ms": round(statistics.median(ns) / 1e6, 2)}))


main()

#!/usr/bin/env python3
"""The habits of the project that a machine can check.

  lint.py CHECK [--root DIR]     one check; prints file:line: what is wrong, exit status 1 when there is something
  lint.py --list                 the checks

Each check first proves on a small made-up tree that it can fail (the near misses at the end of its file): a lint that
has gone blind is an error too. Files that other people wrote (fixtures, fuzz corpora) are left out where that is said.
"""
import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
import checks  # noqa: E402
import selftest  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description="The habits of the project that a machine can check.")
    parser.add_argument("check", nargs="?", choices=sorted(checks.ALL))
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list or not options.check:
        print("\n".join(sorted(checks.ALL)))
        return 0
    blind = selftest.blind_spots(options.check)
    for line in blind:
        print(f"self-test of '{options.check}': {line}")
    problems = list(checks.ALL[options.check](checks.Tree(options.root)))
    for problem in problems:
        print(problem)
    return 1 if blind or problems else 0


if __name__ == "__main__":
    sys.exit(main())

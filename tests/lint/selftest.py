"""Near misses: for each check a tree that is just right and the smallest steps over the line. A check must pass the first and
find each of the others exactly once."""
import pathlib
import tempfile

import checks

LINKED = ("proto/base/CMakeLists.txt", "baton_library(base FOLDER base\n")
BUILD = {
    LINKED[0]: LINKED[1],
    "agents/performance/measure/CMakeLists.txt": "baton_library(measure FOLDER measure\n",
    "orchestrator/engine/CMakeLists.txt": "baton_library(engine FOLDER engine\n",
    "orchestrator/door/CMakeLists.txt": "baton_library(door FOLDER door\n",
    "proto/base/str.h": "#pragma once\n",
}
# The words the checks look for are written in pieces here too.
TO_DO, OWN, HOST = "TO" + "DO", "/" + "work/shared", "crates" + ".io"

# check: (files that are right, [file and text that is one step over the line])
NEAR = {
    "includes": (
        {**BUILD,
         "proto/base/str.c": '#include "base/str.h"\n#include "str.h"\n#include <string.h>\n',
         "agents/performance/measure/ab.c": '#include "base/str.h"\n',
         "orchestrator/door/http.c": '#include "engine/engine.h"\n#include <curl/curl.h>\n',
         "orchestrator/loop/zmq.c": "#include <zmq.h>\n",
         "orchestrator/loop/internal.h": "#include <uv.h>\n",
         "tests/unit/test_store.c": "#include <sqlite3.h>\n// #include <uv.h>\n"},
        [("proto/base/buf.c", '#include "measure/ab.h"\n'),
         ("proto/base/buf.c", '#include "engine/engine.h"\n'),
         ("agents/performance/measure/x.c", '#include "engine/engine.h"\n'),
         ("orchestrator/engine/x.c", '#include "measure/ab.h"\n'),
         ("orchestrator/engine/x.c", '#include "door/http.h"\n'),
         ("orchestrator/engine/x.c", '#include "buf.h"\n'),
         ("orchestrator/loop/watch.c", "#include <zmq.h>\n"),
         ("orchestrator/engine/x.c", "# include <uv.h>\n"),
         ("orchestrator/engine/x.h", "#include <lua.h>\n"),
         ("orchestrator/engine/x.c", "#include <sqlite3.h>\n"),
         ("agents/performance/measure/x.c", "#include <elfutils/libdw.h>\n"),
         ("agents/performance/measure/x.c", "#include <sodium.h>\n"),
         ("proto/base/buf.c", "#include <yaml.h>\n")]),
    "sizes": (
        {"proto/base/str.c": "//\n" * checks.LINES_MAX, "tests/fixtures/long.c": "//\n" * (checks.LINES_MAX + 1)},
        [("proto/base/buf.c", "//\n" * (checks.LINES_MAX + 1)), ("lua/prelude.lua", "--\n" * (checks.LINES_MAX + 1))]),
    "places": (
        {"README.md": "docs.rs, ./work/x, framework/x, " + HOST + "-index and mycrates" + ".iox\n",
         "tests/fixtures/a.md": HOST + "\n"},
        [("proto/a.md", "see " + OWN + "\n"), ("tests/fixtures/b.md", OWN), ("agents/a.c", "// https://static." + HOST + "/x\n"),
         ("bootstrap.sh", "curl " + HOST + "\n")]),
    "markers": (
        {"agents/a.c": f'static const char *const MARKS[] = {{"{TO_DO}"}};\n', "tests/fixtures/b.md": TO_DO,
         "agents/definitions/x.md": TO_DO, "lua/a.lua": f"-- MY{TO_DO}LIST\n"},
        [("agents/b.c", f"// {TO_DO}: this\n"), ("cmake/x.cmake", f"# {TO_DO}\n"), ("lua/b.lua", f"-- {TO_DO} x\n"),
         (".ci/run", f"# {TO_DO}\n")]),
    "links": (
        {"README.md": "# Two words, here\n[a](doc/a.md) [b](#two-words-here) <img src=\"a.svg\"> [x](https://no.such/x)\n"
                      "```\n[c](no.md)\n```\n`[d](no.md)`\n", "doc/a.md": "[up](../README.md#two-words-here)\n", "a.svg": ""},
        [("doc/b.md", "[x](README.md)\n"), ("b.md", "[x](README.md#two-words)\n"), ("b.md", "![x](b.svg)\n"),
         ("b.md", "<img alt='' src=\"b.svg\">\n"), ("b.md", "[x](doc/c.md \"title\")\n"), ("b.md", "```\n```\n[c](no.md)\n")]),
    "tables": (
        {"proto/tbl/events.def": '// X(A, "a")\nX(A, "a", 1)\nX(B, "b", 1)\nY(A, "a")\n',
         "proto/tbl/tools.def": 'X("a", P)\nX("a", Q)\n', "agents/checks.def": 'X(A, "a")\nX(B, "a")\n'},
        [("proto/tbl/errors.def", 'X(A, "a")\nX(A, "b")\n'), ("proto/tbl/errors.def", 'X(A, "a", 1)\nX(B, "a", 1)\n'),
         ("proto/tbl/messages.def", 'X(A, 1, "a")\nX(B, 1, "b")\n'), ("proto/tbl/words.def", 'X("a,b", P)\nX("a,b",\n  P)\n'),
         ("agents/own.def", 'X(A, "a")\nX(A, "b")\n')]),
    "scripts": (
        {"run": "#!/usr/bin/env bash\nset -euo pipefail\nif true; then echo; fi\n", "x.py": "#!/usr/bin/env python3\nprint()\n",
         "part.sh": "echo sourced\n"},
        [("a.sh", "#!/bin/bash\nset -euo pipefail\nif true; then echo\n"), ("b.sh", "#!/bin/bash\nset -eu\necho\n"),
         ("c.py", "#!/usr/bin/env python3\nprint(\n")]),
    "text": (
        {"a.c": "int a;\n", "tests/fixtures/a.c": "int a; ", "b.md": ""},
        [("b.c", "int a;"), ("c.c", "int a; \n"), ("d.c", "int a;\r\n"), ("e.lua", "\tlocal a\n")]),
}


def write(root, name, text):
    path = pathlib.Path(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(0o755)


def blind_spots(check):
    """What the check gets wrong on its near misses; empty: it sees."""
    right, steps = NEAR[check]
    problems = []
    for step in [None, *steps]:
        with tempfile.TemporaryDirectory(prefix="baton-lint-") as root:
            for name, text in right.items():
                write(root, name, text)
            if step:
                write(root, *step)
            found = list(checks.ALL[check](checks.Tree(root)))
        if not step and found:
            problems.append(f"finds fault with what is right: {found}")
        if step and (len(found) != 1 or not found[0].startswith(step[0] + ":")):
            problems.append(f"{step[0]} with {step[1][-60:]!r}: found {found}")
    return problems

"""Every command that the documents show is executed, in the order of the file, in a copy of what a reader has in front of them.

Blocks marked ```sh are run with `bash -eu`, one shell per file, so that `cd` and variables carry on. In blocks marked ```console each
line that begins with "$ " is run and what it prints is compared; "…" stands for anything. Blocks of other kinds (text, toml, lua)
show no commands; toml and whole workflows are checked for being what they say they are.

What cannot be run here is in NOT_RUN, with the reason. An entry that no document needs any more is a failure, as is a document
with a fence of an unknown kind: nothing is skipped silently.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import tomllib
import unittest

import support
from support import BIN, SOURCE

# Document -> first line of a block -> why it is not executed here.
NOT_RUN = {
    "README.md": {
        "./bootstrap.sh run": "installs packages as root; the blocks behind it do the same run with what is built",
        "./bootstrap.sh test": "installs packages as root, and is what runs this test",
    },
    "docs/README.md": {
        "cp -R tests/example wordmill": "records a whole run at a terminal; test_pictures checks what came of it",
        "chromium --headless --hide-scrollbars --window-size=1120,840 --screenshot=report.png "
        '"file://$(baton report last | tail -n 1)"': "needs a browser",
    },
    "tests/README.md": {
        "./bootstrap.sh test                                       # everything": "runs this test again, inside of itself",
        "BATON_BIN=build/release/bin python3 tests/scenario/docs.py": "is this test",
    },
}
# What a block needs that the reader has and a test has not: made by the method of this name just before the block.
PREPARED = {("README.md", "baton resume"): "an_unfinished_run"}
DOCUMENTS = ["README.md", "docs/README.md", "docs/architecture.md", "docs/files.md", "docs/performance.md", "docs/security.md", "docs/attacks.md", "docs/policy.md", "agents/README.md",
             "agents/echo/README.md", "orchestrator/README.md", "workflows/README.md", "tests/README.md", "lua/README.md",
             "proto/README.md"]
KINDS = {"sh", "console", "text", "toml", "lua", "json", "c", ""}
# What lies in a checkout and documents name.
CHECKOUT = ["README.md", "LICENSE", "bootstrap.sh", "agents/definitions", "docs", "lua", "workflows", "tests/example", "tests/scenario"]

FENCE = re.compile(r"^( *)```([\w+-]*)[^\n]*\n(.*?)^\1```[ \t]*$", re.M | re.S)


def blocks(name):
    """[(line, kind, text)] of a document."""
    document = (SOURCE / name).read_text()
    found = []
    for match in FENCE.finditer(document):
        text = re.sub(rf"(?m)^{match[1]}", "", match[3])
        found.append((document.count("\n", 0, match.start()) + 1, match[2], text))
    return found


def first_line(text):
    return text.split("\n", 1)[0].rstrip()


def is_like(wanted, got):
    """"…" stands for any text, a line of its own for any lines."""
    pattern = ".*".join(re.escape(part) for part in wanted.rstrip("\n").split("…"))
    return re.fullmatch(pattern, got.rstrip("\n"), re.S) is not None


def sessions(text):
    """[(command, output)] of a console block."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found:
            found[-1][1] += line + "\n"
        else:
            raise AssertionError(f"a console block begins with '$ ', not with: {line}")
    return found


class Shell:
    """One bash for one document. Each command's end, status and output are seen through marks on its own descriptor."""

    def __init__(self, cwd, env, place):
        self.place = place  # where blocks are written to
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc", "-s"], cwd=cwd, env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        self.count = 0

    def run(self, text, where):
        """Output of a block; it ends at the first command that fails."""
        self.count += 1
        mark = f"---- end of block {self.count} ----"
        file = self.place / f"block-{self.count}.sh"
        file.write_text(text)
        # Sourced, so that the folder and variables stay; without standard input, which is where this shell reads from.
        self.process.stdin.write(f"set -eu\ntrap 's=$?; echo; echo \"{mark} $s\"' EXIT\n. {shlex.quote(str(file))} </dev/null\n"
                                 f"trap - EXIT\nset +eu\necho; echo '{mark} 0'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(mark):
                status = int(line[len(mark):])
                output = "".join(lines).removesuffix("\n")
                if status:
                    raise AssertionError(f"{where}: exit status {status}\n{text}\n---- printed:\n{output}")
                return output
            lines.append(line)
        raise AssertionError(f"{where}: the shell ended\n{text}\n---- printed:\n{''.join(lines)}")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(support.DEADLINE)


@unittest.skipUnless(support.have("cargo", "git"), "needs cargo and git")
class Docs(support.Scenario):
    def setUp(self):
        super().setUp()
        self.home = self.root / "home"
        self.checkout = self.root / "baton"
        self.home.mkdir()
        for name in CHECKOUT:
            place = self.checkout / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if (SOURCE / name).is_dir():
                shutil.copytree(SOURCE / name, place, ignore=shutil.ignore_patterns("target", "__pycache__"))
            else:
                shutil.copy2(SOURCE / name, place)
        (self.checkout / "build/release").mkdir(parents=True)
        (self.checkout / "build/release/bin").symlink_to(BIN)
        user = pathlib.Path(os.environ.get("HOME", "/root"))
        self.env |= {"HOME": str(self.home), "PATH": f"{BIN}:{os.environ['PATH']}",
                     "CARGO_HOME": os.environ.get("CARGO_HOME", str(user / ".cargo")),
                     "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(user / ".rustup"))}
        self.env.pop("XDG_STATE_HOME", None)

    def an_unfinished_run(self):
        """Kills a run as soon as a stage of it is at work."""
        run = self.start("run", "profile", "--project", self.home / "wordmill", "--focus", "runtime", "--json")
        self.assertIsNotNone(run.wait_event(support.is_event("stage_dispatched", stage=1), "the first stage"))
        run.send(signal.SIGKILL)
        run.end()

    def run_document(self, name):
        place = self.root / f"blocks-{name.replace('/', '-')}"
        place.mkdir()
        shell = Shell(str(self.checkout), self.env, place)
        self.addCleanup(shell.close)
        skipped = dict(NOT_RUN.get(name, {}))
        for line, kind, text in blocks(name):
            where = f"{name}:{line}"
            self.assertIn(kind, KINDS, f"{where}: a fence of a kind that this test does not know")
            if kind not in ("sh", "console") or skipped.pop(first_line(text), None):
                continue
            prepare = PREPARED.get((name, first_line(text)))
            if prepare:
                getattr(self, prepare)()
            if kind == "sh":
                shell.run(text, where)
                continue
            for command, wanted in sessions(text):
                got = shell.run(command, where)
                self.assertTrue(is_like(wanted, got), f"{where}: $ {command}\n---- printed:\n{got}\n---- the document has:\n{wanted}")
        self.assertEqual(skipped, {}, f"{name}: NOT_RUN names blocks that are not there any more")

    def test_readme(self):
        self.run_document("README.md")

    def test_other_documents(self):
        for name in DOCUMENTS[1:]:
            with self.subTest(name):
                self.run_document(name)


    def test_workflows_in_documents(self):
        count = 0
        for name in DOCUMENTS:
            for line, kind, text in blocks(name):
                if kind == "lua" and text.startswith('workflow "'):
                    count += 1
                    with self.subTest(f"{name}:{line}"):
                        self.baton("workflow", "check", self.workflow(f"shown{count}", text), status=0)
        self.assertGreater(count, 0)


class Texts(unittest.TestCase):
    def test_all_documents_are_known(self):
        """A new README with commands must be in the list."""
        listed = set(DOCUMENTS)
        for place in SOURCE.rglob("*.md"):
            name = str(place.relative_to(SOURCE))
            if name.startswith(("build/", "tests/fixtures/", "tests/fuzz/", ".")) or name in listed:
                continue
            self.assertEqual([k for _, k, _ in blocks(name) if k in ("sh", "console")], [], f"{name} shows commands: add it to DOCUMENTS")

    def test_no_stale_entries(self):
        self.assertLessEqual(set(NOT_RUN) | {name for name, _ in PREPARED}, set(DOCUMENTS))
        for name, command in PREPARED:
            self.assertIn(command, [first_line(t) for _, _, t in blocks(name)])

    def test_toml_and_json_can_be_read(self):
        for name in DOCUMENTS:
            for line, kind, text in blocks(name):
                with self.subTest(f"{name}:{line}"):
                    if kind == "toml":
                        self.assertTrue(tomllib.loads(text))
                    elif kind == "json":
                        self.assertTrue(json.loads(text))

    def test_tests_that_are_named_exist(self):
        known = subprocess.run(["ctest", "--test-dir", str(BIN.parent), "-N"], capture_output=True, text=True, check=True).stdout.split()
        for name in DOCUMENTS:
            for label, test in re.findall(r"`(unit|property|fuzz|scenario|lint)\.(\w+)`", (SOURCE / name).read_text()):
                self.assertIn(f"{label}.{test}", known, f"{name} names a test that is not there")

    def test_pictures(self):
        """terminal.svg is the picture of terminal.txt, and nothing in the pictures is fetched from elsewhere."""
        docs = SOURCE / "docs"
        with open(docs / "terminal.txt", "rb") as recorded:
            made = subprocess.run(["python3", "-B", str(docs / "make-terminal-svg.py"), "svg"], stdin=recorded, capture_output=True, check=True)
        self.assertEqual(made.stdout.decode(), (docs / "terminal.svg").read_text(), "run docs/make-terminal-svg.py svg again")
        for picture in docs.glob("*.svg"):
            text = picture.read_text().replace("http://www.w3.org/2000/svg", "")
            self.assertNotRegex(text, r"https?:|<image|<script|@import|url\((?!#)")

    def test_this_test_can_fail(self):
        self.assertTrue(is_like("a …\nb\n", "a 1 2\nb\n"))
        self.assertFalse(is_like("a\n", "a\nb\n"))
        with tempfile.TemporaryDirectory(prefix="baton-docs-") as place:
            shell = Shell("/", dict(os.environ), pathlib.Path(place))
            self.addCleanup(shell.close)
            self.assertEqual(shell.run("x=1; echo $x", "here"), "1\n")
            self.assertEqual(shell.run("echo $x", "here"), "1\n")
            with self.assertRaisesRegex(AssertionError, "exit status 3"):
                shell.run("echo before\n(exit 3)\necho behind", "here")


if __name__ == "__main__":
    support.main()

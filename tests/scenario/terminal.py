"""What a tool prints cannot steer a terminal: whatever Baton shows or writes down of it has no raw control characters."""
import os
import pathlib
import pty
import re
import select

import support

# OSC 52 (clipboard), clear screen, C1 CSI as UTF-8, title, backspace, bell; among them a word that must be shown.
PAYLOAD = r"\033]52;c;Zm9v\007\033[2Jseen\033]0;owned\007\302\2332J\b\177\n"
RAW = re.compile(b"\x1b\\]|\x1b\\[2J|\x07|\x08|\x7f|\xc2[\x80-\x9f]|\x9b")
FLOW = """
workflow "noisy" {
  agents = { "echo" },
  run = function()
    local one = stage { agent = "echo", input = { exec = { "printf", [[%s]] } } }
    local two = stage { agent = "echo", input = { exec = { "sh", "-c", [[printf '%s' >&2; sleep 0.3; exit 3]] } } }
    publish("noise", one.output.stdout)
    finish("failed", { reason = two.summary, stdout = one.output.stdout })
  end,
}
"""


class Terminal(support.Scenario):
    def setUp(self):
        super().setUp()
        self.flow = self.workflow("noisy", FLOW % (PAYLOAD, PAYLOAD))

    def words(self):
        return ["run", self.flow, "--allow", "Bash(printf *)", "--allow", "Bash(sh *)"]

    def on_a_terminal(self, *words):
        """What a person sees who sits before it."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.root)
            os.execve(support.BATON, [support.BATON, *map(str, words)], {**self.env, "TERM": "xterm"})
        seen = b""
        while True:
            select.select([fd], [], [], support.DEADLINE)
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        os.waitpid(pid, 0)
        os.close(fd)
        return seen

    def clean(self, what, text):
        found = RAW.search(text)
        around = text[max(0, found.start() - 200):found.end() + 80] if found else b""
        self.assertIsNone(found, f"{what} has raw control characters: {around!r}")

    def test_nothing_that_is_shown_steers_a_terminal(self):
        seen = self.on_a_terminal(*self.words())
        self.assertIn(b"seen", seen, "it did print, and that is shown")
        self.clean("a run on a terminal", seen)
        done = self.baton(*self.words())
        self.clean("a run", (done.out + done.err).encode())
        self.clean("a run as JSON", self.baton(*self.words(), "--json").out.encode())
        run = self.run_id()
        for words in (["show", run], ["logs", run], ["events"], ["runs"], ["report", run], ["handoff", "show", run], ["top", "--once"],
                      ["query", run, "noise"], ["logs", run, "--json"], ["show", run, "--json"]):
            with self.subTest(words=words):
                self.clean("on a terminal", self.on_a_terminal(*words).replace(b"\r\n", b"\n"))
                done = self.baton(*words)
                self.clean("its output", (done.out + done.err).encode())

    def test_the_same_values_are_there(self):
        self.baton(*self.words())
        run = self.run_id()
        said = PAYLOAD.encode().decode("unicode_escape").encode("latin-1").decode()
        self.assertEqual(self.baton("query", run, "noise", status=0).json(), said)

    def test_a_report_has_none_of_it(self):
        self.baton(*self.words())
        path = pathlib.Path(self.baton("report", self.run_id(), status=0).out.strip().splitlines()[-1].split()[-1])
        self.clean(str(path), path.read_bytes())


if __name__ == "__main__":
    support.main()

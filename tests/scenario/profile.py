"""baton profile: commands in their box, files of other profilers, what they are written as, what changed."""
import gzip
import json
import unittest
import xml.dom.minidom

import support

FIXTURES = support.SOURCE / "tests/fixtures/profile"
# Its work is in `spin`, below `outer`; `make` allocates. Built without a compiler's cleverness, so that all three are there.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
static volatile unsigned long sum;
__attribute__((noinline)) void spin(unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        sum += i * i;
}
__attribute__((noinline)) void outer(unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        spin(n);
}
__attribute__((noinline)) char *make(void)
{
    return malloc(64);
}
int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
    char line[64] = "";
    for (unsigned long i = 0; i < 4 * n; i++)
        free(make());
    outer(n);
    if (argc > 2 && fgets(line, sizeof(line), stdin))
        return line[0] == 'x' ? 7 : 0;
    return 0;
}
"""


class Files(support.Scenario):
    """Profiles that others have recorded: nothing is started but what reads them."""

    def profile(self, *args, status=0, **more):
        return self.baton("profile", *args, "--quiet", status=status, **more)

    def test_formats(self):
        out = self.root / "out"
        source = FIXTURES / "fp.perf.txt"
        done = self.profile("-o", out, source)
        self.assertIn("fix first: hot::count_words", done.out)
        self.assertEqual(sorted(p.name for p in out.iterdir()),
                         ["flamegraph.svg", "icicle.svg", "profile.firefox.json", "profile.json", "profile.pb.gz",
                          "profile.speedscope.json", "profile.txt", "stacks.folded"])
        for name in ("flamegraph.svg", "icicle.svg"):
            xml.dom.minidom.parse(str(out / name))
        first = json.loads((out / "profile.json").read_text())["rows"][0]
        self.assertEqual(first["function"], "hot::count_words")
        self.assertTrue(any("in its own code" in text for text in first["evidence"]), first)
        gzip.decompress((out / "profile.pb.gz").read_bytes())
        firefox = json.loads((out / "profile.firefox.json").read_text())
        for name in ("samples", "stackTable", "frameTable", "funcTable"):
            table = firefox["threads"][0][name]
            self.assertEqual({len(c) for c in table.values() if isinstance(c, list)}, {table["length"]}, name)
        # Each of them is read again, also packed, and says the same.
        packed = self.root / "packed.gz"
        packed.write_bytes(gzip.compress((out / "profile.firefox.json").read_bytes()))
        for path in (out / "stacks.folded", out / "profile.speedscope.json", packed):
            rows = json.loads(self.profile("--format", "json", path).out)["rows"]
            self.assertEqual(rows[0]["function"], "hot::count_words", path)
            self.assertAlmostEqual(rows[0]["total_pct"], first["total_pct"], places=3)
        self.check_nothing_left()

    def test_what_others_counted(self):
        found = json.loads(self.profile("--format", "json", "--source", FIXTURES, FIXTURES / "grow-80.callgrind").out)
        self.assertIn("grow::find", [row["short"] for row in found["rows"][:3]])
        memory = self.profile(FIXTURES / "grow-40.dhat.json").out
        self.assertIn("grow::unique: clone", memory)
        self.assertIn("grow.rs:11", memory)

    def test_what_changed(self):
        (self.root / "before").write_text("app::main;app::old 60\napp::main;app::same 40\n")
        (self.root / "after").write_text("app::main;app::new 10\napp::main;app::same 90\n")
        done = self.profile("--diff", "before", "after", "--json")
        changes = done.lines()[-1]["profiled"]["difference"]
        self.assertEqual([(c["function"], round(c["change_pct"])) for c in changes[:2]], [("app::old", -60), ("app::same", 50)])
        svg = self.profile("--diff", "before", "--format", "flamegraph", "after").out
        self.assertIn("app::same\n90 samples, 90.00 % (before 40.00 %, +50.00)", svg)
        xml.dom.minidom.parseString(svg)
        self.assertIn("before %", self.profile("--diff", "before", "after").out)

    def test_names_steer_nothing(self):
        evil = self.root / "evil.folded"
        evil.write_text("main;<script>alert(1)</script>;\x1b[31mred \"'&]]> 3\n")
        svg = self.profile("--format", "flamegraph", evil).out
        self.assertNotIn("<script>alert", svg)
        xml.dom.minidom.parseString(svg)
        self.assertNotIn("\x1b", self.profile("--format", "table", evil).out)

    def test_what_is_refused(self):
        (self.root / "text").write_text("no profile\n")
        for words in ([], ["nothing"], ["--format", "csv", "text"], ["text", "text"], ["--sizes", "1,2", "text"], ["--top", "0", "text"],
                      ["--scale", "./x", "--sizes", "1,2"], ["--tool", "gprof", "text"], ["--format", "json", "--format", "folded", "text"],
                      ["--", "./nothing"], [support.BATON]):
            done = self.baton("profile", *words, status=2)
            self.assertTrue(done.err.startswith("baton: "), done.err)
        self.assertIn("expected perf.data", self.profile("text", status=5).out)
        # Only who names a file or a command grants it.
        path = json.dumps(str(self.root / "text"))[1:-1]
        done = self.baton("run", "sample", "--project", self.root / "tmp", "--param", f"file={path}", status=5)
        self.assertIn("is not allowed", done.out)


@unittest.skipUnless(support.have("gcc", "valgrind"), "needs gcc and valgrind")
class Commands(support.Scenario):
    def setUp(self):
        super().setUp()
        (self.root / "work.c").write_text(PROGRAM)
        support.tool("gcc", "-O1", "-g", "-fno-omit-frame-pointer", "-o", self.root / "work", self.root / "work.c")

    def profiled(self, *args, status=0, **more):
        return self.baton("profile", *args, status=status, **more).lines()[-1]["profiled"]

    def test_a_command(self):
        """Where perf may not record in the box, callgrind counts, and says so."""
        found = self.profiled("--json", "--", "./work", "1500")
        self.assertEqual(found["kind"], "time")
        self.assertEqual(found["rows"][0]["function"], "spin")
        self.assertEqual((found["rows"][0]["file"], found["rows"][0]["crate_kind"]), ("work.c", "project"))
        self.assertTrue(found["how"].startswith(("perf, ", "callgrind, ")), found["how"])
        lines = {row["line"]: row["pct"] for row in found["rows"][0]["lines"]}
        self.assertGreater(sum(lines.values()), 50)
        short = self.profiled("--json", "--", "./work", "3")  # there is nothing to sample
        self.assertTrue(short["how"].startswith("callgrind, "), short["how"])
        self.assertEqual({r["function"]: r.get("called") for r in short["rows"]}["make"], 12)
        self.check_nothing_left()

    @unittest.skipUnless(support.have("perf"), "needs perf")
    def test_a_recording(self):
        data = self.root / "x.data"
        support.tool("perf", "record", "-o", data, "-e", "cpu-clock:u", "-g", "--", self.root / "work", "3000", check=False)
        if not data.exists() or data.stat().st_size < 1000:
            self.skipTest("perf may not record here")
        done = self.baton("profile", "--quiet", data, status=0)
        self.assertIn("fix first: spin", done.out)
        self.assertIn("sum += i * i;", done.out)  # annotated

    def test_counted(self):
        found = self.profiled("--json", "--tool", "callgrind", "--", "./work", "60")
        rows = {row["function"]: row for row in found["rows"]}
        self.assertEqual((rows["spin"]["called"], rows["make"]["called"]), (60, 240))
        self.assertTrue(any("loops: calls malloc" in t or "called 240 times" in t for t in rows["make"]["evidence"]), rows["make"])

    def test_growth(self):
        done = self.baton("profile", "--scale", "./work {n}", "--sizes", "200", "--json", status=0)
        growth = done.lines()[-1]["profiled"]["growth"]
        self.assertEqual(growth["rows"][0]["function"], "spin")
        self.assertAlmostEqual(growth["rows"][0]["exponent"], 2, delta=0.1)
        self.assertEqual(growth["rows"][0]["loop_owner"], "outer")
        self.assertEqual([f["kind"] for f in growth["findings"]], ["quadratic"])
        self.assertIn("quadratic in spin", done.lines()[-1]["headline"])

    def test_memory(self):
        said = self.root / "said"
        said.write_text("x\n")
        with open(said) as stream:  # what the shell puts on standard input is the command's
            done = support.subprocess.run([support.BATON, "profile", "--memory", "--json", "--", "./work", "300", "read"], cwd=self.root,
                                          env=self.env, stdin=stream, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout.splitlines()[-1])
        self.assertIn("the command ended with exit status 7", found["limits"])
        site = found["profiled"]["memory"]["sites"][0]
        self.assertEqual((site["function"], site["blocks"], site["bytes"]), ("make", 1200, 76800))
        self.assertEqual([(f["kind"], f["function"]) for f in found["profiled"]["findings"]], [("reuse", "make")])
        self.check_nothing_left()


if __name__ == "__main__":
    support.main()

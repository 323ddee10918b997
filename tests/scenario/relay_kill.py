"""The real relay, killed once in the middle of each of its five stages and resumed: the same result, and no finished stage again."""
import unittest

import support
from support import git, is_event, wait_for


@unittest.skipUnless(support.have("cargo", "perf", "git"), "needs cargo, perf and git")
class RelayKill(support.Scenario):
    def test_killed_in_each_stage(self):
        project = support.copy_example(self.root / "wordmill")
        declared = project / "baton.toml"
        declared.write_text(declared.read_text().replace('"10000"', '"3000"'))  # short, for it is measured more than once
        head = support.make_repository(project)

        r = self.start("tune", project, "--focus", "runtime", "--budget", "2", "--json")
        run = None
        for stage in range(1, 6):
            def at_work(event, stage=stage):
                # a while after its beginning: tools are at work, in the developer's stage changes are half done
                return (event.get("event") == "stage_progress" and event["body"]["stage"] == stage and
                        event["body"]["fraction"] != 0)
            event = r.wait_event(at_work, f"stage {stage} at work", support.RUN_DEADLINE)
            self.assertIsNotNone(event, f"ended before stage {stage}: {''.join(r.raw[-3:])}{''.join(r.errors)}")
            run = event["run"]
            r.kill()
            wait_for(lambda: not support.processes_of(self.root), "the tools of a killed run end")
            self.assertEqual(git(project, "rev-parse", "HEAD"), head)
            r = self.start("resume", run, "--json")
        done = r.end()
        self.assertEqual(done.status, 0, str(done))
        result = done.lines()[-1]
        titles = " | ".join(c["title"] for c in result["changes"])
        self.assertIn("cmp_owned", titles)
        self.assertIn("opt-level = 3", titles)
        self.assertIn("position_of", result["hot_paths"][0]["function"])

        dispatched = self.check_paid_once(run, stages=5)
        self.assertEqual(dispatched, {stage: [1, 2] for stage in range(1, 6)})
        # Every resume heard of the finished stages from the journal.
        reused = [e["body"]["stage"] for e in done.lines() if is_event("stage_reused")(e)]
        self.assertEqual(reused, [1, 2, 3, 4])
        self.assertEqual(git(project, "rev-parse", result["git"]["branch"]), result["git"]["head"])
        self.assertEqual(git(project, "diff", "--name-only", head, result["git"]["branch"]).split(), ["Cargo.toml", "src/lib.rs"])
        self.assertEqual(git(project, "status", "--porcelain"), "")
        self.check_nothing_left(project, [result["git"]["branch"]])

    def test_search_killed_at_a_point(self):
        """Every point of a search for build settings is a piece of its own: what was measured is not measured again."""
        project = support.tiny_crate(self.root / "tiny", main=support.TINY_MAIN.replace("2_000_000", "200_000"))
        head = support.make_repository(project)
        r = self.start("tune", project, "--for", "size", "--budget", "3", "--param", "points=2", "--json")
        event = r.wait_event(lambda e: e.get("event") == "stage_dispatched" and e["body"]["stage"] == 3, "the second point", support.RUN_DEADLINE)
        self.assertIsNotNone(event, f"ended before: {''.join(r.raw[-3:])}{''.join(r.errors)}")
        r.kill()
        wait_for(lambda: not support.processes_of(self.root), "the tools of a killed run end")
        done = self.baton("resume", event["run"], "--json")
        result = done.lines()[-1]
        self.assertIn(result["state"], ("accepted", "needs_discussion"), str(done))
        dispatched = self.check_paid_once(event["run"])
        self.assertEqual({stage: len(dispatched[stage]) for stage in (1, 2)}, {1: 1, 2: 1})
        points = {p["id"]: p for p in result["search"]["points"]}
        self.assertEqual(sorted(points), ["P0", "P1"])
        for point in points.values():
            self.assertGreater(point["size"], 0, point)
            self.assertGreater(point["build_s"], 0, point)
        self.assertEqual(points["P0"]["title"], "as it is")
        self.assertLess(points["P1"]["run"], 1, "the base is not optimised at all")
        branches = []
        if result["changes"]:  # by numbers of this machine; then it is this diff
            branches = [result["git"]["branch"]]
            patch = git(project, "diff", head, branches[0])
            self.assertEqual(result["search"]["patch"].strip(), patch)
            self.assertIn("[profile.release]", patch)
        self.check_nothing_left(project, branches)


if __name__ == "__main__":
    support.main()

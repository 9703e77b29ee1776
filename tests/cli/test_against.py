"""`sluice bench --against`: a cell measured with two plans in turns, and the baselines that are refused."""

import json
import unittest

import command

SHAPE = ["--d-model", "96", "--d-ff", "160", "--threads", "1", "--kind", "swiglu"]


class AgainstTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.machine = self.this_machine()
        # A plan that is not the analytical one, and the measurement by which it was found.
        self.tuned = command.plan_row(measured={
            "ratio_to_default": 0.5, "ratio_low": 0.49, "ratio_high": 0.51, "verdict": "faster", "pairs": 30,
            "trials": 100, "roof_fraction": 0.25, "contended_share": 0.0})
        self.write("tuned.json", command.profile(self.machine, [self.tuned]))

    def bench(self, *arguments):
        isa = [] if "--isa" in arguments else ["--isa", "scalar"]
        result = self.run_sluice("bench", *SHAPE, *isa, "--samples", "2", "--budget", "1", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def entries(self, *arguments):
        results = json.loads(self.bench("--json", *arguments))
        return results["context"], results["benchmarks"]

    def test_the_default_takes_turns(self):
        context, (own, rival) = self.entries("--m", "16", "--profile", "tuned.json", "--against", "default")
        self.assertEqual(context["rival"], "default")
        self.assertEqual(rival["name"], own["name"] + "/rival")
        self.assertEqual((rival["rival"], rival["plan_origin"]), ("default", "analytical"))
        self.assertNotIn("rival", own)
        self.assertNotIn("against", rival)
        self.assertEqual(own["plan"], self.tuned["plan"])
        self.assertNotEqual(rival["plan"], own["plan"])
        for entry in (own, rival):
            self.assertGreaterEqual(len(entry["samples_ns"]), 2)
        for field in ("kind", "d_model", "d_ff", "m", "threads", "isa"):
            self.assertEqual(own[field], rival[field])
        against = own["against"]
        self.assertEqual((against["rival"], against["same_plan"]), ("default", False))
        self.assertEqual(against["pairs"], len(set(own["sample_rounds"]) & set(rival["sample_rounds"])))
        self.assertIn(against["verdict"], ("faster", "slower", "tied", "inconclusive"))
        promise = against["promise"]
        self.assertEqual(promise["ratio_to_default"], 0.5)
        self.assertAlmostEqual(promise["roof_in_place"], own["roof_fraction"] / 0.25, places=9)
        # The example promises twice the default's speed, which no plan for so small a problem reaches.
        if against["pairs"] >= 8:
            self.assertAlmostEqual(promise["in_place"]["ratio"], against["ratio"] / 0.5, places=9)
            self.assertIn(promise["in_place"]["verdict"], ("broken", "inconclusive"))

    def test_interrupted_it_counts_cells_not_their_baselines(self):
        code, _, errors = self.interrupt("bench", *SHAPE, "--isa", "scalar", "--m", "16,100000", "--samples", "3",
                                         "--profile", "tuned.json", "--against", "default", "--out", "r.json")
        self.assertEqual(code, 130, errors)
        results = json.loads((self.directory / "r.json").read_text())
        cells = sum("rival" not in entry for entry in results["benchmarks"])
        self.assertEqual(results["context"]["measurement"]["cells"], 2)
        self.assertEqual(results["context"]["measurement"]["cells_reported"], cells)
        self.assertIn(f"interrupted; {cells} of 2 cells are in r.json", errors)

    def test_the_same_plan_is_measured_once(self):
        for rival in ("default", "tuned.json"):
            with self.subTest(rival=rival):
                source = ["--no-profile"] if rival == "default" else ["--profile", "tuned.json"]
                _, (own,) = self.entries("--m", "16", *source, "--against", rival)
                against = own["against"]
                self.assertEqual((against["rival"], against["verdict"]), (rival, "same plan"))
                self.assertTrue(against["same_plan"])
                self.assertEqual((against["ratio"], against["low"], against["high"], against["pairs"]), (1, 1, 1, 0))
                self.assertEqual(against["promise"] is None, rival == "default")
                if rival != "default":
                    self.assertIsNone(against["promise"]["in_place"])
        # Extents beyond the problem are clipped to it, so this is the same plan.
        whole = command.plan_row(plan={**self.tuned["plan"], "mc": 4096})
        clipped = command.plan_row(plan={**self.tuned["plan"], "mc": 16})
        self.write("whole.json", command.profile(self.machine, [whole]))
        self.write("clipped.json", command.profile(self.machine, [clipped]))
        _, entries = self.entries("--m", "16", "--profile", "whole.json", "--against", "clipped.json")
        self.assertTrue(entries[0]["against"]["same_plan"])
        self.assertEqual(len(entries), 1)

    def test_another_profile_with_another_panel_width(self):
        isa, widths = next(((isa, widths) for isa, widths in (("avx512", (32, 64)), ("neon", (16, 8)))
                            if isa in self.machine["isas"]), (None, None))
        if isa is None:
            self.skipTest("no instruction set of this machine has microkernels of two panel widths")
        for nr in widths:
            plan = {**self.tuned["plan"], "nr": nr, "nc": 2 * nr, "fc": 2 * nr}
            self.write(f"{nr}.json", command.profile(self.machine, [{**self.tuned, "isa": isa, "plan": plan}]))
        own_file, baseline_file = (f"{nr}.json" for nr in widths)
        for state in ([], ["--hot"]):
            with self.subTest(state=state):
                context, (own, rival) = self.entries("--isa", isa, "--m", "16", "--profile", own_file, "--against",
                                                     baseline_file, *state)
                self.assertEqual(context["rival"], baseline_file)
                self.assertEqual((rival["rival"], rival["plan_origin"]), (baseline_file, "exact"))
                self.assertEqual((own["plan"]["nr"], rival["plan"]["nr"]), widths)
                # The tuner's promise is for cold weights.
                self.assertEqual(own["against"]["promise"] is None, bool(state))

    def test_the_table_compares_every_cell(self):
        text = self.bench("--m", "1,16", "--profile", "tuned.json", "--against", "default")
        lines = text.splitlines()
        head = next(number for number, line in enumerate(lines) if line.startswith("cell") and "verdict" in line)
        cells = [line for line in lines[head:] if line.startswith("ffn/")]
        self.assertEqual(len(cells), 2)
        self.assertIn("0.500", cells[1])  # as promised
        self.assertIn("  own      exact       nr 8 mr 4 kc 40", text)
        self.assertIn("  baseline analytical ", text)
        self.assertRegex(cells[1], r" [0-9]+\.[0-9]{3}$")  # the roof's share here / the promised one

    def test_refusals(self):
        cell = ["bench", *SHAPE, "--m", "16"]
        self.expect_failure(command.FILE, *cell, "--against", "none.json", says=["none.json"])
        self.expect_failure(command.USAGE, *cell, "--against", "", says=["--against"])
        self.expect_failure(command.USAGE, *cell, "--against", "default", "--peers", says=["--against", "--peers"])
        self.expect_failure(command.USAGE, "bench", "--micro", "--against", "default", says=["--micro", "--against"])
        elsewhere = {**self.machine, "cpu": "another", "fingerprint": "0123456789abcdef"}
        self.write("foreign.json", command.profile(elsewhere, [self.tuned]))
        self.expect_failure(command.FILE, *cell, "--against", "foreign.json",
                            says=["foreign.json", "another machine", "cpu"])
        self.write("damaged.json", "{}")
        self.expect_failure(command.FILE, *cell, "--against", "damaged.json", says=["damaged.json"])


if __name__ == "__main__":
    unittest.main()

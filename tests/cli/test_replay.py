"""`tune --replay`: strategies compared on recorded landscapes, without measuring anything."""

import json
import os
import pathlib
import unittest

import command

LANDSCAPES = pathlib.Path(os.environ.get("SLUICE_SOURCE", ".")).resolve() / "tests/tuner/tuning/landscapes"


class ReplayTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.landscape = LANDSCAPES / "swiglu_768x2048_m4.json"

    def test_table(self):
        lines = self.succeed("tune", "--replay", self.landscape).splitlines()
        self.assertTrue(any("swiglu 768x2048 M=4 t=1 avx512: 158 plans, 140 rounds" in line for line in lines))
        rows = [line.split()[:2] for line in lines if line.endswith(tuple("0123456789"))]
        self.assertIn(["estimate", "-"], rows)
        for strategy in ("axes", "descent", "halving"):
            self.assertIn(["measure", strategy], rows)
        self.assertIn(["exhaustive", "exhaustive"], rows)

    def test_json(self):
        rows = json.loads(self.succeed("tune", "--json", "--replay", self.landscape))
        trials = {(row["rigor"], row["strategy"]): row["trials"] for row in rows}
        self.assertEqual(trials["estimate", "-"], 0)
        self.assertLess(trials["measure", "halving"], trials["patient", "halving"])
        self.assertLess(trials["patient", "halving"], trials["exhaustive", "exhaustive"])
        for row in rows:
            self.assertLessEqual(row["regret_median"], row["regret_worst"])

    def test_out_writes_the_landscape(self):
        self.succeed("tune", "--replay", self.landscape, "--out", "copy.json")
        copy, original = (json.loads(path.read_text()) for path in (self.directory / "copy.json", self.landscape))
        # This version's analytical plan comes first, even if another was when the landscape was recorded.
        # Which the recorded file, of before there were others, does not say.
        original["weights"] = original["arithmetic"] = "f32"
        for landscape in (copy, original):
            landscape["plans"].sort(key=lambda entry: entry["plan"])
        self.assertEqual(copy, original)
        both = f"{self.landscape},{LANDSCAPES / 'swiglu_768x2048_m64.json'}"
        self.expect_failure(command.USAGE, "tune", "--replay", both, "--out", "both.json", says=["one", "names 2"])

    def test_what_is_no_landscape(self):
        self.write("profile.json", "{}")
        self.expect_failure(command.FILE, "tune", "--replay", "profile.json", says=["profile.json", "landscape"])
        self.expect_failure(command.FILE, "tune", "--replay", "absent.json", says=["absent.json"])


if __name__ == "__main__":
    unittest.main()

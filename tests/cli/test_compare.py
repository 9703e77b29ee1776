"""`sluice compare` and `sluice report --fleet` through the front command: dispatch and exit codes."""

import json
import os
import pathlib
import re
import unittest

import command

SOURCE = pathlib.Path(os.environ.get("SLUICE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
SAMPLE = SOURCE / "reports" / "samples" / "amd-epyc-zen4-2-vcpus"
REGRESSION = 3


class CompareTest(command.CommandTest):
    def test_exit_codes(self):
        sample = json.loads((SAMPLE / "results.json").read_text(encoding="utf-8"))
        for entry in sample["benchmarks"]:
            if entry["m"] == 64 and entry["threads"] == 1:
                entry["samples_ns"] = [1.5 * time for time in entry["samples_ns"]]
        slow = self.write("slow.json", sample)
        fail_on = ["--fail-on", "regression", "--min-effect", "2%"]
        self.assertIn("tied in 112", self.succeed("compare", SAMPLE, SAMPLE, *fail_on))
        result = self.run_sluice("compare", SAMPLE, slow, *fail_on)
        self.assertEqual((result.returncode, result.stderr), (REGRESSION, ""))
        self.assertIn("14 of 112 cells are proven slower by more than 2 %", result.stdout)
        self.succeed("compare", slow, SAMPLE, *fail_on)
        self.expect_failure(command.USAGE, "compare", SAMPLE, says=["B.json"])
        self.expect_failure(command.FILE, "compare", SAMPLE, "none.json", says=["none.json"])
        self.expect_failure(command.FILE, "report", "--fleet", "none", says=["none"])

    def test_help_readme_and_front_agree(self):
        text = self.succeed("compare", "--help")
        front = " ".join(self.succeed("--help").split())
        readme = " ".join((SOURCE / "README.md").read_text(encoding="utf-8").split())
        self.assertIn("`sluice compare ", readme)
        for words in (text, front):
            self.assertRegex(words, r"\b3 a regression is proven")
        self.assertIn("3 a regression is proven", readme)
        example = re.search(r"sluice compare .*--out \S+", text[text.index("example:"):])[0]
        self.assertIn("--fail-on regression --min-effect 2%", example)
        self.assertIn("--fail-on regression --min-effect 2%", readme)
        self.assertIn("--fleet", self.succeed("report", "--help"))


if __name__ == "__main__":
    unittest.main()

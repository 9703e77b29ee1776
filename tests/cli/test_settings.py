"""Switches of the libraries underneath, set in the environment, change nothing."""

import json
import unittest

import command

CELL = ["--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1", "--m", "1"]


class SettingsTest(command.CommandTest):
    def test_google_benchmark_takes_none_from_the_environment(self):
        for name, value in (("BENCHMARK_REPETITIONS", "3"), ("BENCHMARK_FILTER", "nothing"),
                            ("BENCHMARK_LIST_TESTS", "1"), ("BENCHMARK_OUT", "other.json"), ("BENCHMARK_MIN_WARMUP_TIME", "1")):
            with self.subTest(name=name):
                self.run_ok("bench", *CELL, "--samples", "2", "--no-profile", "--out", "b.json",
                             environment={name: value})
                self.assertEqual(len(json.loads((self.directory / "b.json").read_text())["benchmarks"]), 1)
        self.assertNotIn("other.json", self.files())

    def test_hwloc_describes_this_machine(self):
        expected = self.info()
        for name, value in (("HWLOC_SYNTHETIC", "pack:2 core:8 pu:2"), ("HWLOC_XMLFILE", "/dev/null"),
                            ("HWLOC_FSROOT", "/nonexistent")):
            with self.subTest(name=name):
                self.assertEqual(self.info({name: value}), expected)

    def info(self, environment=None):
        answer = json.loads(self.succeed("info", "--json", environment=environment))
        return answer["machine"]["fingerprint"]


if __name__ == "__main__":
    unittest.main()

"""What does not fit into memory is refused before it begins, and what begins fits."""

import os
import re
import unittest

import command

CELL = ["--d-model", "1024", "--d-ff", "2816", "--kind", "swiglu", "--threads", "1", "--m", "1"]
VERBS = {"tune": ["--budget", "2", "--profile", "p.json"],
         "bench": ["--no-profile", "--samples", "3", "--out", "b.json"]}
SMALL = 100 << 20


class MemoryTest(command.CommandTest):
    def run_within(self, bytes_, *arguments):
        group = self.control_group("memory", {"memory.max": bytes_}, {"memory.limit_in_bytes": bytes_})
        return self.run_sluice(*arguments, preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))

    def test_what_does_not_fit_is_refused_beforehand(self):
        for verb, options in VERBS.items():
            with self.subTest(verb=verb):
                before = self.files()
                result = self.run_within(SMALL, verb, *CELL, *options)
                self.assertEqual((result.returncode, result.stdout), (command.UNSUPPORTED, ""), result.stderr)
                self.assertRegex(result.stderr, r"swiglu 1024x2816, M 1: needs [\d.]+ GiB of memory, [\d.]+ GiB are ")
                self.assertEqual(self.files(), before)

    def test_the_parts_of_a_forward_are_refused_as_well(self):
        result = self.run_within(SMALL, "bench", "--micro", "--threads", "1")
        self.assertEqual((result.returncode, result.stdout), (command.UNSUPPORTED, ""), result.stderr)
        self.assertRegex(result.stderr, r"the parts of a forward: needs [\d.]+ GiB of memory")

    def test_a_baseline_needs_a_layer_of_its_own(self):
        def needed(*options):
            refused = self.run_within(SMALL, "bench", *CELL, *VERBS["bench"], *options)
            return float(re.search(r"needs ([\d.]+) GiB", refused.stderr)[1])

        self.assertGreater(needed("--against", "default"), needed())

    def test_what_is_said_to_be_needed_is_enough(self):
        for verb, options in VERBS.items():
            with self.subTest(verb=verb):
                refused = self.run_within(SMALL, verb, *CELL, *options)
                needed = float(re.search(r"needs ([\d.]+) GiB", refused.stderr)[1])
                # The program itself takes some MiB.
                result = self.run_within(int(needed * 2**30) + (64 << 20), verb, *CELL, *options)
                self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()

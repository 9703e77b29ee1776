"""The verb `doctor`. A short run on any machine: whether it is fit or not, the report is complete."""

import json
import os
import unittest

import command

SUBJECTS = {"ISA", "governor", "boost", "steal", "other processes", "cgroup quota", "affinity", "SMT", "NUMA",
            "huge pages", "memory", "swap", "timer", "hypervisor", "peaks", "dot products", "FMA, 1 thread", "reads, 1 thread"}


class DoctorTest(command.CommandTest):
    def audit(self, *arguments, **options):
        """Expects exit code 0, or 4 with one line that says why."""
        result = self.run_sluice("doctor", "--seconds", "0.3", *arguments, **options)
        self.assertIn(result.returncode, (0, command.UNSUPPORTED), result.stderr)
        last = result.stderr.splitlines()[-1]
        self.assertEqual(last.startswith("sluice doctor: unfit for measuring: "), result.returncode != 0, last)
        return result

    def test_text_is_whole_and_120_columns_wide(self):
        result = self.audit()
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), 120, line)
        for subject in SUBJECTS:
            self.assertIn(f" {subject} ", result.stdout)
        self.assertEqual("\nUnfit for measuring" in result.stdout, result.returncode != 0)

    def test_json_agrees_with_the_exit_code(self):
        first = min(os.sched_getaffinity(0))
        result = self.audit("--json", preexec_fn=lambda: os.sched_setaffinity(0, {first}))
        answer = json.loads(result.stdout)
        self.assertEqual(answer["schema"], "sluice-doctor")
        self.assertEqual(answer["fit"], result.returncode == 0)
        self.assertEqual(answer["fit"], all(finding["severity"] != "bad" for finding in answer["findings"]))
        self.assertLessEqual(SUBJECTS, {finding["subject"] for finding in answer["findings"]})
        self.assertEqual(answer["allowed_cpus"], [first])
        self.assertEqual({probe["threads"] for probe in answer["probes"]}, {1})
        for probe in answer["probes"]:
            self.assertGreater(probe["probes"], 0)
            self.assertGreater(probe["level"], 0)
            self.assertTrue(0 <= probe["contended_share"] <= 1)
        self.assertEqual([peak["isa"] for peak in answer["peaks"]], answer["machine"]["isas"])
        self.assertEqual({(dot["arithmetic"], dot["weight_bits"]) for dot in answer["dot_peaks"]},
                         {("int8", 8), ("int8", 4), ("int16", 8), ("int16", 4), ("bf16", 16)})
        for dot in answer["dot_peaks"]:
            self.assertGreater(dot["over_fma"], 0)
        for finding in answer["findings"]:
            self.assertEqual(finding["advice"] is None, finding["severity"] == "ok", finding)

    def test_writes_a_file(self):
        result = self.audit("--json", "--out", "new/doctor.json")
        self.assertEqual(result.stdout, "")
        self.assertIn("fit", json.loads((self.directory / "new/doctor.json").read_text()))

    def test_refuses_bad_options(self):
        for arguments, says in ((["--seconds", "0"], ["0"]), (["--seconds", "soon"], ["soon"]),
                                (["--second=1"], ["--second", "did you mean --seconds?"]), (["now"], ["now"]),
                                (["--cores", "fast"], ["--cores fast", "performance"])):
            with self.subTest(arguments=arguments):
                self.expect_failure(command.USAGE, "doctor", *arguments, says=says)


if __name__ == "__main__":
    unittest.main()

"""Types of weights: selected by --weights, kept apart in profiles, results, exports and in what `info` tells."""

import csv
import io
import json
import unittest

import command

CELL = ["--d-model", "96", "--d-ff", "160", "--threads", "1", "--m", "1"]


class WeightsTest(command.CommandTest):
    def test_a_profile_serves_the_types_it_was_tuned_for(self):
        self.run_ok("tune", *CELL, "--kind", "swiglu", "--weights", "bf16,f32", "--budget", "2", "--profile", "p.json")
        self.assertEqual({row["weights"] for row in self.plans("p.json")}, {"bf16", "f32"})
        self.run_ok("tune", *CELL, "--kind", "swiglu", "--weights", "bf16", "--rigor", "estimate", "--profile", "q.json")
        origins = {}
        for weights in ("f32", "bf16", "f16"):
            told = json.loads(self.succeed("info", *CELL, "--kind", "swiglu", "--weights", weights, "--profile",
                                           "q.json", "--json"))
            (plan,) = told["plans"]
            self.assertEqual(plan["weights"], weights)
            origins[weights] = plan["origin"]
        self.assertEqual(origins, {"f32": "analytical", "bf16": "exact", "f16": "analytical"})
        text = self.succeed("info", *CELL[:-1], "2", "--kind", "geglu", "--weights", "bf16", "--profile", "p.json")
        self.assertIn("geglu/bf16 96x160", text)

    def test_a_journal_keeps_the_types_apart(self):
        arguments = ["tune", *CELL, "--kind", "swiglu", "--weights", "f16,f32", "--budget", "2", "--journal", "j",
                     "--profile", "p.json"]
        self.run_ok(*arguments)
        (self.directory / "p.json").unlink()
        self.run_ok(*arguments, "--resume")
        self.assertEqual({row["weights"] for row in self.plans("p.json")}, {"f16", "f32"})
        other = [word.replace("f16,f32", "bf16,f32") for word in arguments]
        self.expect_failure(command.FILE, *other, "--resume", says=["j: ", "cells"])

    def test_exports_name_the_type(self):
        self.run_ok("tune", *CELL, "--kind", "swiglu,relu", "--weights", "f16", "--rigor", "estimate", "--profile",
                    "p.json")
        header = self.succeed("export", "--format", "header", "--profile", "p.json")
        self.assertIn("{sluice::swiglu.activation, sluice::swiglu.gated, sluice::WeightType::f16}", header)
        self.run_ok("tune", *CELL, "--kind", "swiglu", "--weights", "int8:64,int8:column,int4:32,mxfp4", "--rigor", "estimate",
                    "--profile", "q.json")
        header = self.succeed("export", "--format", "header", "--profile", "q.json")
        self.assertIn("sluice::swiglu.gated, sluice::WeightType::int8(64)}", header)
        self.assertIn("sluice::swiglu.gated, sluice::WeightType::int8(sluice::WeightType::whole_column)}", header)
        self.assertIn("sluice::swiglu.gated, sluice::WeightType::int4(32)}", header)
        self.assertIn("sluice::swiglu.gated, sluice::WeightType::mxfp4}", header)
        rows = list(csv.DictReader(io.StringIO(self.succeed("export", "--format", "csv", "--profile", "p.json"))))
        self.assertEqual([row["weights"] for row in rows], ["f16", "f16"])
        t4 = json.loads(self.succeed("export", "--format", "t4", "--profile", "p.json"))
        self.assertEqual({one["configuration"]["weights"] for one in t4["results"]}, {"f16"})

    def test_results_count_the_bytes_of_the_type(self):
        self.run_ok("bench", *CELL, "--kind", "swiglu", "--weights", "f32,bf16,f16,int8:32", "--samples", "3", "--no-profile",
                    "--out", "b.json")
        entries = json.loads((self.directory / "b.json").read_text())["benchmarks"]
        self.assertEqual([entry["weights"] for entry in entries], ["f32", "bf16", "f16", "int8:32"])
        isa = entries[0]["isa"]
        self.assertEqual([entry["name"] for entry in entries],
                         [f"ffn/swiglu/{isa}/96x160/M1/t1{suffix}" for suffix in ("", "/bf16", "/f16", "/int8:32")])
        for entry, size in zip(entries, (4, 2, 2, 1 + 2 / 32)):
            traffic = size * 3 * 96 * 160 + 4 * 2 * 96
            self.assertAlmostEqual(entry["bytes_per_second"] * entry["real_time"] * 1e-9 / traffic, 1, places=6)
        self.assertEqual(len({tuple(entry["sample_rounds"]) for entry in entries}), 1, "measured in the same rounds")
        accuracy = json.loads((self.directory / "b.json").read_text())["context"]["accuracy"]
        self.assertEqual([one["weights"] for one in accuracy],
                         [w for w in ("f32", "bf16", "f16", "int8:32") for _ in range(3)])
        self.assertEqual({one["rounded_weights"] > 0 for one in accuracy if one["weights"] != "f32"}, {True})

    def test_verify_checks_each_type(self):
        rows = json.loads(self.succeed("verify", "--d-model", "48", "--d-ff", "80", "--m", "3", "--kind", "swiglu",
                                       "--weights", "f32,bf16,f16,int8:32,int8:column", "--isa", "scalar", "--json"))["kernels"]
        self.assertEqual([row["name"] for row in rows], ["scalar/swiglu", "scalar/swiglu/bf16", "scalar/swiglu/f16",
                                                          "scalar/swiglu/int8:32", "scalar/swiglu/int8:column"])
        self.assertTrue(all(row["passed"] for row in rows))
        self.assertEqual(len({row["digest"] for row in rows}), 5, "other weights, other answers")
        errors = {row["weights"]: row["accuracy"]["normal"]["rounded_weights"] for row in rows}
        self.assertEqual(errors["f32"], 0)
        self.assertLess(0, errors["f16"])
        self.assertLess(4 * errors["f16"], errors["bf16"])
        self.assertLess(errors["bf16"], errors["int8:32"])
        self.assertLess(errors["int8:32"], errors["int8:column"])
        for row in rows:
            for of in row["accuracy"].values():
                self.assertEqual("least_squares_weights" in of, row["weights"].startswith("int8"))

    def test_an_arithmetic_is_a_part_of_the_cell(self):
        self.run_ok("tune", *CELL, "--kind", "swiglu", "--weights", "f32,int8:32", "--arithmetic", "f32,int8",
                    "--budget", "3", "--profile", "p.json")
        self.assertEqual({(row["weights"], row["arithmetic"]) for row in self.plans("p.json")},
                         {("f32", "f32"), ("int8:32", "f32"), ("int8:32", "int8")}, "f32 by int8 does not exist")
        header = self.succeed("export", "--format", "header", "--profile", "p.json")
        self.assertIn("sluice::WeightType::int8(32), sluice::Arithmetic::int8}", header)
        told = json.loads(self.succeed("info", *CELL, "--kind", "swiglu", "--weights", "int8:32", "--arithmetic",
                                       "int8,int16", "--profile", "p.json", "--json"))
        self.assertEqual([(plan["arithmetic"], plan["origin"]) for plan in told["plans"]],
                         [("int8", "exact"), ("int16", "analytical")])
        self.run_ok("bench", *CELL, "--kind", "swiglu", "--weights", "f32,bf16,int8:32", "--arithmetic",
                    "f32,int8,int16,bf16", "--samples", "3", "--no-profile", "--out", "b.json")
        results = json.loads((self.directory / "b.json").read_text())
        isa = results["benchmarks"][0]["isa"]
        self.assertEqual([entry["name"] for entry in results["benchmarks"]],
                         [f"ffn/swiglu/{isa}/96x160/M1/t1{suffix}" for suffix in (
                             "", "/bf16", "/bf16/bf16", "/int8:32", "/int8:32/int8", "/int8:32/int16")])
        self.assertEqual([entry["arithmetic"] for entry in results["benchmarks"]],
                         ["f32", "f32", "bf16", "f32", "int8", "int16"])
        self.run_ok("report", "--results", "b.json", "--profile", "p.json", "--out", "report")
        text = (self.directory / "report" / "report.md").read_text()
        self.assertIn("int8:32/int16", text)

    def test_verify_tells_the_error_of_quantised_activations(self):
        rows = json.loads(self.succeed("verify", "--d-model", "48", "--d-ff", "80", "--m", "3", "--kind", "swiglu",
                                       "--weights", "bf16,int8:32", "--arithmetic", "f32,int8,int16,bf16",
                                       "--json"))["kernels"]
        self.assertTrue(all(row["passed"] for row in rows))
        errors = {row["arithmetic"]: row["accuracy"]["normal"]["quantised_activations"] for row in rows}
        self.assertLess(errors["int16"], errors["bf16"])
        self.assertLess(errors["bf16"], errors["int8"])
        self.assertEqual(errors["f32"], 0)
        self.assertLess(0, errors["int16"])
        self.assertLess(100 * errors["int16"], errors["int8"])

    def test_what_is_no_type_is_refused(self):
        for verb in ("tune", "bench", "verify", "info"):
            self.expect_failure(command.USAGE, verb, *CELL, "--weights", "float16", says=["float16", "f16"])
            self.expect_failure(command.USAGE, verb, *CELL, "--weights", "int8:16", says=["int8:16", "int8:32"])
            self.expect_failure(command.USAGE, verb, *CELL, "--arithmetic", "int4", says=["int4", "int16"])
            self.expect_failure(command.USAGE, verb, *CELL, "--weights", "bf16", "--arithmetic", "int8",
                                says=["--arithmetic int8", "--weights int8:32"])
            self.expect_failure(command.USAGE, verb, *CELL, "--weights", "int8:32", "--arithmetic", "bf16",
                                says=["--arithmetic bf16", "--weights bf16"])


if __name__ == "__main__":
    unittest.main()

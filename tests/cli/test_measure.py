"""The verbs that measure: tune and bench. Shapes are tiny; no speed is asserted."""

import json
import math
import unittest

import command

SMALL = ["--d-model", "96", "--d-ff", "160", "--m", "1,9", "--threads", "1"]
INTERRUPTED = 130


def finite(value):
    if isinstance(value, dict):
        return all(finite(part) for part in value.values())
    if isinstance(value, list):
        return all(finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


class MeasureTest(command.CommandTest):
    def measure(self, *arguments, **options):
        """Like succeed(), but progress may stand on stderr."""
        result = self.run_sluice(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


class TuneTest(MeasureTest):
    def test_writes_a_profile_that_every_verb_reads(self):
        text = self.measure("tune", *SMALL, "--kind", "swiglu,relu", "--budget", "2", "--profile", "new/p.json")
        self.assertIn("new/p.json", text)
        profile = json.loads((self.directory / "new/p.json").read_text())
        cells = {(row["kind"], row["d_model"], row["d_ff"], row["m"], row["max_threads"]) for row in profile["plans"]}
        # M = 9 is served by its bucket, 16.
        self.assertEqual(cells, {(kind, 96, 160, m, 1) for kind in ("swiglu", "relu") for m in (1, 16)})
        for row in profile["plans"]:
            self.assertGreater(row["measured"]["roof_fraction"], 0)
            self.assertIn(row["measured"]["verdict"], ("faster", "default"))
        self.assertEqual(len({row["plan"]["nr"] for row in profile["plans"] if row["kind"] == "swiglu"}), 1)
        self.assertTrue(profile["roofs"]["fma"] and profile["roofs"]["read"])
        self.assertIn("swiglu", self.succeed("export", "--format", "header", "--profile", "new/p.json"))
        plan = json.loads(self.measure("bench", *SMALL, "--kind", "swiglu", "--samples", "2", "--profile",
                                       "new/p.json", "--json"))["benchmarks"][0]
        self.assertEqual(plan["plan_origin"], "exact")

    def test_a_second_run_adds_cells_and_keeps_the_width(self):
        base = ["tune", "--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1", "--budget", "1",
                "--profile", "p.json"]
        self.measure(*base, "--m", "1")
        self.measure(*base, "--m", "32")
        rows = json.loads((self.directory / "p.json").read_text())["plans"]
        self.assertEqual([row["m"] for row in rows], [1, 32])
        self.assertEqual(len({row["plan"]["nr"] for row in rows}), 1)

    def test_json_is_the_profile(self):
        text = self.measure("tune", "--d-model", "64", "--d-ff", "64", "--kind", "glu", "--m", "2", "--threads", "1",
                            "--budget", "1", "--profile", "p.json", "--json")
        self.assertEqual(json.loads(text)["plans"], json.loads((self.directory / "p.json").read_text())["plans"])

    def test_refusals(self):
        self.expect_bad_selectors_refused("tune")
        self.expect_failure(command.USAGE, "tune", "--budget", "0", says=["--budget"])
        self.expect_failure(command.USAGE, "tune", "--equal", "height", says=["height", "width"])
        self.write("foreign.json", "{}")
        self.expect_failure(command.FILE, "tune", *SMALL, "--profile", "foreign.json", says=["foreign.json"])
        self.expect_failure(command.FILE, "tune", *SMALL, "--profile", "foreign.json/p.json", says=["foreign.json"])

    def test_interruption_keeps_what_is_done(self):
        code, output, errors = self.interrupt("tune", "--d-model", "256", "--d-ff", "512", "--m",
                                              "1,2,4,8,16,32,64,128", "--threads", "1", "--budget", "60", "--profile",
                                              "p.json")
        self.assertEqual(code, INTERRUPTED, errors)
        self.assertEqual(output, "")
        self.assertIn("interrupted", errors.splitlines()[-1])
        kept = self.directory / "p.json"
        if kept.exists():
            self.assertIn(f"{len(json.loads(kept.read_text())['plans'])} of 16 cells", errors)
        journals = {name for name in self.files() if name.startswith("p.json.") and name.endswith(".journal")}
        self.assertEqual(len(journals), 1)
        self.assertLessEqual(set(self.files()), {"p.json", "p.json.lock"} | journals)


class BenchTest(MeasureTest):
    def test_results_have_the_promised_form(self):
        text = self.measure("bench", *SMALL, "--kind", "swiglu,relu", "--samples", "3", "--json")
        results = json.loads(text)
        self.assertTrue(finite(results))
        isa = json.loads(self.succeed("info", "--json"))["machine"]["isas"][-1]
        names = [entry["name"] for entry in results["benchmarks"]]
        self.assertEqual(names, [f"ffn/{kind}/{isa}/96x160/M{m}/t1" for m in (1, 9) for kind in ("swiglu", "relu")])
        for entry in results["benchmarks"]:
            self.assertEqual(entry["run_type"], "iteration")
            self.assertEqual((entry["weights"], entry["isa"], entry["threads"]), ("f32", isa, 1))
            self.assertEqual(len(entry["samples_ns"]), len(entry["sample_rounds"]))
            self.assertEqual(entry["iterations"], 3)
            for field in ("samples_ns", "sample_contended", "sample_probes"):
                self.assertEqual(len(entry[field]), 3)
            work = (6 if entry["kind"] == "swiglu" else 4) * entry["m"] * 96 * 160
            self.assertAlmostEqual(entry["flops"] * entry["real_time"] * 1e-9 / work, 1, places=6)
            traffic = 4 * ((3 if entry["kind"] == "swiglu" else 2) * 96 * 160 + 2 * entry["m"] * 96)
            self.assertAlmostEqual(entry["bytes_per_second"] * entry["real_time"] * 1e-9 / traffic, 1, places=6)
            self.assertEqual(entry["roof_fraction"], entry[{"fma": "fma_fraction", "read": "read_fraction"}[
                entry["roof"]]])
        context = results["context"]
        self.assertEqual(context["command"][:2], ["sluice", "bench"])
        self.assertIsNone(context["profile"])
        self.assertTrue(context["roofs"]["fma"])

    def test_long_forwards_are_sampled_in_portions(self):
        cells = ["--d-model", "512", "--d-ff", "512", "--m", "16384", "--threads", "1", "--kind", "swiglu,relu"]
        results = json.loads(self.measure("bench", *cells, "--samples", "30", "--json"))
        peak = max(roof["flops"] for roof in results["context"]["roofs"]["fma"])
        longest = 6 * 512 * 512 * 16384 / peak
        if longest < 0.04:
            self.skipTest("too fast for this to be long")
        portions = {entry["portions"] for entry in results["benchmarks"]}
        self.assertEqual(len(portions), 1)
        self.assertGreater(portions.pop(), 1)
        for entry in results["benchmarks"]:
            self.assertEqual(len(entry["samples_ns"]), 30)
            self.assertEqual(entry["whole_rounds"][0], 0)
            self.assertEqual(len(entry["whole_rounds"]), len(entry["wholes_ns"]))
            # A portion would be a quarter of this or less, which not even a loud machine explains.
            self.assertLess(min(entry["wholes_ns"]) / max(entry["samples_ns"]), 3)
            self.assertGreater(max(entry["wholes_ns"]) / min(entry["samples_ns"]), 0.5)

    def test_out_is_a_file_and_a_table(self):
        text = self.measure("bench", *SMALL, "--kind", "glu", "--samples", "1", "--out", "a/r.json")
        self.assertIn("ffn/glu/", text)
        self.assertEqual(len(json.loads((self.directory / "a/r.json").read_text())["benchmarks"]), 2)

    def test_equal_sizes_the_baseline(self):
        text = self.measure("bench", "--d-model", "64", "--d-ff", "64", "--m", "1", "--threads", "1", "--kind",
                            "swiglu,relu", "--equal", "width,budget", "--samples", "1", "--json")
        shapes = [(entry["kind"], entry["d_ff"]) for entry in json.loads(text)["benchmarks"]]
        self.assertEqual(shapes, [("swiglu", 64), ("relu", 64), ("relu", 96)])

    def test_google_benchmark_flags(self):
        names = self.measure("bench", *SMALL, "--kind", "swiglu,relu", "--benchmark_list_tests").split()
        self.assertEqual(len(names), 4)
        text = self.measure("bench", *SMALL, "--kind", "swiglu,relu", "--samples", "1", "--json",
                            "--benchmark_filter=relu/.*/M9/t1$")
        self.assertEqual([entry["name"] for entry in json.loads(text)["benchmarks"]],
                         [name for name in names if "relu" in name and "M9" in name])
        self.expect_failure(command.USAGE, "bench", *SMALL, "--benchmark_repetitions=3", says=["repetitions"])
        self.expect_failure(command.USAGE, "bench", *SMALL, "--benchmark_filter=nothing", says=["nothing"])
        self.expect_failure(command.USAGE, "bench", *SMALL, "--benchmark_filter=(", says=["("])

    def test_phases_are_shares_of_the_time(self):
        arguments = ["bench", *SMALL, "--kind", "swiglu", "--samples", "2", "--phases", "--no-profile"]
        for entry in json.loads(self.measure(*arguments, "--json"))["benchmarks"]:
            self.assertEqual(list(entry["phases"]), ["pack", "up", "gate", "down", "unpack", "wait", "call"])
            self.assertAlmostEqual(sum(entry["phases"].values()), 1, places=9)
            self.assertGreater(entry["phases"]["up"], 0)
            self.assertEqual(entry["phases"]["wait"], 0)  # one thread
        self.assertRegex(self.measure(*arguments), r"\n +pack [0-9.]+ %, up [0-9.]+ %, .*call [0-9.]+ %\n")
        without = self.measure("bench", *SMALL, "--kind", "swiglu", "--samples", "2", "--no-profile", "--json")
        self.assertNotIn("phases", json.loads(without)["benchmarks"][0])

    def test_hot_weights_have_a_roof_of_their_own(self):
        shape = ["--d-model", "96", "--d-ff", "160", "--m", "1", "--threads", "1", "--no-profile"]
        text = self.measure("bench", *shape, "--kind", "swiglu", "--samples", "2", "--hot", "--json")
        context = json.loads(text)["context"]
        self.assertFalse(context["measurement"]["cold"])
        hot, cold = (roof["footprint_bytes"] for roof in context["roofs"]["read"])
        self.assertGreaterEqual(hot, 3 * 96 * 160 * 4)  # the weights, and what pads them
        self.assertLess(hot, 6 * 96 * 160 * 4)
        self.assertGreater(cold, 2**26)

    def test_micro_benchmarks(self):
        isa = json.loads(self.succeed("info", "--json"))["machine"]["isas"][-1]
        names = self.measure("bench", "--micro", "--threads", "1", "--benchmark_list_tests").split()
        self.assertEqual(len(names), len(set(names)))
        self.assertIn(f"micro/epilogue/{isa}/swiglu", names)
        self.assertFalse([name for name in names if "barrier" in name])
        text = self.measure("bench", "--micro", "--samples", "2", "--json",
                            "--benchmark_filter=(epilogue.*/swiglu|pack_x.*/768|microkernel.*/1x[0-9]+/L1|"
                            "/dot/.*/1x[0-9]+/L1/int4:32/int8|quantise/.*/int8:128/int16)$")
        results = json.loads(text)
        self.assertTrue(finite(results))
        self.assertTrue(results["context"]["roofs"]["fma"])
        groups = {entry["micro"]: entry for entry in results["benchmarks"]}
        self.assertEqual(set(groups), {"microkernel", "pack_x", "epilogue", "dot", "quantise"})
        self.assertGreater(groups["microkernel"]["fma_fraction"], 0)
        self.assertGreater(groups["dot"]["dot_fraction"], 0)
        self.assertEqual((groups["dot"]["weights"], groups["dot"]["arithmetic"]), ("int4:32", "int8"))
        self.assertGreater(groups["quantise"]["ns_per_element"], 0)
        for group in ("pack_x", "epilogue"):
            self.assertGreater(groups[group]["ns_per_element"], 0)
            self.assertGreater(groups[group]["bytes_per_second"], 0)
        self.assertIn("ns per element", self.measure("bench", "--micro", "--samples", "1",
                                                     "--benchmark_filter=epilogue.*/swiglu$"))
        for arguments in (["--kind", "relu"], ["--m", "8"], ["--model", "gpt2"], ["--d-model", "8", "--d-ff", "8"],
                          ["--phases"], ["--hot"], ["--peers"], ["--budget", "1"], ["--seed", "1"]):
            self.expect_failure(command.USAGE, "bench", "--micro", *arguments, says=["--micro", arguments[0]])

    def test_forced_isa(self):
        isas = json.loads(self.succeed("info", "--json"))["machine"]["isas"]
        for isa in isas:
            text = self.measure("bench", "--d-model", "32", "--d-ff", "32", "--m", "1", "--threads", "1", "--kind",
                                "silu", "--samples", "1", "--isa", isa, "--json")
            self.assertEqual([entry["isa"] for entry in json.loads(text)["benchmarks"]], [isa])

    def test_too_few_undisturbed_samples_for_who_asks(self):
        # A cell with one sample cannot have four undisturbed ones.
        arguments = ["bench", *SMALL, "--kind", "swiglu", "--samples", "1", "--require-calm", "4", "--json"]
        result = self.run_sluice(*arguments)
        self.assertEqual(result.returncode, command.UNSUPPORTED, result.stderr)
        self.assertIn("--require-calm", result.stderr.splitlines()[-1])
        self.assertEqual(len(json.loads(result.stdout)["benchmarks"]), 2)  # nothing measured is lost

    def test_another_machines_profile_is_a_warning(self):
        machine = self.this_machine()
        machine["fingerprint"] = "0123456789abcdef"
        machine["cpu"] = "another"
        self.write("p.json", command.profile(machine, [command.plan_row()]))
        result = self.run_sluice("bench", *SMALL, "--kind", "swiglu", "--samples", "1", "--json", "--profile",
                                 "p.json", "--isa", "scalar")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning", result.stderr)
        context = json.loads(result.stdout)["context"]
        self.assertFalse(context["profile"]["matches_machine"])

    def test_refusals(self):
        self.expect_bad_selectors_refused("bench")
        self.expect_failure(command.USAGE, "bench", *SMALL, "--budget", "soon", says=["--budget soon", "2min"])
        self.expect_bad_profiles_refused("bench", *SMALL)
        self.expect_failure(command.USAGE, "bench", "--samples", "0", says=["--samples"])

    def test_interruption(self):
        code, output, errors = self.interrupt("bench", "--d-model", "512", "--d-ff", "2048", "--m", "64,128,256,512",
                                              "--kind", "swiglu", "--threads", "1", "--samples", "100000", "--out",
                                              "r.json")
        self.assertEqual(code, INTERRUPTED, errors)
        self.assertIn("interrupted", errors.splitlines()[-1])
        results = json.loads((self.directory / "r.json").read_text())
        self.assertTrue(finite(results))
        # Rounds go over all cells, so at any moment each cell that was begun has samples and none has all of them.
        self.assertEqual(results["context"]["measurement"]["cells_reported"], len(results["benchmarks"]))
        for entry in results["benchmarks"]:
            self.assertTrue(0 < len(entry["samples_ns"]) < 100000)


if __name__ == "__main__":
    unittest.main()

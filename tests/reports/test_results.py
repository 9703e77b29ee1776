"""Reading and checking the files: what is accepted, and what a refusal says."""

import math
import statistics
import unittest

import fixtures
from fixtures import Desk
from reports.data.documents import InputError
from reports.data.results import load_profile, load_results


class Reading(unittest.TestCase):
    def setUp(self):
        self.desk = Desk()
        self.addCleanup(self.desk.close)
        self.results = str(self.desk.root / "out" / "results.json")
        self.profile = str(self.desk.root / "out" / "profile.json")

    def refusal(self, loader, name, document):
        self.desk.write(name, document)
        with self.assertRaises(InputError) as caught:
            loader(str(self.desk.root / "out" / name))
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def changed(self, **change):
        return fixtures.results([fixtures.cell() | change])

    def test_values_survive(self):
        entry = fixtures.cell(m=16, threads=2)
        self.desk.write("results.json", fixtures.results([entry]))
        (cell,) = load_results(self.results).cells
        self.assertEqual(cell.samples, dict(zip(entry["sample_rounds"], entry["samples_ns"])))
        self.assertEqual((cell.m, cell.threads, cell.time_ns, cell.roof), (16, 2, entry["real_time"], entry["roof"]))
        self.assertEqual(cell.contended_samples, sum(entry["sample_contended"]))
        self.assertAlmostEqual(cell.contended_share, statistics.fmean(entry["sample_contended"]))
        self.assertEqual(len(cell.probes), len(entry["samples_ns"]))
        for probe, pair in zip(cell.probes, entry["sample_probes"]):
            self.assertAlmostEqual(math.exp(probe) / statistics.geometric_mean(pair), 1)

    def test_an_older_file_keeps_contended_samples_apart(self):
        entry = fixtures.cell(m=16, threads=2, old=True)
        self.desk.write("results.json", fixtures.results([entry]))
        (cell,) = load_results(self.results).cells
        calm, apart = len(entry["samples_ns"]), len(entry["contended_samples_ns"])
        self.assertGreater(apart, 0)
        self.assertEqual((len(cell.samples), cell.contended_samples, cell.probes), (calm, apart, ()))
        self.assertAlmostEqual(cell.contended_share, apart / (calm + apart))

    def test_portions_and_wholes(self):
        self.desk.write("results.json", self.changed(portions=4, wholes_ns=[5.0, 6.0], whole_rounds=[0, 24]))
        (cell,) = load_results(self.results).cells
        self.assertEqual((cell.portions, cell.wholes), (4, {0: 5.0, 24: 6.0}))
        self.desk.write("results.json", self.changed())
        (cell,) = load_results(self.results).cells
        self.assertEqual((cell.portions, cell.wholes), (1, {}))

    def test_time_units_become_nanoseconds(self):
        self.desk.write("results.json", self.changed(real_time=2.5, time_unit="ms"))
        self.assertEqual(load_results(self.results).cells[0].time_ns, 2.5e6)

    def test_wrong_values_are_named(self):
        for change, words in (
                ({"m": 0}, "benchmarks[0].m is 0"), ({"m": "64"}, "benchmarks[0].m"), ({"d_ff": True}, "d_ff is true"),
                ({"real_time": 0.0}, "real_time is 0.0"), ({"flops": None}, "flops is null"),
                ({"samples_ns": [1.0, 0], "sample_rounds": [1, 2]}, "samples_ns[1] is 0"),
                ({"sample_rounds": [1]}, "sample_rounds is 1"),
                ({"portions": 0}, "benchmarks[0].portions is 0"), ({"wholes_ns": [1.0]}, "whole_rounds is 0"),
                ({"sample_contended": [True]}, "sample_contended is [true]"),
                ({"sample_contended": [0] * 24}, "sample_contended is [0"),
                ({"sample_probes": [[1.0]]}, "sample_probes[0] is [1.0]"),
                ({"sample_probes": [[1.0, -1.0]]}, "sample_probes[0] is -1.0"),
                ({"samples_ns": [1.0, 2.0], "sample_rounds": [3, 3]}, "at most once"),
                ({"time_unit": "days"}, "time_unit"), ({"roof": "tin"}, "roof"), ({"models": "t5"}, "models")):
            with self.subTest(change=change):
                self.assertIn(words, self.refusal(load_results, "results.json", self.changed(**change)))

    def test_damaged_accuracy_is_left_out_and_said(self):
        good = {"kind": "swiglu", "weights": "bf16", "operands": "normal", "arithmetic": 1e-7, "rounded_weights": 3e-3}
        for change, words in (({}, ""), ({"operands": "odd"}, "operands"), ({"arithmetic": -1}, "arithmetic is -1"),
                              ({"rounded_weights": True}, "rounded_weights is true"), ({"weights": 3}, "weights")):
            with self.subTest(change=change):
                document = fixtures.results([fixtures.cell()])
                document["context"]["accuracy"] = [good | change]
                self.desk.write("results.json", document)
                results = load_results(self.results)
                self.assertEqual(len(results.accuracy), 0 if change else 1)
                self.assertEqual(len(results.cells), 1)
                self.assertIn(words, " ".join(results.skipped))

    def test_damaged_files(self):
        for text in ("", "{", '{"context": {}, "benchmarks": [', "[1]", "nul", '{"benchmarks": [NaN]}', "[" * 100000,
                     '{"benchmarks": ["\\ud800"]}', '{"benchmarks": {}}', '{"context": 3, "benchmarks": []}', "{}"):
            with self.subTest(text=text[:20]):
                self.refusal(load_results, "results.json", text)
                self.refusal(load_profile, "profile.json", text)

    def test_newer_and_senseless_schema(self):
        for version in (2, 99):
            self.assertIn("update sluice", self.refusal(
                load_profile, "profile.json", fixtures.profile() | {"schema_version": version}))
            self.assertIn("update sluice", self.refusal(
                load_results, "results.json", fixtures.results([]) | {"schema_version": version}))
        for version in (0, "1", None, True):
            self.assertIn("schema_version", self.refusal(
                load_profile, "profile.json", fixtures.profile() | {"schema_version": version}))

    def test_swapped_files_are_told(self):
        self.assertIn("swap", self.refusal(load_profile, "profile.json", fixtures.results([])))
        self.assertIn("swap", self.refusal(load_results, "results.json", fixtures.profile()))

    def test_foreign_entries_are_left_out_and_said(self):
        aggregate = fixtures.cell() | {"run_type": "aggregate"}
        peer = fixtures.cell() | {"name": "peer/openblas/swiglu"}
        unknown = fixtures.cell() | {"kind": "swishy"}
        self.desk.write("results.json", fixtures.results([aggregate, peer, unknown, fixtures.cell(), fixtures.cell()]))
        results = load_results(self.results)
        self.assertEqual(len(results.cells), 1)
        self.assertEqual(len(results.skipped), 4)

    def test_profile_plans_are_checked(self):
        broken = fixtures.plan()
        broken["measured"]["ratio_low"] = None
        self.assertIn("plans[0].measured.ratio_low", self.refusal(
            load_profile, "profile.json", fixtures.profile([broken])))
        self.desk.write("profile.json", fixtures.profile([fixtures.plan(measured=False) | {"plan": None}]))
        self.assertIsNone(load_profile(self.profile).plans[0]["measured"])


if __name__ == "__main__":
    unittest.main()

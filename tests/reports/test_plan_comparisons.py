"""Cells measured with a baseline plan: read separately, paired by round, shown beside the tuner's promise."""

import math
import re
import unittest

import fixtures
from fixtures import Desk, against
from reports.data.results import InputError, load_results
from reports.pages import plan_comparison_tables
from reports.statistics import plan_comparisons
from reports.statistics.comparison import compare
from reports.statistics.run_pairs import Run, compare_runs

class PlanComparisons(unittest.TestCase):
    def desk(self, *entries):
        desk = Desk(results_document=fixtures.results(list(entries)))
        self.addCleanup(desk.close)
        return desk

    def read(self, *entries):
        desk = self.desk(*entries)
        return load_results(str(desk.root / "out" / "results.json"))

    def test_a_baseline_plans_cell_is_not_ours(self):
        swiglu = against("default", fixtures.cell(), 1.1)
        relu = against("default", fixtures.cell("relu", d_ff=8448), 1.2)
        results = self.read(*swiglu, *relu)
        self.assertEqual([cell.rival for cell in results.cells], [None, None])
        self.assertEqual([cell.name for cell in results.baseline_plan_cells], [swiglu[1]["name"], relu[1]["name"]])
        self.assertEqual((results.peers, results.skipped), ([], []))
        (toll,) = compare(results.cells)
        self.assertIsNone(toll.gated.rival or toll.baseline.rival)

    def test_plans_are_paired_by_round(self):
        entries = [*against("default", fixtures.cell(m=1), 1.25), *against("default", fixtures.cell(m=64), 0.8),
                   *against("default", fixtures.cell(m=16))]
        results = self.read(*entries)
        (comparison,) = plan_comparisons.beside(results.cells, results.baseline_plan_cells)
        self.assertEqual([pair.own.m for pair in comparison.cells], [1, 16, 64])
        self.assertEqual([pair.verdict for pair in comparison.cells], ["faster", "same plan", "slower"])
        self.assertAlmostEqual(comparison.cells[0].estimate.ratio, 0.8, delta=0.003)
        self.assertEqual(comparison.cells[0].estimate.pairs, len(entries[0]["samples_ns"]))
        self.assertEqual(comparison.cells[1].estimate.ratio, 1)
        self.assertAlmostEqual(comparison.mean, 1, delta=0.003)
        self.assertIsNone(comparison.kept)

    def test_each_baseline_has_a_table_with_the_promise_beside_it(self):
        desk = self.desk(*against("default", fixtures.cell(m=1), 1.25, fixtures.promise()),
                         *against("default", fixtures.cell(m=16), None, fixtures.promise(0.9, 1.111, "broken")),
                         *against("best.json", fixtures.cell(m=64), 0.97, fixtures.promise(in_place=None)))
        page = desk.undrawn()
        self.assertIn("Against the analytical default, in place", page)
        self.assertIn("Against best.json, in place", page)
        self.assertIn("What the tuner promised", page)
        printed = dict(re.findall(r'data-source="([^"]*)"[^>]*>([^<]*)<', page))
        self.assertAlmostEqual(float(printed["ratio benchmarks[0] benchmarks[1]"]), 0.8, delta=0.003)
        self.assertAlmostEqual(float(printed["ratio benchmarks[3] benchmarks[4]"]), 1 / 0.97, delta=0.003)
        self.assertEqual(printed["benchmarks[0].against.promise.ratio_to_default"], "0.871")
        self.assertEqual(printed["benchmarks[0].against.promise.in_place.ratio"], "0.993")
        self.assertEqual(printed["in_place_interval benchmarks[0].against.promise.in_place"], "[0.983, 1.003]")
        self.assertEqual(printed["benchmarks[3].against.promise.roof_in_place"], "0.981")
        self.assertEqual(printed["benchmarks[2].against.ratio"], "1.000")
        # With another baseline, the ratio to the default is no promise.
        self.assertNotIn("benchmarks[3].against.promise.ratio_to_default", printed)
        self.assertIn("faster in 1, same plan in 1 of 2 cells. The ratio is 1.050 times the promised one (geometric "
                      "mean); the promise is kept in 1, broken in 1.", re.sub("<[^>]*>", "", page))

    def test_without_baseline_plans_nothing_speaks_of_them(self):
        page = self.desk(fixtures.cell()).undrawn()
        self.assertNotIn("table-baseline-plan", page)
        self.assertNotIn("What the tuner promised", page)

    def test_pairs_that_do_not_share_a_round_have_no_ratio(self):
        own, baseline = against("default", fixtures.cell(), 1.1)
        baseline["sample_rounds"] = [number + 1000 for number in baseline["sample_rounds"]]
        results = self.read(own, baseline)
        (comparison,) = plan_comparisons.beside(results.cells, results.baseline_plan_cells)
        self.assertEqual((comparison.mean, comparison.cells[0].verdict), (None, "inconclusive"))
        self.assertEqual(plan_comparison_tables.sentence(comparison), "inconclusive in 1 of 1 cells.")

    def test_a_damaged_comparison_is_named(self):
        own, _ = against("default", fixtures.cell(), 1.1)
        for change, words in (({"rival": 3}, "against.rival"), ({"same_plan": 1}, "against.same_plan"),
                              ({"same_plan": True, "ratio": 0.9}, "against.ratio"),
                              ({"promise": fixtures.promise(math.inf)}, "promise.ratio_to_default"),
                              ({"promise": fixtures.promise(in_place=math.inf)}, "promise.in_place.ratio"),
                              ({"promise": fixtures.promise(verdict="good")}, "promise.in_place.verdict"),
                              ({"promise": 3}, "against.promise")):
            with self.subTest(change=change), self.assertRaises(InputError) as caught:
                self.read(own | {"against": own["against"] | change})
            self.assertIn(words, str(caught.exception))

    def test_compare_leaves_them_out_and_says_so(self):
        before = self.read(*against("default", fixtures.cell(), 1.1))
        after = self.read(fixtures.cell())
        comparison = compare_runs(Run("a", before), Run("b", after))
        self.assertEqual(len(comparison.pairs), 1)
        self.assertEqual((comparison.only_before, comparison.only_after), ([], []))
        self.assertTrue(any("1 cells with a baseline plan" in note for note in comparison.notes))


if __name__ == "__main__":
    unittest.main()

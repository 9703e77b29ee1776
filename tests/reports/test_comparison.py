"""The statistics and the pairing, on data whose answer is known."""

import math
import unittest

import fixtures  # noqa: F401  (puts reports/ on the path)
from comparison import Estimate, compare, comparison_kind, judge, paired_ratio, pooled, t_quantile, workloads
from records import Cell


def cell(kind="swiglu", d_ff=200, m=4, isa="avx2", threads=1, samples=None, weights="f32", d_model=100):
    return Cell(f"ffn/{kind}/{isa}/{d_model}x{d_ff}/M{m}/t{threads}", kind, isa, weights, d_model, d_ff, m, threads, (),
                time_ns=1.0, flops=1.0, bytes_per_second=1.0, samples=samples or {})


class PairedRatio(unittest.TestCase):
    def test_geometric_mean_and_student_interval(self):
        # Log-ratios 0.1, 0.2, 0.3: mean 0.2, standard deviation 0.1, t(2) = 4.302652730.
        estimate = paired_ratio({n: math.exp(0.1 * n) for n in (1, 2, 3)}, {n: 1.0 for n in (1, 2, 3)})
        half = 4.302652730 * 0.1 / math.sqrt(3)
        self.assertEqual(estimate.pairs, 3)
        self.assertAlmostEqual(estimate.ratio, math.exp(0.2), places=12)
        self.assertAlmostEqual(estimate.half_width, half, places=9)
        self.assertAlmostEqual(estimate.low, math.exp(0.2 - half), places=9)
        self.assertAlmostEqual(estimate.high, math.exp(0.2 + half), places=9)

    def test_only_equal_rounds_are_paired(self):
        # In rounds both have, the ratio is exactly 2; any other pairing would meet the wild samples.
        numerator = {0: 9e9, 2: 20.0, 3: 40.0, 7: 60.0}
        denominator = {1: 1e-9, 2: 10.0, 3: 20.0, 7: 30.0, 9: 5e9}
        estimate = paired_ratio(numerator, denominator)
        self.assertEqual(estimate.pairs, 3)
        self.assertAlmostEqual(estimate.ratio, 2.0, places=12)
        self.assertAlmostEqual(estimate.half_width, 0.0, places=12)

    def test_drift_shared_by_a_round_cancels(self):
        levels = [1.0, 5.0, 0.2, 3.0, 40.0]
        estimate = paired_ratio({n: 1.01 * level for n, level in enumerate(levels)}, dict(enumerate(levels)))
        self.assertAlmostEqual(estimate.ratio, 1.01, places=12)
        self.assertLess(estimate.half_width, 1e-9)

    def test_too_few_pairs(self):
        self.assertEqual(paired_ratio({1: 2.0}, {2: 1.0}), Estimate(0))
        one = paired_ratio({1: 3.0}, {1: 2.0})
        self.assertEqual((one.pairs, one.half_width), (1, None))
        self.assertAlmostEqual(one.ratio, 1.5)

    def test_a_burst_in_one_of_ten_rounds_is_left_out(self):
        ones = {number: 100.0 for number in range(20)}
        estimate = paired_ratio({**ones, 3: 300.0, 11: 200.0}, ones)
        self.assertAlmostEqual(estimate.ratio, 1)
        self.assertEqual(estimate.pairs, 20)

    def test_pooling_weighs_by_precision(self):
        sharp = Estimate(9, 1.0, 0.99, 1.01, 0.01)
        blunt = Estimate(9, 2.0, 1.8, 2.2, 0.1)
        both = pooled([sharp, blunt, Estimate(0)])
        self.assertAlmostEqual(both.ratio, 2 ** (1 / 101))
        self.assertLess(both.half_width, 0.01)
        self.assertIsNone(pooled([]).ratio)

    def test_quantiles(self):
        for freedom, quantile in ((1, 12.7062), (10, 2.2281), (30, 2.0423), (31, 2.03951), (40, 2.02108),
                                  (60, 2.00030), (120, 1.97993), (10**6, 1.95997)):
            self.assertAlmostEqual(t_quantile(freedom), quantile, places=4)
        quantiles = [t_quantile(freedom) for freedom in range(1, 200)]
        self.assertEqual(quantiles, sorted(quantiles, reverse=True))


class Verdict(unittest.TestCase):
    def estimate(self, ratio, half):
        return Estimate(10, ratio, ratio * math.exp(-half), ratio * math.exp(half), half)

    def test_against_one(self):
        self.assertEqual(judge(self.estimate(1.003, 0.005)), "tied")
        self.assertEqual(judge(self.estimate(1.003, 0.010)), "tied")
        self.assertEqual(judge(self.estimate(1.003, 0.011)), "inconclusive")
        self.assertEqual(judge(self.estimate(1.003, 0.002)), "slower")
        self.assertEqual(judge(self.estimate(0.90, 0.05)), "faster")

    def test_against_the_ideal_of_equal_width(self):
        self.assertEqual(judge(self.estimate(1.502, 0.005), 1.5), "tied")
        self.assertEqual(judge(self.estimate(1.45, 0.005), 1.5), "faster")

    def test_no_interval_is_never_a_pass(self):
        self.assertEqual(judge(Estimate(0)), "inconclusive")
        self.assertEqual(judge(Estimate(1, 1.0)), "inconclusive")


class Pairing(unittest.TestCase):
    def test_kind_of_comparison_comes_from_shapes(self):
        self.assertEqual(comparison_kind(cell(), cell("relu", 200)), "width")
        self.assertEqual(comparison_kind(cell(), cell("relu", 300)), "budget")
        for other in (cell("relu", 301), cell("relu", m=5), cell("relu", isa="avx512"), cell("relu", threads=2),
                      cell("relu", weights="bf16"), cell("relu", d_model=101), cell("reglu")):
            self.assertIsNone(comparison_kind(cell(), other))
        self.assertIsNone(comparison_kind(cell("relu"), cell("relu", 300)))

    def test_an_odd_width_has_no_equal_budget(self):
        self.assertIsNone(comparison_kind(cell(d_ff=201), cell("relu", 301)))

    def test_compare_takes_relu_alone_as_baseline(self):
        rounds = {1: 2.0, 2: 2.0}
        found = compare([cell(samples=rounds), cell("relu", 300, samples=rounds), cell("gelu", 300, samples=rounds),
                         cell("relu", 200, samples={1: 1.0, 2: 1.0})])
        self.assertEqual([(one.what, one.baseline.kind, one.baseline.d_ff) for one in found],
                         [("budget", "relu", 300), ("width", "relu", 200)])
        self.assertAlmostEqual(found[0].toll, 0.0)
        self.assertIsNone(found[1].toll)
        self.assertAlmostEqual(found[1].estimate.ratio, 2.0)

    def test_workloads_are_gated_shapes_and_lone_plain_shapes(self):
        found = workloads([cell(), cell("relu", 300), cell("relu", 200), cell("relu", 999)])
        self.assertEqual([workload.shape for workload in found], ["100×200", "100×999"])


if __name__ == "__main__":
    unittest.main()

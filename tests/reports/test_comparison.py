"""The statistics and the pairing, on data whose answer is known."""

import math
import random
import unittest

import fixtures  # noqa: F401  (puts reports/ on the path)
from paired import signed_rank
from reports.data.records import Cell
from reports.statistics.comparison import (
    Comparison, Estimate, compare, comparison_kind, judge, paired_ratio, pooled, workloads)
from reports.statistics.signed_rank import centre, signed_rank_bound, t_quantile


def cell(kind="swiglu", d_ff=200, m=4, isa="avx2", threads=1, samples=None, weights="f32", d_model=100):
    return Cell(f"ffn/{kind}/{isa}/{d_model}x{d_ff}/M{m}/t{threads}", kind, isa, weights, d_model, d_ff, m, threads, (),
                time_ns=1.0, flops=1.0, bytes_per_second=1.0, samples=samples or {})


class SignedRank(unittest.TestCase):
    def test_a_printed_example(self):
        # Darwin's fifteen pairs of maize plants, in eighths of an inch (Fisher, The Design of Experiments, 1935).
        differences = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
        self.assertEqual(signed_rank_bound(15), 26)
        middle, low, high = centre(differences)
        averages = sorted((one + other) / 2 for index, one in enumerate(differences) for other in differences[index:])
        self.assertEqual((middle, low, high), ((averages[59] + averages[60]) / 2, averages[25], averages[120 - 26]))
        self.assertEqual(middle, 25)

    def test_the_bounds_of_the_tables(self):
        # The critical values of the two-sided test at 5 %; the bound is the next number.
        for pairs, critical in ((6, 0), (7, 2), (8, 3), (10, 8), (15, 25), (20, 52), (25, 89), (30, 137)):
            self.assertEqual(signed_rank_bound(pairs), critical + 1)
        self.assertEqual([signed_rank_bound(pairs) for pairs in range(1, 6)], [0] * 5)

    def test_against_every_average_in_order(self):
        chance = random.Random(3)
        for count in (*range(1, 30), 40, 41, 60, 97):
            for values in ([chance.gauss(0, 1) for _ in range(count)], [chance.randrange(4) for _ in range(count)],
                           [chance.gauss(0, 1) ** 5 for _ in range(count)]):
                for one, other in zip(centre(values), signed_rank(values)):
                    self.assertTrue(one == other or math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-9), values)

    def test_the_level_holds_however_loud_it_is(self):
        # A neighbour halves the speed of one side of a pair for a while, so a third of the pairs is off by a factor of
        # two. The interval holds the truth in 95 of 100 cases, and the loud pairs widen it little.
        chance = random.Random(7)
        for count in (6, 12, 40, 90):
            held, repetitions = 0, 400
            for _ in range(repetitions):
                values = [0.02 + chance.gauss(0, 0.01) + chance.choice((0, 0, 0, 0, 0.7, -0.7)) * chance.random()
                          for _ in range(count)]
                _, low, high = centre(values)
                held += low <= 0.02 <= high
            self.assertGreater(held / repetitions, 0.95 - 3 * math.sqrt(0.05 * 0.95 / repetitions))
        self.assertLess(high - low, 0.02)

    def test_quantiles(self):
        for freedom, quantile in ((1, 12.7062), (10, 2.2281), (30, 2.0423), (31, 2.03951), (40, 2.02108),
                                  (60, 2.00030), (120, 1.97993), (10**6, 1.95997)):
            self.assertAlmostEqual(t_quantile(freedom), quantile, places=4)
        quantiles = [t_quantile(freedom) for freedom in range(1, 200)]
        self.assertEqual(quantiles, sorted(quantiles, reverse=True))


class PairedRatio(unittest.TestCase):
    def test_few_pairs_have_a_student_interval(self):
        # Log-ratios 0.1, 0.2, 0.3: centre 0.2, standard deviation 0.1, t(2) = 4.302652730.
        estimate = paired_ratio({n: math.exp(0.1 * n) for n in (1, 2, 3)}, {n: 1.0 for n in (1, 2, 3)})
        half = 4.302652730 * 0.1 / math.sqrt(3)
        self.assertEqual(estimate.pairs, 3)
        self.assertAlmostEqual(estimate.ratio, math.exp(0.2), places=12)
        self.assertAlmostEqual(estimate.half_width, half, places=9)
        self.assertAlmostEqual(estimate.low, math.exp(0.2 - half), places=9)
        self.assertAlmostEqual(estimate.high, math.exp(0.2 + half), places=9)

    def test_only_equal_rounds_are_paired(self):
        # The ratio is exactly 2 in the rounds that both have. Any other pairing would use the wild samples.
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

    def test_bursts_in_some_rounds_do_not_carry_it(self):
        ones = {number: 100.0 for number in range(20)}
        estimate = paired_ratio({**ones, 3: 300.0, 11: 200.0}, ones)
        self.assertAlmostEqual(estimate.ratio, 1)
        self.assertEqual(estimate.pairs, 20)


class Pooled(unittest.TestCase):
    def cells(self, *logs, half=0.003):
        return [Comparison("budget", cell(m=m), cell("relu", 300, m=m),
                           Estimate(30, math.exp(log), math.exp(log - half), math.exp(log + half)), "tied")
                for m, log in enumerate(logs, 1)]

    def test_nothing(self):
        self.assertIsNone(pooled([]).estimate.ratio)
        lone = Comparison("budget", cell(), cell("relu", 300), Estimate(1, 1.5), "inconclusive")
        self.assertIsNone(pooled([lone]).estimate.ratio)

    def test_few_cells_have_their_mean_and_the_errors_of_each(self):
        pool = pooled(self.cells(0.01, 0.03))
        self.assertAlmostEqual(pool.estimate.ratio, math.exp(0.02), places=12)
        self.assertAlmostEqual(pool.estimate.half_width, 0.003 / math.sqrt(2), places=12)
        self.assertEqual((pool.cells, pool.estimate.pairs, pool.apart), (2, 60, ()))
        self.assertAlmostEqual(pool.spread, 0.01, places=12)

    def test_each_cell_alike_however_sharp(self):
        sharp, blunt = self.cells(0.0, half=1e-6), self.cells(0.02, half=0.02)
        self.assertAlmostEqual(pooled(sharp + blunt).estimate.ratio, math.exp(0.01), places=9)

    def test_one_deviant_cell_neither_carries_nor_hides(self):
        logs = [0.0005 * (index - 7) + 0.004 for index in range(16)]
        plain = pooled(self.cells(*logs))
        self.assertEqual(plain.apart, ())
        for place in (0, 7, 15):
            for half in (1e-5, 0.003, 0.05):
                cells = self.cells(*logs)
                planted = logs[place] + math.log(1.25)
                cells[place] = self.cells(planted, half=half)[0]
                pool = pooled(cells)
                self.assertLess(abs(math.log(pool.estimate.ratio / plain.estimate.ratio)), 0.002)
                self.assertEqual(pool.apart, (cells[place],))

    def test_cells_that_differ_widen_it(self):
        chance = random.Random(2)
        same = pooled(self.cells(*(chance.gauss(0, 0.001) for _ in range(16)))).estimate.half_width
        differing = pooled(self.cells(*(chance.gauss(0, 0.02) for _ in range(16)))).estimate.half_width
        self.assertLess(same, 0.002)
        self.assertGreater(differing, 0.005)

    def test_it_covers_what_cells_of_the_kind_cost(self):
        chance, held, repetitions = random.Random(4), 0, 300
        for _ in range(repetitions):
            estimate = pooled(self.cells(*(chance.gauss(0.01, 0.005) + chance.gauss(0, 0.004)
                                           for _ in range(16)))).estimate
            held += estimate.low <= math.exp(0.01) <= estimate.high
        self.assertGreater(held / repetitions, 0.95 - 3 * math.sqrt(0.05 * 0.95 / repetitions))


class Verdict(unittest.TestCase):
    def estimate(self, ratio, half):
        return Estimate(10, ratio, ratio * math.exp(-half), ratio * math.exp(half))

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

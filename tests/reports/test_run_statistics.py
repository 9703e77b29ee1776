"""The statistics of two runs, on data whose answer is known."""

import math
import random
import unittest

import fixtures  # noqa: F401  (puts reports/ on the path)
from reports.statistics.run_statistics import holm, judge_run, run_ratio
from reports.statistics.student import quantile, upper_tail


class Student(unittest.TestCase):
    def test_closed_forms(self):
        # One degree of freedom is Cauchy's distribution. For two, the tail is 1/2 - t / (2 sqrt(2 + t²)).
        for t in (0.0, 1e-3, 0.5, 1.0, 3.0, 63.0, 1e9):
            self.assertAlmostEqual(upper_tail(t, 1), math.atan2(1, t) / math.pi, delta=1e-9 / (1 + t))
            self.assertAlmostEqual(upper_tail(t, 2), 1 / (2 + t * t) / (1 + t / math.sqrt(2 + t * t)),
                                   delta=1e-9 / (1 + t * t))
            self.assertAlmostEqual(upper_tail(-t, 7) + upper_tail(t, 7), 1, places=12)

    def test_printed_tables(self):
        for tail, freedom, expected in ((0.025, 1, 12.7062), (0.025, 10, 2.2281), (0.005, 4, 4.6041),
                                        (0.05, 30, 1.6973), (0.0005, 20, 3.8495), (0.025, 1e7, 1.95996)):
            self.assertAlmostEqual(quantile(tail, freedom), expected, places=4)

    def test_the_quantile_inverts_the_tail(self):
        for freedom in (1, 1.7, 3.2, 12, 400.5):
            for tail in (0.5, 0.4, 0.025, 1e-5):
                self.assertAlmostEqual(upper_tail(quantile(tail, freedom), freedom) / tail, 1, places=7)


class TwoSamples(unittest.TestCase):
    def test_welch_by_hand(self):
        # Three samples are too few to trim: Welch's test. Logs 0, 1, 2 (+10) and 0, 2, 4 (+10): means 1 and 2, squared
        # errors 1/3 and 4/3, degrees of freedom (5/3)² / (1/18 + 16/18) = 50/17.
        ratio = run_ratio([math.exp(10 + value) for value in (0, 1, 2)], [math.exp(10 + value) for value in (0, 2, 4)])
        self.assertAlmostEqual(ratio.logarithm, 1, places=9)
        self.assertAlmostEqual(ratio.error, math.sqrt(5 / 3), places=6)
        self.assertAlmostEqual(ratio.freedom, 50 / 17, places=6)
        self.assertAlmostEqual(ratio.half_width, quantile(0.025, 50 / 17) * math.sqrt(5 / 3), places=6)
        self.assertAlmostEqual(ratio.exceeds(0), 2 * upper_tail(1 / math.sqrt(5 / 3), 50 / 17), places=6)

    def test_trimmed_means_and_winsorised_errors_by_hand(self):
        # One of five is cut at each end: logs 1, 2, 3 of -50, 1, 2, 3, 90; winsorised 1, 1, 2, 3, 3 (variance 1),
        # squared error 4 · 1 / (3 · 2) on either side.
        logs = (-50, 1, 2, 3, 90)
        ratio = run_ratio([math.exp(60 + value) for value in logs], [math.exp(60.5 + value) for value in logs])
        self.assertAlmostEqual(ratio.logarithm, 0.5, places=9)
        self.assertAlmostEqual(ratio.error, math.sqrt(2 * 4 / 6), places=6)
        self.assertAlmostEqual(ratio.freedom, 4, places=6)

    def test_samples_that_follow_each_other_are_one_batch(self):
        # A burst of three samples counts once, not three times: sixty samples give twenty medians.
        chance = random.Random(9)
        levels = [chance.lognormvariate(0, 0.1) for _ in range(40)]
        before, after = ([1e6 * level for level in half for _ in range(3)] for half in (levels[:20], levels[20:]))
        once = run_ratio([1e6 * level for level in levels[:20]], [1e6 * level for level in levels[20:]])
        thrice = run_ratio(before, after)
        for name in ("logarithm", "error", "freedom"):
            self.assertAlmostEqual(getattr(once, name), getattr(thrice, name))

    def test_an_allowance_widens_and_must_be_exceeded(self):
        before, after = [1e6, 1.001e6, 1.002e6] * 3, [1.05e6, 1.051e6, 1.052e6] * 3
        plain, allowed = run_ratio(before, after), run_ratio(before, after, allowance=0.03)
        self.assertAlmostEqual(allowed.half_width, plain.half_width + 0.03)
        self.assertLess(allowed.exceeds(0), 0.05)
        self.assertAlmostEqual(allowed.exceeds(0.01), plain.exceeds(math.exp(0.03) * 1.01 - 1))
        self.assertEqual(run_ratio(before, after, allowance=0.06).exceeds(0), 1)

    def test_the_interval_and_the_p_value_agree(self):
        chance = random.Random(5)
        for _ in range(50):
            before, after = ([1e6 * chance.lognormvariate(0, 0.02) for _ in range(chance.randrange(2, 30))]
                             for _ in range(2))
            ratio = run_ratio(before, after)
            self.assertEqual(ratio.low <= 1 <= ratio.high, ratio.exceeds(0) >= 0.05)
            effect = math.exp(max(ratio.logarithm, -ratio.logarithm) - ratio.half_width) - 1
            if effect > 0:
                self.assertAlmostEqual(ratio.exceeds(effect), 0.05, places=6)

    def test_swapping_the_runs_inverts_the_ratio(self):
        one, other = [1e5, 1.1e5, 1.05e5], [1.3e5, 1.2e5, 1.21e5, 1.22e5]
        forth, back = run_ratio(one, other, 0.1), run_ratio(other, one, -0.1)
        self.assertAlmostEqual(forth.ratio * back.ratio, 1)
        self.assertAlmostEqual(forth.low * back.high, 1)
        self.assertAlmostEqual(forth.exceeds(0), back.exceeds(0))

    def test_the_level_holds(self):
        # For equal runs of 20 cells with bursts, Holm names a cell in about one of twenty comparisons at most.
        chance, wrong, repetitions = random.Random(11), 0, 100

        def times():
            return [1e6 * chance.lognormvariate(0, 0.01) * (1.5 if chance.random() < 0.05 else 1) for _ in range(14)]

        for _ in range(repetitions):
            adjusted = holm([run_ratio(times(), times()).exceeds(0) for _ in range(20)])
            wrong += min(adjusted) <= 0.05
        self.assertLessEqual(wrong / repetitions, 0.07)

    def test_few_samples(self):
        self.assertIsNone(run_ratio([], [1.0]).ratio)
        lone = run_ratio([2.0], [3.0, 3.0])
        self.assertEqual((lone.half_width, lone.exceeds(0.0)), (None, None))
        self.assertAlmostEqual(lone.ratio, 1.5)
        self.assertEqual(judge_run(lone, None), "inconclusive")

    def test_equal_samples_are_no_better_than_the_clock(self):
        # 100 against 101 ns, twice each: one tick of the clock proves nothing.
        self.assertGreater(run_ratio([100.0, 100.0], [101.0, 101.0]).exceeds(0), 0.05)
        self.assertLess(run_ratio([1e6] * 5, [1.01e6] * 5).exceeds(0), 1e-9)

    def test_identical_samples_in_any_order(self):
        ratio = run_ratio([1.0, 2.0, 900.0], [900.0, 1.0, 2.0])
        self.assertTrue(ratio.identical)
        self.assertEqual((ratio.ratio, judge_run(ratio, ratio.exceeds(0))), (1, "tied"))

    def test_extreme_times_overflow_nothing(self):
        for before, after in (([1e-300, 1e299], [1e299, 1e-300, 1.0]), ([1e-300] * 3, [1e299] * 3),
                              ([5e-324], [1e299])):
            ratio = run_ratio(before, after)
            self.assertTrue(0 < ratio.ratio < math.inf)


class Correction(unittest.TestCase):
    def test_holm_by_hand(self):
        self.assertEqual(holm([0.01, None, 0.04, 0.03, 0.5]), [0.04, None, 0.09, 0.09, 0.5])
        self.assertEqual(holm([0.5, 0.9]), [1.0, 1.0])
        self.assertEqual(holm([]), [])

    def test_verdicts(self):
        slow = run_ratio([1e6, 1.001e6, 1.002e6] * 3, [1.05e6, 1.051e6, 1.052e6] * 3)
        self.assertEqual(judge_run(slow, 0.01), "slower")
        self.assertEqual(judge_run(slow, 0.06), "inconclusive")
        self.assertEqual(judge_run(run_ratio([1.05e6, 1.051e6], [1e6, 1.001e6]), 0.01), "faster")
        near = run_ratio([1e6, 1.002e6] * 5, [1.0005e6, 1.0015e6] * 5)
        self.assertEqual(judge_run(near, 1.0), "tied")
        wide = run_ratio([1e6, 1.05e6] * 5, [1.01e6, 1.04e6] * 5)
        self.assertEqual(judge_run(wide, 1.0), "inconclusive")
        self.assertEqual(judge_run(wide, 1.0, min_effect=0.1), "tied")


if __name__ == "__main__":
    unittest.main()

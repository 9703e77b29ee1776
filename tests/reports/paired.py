"""The statistics of pairs, written a second time for the tests, from their description.

Owns: which entries belong together, the estimate of a paired ratio, its verdict, what several cells say together,
Student's quantile. Shares nothing with reports/statistics/comparison.py or signed_rank.py.
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

IDENTITY = ("d_model", "d_ff", "isa", "m", "threads")


def identity(entry):
    """The fields that a cell has in common with its peers and baseline plans."""
    return (*(entry[name] for name in (*IDENTITY, "kind")), entry.get("weights", "f32"))


class Paired(NamedTuple):
    """A paired ratio in logarithms; the ends are None where there are fewer than two pairs."""

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def half(self):
        return None if self.low is None else (self.high - self.low) / 2

    def verdict(self, ideal=1.0):
        if self.low is None or self.low <= math.log(ideal) <= self.high:
            return "tied" if self.low is not None and self.half <= 0.01 else "inconclusive"
        return "slower" if self.low > math.log(ideal) else "faster"


@dataclass
class Compared:
    """The comparison of a gated entry with one of ReLU."""

    gated: dict
    plain: dict
    what: str
    ratio: Paired

    @property
    def verdict(self):
        return self.ratio.verdict(1.5 if self.what == "width" else 1.0)

    def shown(self):
        """(value, low, high): the toll in per cent, or the ratio."""
        if self.ratio.low is None:
            return None, None, None
        ratios = [math.exp(value) for value in self.ratio[:3]]
        return [100 * (ratio - 1) for ratio in ratios] if self.what == "budget" else ratios


def estimate(one, other):
    """The ratio of two entries over the rounds that both have."""
    times, others = (dict(zip(entry["sample_rounds"], entry["samples_ns"])) for entry in (one, other))
    logs = [math.log(times[number] / others[number]) for number in times if number in others]
    return Paired(*signed_rank(logs), len(logs)) if logs else Paired(None, None, None, 0)


def signed_rank(values):
    """(Hodges-Lehmann estimate, low, high), from all Walsh averages in order. The ends are those at Wilcoxon's bound."""
    count = len(values)
    averages = sorted((one + other) / 2 for one, other in itertools.combinations_with_replacement(values, 2))
    middle = statistics.median(averages)
    if count < 2:
        return middle, None, None
    if count < 6:
        reach = student(count - 1) * statistics.stdev(values) / math.sqrt(count)
        return middle, middle - reach, middle + reach
    bound = wilcoxon(count)
    return middle, averages[bound - 1], averages[-bound]


@cache
def wilcoxon(count):
    """How many averages are outside at each end: up to 40 pairs by the exact chances, then by the normal distribution,
    rounded to the nearest."""
    if count > 40:
        mean, variance = count * (count + 1) / 4, count * (count + 1) * (2 * count + 1) / 24
        return math.floor(0.5 + mean + statistics.NormalDist().inv_cdf(0.025) * math.sqrt(variance))
    chances = {0: Fraction(1)}
    for rank in range(1, count + 1):
        grown = {}
        for total, chance in chances.items():
            for sign in (0, 1):
                grown[total + sign * rank] = grown.get(total + sign * rank, 0) + chance / 2
        chances = grown
    below, bound = Fraction(0), 0
    while below + chances[bound] <= Fraction(1, 40):
        below += chances[bound]
        bound += 1
    return bound


def together(compared):
    """(logarithm, low, high, half of the cells lie so near) of several cells, each alike."""
    ratios = [one.ratio for one in compared if one.ratio.low is not None]
    means = [ratio.mean for ratio in ratios]
    if len(ratios) >= 6:
        ends = signed_rank(means)
    else:
        middle = sum(means) / len(means)
        reach = sum(ratio.half ** 2 for ratio in ratios) ** 0.5 / len(ratios)
        ends = (middle, middle - reach, middle + reach)
    return *ends, statistics.median(abs(mean - ends[0]) for mean in means)


QUANTILES = {}


def student(freedom):
    """The two-sided 95 % quantile of Student's t: bisection of its distribution, integrated by Simpson's rule."""
    if freedom not in QUANTILES:
        scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
        low, high = 1.9, 13.0
        for _ in range(24):
            middle = (low + high) / 2
            step = middle / 400
            mass = sum((1 if index in (0, 400) else 4 if index % 2 else 2)
                       * (1 + (index * step) ** 2 / freedom) ** (-(freedom + 1) / 2) for index in range(401))
            low, high = (middle, high) if scale * mass * step / 3 < 0.475 else (low, middle)
        QUANTILES[freedom] = low
    return QUANTILES[freedom]

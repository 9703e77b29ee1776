"""The statistics of pairs a second time, for the tests: written anew from their description.

Owns: which entries belong together, the estimate of a paired ratio, its verdict, Student's quantile. Shares nothing with reports/comparison.py.
"""

import math
import statistics
from dataclasses import dataclass

IDENTITY = ("d_model", "d_ff", "isa", "m", "threads")


def identity(entry):
    """What a cell has in common with its peers and rivals."""
    return tuple(entry[name] for name in (*IDENTITY, "kind"))


@dataclass
class Compared:
    """A gated entry against one of ReLU."""

    gated: dict
    what: str
    mean: float     # of the logarithms
    half: float     # None where fewer than two rounds are common
    pairs: int

    @property
    def verdict(self):
        off = self.mean and self.mean - (math.log(1.5) if self.what == "width" else 0)
        if self.half is None or abs(off) <= self.half:
            return "tied" if self.half is not None and self.half <= 0.01 else "inconclusive"
        return "slower" if off > 0 else "faster"

    def shown(self):
        """(value, low, high): the toll in per cent, or the ratio."""
        if self.half is None:
            return None, None, None
        ratios = [math.exp(self.mean + sign * self.half) for sign in (0, -1, 1)]
        return [100 * (ratio - 1) for ratio in ratios] if self.what == "budget" else ratios


def estimate(one, other):
    """(mean of the logarithms, half-width, pairs) over common rounds, a tenth farthest from the median left out;
    None where there are too few."""
    times, others = (dict(zip(entry["sample_rounds"], entry["samples_ns"])) for entry in (one, other))
    logs = [math.log(times[number] / others[number]) for number in times if number in others]
    if len(logs) < 2:
        return (logs[0] if logs else None), None, len(logs)
    middle = statistics.median(logs)
    kept = sorted(logs, key=lambda value: abs(value - middle))[:len(logs) - len(logs) // 10]
    spread = statistics.stdev(kept) * (1.27 if len(kept) < len(logs) else 1)
    return statistics.fmean(kept), student(len(kept) - 1) * spread / math.sqrt(len(kept)), len(logs)


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

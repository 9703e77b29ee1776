"""Pairs cells and estimates time ratios.

Owns: which two cells make a comparison (derived from shapes), the paired-ratio statistics, the verdict. Pure functions
over Cell values: no files, no text for people (answer.py), no drawing (figures.py).

The statistics: cells of one group are sampled interleaved, one sample of each per round, so samples of equal round
share the machine's momentary state. The ratio of a pair is taken round by round; the estimate is the geometric mean,
its 95 % interval is Student's t on the logarithms. Of each ten rounds the one farthest from the median is left out (a
neighbour's burst that hit one side); normal values so trimmed scatter 1/1.27 as much, which is given back.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean, median, stdev

from records import GATED_KINDS, Cell
from student import quantile

BASELINE = "relu"
TIED_HALF_WIDTH = 0.01      # of the log-ratio, that is 1 %
IDEAL = {"budget": 1.0, "width": 1.5}


@dataclass(frozen=True)
class Estimate:
    """A paired time ratio. low, high and half_width are None below two pairs, ratio too when there is no pair."""

    pairs: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    half_width: float | None = None     # of the log-ratio


@dataclass(frozen=True)
class Comparison:
    """A gated cell against the ReLU cell of equal width or equal budget."""

    what: str               # "budget" or "width"
    gated: Cell
    baseline: Cell
    estimate: Estimate
    verdict: str            # against IDEAL[what]: "slower", "faster", "tied" or "inconclusive"

    @property
    def toll(self):
        """The equal-budget time ratio minus one; None at equal width or without a ratio."""
        return None if self.what != "budget" or self.estimate.ratio is None else self.estimate.ratio - 1


@dataclass(frozen=True)
class Workload:
    """A gated shape and the names it goes by."""

    d_model: int
    d_ff: int
    weights: str
    models: tuple
    place: str = field(default="", compare=False)   # in the file, of a cell of this shape

    @property
    def shape(self):
        return f"{self.d_model}×{self.d_ff}" + ("" if self.weights == "f32" else f" {self.weights}")

    @property
    def label(self):
        return f"{', '.join(self.models)} ({self.shape})" if self.models else self.shape

    def owns(self, cell):
        """Whether the cell is this gated shape or a plain shape that is compared with it."""
        if (cell.d_model, cell.weights) != (self.d_model, self.weights):
            return False
        return cell.d_ff == self.d_ff or (not cell.gated and 2 * cell.d_ff == 3 * self.d_ff)


@cache
def t_quantile(freedom):
    """The two-sided 95 % quantile of Student's t for `freedom` >= 1 degrees of freedom."""
    return quantile(0.025, freedom)


def paired_ratio(numerator, denominator):
    """The ratio of two {round: ns} mappings over the rounds both have."""
    rounds = sorted(numerator.keys() & denominator.keys())
    logs = [math.log(numerator[number] / denominator[number]) for number in rounds]
    if not logs:
        return Estimate(0)
    pairs, middle = len(logs), median(logs)
    logs = sorted(logs, key=lambda value: abs(value - middle))[:pairs - pairs // 10]
    mean = fmean(logs)
    if pairs == 1:
        return Estimate(1, math.exp(mean))
    deviation = stdev(logs) * (1.27 if len(logs) < pairs else 1)
    half_width = t_quantile(len(logs) - 1) * deviation / math.sqrt(len(logs))
    return Estimate(pairs, math.exp(mean), math.exp(mean - half_width), math.exp(mean + half_width), half_width)


def pooled(estimates):
    """One estimate from those of several cells: the geometric mean, each weighted by the precision of its logarithm."""
    known = [estimate for estimate in estimates if estimate.half_width]
    if not known:
        return Estimate(0)
    weights = [estimate.half_width ** -2 for estimate in known]
    mean = sum(weight * math.log(estimate.ratio) for weight, estimate in zip(weights, known)) / sum(weights)
    half_width = sum(weights) ** -0.5
    return Estimate(sum(estimate.pairs for estimate in known), math.exp(mean), math.exp(mean - half_width),
                    math.exp(mean + half_width), half_width)


def judge(estimate, ideal=1.0):
    """The verdict on a ratio against its ideal value."""
    if estimate.half_width is None:
        return "inconclusive"
    if estimate.low > ideal:
        return "slower"
    if estimate.high < ideal:
        return "faster"
    return "tied" if estimate.half_width <= TIED_HALF_WIDTH else "inconclusive"


def comparison_kind(gated, plain):
    """Which comparison two cells make, "width", "budget" or None; derived from their shapes alone."""
    same = ("d_model", "m", "isa", "threads", "weights")
    if not gated.gated or plain.gated or any(getattr(gated, name) != getattr(plain, name) for name in same):
        return None
    if plain.d_ff == gated.d_ff:
        return "width"
    return "budget" if 2 * plain.d_ff == 3 * gated.d_ff else None


def compare(cells):
    """Every comparison with the ReLU baseline that the cells allow, in the order of the page."""
    comparisons = []
    for gated in cells:
        for plain in cells:
            what = comparison_kind(gated, plain) if plain.kind == BASELINE else None
            if what:
                estimate = paired_ratio(gated.samples, plain.samples)
                comparisons.append(Comparison(what, gated, plain, estimate, judge(estimate, IDEAL[what])))
    return sorted(comparisons, key=lambda comparison: (order(comparison.gated), comparison.what))


def order(cell):
    """The order of rows: shape, ISA, threads, M, kind."""
    rank = GATED_KINDS.index(cell.kind) if cell.gated else len(GATED_KINDS)
    return (cell.d_model, cell.d_ff, cell.weights, cell.isa, cell.threads, cell.m, rank, cell.kind)


def workloads(cells):
    """The gated shapes, each once; plain shapes that no gated shape is compared with stand for themselves."""
    found = []
    for gated in (True, False):
        models = {}
        for cell in cells:
            if cell.gated == gated and not any(workload.owns(cell) for workload in found):
                names, _ = models.setdefault((cell.d_model, cell.d_ff, cell.weights), ([], cell.place))
                names.extend(model for model in cell.models if model not in names)
        found += [Workload(*shape, tuple(names), place) for shape, (names, place) in sorted(models.items())]
    return found

"""Pairs cells and estimates time ratios.

Owns: which two cells make a comparison (derived from their shapes), the paired ratio, the pooled toll, the verdict;
pure functions over Cell values. Does not own: the estimator and its interval (signed_rank.py), text for people
(answer.py), drawing (figures.py).

The cells of one group take turns: each round takes one sample of each, in random order. Samples of one round share the
machine's momentary state, so the ratio of two cells is taken round by round, over all rounds that both have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import NamedTuple

from reports.data.records import GATED_KINDS, Cell
from reports.statistics import signed_rank

BASELINE = "relu"
TIED_HALF_WIDTH = 0.01      # of the log-ratio, that is 1 %
LARGEST_LOGARITHM = 700.0
APART = 0.03                # of the log-ratio: a cell this near to the estimate is never called unlike the others
IDEAL = {"budget": 1.0, "width": 1.5}


@dataclass(frozen=True)
class Estimate:
    """A paired time ratio. low and high are None below two pairs; ratio is None, too, without any pair."""

    pairs: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def half_width(self):
        """Half the width of the interval of the log-ratio."""
        return None if self.low is None else math.log(self.high / self.low) / 2


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
    """A shape and the models that have it."""

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


@dataclass(frozen=True)
class Pool:
    """The estimate over several cells."""

    estimate: Estimate      # ratio None: no cell has an interval
    cells: int = 0
    spread: float = 0.0     # half of the cells are this near to the estimate, in the logarithm
    apart: tuple = ()       # comparisons that are not like the others


def paired_ratio(numerator, denominator):
    """The ratio of two {round: ns} mappings over the rounds both have."""
    rounds = sorted(numerator.keys() & denominator.keys())
    if not rounds:
        return Estimate(0)
    return estimate_of(len(rounds), *signed_rank.centre(
        [math.log(numerator[number] / denominator[number]) for number in rounds]))


def whole_over_portions(cells):
    """The time of whole forwards over what their portions add up to, from every round of every cell that has both."""
    logs = [math.log(cell.wholes[number] / cell.samples[number])
            for cell in cells for number in sorted(cell.wholes.keys() & cell.samples.keys())]
    return estimate_of(len(logs), *signed_rank.centre(logs)) if logs else Estimate(0)


def estimate_of(pairs, *ends):
    """The estimate from the logarithms of ratio, low and high, clamped to what a double holds."""
    return Estimate(pairs, *(None if end is None else math.exp(max(-LARGEST_LOGARITHM, min(LARGEST_LOGARITHM, end)))
                             for end in ends))


def pooled(comparisons):
    """The ratio over several cells, each with the same weight.

    Cells differ in more than their noise: in shape, plan and threads. They are not weighted by precision, because one
    precise cell that is unlike the others would then decide the result. From six cells on, signed_rank.py makes the
    estimate from the cells' ratios. Its interval covers both the noise of each cell and the differences between them,
    and a single cell moves it by no more than its rank; `apart` then holds the cells whose whole interval is farther
    from the estimate than 3 % and than three times the cells' scatter. Fewer cells have a mean, with their errors.
    """
    known = [comparison for comparison in comparisons if comparison.estimate.low is not None]
    if not known:
        return Pool(Estimate(0))
    logs = [math.log(comparison.estimate.ratio) for comparison in known]
    pairs = sum(comparison.estimate.pairs for comparison in known)
    if len(known) < signed_rank.FEWEST:
        middle = fmean(logs)
        reach = math.hypot(*(comparison.estimate.half_width for comparison in known)) / len(known)
        ends = (middle, middle - reach, middle + reach)
    else:
        ends = signed_rank.centre(logs)
    spread = median(abs(value - ends[0]) for value in logs)
    # The standard deviation of normal values is 1.48 times their median absolute deviation.
    reach = max(APART, 3 * 1.48 * spread)
    apart = tuple(comparison for comparison in known if len(known) >= signed_rank.FEWEST and (
        math.log(comparison.estimate.low) > ends[0] + reach or math.log(comparison.estimate.high) < ends[0] - reach))
    return Pool(estimate_of(pairs, *ends), len(known), spread, apart)


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


class Smaller(NamedTuple):
    """A cell with smaller weights beside the same with float32 ones."""

    cell: Cell
    same: Cell
    estimate: Estimate
    verdict: str


def smaller_weights(cells):
    """Every cell with smaller weights that has a counterpart with float32 ones, in the order of rows."""
    def identity(cell):
        return (cell.d_model, cell.d_ff, cell.kind, cell.isa, cell.threads, cell.m)
    whole = {identity(cell): cell for cell in cells if cell.weights == "f32"}
    found = []
    for cell in sorted(cells, key=order):
        same = whole.get(identity(cell))
        if same is not None and cell.weights != "f32":
            estimate = paired_ratio(cell.samples, same.samples)
            found.append(Smaller(cell, same, estimate, judge(estimate)))
    return found


def order(cell):
    """The order of rows: shape, weights (float32 first), ISA, threads, M, kind."""
    rank = GATED_KINDS.index(cell.kind) if cell.gated else len(GATED_KINDS)
    return (cell.d_model, cell.d_ff, cell.weights != "f32", cell.weights, cell.isa, cell.threads, cell.m, rank, cell.kind)


def workloads(cells):
    """The gated shapes, each once, then the plain shapes that no gated shape is compared with."""
    found = []
    for gated in (True, False):
        models = {}
        for cell in cells:
            if cell.gated == gated and not any(workload.owns(cell) for workload in found):
                names, _ = models.setdefault((cell.d_model, cell.d_ff, cell.weights), ([], cell.place))
                names.extend(model for model in cell.models if model not in names)
        found += [Workload(*shape, tuple(names), place) for shape, (names, place) in
                  sorted(models.items(), key=lambda item: (*item[0][:2], item[0][2] != "f32", item[0][2]))]
    return found

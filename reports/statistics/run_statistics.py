"""Estimates the time ratio of one cell in two independent runs, and judges many of them at once.

Owns: the two-sample statistics and the correction for many cells. Does not own: ratios within one run, whose samples
are paired by round (comparison.py), or which cells of two runs belong together (run_pairs.py).

Two runs share no moment, so their samples cannot be paired. Consecutive samples meet the same neighbours. The samples
of each run are therefore grouped, in the order they were taken, into at most twenty batches, each represented by its
median. The ratio is that of the 20 % trimmed means of the batches' logarithms, so a neighbour's burst is trimmed at
either end. Its error comes from the winsorised batches; its degrees of freedom are Welch's. This is Yuen's test.

A run beside a loud neighbour is slower as a whole, which the samples of one cell cannot tell from a slower program. Two
figures can. One is the speed of the probes beside the samples. The other is how far the mean of a run's samples is from
its fast ones, over all cells: a neighbour who takes the processor in turns always meets long samples and seldom short
probes (two vCPUs of a Zen 3, ten runs each: 0.04 to 0.06 in the logarithm calm, 0.28 to 0.53 beside such a neighbour).
The larger difference of the two runs, times 1.5, is an allowance: it widens the interval, and a claim must exceed it.

The 95 % interval is that of one cell alone. A cell is called faster or slower by its two-sided p-value after Holm's
correction over all cells. A comparison of equal runs therefore names any cell in at most one of twenty cases, however
the cells depend on each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median, variance

from reports.statistics.comparison import TIED_HALF_WIDTH
from reports.statistics.student import quantile, upper_tail

TRIM = 0.2              # of the batches, left out at each end
BATCHES = 20            # at most, of the samples of one cell in one run
TOLERANCE = 1.5         # the allowance over the difference in loudness
FAST = 0.1              # the quantile of the times that stands for an undisturbed one
FEWEST = 10             # samples that a cell needs to tell how loud its run was
SIGNIFICANCE = 0.05     # over all cells together
LARGEST_LOGARITHM = 700.0


@dataclass(frozen=True)
class RunRatio:
    """Time of B over time of A. The interval is None below two samples of each; so is the ratio when one has none."""

    ratio: float | None = None
    low: float | None = None            # 95 %, of this cell alone
    high: float | None = None
    half_width: float | None = None     # of the log-ratio, the allowance included
    logarithm: float | None = None
    error: float = 0.0                  # standard error of the logarithm
    freedom: float = 1.0
    allowance: float = 0.0              # what the loudness of the two runs may have done to the logarithm
    identical: bool = False             # the same samples on both sides

    def exceeds(self, effect):
        """The two-sided p-value of |log-ratio| <= log(1 + effect); None when there is no interval."""
        if self.half_width is None:
            return None
        distance = abs(self.logarithm) - self.allowance - math.log1p(effect)
        if distance <= 0:
            return 1.0
        return min(1.0, 2 * upper_tail(distance / self.error, self.freedom))


def loudness(before, after, same_roof=True):
    """The allowance for two cells. It comes from their probes; when a file has none, from the share of contended
    samples, which took up to twice as long. When the probes measured different roofs (instruction set, threads,
    machine), those of each cell are taken relative to its own fast ones."""
    if before.probes and after.probes:
        own, other = (cell.probes if same_roof else relative(cell.probes) for cell in (before, after))
        differences = [abs(centre(own) - centre(other)) for centre in (fmean, median)]
        return TOLERANCE * max(differences)
    # A file without probes left its contended samples out; only in one with probes do they lengthen the times.
    shares = [cell.contended_share or 0.0 for cell in (before, after) if cell.probes]
    return math.log(2) * sum(shares)


def stretch(cells):
    """{threads: the logarithm of the run's mean sample over its fast ones}, for files that keep every sample. It is the
    median over the shorter half of the cells, because among long samples there may be no fast one."""
    found = {}
    for cell in sorted(cells, key=lambda cell: cell.time_ns):
        if cell.probes and len(cell.samples) >= FEWEST:
            times = sorted(cell.samples.values())
            found.setdefault(cell.threads, []).append(math.log(fmean(times) / times[int(FAST * len(times))]))
    return {threads: median(values[:(len(values) + 1) // 2]) for threads, values in found.items()}


def relative(probes):
    fast = sorted(probes)[9 * len(probes) // 10]
    return [probe - fast for probe in probes]


def batched(times):
    """The medians of at most BATCHES groups of consecutive times."""
    count = min(len(times), BATCHES)
    ends = [len(times) * index // count for index in range(count + 1)]
    return [median(times[begin:end]) for begin, end in zip(ends, ends[1:])]


def trimmed(times):
    """(mean, squared standard error, degrees of freedom) of the logarithms of two or more times in nanoseconds."""
    logs = sorted(math.log(time) for time in batched(times))
    cut = int(TRIM * len(logs))
    kept = logs[cut:len(logs) - cut]
    mean = fmean(kept)
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    square = variance(winsorised) * (len(logs) - 1) / (len(kept) * (len(kept) - 1))
    # Samples that agree to the last digit of the clock are still no better than the clock, which counts nanoseconds.
    step = min(1.0, math.exp(-mean))
    return mean, square + step * step / 12, len(kept) - 1


def exponential(logarithm):
    return math.exp(max(-LARGEST_LOGARITHM, min(LARGEST_LOGARITHM, logarithm)))


def run_ratio(before, after, shift=0.0, allowance=0.0):
    """The ratio of the times `after` over `before`, both lists of nanoseconds in the order they were taken; `shift` is
    added to its logarithm."""
    if not before or not after:
        return RunRatio()
    if sorted(before) == sorted(after) and shift == 0:
        return RunRatio(1.0, 1.0, 1.0, 0.0, 0.0, identical=True)
    if min(len(before), len(after)) < 2:
        return RunRatio(exponential(fmean(map(math.log, after)) - fmean(map(math.log, before)) + shift))
    (mean, square, freedom), (other, other_square, other_freedom) = trimmed(before), trimmed(after)
    logarithm, total = other - mean + shift, square + other_square
    welch = total * total / (square * square / freedom + other_square * other_square / other_freedom)
    error = math.sqrt(total)
    half_width = quantile(0.025, welch) * error + allowance
    return RunRatio(exponential(logarithm), exponential(logarithm - half_width), exponential(logarithm + half_width),
                    half_width, logarithm, error, welch, allowance)


def holm(values):
    """Holm's adjusted p-values, in the order of `values`; a None is no test and stays None."""
    tested = sorted((value, index) for index, value in enumerate(values) if value is not None)
    adjusted, least = [None] * len(values), 0.0
    for rank, (value, index) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - rank) * value))
        adjusted[index] = least
    return adjusted


def judge_run(ratio, adjusted, min_effect=0.0):
    """The verdict on B; `adjusted` is the corrected p-value. A tie may be as wide as an effect that does not matter."""
    if ratio.half_width is None:
        return "inconclusive"
    if adjusted <= SIGNIFICANCE:
        return "slower" if ratio.logarithm > 0 else "faster"
    # An interval of this cell alone that leaves 1 out is too little for a claim and too much for a tie.
    tied = ratio.low <= 1 <= ratio.high and ratio.half_width <= max(TIED_HALF_WIDTH, math.log1p(min_effect))
    return "tied" if tied else "inconclusive"

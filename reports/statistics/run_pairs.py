"""Compares two runs, cell by cell.

Owns: which cells of two results belong together, what only one of them has, the verdict on each pair, what makes two
runs hard to compare; pure functions over Results. Does not own: the statistics (run_statistics.py).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from reports.data.records import Cell, Results
from reports.statistics.comparison import TIED_HALF_WIDTH, order
from reports.statistics.run_statistics import (
    SIGNIFICANCE, TOLERANCE, RunRatio, holm, judge_run, loudness, run_ratio, stretch)

VERDICTS = ("slower", "faster", "tied", "inconclusive")
IGNORABLE = ("isa", "threads")
NORMALISATIONS = ("none", "roof")
KEY = ("d_model", "d_ff", "weights", "kind", "isa", "threads", "m")


@dataclass(frozen=True)
class Run:
    """One side of the comparison."""

    path: str
    results: Results


@dataclass(frozen=True)
class CellPair:
    """The same cell in both runs."""

    before: Cell            # of A
    after: Cell             # of B
    ratio: RunRatio         # B over A
    adjusted: float | None  # p-value of a difference, corrected for many cells
    verdict: str            # of B: one of VERDICTS
    beyond: bool            # the difference is proven to exceed the minimal effect
    remarks: tuple

    @property
    def regression(self):
        return self.beyond and self.verdict == "slower"


@dataclass(frozen=True)
class RunComparison:
    before: Run
    after: Run
    normalise: str
    ignored: tuple
    min_effect: float
    pairs: list             # in the order of the page
    only_before: list       # sentences about cells that have no partner
    only_after: list
    notes: list

    @property
    def regressions(self):
        return [pair for pair in self.pairs if pair.regression]

    def counts(self):
        return {verdict: sum(pair.verdict == verdict for pair in self.pairs) for verdict in VERDICTS}

    def mean_ratio(self):
        """The geometric mean of all ratios, each cell alike; None without one."""
        known = [math.log(pair.ratio.ratio) for pair in self.pairs if pair.ratio.ratio is not None]
        return math.exp(sum(known) / len(known)) if known else None


def compare_runs(before, after, normalise="none", ignored=(), min_effect=0.0):
    own, other = by_key(before.results.cells, ignored), by_key(after.results.cells, ignored)
    matched, only_before, only_after = [], [], []
    for key in [*own, *(key for key in other if key not in own)]:
        left, right = own.get(key, []), other.get(key, [])
        if len(left) == 1 and len(right) == 1:
            matched.append((left[0], right[0]))
            continue
        reason = ""
        if left and right:
            reason = f" (several cells differ in nothing but {' and '.join(ignored)}: give one of each to sluice bench)"
        only_before += [cell.name + reason for cell in left]
        only_after += [cell.name + reason for cell in right]
    matched.sort(key=lambda cells: order(cells[0]))
    of_a, of_b = (run.results.machine.get("fingerprint") for run in (before, after))
    one_machine = of_a == of_b
    stretches = [stretch(run.results.cells) for run in (before, after)]
    ratios = [cell_ratio(left, right, normalise, one_machine, stretches) for left, right in matched]
    adjusted = holm([ratio.exceeds(0.0) for ratio in ratios])
    beyond = holm([ratio.exceeds(min_effect) for ratio in ratios])
    pairs = [CellPair(left, right, ratio, value, judge_run(ratio, value, min_effect),
                      far is not None and far <= SIGNIFICANCE, tuple(remarks(left, right, ratio, value, normalise)))
             for (left, right), ratio, value, far in zip(matched, ratios, adjusted, beyond)]
    for results, names in ((before.results, only_before), (after.results, only_after)):
        names += [f"{cell.name} (could not be measured: {cell.error})" for cell in results.failed]
    return RunComparison(before, after, normalise, tuple(ignored), min_effect, pairs, only_before, only_after,
                         notes(before, after, pairs, normalise))


def by_key(cells, ignored):
    found = {}
    for cell in sorted(cells, key=order):
        key = tuple(getattr(cell, name) for name in KEY if name not in ignored)
        found.setdefault(key, []).append(cell)
    return found


def roof_time(cell):
    """The time the cell would take at its roof, in nanoseconds; None when the roof is not known."""
    return None if cell.roof_fraction is None else cell.time_ns * cell.roof_fraction


def cell_ratio(before, after, normalise, one_machine, stretches):
    # Equal values are the same measurement, even in an older file whose samples were all contended and left out.
    if (before.samples, before.time_ns, before.roof_fraction) == (after.samples, after.time_ns, after.roof_fraction):
        return RunRatio(1.0, 1.0, 1.0, 0.0, 0.0, identical=True)
    shift = 0.0
    if normalise == "roof":
        own, other = roof_time(before), roof_time(after)
        if own is None or other is None:
            return RunRatio()
        shift = math.log(own) - math.log(other)
    own, other = ([cell.samples[number] for number in sorted(cell.samples)] for cell in (before, after))
    same_roof = one_machine and all(getattr(before, name) == getattr(after, name) for name in ("isa", "threads", "roof"))
    allowance = loudness(before, after, same_roof)
    lengths = [stretched.get(cell.threads) for stretched, cell in zip(stretches, (before, after))]
    if None not in lengths:
        allowance = max(allowance, TOLERANCE * abs(lengths[0] - lengths[1]))
    return run_ratio(own, other, shift, allowance)


def remarks(before, after, ratio, adjusted, normalise):
    if ratio.identical:
        yield "identical samples"
    elif ratio.half_width is None:
        lacking = [name for name, cell in (("A", before), ("B", after)) if len(cell.samples) < 2]
        if lacking:
            yield f"fewer than two samples in {' and '.join(lacking)}"
        elif normalise == "roof":
            yield "no roof fraction"
    elif adjusted > SIGNIFICANCE and not ratio.low <= 1 <= ratio.high:
        yield "its own interval leaves 1 out, the corrected one does not"
    if ratio.allowance > TIED_HALF_WIDTH:
        yield f"not equally loud: {100 * math.expm1(ratio.allowance):.0f} % allowed for"
    if before.isa != after.isa:
        yield f"{before.isa} → {after.isa}"
    if before.threads != after.threads:
        yield f"{before.threads} → {after.threads} threads"
    if before.roof != after.roof and normalise == "roof":
        yield f"roof {before.roof} → {after.roof}"
    if before.plan != after.plan:
        yield "another plan"


def notes(before, after, pairs, normalise):
    """What a reader must know before believing the table."""
    found = []
    machines = [run.results.machine.get("fingerprint") for run in (before, after)]
    if None not in machines and machines[0] != machines[1]:
        found.append("The runs are of two machines; the ratios tell the machines apart, not the programs."
                     + ("" if normalise == "roof" else " --normalise roof compares each with its own roof."))
    for name, words in (("cold", "with the caches {}"), ("clock", "with the clock {}")):
        values = [measurement(run).get(name) for run in (before, after)]
        if None not in values and values[0] != values[1]:
            shown = [("hot", "cold")[value] if isinstance(value, bool) else shorten(value) for value in values]
            found.append(f"A was measured {words.format(shown[0])}, B {words.format(shown[1])}; this is no like for "
                         "like.")
    louder = sum(pair.ratio.allowance > TIED_HALF_WIDTH for pair in pairs)
    if louder:
        found.append(f"In {louder} of {len(pairs)} cells the machine was not equally loud, as the probes or the scatter "
                     "of the samples tell. The intervals are widened by what that may have done, and nothing is "
                     "claimed that it may explain; measure both again, right after each other, to tell more.")
    replanned = sum(pair.before.plan != pair.after.plan for pair in pairs)
    if replanned:
        found.append(f"In {replanned} of {len(pairs)} cells the two runs use different plans.")
    if pairs and pairs[0].ratio.identical and all(pair.ratio.identical for pair in pairs):
        found.append("The two runs hold the same samples in every cell: they are one run.")
    for name, run in (("A", before), ("B", after)):
        if not run.results.cells:
            found.append(f"{name} ({run.path}) holds no measured cell; run sluice bench.")
        others = len(run.results.peers)
        if others:
            found.append(f"{name} holds {others} cells of other libraries, which are not compared.")
        if run.results.baseline_plan_cells:
            found.append(f"{name} holds {len(run.results.baseline_plan_cells)} cells with a baseline plan, which are "
                         "not compared.")
        if run.results.micros:
            found.append(f"{name} holds {len(run.results.micros)} micro benchmarks, which have no samples to compare.")
        found += [f"{name}: {sentence}" for sentence in run.results.skipped]
    if not pairs and before.results.cells and after.results.cells:
        found.append("The two runs have no cell in common: shape, kind, ISA, threads and M must agree"
                     " (--ignore isa,threads leaves these out).")
    return found


def shorten(value):
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def measurement(run):
    value = run.results.context.get("measurement")
    return value if isinstance(value, dict) else {}


def labels(before, after):
    """The names of the two runs: their file names, with as many folders as tell them apart."""
    own, other = (os.path.normpath(run.path).split(os.sep) for run in (before, after))
    for length in range(1, max(len(own), len(other)) + 1):
        if own[-length:] != other[-length:]:
            return os.sep.join(own[-length:]), os.sep.join(other[-length:])
    return before.path, after.path

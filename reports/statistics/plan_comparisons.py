"""Compares each plan with a baseline plan: the analytical default, or that of another profile.

Owns: which cell with a baseline plan belongs to which cell with its own plan, the verdict, the geometric means; pure
functions over Cell values. Does not own: the paired ratio (comparison.py), the table (plan_comparison_tables.py).

A ratio is Sluice's time with its own plan over its time with the baseline plan, paired by round. Below 1 the own plan
is faster. Where the baseline is the best plan there is, the ratio minus 1 is the regret.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.data.records import Cell
from reports.statistics.comparison import Estimate, judge, order, paired_ratio

DEFAULT = "default"     # the name of the analytical plans
SAME = "same plan"
VERDICTS = ("faster", "tied", "slower", "inconclusive", SAME)
KEPT = ("kept", "inconclusive", "broken")


@dataclass(frozen=True)
class Beside:
    """One cell, with its own plan and with the baseline plan."""

    own: Cell
    baseline: Cell | None   # None: the same plan, which was not measured twice
    estimate: Estimate      # own time / the baseline plan's
    verdict: str            # one of VERDICTS

    @property
    def promise(self):
        """What the profile promised for this cell; {} when it promised nothing."""
        return self.own.against.get("promise") or {}

    @property
    def in_place(self):
        """The ratio to the default in this run over the promised one, with its verdict; {} without a promise."""
        return self.promise.get("in_place") or {}


@dataclass(frozen=True)
class PlanComparison:
    """Every cell that was compared with one baseline, in the order of the page."""

    name: str
    cells: list

    @property
    def mean(self):
        """The geometric mean of the ratios; None without one."""
        known = [math.log(pair.estimate.ratio) for pair in self.cells if pair.estimate.ratio is not None]
        return math.exp(sum(known) / len(known)) if known else None

    @property
    def kept(self):
        """The geometric mean of the ratio to the default in this run over the promised one; None without a promise."""
        known = [math.log(pair.in_place["ratio"]) for pair in self.cells if pair.in_place]
        return math.exp(sum(known) / len(known)) if known else None

    def promises(self):
        """{verdict: how many promises have it}"""
        return {verdict: sum(pair.in_place.get("verdict") == verdict for pair in self.cells) for verdict in KEPT}

    def counts(self):
        return {verdict: sum(pair.verdict == verdict for pair in self.cells) for verdict in VERDICTS}


def beside(cells, baseline_plan_cells):
    """One PlanComparison for each baseline in the results."""
    theirs = {(cell.rival, cell.key): cell for cell in baseline_plan_cells}
    found = {}
    for own in sorted(cells, key=order):
        if own.against is None:
            continue
        name = own.against["rival"]
        baseline = theirs.get((name, own.key))
        if own.against["same_plan"]:
            pair = Beside(own, None, Estimate(0, 1.0, 1.0, 1.0), SAME)
        elif baseline is not None:
            estimate = paired_ratio(own.samples, baseline.samples)
            pair = Beside(own, baseline, estimate, judge(estimate))
        else:
            continue
        found.setdefault(name, []).append(pair)
    return [PlanComparison(name, pairs) for name, pairs in found.items()]


def title(comparison):
    return "Against the analytical default" if comparison.name == DEFAULT else f"Against {comparison.name}"

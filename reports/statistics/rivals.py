"""Puts a plan beside the plan of a rival: the analytical default, or another profile.

Owns: which rival's cell stands beside which of ours, the verdict, the geometric means. Pure functions over Cell values;
the statistics are comparison.py's, the words of the table rival_tables.py's.

A ratio is Sluice's time with its own plan over that with the rival's, paired by round: below 1 the own plan is faster,
and against the best plan there is, the ratio less 1 is the regret.
"""

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
    """One cell, with its own plan and with the rival's."""

    own: Cell
    rival: Cell | None      # None: the same plan, which was not measured twice
    estimate: Estimate      # own time / the rival's
    verdict: str            # one of VERDICTS

    @property
    def promise(self):
        """What the profile said of this cell, {} where it said nothing."""
        return self.own.against.get("promise") or {}

    @property
    def in_place(self):
        """The ratio to the default here over the promised one, with its verdict; {} where nothing was promised."""
        return self.promise.get("in_place") or {}


@dataclass(frozen=True)
class Rivalry:
    """Every cell that met one rival, in the order of the page."""

    name: str
    cells: list

    @property
    def mean(self):
        """The geometric mean of the ratios; None without one."""
        known = [math.log(pair.estimate.ratio) for pair in self.cells if pair.estimate.ratio is not None]
        return math.exp(sum(known) / len(known)) if known else None

    @property
    def kept(self):
        """The geometric mean of the ratio to the default here over the promised one; None without a promise."""
        known = [math.log(pair.in_place["ratio"]) for pair in self.cells if pair.in_place]
        return math.exp(sum(known) / len(known)) if known else None

    def promises(self):
        """How many promises were kept, how many were not."""
        return {verdict: sum(pair.in_place.get("verdict") == verdict for pair in self.cells) for verdict in KEPT}

    def counts(self):
        return {verdict: sum(pair.verdict == verdict for pair in self.cells) for verdict in VERDICTS}


def beside(cells, rivals):
    """The rivalries of the results, each rival once."""
    theirs = {(cell.rival, cell.key): cell for cell in rivals}
    found = {}
    for own in sorted(cells, key=order):
        if own.against is None:
            continue
        name = own.against["rival"]
        rival = theirs.get((name, own.key))
        if own.against["same_plan"]:
            pair = Beside(own, None, Estimate(0, 1.0, 1.0, 1.0), SAME)
        elif rival is not None:
            estimate = paired_ratio(own.samples, rival.samples)
            pair = Beside(own, rival, estimate, judge(estimate))
        else:
            continue
        found.setdefault(name, []).append(pair)
    return [Rivalry(name, pairs) for name, pairs in found.items()]


def title(rivalry):
    return "Against the analytical default" if rivalry.name == DEFAULT else f"Against {rivalry.name}"

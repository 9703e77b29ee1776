"""Compares Sluice with other libraries.

Owns: which peer's cell is compared with which of Sluice's, the verdict on it, the geometric means by type of weights and
M; pure functions over Cell values. Does not own: the paired ratio (comparison.py), the words of a table (tables.py).

A ratio is the peer's time over Sluice's, paired by round: above 1 Sluice is ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.data.records import Cell
from reports.findings import traces
from reports.findings.prose import joined, prose
from reports.statistics.comparison import Estimate, judge, order, paired_ratio

VERDICTS = {"slower": "ahead", "faster": "behind", "tied": "tied", "inconclusive": "inconclusive"}


@dataclass(frozen=True)
class Beside:
    """One cell of Sluice and the same cell of a peer."""

    own: Cell
    peer: Cell
    estimate: Estimate      # time of the peer / time of Sluice
    verdict: str            # of Sluice: "ahead", "behind", "tied" or "inconclusive"


@dataclass(frozen=True)
class Mean:
    """The best peers of all cells with one type of weights and one M, or of every M (m is None)."""

    weights: str
    m: int | None
    ratio: float            # geometric mean
    least: float
    verdicts: dict          # verdict -> cells


def beside(cells, peers):
    """Pairs each peer's cell with Sluice's cell of the same key, in the order of the page."""
    ours = {cell.key: cell for cell in cells}
    pairs = []
    for peer in peers:
        if peer.key in ours:
            estimate = paired_ratio(peer.samples, ours[peer.key].samples)
            pairs.append(Beside(ours[peer.key], peer, estimate, VERDICTS[judge(estimate)]))
    return sorted(pairs, key=lambda pair: (order(pair.own), pair.peer.peer))


def best(pairs):
    """The fastest peer of each cell."""
    chosen = {}
    for pair in pairs:
        # The median decides, as in the benchmark: the least of many ratios of few pairs would mostly be the noisiest.
        if pair.own.key not in chosen or pair.peer.time_ns < chosen[pair.own.key].peer.time_ns:
            chosen[pair.own.key] = pair
    return list(chosen.values())


def means(chosen):
    """For each type of weights the mean of each M, then of all; cells without a paired ratio are in no mean. Those of
    different types are in none together."""
    known = [pair for pair in chosen if pair.estimate.ratio is not None]
    found = []
    for weights in types(known):
        typed = [pair for pair in known if pair.own.weights == weights]
        for m in [*sorted({pair.own.m for pair in typed}), None]:
            group = [pair for pair in typed if m in (None, pair.own.m)]
            ratios = [pair.estimate.ratio for pair in group]
            found.append(Mean(weights, m, math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios), {
                verdict: sum(pair.verdict == verdict for pair in group) for verdict in VERDICTS.values()}))
    return found


def types(pairs):
    """The types of weights in the order of the pairs, float32 first."""
    return sorted(dict.fromkeys(pair.own.weights for pair in pairs), key=lambda weights: weights != "f32")


def sentences(pairs):
    """The opening sentence of the section, one for each type of weights."""
    return [sentence([pair for pair in pairs if pair.own.weights == weights], weights) for weights in types(pairs)]


def sentence(pairs, weights):
    chosen = best(pairs)
    overall = next((mean for mean in means(chosen) if mean.m is None), None)
    names = ", ".join(sorted({pair.peer.peer for pair in pairs}))
    beginning = "" if weights == "f32" else f"With {weights} weights: "
    if overall is None:
        return f"{beginning}Beside {names}: no cell has a round in common with a peer, so there is no ratio."
    compared = sum(overall.verdicts.values())
    counts = joined(", ", [prose(f"{verdict} in ", traces.peer_count(overall, verdict))
                           for verdict in VERDICTS.values()])
    text = prose(f"{beginning}The best of {names} takes ", traces.peer_mean(overall), " times as long as Sluice (geometric mean; "
                 "least ", traces.peer_least(overall), "). Sluice is ", counts, " of ",
                 traces.count(compared, f"peer_cells {weights}"), " cells")
    lone = len(chosen) - compared
    return prose(text, "; ", traces.count(lone, f"peer_cells_unpaired {weights}"),
                 " more have no round in common with a peer." if lone > 1 else
                 " more has no round in common with a peer.") if lone else prose(text, ".")

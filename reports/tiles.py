"""Says the answer in four figures.

Owns: the tiles at the head of the page. The sentences and the small tables below them are answer.py's.
"""

from dataclasses import dataclass
from statistics import median

import traces
from answer import headline_kind, kind_name
from comparison import pooled
from traces import Traced, percent, ratio_interval


@dataclass(frozen=True)
class Tile:
    """One of the figures that a hurried reader takes along."""

    name: str
    number: str
    detail: list    # texts, some of them traced


def tiles(cells, comparisons, plans):
    """What the gate costs, how far from the roof, which plan to use."""
    gated = [cell for cell in cells if cell.gated]
    if not gated:
        return []
    kind = headline_kind(gated)
    found = []
    for what, name, words in (("budget", f"{kind_name(kind)} costs", "against ReLU of equal budget"),
                              ("width", "at equal width", "times ReLU's time, ideal 1.5")):
        estimate = pooled([one.estimate for one in comparisons if one.what == what and one.gated.kind == kind])
        if estimate.ratio is None:
            continue
        text = traces.signed_percent(estimate.ratio - 1) if what == "budget" else f"{estimate.ratio:.3f}×"
        within = traces.toll_interval_text(estimate) if what == "budget" else ratio_interval(estimate)
        found.append(Tile(name, Traced(text, f"pooled_{what} {kind}", estimate.ratio), [
            words + ", 95\u00a0% interval ", Traced(within, f"pooled_{what}_interval {kind}", estimate.low)]))
    fractions = [cell.roof_fraction for cell in gated if cell.kind == kind and cell.roof_fraction is not None]
    if fractions:
        found.append(Tile(f"{kind_name(kind)} runs at", Traced(percent(median(fractions), 0), f"roof_median {kind}",
                                                               median(fractions)),
                          ["of the measured roof, median of ",
                           Traced(f"{len(fractions)}", f"roof_cells {kind}", len(fractions)), " cells, ",
                           Traced(f"{percent(min(fractions), 0)} to {percent(max(fractions), 0)}", f"roof_range {kind}",
                                  min(fractions))]))
    measured = [plan for plan in plans if plan.get("measured")]
    if measured:
        faster = sum(plan["measured"].get("verdict") == "faster" for plan in measured)
        found.append(Tile("tuned plans to use", Traced(str(len(measured)), "plan_count", len(measured)),
                          [Traced(str(faster), "plan_faster", faster),
                           " of them faster than the analytical default; named below"]))
    return found

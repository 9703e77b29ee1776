"""Says the answer in four figures.

Owns: the tiles at the head of the page. The sentences and the small tables below them are answer.py's.
"""

from collections import Counter
from dataclasses import dataclass

from reports.findings import traces
from reports.findings.answer import headline_kind, headline_weights, kind_name, subject
from reports.findings.prose import prose
from reports.findings.traces import Traced
from reports.statistics.comparison import pooled


@dataclass(frozen=True)
class Tile:
    """One figure, with its name above and its detail below."""

    name: str
    number: str
    detail: str


def tiles(cells, comparisons, plans):
    """The cost of the gate, the share of the roof, the plan to use."""
    gated = [cell for cell in cells if cell.gated]
    if not gated:
        return []
    weights = headline_weights(gated)
    gated = [cell for cell in gated if cell.weights == weights]
    comparisons = [one for one in comparisons if one.gated.weights == weights]
    kind = headline_kind(gated)
    of = subject(kind, weights)
    found = []
    for what, name, words in (("budget", f"{kind_name(kind)} costs", "against ReLU of equal budget"),
                              ("width", "at equal width", "of ReLU's time, ideal 1.5")):
        estimate = pooled([one for one in comparisons if one.what == what and one.gated.kind == kind]).estimate
        if estimate.ratio is None:
            continue
        found.append(Tile(name, prose(traces.pooled(estimate, what, of), "×" if what == "width" else ""), prose(
            words, ", 95\u00a0% interval ", traces.pooled_interval(estimate, what, of))))
    fractions = [cell.roof_fraction for cell in gated if cell.kind == kind and cell.roof_fraction is not None]
    if fractions:
        found.append(Tile(f"{kind_name(kind)} runs at", traces.roof_median(fractions, of), prose(
            "of the measured roof, median of ", traces.count(len(fractions), f"roof_cells {of}"), " cells, ",
            traces.roof_range(fractions, of))))
    return found + plan_tile(plans)


def plan_tile(plans):
    """The register tile of most tuned plans, and whether tuning was worth it; the small tables have every plan."""
    measured = [plan for plan in plans if plan.get("measured") and plan.get("plan")]
    if not measured:
        return []
    chosen = Counter(f"{plan['plan'].get('mr')}×{plan['plan'].get('nr')}" for plan in measured)
    words, plans_with = max(chosen.items(), key=lambda item: (item[1], item[0]))
    faster = sum(plan["measured"].get("verdict") == "faster" for plan in measured)
    return [Tile("plan to use, register tile", Traced(words, "common_tile profile", words), prose(
        "in ", traces.count(plans_with, "plans common"), " of ", traces.count(len(measured), "plans any"),
        " tuned plans, ", traces.count(faster, "plans faster"),
        " of them faster than the analytical default; each below"))]

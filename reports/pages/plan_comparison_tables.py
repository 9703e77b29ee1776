"""Lays out what plan_comparisons.py found.

Owns: the sentence about a baseline plan, the columns and rows of its table. Does not own: the other tables (tables.py).
"""

from reports.findings import traces
from reports.findings.prose import joined, prose
from reports.findings.traces import Traced
from reports.pages.tables import PLACE, Table, anchors, entry, fact, number, place
from reports.statistics import plan_comparisons

def plan_comparison_table(comparison, cells, number_of_table):
    """One row for each cell that was compared with the baseline."""
    anchor = anchors(cells)
    rows = []
    for pair in comparison.cells:
        own, baseline = pair.own, pair.baseline
        if baseline is None:
            figures = [number(noted(own, "ratio")), entry("–", -9), entry(pair.verdict), entry("–", -9)]
        else:
            paired = (pair.estimate, own, baseline)
            figures = [number(traces.ratio(*paired)), number(traces.interval(*paired)),
                       entry(pair.verdict, tone=pair.verdict), number(traces.pairs(*paired))]
        # A ratio to the default says nothing of another baseline.
        promised = noted(own, "promise.ratio_to_default") if comparison.name == plan_comparisons.DEFAULT else "–"
        rows.append(place(own) + figures + [
            number(promised), number(noted(own, "promise.in_place.ratio")), number(in_place_interval(pair)),
            entry(pair.in_place.get("verdict", "–"), tone=pair.in_place.get("verdict")),
            number(noted(own, "promise.roof_in_place")), plan(own),
            entry("the same") if baseline is None else plan(baseline),
            entry("own", own.name, link=anchor[own.key])])
    return Table(f"table-baseline-plan-{number_of_table}", plan_comparisons.title(comparison), PLACE + [
        "time ÷ baseline plan's", "95 % interval", "verdict", "pairs", "promised", "in place ÷ promised",
        "its 95 % interval", "promise", "roof ÷ promised roof", "own plan", "baseline plan", "from"], rows)


def plan(cell):
    return number(traces.fact(fact("plan", cell.plan), f"{cell.place}.plan"))


def noted(cell, name):
    """A number that the cell's entry holds about its baseline plan."""
    value = cell.against
    for part in name.split("."):
        value = (value or {}).get(part)
    return "–" if value is None else Traced(f"{value:.3f}", f"{cell.place}.against.{name}", value)


def in_place_interval(pair):
    if not pair.in_place:
        return "–"
    low, high = pair.in_place["low"], pair.in_place["high"]
    source = f"in_place_interval {pair.own.place}.against.promise.in_place"
    return Traced(f"[{low:.3f}, {high:.3f}]", source, low)


def sections(cells, baseline_plan_cells):
    """[(sentence, table)], one for each baseline that cells were compared with."""
    return [(sentence(comparison), plan_comparison_table(comparison, cells, index))
            for index, comparison in enumerate(plan_comparisons.beside(cells, baseline_plan_cells), 1)]


def sentence(comparison):
    """The sentence above the table."""
    mean = prose(Traced(f"{comparison.mean:.3f}", f"baseline_plan_mean {comparison.name}", comparison.mean),
                 " times the baseline plan's time (geometric mean); ") if comparison.mean else ""
    counts = joined(", ", [
        prose(verdict, " in ", traces.count(count, f"baseline_plan_verdict {comparison.name} {verdict}"))
        for verdict, count in comparison.counts().items() if count])
    promises = joined(", ", [
        prose(verdict, " in ", traces.count(count, f"baseline_plan_promise {comparison.name} {verdict}"))
        for verdict, count in comparison.promises().items() if count])
    kept = prose(" The ratio is ",
                 Traced(f"{comparison.kept:.3f}", f"baseline_plan_kept {comparison.name}", comparison.kept),
                 " times the promised one (geometric mean); the promise is ", promises, ".") if comparison.kept else ""
    every = traces.count(len(comparison.cells), f"baseline_plan_verdict {comparison.name} any")
    return prose(mean, counts, " of ", every, " cells.", kept)

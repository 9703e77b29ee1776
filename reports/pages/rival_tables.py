"""Lays out what rivals.py found.

Owns: the sentence about a rival, the columns and rows of its table. Does not own: the other tables (tables.py).
"""

from reports.findings import traces
from reports.findings.prose import joined, prose
from reports.findings.traces import Traced
from reports.pages.tables import PLACE, Table, anchors, entry, fact, number, place
from reports.statistics import rivals

def rival_table(rivalry, cells, number_of_table):
    """One row for each cell that met the rival."""
    anchor = anchors(cells)
    rows = []
    for pair in rivalry.cells:
        own, rival = pair.own, pair.rival
        if rival is None:
            figures = [number(noted(own, "ratio")), entry("–", -9), entry(pair.verdict), entry("–", -9)]
        else:
            paired = (pair.estimate, own, rival)
            figures = [number(traces.ratio(*paired)), number(traces.interval(*paired)),
                       entry(pair.verdict, tone=pair.verdict), number(traces.pairs(*paired))]
        # A ratio to the default says nothing of another rival.
        promised = noted(own, "promise.ratio_to_default") if rivalry.name == rivals.DEFAULT else "–"
        rows.append(place(own) + figures + [
            number(promised), number(noted(own, "promise.in_place.ratio")), number(in_place_interval(pair)),
            entry(pair.in_place.get("verdict", "–"), tone=pair.in_place.get("verdict")),
            number(noted(own, "promise.roof_in_place")), plan(own),
            entry("the same") if rival is None else plan(rival),
            entry("own", own.name, link=anchor[own.key])])
    return Table(f"table-rival-{number_of_table}", rivals.title(rivalry), PLACE + [
        "time ÷ rival's", "95 % interval", "verdict", "pairs", "promised", "in place ÷ promised",
        "its 95 % interval", "promise", "roof ÷ promised roof", "own plan", "rival's plan", "from"], rows)


def plan(cell):
    return number(traces.fact(fact("plan", cell.plan), f"{cell.place}.plan"))


def noted(cell, name):
    """A number that the cell's entry says of its rival."""
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


def sections(cells, rival_cells):
    """[(sentence, table)] of each rival that the cells met."""
    return [(sentence(rivalry), rival_table(rivalry, cells, index))
            for index, rivalry in enumerate(rivals.beside(cells, rival_cells), 1)]


def sentence(rivalry):
    """What stands above the table."""
    mean = prose(Traced(f"{rivalry.mean:.3f}", f"rival_mean {rivalry.name}", rivalry.mean),
                 " times the rival's time (geometric mean); ") if rivalry.mean else ""
    counts = joined(", ", [prose(verdict, " in ", traces.count(count, f"rival_verdict {rivalry.name} {verdict}"))
                           for verdict, count in rivalry.counts().items() if count])
    promises = joined(", ", [
        prose(verdict, " in ", traces.count(count, f"rival_promise {rivalry.name} {verdict}"))
        for verdict, count in rivalry.promises().items() if count])
    kept = prose(" The ratio is ", Traced(f"{rivalry.kept:.3f}", f"rival_kept {rivalry.name}", rivalry.kept),
                 " times the promised one (geometric mean); the promise is ", promises, ".") if rivalry.kept else ""
    every = traces.count(len(rivalry.cells), f"rival_verdict {rivalry.name} any")
    return prose(mean, counts, " of ", every, " cells.", kept)

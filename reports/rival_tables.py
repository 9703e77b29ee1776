"""Lays out what rivals.py found.

Owns: the columns and rows of the tables about rivals. Does not own: the other tables (tables.py).
"""

import rivals
import traces
from tables import PLACE, Table, anchors, entry, fact, number, place
from traces import Traced

GLOSSARY = {
    "time ÷ rival's": "time with the own plan ÷ time with the rival's, taken in turns within a round, geometric mean",
    "promised": "the ratio to the analytical default that the tuner measured",
    "in place ÷ promised": "share of the roof in this run ÷ the share that the tuner measured",
}


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
            number(promised), number(noted(own, "promise.in_place")), entry(fact("plan", own.plan)),
            entry("the same" if rival is None else fact("plan", rival.plan)),
            entry("own", own.name, link=anchor[own.key])])
    return Table(f"table-rival-{number_of_table}", rivals.title(rivalry), PLACE + [
        "time ÷ rival's", "95 % interval", "verdict", "pairs", "promised", "in place ÷ promised", "own plan",
        "rival's plan", "from"], rows)


def noted(cell, name):
    """A number that the cell's entry says of its rival."""
    value = cell.against
    for part in name.split("."):
        value = (value or {}).get(part)
    return "–" if value is None else Traced(f"{value:.3f}", f"{cell.place}.against.{name}", value)


def sections(cells, rival_cells):
    """[(sentence, table)] of each rival that the cells met."""
    return [(rivals.sentence(rivalry), rival_table(rivalry, cells, index))
            for index, rivalry in enumerate(rivals.beside(cells, rival_cells), 1)]

"""Draws the tile landscape of a tuning.

Owns: one heatmap per cell of the journal. Does not own: reading the journal (landscapes.py).
"""

import json

from matplotlib.patches import Rectangle

from reports.figures.drawing import SERIES, SOURCE_MARK, canvas, file_name, finish
from reports.findings import command_lines, traces
from reports.findings.answer import NO_BLOCK
from reports.findings.prose import prose
from reports.findings.traces import Traced

LARGEST = 12    # landscapes; a journal of many models would make a page nobody scrolls through


def landscape_figures(landscapes):
    drawable = [place for place in landscapes if place.axes()]
    drawable.sort(key=lambda place: -len(place.plans))
    return [landscape_figure(place) for place in drawable[:LARGEST]]


def landscape_figure(place):
    across, down = place.axes()
    best = {}
    for plan, time in place.plans:
        spot = (plan.get(down), plan.get(across))
        best[spot] = min(time, best.get(spot, time))
    rows, columns = (sorted({spot[index] for spot in best}, key=rank) for index in (0, 1))
    drawing, (axes,) = canvas(height=1.2 + 0.3 * len(rows))
    low = place.best / max(best.values())
    for (row, column), time in best.items():
        x, y, speed = columns.index(column), rows.index(row), place.best / time
        # Transparent enough that the number on it can be read on a light and on a dark page.
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=SERIES[1], linewidth=0,
                                 alpha=0.05 + 0.5 * ((speed - low) / (1 - low) if low < 1 else 1)))
        axes.text(x, y, f"{100 * speed:.0f}", ha="center", va="center", fontsize=7,
                  gid=SOURCE_MARK + field_source("journal_percent", place, {down: row, across: column}))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(False)
    axes.set_xticks(range(len(columns)), [short(value) for value in columns], fontsize=7)
    axes.set_yticks(range(len(rows)), [short(value) for value in rows], fontsize=7)
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    return finish(
        drawing, file_name("landscape", *(part for part in place.cell.values() if part != "f32")),
        prose("Tile landscape: ", place.label),
        f"Per cent of the speed of the best plan, by {across} and {down}; of the plans that share a field the best "
        "counts. Deep colour is fast, an empty field was not tried.",
        prose("Heatmap of the speed of ", traces.journal_plans(place), f" plans by {across} and {down}; ", place.label,
              "."),
        [down, across, "ms"],
        [[axis_value(place, down, row), axis_value(place, across, column),
          Traced(f"{best[row, column] / 1e6:.4f}", field_source("journal_field", place, {down: row, across: column}),
                 best[row, column])]
         for row in rows for column in columns if (row, column) in best],
        command_lines.tune_command([place.cell], "--journal", "journal.jsonl"))


def field_source(name, place, values):
    return " ".join([name, place.key, *(f"{axis}={json.dumps(value)}" for axis, value in values.items())])


def axis_value(place, axis, value):
    return Traced(short(value), field_source("journal_axis", place, {axis: value}), value)


def rank(value):
    return (isinstance(value, str), value)


def short(value):
    """Writes a block size that no shape reaches as ∞."""
    return "∞" if isinstance(value, int) and value >= NO_BLOCK else str(value)

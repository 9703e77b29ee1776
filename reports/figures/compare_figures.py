"""Draws how two runs compare.

Owns: the figures of `sluice compare`: every cell by its ratio, and the ratio over M for each shape. Does not own: style
and output (drawing.py).
"""

from reports.data.records import GATED_KINDS, PLAIN_KINDS
from reports.figures.drawing import (DASHES, INK, MARKERS, MUTED, SERIES, canvas, dodge, file_name, finish,
                                     legend_above, set_m_axis)
from reports.findings.answer import isa_name, kind_name
from reports.findings.run_words import interval_text, plain
from reports.findings.traces import threads_name
from reports.statistics.run_pairs import VERDICTS

KINDS = GATED_KINDS + PLAIN_KINDS
VERDICT_STYLES = {
    "slower": {"color": SERIES[0], "marker": "^"}, "faster": {"color": SERIES[2], "marker": "v"},
    "tied": {"color": SERIES[1], "marker": "o"}, "inconclusive": {"color": MUTED, "marker": "x"}}
NARROWEST_SPAN = 0.02   # of the ratio axis about 1: a zoom further in would make noise look like an effect
COLUMNS = ["cell", "B/A", "95 % interval", "verdict"]


def known(pairs):
    return [pair for pair in pairs if pair.ratio.half_width is not None]


def data_rows(pairs):
    return [[pair.before.name, plain(pair.ratio.ratio), interval_text(pair.ratio), pair.verdict] for pair in pairs]


def set_ratio_axis(axes, pairs):
    """Keeps every ratio inside. An interval may leave the figure, because one noisy cell would flatten all others."""
    ratios = [pair.ratio.ratio for pair in pairs]
    narrow = [bound for pair in pairs if pair.verdict != "inconclusive" for bound in (pair.ratio.low, pair.ratio.high)]
    low, high = min(ratios + narrow + [1 - NARROWEST_SPAN]), max(ratios + narrow + [1 + NARROWEST_SPAN])
    margin = 0.06 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylabel("time of B ÷ time of A")


def bars(pairs):
    return [[pair.ratio.ratio - pair.ratio.low for pair in pairs],
            [pair.ratio.high - pair.ratio.ratio for pair in pairs]]


def cell_figures(pairs):
    """Every cell in the order of its ratio."""
    shown = sorted(known(pairs), key=lambda pair: pair.ratio.ratio)
    if not shown:
        return []
    drawing, (axes,) = canvas(1, 3.2)
    for verdict in VERDICTS:
        own = [(place, pair) for place, pair in enumerate(shown, 1) if pair.verdict == verdict]
        if own:
            axes.errorbar([place for place, _ in own], [pair.ratio.ratio for _, pair in own],
                          yerr=bars([pair for _, pair in own]), linestyle="none", elinewidth=0.9, label=verdict,
                          **VERDICT_STYLES[verdict])
    set_ratio_axis(axes, shown)
    axes.set_xlabel("cells in the order of their ratio")
    axes.set_xticks([])
    legend_above(axes, 4)
    return [finish(
        drawing, "ratio-cells", "Every cell by its ratio",
        "Each mark is a cell, each bar its own 95 % interval, cut off where it leaves the figure. Above the line B is "
        "slower.",
        f"Time ratio of B over A of {len(shown)} cells in rising order, from {plain(shown[0].ratio.ratio)} to "
        f"{plain(shown[-1].ratio.ratio)}, by verdict.", COLUMNS, data_rows(shown))]


def place_of(pair):
    """What one figure shows: shape, weights, ISA and threads of both sides."""
    before, after = pair.before, pair.after
    return (before.d_model, before.d_ff, before.weights, before.isa, after.isa, before.threads, after.threads)


def shape_figures(pairs):
    """The ratio over M, one figure for each shape, ISA and thread count that has several M."""
    groups = {}
    for pair in known(pairs):
        groups.setdefault(place_of(pair), []).append(pair)
    return [shape_figure(place, own) for place, own in groups.items() if len({pair.before.m for pair in own}) > 1]


def shape_figure(place, pairs):
    d_model, d_ff, weights, isa, other_isa, threads, other_threads = place
    shape = f"{d_model}×{d_ff}" + ("" if weights == "f32" else f" {weights}")
    isas = " → ".join(dict.fromkeys((isa_name(isa), isa_name(other_isa))))
    counts = " → ".join(dict.fromkeys((threads_name(threads), threads_name(other_threads))))
    drawing, (axes,) = canvas(1, 3.0)
    kinds = [kind for kind in KINDS if any(pair.before.kind == kind for pair in pairs)]
    for index, kind in enumerate(kinds):
        line = [pair for pair in pairs if pair.before.kind == kind]
        number = KINDS.index(kind)
        axes.errorbar([dodge(pair.before.m, index, len(kinds)) for pair in line], [pair.ratio.ratio for pair in line],
                      yerr=bars(line), capsize=2.5, elinewidth=0.9, label=kind_name(kind),
                      color=SERIES[number % len(SERIES)], marker=MARKERS[number % len(MARKERS)],
                      linestyle=DASHES[number % len(DASHES)])
    set_ratio_axis(axes, pairs)
    set_m_axis(axes, [pair.before.m for pair in pairs])
    legend_above(axes)
    ratios = [pair.ratio.ratio for pair in pairs]
    return finish(
        drawing, file_name("ratio", f"{d_model}x{d_ff}", weights, *dict.fromkeys((isa, other_isa)),
                           *dict.fromkeys((f"t{threads}", f"t{other_threads}"))),
        f"{shape}, {isas}, {counts}",
        "Bars are 95 % intervals of each cell, cut off where they leave the figure; marks of one M stand side by side.",
        f"Time ratio of B over A by M for {shape} on {isas} with {counts}, from {plain(min(ratios))} to "
        f"{plain(max(ratios))}.", COLUMNS, data_rows(pairs))

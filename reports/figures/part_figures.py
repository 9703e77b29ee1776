"""Draws where the time of a forward goes, and Sluice beside other libraries.

Owns: these two groups of figures. Does not own: the figures about the gate and the roofs (figures.py), about tuning and
noise (quality_figures.py).
"""

from matplotlib.transforms import blended_transform_factory

from reports.data.records import PHASES
from reports.figures.drawing import (
    INK, MUTED, PAPER, SERIES, canvas, dodge, file_name, finish, legend_above, set_log_axis, set_m_axis)
from reports.figures.figures import series_style
from reports.findings import command_lines, traces
from reports.findings.answer import headline_kind, isa_name, kind_name
from reports.findings.prose import prose
from reports.findings.traces import threads_name
from reports.statistics.comparison import order

PHASE_COLOURS = dict(zip(PHASES, (SERIES[5], SERIES[1], SERIES[0], SERIES[2], SERIES[4], SERIES[3], MUTED)))
PHASE_NAMES = {"pack": "pack x", "up": "up GEMM", "gate": "gate", "down": "down GEMM", "unpack": "unpack y",
               "wait": "wait", "call": "call"}


def phase_figures(workload, cells, context):
    """A bar per M and thread count of the headline kind: one figure per ISA."""
    figures = []
    own = [cell for cell in sorted(cells, key=order) if workload.owns(cell) and cell.phases]
    for isa in dict.fromkeys(cell.isa for cell in own):
        of_isa = [cell for cell in own if cell.isa == isa]
        kind = headline_kind(of_isa)
        figures.append(phase_figure(workload, isa, kind, [cell for cell in of_isa if cell.kind == kind],
                                    context))
    return figures


def phase_figure(workload, isa, kind, cells, context):
    drawing, (axes,) = canvas(height=1.3 + 0.24 * len(cells))
    rows = range(len(cells))
    left = [0.0] * len(cells)
    for phase in PHASES:
        widths = [100 * cell.phases[phase] for cell in cells]
        axes.barh(rows, widths, left=left, height=0.74, color=PHASE_COLOURS[phase], edgecolor=PAPER, linewidth=0.5,
                  label=PHASE_NAMES[phase])
        left = [start + width for start, width in zip(left, widths)]
    axes.set_yticks(rows, [f"M {cell.m}, {threads_name(cell.threads)}" for cell in cells], fontsize=8)
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the time of all threads")
    # The legend starts at the left end of the figure, because the axes alone are too narrow for seven names.
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncol=4, borderaxespad=0.2, columnspacing=1.0,
                handlelength=1.0, bbox_transform=blended_transform_factory(drawing.transFigure, axes.transAxes))
    place = prose(traces.label(workload), f", {kind_name(kind)}, {isa_name(isa)}")
    return finish(
        drawing, file_name("phases", workload.shape, isa), prose("Where the time goes: ", place),
        "Each bar is one forward, from left to right in the order of the legend. Gate is the epilogue: bias, "
        "activation, product, storing H. Wait is the barrier between the stages, call is waking the threads and "
        "returning.",
        prose("Stacked bars of the share of each phase by M and thread count; ", place,
              ". The table below holds every value."),
        ["threads", "M", *PHASE_NAMES.values()],
        [[traces.plain(cell, "threads"), traces.plain(cell, "m"),
          *(traces.phase_share(cell, phase) for phase in PHASES)]
         for cell in cells], command_lines.bench_command(cells, context, "--phases"))


def peer_figures(workload, pairs, context):
    """Ratio to Sluice over M for the headline kind, a line per peer: one figure per ISA and thread count."""
    figures = []
    own = [pair for pair in pairs if workload.owns(pair.own) and pair.estimate.half_width is not None]
    for isa, threads in dict.fromkeys((pair.own.isa, pair.own.threads) for pair in own):
        here = [pair for pair in own if (pair.own.isa, pair.own.threads) == (isa, threads)]
        kind = headline_kind([pair.own for pair in here])
        # A plain workload's own shape and its equal-budget shape would make two points at one M.
        width = min(pair.own.d_ff for pair in here if pair.own.kind == kind)
        figures.append(peer_figure(workload, isa, threads, kind, [
            pair for pair in here if pair.own.kind == kind and pair.own.d_ff == width], context))
    return figures


def peer_figure(workload, isa, threads, kind, pairs, context):
    drawing, (axes,) = canvas()
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    names = sorted({pair.peer.peer for pair in pairs})
    for index, name in enumerate(names):
        line = [pair for pair in pairs if pair.peer.peer == name]
        estimates = [pair.estimate for pair in line]
        axes.errorbar([dodge(pair.own.m, index, len(names)) for pair in line], [one.ratio for one in estimates],
                      yerr=[[one.ratio - one.low for one in estimates], [one.high - one.ratio for one in estimates]],
                      capsize=2.5, label=name, **series_style(index))
    ratios = [pair.estimate.ratio for pair in pairs]
    axes.set_yscale("log")
    axes.set_ylim(min(0.9, *ratios) / 1.05, max(1.1, *ratios) * 1.1)
    set_log_axis(axes.yaxis)
    axes.set_ylabel("time ÷ Sluice's")
    set_m_axis(axes, [pair.own.m for pair in pairs])
    legend_above(axes)
    place = prose(traces.label(workload), f", {kind_name(kind)}, {isa_name(isa)}, ", traces.threads(pairs[0].own))
    return finish(
        drawing, file_name("peers", workload.shape, isa, f"t{threads}"), prose("Beside other libraries: ", place),
        "Time of the other library divided by Sluice's, paired by round; above the dashed line Sluice is faster. Bars "
        "are 95 % intervals. Log scale; wide bars leave the panel. Points at one M are moved apart a little "
        "so that the bars can be seen.",
        prose(f"Time ratio of {', '.join(names)} to Sluice by M; ", place, ". The table below holds every value."),
        ["library", "M", "ratio", "95 % interval", "pairs", "Sluice is"],
        [[pair.peer.peer, traces.plain(pair.own, "m"), *(
            write(pair.estimate, pair.peer, pair.own) for write in (traces.ratio, traces.interval, traces.pairs)),
          pair.verdict] for pair in pairs],
        command_lines.bench_command([pair.own for pair in pairs], context, "--peers"))

"""Draws the figures of the report, each with its caption, alt text and data table.

Owns: what is drawn of cost, speed and roofs. Does not own: style and output (drawing.py). Every function takes checked
values and returns a list of Figure, empty when there is nothing to draw.
"""

from reports.data.records import GATED_KINDS
from reports.figures.drawing import (DASHES, INK, MARKERS, MUTED, PAPER, SERIES, canvas, compact, dodge, file_name,
                                     finish, legend_above, set_log_axis, set_m_axis)
from reports.findings import command_lines, traces
from reports.findings.answer import ROOF_NAMES, headline_kind, isa_name, isa_rank, kind_name
from reports.findings.prose import joined, prose
from reports.findings.traces import Traced, threads_name
from reports.statistics.comparison import BASELINE, IDEAL, order


BASELINE_STYLES = {"budget": {"color": INK, "marker": ".", "linestyle": "-"},
                   "width": {"color": MUTED, "marker": ".", "linestyle": "--"}}
WIDEST_INTERVAL = 0.1   # half-width; a wider bar may leave the panel
NARROWEST_SPAN = 0.02   # of the ratio axis about the ideal: a zoom further in would make noise look like an effect


def series_style(index):
    """After the last colour the colours repeat, with other marks."""
    again = index // len(SERIES)
    return {"color": SERIES[index % len(SERIES)], "marker": MARKERS[(index + 3 * again) % len(MARKERS)],
            "linestyle": DASHES[(index + again) % len(DASHES)]}


def kind_style(kind):
    return series_style(GATED_KINDS.index(kind))


def facets(workload, cells):
    """{(ISA, threads): cells} of a workload, where at least one of the cells is gated."""
    found = {}
    for cell in sorted(cells, key=order):
        if workload.owns(cell):
            found.setdefault((cell.isa, cell.threads), []).append(cell)
    return {key: own for key, own in found.items() if any(cell.gated for cell in own)}


def cost_figures(workload, cells, comparisons, context):
    """Time ratios against ReLU over M: one figure per ISA and thread count, equal budget above equal width."""
    figures = []
    for isa, threads in facets(workload, cells):
        shown = {}
        for what in IDEAL:
            own = [comparison for comparison in comparisons if comparison.what == what
                   and workload.owns(comparison.gated) and comparison.estimate.half_width is not None
                   and (comparison.gated.isa, comparison.gated.threads) == (isa, threads)]
            if own:
                shown[what] = own
        if shown:
            figures.append(cost_figure(workload, isa, threads, shown, context))
    return figures


def cost_figure(workload, isa, threads, shown, context):
    drawing, panels = canvas(len(shown), 0.5 + 2.5 * len(shown))
    kinds = [kind for kind in GATED_KINDS
             if any(comparison.gated.kind == kind for own in shown.values() for comparison in own)]
    rows = []
    for axes, (what, own) in zip(panels, shown.items()):
        axes.axhline(IDEAL[what], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        for index, kind in enumerate(kinds):
            line = [comparison for comparison in own if comparison.gated.kind == kind]
            if not line:
                continue
            estimates = [comparison.estimate for comparison in line]
            ratios = [estimate.ratio for estimate in estimates]
            axes.errorbar([dodge(comparison.gated.m, index, len(kinds)) for comparison in line], ratios,
                          yerr=[[estimate.ratio - estimate.low for estimate in estimates],
                                [estimate.high - estimate.ratio for estimate in estimates]],
                          capsize=2.5, label=kind_name(kind), **kind_style(kind))
        set_m_axis(axes, [comparison.gated.m for comparison in own])
        known = [one.estimate for one in own if one.estimate.half_width <= WIDEST_INTERVAL]
        ends = [end for one in known for end in (one.low, one.high)] + [one.estimate.ratio for one in own]
        margin = 0.04 * (max(ends) - min(ends))
        axes.set_ylim(min(min(ends) - margin, IDEAL[what] * (1 - NARROWEST_SPAN)),
                      max(max(ends) + margin, IDEAL[what] * (1 + NARROWEST_SPAN)))
        axes.set_ylabel(f"time ÷ ReLU, equal {what}")
        axes.yaxis.set_major_formatter(compact)
        rows += [[what, kind_name(comparison.gated.kind), traces.plain(comparison.gated, "m"), *(
            write(comparison.estimate, comparison.gated, comparison.baseline)
            for write in (traces.ratio, traces.interval, traces.pairs)), comparison.verdict] for comparison in own]
    legend_above(panels[0])
    place = prose(traces.label(workload), f", {isa_name(isa)}, ",
                  traces.threads(next(one.gated for own in shown.values() for one in own)))
    return finish(drawing, file_name("cost", workload.shape, isa, f"t{threads}"), prose("Cost of the gate: ", place),
                  "Time of the gated kind divided by the time of ReLU, paired by round; bars are 95 % intervals. The "
                  "dashed line is the ideal: 1 at equal budget, 1.5 at equal width. Bars of more than ±10 % leave the "
                  "panel. Points at one M are moved apart a little so that the bars can be seen.",
                  prose(f"Time ratio to ReLU by M for {', '.join(kind_name(kind) for kind in kinds)}; ", place,
                        ". The table below holds every value."),
                  ["comparison", "kind", "M", "ratio", "95 % interval", "pairs", "verdict"], rows,
                  command_lines.bench_command([cell for own in shown.values() for one in own
                                          for cell in (one.gated, one.baseline)], context))


def speed_figures(workload, cells, context):
    """FLOP/s and time per token over M for the gated kinds and both ReLU baselines."""
    figures = []
    for (isa, threads), own in facets(workload, cells).items():
        lines = {}
        for cell in own:
            if cell.gated:
                lines.setdefault((kind_name(cell.kind), cell.kind), []).append(cell)
            elif cell.kind == BASELINE:
                what = "width" if cell.d_ff == workload.d_ff else "budget"
                lines.setdefault((f"ReLU, equal {what}", what), []).append(cell)
        drawing, panels = canvas(2, 5.4, sharex=True)
        for (label, key), line in lines.items():
            style = kind_style(key) if key in GATED_KINDS else BASELINE_STYLES[key]
            ms = [cell.m for cell in line]
            panels[0].plot(ms, [cell.flops / 1e9 for cell in line], label=label, **style)
            panels[1].plot(ms, [cell.ns_per_token / 1e3 for cell in line], **style)
        panels[1].set_yscale("log")
        set_log_axis(panels[1].yaxis)
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel("GFLOP/s")
        panels[1].set_ylabel("µs per token")
        set_m_axis(panels[0], [cell.m for cell in own], label=False)
        set_m_axis(panels[1], [cell.m for cell in own])
        legend_above(panels[0], 2)
        place = prose(traces.label(workload), f", {isa_name(isa)}, ", traces.threads(own[0]))
        figures.append(finish(
            drawing, file_name("speed", workload.shape, isa, f"t{threads}"), prose("Speed: ", place),
            "Medians. FLOPs: gated 6·M·D·F, plain 4·M·D·F, activations not counted. Time per token is the time of "
            "one call divided by M.",
            prose(f"FLOP/s and time per token by M for {', '.join(label for label, _ in lines)}; ", place, "."),
            ["series", "M", "GFLOP/s", "µs per token"],
            [[label, traces.plain(cell, "m"), traces.gflops(cell), traces.us_per_token(cell)]
             for (label, _), line in lines.items() for cell in line], command_lines.bench_command(own, context)))
    return figures


def roof_figures(workload, cells, fma_roofs, read_roofs, context):
    """Percent of the binding roof over M, one line per ISA and thread count, for the headline kind."""
    own = [cell for cell in sorted(cells, key=order) if workload.owns(cell) and cell.roof_fraction is not None]
    kind = headline_kind(own)
    own = [cell for cell in own if cell.kind == kind]
    if not own:
        return []
    lines = {}
    for cell in own:
        lines.setdefault((cell.isa, cell.threads, cell.d_ff), []).append(cell)
    drawing, (axes,) = canvas()
    crossovers = []
    axes.axhline(100, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    for index, ((isa, threads, _), line) in enumerate(lines.items()):
        style = series_style(index)
        axes.plot([cell.m for cell in line], [100 * cell.roof_fraction for cell in line],
                  label=f"{isa_name(isa)}, {threads_name(threads)}", **style)
        read = [cell for cell in line if cell.roof == "read"]
        axes.plot([cell.m for cell in read], [100 * cell.roof_fraction for cell in read], linestyle="none",
                  marker=style["marker"], markerfacecolor=PAPER, markeredgecolor=style["color"])
        found = crossover(line[0], fma_roofs, read_roofs)
        if found and own[0].m < found < max(cell.m for cell in own):
            axes.axvline(found, color=style["color"], linewidth=0.9, linestyle=":")
            crossovers.append(prose("M\u00a0=\u00a0", Traced(f"{found:.0f}", f"crossover {line[0].place}", found),
                                    f" with {isa_name(isa)} and ", traces.threads(line[0])))
    axes.set_ylim(0, max(105, 104 * max(cell.roof_fraction for cell in own)))
    axes.set_ylabel("% of the binding roof")
    set_m_axis(axes, [cell.m for cell in own])
    legend_above(axes, 2)
    return [finish(
        drawing, file_name("roof", workload.shape),
        prose(f"{kind_name(kind)}, share of the roof: ", traces.label(workload)),
        prose("Speed divided by the measured roof that binds the cell. Filled marks: FMA peak. Hollow marks: read "
              "bandwidth.", *((" Dotted: where the two roofs meet, ", joined("; ", crossovers), "; to its left memory "
                               "binds, to its right arithmetic.") if crossovers else ())),
        prose(f"Percent of the binding roof by M, {kind_name(kind)}, ", traces.label(workload),
              ", one line per ISA and thread count."),
        ["ISA", "threads", "M", "roof", "% of roof"],
        [[isa_name(cell.isa), traces.plain(cell, "threads"), traces.plain(cell, "m"), ROOF_NAMES.get(cell.roof, "–"),
          traces.roof_share(cell)] for cell in own], command_lines.bench_command(own, context))]


def crossover(cell, fma_roofs, read_roofs):
    """The M at which both roofs allow a cell the same time; None where arithmetic never binds or a roof is missing."""
    if "/" in cell.weights:     # computes by another arithmetic, whose peak is another
        return None
    peak, bandwidth = fma_roofs.get((cell.isa, cell.threads)), read_roofs.get(cell.threads)
    if not peak or not bandwidth:
        return None
    matrices = 3 if cell.gated else 2
    weights = matrices * cell.d_model * cell.d_ff
    # 2·weights·M / peak = (size·weights + 8·M·D) / bandwidth, solved for M.
    gain = 2 * weights / peak - 8 * cell.d_model / bandwidth
    size = (cell.bytes - 8 * cell.m * cell.d_model) / weights
    return size * weights / bandwidth / gain if gain > 0 else None


def roofline_figures(cells, fma_roofs, read_roofs, context):
    """One measured roofline per ISA with every cell of that ISA on it."""
    figures = []
    for isa in sorted({cell.isa for cell in cells}, key=isa_rank):
        own = sorted((cell for cell in cells if cell.isa == isa), key=order)
        intensity = {cell.key: traces.intensity(cell).value for cell in own}
        left, right = min(intensity.values()) / 2, max(intensity.values()) * 2
        drawing, (axes,) = canvas(height=3.8)
        counts = sorted({cell.threads for cell in own})
        for index, threads in enumerate(counts):
            style = series_style(index)
            peak, bandwidth = fma_roofs.get((isa, threads)), read_roofs.get(threads)
            if peak and bandwidth:
                ridge = peak / bandwidth
                line = sorted({left, min(max(ridge, left), right), right})
                axes.plot(line, [min(peak, bandwidth * value) / 1e9 for value in line], color=style["color"],
                          linestyle=style["linestyle"], linewidth=1.4,
                          label=f"roof, {threads_name(threads)}")
            elif peak:
                axes.axhline(peak / 1e9, color=style["color"], linewidth=1.4,
                             label=f"FMA peak, {threads_name(threads)}")
            for gated, face in ((True, style["color"]), (False, PAPER)):
                marks = [cell for cell in own if cell.threads == threads and cell.gated == gated]
                if marks:
                    axes.plot([intensity[cell.key] for cell in marks], [cell.flops / 1e9 for cell in marks],
                              linestyle="none", marker=style["marker"], markersize=5, markerfacecolor=face,
                              markeredgecolor=style["color"],
                              label=f"{'gated' if gated else 'plain'}, {threads_name(threads)}")
        rows = [[cell.name, traces.intensity(cell), traces.gflops(cell), traces.gigabytes(cell),
                 traces.roof_share(cell)] for cell in own]
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(left, right)
        set_log_axis(axes.xaxis)
        set_log_axis(axes.yaxis)
        axes.set_xlabel("FLOP per byte (weights, x and y once each)")
        axes.set_ylabel("GFLOP/s")
        legend_above(axes, 2)
        roofs = "" if any((isa, threads) in fma_roofs for threads in counts) else (
            " No roof was measured for this ISA, so only the cells are drawn.")
        figures.append(finish(
            drawing, file_name("roofline", isa), f"Measured roofline, {isa_name(isa)}",
            "Each mark is one cell. The sloped part of a roof is the measured read bandwidth, the flat part the "
            "measured FMA peak." + roofs,
            f"Roofline for {isa_name(isa)}: GFLOP/s over FLOP per byte of every cell, roofs per thread count.",
            ["cell", "FLOP per byte", "GFLOP/s", "GB/s", "% of roof"], rows, command_lines.bench_command(own, context)))
    return figures

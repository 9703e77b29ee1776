"""Draws the figures about tuning, scaling and noise.

Owns: tuned plans against the analytical default, thread scaling, the noise audit. Does not own: the figures about the
cost of the gate and the roofs (figures.py).
"""

from matplotlib.ticker import MaxNLocator

from reports.data.records import weights_of
from reports.figures.drawing import INK, SERIES, canvas, compact, file_name, finish, legend_above, set_m_axis
from reports.figures.figures import series_style
from reports.findings import command_lines, traces
from reports.findings.answer import headline_isa, headline_kind, isa_name, kind_name, with_weights
from reports.findings.prose import prose
from reports.findings.traces import threads_name
from reports.statistics.comparison import TIED_HALF_WIDTH, order

LONGEST_FOREST = 24     # tuned plans per figure; more would not be readable on one screen


def plan_label(plan):
    return traces.plan_cell(plan, f"{kind_name(plan['kind'])}{with_weights(weights_of(plan))} "
                            f"{plan['d_model']}×{plan['d_ff']}, M {plan['m']}, "
                            f"{isa_name(plan['isa'])}, ≤ {threads_name(plan['max_threads'])}")


def plan_order(plan):
    return (plan["d_model"], plan["d_ff"], weights_of(plan), plan["isa"], plan["kind"], plan["max_threads"], plan["m"])


def tuned_figures(plans):
    """Time of the tuned plan over the analytical default's: a figure per shape and ISA, a row per plan."""
    groups = {}
    for plan in sorted(plans, key=plan_order):
        if plan.get("measured"):
            groups.setdefault((plan["d_model"], plan["d_ff"], plan["isa"]), []).append(plan)
    return [tuned_figure(group[start:start + LONGEST_FOREST], start // LONGEST_FOREST + 1)
            for group in groups.values() for start in range(0, len(group), LONGEST_FOREST)]


def tuned_figure(plans, part):
    drawing, (axes,) = canvas(height=0.9 + 0.21 * len(plans))
    axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    for row, plan in enumerate(plans):
        ratio, low, high = (plan["measured"][key] for key in ("ratio_to_default", "ratio_low", "ratio_high"))
        # A ratio outside its own interval would make a negative bar, which matplotlib refuses.
        axes.errorbar(ratio, row, xerr=[[max(ratio - low, 0)], [max(high - ratio, 0)]], capsize=2.5, marker="o",
                      color=SERIES[1])
    axes.set_yticks(range(len(plans)), [f"{kind_name(plan['kind'])}, M {plan['m']}, "
                                        f"≤ {threads_name(plan['max_threads'])}" for plan in plans], fontsize=8)
    axes.set_ylim(len(plans) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(compact)
    axes.set_xlabel("time, tuned ÷ default")
    first = plans[0]
    shape = traces.plan_shape(first)
    suffix = [part] if part > 1 else []
    return finish(
        drawing, file_name("tuned", shape, first["isa"], *suffix),
        prose("Tuned against default: ", shape, f", {isa_name(first['isa'])}", ", continued" if part > 1 else ""),
        "Left of the dashed line the tuned plan is faster. Bars are 95 % intervals of the paired ratio. A mark at "
        "exactly 1 without a bar is the analytical default itself, which won.",
        prose("Time ratio of the tuned plans to the analytical default with intervals, ", shape, "."),
        ["plan", "ratio", "95 % interval", "verdict"],
        [[plan_label(plan), traces.plan_value(plan, "ratio_to_default", 3), traces.plan_interval(plan),
          plan["measured"].get("verdict") or "–"] for plan in plans], command_lines.tune_command(plans))


def scaling_rows(cells):
    """(cell, the same cell with one thread) for every cell with more threads."""
    single = {cell.key[:5] + cell.key[6:]: cell for cell in cells if cell.threads == 1}
    return [(cell, single[cell.key[:5] + cell.key[6:]])
            for cell in sorted(cells, key=order) if cell.threads > 1 and cell.key[:5] + cell.key[6:] in single]


def scaling_figures(workload, cells, context):
    own = [(cell, one) for cell, one in scaling_rows(cells) if workload.owns(cell)]
    if not own:
        return []
    isa = headline_isa([cell for cell, _ in own])
    kind = headline_kind([cell for cell, _ in own if cell.isa == isa])
    own = [(cell, one) for cell, one in own if (cell.isa, cell.kind) == (isa, kind)]
    drawing, (axes,) = canvas(height=3.1)
    counts = sorted({cell.threads for cell, _ in own})
    for index, threads in enumerate(counts):
        line = [(cell.m, traces.speedup(cell, one).value) for cell, one in own if cell.threads == threads]
        style = series_style(index)
        axes.axhline(threads, color=style["color"], linewidth=0.9, linestyle=(0, (4, 3)))
        axes.plot(*zip(*line), label=threads_name(threads), **style)
    axes.set_ylim(0, 1.08 * max(*counts, *(traces.speedup(cell, one).value for cell, one in own)))
    axes.set_ylabel("speed-up over 1 thread")
    set_m_axis(axes, [cell.m for cell, _ in own])
    legend_above(axes)
    place = prose(traces.label(workload), f", {kind_name(kind)}, {isa_name(isa)}")
    return [finish(
        drawing, file_name("scaling", workload.shape), prose("Thread scaling: ", place),
        "Median time with one thread divided by the median with more. The dashed line is the thread count. The two "
        "runs are not interleaved, so there is no paired interval; read differences of a few percent as noise.",
        prose("Speed-up over one thread by M; ", place, "."), ["threads", "M", "speed-up", "efficiency"],
        [[traces.plain(cell, "threads"), traces.plain(cell, "m"), traces.speedup(cell, one),
          traces.efficiency(cell, one)]
         for cell, one in own], command_lines.bench_command([cell for pair in own for cell in pair], context))]


def noise_figures(cells, comparisons, context):
    """How many samples were contended, and how wide the intervals came out."""
    shares = [cell for cell in sorted(cells, key=order) if cell.contended_share is not None]
    widths = [comparison for comparison in comparisons if comparison.estimate.half_width is not None]
    figures = []
    if shares:
        drawing, (axes,) = canvas(height=2.6)
        axes.hist([100 * cell.contended_share for cell in shares], bins=range(0, 101, 5), color=SERIES[1], rwidth=0.9)
        axes.set_xlabel("contended samples of a cell, %")
        axes.set_ylabel("cells")
        axes.yaxis.get_major_locator().set_params(integer=True)
        figures.append(finish(
            drawing, "noise-contended", "Share of contended samples",
            "A sample is contended when a probe right before or after it ran below the level of the run: somebody "
            "else used the core. They count like all others: of two that take turns in random order neither is favoured.",
            "Histogram of the cells by their share of contended samples.",
            ["cell", "samples", "contended", "share"],
            [[cell.name, traces.sample_count(cell), traces.contended_count(cell), traces.contended_share(cell)]
             for cell in shares], command_lines.bench_command(shares, context)))
    if widths:
        drawing, (axes,) = canvas(height=2.6)
        values = sorted(100 * comparison.estimate.half_width for comparison in widths)
        axes.axvline(100 * TIED_HALF_WIDTH, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.step([0, *values], [100 * rank / len(values) for rank in range(len(values) + 1)], where="post",
                  color=SERIES[0])
        axes.set_xlim(0, max(1.5, 1.05 * values[-1]))
        axes.set_ylim(0, 103)
        axes.set_xlabel("half-width of the 95 % interval, %")
        axes.set_ylabel("% of comparisons up to here")
        figures.append(finish(
            drawing, "noise-intervals", "Widths of the intervals",
            "The further left the curve, the sharper the comparisons. Right of the dashed line (1 %) an interval that "
            "contains the ideal cannot be called tied.",
            "Cumulative share of the comparisons by the half-width of their interval.",
            ["comparison", "cell", "pairs", "ratio", "95 % interval", "half-width"],
            [[f"equal {comparison.what}", comparison.gated.name, *(
                write(comparison.estimate, comparison.gated, comparison.baseline)
                for write in (traces.pairs, traces.ratio, traces.interval, traces.half_width))]
             for comparison in widths],
            command_lines.bench_command([cell for one in widths for cell in (one.gated, one.baseline)], context)))
    return figures
